/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The watch calls of the store client, and the end of a handle. Contracts are in include/xenstore.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link.h"
#include "watch_depth.h"

/* WATCH or UNWATCH with the token as it is on the wire; `depth` is NULL or a further string. */
static bool watch_command(const struct xs_handle *h, uint32_t type, const char *path, const char *token,
                          const char *depth)
{
    char number[16];
    struct xs_piece pieces[4] = {{path, strlen(path) + 1}, {number, 0}, {token, strlen(token) + 1}};
    char *reply;

    pieces[1].len = (size_t)snprintf(number, sizeof(number), "%x:", (unsigned int)h->number);
    if (depth)
        pieces[3] = (struct xs_piece){depth, strlen(depth) + 1};
    reply = xs_link_ask(type, XBT_NULL, pieces, depth ? 4 : 3, NULL);
    free(reply);
    return reply != NULL;
}

static bool set_watch(const struct xs_handle *h, const char *path, const char *token, unsigned int depth)
{
    char number[MAX_STRLEN(depth)];

    if (depth == XS_ANY_DEPTH)
        return watch_command(h, XS_WATCH, path, token, NULL);
    snprintf(number, sizeof(number), "%u", depth);
    return watch_command(h, XS_WATCH, path, token, number);
}

/* The bytes are copied: a thread may unwatch, and free them, before the answer is there. */
void xs_watch_again(struct xs_handle *h, const struct xs_watched *watched)
{
    const char *token = watched->bytes + watched->path_size;
    char *path = strdup(watched->bytes), *copy = strdup(token);

    if (!path || !copy || (!set_watch(h, path, copy, watched->depth) && errno != EEXIST))
        fprintf(stderr, "xenstore: the watch on %s is lost: %s\n", path ? path : "?", strerror(errno));
    free(path);
    free(copy);
}

static bool add_watch(struct xs_handle *h, const char *path, const char *token, unsigned int depth)
{
    size_t path_size = strlen(path) + 1, token_size = strlen(token) + 1;
    struct xs_watched *watched = malloc(sizeof(*watched) + path_size + token_size);

    if (!watched)
        return false;
    watched->path_size = path_size;
    memcpy(watched->bytes, path, path_size);
    memcpy(watched->bytes + path_size, token, token_size);
    watched->depth = depth;
    watched->era = xs_link_era();
    if (!set_watch(h, path, token, depth)) {
        int error = errno;

        free(watched);
        errno = error;
        return false;
    }
    LIST_INSERT_HEAD(&h->watched, watched, link);
    if (watched->era != xs_link_era())
        xs_link_watch_again(); /* the answer was the old daemon's */
    return true;
}

bool xs_watch(struct xs_handle *h, const char *path, const char *token)
{
    return add_watch(h, path, token, XS_ANY_DEPTH);
}

bool xs_watch_depth(struct xs_handle *h, const char *path, const char *token, unsigned int depth)
{
    return add_watch(h, path, token, depth);
}

static void filter_events(struct xs_handle *h, const char *path, const char *token)
{
    struct xs_event *event = STAILQ_FIRST(&h->events), *next;

    for (; event; event = next) {
        next = STAILQ_NEXT(event, link);
        if (strcmp(event->bytes + event->path_size, token) || !xs_path_is_subpath(path, event->bytes))
            continue;
        STAILQ_REMOVE(&h->events, event, xs_event, link);
        free(event);
    }
}

static struct xs_watched *find_watch(struct xs_handle *h, const char *path, const char *token)
{
    struct xs_watched *watched;

    LIST_FOREACH(watched, &h->watched, link)
    {
        if (!strcmp(watched->bytes, path) && !strcmp(watched->bytes + watched->path_size, token))
            return watched;
    }
    return NULL;
}

static void forget_watch(struct xs_handle *h, const char *path, const char *token)
{
    struct xs_watched *watched = find_watch(h, path, token);

    if (watched) {
        LIST_REMOVE(watched, link);
        free(watched);
    }
}

/* True for one that a new daemon has not been told of yet: there is nothing to end. */
static bool is_lost(struct xs_handle *h, const char *path, const char *token)
{
    const struct xs_watched *watched = find_watch(h, path, token);

    return watched && watched->era != xs_link_era();
}

bool xs_unwatch(struct xs_handle *h, const char *path, const char *token)
{
    if (!is_lost(h, path, token) && !watch_command(h, XS_UNWATCH, path, token, NULL))
        return false;
    forget_watch(h, path, token);
    if (h->flags & XS_UNWATCH_FILTER)
        filter_events(h, path, token);
    return true;
}

/* One allocation, as callers free only that. */
static char **next_event(struct xs_handle *h, bool block)
{
    struct xs_event *event = xs_link_event(h, block);
    char **strings;

    if (!event)
        return NULL;
    strings = malloc(2 * sizeof(*strings) + event->path_size + event->token_size);
    if (strings) {
        strings[XS_WATCH_PATH] = (char *)(strings + 2);
        strings[XS_WATCH_TOKEN] = strings[XS_WATCH_PATH] + event->path_size;
        memcpy(strings[XS_WATCH_PATH], event->bytes, event->path_size + event->token_size);
    }
    free(event);
    return strings;
}

char **xs_check_watch(struct xs_handle *h)
{
    return next_event(h, false);
}

char **xs_read_watch(struct xs_handle *h, unsigned int *num)
{
    char **strings = next_event(h, true);

    if (strings && num)
        *num = 2;
    return strings;
}

int xs_fileno(struct xs_handle *h)
{
    errno = ENOSYS;
    return -1;
}

/* Others use the connection too, so everything that the handle began is ended one by one. */
void xs_close(struct xs_handle *xsh)
{
    struct xs_watched *watched;
    struct xs_begun *begun;

    if (!xsh)
        return;
    while ((watched = LIST_FIRST(&xsh->watched))) {
        LIST_REMOVE(watched, link);
        watch_command(xsh, XS_UNWATCH, watched->bytes, watched->bytes + watched->path_size, NULL);
        free(watched);
    }
    while ((begun = LIST_FIRST(&xsh->begun)))
        xs_transaction_end(xsh, begun->id, true);
    xs_link_detach(xsh);
    free(xsh);
}

struct xs_handle *xs_daemon_open(void)
{
    return xs_open(0);
}

struct xs_handle *xs_domain_open(void)
{
    return xs_open(0);
}

struct xs_handle *xs_daemon_open_readonly(void)
{
    return xs_open(0);
}

void xs_daemon_close(struct xs_handle *xsh)
{
    xs_close(xsh);
}

/* There is no fork here, so there is no connection to abandon to a parent. */
void xs_daemon_destroy_postfork(struct xs_handle *xsh)
{
    xs_close(xsh);
}
