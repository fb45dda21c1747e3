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
#define PIRQ_COUNT 256

struct evtchn; /* domain/evtchn_internal.h */
struct evtchn_fifo;

struct vcpu_evtchn {
    u32 virq_port[VIRQ_COUNT]; /* 0 = unbound */
    struct evtchn_fifo_vcpu *fifo;
};

/* lock guards all but what senders from other domains read: see domain/evtchn.c. */
struct domain_evtchn {
    spinlock_t lock;
    u32 valid_ports;          /* ports that have a struct evtchn; only grows */
    struct evtchn **buckets;  /* of struct evtchn, allocated as ports are used */
    struct evtchn_fifo *fifo; /* NULL: 2-level */
    u64 *pending, *mask;      /* 2-level bitmaps in the shared page; the words are 1 << word_shift bits */
    u32 word_shift;
    union {
        struct {
            u32 poll_mask;    /* vCPUs in SCHEDOP_poll */
            u32 left_bitmaps; /* 1: fifo is set, and the bitmaps are about to be read a last time */
        };
        u64 watched; /* both at once: whoever raises an event in the bitmaps looks here after it */
    };
    u64 *used;       /* bit per port: not free */
    u32 max_port;    /* highest port the toolstack allows */
    u32 limit;       /* no port from here on: by max_port, and by the form in use */
    u32 table_ports; /* ports the tables above have room for */
    u32 first_free;  /* no free port below it */
    u32 active;
    u32 *pirq_port; /* [PIRQ_COUNT], once one is bound; 0 = unbound */
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
void evtchn_frames(struct domain *d, void (*visit)(mfn_t mfn)); /* guest pages of the FIFO form: referenced, writable */
/* pirqs are dev/irq.c's. */
long pirq_bind(struct vcpu *v, unsigned pirq, bool share);
void pirq_unbind(struct domain *d, unsigned pirq);

#endif
