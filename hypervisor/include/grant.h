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
struct grant_maptrack; /* domain/grant_internal.h */

/* An entry in use: what it stood for when it was first used. Later changes of the guest's do not matter until its last
 * user is gone. A read-only use counts as a read, any other as a write. */
struct grant_active {
    u32 mfn;
    union {
        struct {
            u16 reads, writes;
        };
        u32 uses; /* 0: not in use */
    };
    domid_t domid;     /* who uses it */
    u16 start, length; /* part of the page */
    u16 copy_only;     /* not 0: may not be mapped */
};

/* lock guards all; what a mapping of another domain's page needs is under that domain's lock. */
struct domain_grant {
    spinlock_t lock;
    u32 version;
    u32 entries; /* in all frames, in this version */
    u32 frames, max_frames, status_frames, max_maptrack_frames;
    u32 active_entries;           /* that active has room for */
    u32 recorded;                 /* entries below this have a record of their use */
    void **shared;                /* [max_frames] pages shared with the guest */
    u16 **status;                 /* [max_status_frames] version 2: reading and writing bits */
    struct grant_active **active; /* pages, kept until no other domain has a mapping */
    struct grant_maptrack **maptrack;
    u32 maptrack_limit, maptrack_free;                     /* handles that exist; first free one, or limit */
    u32 maps_of_others;                                    /* handles in use */
    u32 released;                                          /* of a dying domain: handles looked at */
    struct grant_active tools[GNTTAB_NR_RESERVED_ENTRIES]; /* active[0] until another entry is used */
};

int grant_init(struct domain *d, unsigned max_frames, unsigned max_maptrack_frames);
/* Of a dying domain: gives back its mappings of others' pages, then the pages shared with it. 0 or -ERESTART. */
int grant_release_mappings(struct domain *d);
void grant_free(struct domain *d); /* memory, after the last reference is gone */
/* For acquire_resource and add_to_physmap: frame of the shared (or status) array, growing the table if needed. */
int grant_frame_mfn(struct domain *d, unsigned index, bool status, unsigned long *mfn);
void grant_warn_leaks(struct domain *d);
void grant_dump(struct domain *d);
/* Frames that d's device mappings of others' pages hold. */
void grant_device_frames(struct domain *d, void (*visit)(mfn_t mfn, bool writable));
void grant_frames_written(struct domain *d); /* those mapped writable by others are counted as written (mm.h) */

#endif
