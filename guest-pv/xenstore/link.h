/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The one connection that all handles of this image share. Requests of several threads may be under way at once; each
 * reply finds its request by req_id. There is no thread for receiving: whoever waits for something receives what is
 * there for all, and sleeps only when there is nothing. Receiving never waits, so no other thread runs in between.
 *
 * Watch tokens carry the handle's number on the wire ("3:token"), so that an event finds its handle and two handles may
 * use the same token.
 */
#ifndef XENSTORE_LINK_H
#define XENSTORE_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <xenstore.h>

struct xs_event {
    STAILQ_ENTRY(xs_event) link;
    size_t path_size, token_size; /* NULs included */
    char bytes[];                 /* path, token without its number */
};

struct xs_watched {
    LIST_ENTRY(xs_watched) link;
    size_t path_size;
    char bytes[]; /* path, token without its number */
};

struct xs_begun {
    LIST_ENTRY(xs_begun) link;
    xs_transaction_t id;
};

struct xs_handle {
    LIST_ENTRY(xs_handle) link;
    uint32_t number;
    unsigned long flags;
    bool waited_for; /* some thread sleeps until an event comes */
    STAILQ_HEAD(, xs_event) events;
    LIST_HEAD(, xs_watched) watched;
    LIST_HEAD(, xs_begun) begun;
};

/* A piece of a request's payload. */
struct xs_piece {
    const void *bytes;
    size_t len;
};

/* Connects if needed and enters the handle: 0 or an errno value. */
int xs_link_attach(struct xs_handle *handle);
void xs_link_detach(struct xs_handle *handle);

/* Sends a request and waits for the reply, a malloc'ed payload with a NUL behind it. NULL with errno set. */
char *xs_link_ask(uint32_t type, xs_transaction_t transaction, const struct xs_piece *pieces, unsigned int count,
                  size_t *len);

/* Takes the handle's next event; waits for one if `block`. NULL with errno set. */
struct xs_event *xs_link_event(struct xs_handle *handle, bool block);

#endif
