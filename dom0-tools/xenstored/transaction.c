/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Transactions; see transaction.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "transaction.h"

struct transaction *transaction_new(struct store *store, uint32_t id)
{
    struct transaction *transaction = calloc(1, sizeof(*transaction));

    if (!transaction)
        return NULL;
    transaction->id = id;
    transaction->started = store->generation;
    transaction->base = node_get(store->root);
    transaction->root = node_get(store->root);
    STAILQ_INIT(&transaction->deeds);
    return transaction;
}

static void free_deeds(struct transaction *transaction)
{
    struct deed *deed;

    while ((deed = STAILQ_FIRST(&transaction->deeds))) {
        STAILQ_REMOVE_HEAD(&transaction->deeds, link);
        value_put(deed->change.value);
        perm_set_put(deed->change.perms);
        free(deed);
    }
    transaction->nr_deeds = 0;
    transaction->bytes = 0;
}

static void free_sights(struct transaction *transaction)
{
    for (unsigned int i = 0; i < transaction->nr_buckets; i++) {
        while (transaction->buckets[i]) {
            struct sight *sight = transaction->buckets[i];

            transaction->buckets[i] = sight->next;
            free(sight);
        }
    }
    free(transaction->buckets);
    transaction->buckets = NULL;
    transaction->nr_sights = transaction->nr_buckets = 0;
}

void transaction_free(struct transaction *transaction)
{
    free_deeds(transaction);
    free_sights(transaction);
    ledger_clear(&transaction->ledger);
    node_put(transaction->base);
    node_put(transaction->root);
    free(transaction);
}

static struct sight *find_sight(const struct transaction *transaction, const char *path, size_t len, uint32_t hash)
{
    struct sight *sight;

    if (!transaction->nr_buckets)
        return NULL;
    for (sight = transaction->buckets[hash % transaction->nr_buckets]; sight; sight = sight->next)
        if (sight->hash == hash && !strncmp(sight->path, path, len) && sight->path[len] == '\0')
            return sight;
    return NULL;
}

static bool grow_buckets(struct transaction *transaction)
{
    unsigned int wanted = transaction->nr_buckets ? transaction->nr_buckets * 2 : 16;
    struct sight **larger;

    if (transaction->nr_sights < transaction->nr_buckets)
        return true;
    larger = calloc(wanted, sizeof(*larger));
    if (!larger)
        return transaction->nr_buckets != 0;
    for (unsigned int i = 0; i < transaction->nr_buckets; i++) {
        while (transaction->buckets[i]) {
            struct sight *sight = transaction->buckets[i];

            transaction->buckets[i] = sight->next;
            sight->next = larger[sight->hash % wanted];
            larger[sight->hash % wanted] = sight;
        }
    }
    free(transaction->buckets);
    transaction->buckets = larger;
    transaction->nr_buckets = wanted;
    return true;
}

int transaction_saw(struct transaction *transaction, const char *path, size_t len, unsigned int what,
                    unsigned int limit)
{
    uint32_t hash = hash_bytes(HASH_START, path, len);
    struct sight *sight = find_sight(transaction, path, len, hash);

    if (sight) {
        sight->what |= what;
        return 0;
    }
    if (!transaction->root)
        return 0;
    if (limit && transaction->nr_sights >= limit)
        return ENOSPC;
    sight = malloc(sizeof(*sight) + len + 1);
    if (!sight || !grow_buckets(transaction)) {
        free(sight);
        return ENOMEM;
    }
    *sight = (struct sight){.hash = hash, .what = what};
    memcpy(sight->path, path, len);
    sight->path[len] = '\0';
    sight->next = transaction->buckets[hash % transaction->nr_buckets];
    transaction->buckets[hash % transaction->nr_buckets] = sight;
    transaction->nr_sights++;
    transaction->bytes += sizeof(*sight) + len;
    return 0;
}

/* A newer write to the same path with no removal in between makes the older one unnecessary. */
static bool replaces(const struct transaction *transaction, const struct deed *deed, const struct change *change)
{
    return deed && deed->change.kind == change->kind && deed->after_removals == transaction->nr_removals &&
           (change->kind == CHANGE_WRITE || change->kind == CHANGE_PERMS);
}

static struct deed *new_deed(struct transaction *transaction, const struct change *change)
{
    size_t len = strlen(change->path);
    struct deed *deed = malloc(sizeof(*deed) + len + 1);

    if (!deed)
        return NULL;
    memcpy(deed->path, change->path, len + 1);
    deed->change = *change;
    deed->change.path = deed->path;
    value_get(change->value);
    if (change->perms)
        perm_set_get(change->perms);
    deed->after_removals = transaction->nr_removals;
    return deed;
}

static size_t value_len(const struct value *value)
{
    return value ? value->len : 0;
}

static void record_deed(struct transaction *transaction, struct sight *sight, struct deed *deed)
{
    STAILQ_INSERT_TAIL(&transaction->deeds, deed, link);
    transaction->nr_deeds++;
    transaction->bytes += sizeof(*deed) + strlen(deed->path) + value_len(deed->change.value);
    if (sight)
        sight->last = deed;
    if (deed->change.kind == CHANGE_REMOVE)
        transaction->nr_removals++;
}

static void update_deed(struct transaction *transaction, struct deed *deed, const struct change *change)
{
    transaction->bytes += value_len(change->value);
    transaction->bytes -= value_len(deed->change.value);
    value_get(change->value);
    value_put(deed->change.value);
    deed->change.value = change->value;
    if (change->kind == CHANGE_PERMS) {
        perm_set_get(change->perms);
        perm_set_put(deed->change.perms);
        deed->change.perms = change->perms;
    }
}

int transaction_do(struct transaction *transaction, struct store *store, const struct change *change,
                   unsigned int limit)
{
    size_t len = strlen(change->path);
    struct sight *sight = find_sight(transaction, change->path, len, hash_bytes(HASH_START, change->path, len));
    struct deed *last = sight ? sight->last : NULL, *deed = NULL;

    if (!transaction->root)
        return 0;
    if (!replaces(transaction, last, change)) {
        if (limit && transaction->nr_deeds >= limit)
            return ENOSPC;
        deed = new_deed(transaction, change);
        if (!deed)
            return ENOMEM;
    }
    if (!store_apply(store, &transaction->root, change, &transaction->ledger)) {
        if (deed) {
            value_put(deed->change.value);
            perm_set_put(deed->change.perms);
            free(deed);
        }
        transaction->doomed = true;
        return ENOMEM;
    }
    if (deed)
        record_deed(transaction, sight, deed);
    else
        update_deed(transaction, last, change);
    return 0;
}

static bool unchanged(const struct sight *sight, struct node *base, struct node *live)
{
    struct node *before = node_find(base, sight->path), *now = node_find(live, sight->path);

    if (before == now)
        return true;
    if (!before || !now)
        return false;
    if ((sight->what & SAW_NODE) && before->generation != now->generation)
        return false;
    if ((sight->what & SAW_CHILDREN) && before->children_generation != now->children_generation)
        return false;
    return !(sight->what & SAW_SUBTREE) || before->subtree_generation == now->subtree_generation;
}

bool transaction_may_commit(const struct transaction *transaction, const struct store *store)
{
    if (transaction->doomed)
        return false;
    if (transaction->base == store->root)
        return true;
    for (unsigned int i = 0; i < transaction->nr_buckets; i++)
        for (const struct sight *sight = transaction->buckets[i]; sight; sight = sight->next)
            if (!unchanged(sight, transaction->base, store->root))
                return false;
    return true;
}

int transaction_commit(struct transaction *transaction, struct store *store)
{
    struct node *root = node_get(store->root);
    struct ledger ledger = {0};
    struct deed *deed;
    bool ok = true;

    STAILQ_FOREACH(deed, &transaction->deeds, link)
    {
        ok = store_apply(store, &root, &deed->change, &ledger);
        if (!ok)
            break;
    }
    if (ok) {
        struct node *old = store->root;

        store->root = root;
        root = old;
        store_settle(store, &ledger);
    }
    node_put(root);
    ledger_clear(&ledger);
    return ok ? 0 : ENOMEM;
}

void transaction_doom(struct transaction *transaction)
{
    transaction->doomed = true;
    free_deeds(transaction);
    free_sights(transaction);
    ledger_clear(&transaction->ledger);
    node_put(transaction->base);
    node_put(transaction->root);
    transaction->base = transaction->root = NULL;
}
