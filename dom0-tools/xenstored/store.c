/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The live store and its books; see store.h.
 */
#include <stdlib.h>
#include <string.h>

#include "store.h"

bool store_init(struct store *store)
{
    static const struct xs_permissions root_perms = {0, XS_PERM_NONE};
    struct perm_set *perms = perm_set_new(&root_perms, 1);

    memset(store, 0, sizeof(*store));
    store->accounts = calloc(DOMID_LIMIT, sizeof(*store->accounts));
    if (perms && store->accounts)
        store->root = node_new_root(perms, ++store->generation);
    perm_set_put(perms);
    if (!store->root) {
        free(store->accounts);
        return false;
    }
    store->accounts[0] = (struct account){1, 1};
    return true;
}

void store_destroy(struct store *store)
{
    node_put(store->root);
    free(store->accounts);
    memset(store, 0, sizeof(*store));
}

static bool ledger_add(struct ledger *ledger, unsigned int domid, int nodes, int mentions)
{
    struct ledger_line *lines;

    for (unsigned int i = 0; i < ledger->count; i++) {
        if (ledger->lines[i].domid == domid) {
            ledger->lines[i].nodes += nodes;
            ledger->lines[i].mentions += mentions;
            return true;
        }
    }
    if (ledger->count == ledger->max) {
        lines = realloc(ledger->lines, (ledger->max + 8) * sizeof(*lines));
        if (!lines)
            return false;
        ledger->lines = lines;
        ledger->max += 8;
    }
    ledger->lines[ledger->count++] = (struct ledger_line){domid, nodes, mentions};
    return true;
}

int ledger_nodes(const struct ledger *ledger, unsigned int domid)
{
    for (unsigned int i = 0; i < ledger->count; i++)
        if (ledger->lines[i].domid == domid)
            return ledger->lines[i].nodes;
    return 0;
}

void ledger_clear(struct ledger *ledger)
{
    free(ledger->lines);
    memset(ledger, 0, sizeof(*ledger));
}

static void account_add(struct store *store, unsigned int domid, int nodes, int mentions)
{
    store->accounts[domid].nodes += (unsigned int)nodes;
    store->accounts[domid].mentions += (unsigned int)mentions;
}

void store_settle(struct store *store, const struct ledger *ledger)
{
    for (unsigned int i = 0; i < ledger->count; i++)
        account_add(store, ledger->lines[i].domid, ledger->lines[i].nodes, ledger->lines[i].mentions);
}

/* Enters `times` nodes with these permissions; only a ledger can run out of memory. */
static bool enter_perms(struct store *store, struct ledger *ledger, const struct perm_set *perms, int times)
{
    for (unsigned int i = 0; i < perms->count; i++) {
        int owned = i == 0 ? times : 0;

        if (!ledger)
            account_add(store, perms->entries[i].id, owned, times);
        else if (!ledger_add(ledger, perms->entries[i].id, owned, times))
            return false;
    }
    return true;
}

struct removal {
    struct store *store;
    struct ledger *ledger;
    bool ok;
};

static enum walk enter_removal(void *arg, const char *path, struct node *node, struct node *parent)
{
    struct removal *removal = arg;

    removal->ok = enter_perms(removal->store, removal->ledger, node->perms, -1);
    return removal->ok ? WALK_ON : WALK_STOP;
}

static bool apply_remove(struct store *store, struct node **root, const char *path, struct ledger *ledger)
{
    struct removal removal = {store, ledger, true};
    char walk_path[PATH_BUFFER];
    struct node *node = node_get(node_find(*root, path));

    if (!tree_remove(root, path, ++store->generation)) {
        node_put(node);
        return false;
    }
    strcpy(walk_path, path);
    node_walk(node, NULL, walk_path, enter_removal, &removal);
    node_put(node);
    return removal.ok;
}

static bool apply_write(struct store *store, struct node **root, const struct change *change, struct ledger *ledger)
{
    const char *rest;
    int created;

    node_find_nearest(*root, change->path, &rest);
    created = (int)path_components(rest);
    if (!tree_write(root, change->path, rest, change->value, change->kind == CHANGE_MKDIR, change->perms,
                    ++store->generation))
        return false;
    return !created || enter_perms(store, ledger, change->perms, created);
}

static bool apply_perms(struct store *store, struct node **root, const struct change *change, struct ledger *ledger)
{
    struct perm_set *old = perm_set_get(node_find(*root, change->path)->perms);
    bool ok = tree_set_perms(root, change->path, change->perms, ++store->generation);

    if (ok)
        ok = enter_perms(store, ledger, old, -1) && enter_perms(store, ledger, change->perms, 1);
    perm_set_put(old);
    return ok;
}

bool store_apply(struct store *store, struct node **root, const struct change *change, struct ledger *ledger)
{
    switch (change->kind) {
    case CHANGE_WRITE:
    case CHANGE_MKDIR:
        return apply_write(store, root, change, ledger);
    case CHANGE_REMOVE:
        return apply_remove(store, root, change->path, ledger);
    case CHANGE_PERMS:
        return apply_perms(store, root, change, ledger);
    }
    return false;
}

static enum walk count_node(void *arg, const char *path, struct node *node, struct node *parent)
{
    struct account *accounts = arg;

    accounts[node->perms->entries[0].id].nodes++;
    for (unsigned int i = 0; i < node->perms->count; i++)
        accounts[node->perms->entries[i].id].mentions++;
    return WALK_ON;
}

unsigned int store_audit(struct store *store)
{
    struct account *counted = calloc(DOMID_LIMIT, sizeof(*counted));
    char path[PATH_BUFFER] = "/";
    unsigned int wrong = 0;

    if (!counted)
        return 0;
    node_walk(store->root, NULL, path, count_node, counted);
    for (unsigned int i = 0; i < DOMID_LIMIT; i++)
        wrong += memcmp(&counted[i], &store->accounts[i], sizeof(*counted)) != 0;
    free(counted);
    return wrong;
}
