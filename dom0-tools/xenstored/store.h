/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The store that everybody sees: the live tree, the number of the last change, and who owns how much.
 *
 * Changes are described by struct change and applied to a tree by store_apply, which keeps the books. The same change is
 * first applied to a transaction's private tree and, when that commits, to the live one.
 */
#ifndef XENSTORED_STORE_H
#define XENSTORED_STORE_H

#include "node.h"
#include "path.h"
#include "perms.h"

/* Ordinary domains have smaller ids than this; the larger ones have special meanings. */
#ifndef DOMID_LIMIT
#define DOMID_LIMIT 0x7FF0u
#endif

struct client;

/* How much of the live tree concerns a domain. */
struct account {
    unsigned int nodes;    /* nodes that it owns */
    unsigned int mentions; /* permission entries that name it, as owner or otherwise */
};

/* Differences to accounts that come into force only when a transaction commits. */
struct ledger {
    unsigned int count;
    unsigned int max;
    struct ledger_line {
        unsigned int domid;
        int nodes;
        int mentions;
    } * lines;
};

struct store {
    struct node *root;
    uint64_t generation;
    struct account *accounts; /* DOMID_LIMIT of them */
};

enum change_kind { CHANGE_WRITE, CHANGE_MKDIR, CHANGE_REMOVE, CHANGE_PERMS };

struct change {
    enum change_kind kind;
    const char *path;
    struct value *value;    /* CHANGE_WRITE; NULL is the empty value */
    struct perm_set *perms; /* of nodes to be created, or the new ones for CHANGE_PERMS */
};

bool store_init(struct store *store);
void store_destroy(struct store *store);

/*
 * Applies a change that has been checked: paths exist as the kind demands. With a ledger, the books go there, otherwise
 * straight to the accounts. False: out of memory; without a ledger nothing has changed, with one both it and the tree
 * are to be thrown away.
 */
bool store_apply(struct store *store, struct node **root, const struct change *change, struct ledger *ledger);

/* Carries the ledger's lines over to the accounts. */
void store_settle(struct store *store, const struct ledger *ledger);

/* What the ledger adds to the domain's number of nodes. */
int ledger_nodes(const struct ledger *ledger, unsigned int domid);
void ledger_clear(struct ledger *ledger);

/* Counts the live tree anew and compares; returns the number of accounts that are wrong. */
unsigned int store_audit(struct store *store);

#endif
