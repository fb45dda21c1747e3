/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Watches: which client wants to hear of which changes. They are found by path, so that a change costs one look-up per
 * level of its path, however many watches there are.
 */
#ifndef XENSTORED_WATCH_H
#define XENSTORED_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "client.h"

#define WATCH_BUCKETS   1024
#define WATCH_ANY_DEPTH UINT32_MAX

struct watch {
    LIST_ENTRY(watch) by_path;
    LIST_ENTRY(watch) link; /* of the client */
    struct client *client;
    uint32_t hash;
    unsigned int depth;
    size_t skip;     /* bytes of an absolute path that the client does not see, because it watches a relative one */
    bool overflowed; /* an event found no room; see client.h */
    const char *token;
    char path[]; /* absolute, or a special name; the token lies behind it */
};

struct watch_table {
    LIST_HEAD(, watch) buckets[WATCH_BUCKETS];
};

/*
 * Who may hear of an event: those who can read any of these. Unused ones are NULL. With a tree given, node and parent
 * are looked up there when somebody's rights matter: dom0, which mostly listens alone, hears everything.
 */
struct audience {
    const struct perm_set *node;
    const struct perm_set *before; /* permissions that the change replaced or removed */
    const struct perm_set *parent;
    struct node *tree;
};

struct watch *watch_find(const struct client *client, const char *path, const char *token);

/* EEXIST or ENOMEM, or 0 and the new watch. */
int watch_add(struct client *client, const char *path, size_t skip, const char *token, unsigned int depth,
              struct watch **out);
void watch_remove(struct watch *watch);

/* The path of an event as this client wants to see it. */
const char *watch_client_path(const struct watch *watch, const char *path);

/* Something happened at the path: tells the watches on it and on every level above. */
void watch_fire(struct watch_table *table, const char *path, struct audience *audience);

/* A node is about to vanish with a parent of it: tells the watches that sit exactly there. */
void watch_fire_exact(struct watch_table *table, const char *path, struct audience *audience);

/* "@introduceDomain" or "@releaseDomain" for a domain. */
void watch_fire_special(struct watch_table *table, const char *name, unsigned int domid, const struct perm_set *perms);

#endif
