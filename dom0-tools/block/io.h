/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * One request of a block ring from its copy to its answer: its pages mapped, its steps done one after another. Between
 * connection.c, which owns ring and turns, and io.c.
 */
#ifndef BLOCK_IO_H
#define BLOCK_IO_H

#include <pv/threads.h>

#include "connection.h"

/* A request under way, with room for `capacity` segments. */
struct io {
    struct connection *connection;
    struct volume_request request;
    struct block_request asked;
    unsigned int steps;
    unsigned int page_count, capacity;
    struct granted_page **pages;
    struct volume_segment *segments;
    struct io *next;
};

struct connection {
    struct connection_setup setup;
    void *ring;
    unsigned int entries;
    evtchn_port_t port;
    uint32_t taken, answered; /* our indices: requests consumed, responses produced */
    uint32_t published;       /* responses that the guest was told of */
    struct page_pool pool;
    unsigned int under_way, ios;
    struct io *free_ios;
    struct io *parked; /* taken from the ring, waits for pages */
    bool barrier;      /* one is under way, or waits for those before it */
    bool waiting;      /* look again when a request ends */
    bool busy;         /* the serving thread is at it */
    bool stopping, abandoned;
    bool ready; /* in the list of those that have a turn */
    struct connection *next_ready, *next;
    struct waitq quiet;
};

/* A free one, or a new one while there are fewer than 64; NULL otherwise. */
struct io *io_take(struct connection *connection);
void io_return(struct io *io);
void io_free(struct io *io);

/* Maps the pages of a request. 0, -EAGAIN to try again when others have ended, or a negative errno. */
int io_map(struct io *io);

/* Carries a mapped request out; connection_finish is called when all is done, perhaps before this returns. */
void io_run(struct io *io);

/* Answers a request, releases what it had, and looks for others that waited for it. */
void connection_finish(struct io *io, int status);

#endif
