/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What shadow.c and logdirty.c share: the shadow tables of a domain and the log of the frames it has written.
 */
#ifndef HYPERVISOR_MM_SHADOW_H
#define HYPERVISOR_MM_SHADOW_H

#include "internal.h"

#define LOG_PER_LEAF   (PAGE_SIZE * 8)
#define LOG_TOP_ORDER  2
#define LOG_LEAVES     ((PAGE_SIZE << LOG_TOP_ORDER) / sizeof(u64 *)) /* 256 GiB of guest frames */
#define SHADOW_DEFAULT 0                                              /* allocation: by the domain's size */

/* A shadow table stands for the guest's table in frame mfn, seen as one of `level`. Index 0 of the array is nobody. */
struct shadow_page {
    u64 *table;
    u32 mfn;
    u32 next;      /* in its bucket or list */
    u32 head;      /* of the bucket that has this page's index */
    u8 level;      /* 0: in no bucket */
    bool writable; /* level 1: it may have writable entries */
};

struct shadow {
    u32 capacity, allocated; /* pages 1 to allocated have a table */
    u32 free, free_count;
    u32 parked;   /* taken out of use, but a CPU may still walk them: a flush before they are free */
    u64 **leaves; /* the log: NULL while it is off, and each leaf until a frame of it is written */
    bool lost;    /* a leaf could not be had: everything counts as written */
    u32 faults, dirty;
    u32 next_leaf; /* where a preempted report goes on */
    u32 reporting; /* its operation, 0: none */
    unsigned order;
    struct shadow_page pages[];
};

/* Under d->mm.shadow_lock. */
void log_frame(struct domain *d, struct shadow *s, mfn_t mfn);
bool log_has(const struct domain *d, const struct shadow *s, mfn_t mfn);
void log_free(struct shadow *s);
int shadow_write_protect(struct domain *d, struct shadow *s) MUST_CHECK; /* every entry, and flushed; or -ERESTART */

#endif
