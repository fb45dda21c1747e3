/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the files that implement event channels share: the state of a port, and how a port is made pending.
 */
#ifndef HYPERVISOR_DOMAIN_EVTCHN_INTERNAL_H
#define HYPERVISOR_DOMAIN_EVTCHN_INTERNAL_H

#include "domain.h"

/* From PORT_UNBOUND on a port is in use. */
enum port_state { PORT_FREE, PORT_RESERVED, PORT_UNBOUND, PORT_INTERDOMAIN, PORT_PIRQ, PORT_VIRQ, PORT_IPI };

struct evtchn {
    u8 state;              /* enum port_state */
    u8 priority;           /* FIFO: queue for the next event */
    u8 last_priority;      /* FIFO: queue it was linked to last, of vCPU last_vcpu; nothing, if not known there */
    bool pending_unlinked; /* FIFO: raised before its event word existed */
    u16 vcpu;              /* whom it notifies */
    u16 last_vcpu;
    u32 port; /* its own number */
    union {
        u32 remote_domid; /* unbound: who may bind */
        u32 remote_port;  /* interdomain */
        u32 pirq, virq;
    };
    struct domain *remote; /* interdomain: the other end's domain, alive as long as this channel */
};

#define PORTS_PER_BUCKET 32
#define PORTS_AT_FIRST   64 /* exist from the start, as on Xen: few guests need more */

static inline struct evtchn *port_channel(const struct domain *d, unsigned port)
{
    port = (unsigned)nospec_index(port, d->evtchn.table_ports);
    return &d->evtchn.buckets[port / PORTS_PER_BUCKET][port % PORTS_PER_BUCKET];
}

/* After a change of width or form. */
void evtchn_update_limit(struct domain *d);

/* What takes a struct evtchn needs the domain's lock, or that of the other end's domain. close, unmask and close_all
 * take the lock themselves. */
void evtchn_set_pending(struct domain *d, unsigned vcpu, struct evtchn *chn);
void evtchn_wake_pollers(struct domain *d, unsigned port);
long evtchn_close(struct domain *d, unsigned port);
long evtchn_unmask(struct domain *d, unsigned port);
/* The lowest free port, not yet taken: take it before the lock is given back. -EINVAL (dying), -ENOSPC, -ENOMEM. */
int evtchn_find_free(struct domain *d);
struct evtchn *evtchn_take(struct domain *d, unsigned port, enum port_state state, unsigned vcpu);
void evtchn_lock_two(struct domain *a, struct domain *b);
void evtchn_unlock_two(struct domain *a, struct domain *b);
/* 0, or -ERESTART after a bounded number of ports. */
int evtchn_close_all(struct domain *d);

/* FIFO; domain/evtchn_fifo.c. */
void fifo_set_pending(struct domain *d, unsigned vcpu, struct evtchn *chn);
void fifo_unmask(struct domain *d, struct evtchn *chn);
void fifo_clear_pending(struct domain *d, unsigned port);
bool fifo_pending(const struct domain *d, unsigned port);
bool fifo_masked(const struct domain *d, unsigned port);
bool fifo_linked(const struct domain *d, unsigned port);
void fifo_destroy(struct domain *d);
long fifo_init_control(struct domain *d, unsigned vcpu, u64 gfn, unsigned offset);
long fifo_expand_array(struct domain *d, u64 gfn);

#endif
