/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The domains that have been introduced, each with its ring and its connection, and the special cases of their lives.
 */
#ifndef XENSTORED_DOMAIN_H
#define XENSTORED_DOMAIN_H

#include <stdbool.h>
#include <sys/queue.h>

#include <abi/io/xs_wire.h>

#define DOMAIN_BUCKETS 256

/* How many requests a domain may have carried out before it is another's turn. */
#define DOMAIN_TURN 16

struct xenstored;
struct client;

struct domain {
    LIST_ENTRY(domain) by_domid;
    LIST_ENTRY(domain) by_port;
    TAILQ_ENTRY(domain) link;
    TAILQ_ENTRY(domain) runnable;
    struct xenstored *xenstored;
    struct client *client;
    struct xenstore_domain_interface *ring;
    unsigned int how_mapped;
    unsigned int domid;
    unsigned int port;
    bool is_runnable;
    bool notified;  /* during its current turn */
    bool shut_down; /* and @releaseDomain fired for that */
};

struct domain_table {
    LIST_HEAD(, domain) by_domid[DOMAIN_BUCKETS];
    LIST_HEAD(, domain) by_port[DOMAIN_BUCKETS];
    TAILQ_HEAD(domain_list, domain) all;
    TAILQ_HEAD(domain_queue, domain) runnable;
};

void domain_table_init(struct domain_table *table);
struct domain *domain_find(struct xenstored *xenstored, unsigned int domid);

/* Connects to a domain, or anew to one that is connected already. 0 or an errno value. */
int domain_introduce(struct xenstored *xenstored, unsigned int domid, unsigned long mfn, unsigned int port);

/* Disconnects. With `gone` the domain does not exist any more, and what it owned goes too. */
void domain_release(struct domain *domain, bool gone);

/* An event arrived on a local port: the domain's turn will come. */
void domain_event(struct xenstored *xenstored, unsigned int port);

/* Gives each runnable domain one turn. Returns true if some still have work. */
bool domains_run(struct xenstored *xenstored);

/* Each domain gets a turn: one may have a request that memory lacked for, and would not say so again. */
void domains_catch_up(struct xenstored *xenstored);

/* Some domain changed its state: finds out which, and tells those who watch. */
void domains_check(struct xenstored *xenstored);

#endif
