/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * memory_op's parts that change how much memory a domain has, and the maps it is told of.
 */
#ifndef HYPERVISOR_MM_RESERVATION_H
#define HYPERVISOR_MM_RESERVATION_H

#include "domain.h"

#define MEMOP_SHIFT 6 /* bits of the command; above: where a continuation goes on */
#define MEMOP_MASK  0x3FUL

/* The native shape of the hypercall's structure. */
struct reservation {
    unsigned long list, nr_extents;
    u32 order, flags;
    u16 domid;
};

/* Whoever asks: to clear a larger extent in one piece takes too long. */
#define MAX_EXTENT_ORDER 9

/* Extents [from, ...): where it stopped; *preempted says why. */
unsigned long take_extents(struct domain *d, const struct reservation *r, bool place, unsigned long from,
                           bool *preempted); /* place: the list names guest frames for them */
unsigned long decrease_reservation(struct domain *d, const struct reservation *r, unsigned long from, bool *preempted);
long exchange_memory(unsigned long arg);
long claim_pages(struct domain *d, unsigned long pages);

int read_reservation(struct reservation *r, unsigned long from) MUST_CHECK;
/* memory_op.c: a command that is done in one piece. */
long memory_op_single(unsigned op, unsigned long arg);

/* memory_map.c */
long get_memory_map(unsigned long arg);
long set_memory_map(unsigned long arg);
long machine_memory_map(unsigned long arg);

/* domain_get_remote, but DOMID_SELF and the caller's own domid are allowed. */
struct domain *memory_domain(unsigned domid, int *error);

#endif
