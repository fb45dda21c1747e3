/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Reading and writing a volume for a thread that waits for it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <pv/paging.h>
#include <pv/threads.h>

#include "volume.h"

#define BOUNCE_PAGES 64u /* in one request */
#define BOUNCE_BYTES (BOUNCE_PAGES * PAGE_SIZE)

_Static_assert(BOUNCE_PAGES <= VOLUME_SEGMENTS_MAX, "they fit one request");

struct transfer {
    struct volume_request request;
    struct volume_segment segments[VOLUME_SEGMENTS_MAX];
    struct waitq done;
    bool ended;
    int status;
};

static void end(struct volume_request *request, int status)
{
    struct transfer *transfer = request->owner;

    transfer->status = status;
    transfer->ended = true;
    waitq_wake(&transfer->done);
}

/* Cuts memory that begins at a sector's size at its pages' borders; how many bytes fit one request. */
static size_t lay_out(struct transfer *transfer, char *data, size_t bytes)
{
    size_t taken = 0;
    unsigned int count = 0;

    while (taken < bytes && count < VOLUME_SEGMENTS_MAX) {
        size_t offset = (uintptr_t)(data + taken) & (PAGE_SIZE - 1), part = PAGE_SIZE - offset;

        part = part < bytes - taken ? part : bytes - taken;
        transfer->segments[count++] = (struct volume_segment){
            .data = data + taken,
            .machine = ((uint64_t)virt_to_mfn(data + taken) << PAGE_SHIFT) + offset,
            .bytes = (uint32_t)part,
        };
        taken += part;
    }
    transfer->request.segment_count = count;
    return taken;
}

static int run(struct volume *volume, struct transfer *transfer)
{
    transfer->request.owner = transfer;
    transfer->request.done = end;
    transfer->ended = false;
    volume_submit(volume, &transfer->request);
    wait_event(&transfer->done, transfer->ended);
    return transfer->status;
}

/* Goes through whole pages, for memory whose sectors cross its pages' borders: one request each time they are full. */
static int run_bounced(struct volume *volume, struct transfer *transfer, char *data, size_t bytes)
{
    char *pages = pages_alloc(BOUNCE_PAGES);
    bool write = transfer->request.operation == VOLUME_WRITE;
    int status = pages != NULL ? 0 : -ENOMEM;

    for (size_t done = 0; status == 0 && done < bytes;) {
        size_t part = bytes - done < BOUNCE_BYTES ? bytes - done : BOUNCE_BYTES;

        if (write)
            memcpy(pages, data + done, part);
        (void)lay_out(transfer, pages, part);
        status = run(volume, transfer);
        if (status == 0 && !write)
            memcpy(data + done, pages, part);
        transfer->request.sector += part / VOLUME_SECTOR_SIZE;
        done += part;
    }
    if (pages != NULL)
        pages_free(pages, BOUNCE_PAGES);
    return status;
}

static int run_direct(struct volume *volume, struct transfer *transfer, char *data, size_t bytes)
{
    int status = 0;

    for (size_t done = 0; status == 0 && done < bytes;) {
        size_t taken = lay_out(transfer, data + done, bytes - done);

        status = run(volume, transfer);
        transfer->request.sector += taken / VOLUME_SECTOR_SIZE;
        done += taken;
    }
    return status;
}

int volume_transfer(struct volume *volume, enum volume_operation operation, uint64_t sector, void *data, size_t bytes)
{
    struct transfer *transfer;
    int status;

    if (bytes % VOLUME_SECTOR_SIZE != 0)
        return -EINVAL;
    transfer = calloc(1, sizeof(*transfer));
    if (transfer == NULL)
        return -ENOMEM;
    transfer->request.operation = operation;
    transfer->request.segments = transfer->segments;
    transfer->request.sector = sector;
    if (operation == VOLUME_FLUSH)
        status = run(volume, transfer);
    else if ((uintptr_t)data % VOLUME_SECTOR_SIZE != 0)
        status = run_bounced(volume, transfer, data, bytes);
    else
        status = run_direct(volume, transfer, data, bytes);
    free(transfer);
    return status;
}
