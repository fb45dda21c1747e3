/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A virtio block device as a volume. Requests go to the device by the machine addresses of their segments, as many as
 * the queue holds; the rest wait in order. A request that is larger than the device allows goes in parts. A flush
 * leaves when the writes before it have come back, so that it covers them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pv/threads.h>

#include "dom0-tools/block/volume.h"
#include "dma.h"
#include "interrupts.h"
#include "machine.h"
#include "virtio.h"

#define FEATURE_SIZE_MAX   (1ull << 1)
#define FEATURE_SEG_MAX    (1ull << 2)
#define FEATURE_READ_ONLY  (1ull << 5)
#define FEATURE_BLOCK_SIZE (1ull << 6)
#define FEATURE_FLUSH      (1ull << 9)

#define CONFIG_CAPACITY    0
#define CONFIG_SIZE_MAX    8
#define CONFIG_SEG_MAX     12
#define CONFIG_BLOCK_SIZE  20

#define TYPE_READ          0u
#define TYPE_WRITE         1u
#define TYPE_FLUSH         4u

#define STATUS_OK          0
#define STATUS_UNSUPPORTED 2
#define STATUS_NONE        0xff

#define DISKS_MAX          26u

/* What the device reads before and writes behind the data. */
struct envelope {
    uint32_t type, reserved;
    uint64_t sector;
    uint8_t status, unused[15];
};

/* A request on its way: how far it was handed out, and how much of it the device has. */
struct job {
    struct volume_request *request;
    unsigned int next_segment, parts;
    uint64_t next_sector;
    int status;
    struct job *next;
};

/* What one chain in the queue belongs to. */
struct part {
    struct job *job;
    struct envelope *envelope;
    uint64_t envelope_machine;
    struct part *next;
};

struct disk {
    struct volume volume;
    struct machine_device device;
    struct virtio_device virtio;
    struct virtqueue queue;
    volatile uint16_t *doorbell;
    unsigned int segments_max; /* of one part */
    uint64_t bytes_max;        /* of one buffer of it */

    struct volume_request *waiting, **waiting_end;
    struct job *current; /* partly handed out */
    struct job jobs[VIRTQUEUE_SIZE_MAX], *free_jobs;
    struct part parts[VIRTQUEUE_SIZE_MAX], *free_parts;
    unsigned int writes; /* jobs that write and are not done */

    struct waitq wake;
    bool interrupted, submitted;
};

_Static_assert(sizeof(struct envelope) * VIRTQUEUE_SIZE_MAX <= DMA_PAGE_BYTES, "the envelopes lie in one page");

static bool on_interrupt(void *data)
{
    struct disk *disk = data;

    if (virtio_interrupt_status(&disk->virtio) == 0)
        return false;
    disk->device.interrupts++;
    disk->interrupted = true;
    waitq_wake(&disk->wake);
    return true;
}

static void count(struct disk *disk, const struct volume_request *request, int status)
{
    uint64_t bytes = 0;

    for (unsigned int i = 0; i < request->segment_count; i++)
        bytes += request->segments[i].bytes;
    if (status != 0)
        disk->device.errors++;
    if (request->operation == VOLUME_READ) {
        disk->device.in_requests++;
        disk->device.in_bytes += bytes;
    } else if (request->operation == VOLUME_WRITE) {
        disk->device.out_requests++;
        disk->device.out_bytes += bytes;
    } else {
        disk->device.flushes++;
    }
}

static void finish(struct disk *disk, struct job *job)
{
    struct volume_request *request = job->request;
    int status = job->status;

    if (request->operation == VOLUME_WRITE)
        disk->writes--;
    job->next = disk->free_jobs;
    disk->free_jobs = job;
    count(disk, request, status);
    request->done(request, status);
}

/* The part's data: segments from the job's next on, those that follow each other in memory as one buffer. */
static unsigned int gather(struct disk *disk, struct job *job, struct virtqueue_buffer *buffers, uint64_t *sectors)
{
    const struct volume_request *request = job->request;
    unsigned int used = 0;
    uint64_t bytes = 0;

    while (job->next_segment < request->segment_count) {
        const struct volume_segment *segment = &request->segments[job->next_segment];

        if (used > 0 && buffers[used - 1].machine + buffers[used - 1].bytes == segment->machine &&
            buffers[used - 1].bytes + segment->bytes <= disk->bytes_max)
            buffers[used - 1].bytes += segment->bytes;
        else if (used == disk->segments_max)
            break;
        else
            buffers[used++] = (struct virtqueue_buffer){segment->machine, segment->bytes};
        bytes += segment->bytes;
        job->next_segment++;
    }
    *sectors = bytes / VOLUME_SECTOR_SIZE;
    return used;
}

static bool hand_out_part(struct disk *disk, struct job *job)
{
    static const uint32_t types[] = {
        [VOLUME_READ] = TYPE_READ, [VOLUME_WRITE] = TYPE_WRITE, [VOLUME_FLUSH] = TYPE_FLUSH};
    static struct virtqueue_buffer buffers[VIRTQUEUE_SIZE_MAX];
    struct part *part = disk->free_parts;
    unsigned int before = job->next_segment, count, out, in;
    uint64_t sectors;

    if (part == NULL)
        return false;
    count = gather(disk, job, buffers + 1, &sectors);
    part->envelope->type = types[job->request->operation];
    part->envelope->sector = job->request->operation == VOLUME_FLUSH ? 0 : job->next_sector;
    part->envelope->status = STATUS_NONE;
    buffers[0] = (struct virtqueue_buffer){part->envelope_machine, offsetof(struct envelope, status)};
    buffers[count + 1] = (struct virtqueue_buffer){part->envelope_machine + offsetof(struct envelope, status), 1};
    in = 1 + (job->request->operation == VOLUME_READ ? count : 0);
    out = count + 2 - in;
    if (!virtqueue_add(&disk->queue, buffers, out, in, part)) {
        job->next_segment = before;
        return false;
    }
    disk->free_parts = part->next;
    part->job = job;
    job->parts++;
    job->next_sector += sectors;
    return true;
}

/* The next request that may go; NULL: none, or a flush that waits for writes. */
static struct job *take_request(struct disk *disk)
{
    struct volume_request *request = disk->waiting;
    struct job *job = disk->free_jobs;

    if (request == NULL || job == NULL || (request->operation == VOLUME_FLUSH && disk->writes > 0))
        return NULL;
    disk->waiting = request->next;
    if (disk->waiting == NULL)
        disk->waiting_end = &disk->waiting;
    disk->free_jobs = job->next;
    *job = (struct job){.request = request, .next_sector = request->sector};
    if (request->operation == VOLUME_WRITE)
        disk->writes++;
    return job;
}

/* A disk that writes through has nothing to flush. */
static bool is_void(const struct disk *disk, const struct volume_request *request)
{
    return request->operation == VOLUME_FLUSH ? !(disk->virtio.features & FEATURE_FLUSH) : request->segment_count == 0;
}

static void hand_out(struct disk *disk)
{
    for (;;) {
        struct job *job = disk->current;

        if (job == NULL)
            job = disk->current = take_request(disk);
        if (job == NULL)
            return;
        if (disk->queue.broken || is_void(disk, job->request)) {
            disk->current = NULL;
            if (disk->queue.broken)
                job->status = -EIO;
            if (job->parts == 0)
                finish(disk, job);
            continue;
        }
        if (!hand_out_part(disk, job)) {
            if (disk->queue.free_count != disk->queue.size)
                return;
            /* Not even an empty queue takes it: there was no memory. */
            disk->current = NULL;
            job->status = -ENOMEM;
            finish(disk, job);
            continue;
        }
        if (job->next_segment == job->request->segment_count)
            disk->current = NULL;
    }
}

static void part_done(struct disk *disk, struct part *part, int status)
{
    struct job *job = part->job;

    part->job = NULL;
    part->next = disk->free_parts;
    disk->free_parts = part;
    if (status != 0 && job->status == 0)
        job->status = status;
    if (--job->parts == 0 && job != disk->current)
        finish(disk, job);
}

static int status_of(const struct envelope *envelope)
{
    uint8_t status = *(const volatile uint8_t *)&envelope->status;

    return status == STATUS_OK ? 0 : status == STATUS_UNSUPPORTED ? -EOPNOTSUPP : -EIO;
}

/* The device broke the rules: it is silenced, and what it had is lost. */
static void abandon(struct disk *disk)
{
    if (disk->device.problem[0] != '\0')
        return;
    virtio_give_up(&disk->virtio);
    snprintf(disk->device.problem, sizeof(disk->device.problem),
             "it broke the rules of its queue and was switched off");
    fprintf(stderr, "%s: %s\n", disk->device.name, disk->device.problem);
    for (unsigned int i = 0; i < VIRTQUEUE_SIZE_MAX; i++)
        if (disk->parts[i].job != NULL)
            part_done(disk, &disk->parts[i], -EIO);
}

static void collect(struct disk *disk)
{
    struct part *part;
    uint32_t bytes;

    while ((part = virtqueue_take(&disk->queue, &bytes)) != NULL)
        part_done(disk, part, status_of(part->envelope));
    if (disk->queue.broken)
        abandon(disk);
}

static void notify(struct disk *disk)
{
    if (virtqueue_must_notify(&disk->queue) && !disk->queue.broken) {
        disk->device.notifications++;
        virtio_notify(disk->doorbell, 0);
    }
}

static void serve(void *data)
{
    struct disk *disk = data;

    for (;;) {
        virtqueue_quiet(&disk->queue);
        do {
            disk->interrupted = disk->submitted = false;
            collect(disk);
            hand_out(disk);
            notify(disk);
        } while (!virtqueue_arm(&disk->queue));
        wait_event(&disk->wake, disk->interrupted || disk->submitted);
    }
}

/* The thread hands out all that has come when it runs, with one notification. */
static void submit(struct volume *volume, struct volume_request *request)
{
    struct disk *disk = (struct disk *)volume;

    request->next = NULL;
    *disk->waiting_end = request;
    disk->waiting_end = &request->next;
    disk->submitted = true;
    waitq_wake(&disk->wake);
}

static const struct volume_operations operations = {.submit = submit};

static bool set_up_parts(struct disk *disk)
{
    uint64_t machine;
    struct envelope *envelopes = dma_page_alloc(&machine);

    if (envelopes == NULL)
        return false;
    for (unsigned int i = 0; i < VIRTQUEUE_SIZE_MAX; i++) {
        disk->parts[i] = (struct part){
            .envelope = &envelopes[i], .envelope_machine = machine + i * sizeof(*envelopes), .next = disk->free_parts};
        disk->free_parts = &disk->parts[i];
        disk->jobs[i].next = disk->free_jobs;
        disk->free_jobs = &disk->jobs[i];
    }
    return true;
}

static bool trouble(struct disk *disk, const char *text)
{
    snprintf(disk->virtio.problem, sizeof(disk->virtio.problem), "%s", text);
    return false;
}

/* What the device says of itself. */
static bool read_limits(struct disk *disk)
{
    const struct virtio_device *virtio = &disk->virtio;
    uint64_t segments = virtio->features & FEATURE_SEG_MAX ? virtio_config(virtio, CONFIG_SEG_MAX, 4) : 1;
    unsigned int room = virtqueue_buffers_max(&disk->queue) - 2;

    disk->device.sectors = disk->volume.sectors = virtio_config(virtio, CONFIG_CAPACITY, 8);
    disk->device.read_only = disk->volume.read_only = (virtio->features & FEATURE_READ_ONLY) != 0;
    disk->segments_max = segments < room ? (unsigned int)segments : room;
    if (disk->segments_max == 0)
        return trouble(disk, "it allows no data in a request");
    disk->bytes_max = virtio->features & FEATURE_SIZE_MAX ? virtio_config(virtio, CONFIG_SIZE_MAX, 4) : UINT32_MAX;
    if (disk->bytes_max < DMA_PAGE_BYTES)
        return trouble(disk, "it allows less than a page in a segment");
    if ((virtio->features & FEATURE_BLOCK_SIZE) && virtio_config(virtio, CONFIG_BLOCK_SIZE, 4) > VOLUME_SECTOR_SIZE)
        return trouble(disk, "its blocks are larger than 512 bytes; QEMU's logical_block_size=512 helps");
    if (disk->volume.sectors == 0 || disk->volume.sectors > UINT64_MAX / VOLUME_SECTOR_SIZE)
        return trouble(disk, "it says that it is empty, or larger than can be");
    return true;
}

static bool set_up(struct disk *disk, const struct pci_function *pci)
{
    struct virtio_device *virtio = &disk->virtio;

    if (!virtio_open(virtio, pci) ||
        !virtio_negotiate(virtio, FEATURE_SIZE_MAX | FEATURE_SEG_MAX | FEATURE_READ_ONLY | FEATURE_BLOCK_SIZE |
                                      FEATURE_FLUSH | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX) ||
        !virtio_queue_start(virtio, 0, &disk->queue, &disk->doorbell))
        return false;
    if (disk->queue.size < 4)
        return trouble(disk, "its queue is too short for a request");
    if (!set_up_parts(disk))
        return trouble(disk, "there is no memory for its requests");
    if (!read_limits(disk))
        return false;
    if (!pci_has_interrupt(pci) || interrupt_attach(pci->interrupt_line, on_interrupt, disk) != 0)
        return trouble(disk, "it has no interrupt that reaches us");
    return virtio_start(virtio);
}

static bool publish(struct disk *disk)
{
    if (thread_create(disk->device.name + 5, serve, disk) == NULL)
        return trouble(disk, "there is no memory for its thread");
    if (volume_register(&disk->volume) != 0)
        return trouble(disk, "its name is taken");
    return true;
}

struct machine_device *virtio_disk_start(const struct pci_function *pci, unsigned int number)
{
    struct disk *disk = calloc(1, sizeof(*disk));

    if (disk == NULL || number >= DISKS_MAX) {
        free(disk);
        return NULL;
    }
    disk->device.kind = "disk";
    disk->device.pci = *pci;
    disk->waiting_end = &disk->waiting;
    disk->volume.operations = &operations;
    snprintf(disk->device.name, sizeof(disk->device.name), "/dev/vd%c", 'a' + (int)number);
    strcpy(disk->volume.name, disk->device.name);
    if (!set_up(disk, pci) || !publish(disk)) {
        virtio_give_up(&disk->virtio);
        memcpy(disk->device.problem, disk->virtio.problem, sizeof(disk->device.problem));
    }
    return &disk->device;
}
