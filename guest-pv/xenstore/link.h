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

#include <limits.h>
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
    uint32_t era; /* of the daemon that has it */
    unsigned int depth;
    size_t path_size;
    char bytes[]; /* path, token without its number */
};

#define XS_ANY_DEPTH UINT_MAX

/* One begun with an earlier daemon is not known to this one: it ends with EAGAIN, which callers take for a conflict. */
struct xs_begun {
    LIST_ENTRY(xs_begun) link;
    uint32_t era;
    xs_transaction_t id;
};

struct xs_handle {
    LIST_ENTRY(xs_handle) link;
    uint32_t number;
    unsigned long flags;
    bool waited_for; /* some thread sleeps until an event comes */
    bool lost;       /* an event, for want of memory: who reads the next one is told so, by ENOMEM */
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

/*
 * Around a suspension of the domain. xs_link_quiesce waits until every request has its answer and lets none out from
 * then on: 0, or a negative errno and then all goes on as before. xs_link_release ends that; with a new daemon at the
 * other end what was half received is dropped. xs_link_watch_again sets all watches with it, each of which fires.
 */
int xs_link_quiesce(uint64_t deadline_ns);
void xs_link_release(bool new_daemon);
void xs_link_watch_again(void);

/* Counts the daemons that we had. */
uint32_t xs_link_era(void);

/* For xs_link_watch_again: what is wrong with a path that was good is not known to anybody who could be told. */
void xs_watch_again(struct xs_handle *handle, const struct xs_watched *watched);

#endif
