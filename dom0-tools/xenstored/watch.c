/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Watches; see watch.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "watch.h"
#include "xenstored.h"

static struct watch *find_hashed(const struct client *client, const char *path, uint32_t hash, const char *token)
{
    struct watch *watch;

    LIST_FOREACH(watch, &client->xenstored->watches.buckets[hash % WATCH_BUCKETS], by_path)
    {
        if (watch->hash == hash && watch->client == client && !strcmp(watch->path, path) &&
            !strcmp(watch->token, token))
            return watch;
    }
    return NULL;
}

struct watch *watch_find(const struct client *client, const char *path, const char *token)
{
    return find_hashed(client, path, hash_bytes(HASH_START, path, strlen(path)), token);
}

int watch_add(struct client *client, const char *path, size_t skip, const char *token, unsigned int depth,
              struct watch **out)
{
    size_t path_size = strlen(path) + 1, token_size = strlen(token) + 1;
    uint32_t hash = hash_bytes(HASH_START, path, path_size - 1);
    struct watch *watch;

    if (find_hashed(client, path, hash, token))
        return EEXIST;
    watch = malloc(sizeof(*watch) + path_size + token_size);
    if (!watch)
        return ENOMEM;
    *watch = (struct watch){.client = client, .skip = skip, .depth = depth, .hash = hash};
    memcpy(watch->path, path, path_size);
    memcpy(watch->path + path_size, token, token_size);
    watch->token = watch->path + path_size;
    LIST_INSERT_HEAD(&client->xenstored->watches.buckets[hash % WATCH_BUCKETS], watch, by_path);
    LIST_INSERT_HEAD(&client->watches, watch, link);
    client->nr_watches++;
    *out = watch;
    return 0;
}

void watch_remove(struct watch *watch)
{
    struct message *message;

    TAILQ_FOREACH(message, &watch->client->out, link)
    {
        if (message->watch == watch)
            message->watch = NULL;
    }
    if (watch->overflowed)
        watch->client->nr_overflowed--;
    LIST_REMOVE(watch, by_path);
    LIST_REMOVE(watch, link);
    watch->client->nr_watches--;
    free(watch);
}

const char *watch_client_path(const struct watch *watch, const char *path)
{
    return *path == '/' ? path + watch->skip : path;
}

/* The node as it is now, if it is there, and the nearest one above it. */
static void complete(struct audience *audience, const char *path)
{
    char parent[PATH_BUFFER];
    size_t len = path_parent_len(path);
    const char *rest;
    struct node *node = node_find_nearest(audience->tree, path, &rest);

    if (!*rest)
        audience->node = node->perms;
    memcpy(parent, path, len);
    parent[len] = '\0';
    audience->parent = node_find_nearest(audience->tree, parent, &rest)->perms;
    audience->tree = NULL;
}

static bool may_hear(const struct client *client, struct audience *audience, const char *path)
{
    if (client->privileged)
        return true;
    if (audience->tree)
        complete(audience, path);
    return (audience->node && (perm_bits(client, audience->node) & XS_PERM_READ)) ||
           (audience->before && (perm_bits(client, audience->before) & XS_PERM_READ)) ||
           (audience->parent && (perm_bits(client, audience->parent) & XS_PERM_READ));
}

/* The watches that sit on the first len bytes of the path. */
static void fire_level(struct watch_table *table, const char *path, size_t len, uint32_t hash,
                       struct audience *audience)
{
    struct watch *watch;

    LIST_FOREACH(watch, &table->buckets[hash % WATCH_BUCKETS], by_path)
    {
        if (watch->hash != hash || strncmp(watch->path, path, len) || watch->path[len] != '\0')
            continue;
        if (watch->depth != WATCH_ANY_DEPTH && path_levels_below(path, watch->path) > watch->depth)
            continue;
        if (may_hear(watch->client, audience, path))
            client_send_event(watch->client, watch, path);
    }
}

void watch_fire(struct watch_table *table, const char *path, struct audience *audience)
{
    uint32_t hash = hash_bytes(HASH_START, "/", 1);
    size_t at = 1;

    fire_level(table, path, 1, hash, audience);
    while (path[at]) {
        for (; path[at] && path[at] != '/'; at++)
            hash = hash_bytes(hash, path + at, 1);
        fire_level(table, path, at, hash, audience);
        if (path[at])
            hash = hash_bytes(hash, path + at++, 1);
    }
}

void watch_fire_exact(struct watch_table *table, const char *path, struct audience *audience)
{
    size_t len = strlen(path);

    fire_level(table, path, len, hash_bytes(HASH_START, path, len), audience);
}

void watch_fire_special(struct watch_table *table, const char *name, unsigned int domid, const struct perm_set *perms)
{
    struct audience audience = {.node = perms};
    char with_domid[64];
    size_t len = strlen(name);
    uint32_t hash = hash_bytes(HASH_START, name, len);
    struct watch *watch;

    snprintf(with_domid, sizeof(with_domid), "%s/%u", name, domid);
    watch_fire_exact(table, with_domid, &audience);
    LIST_FOREACH(watch, &table->buckets[hash % WATCH_BUCKETS], by_path)
    {
        if (watch->hash == hash && !strcmp(watch->path, name) && may_hear(watch->client, &audience, name))
            client_send_event(watch->client, watch, watch->depth == 1 ? with_domid : name);
    }
}
