/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the files that implement grants share: our record of entries in use, and how an entry is put to use.
 */
#ifndef HYPERVISOR_DOMAIN_GRANT_INTERNAL_H
#define HYPERVISOR_DOMAIN_GRANT_INTERNAL_H

#include "domain.h"

#define GRANTS_PER_FRAME_V1     (PAGE_SIZE / sizeof(struct grant_entry_v1))
#define GRANTS_PER_FRAME_V2     (PAGE_SIZE / sizeof(union grant_entry_v2))
#define GRANTS_PER_STATUS_FRAME (PAGE_SIZE / sizeof(grant_status_t))
#define GRANTS_PER_ACTIVE_PAGE  (PAGE_SIZE / sizeof(struct grant_active))
#define HANDLES_PER_PAGE        (PAGE_SIZE / sizeof(struct grant_maptrack))

#define MAX_GRANT_FRAMES        256
#define DEFAULT_GRANT_FRAMES    64
#define MAX_MAPTRACK_FRAMES     1024

enum { COPY_SUB_PAGE = 1, COPY_TRANSITIVE };

#define MAX_USES 0x7FFF

/* A mapping. flags 0: free, ref is then the next free handle. */
struct grant_maptrack {
    struct domain *granter; /* holds a reference */
    u32 ref;
    u32 flags; /* GNTMAP_*, and: */
};

#define MAPTRACK_BUSY (1U << 31) /* being made or undone: no handle yet, or no more, for anyone else */

IN_PLACE struct grant_entry_v1 *entry_v1(const struct domain_grant *g, unsigned ref)
{
    ref = (unsigned)nospec_index(ref, g->entries);
    return &((struct grant_entry_v1 *)g->shared[ref / GRANTS_PER_FRAME_V1])[ref % GRANTS_PER_FRAME_V1];
}

static inline union grant_entry_v2 *entry_v2(const struct domain_grant *g, unsigned ref)
{
    ref = (unsigned)nospec_index(ref, g->entries);
    return &((union grant_entry_v2 *)g->shared[ref / GRANTS_PER_FRAME_V2])[ref % GRANTS_PER_FRAME_V2];
}

/* Where the reading and writing bits of the entry are. */
IN_PLACE u16 *entry_status(const struct domain_grant *g, unsigned ref)
{
    return g->version == 2 ? &g->status[ref / GRANTS_PER_STATUS_FRAME][ref % GRANTS_PER_STATUS_FRAME]
                           : &entry_v1(g, ref)->flags;
}

IN_PLACE struct grant_active *grant_active_of(const struct domain_grant *g, unsigned ref)
{
    ref = (unsigned)nospec_index(ref, g->active_entries);
    return &g->active[ref / GRANTS_PER_ACTIVE_PAGE][ref % GRANTS_PER_ACTIVE_PAGE];
}

/* Lock held: entry ref, which exists, has a record of its use after this. */
int grant_record(struct domain_grant *g, unsigned ref);

static inline size_t grant_maptrack_size(const struct domain_grant *g)
{
    return g->max_maptrack_frames * sizeof(g->maptrack[0]);
}

/* What a use of an entry gives. */
struct grant_use {
    mfn_t mfn;
    u16 start, length;
    bool transitive; /* then only next_* count: another entry to use, that next_domid gave to the granter */
    domid_t next_domid;
    u32 next_ref;
};

/* The common case of grant_use, alone: a whole page by a version 1 entry that is not in use. INVALID_FRAME: nothing was
 * done, and grant_use must tell. */
mfn_t grant_use_page(struct domain *d, unsigned ref, unsigned user, bool readonly, bool for_map, unsigned uses);
/* Puts entry ref of d to use for domain `user`, `uses` times: GNTST_*. It says so to the granter by the reading and
 * writing bits. No frame reference is taken. for_map: only whole pages. */
int grant_use(struct domain *d, unsigned ref, unsigned user, bool readonly, bool for_map, unsigned uses,
              struct grant_use *out);
void grant_unuse(struct domain *d, unsigned ref, bool readonly, unsigned uses);

void grant_unshare(struct domain *d); /* no entry exists any more */

/* grant.c; lock held. */
int grant_grow(struct domain *d, unsigned frames);
int grant_set_version(struct domain *d, unsigned version);

/* One element of a batch at guest address va: 0 or -EFAULT. */
long grant_map_one(unsigned long va);
long grant_transfer_one(unsigned long va);
long grant_copy(unsigned long va, u32 count); /* the whole batch, with its continuation */
/* Up to UNMAP_BATCH elements: how many were done, at least one, or -EFAULT. */
#define UNMAP_BATCH 32
long grant_unmap_some(unsigned long va, unsigned count, bool replace);

#define TRANSFER_LAYOUT "lhwh"

/* The status for a page that the granter's reference could not be taken of. */
int grant_page_status(mfn_t mfn, const struct domain *owner);

#endif
