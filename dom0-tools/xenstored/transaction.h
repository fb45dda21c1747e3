/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Transactions: a private version of the tree, the list of what was done to it, and the list of what the client saw.
 *
 * A transaction may commit if everything it saw is in the live tree as it was in the tree it started from: a value that
 * it read or wrote, the children of a directory that it listed, the absence of what it created. Changes elsewhere, even
 * to a sibling, do not disturb it.
 */
#ifndef XENSTORED_TRANSACTION_H
#define XENSTORED_TRANSACTION_H

#include <sys/queue.h>

#include "store.h"

/* What a client learned about a path. */
#define SAW_NODE     1u /* whether it exists, its value and its permissions */
#define SAW_CHILDREN 2u /* the names of its children */
#define SAW_SUBTREE  4u /* anything at or below it */

struct sight {
    struct sight *next;
    uint32_t hash;
    unsigned int what;
    struct deed *last; /* the newest write or permission change of this path, if any */
    char path[];
};

struct deed {
    STAILQ_ENTRY(deed) link;
    struct change change;
    unsigned int after_removals; /* how many removals came before it */
    char path[];
};

struct transaction {
    LIST_ENTRY(transaction) link;    /* of the client */
    TAILQ_ENTRY(transaction) by_age; /* of all, oldest first */
    uint32_t id;
    bool doomed; /* will fail with EAGAIN */
    struct client *client;
    uint64_t started; /* the store's generation then */
    size_t bytes;     /* memory that sights and deeds keep */
    struct node *base;
    struct node *root;
    STAILQ_HEAD(, deed) deeds;
    struct ledger ledger;
    unsigned int nr_deeds, nr_removals, nr_sights, nr_buckets;
    struct sight **buckets;
};

struct transaction *transaction_new(struct store *store, uint32_t id);
void transaction_free(struct transaction *transaction);

/* Remembers what the client is about to learn. ENOSPC past the limit (0: none), ENOMEM, or 0. */
int transaction_saw(struct transaction *transaction, const char *path, size_t len, unsigned int what,
                    unsigned int limit);

/* Applies the change to the private tree and remembers it. ENOSPC past the limit (0: none), ENOMEM, or 0. */
int transaction_do(struct transaction *transaction, struct store *store, const struct change *change,
                   unsigned int limit);

/* Whether the live tree still has everything that was seen. */
bool transaction_may_commit(const struct transaction *transaction, const struct store *store);

/* Repeats the deeds on the live tree, all or none. ENOMEM or 0. */
int transaction_commit(struct transaction *transaction, struct store *store);

/*
 * Lets go of the snapshot and of all deeds: `root` is NULL then, the client reads the live tree, what it writes is
 * dropped, and the end will be EAGAIN.
 */
void transaction_doom(struct transaction *transaction);

#endif
