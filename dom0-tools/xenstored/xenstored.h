/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The store daemon as a whole: the store, its clients, its domains. Nothing here waits or knows threads: every function
 * runs to its end, so whoever calls sees, and leaves, a consistent store.
 */
#ifndef XENSTORED_H
#define XENSTORED_H

#include "client.h"
#include "domain.h"
#include "store.h"
#include "transaction.h"
#include "watch.h"

/* An unprivileged transaction fails once the store has changed this often since its start: bounds what it retains. */
#define TRANSACTION_MAX_AGE 8192u

struct xenstored {
    struct store store;
    struct watch_table watches;
    TAILQ_HEAD(, client) clients;
    TAILQ_HEAD(, client) dirty;
    TAILQ_HEAD(, transaction) aging; /* transactions of guests, oldest first */
    struct domain_table domains;
    struct perm_set *introduce_perms; /* of "@introduceDomain" */
    struct perm_set *release_perms;   /* of "@releaseDomain" */
    unsigned int quotas[QUOTA_COUNT];
    bool trace;
    bool behind; /* memory lacked for an event or a request: clients_catch_up and domains_catch_up, a little later */
};

/* False: out of memory. */
bool xenstored_init(struct xenstored *xenstored);
void xenstored_destroy(struct xenstored *xenstored);

/* Carries out one request. `payload` has header->len bytes, and a NUL behind them. */
void xenstored_request(struct client *client, const struct xsd_sockmsg *header, char *payload);

/* Wakes the transports of all clients that got output. To be called after each batch of work. */
void xenstored_flush(struct xenstored *xenstored);

/* 0 with a new transaction of the client, or ENOMEM. */
int xenstored_begin_transaction(struct client *client, struct transaction **out);
/* Ends one, or only takes it away from its client. */
void xenstored_end_transaction(struct xenstored *xenstored, struct transaction *transaction);
void xenstored_detach_transaction(struct xenstored *xenstored, struct transaction *transaction);

/* To be called after changes: dooms guests' transactions that are too old. */
void xenstored_age_transactions(struct xenstored *xenstored);

/* Fires the special watch and, when a domain is gone, removes what it owned. */
void xenstored_domain_introduced(struct xenstored *xenstored, unsigned int domid);
void xenstored_domain_released(struct xenstored *xenstored, unsigned int domid, bool gone);

/* A limit's name as CONTROL quota shows it, and in words. */
const char *quota_name(enum quota quota);
const char *quota_describe(enum quota quota);

#endif
