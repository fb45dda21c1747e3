/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Requests that read or change nodes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "request.h"

/* Whether a path names a special watch that has permissions of its own, and which. */
static struct perm_set **special_perms(struct request *request, const char *name)
{
    if (!strcmp(name, "@introduceDomain"))
        return &request->xenstored->introduce_perms;
    if (!strcmp(name, "@releaseDomain"))
        return &request->xenstored->release_perms;
    return NULL;
}

static bool resolve(const struct request *request, const char *name, char *path)
{
    bool relative;

    return name && path_resolve(request->client->domid, name, path, &relative);
}

static unsigned long transaction_bytes(const struct client *client)
{
    const struct transaction *transaction;
    unsigned long bytes = 0;

    LIST_FOREACH(transaction, &client->transactions, link)
    bytes += transaction->bytes;
    return bytes;
}

static int saw(struct request *request, const char *path, size_t len, unsigned int what)
{
    struct client *client = request->client;
    int error;

    if (!request->transaction)
        return 0;
    if (!client_within(client, QUOTA_TRANSACTION_BYTES, transaction_bytes(client) + len))
        return ENOSPC;
    error = transaction_saw(request->transaction, path, len, what, client_limit(client, QUOTA_TRANSACTION_NODES));
    if (error == ENOSPC)
        client_within(client, QUOTA_TRANSACTION_NODES, request->transaction->nr_sights + 1ul);
    return error;
}

/*
 * The node, if the client has all `wanted` permissions on it. Of a node that does not exist the client learns this only
 * if it might access the nearest one above; otherwise it is told EACCES.
 */
static int access_node(struct request *request, const char *path, unsigned int wanted, unsigned int what,
                       struct node **out)
{
    const char *rest;
    struct node *node = node_find_nearest(request_root(request), path, &rest);
    unsigned int bits = perm_bits(request->client, node->perms);
    int error = saw(request, path, strlen(path), what);

    if (error)
        return error;
    if (*rest)
        return bits & wanted ? ENOENT : EACCES;
    *out = node;
    return (bits & wanted) == wanted ? 0 : EACCES;
}

static int read_node(struct request *request, const char *name, unsigned int what, struct node **out)
{
    char path[PATH_BUFFER];

    if (!resolve(request, name, path))
        return EINVAL;
    return access_node(request, path, XS_PERM_READ, what, out);
}

int do_read(struct request *request)
{
    struct node *node;
    int error = read_node(request, request_one_string(request), SAW_NODE, &node);

    if (error)
        return error;
    return request_reply(request, node->value ? node->value->bytes : "", node->value ? node->value->len : 0);
}

/*
 * Copies the part of the list of children's names that begins at `offset` and fits; names are not cut. Returns the whole
 * list's length, and in `*copied` what was copied.
 */
static size_t list_children(const struct node *node, size_t offset, char *buf, size_t size, size_t *copied)
{
    size_t total = 0;

    *copied = 0;
    for (unsigned int i = 0; i < node->nr_children; i++) {
        const struct node *child = node->children[i];
        size_t len = child->name_len + 1;

        if (total >= offset && total - offset == *copied && *copied + len <= size) {
            memcpy(buf + *copied, child->name, len);
            *copied += len;
        }
        total += len;
    }
    return total;
}

int do_directory(struct request *request)
{
    struct node *node;
    char list[XENSTORE_PAYLOAD_MAX];
    size_t copied;
    int error = read_node(request, request_one_string(request), SAW_NODE | SAW_CHILDREN, &node);

    if (error)
        return error;
    if (list_children(node, 0, list, sizeof(list), &copied) > sizeof(list))
        return E2BIG;
    return request_reply(request, list, copied);
}

/* The generation, then as much of the list as fits; an empty name behind the last one says that it is complete. */
int do_directory_part(struct request *request)
{
    const char *strings[2];
    char reply[XENSTORE_PAYLOAD_MAX];
    struct node *node;
    unsigned long offset;
    size_t used, copied, total;
    int error;

    if (request_strings(request, strings, 2) != 2 || !parse_number(strings[1], UINT32_MAX, &offset))
        return EINVAL;
    error = read_node(request, strings[0], SAW_NODE | SAW_CHILDREN, &node);
    if (error)
        return error;
    used = (size_t)snprintf(reply, sizeof(reply), "%llu", (unsigned long long)node->children_generation) + 1;
    total = list_children(node, offset, reply + used, sizeof(reply) - used - 1, &copied);
    used += copied;
    if (offset + copied >= total)
        reply[used++] = '\0';
    return request_reply(request, reply, used);
}

int do_get_perms(struct request *request)
{
    const char *name = request_one_string(request);
    struct perm_set **special = name ? special_perms(request, name) : NULL, *perms;
    char reply[XENSTORE_PAYLOAD_MAX];
    struct node *node;
    size_t len;

    if (special) {
        perms = *special;
        if (!(perm_bits(request->client, perms) & XS_PERM_READ))
            return EACCES;
    } else {
        int error = read_node(request, name, SAW_NODE, &node);

        if (error)
            return error;
        perms = node->perms;
    }
    len = perm_set_print(perms, reply, sizeof(reply));
    return len > sizeof(reply) ? E2BIG : request_reply(request, reply, len);
}

static enum walk report_removed(void *arg, const char *path, struct node *node, struct node *parent)
{
    struct xenstored *xenstored = arg;
    struct audience audience = {.node = node->perms, .parent = parent ? parent->perms : NULL};

    if (parent)
        watch_fire_exact(&xenstored->watches, path, &audience);
    return WALK_ON;
}

void report_change(struct xenstored *xenstored, const char *path, const struct perm_set *before, struct node *removed)
{
    struct audience audience = {.before = before, .tree = xenstored->store.root};
    char walk_path[PATH_BUFFER];

    if (removed) {
        strcpy(walk_path, path);
        node_walk(removed, NULL, walk_path, report_removed, xenstored);
    }
    watch_fire(&xenstored->watches, path, &audience);
}

/* Outside of transactions a change goes straight to the live tree, and its watches fire behind the reply. */
static int change_live(struct request *request, const struct change *change)
{
    struct store *store = &request->xenstored->store;
    struct perm_set *before = NULL;
    struct node *node, *removed = NULL;
    bool ok;

    if (change->kind == CHANGE_REMOVE || change->kind == CHANGE_PERMS) {
        node = node_find(store->root, change->path);
        before = perm_set_get(node->perms);
        removed = change->kind == CHANGE_REMOVE ? node_get(node) : NULL;
    }
    ok = store_apply(store, &store->root, change, NULL);
    if (ok) {
        request_ok(request);
        report_change(request->xenstored, change->path, before, removed);
        xenstored_age_transactions(request->xenstored);
    }
    perm_set_put(before);
    node_put(removed);
    return ok ? 0 : ENOMEM;
}

static int change_in_transaction(struct request *request, const struct change *change)
{
    struct client *client = request->client;
    unsigned long growth = strlen(change->path) + (change->value ? change->value->len : 0);
    unsigned int limit = client_limit(client, QUOTA_TRANSACTION_NODES);
    int error;

    if (!client_within(client, QUOTA_TRANSACTION_BYTES, transaction_bytes(client) + growth))
        return ENOSPC;
    error = transaction_do(request->transaction, &request->xenstored->store, change, limit * 2);
    if (error == ENOSPC)
        client_within(client, QUOTA_TRANSACTION_NODES, limit + 1ul);
    return error ? error : request_ok(request);
}

static int apply(struct request *request, const struct change *change)
{
    return request->transaction ? change_in_transaction(request, change) : change_live(request, change);
}

/* What a new node below this one starts with: the same permissions, but guests own what they create. */
static struct perm_set *inherited_perms(const struct client *client, struct perm_set *perms)
{
    if (client->privileged || perms->entries[0].id == client->domid)
        return perm_set_get(perms);
    return perm_set_with_owner(perms, client->domid);
}

/* In a transaction, creating nodes depends on each of them not existing, and on the one above them all. */
static int saw_missing(struct request *request, const char *path, const char *rest)
{
    int error = saw(request, path, rest == path ? 1 : (size_t)(rest - path), SAW_NODE);

    while (*rest && !error) {
        rest++;
        rest += strcspn(rest, "/");
        error = saw(request, path, (size_t)(rest - path), SAW_NODE);
    }
    return error;
}

static int may_create(struct request *request, unsigned int count)
{
    struct client *client = request->client;
    unsigned long nodes = request->xenstored->store.accounts[client->domid].nodes + count;

    if (request->transaction)
        nodes += (unsigned long)ledger_nodes(&request->transaction->ledger, client->domid);
    return client_within(client, QUOTA_NODES, nodes) ? 0 : ENOSPC;
}

/* Creates the node, or gives an existing one the value unless this is a mkdir. */
static int write_node(struct request *request, const char *path, const struct change *wanted)
{
    struct change change = *wanted;
    const char *rest;
    struct node *node = node_find_nearest(request_root(request), path, &rest);
    unsigned int created = path_components(rest);
    int error = saw_missing(request, path, *rest ? rest : path + strlen(path));

    if (error)
        return error;
    if (!(perm_bits(request->client, node->perms) & XS_PERM_WRITE))
        return EACCES;
    if (!created && change.kind == CHANGE_MKDIR)
        return request_ok(request);
    if (created && (error = may_create(request, created)))
        return error;
    change.path = path;
    change.perms = inherited_perms(request->client, node->perms);
    if (!change.perms)
        return ENOMEM;
    error = apply(request, &change);
    perm_set_put(change.perms);
    return error;
}

int do_write(struct request *request)
{
    size_t name_size = strlen(request->payload) + 1, len;
    struct change change = {.kind = CHANGE_WRITE};
    char path[PATH_BUFFER];
    int error;

    if (name_size > request->len || !resolve(request, request->payload, path))
        return EINVAL;
    len = request->len - name_size;
    if (!client_within(request->client, QUOTA_NODE_SIZE, len))
        return ENOSPC;
    if (len) {
        change.value = value_new(request->payload + name_size, len);
        if (!change.value)
            return ENOMEM;
    }
    error = write_node(request, path, &change);
    value_put(change.value);
    return error;
}

int do_mkdir(struct request *request)
{
    const struct change change = {.kind = CHANGE_MKDIR};
    char path[PATH_BUFFER];

    if (!resolve(request, request_one_string(request), path))
        return EINVAL;
    return write_node(request, path, &change);
}

/* It is fine for the node not to exist, as long as its parent does. */
static int rm_missing(struct request *request, const char *path)
{
    size_t len = path_parent_len(path);
    char parent[PATH_BUFFER];
    int error = saw(request, path, len, SAW_NODE);

    memcpy(parent, path, len);
    parent[len] = '\0';
    if (!error && !node_find(request_root(request), parent))
        error = ENOENT;
    return error ? error : request_ok(request);
}

int do_rm(struct request *request)
{
    struct change change = {.kind = CHANGE_REMOVE};
    struct node *node;
    char path[PATH_BUFFER];
    int error;

    if (!resolve(request, request_one_string(request), path))
        return EINVAL;
    error = access_node(request, path, XS_PERM_WRITE, SAW_NODE | SAW_SUBTREE, &node);
    if (error == ENOENT)
        return rm_missing(request, path);
    if (error)
        return error;
    if (!strcmp(path, "/"))
        return EINVAL;
    change.path = path;
    return apply(request, &change);
}

static int set_special_perms(struct request *request, struct perm_set **special, struct perm_set *perms)
{
    if (!(perm_bits(request->client, *special) & XS_PERM_OWNER))
        return EACCES;
    perm_set_put(*special);
    *special = perm_set_get(perms);
    return request_ok(request);
}

static int set_node_perms(struct request *request, const char *name, struct perm_set *perms)
{
    struct change change = {.kind = CHANGE_PERMS, .perms = perms};
    struct node *node;
    char path[PATH_BUFFER];
    int error;

    if (!resolve(request, name, path))
        return EINVAL;
    error = access_node(request, path, XS_PERM_WRITE | XS_PERM_OWNER, SAW_NODE, &node);
    if (error)
        return error;
    if (!request->client->privileged && perms->entries[0].id != node->perms->entries[0].id)
        return EPERM;
    change.path = path;
    return apply(request, &change);
}

int do_set_perms(struct request *request)
{
    size_t name_size = strlen(request->payload) + 1;
    struct perm_set *perms, **special;
    int error;

    if (name_size >= request->len)
        return EINVAL;
    error = perm_set_parse(request->payload + name_size, request->len - name_size, &perms);
    if (error)
        return error;
    special = special_perms(request, request->payload);
    if (!client_within(request->client, QUOTA_PERMISSIONS, perms->count))
        error = ENOSPC;
    else if (special)
        error = set_special_perms(request, special, perms);
    else
        error = set_node_perms(request, request->payload, perms);
    perm_set_put(perms);
    return error;
}
