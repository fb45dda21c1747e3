/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Event channels: ports of a domain, bound to another domain's port, a virq, a vCPU or a pirq.
 */
#ifndef HYPERVISOR_EVTCHN_H
#define HYPERVISOR_EVTCHN_H

#include "lib.h"
#include "abi/event_channel.h"

struct vcpu;
struct domain;

#define VIRQ_COUNT 24

struct evtchn;       /* domain/evtchn.c */
struct evtchn_fifo;  /* domain/evtchn_fifo.c */

struct vcpu_evtchn {
    u32 virq_port[VIRQ_COUNT]; /* 0 = unbound */
    struct evtchn_fifo_vcpu *fifo;
};

struct domain_evtchn {
    spinlock_t lock;
    struct evtchn **buckets; /* pages of struct evtchn, allocated as ports are used */
    u32 valid_ports;         /* ports that have a struct evtchn */
    u32 max_port;            /* limit set by the toolstack */
    u32 first_free;
    u32 active;
    struct evtchn_fifo *fifo;
    u32 poll_mask;           /* vCPUs in SCHEDOP_poll */
};

int evtchn_init(struct domain *d, unsigned max_port);
int evtchn_destroy(struct domain *d); /* closes all; 0 or -ERESTART */
void evtchn_free(struct domain *d);   /* memory, at the very end */
void evtchn_vcpu_destroy(struct vcpu *v);
void evtchn_shared_info_changed(struct domain *d); /* after set_address_size */
long evtchn_send(struct domain *d, unsigned port);
void send_guest_vcpu_virq(struct vcpu *v, unsigned virq);
void send_guest_global_virq(struct domain *d, unsigned virq);
void send_global_virq(unsigned virq); /* to the domain that handles it: dom0 */
bool send_guest_pirq(struct domain *d, unsigned pirq);
bool evtchn_port_pending(struct domain *d, unsigned port);
bool evtchn_port_ok(struct domain *d, unsigned port);
/* Sets the upcall flag of v and kicks it. */
void vcpu_mark_events_pending(struct vcpu *v);
bool vcpu_events_deliverable(struct vcpu *v); /* pending and not masked */
long evtchn_alloc_unbound(struct domain *d, unsigned remote_domid, u32 *port);
void evtchn_dump(struct domain *d);
/* pirqs are dev/irq.c's. */
long pirq_bind(struct vcpu *v, unsigned pirq, bool share);
void pirq_unbind(struct domain *d, unsigned pirq);

#endif
