/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Front end of the block protocol: one ring page, at most eleven pages a request, the buffer's own pages lent for as
 * long as the request is under way. The other end's answers are checked: one that names no request of ours, or more
 * answers than requests, ends all use of the disk.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <abi/io/blkif.h>
#include <abi/io/protocols.h>
#include <pv/blkfront.h>
#include <pv/grant.h>
#include <pv/paging.h>
#include <pv/threads.h>
#include <pv/time.h>
#include "front.h"

#define RING_REQUESTS __CONST_RING_SIZE(blkif, PAGE_SIZE)

/* A transfer is all requests of one call. */
struct transfer {
    unsigned int under_way;
    int status;
};

/* One request and what is lent for it; free when it has no transfer. */
struct slot {
    struct transfer *transfer;
    bool sent;
    struct blkif_request request;
    unsigned int segments;
    grant_ref_t grefs[BLKIF_MAX_SEGMENTS_PER_REQUEST];
};

struct blkfront {
    struct front_device device;
    struct front_ring page;
    blkif_front_ring_t ring;
    evtchn_port_t port;
    struct blkfront_info info;
    struct waitq waitq; /* an event came */
    bool broken;
    struct slot slots[RING_REQUESTS];
};

struct extent {
    uint8_t operation;
    uint64_t sector;
    const uint8_t *data;
    size_t bytes;
};

static void rung(evtchn_port_t port, void *data)
{
    (void)port;
    waitq_wake(&((struct blkfront *)data)->waitq);
}

static int status_error(int16_t status)
{
    if (status == BLKIF_RSP_OKAY)
        return 0;
    return status == BLKIF_RSP_EOPNOTSUPP ? -EOPNOTSUPP : -EIO;
}

/* A grant that the other end keeps after its answer stays lent: the page is not ours to give back, so the disk ends. */
static void take_back(struct blkfront *disk, struct slot *slot)
{
    for (unsigned int i = 0; i < slot->segments; i++)
        if (grant_end_access(slot->grefs[i]) != 0)
            disk->broken = true;
    slot->segments = 0;
}

static void take_answer(struct blkfront *disk, const struct blkif_response *answer)
{
    struct slot *slot;
    int error = status_error(answer->status);

    if (answer->id >= RING_REQUESTS || disk->slots[answer->id].transfer == NULL || !disk->slots[answer->id].sent) {
        disk->broken = true;
        return;
    }
    slot = &disk->slots[answer->id];
    take_back(disk, slot);
    if (error != 0 && slot->transfer->status == 0)
        slot->transfer->status = error;
    slot->transfer->under_way--;
    slot->transfer = NULL;
}

static void take_answers(struct blkfront *disk)
{
    int more = 1;

    while (more && !disk->broken) {
        RING_IDX end = *(volatile RING_IDX *)&disk->ring.sring->rsp_prod;

        xen_rmb();
        if (end - disk->ring.rsp_cons > disk->ring.req_prod_pvt - disk->ring.rsp_cons) {
            disk->broken = true;
            return;
        }
        while (disk->ring.rsp_cons != end && !disk->broken) {
            struct blkif_response answer;

            RING_COPY_RESPONSE(&disk->ring, disk->ring.rsp_cons, &answer);
            disk->ring.rsp_cons++;
            take_answer(disk, &answer);
        }
        RING_FINAL_CHECK_FOR_RESPONSES(&disk->ring, more);
    }
}

static struct slot *free_slot(struct blkfront *disk)
{
    for (unsigned int i = 0; i < RING_REQUESTS; i++)
        if (disk->slots[i].transfer == NULL)
            return &disk->slots[i];
    return NULL;
}

/* Waits until some answer was taken, by this thread or another; false once the disk is broken. */
static bool wait_answer(struct blkfront *disk)
{
    RING_IDX seen = disk->ring.rsp_cons;

    wait_event(&disk->waitq, disk->broken || disk->ring.rsp_cons != seen || RING_HAS_UNCONSUMED_RESPONSES(&disk->ring));
    take_answers(disk);
    waitq_wake(&disk->waitq);
    return !disk->broken;
}

/* Lends the pages of the next piece, at most one request's worth; the bytes it covers, or a negative errno. */
static long lend(struct blkfront *disk, struct slot *slot, struct blkif_request *request, const struct extent *extent)
{
    size_t done = 0;

    while (done < extent->bytes && slot->segments < BLKIF_MAX_SEGMENTS_PER_REQUEST) {
        const uint8_t *at = extent->data + done;
        size_t offset = (uintptr_t)at & (PAGE_SIZE - 1), room = PAGE_SIZE - offset;
        size_t bytes = extent->bytes - done < room ? extent->bytes - done : room;
        int gref = grant_access(disk->device.backend, virt_to_mfn(at), request->operation == BLKIF_OP_WRITE);

        if (gref < 0) {
            take_back(disk, slot);
            return gref;
        }
        request->seg[slot->segments] = (struct blkif_request_segment){
            .gref = (grant_ref_t)gref,
            .first_sect = (uint8_t)(offset / BLKFRONT_SECTOR),
            .last_sect = (uint8_t)((offset + bytes) / BLKFRONT_SECTOR - 1),
        };
        slot->grefs[slot->segments++] = (grant_ref_t)gref;
        done += bytes;
    }
    return (long)done;
}

/* While the device is away nothing is sent; go_on does it then. */
static void push(struct blkfront *disk, struct slot *slot)
{
    int notify;

    slot->sent = !disk->device.away;
    if (!slot->sent)
        return;
    *RING_GET_REQUEST(&disk->ring, disk->ring.req_prod_pvt) = slot->request;
    disk->ring.req_prod_pvt++;
    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&disk->ring, notify);
    if (notify)
        (void)event_notify(disk->port);
}

/* Puts one request on the ring, waiting for a slot. The bytes it covers (0 for a flush) or a negative errno. */
static long start_request(struct blkfront *disk, struct transfer *transfer, const struct extent *extent)
{
    struct slot *slot;
    struct blkif_request request = {.operation = extent->operation, .sector_number = extent->sector};
    long covered;

    while ((slot = free_slot(disk)) == NULL)
        if (!wait_answer(disk))
            return -EPROTO;
    covered = lend(disk, slot, &request, extent);
    if (covered < 0)
        return covered;
    slot->transfer = transfer;
    transfer->under_way++;
    request.nr_segments = (uint8_t)slot->segments;
    request.id = (uint64_t)(slot - disk->slots);
    slot->request = request;
    push(disk, slot);
    return covered;
}

/* A broken disk's transfers end at once; what they lent stays lent. */
static int run(struct blkfront *disk, struct extent extent)
{
    struct transfer transfer = {0};
    long covered;

    if (disk->broken)
        return -EPROTO;
    do {
        covered = start_request(disk, &transfer, &extent);
        if (covered < 0)
            transfer.status = (int)covered;
        else {
            extent.sector += (uint64_t)covered / BLKFRONT_SECTOR;
            extent.data += covered;
            extent.bytes -= (size_t)covered;
        }
    } while (transfer.status == 0 && extent.bytes > 0);
    while (transfer.under_way > 0)
        if (!wait_answer(disk))
            break;
    if (!disk->broken)
        return transfer.status;
    for (unsigned int i = 0; i < RING_REQUESTS; i++)
        if (disk->slots[i].transfer == &transfer)
            disk->slots[i].transfer = NULL;
    return -EPROTO;
}

static int check_range(const struct blkfront *disk, uint64_t sector, const void *data, size_t bytes)
{
    uint64_t count = bytes / BLKFRONT_SECTOR;

    if (((uintptr_t)data | bytes) % BLKFRONT_SECTOR != 0)
        return -EINVAL;
    if (sector > disk->info.sectors || count > disk->info.sectors - sector)
        return -ERANGE;
    return 0;
}

int blkfront_read(struct blkfront *disk, uint64_t sector, void *data, size_t bytes)
{
    int rc = check_range(disk, sector, data, bytes);

    return rc != 0 || bytes == 0 ? rc : run(disk, (struct extent){BLKIF_OP_READ, sector, data, bytes});
}

int blkfront_write(struct blkfront *disk, uint64_t sector, const void *data, size_t bytes)
{
    int rc = check_range(disk, sector, data, bytes);

    if (rc == 0 && disk->info.read_only)
        rc = -EROFS;
    return rc != 0 || bytes == 0 ? rc : run(disk, (struct extent){BLKIF_OP_WRITE, sector, data, bytes});
}

int blkfront_flush(struct blkfront *disk)
{
    if (!disk->info.can_flush)
        return -EOPNOTSUPP;
    return run(disk, (struct extent){.operation = BLKIF_OP_FLUSH_DISKCACHE});
}

struct blkfront_info blkfront_info(const struct blkfront *disk)
{
    return disk->info;
}

static int publish(struct blkfront *disk)
{
    struct front_device *device = &disk->device;
    int rc = xenbus_printf(device->xs, device->front, "ring-ref", "%u", disk->page.gref);

    if (rc == 0)
        rc = xenbus_printf(device->xs, device->front, "event-channel", "%u", disk->port);
    if (rc == 0)
        rc = xenbus_printf(device->xs, device->front, "protocol", "%s", XEN_IO_PROTO_ABI_NATIVE);
    return rc;
}

static int read_properties(struct blkfront *disk)
{
    const struct front_device *device = &disk->device;
    long sectors, size = BLKFRONT_SECTOR, info = 0, flush = 0;

    if (xenbus_read_long(device->xs, device->back, "sectors", &sectors) != 0 || sectors < 0 ||
        (xenbus_read_long(device->xs, device->back, "sector-size", &size) == 0 && size != BLKFRONT_SECTOR))
        return -EPROTO;
    (void)xenbus_read_long(device->xs, device->back, "info", &info);
    (void)xenbus_read_long(device->xs, device->back, "feature-flush-cache", &flush);
    disk->info = (struct blkfront_info){(uint64_t)sectors, (info & VDISK_READONLY) != 0, flush == 1};
    return 0;
}

/* The ring page is lent already; whatever is on it is of another connection. */
static int connect_ring(struct blkfront *disk, uint64_t deadline_ns)
{
    int rc;

    XEN_FRONT_RING_INIT(&disk->ring, (struct blkif_sring *)disk->page.page, PAGE_SIZE);
    rc = event_alloc_unbound(disk->device.backend, rung, disk);
    if (rc < 0)
        return rc;
    disk->port = (evtchn_port_t)rc;
    rc = publish(disk);
    if (rc == 0)
        rc = front_connect(&disk->device, deadline_ns);
    return rc == 0 ? read_properties(disk) : rc;
}

static int connect(struct blkfront *disk, uint64_t deadline_ns)
{
    int rc = front_wait_backend(&disk->device, deadline_ns);

    if (rc == 0)
        rc = front_lend_ring(&disk->device, &disk->page);
    return rc == 0 ? connect_ring(disk, deadline_ns) : rc;
}

/* Requests without an answer are sent again: done twice, each leaves what it leaves done once. */
static int reconnect(void *own, uint64_t deadline_ns)
{
    struct blkfront *disk = own;
    uint64_t sectors = disk->info.sectors;
    int rc = front_wait_backend(&disk->device, deadline_ns);

    for (unsigned int i = 0; i < RING_REQUESTS; i++)
        disk->slots[i].sent = false;
    disk->port = 0;
    if (rc == 0)
        rc = connect_ring(disk, deadline_ns);
    return rc == 0 && disk->info.sectors < sectors ? -ENOSPC : rc;
}

static void go_on(void *own)
{
    struct blkfront *disk = own;

    for (unsigned int i = 0; i < RING_REQUESTS; i++)
        if (disk->slots[i].transfer != NULL && !disk->slots[i].sent)
            push(disk, &disk->slots[i]);
    waitq_wake(&disk->waitq);
}

static void give_up(void *own)
{
    struct blkfront *disk = own;

    disk->broken = true;
    waitq_wake(&disk->waitq);
}

static const struct front_moves moves = {.reconnect = reconnect, .go_on = go_on, .give_up = give_up};

void blkfront_close(struct blkfront *disk)
{
    front_close(&disk->device);
    if (disk->port != 0)
        (void)event_close(disk->port);
    front_take_back_ring(&disk->page);
    free(disk);
}

struct blkfront *blkfront_open(unsigned int number, uint64_t deadline_ns)
{
    struct blkfront *disk = calloc(1, sizeof(*disk));
    int rc;

    if (disk == NULL)
        return NULL;
    rc = front_find(&disk->device, "vbd", number);
    if (rc != 0) {
        free(disk);
        errno = -rc;
        return NULL;
    }
    rc = connect(disk, deadline_ns);
    if (rc == 0) {
        front_follow_moves(&disk->device, &moves, disk);
        return disk;
    }
    blkfront_close(disk);
    errno = -rc;
    return NULL;
}
