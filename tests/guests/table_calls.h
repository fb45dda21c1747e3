/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Short forms of the calls that change page tables, for the tests of these: one request, and the answer to it.
 */
#ifndef TESTS_GUESTS_TABLE_CALLS_H
#define TESTS_GUESTS_TABLE_CALLS_H

#include <stdint.h>
#include <pv/hypercall.h>
#include <pv/paging.h>

static inline long update(uint64_t ptr, uint64_t value, unsigned int domid)
{
    struct mmu_update request = {.ptr = ptr, .val = value};
    unsigned int done;

    return HYPERVISOR_mmu_update(&request, 1, &done, domid);
}

static inline long ext(unsigned int command, unsigned long mfn)
{
    struct mmuext_op op = {.cmd = command, .arg1.mfn = mfn};
    unsigned int done;

    return HYPERVISOR_mmuext_op(&op, 1, &done, DOMID_SELF);
}

/* Where a request finds an entry of a table of ours. */
static inline uint64_t maddr(const void *table, unsigned int index)
{
    return ((uint64_t)virt_to_mfn(table) << PAGE_SHIFT) + index * sizeof(pte_t);
}

/* A page fit to become a table: mapped read-only. */
static inline pte_t *new_table(void)
{
    pte_t *page = pages_alloc(1);

    pages_protect(page, 1, false);
    return page;
}

#endif
