/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The balloon's mechanism: frames go back to the hypervisor and come again. A frame is unmapped before it is given
 * away; a frame that arrives below the frontier is mapped at its place, above it joins the unmapped ones.
 */
#include <errno.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include "internal.h"

#define BATCH 256UL

static unsigned long away; /* frames below pfn_limit() that are not ours */

static void reservation(struct xen_memory_reservation *r, xen_pfn_t *extents, unsigned long count)
{
    *r = (struct xen_memory_reservation){.nr_extents = count, .domid = DOMID_SELF};
    set_xen_guest_handle(r->extent_start, extents);
}

unsigned long balloon_current(void)
{
    return pfn_limit() - away;
}

long balloon_maximum(void)
{
    domid_t self = DOMID_SELF;

    return pv_error(HYPERVISOR_memory_op(XENMEM_maximum_reservation, &self));
}

static bool mapped_range(unsigned long pfn)
{
    return pfn < pages_frontier();
}

static void give_back(unsigned long pfn)
{
    if (mapped_range(pfn))
        pages_give_mapped(pfn);
    else
        pages_give_top(pfn);
}

/* Gives away up to one batch; the hypervisor may take fewer than asked. */
static unsigned long release_batch(unsigned long wanted)
{
    unsigned long pfns[BATCH];
    xen_pfn_t frames[BATCH];
    struct xen_memory_reservation r;
    unsigned long count, gone = 0;
    long rc;

    if (wanted > BATCH)
        wanted = BATCH;
    count = pages_take_top(pfns, wanted);
    if (count == 0)
        count = pages_take_mapped(pfns, wanted);
    if (count == 0)
        return 0;
    for (unsigned long i = 0; i < count; i++) {
        frames[i] = pfn_to_mfn(pfns[i]);
        if (mapped_range(pfns[i]) && HYPERVISOR_update_va_mapping(pfns[i] << PAGE_SHIFT, 0, UVMF_INVLPG) != 0)
            pv_panic("frame %lx cannot be unmapped\n", pfns[i]);
        p2m_set(pfns[i], INVALID_P2M);
    }
    reservation(&r, frames, count);
    rc = HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r);
    if (rc > 0)
        gone = (unsigned long)rc;
    for (unsigned long i = count; i-- > gone;) {
        p2m_set(pfns[i], frames[i]);
        if (mapped_range(pfns[i]) &&
            HYPERVISOR_update_va_mapping(pfns[i] << PAGE_SHIFT, pte_make(frames[i], PTE_KERNEL_RW), 0) != 0)
            pv_panic("frame %lx cannot be mapped again\n", pfns[i]);
        give_back(pfns[i]);
    }
    away += gone;
    return gone;
}

/* By batches, until one moves nothing. */
static unsigned long move(unsigned long pages, unsigned long (*batch)(unsigned long wanted))
{
    unsigned long total = 0, moved;

    for (; total < pages; total += moved) {
        moved = batch(pages - total);
        if (moved == 0)
            break;
    }
    return total;
}

unsigned long balloon_release(unsigned long pages)
{
    return move(pages, release_batch);
}

/* Places for frames to come: first right above those we have, then the holes below. */
static unsigned long find_places(xen_pfn_t *places, unsigned long count)
{
    unsigned long found = 0;

    for (unsigned long pfn = pages_top(); found < count && pfn < pfn_limit(); pfn++)
        places[found++] = pfn;
    if (found != 0)
        return found;
    for (unsigned long pfn = 1; found < count && pfn < pages_frontier() && found < away; pfn++) {
        if (pfn_to_mfn(pfn) == INVALID_P2M)
            places[found++] = pfn;
    }
    return found;
}

static void arrive(unsigned long pfn, unsigned long mfn)
{
    p2m_set(pfn, mfn);
    if (mapped_range(pfn) && HYPERVISOR_update_va_mapping(pfn << PAGE_SHIFT, pte_make(mfn, PTE_KERNEL_RW), 0) != 0)
        pv_panic("new frame %lx cannot be mapped\n", pfn);
    give_back(pfn);
}

static unsigned long claim_batch(unsigned long wanted)
{
    unsigned long places[BATCH];
    xen_pfn_t extents[BATCH];
    struct xen_memory_reservation r;
    unsigned long count;
    long rc;

    if (wanted > BATCH)
        wanted = BATCH;
    count = find_places(extents, wanted);
    if (count == 0) {
        unsigned long limit = pfn_limit();

        if (p2m_grow(limit + wanted) != 0)
            return 0;
        away += pfn_limit() - limit;
        count = find_places(extents, wanted);
    }
    for (unsigned long i = 0; i < count; i++)
        places[i] = extents[i];
    reservation(&r, extents, count);
    rc = HYPERVISOR_memory_op(XENMEM_populate_physmap, &r);
    for (long i = 0; i < rc; i++)
        arrive(places[i], extents[i]);
    if (rc > 0)
        away -= (unsigned long)rc;
    return rc > 0 ? (unsigned long)rc : 0;
}

unsigned long balloon_claim(unsigned long pages)
{
    return move(pages, claim_batch);
}

unsigned long balloon_set_target(unsigned long pages)
{
    unsigned long now = balloon_current();

    if (pages < now)
        balloon_release(now - pages);
    else
        balloon_claim(pages - now);
    return balloon_current();
}
