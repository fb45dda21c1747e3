/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Requests under way; see io.h. The segments that an indirect request names are read once, like the request itself.
 */
#include "io.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define IOS_MAX 64u /* requests of one connection under way */

/* What a request still has to do, in this order. */
enum { STEP_FLUSH_BEFORE = 1, STEP_DATA = 2, STEP_FLUSH_AFTER = 4 };

void io_free(struct io *io)
{
    free(io->pages);
    free(io->segments);
    free(io);
}

/* The room for segments grows with what is asked for, and stays. */
static bool make_room(struct io *io, unsigned int segments)
{
    struct granted_page **pages;
    struct volume_segment *more;

    if (segments <= io->capacity)
        return true;
    pages = realloc(io->pages, segments * sizeof(struct granted_page *));
    if (pages != NULL)
        io->pages = pages;
    more = realloc(io->segments, segments * sizeof(*more));
    if (more != NULL)
        io->segments = more;
    if (pages == NULL || more == NULL)
        return false;
    io->capacity = segments;
    return true;
}

struct io *io_take(struct connection *connection)
{
    struct io *io = connection->free_ios;

    if (io != NULL) {
        connection->free_ios = io->next;
    } else if (connection->ios < IOS_MAX) {
        io = calloc(1, sizeof(*io));
        if (io == NULL)
            return NULL;
        io->connection = connection;
        connection->ios++;
    } else {
        return NULL;
    }
    io->page_count = 0;
    io->steps = 0;
    return io;
}

void io_return(struct io *io)
{
    io->next = io->connection->free_ios;
    io->connection->free_ios = io;
}

static void go_on(struct io *io);

static void step_done(struct volume_request *request, int status)
{
    struct io *io = request->owner;

    if (status != 0)
        connection_finish(io, BLKIF_RSP_ERROR);
    else
        go_on(io);
}

/* Starts the next step, or ends the request after the last. */
static void go_on(struct io *io)
{
    struct volume_request *request = &io->request;

    memset(request, 0, sizeof(*request));
    request->owner = io;
    request->done = step_done;
    request->operation = VOLUME_FLUSH;
    if (io->steps & STEP_FLUSH_BEFORE) {
        io->steps &= ~(unsigned int)STEP_FLUSH_BEFORE;
    } else if (io->steps & STEP_DATA) {
        io->steps &= ~(unsigned int)STEP_DATA;
        request->operation = io->asked.operation == BLKIF_OP_READ ? VOLUME_READ : VOLUME_WRITE;
        request->sector = io->asked.sector;
        request->segments = io->segments;
        request->segment_count = io->page_count;
    } else if (io->steps & STEP_FLUSH_AFTER) {
        io->steps &= ~(unsigned int)STEP_FLUSH_AFTER;
    } else {
        connection_finish(io, BLKIF_RSP_OKAY);
        return;
    }
    volume_submit(io->connection->setup.volume, request);
}

void io_run(struct io *io)
{
    io->steps = io->asked.segment_count > 0 ? STEP_DATA : 0;
    if (io->asked.operation == BLKIF_OP_FLUSH_DISKCACHE || io->asked.operation == BLKIF_OP_WRITE_BARRIER)
        io->steps |= STEP_FLUSH_BEFORE;
    if (io->asked.operation == BLKIF_OP_WRITE_BARRIER)
        io->steps |= STEP_FLUSH_AFTER;
    go_on(io);
}

/* The segments of an indirect request, copied out of the guest's pages. 0 or a negative errno. */
static int read_indirect(struct io *io, struct blkif_request_segment *segments)
{
    struct granted_page *pages[BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST];
    unsigned int count = block_indirect_pages(io->asked.segment_count), left = io->asked.segment_count;
    struct page_pool *pool = &io->connection->pool;
    int status = pool_take(pool, io->asked.indirect_grefs, count, true, pages);

    if (status != 0)
        return status;
    for (unsigned int i = 0; i < count; i++) {
        unsigned int here = left < 512 ? left : 512;

        memcpy(segments + 512 * i, pages[i]->mapping.addr, here * sizeof(*segments));
        left -= here;
    }
    __asm__ volatile("" ::: "memory");
    pool_release(pool, pages, count);
    return 0;
}

static void set_segment(struct volume_segment *segment, const struct granted_page *page,
                        const struct blkif_request_segment *asked)
{
    uint32_t offset = asked->first_sect * VOLUME_SECTOR_SIZE;

    segment->data = (char *)page->mapping.addr + offset;
    segment->machine = page->machine + offset;
    segment->bytes = (asked->last_sect - asked->first_sect + 1u) * VOLUME_SECTOR_SIZE;
}

int io_map(struct io *io)
{
    struct blkif_request_segment indirect[CONNECTION_INDIRECT_SEGMENTS_MAX];
    const struct blkif_request_segment *segments = io->asked.indirect ? indirect : io->asked.segments;
    grant_ref_t grefs[CONNECTION_INDIRECT_SEGMENTS_MAX];
    unsigned int count = io->asked.segment_count;
    uint32_t sectors;
    int status = io->asked.indirect ? read_indirect(io, indirect) : 0;

    if (status != 0 || count == 0)
        return status;
    if (!block_segments_check(segments, count, &sectors))
        return -EINVAL;
    if (!make_room(io, count))
        return -ENOMEM;
    for (unsigned int i = 0; i < count; i++)
        grefs[i] = segments[i].gref;
    status = pool_take(&io->connection->pool, grefs, count, io->asked.operation != BLKIF_OP_READ, io->pages);
    if (status != 0)
        return status;
    io->page_count = count;
    for (unsigned int i = 0; i < count; i++)
        set_segment(&io->segments[i], io->pages[i], &segments[i]);
    return 0;
}
