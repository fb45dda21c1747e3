/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Reading and writing a volume for a thread that waits for it.
 */
#include <errno.h>
#include <stdlib.h>

#include <pv/paging.h>
#include <pv/threads.h>

#include "volume.h"

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

/* Cuts the memory at its pages' borders; how many bytes fit one request. */
static size_t lay_out(struct transfer *transfer, char *data, size_t bytes)
{
    size_t taken = 0;
    unsigned int count = 0;

    while (taken < bytes && count < VOLUME_SEGMENTS_MAX) {
        size_t offset = (uintptr_t)(data + taken) & (PAGE_SIZE - 1), part = PAGE_SIZE - offset;

        part = (part < bytes - taken ? part : bytes - taken) & ~(size_t)(VOLUME_SECTOR_SIZE - 1);
        if (part == 0)
            break; /* a sector across two pages cannot be said */
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

/* Goes through a buffer of whole pages, for memory whose sectors cross its pages' borders. */
static int run_bounced(struct volume *volume, struct transfer *transfer, char *data)
{
    char *page = pages_alloc(1);
    int status;

    if (page == NULL)
        return -ENOMEM;
    if (transfer->request.operation == VOLUME_WRITE)
        __builtin_memcpy(page, data, VOLUME_SECTOR_SIZE);
    (void)lay_out(transfer, page, VOLUME_SECTOR_SIZE);
    status = run(volume, transfer);
    if (status == 0 && transfer->request.operation == VOLUME_READ)
        __builtin_memcpy(data, page, VOLUME_SECTOR_SIZE);
    pages_free(page, 1);
    return status;
}

int volume_transfer(struct volume *volume, enum volume_operation operation, uint64_t sector, void *data, size_t bytes)
{
    struct transfer *transfer = calloc(1, sizeof(*transfer));
    int status = transfer != NULL ? 0 : -ENOMEM;
    size_t done = 0;

    if (bytes % VOLUME_SECTOR_SIZE != 0)
        status = -EINVAL;
    if (status == 0) {
        transfer->request.operation = operation;
        transfer->request.segments = transfer->segments;
    }
    if (status == 0 && operation == VOLUME_FLUSH)
        status = run(volume, transfer);
    while (status == 0 && operation != VOLUME_FLUSH && done < bytes) {
        size_t taken = lay_out(transfer, (char *)data + done, bytes - done);

        transfer->request.sector = sector + done / VOLUME_SECTOR_SIZE;
        status = taken != 0 ? run(volume, transfer) : run_bounced(volume, transfer, (char *)data + done);
        done += taken != 0 ? taken : VOLUME_SECTOR_SIZE;
    }
    free(transfer);
    return status;
}
