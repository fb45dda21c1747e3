/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Grant tables, versions 1 and 2: pages a domain lets another map, copy or take.
 */
#ifndef HYPERVISOR_GRANT_H
#define HYPERVISOR_GRANT_H

#include "lib.h"
#include "abi/grant_table.h"

struct domain;
struct grant_active; /* domain/grant.c */
struct grant_maptrack;

struct domain_grant {
    spinlock_t lock;
    u32 version;
    u32 frames, max_frames, status_frames, max_maptrack_frames;
    void **shared;             /* [max_frames] pages shared with the guest */
    u64 **status;              /* v2 status pages */
    struct grant_active **active;
    struct grant_maptrack **maptrack;
    u32 maptrack_limit, maptrack_free;
    u32 maps_of_others;        /* handles in use */
};

int grant_init(struct domain *d, unsigned max_frames, unsigned max_maptrack_frames);
int grant_release_mappings(struct domain *d); /* of a dying domain: 0 or -ERESTART */
void grant_free(struct domain *d);
/* For acquire_resource and add_to_physmap: frame of the shared (or status) array, growing the table if needed. */
int grant_frame_mfn(struct domain *d, unsigned index, bool status, unsigned long *mfn);
void grant_warn_leaks(struct domain *d);
void grant_dump(struct domain *d);

#endif
