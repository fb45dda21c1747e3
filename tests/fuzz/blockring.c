/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A block ring of either width with any bytes in it: what the back end takes from it lies in the pages that were granted
 * and inside the volume, every request is answered once, and every page is given back.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dom0-tools/block/io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { GRANTED = 32, SECTORS = 4096 };

static struct granted_page pages[GRANTED];
static struct volume volume = {.sectors = SECTORS};
static struct connection connection;
static unsigned int answered, taken_pages;

static void demand(bool holds)
{
    if (!holds)
        abort();
}

int pool_take(struct page_pool *pool, const grant_ref_t *grefs, unsigned int count, bool readonly,
              struct granted_page **out)
{
    demand(count <= CONNECTION_INDIRECT_SEGMENTS_MAX);
    for (unsigned int i = 0; i < count; i++)
        if (grefs[i] >= GRANTED)
            return -EINVAL;
    for (unsigned int i = 0; i < count; i++)
        out[i] = &pages[grefs[i]];
    taken_pages += count;
    return 0;
}

void pool_release(struct page_pool *pool, struct granted_page **released, unsigned int count)
{
    taken_pages -= count;
}

/* A device would touch every byte. */
void volume_submit(struct volume *of, struct volume_request *request)
{
    uint64_t sectors = 0;

    for (unsigned int i = 0; i < request->segment_count; i++) {
        const struct volume_segment *segment = &request->segments[i];

        demand(segment->bytes % VOLUME_SECTOR_SIZE == 0 && segment->bytes > 0 && segment->bytes <= 4096);
        memset(segment->data, 0x5a, segment->bytes);
        sectors += segment->bytes / VOLUME_SECTOR_SIZE;
    }
    demand(request->operation == VOLUME_FLUSH || sectors > 0);
    request->done(request, request->sector > of->sectors || sectors > of->sectors - request->sector ? -EIO : 0);
}

void connection_finish(struct io *io, int status)
{
    pool_release(&connection.pool, io->pages, io->page_count);
    block_response_write(connection.setup.protocol, connection.ring, connection.entries, connection.answered++,
                         io->asked.id, io->asked.operation, (int16_t)status);
    answered++;
    io_return(io);
}

static void one(uint32_t index)
{
    struct io *io = io_take(&connection);
    int status;

    demand(io != NULL);
    block_request_read(connection.setup.protocol, connection.ring, connection.entries, index, &io->asked);
    status = block_request_check(&io->asked, CONNECTION_INDIRECT_SEGMENTS_MAX);
    if (status != BLKIF_RSP_OKAY)
        connection_finish(io, status);
    else if (io_map(io) != 0)
        connection_finish(io, BLKIF_RSP_ERROR);
    else
        io_run(io);
}

static void set_up(uint8_t choice)
{
    size_t bytes = (size_t)4096 << (choice >> 1 & 3);

    memset(&connection, 0, sizeof(connection));
    connection.setup.volume = &volume;
    connection.setup.protocol = choice & 1 ? BLOCK_X86_64 : BLOCK_X86_32;
    connection.ring = calloc(1, bytes);
    connection.entries = block_ring_entries(connection.setup.protocol, bytes);
    answered = taken_pages = 0;
    for (unsigned int i = 0; i < GRANTED; i++)
        pages[i].mapping.addr = malloc(4096);
}

static void take_down(void)
{
    demand(taken_pages == 0);
    for (struct io *io = connection.free_ios, *next; io != NULL; io = next) {
        next = io->next;
        io_free(io);
    }
    for (unsigned int i = 0; i < GRANTED; i++)
        free(pages[i].mapping.addr);
    free(connection.ring);
}

/* The first byte chooses the ring; a page of segments for indirect requests and the ring's bytes follow. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t bytes;

    if (size < 8)
        return 0;
    set_up(data[0]);
    for (unsigned int i = 0; i < GRANTED; i++)
        for (unsigned int at = 0; at < 4096; at++)
            ((uint8_t *)pages[i].mapping.addr)[at] = data[(at + i) % size];
    bytes = (size_t)4096 << (data[0] >> 1 & 3);
    memcpy(connection.ring, data + 1, size - 1 < bytes ? size - 1 : bytes);
    for (uint32_t index = 0; index < connection.entries; index++) {
        one(index);
        demand(answered == index + 1);
    }
    take_down();
    return 0;
}
