/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The disk driver against a device that answers late, in any order, with errors, or not by the rules: every request is
 * done exactly once with the right status, its sectors go where they belong however it is cut up, and a flush never
 * overtakes a write.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <pv/threads.h>

#include "dom0-tools/block/volume.h"
#include "dom0-tools/machine/machine.h"
#include "dom0-tools/machine/virtio.h"
#include "driver_fake.h"
#include "virtio_fake.h"
#include "tests/unit/run_suite.h"

#define SECTORS 2048u

/* What the fake transport says of the device. */
static struct {
    uint64_t capacity;
    uint32_t segments_max, size_max, block_size;
    uint16_t queue_size;
} fake;

static struct virtqueue *device_queue;
static uint16_t bell;
static struct volume *volume;

bool virtio_queue_start(struct virtio_device *device, uint16_t index, struct virtqueue *queue,
                        volatile uint16_t **doorbell)
{
    *doorbell = &bell;
    device_queue = queue;
    return virtqueue_init(queue, fake.queue_size, device->features & VIRTIO_F_EVENT_IDX,
                          device->features & VIRTIO_F_INDIRECT_DESC);
}

uint64_t virtio_config(const struct virtio_device *device, unsigned int offset, unsigned int bytes)
{
    return offset == 0    ? fake.capacity
           : offset == 8  ? fake.size_max
           : offset == 12 ? fake.segments_max
                          : fake.block_size;
}

int volume_register(struct volume *made)
{
    volume = made;
    return 0;
}

static struct device_side side;
static uint8_t medium[SECTORS * VOLUME_SECTOR_SIZE];

static struct machine_device *start(uint64_t features, uint16_t queue_size, uint32_t segments_max)
{
    static const struct pci_function pci = {.interrupt_line = 11};
    static struct machine_device *started[16]; /* for good */
    static unsigned int count;
    struct machine_device *device;

    memset(&fake, 0, sizeof(fake));
    transport = (struct driver_fake){.features = features};
    fake.queue_size = queue_size;
    fake.segments_max = segments_max;
    fake.capacity = SECTORS;
    fake.size_max = 0x10000;
    fake.block_size = 512;
    device = started[count++] = virtio_disk_start(&pci, 0);
    side = (struct device_side){.queue = device_queue};
    return device;
}

/* The device carries out one chain, without telling. */
static uint32_t carry_out(const struct descriptor *chain, unsigned int count)
{
    struct {
        uint32_t type, reserved;
        uint64_t sector;
    } header;
    uint8_t *status = (uint8_t *)(uintptr_t)chain[count - 1].address, *at;
    uint32_t bytes = 1;

    memcpy(&header, (void *)(uintptr_t)chain[0].address, sizeof(header));
    ck_assert_uint_eq(chain[0].bytes, 16);
    ck_assert_uint_eq(chain[count - 1].bytes, 1);
    at = medium + header.sector * VOLUME_SECTOR_SIZE;
    for (unsigned int i = 1; i + 1 < count; i++) {
        void *data = (void *)(uintptr_t)chain[i].address;

        ck_assert(at + chain[i].bytes <= medium + sizeof(medium));
        ck_assert_uint_eq(chain[i].flags & 2, header.type == 0 ? 2 : 0);
        if (header.type == 0)
            memcpy(data, at, chain[i].bytes);
        else
            memcpy(at, data, chain[i].bytes);
        at += chain[i].bytes;
        bytes += header.type == 0 ? chain[i].bytes : 0;
    }
    *status = 0;
    return bytes;
}

/* The device does all there is, the last first, and the driver hears of it, until nothing is left. */
static void settle(void)
{
    for (;;) {
        struct descriptor chain[VIRTQUEUE_SIZE_MAX];
        uint16_t heads[VIRTQUEUE_SIZE_MAX];
        uint32_t written[VIRTQUEUE_SIZE_MAX];
        unsigned int count, got = 0;

        driver_run();
        while (fetch(&side, &heads[got], chain, &count)) {
            written[got] = carry_out(chain, count);
            got++;
        }
        if (got == 0)
            return;
        while (got-- > 0)
            complete(&side, heads[got], written[got]);
        driver_interrupt(1);
    }
}

struct tracked {
    struct volume_request request;
    struct volume_segment segments[VOLUME_SEGMENTS_MAX];
    int done, status;
};

static void on_done(struct volume_request *request, int status)
{
    struct tracked *tracked = request->owner;

    tracked->done++;
    tracked->status = status;
}

/* Segments of the given sizes in sectors, over `memory`, with a hole after each so that they cannot be merged. */
static void submit(struct tracked *t, enum volume_operation operation, uint64_t sector, uint8_t *memory,
                   const unsigned int *sizes, unsigned int count)
{
    *t = (struct tracked){.request = {.operation = operation, .sector = sector, .segment_count = count}};
    for (unsigned int i = 0; i < count; i++) {
        t->segments[i] = (struct volume_segment){memory, (uint64_t)(uintptr_t)memory, sizes[i] * VOLUME_SECTOR_SIZE};
        memory += (sizes[i] + 1) * VOLUME_SECTOR_SIZE;
    }
    t->request.segments = t->segments;
    t->request.done = on_done;
    t->request.owner = t;
    volume->operations->submit(volume, &t->request);
}

#define ALL (VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | 1u << 2 | 1u << 9)

/* Requests of many segments through devices that take few of them, and through queues that hold few chains. */
START_TEST(test_cut_up)
{
    static const struct {
        uint64_t features;
        uint16_t queue_size;
        uint32_t segments_max;
    } devices[] = {{ALL, 128, 254}, {ALL, 4, 1}, {ALL & ~VIRTIO_F_INDIRECT_DESC, 4, 100},
                   {ALL, 2 * 2, 3}, {0, 128, 0}, {1u << 2 | 1u << 9, 8, 5}};
    static uint8_t from[40 * 9 * 512], back[40 * 9 * 512];
    static struct tracked requests[40];
    static const unsigned int sizes[] = {1, 3, 8, 2, 1, 1, 4};

    for (unsigned int i = 0; i < sizeof(from); i++)
        from[i] = (uint8_t)(i * 2654435761u >> 24);
    for (unsigned int d = 0; d < sizeof(devices) / sizeof(devices[0]); d++) {
        struct machine_device *device = start(devices[d].features, devices[d].queue_size, devices[d].segments_max);

        ck_assert_msg(device->problem[0] == '\0', "%s", device->problem);
        memset(medium, 0, sizeof(medium));
        memset(back, 0, sizeof(back));
        for (unsigned int i = 0; i < 40; i++)
            submit(&requests[i], VOLUME_WRITE, i * 20, from + i * 512, sizes, 7);
        settle();
        for (unsigned int i = 0; i < 40; i++) {
            const uint8_t *at = medium + i * 20 * 512, *source = from + i * 512;

            ck_assert_int_eq(requests[i].done, 1);
            ck_assert_int_eq(requests[i].status, 0);
            for (unsigned int s = 0; s < 7; at += sizes[s] * 512, source += (sizes[s] + 1) * 512, s++)
                ck_assert_mem_eq(at, source, sizes[s] * 512);
        }
        submit(&requests[0], VOLUME_READ, 20, back, sizes, 7);
        settle();
        ck_assert_mem_eq(back, from + 512, 512);
        ck_assert_mem_eq(back + 2 * 512, from + 3 * 512, 3 * 512);
        ck_assert_uint_eq(device->out_bytes, 40 * 20 * 512);
        ck_assert_uint_eq(device->in_bytes, 20 * 512);
        ck_assert_uint_eq(device->errors, 0);
    }
}
END_TEST

/* A flush waits for the writes before it, and what comes behind it waits for the flush to leave. */
START_TEST(test_flush_waits)
{
    static struct tracked write, flush, late;
    static uint8_t data[2 * 512];
    static const unsigned int one[] = {1};
    struct descriptor chain[VIRTQUEUE_SIZE_MAX];
    unsigned int count;
    uint16_t head;
    uint32_t type;

    start(ALL, 128, 254);
    submit(&write, VOLUME_WRITE, 0, data, one, 1);
    submit(&flush, VOLUME_FLUSH, 0, NULL, NULL, 0);
    submit(&late, VOLUME_READ, 0, data, one, 1);
    driver_run();
    ck_assert(fetch(&side, &head, chain, &count));
    carry_out(chain, count);
    ck_assert(!fetch(&side, &head, chain, &count));
    complete(&side, head, 1);
    driver_run();
    ck_assert_int_eq(write.done, 1);
    ck_assert(fetch(&side, &head, chain, &count));
    memcpy(&type, (void *)(uintptr_t)chain[0].address, 4);
    ck_assert_uint_eq(type, 4);
    ck_assert_uint_eq(count, 2);
    ck_assert_int_eq(flush.done, 0);
    carry_out(chain, count);
    complete(&side, head, 1);
    settle();
    ck_assert_int_eq(flush.done, 1);
    ck_assert_int_eq(late.done, 1);
}
END_TEST

/* A device without a cache to flush: the request is done without it. */
START_TEST(test_flush_of_a_plain_device)
{
    static struct tracked flush;

    start(ALL & ~(1u << 9), 128, 254);
    submit(&flush, VOLUME_FLUSH, 0, NULL, NULL, 0);
    settle();
    ck_assert_int_eq(flush.done, 1);
    ck_assert_int_eq(flush.status, 0);
    ck_assert_uint_eq(side.seen, 0);
}
END_TEST

/* One part that fails, or that the device never touched, fails the request; the next is not affected. */
START_TEST(test_errors)
{
    static struct tracked request;
    static uint8_t data[8 * 512];
    static const unsigned int sizes[] = {1, 1, 1};
    static const struct {
        uint8_t status;
        int error;
    } answers[] = {{1, -EIO}, {2, -EOPNOTSUPP}, {0xff, -EIO}, {77, -EIO}, {0, 0}};

    start(ALL, 128, 1);
    for (unsigned int i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct descriptor chain[VIRTQUEUE_SIZE_MAX];
        unsigned int count, part = 0;
        uint16_t head;

        submit(&request, VOLUME_READ, 0, data, sizes, 3);
        driver_run();
        while (fetch(&side, &head, chain, &count)) {
            carry_out(chain, count);
            if (part++ == 1)
                *(uint8_t *)(uintptr_t)chain[count - 1].address = answers[i].status;
            complete(&side, head, 0);
        }
        ck_assert_uint_eq(part, 3);
        driver_run();
        ck_assert_int_eq(request.done, 1);
        ck_assert_int_eq(request.status, answers[i].error);
    }
}
END_TEST

/* A device that breaks the queue's rules is cut off, and everybody who waits gets an answer, now and later. */
START_TEST(test_device_goes_mad)
{
    static struct tracked requests[200];
    static uint8_t data[8 * 512];
    static const unsigned int sizes[] = {1, 1, 1};
    struct machine_device *device = start(ALL, 8, 1);

    for (unsigned int i = 0; i < 199; i++)
        submit(&requests[i],
               i == 50 ? VOLUME_FLUSH
               : i % 2 ? VOLUME_READ
                       : VOLUME_WRITE,
               0, data, sizes, i == 50 ? 0 : 3);
    driver_run();
    complete(&side, 100, 0);
    driver_run();
    ck_assert(transport.given_up);
    ck_assert_str_ne(device->problem, "");
    submit(&requests[199], VOLUME_READ, 0, data, sizes, 3);
    driver_run();
    for (unsigned int i = 0; i < 200; i++) {
        ck_assert_int_eq(requests[i].done, 1);
        ck_assert_int_eq(requests[i].status, -EIO);
    }
}
END_TEST

/* What a disk may not be like, each with its reason. */
START_TEST(test_refused)
{
    struct machine_device *device;

    device = start(ALL, 2, 254);
    ck_assert_ptr_nonnull(strstr(device->problem, "too short"));
    device = start(ALL, 128, 0);
    ck_assert_ptr_nonnull(strstr(device->problem, "no data"));
    ck_assert(transport.given_up);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("virtio_disk");
    TCase *disk = tcase_create("disk");

    tcase_add_test(disk, test_cut_up);
    tcase_add_test(disk, test_flush_waits);
    tcase_add_test(disk, test_flush_of_a_plain_device);
    tcase_add_test(disk, test_errors);
    tcase_add_test(disk, test_device_goes_mad);
    tcase_add_test(disk, test_refused);
    suite_add_tcase(suite, disk);
    return run_suite(suite);
}
