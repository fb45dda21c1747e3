/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Grants, version 1: lending our frames to another domain, and mapping what others lend us.
 */
#ifndef PV_GRANT_H
#define PV_GRANT_H

#include <abi/grant_table.h>
#include <pv/pv.h>

/* Lends one machine frame; returns the reference or a negative errno (-ENOSPC: no reference is left). */
int grant_access(domid_t domid, unsigned long mfn, bool readonly);

/* Takes a grant back: 0, or -EBUSY while the other side still has it mapped (the reference then stays ours). */
int grant_end_access(grant_ref_t gref);

/* Fills a reference of our choice (console and xenstore use reserved ones). */
int grant_set(grant_ref_t gref, domid_t domid, unsigned long mfn, bool readonly);

/*
 * Maps `count` references at a fresh range; domids has one entry per reference. NULL and errno on failure, nothing
 * stays mapped then. handles gets the handle of each, which grant_unmap wants back.
 */
void *grant_map(const domid_t *domids, const grant_ref_t *grefs, unsigned int count, bool readonly,
                grant_handle_t *handles);
int grant_unmap(void *addr, const grant_handle_t *handles, unsigned int count);

/*
 * One page at an address of the caller's (from vspace_alloc), mapped and unmapped many at a time. Each succeeds or
 * fails alone: `error` is 0 or a negative errno. An address is free for the next mapping once its page is unmapped.
 */
struct grant_mapping {
    void *addr;
    domid_t domid;
    bool readonly;
    grant_ref_t gref;
    grant_handle_t handle; /* while mapped */
    int error;
};

void grant_map_many(struct grant_mapping *const *mappings, unsigned int count);
void grant_unmap_many(struct grant_mapping *const *mappings, unsigned int count);

/* A GNTST_* status as a negative errno. */
int grant_error(int16_t status);

/* The live table and how many entries it has; NULL before the first use failed. */
struct grant_entry_v1 *grant_table(unsigned int *entries);

#endif
