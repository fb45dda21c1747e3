/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The daemon's life, its limits, and what the end of a domain means for the store; see xenstored.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "request.h"
#include "xenstored.h"

static const struct {
    const char *name;
    const char *description;
    unsigned int initial;
} quotas[QUOTA_COUNT] = {
    [QUOTA_NODES] = {"nodes", "nodes", 1000},
    [QUOTA_NODE_SIZE] = {"node-size", "bytes in one node", 2048},
    [QUOTA_WATCHES] = {"watches", "watches", 128},
    [QUOTA_TRANSACTIONS] = {"transactions", "open transactions", 10},
    [QUOTA_PERMISSIONS] = {"node-permissions", "permissions of one node", 5},
    [QUOTA_OUTSTANDING] = {"outstanding", "replies not fetched", 20},
    [QUOTA_TRANSACTION_NODES] = {"transaction-nodes", "nodes touched in one transaction", 1024},
    [QUOTA_TRANSACTION_BYTES] = {"transaction-bytes", "bytes seen and changed in open transactions", 1024 * 1024},
    [QUOTA_EVENTS] = {"events", "events not fetched", 256},
};

const char *quota_name(enum quota quota)
{
    return quotas[quota].name;
}

const char *quota_describe(enum quota quota)
{
    return quotas[quota].description;
}

bool xenstored_init(struct xenstored *xenstored)
{
    static const struct xs_permissions nobody = {0, XS_PERM_NONE};

    memset(xenstored, 0, sizeof(*xenstored));
    TAILQ_INIT(&xenstored->clients);
    TAILQ_INIT(&xenstored->dirty);
    TAILQ_INIT(&xenstored->aging);
    domain_table_init(&xenstored->domains);
    for (unsigned int i = 0; i < WATCH_BUCKETS; i++)
        LIST_INIT(&xenstored->watches.buckets[i]);
    for (enum quota quota = 0; quota < QUOTA_COUNT; quota++)
        xenstored->quotas[quota] = quotas[quota].initial;
    xenstored->introduce_perms = perm_set_new(&nobody, 1);
    xenstored->release_perms = perm_set_new(&nobody, 1);
    if (xenstored->introduce_perms && xenstored->release_perms && store_init(&xenstored->store))
        return true;
    perm_set_put(xenstored->introduce_perms);
    perm_set_put(xenstored->release_perms);
    return false;
}

void xenstored_destroy(struct xenstored *xenstored)
{
    struct domain *domain;
    struct client *client;

    while ((domain = TAILQ_FIRST(&xenstored->domains.all)))
        domain_release(domain, false);
    while ((client = TAILQ_FIRST(&xenstored->clients)))
        client_free(client);
    perm_set_put(xenstored->introduce_perms);
    perm_set_put(xenstored->release_perms);
    store_destroy(&xenstored->store);
}

void xenstored_flush(struct xenstored *xenstored)
{
    struct client *client;

    while ((client = TAILQ_FIRST(&xenstored->dirty))) {
        TAILQ_REMOVE(&xenstored->dirty, client, dirty);
        client->is_dirty = false;
        if (client->wake)
            client->wake(client);
    }
}

static bool id_in_use(const struct client *client, uint32_t id)
{
    const struct transaction *transaction;

    LIST_FOREACH(transaction, &client->transactions, link)
    {
        if (transaction->id == id)
            return true;
    }
    return false;
}

int xenstored_begin_transaction(struct client *client, struct transaction **out)
{
    struct xenstored *xenstored = client->xenstored;
    struct transaction *transaction;

    do
        client->last_transaction_id++;
    while (!client->last_transaction_id || id_in_use(client, client->last_transaction_id));
    transaction = transaction_new(&xenstored->store, client->last_transaction_id);
    if (!transaction)
        return ENOMEM;
    transaction->client = client;
    LIST_INSERT_HEAD(&client->transactions, transaction, link);
    client->nr_transactions++;
    if (!client->privileged)
        TAILQ_INSERT_TAIL(&xenstored->aging, transaction, by_age);
    *out = transaction;
    return 0;
}

void xenstored_detach_transaction(struct xenstored *xenstored, struct transaction *transaction)
{
    LIST_REMOVE(transaction, link);
    transaction->client->nr_transactions--;
    if (!transaction->client->privileged)
        TAILQ_REMOVE(&xenstored->aging, transaction, by_age);
}

void xenstored_end_transaction(struct xenstored *xenstored, struct transaction *transaction)
{
    xenstored_detach_transaction(xenstored, transaction);
    transaction_free(transaction);
}

void xenstored_age_transactions(struct xenstored *xenstored)
{
    struct transaction *transaction;

    TAILQ_FOREACH(transaction, &xenstored->aging, by_age)
    {
        if (xenstored->store.generation - transaction->started <= TRANSACTION_MAX_AGE)
            return;
        if (transaction->root)
            transaction_doom(transaction);
    }
}

void xenstored_domain_introduced(struct xenstored *xenstored, unsigned int domid)
{
    watch_fire_special(&xenstored->watches, "@introduceDomain", domid, xenstored->introduce_perms);
}

/* Nodes that a dead domain owned or was named by, collected first and changed afterwards. */
struct legacy {
    unsigned int domid;
    unsigned int count, max;
    char **paths;
};

static enum walk collect(void *arg, const char *path, struct node *node, struct node *parent)
{
    struct legacy *legacy = arg;
    bool named = false;

    for (unsigned int i = 0; i < node->perms->count; i++)
        named |= node->perms->entries[i].id == legacy->domid;
    if (!named)
        return WALK_ON;
    if (legacy->count == legacy->max) {
        char **larger = realloc(legacy->paths, (legacy->max * 2 + 16) * sizeof(*larger));

        if (!larger)
            return WALK_STOP;
        legacy->paths = larger;
        legacy->max = legacy->max * 2 + 16;
    }
    legacy->paths[legacy->count] = strdup(path);
    if (!legacy->paths[legacy->count])
        return WALK_STOP;
    legacy->count++;
    return node->perms->entries[0].id == legacy->domid ? WALK_SKIP_CHILDREN : WALK_ON;
}

/* If the domain was the owner, that is dom0 now. */
static void remove_domain(struct perm_set *perms, unsigned int domid)
{
    unsigned int kept = 1;

    if (perms->entries[0].id == domid)
        perms->entries[0] = (struct xs_permissions){0, XS_PERM_NONE};
    for (unsigned int i = 1; i < perms->count; i++)
        if (perms->entries[i].id != domid)
            perms->entries[kept++] = perms->entries[i];
    perms->count = kept;
}

static struct perm_set *without_domain(const struct perm_set *perms, unsigned int domid)
{
    struct perm_set *rest = perm_set_new(perms->entries, perms->count);

    if (rest)
        remove_domain(rest, domid);
    return rest;
}

static bool clean_node(struct xenstored *xenstored, const char *path, unsigned int domid)
{
    struct node *node = node_find(xenstored->store.root, path), *removed = NULL;
    struct change change = {.kind = CHANGE_PERMS, .path = path};
    struct perm_set *before = perm_set_get(node->perms);
    bool ok = true;

    if (before->entries[0].id == domid && path[1]) {
        change.kind = CHANGE_REMOVE;
        removed = node_get(node);
    } else {
        change.perms = without_domain(before, domid);
        ok = change.perms != NULL;
    }
    ok = ok && store_apply(&xenstored->store, &xenstored->store.root, &change, NULL);
    if (ok)
        report_change(xenstored, path, before, removed);
    perm_set_put(change.perms);
    perm_set_put(before);
    node_put(removed);
    return ok;
}

/* Cleans below one node as far as memory allows; returns whether everything found there was dealt with. */
static bool clean_below(struct xenstored *xenstored, const char *top, unsigned int domid)
{
    struct legacy legacy = {.domid = domid};
    struct node *node = node_find(xenstored->store.root, top);
    char path[PATH_BUFFER];
    bool ok = true;

    strcpy(path, top);
    if (node)
        node_walk(node, NULL, path, collect, &legacy);
    for (unsigned int i = 0; i < legacy.count; i++) {
        ok = clean_node(xenstored, legacy.paths[i], domid) && ok;
        free(legacy.paths[i]);
    }
    free(legacy.paths);
    return ok;
}

/*
 * A later domain may get the same domid and must inherit nothing. Most of what concerns a domain lies in its home, so
 * the whole tree is searched only if the books say that there is more.
 */
static void clean_up_after(struct xenstored *xenstored, unsigned int domid)
{
    const struct account *account = &xenstored->store.accounts[domid];
    char home[40];

    snprintf(home, sizeof(home), "/local/domain/%u", domid);
    if (account->mentions)
        clean_below(xenstored, home, domid);
    for (unsigned int tries = 0; account->mentions && tries < 4; tries++)
        clean_below(xenstored, "/", domid);
    xenstored_age_transactions(xenstored);
}

static void drop_targets(struct xenstored *xenstored, unsigned int domid)
{
    struct client *client;

    TAILQ_FOREACH(client, &xenstored->clients, link)
    {
        if (client->has_target && client->target == domid)
            client->has_target = false;
    }
}

void xenstored_domain_released(struct xenstored *xenstored, unsigned int domid, bool gone)
{
    watch_fire_special(&xenstored->watches, "@releaseDomain", domid, xenstored->release_perms);
    if (!gone)
        return;
    clean_up_after(xenstored, domid);
    remove_domain(xenstored->introduce_perms, domid); /* nobody else has these two, so no memory is needed */
    remove_domain(xenstored->release_perms, domid);
    drop_targets(xenstored, domid);
}
