/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Introduced domains; see domain.h.
 */
#include <errno.h>
#include <stdlib.h>

#include "client.h"
#include "domain.h"
#include "platform.h"
#include "ring.h"
#include "xenstored.h"

void domain_table_init(struct domain_table *table)
{
    for (unsigned int i = 0; i < DOMAIN_BUCKETS; i++) {
        LIST_INIT(&table->by_domid[i]);
        LIST_INIT(&table->by_port[i]);
    }
    TAILQ_INIT(&table->all);
    TAILQ_INIT(&table->runnable);
}

struct domain *domain_find(struct xenstored *xenstored, unsigned int domid)
{
    struct domain *domain;

    LIST_FOREACH(domain, &xenstored->domains.by_domid[domid % DOMAIN_BUCKETS], by_domid)
    {
        if (domain->domid == domid)
            return domain;
    }
    return NULL;
}

static void make_runnable(struct domain *domain)
{
    if (domain->is_runnable)
        return;
    domain->is_runnable = true;
    TAILQ_INSERT_TAIL(&domain->xenstored->domains.runnable, domain, runnable);
}

static void shut_off(struct domain *domain, uint32_t error)
{
    static const char *const reasons[] = {"", "its event channel fails", "its ring indices are inconsistent",
                                          "a message is too long"};
    unsigned int times = ++domain->client->breaks;

    if (!(times & (times - 1)))
        platform_log("connection of d%u shut off: %s (%u time%s so far)", domain->domid, reasons[error], times,
                     times == 1 ? "" : "s");
    domain->client->broken = true;
    client_reset(domain->client, true);
    ring_shut(domain->ring, error);
    platform_notify(domain->port);
}

static void notify(struct domain *domain)
{
    domain->notified = true;
    platform_notify(domain->port);
}

static void push_output(struct domain *domain)
{
    bool moved = false;
    uint32_t error;

    if (domain->client->broken)
        return;
    error = ring_push(domain->ring, domain->client, &moved);
    if (error)
        shut_off(domain, error);
    else if (moved)
        notify(domain);
}

static void wake_domain(struct client *client)
{
    push_output(client->transport);
}

static void begin_anew(struct domain *domain)
{
    client_reset(domain->client, true);
    domain->client->broken = false;
    ring_reconnect(domain->ring);
    platform_notify(domain->port);
}

/*
 * One turn: room that the guest made in the ring is used first, because that may let it send again. The replies' event
 * also tells the guest that its requests were taken.
 */
static void run_domain(struct domain *domain)
{
    bool moved = false, more = false;
    uint32_t error;

    if (ring_wants_reconnect(domain->ring))
        begin_anew(domain);
    push_output(domain);
    if (domain->client->broken)
        return;
    domain->notified = false;
    error = ring_pull(domain->ring, domain->client, DOMAIN_TURN, &moved, &more);
    if (error) {
        shut_off(domain, error);
        return;
    }
    if (more)
        make_runnable(domain);
    xenstored_flush(domain->xenstored);
    if (moved && !domain->notified)
        notify(domain);
}

bool domains_run(struct xenstored *xenstored)
{
    struct domain *last = TAILQ_LAST(&xenstored->domains.runnable, domain_queue), *domain;

    while (last && (domain = TAILQ_FIRST(&xenstored->domains.runnable))) {
        TAILQ_REMOVE(&xenstored->domains.runnable, domain, runnable);
        domain->is_runnable = false;
        run_domain(domain);
        if (domain == last)
            break;
    }
    return !TAILQ_EMPTY(&xenstored->domains.runnable);
}

void domains_catch_up(struct xenstored *xenstored)
{
    struct domain *domain;

    TAILQ_FOREACH(domain, &xenstored->domains.all, link)
    {
        make_runnable(domain);
    }
}

void domain_event(struct xenstored *xenstored, unsigned int port)
{
    struct domain *domain;

    LIST_FOREACH(domain, &xenstored->domains.by_port[port % DOMAIN_BUCKETS], by_port)
    {
        if (domain->port == port)
            make_runnable(domain);
    }
}

static void set_port(struct domain *domain, unsigned int port)
{
    domain->port = port;
    LIST_INSERT_HEAD(&domain->xenstored->domains.by_port[port % DOMAIN_BUCKETS], domain, by_port);
}

/*
 * A domain that is introduced again, after a resume for example, gets a new event channel and keeps the rest; one that was
 * shut off gets another chance.
 */
static int reintroduce(struct domain *domain, unsigned int remote_port)
{
    int port = platform_bind_port(domain->domid, remote_port);

    if (port < 0)
        return -port;
    LIST_REMOVE(domain, by_port);
    platform_unbind_port(domain->port);
    set_port(domain, (unsigned int)port);
    if (domain->client->broken) {
        domain->client->broken = false;
        ring_open(domain->ring);
    }
    make_runnable(domain);
    return 0;
}

static int connect_domain(struct domain *domain, unsigned long mfn, unsigned int remote_port)
{
    int port;

    domain->ring = platform_map_ring(domain->domid, mfn, &domain->how_mapped);
    if (!domain->ring)
        return errno ? errno : ENOMEM;
    port = platform_bind_port(domain->domid, remote_port);
    if (port < 0) {
        platform_unmap_ring(domain->domid, domain->ring, domain->how_mapped);
        return -port;
    }
    set_port(domain, (unsigned int)port);
    return 0;
}

static int new_domain(struct xenstored *xenstored, unsigned int domid, unsigned long mfn, unsigned int remote_port)
{
    struct domain *domain = calloc(1, sizeof(*domain));
    struct client *client = client_new(xenstored, domid, false);
    int error = ENOMEM;

    if (domain && client) {
        *domain = (struct domain){.xenstored = xenstored, .client = client, .domid = domid};
        error = connect_domain(domain, mfn, remote_port);
    }
    if (error) {
        if (client)
            client_free(client);
        free(domain);
        return error;
    }
    client->wake = wake_domain;
    client->transport = domain;
    LIST_INSERT_HEAD(&xenstored->domains.by_domid[domid % DOMAIN_BUCKETS], domain, by_domid);
    TAILQ_INSERT_TAIL(&xenstored->domains.all, domain, link);
    ring_open(domain->ring);
    make_runnable(domain);
    return 0;
}

int domain_introduce(struct xenstored *xenstored, unsigned int domid, unsigned long mfn, unsigned int port)
{
    struct domain *domain = domain_find(xenstored, domid);
    enum domain_state state;
    int error;

    platform_domains_changed();
    state = platform_domain_state(domid);
    if (state == DOMAIN_GONE || state == DOMAIN_DYING)
        return EINVAL;
    error = domain ? reintroduce(domain, port) : new_domain(xenstored, domid, mfn, port);
    if (!error)
        xenstored_domain_introduced(xenstored, domid);
    return error;
}

void domain_release(struct domain *domain, bool gone)
{
    struct xenstored *xenstored = domain->xenstored;
    unsigned int domid = domain->domid;

    if (domain->is_runnable)
        TAILQ_REMOVE(&xenstored->domains.runnable, domain, runnable);
    TAILQ_REMOVE(&xenstored->domains.all, domain, link);
    LIST_REMOVE(domain, by_domid);
    LIST_REMOVE(domain, by_port);
    client_free(domain->client);
    platform_unbind_port(domain->port);
    platform_unmap_ring(domid, domain->ring, domain->how_mapped);
    free(domain);
    xenstored_domain_released(xenstored, domid, gone);
}

void domains_check(struct xenstored *xenstored)
{
    struct domain *domain = TAILQ_FIRST(&xenstored->domains.all), *next;

    platform_domains_changed();
    for (; domain; domain = next) {
        enum domain_state state = platform_domain_state(domain->domid);

        next = TAILQ_NEXT(domain, link);
        if (state == DOMAIN_GONE || state == DOMAIN_DYING) {
            domain_release(domain, true);
        } else if (state == DOMAIN_SHUTDOWN && !domain->shut_down) {
            domain->shut_down = true;
            xenstored_domain_released(xenstored, domain->domid, false);
        }
    }
}
