/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * XENMEM_exchange: a domain trades frames for as many others, say contiguous ones below an address for a device. A
 * chunk is one extent of the larger of the two orders: it is exchanged whole or not at all.
 */
#include "internal.h"
#include "guest_access.h"
#include "mm/reservation.h"
#include "abi/memory.h"

#define EXCHANGE_LAYOUT "plwwhplwwhl"

struct exchange {
    struct reservation in, out;
    unsigned long done;
};
_Static_assert(sizeof(struct reservation) == 32, "the flat layout relies on it");

_Static_assert(sizeof(mfn_t) << MAX_EXTENT_ORDER <= PAGE_SIZE, "a page holds the frames of a trade");

/* One trade under way: frames taken from the guest, and blocks from the heap, until they change places. */
struct trade {
    struct domain *d;
    mfn_t *stolen, *fresh;
    unsigned long stolen_count, fresh_count;
};

static void undo(struct trade *t, const struct exchange *e)
{
    while (t->stolen_count > 0)
        if (assign_page(t->d, t->stolen[--t->stolen_count], true))
            panic("a frame cannot be given back to its owner");
    while (t->fresh_count > 0)
        heap_give(t->fresh[--t->fresh_count], e->out.order, true);
}

static int steal_chunk(struct trade *t, const struct exchange *e, unsigned long first, unsigned long extents)
{
    for (unsigned long i = 0; i < extents; i++) {
        unsigned long frame;
        if (read_guest_long(&frame, e->in.list, first + i))
            return -EFAULT;
        for (unsigned long j = 0; j < 1UL << e->in.order; j++) {
            if (steal_page(t->d, mfn_of(frame + j), true))
                return -EINVAL;
            t->stolen[t->stolen_count++] = mfn_of(frame + j);
        }
    }
    return 0;
}

static int take_fresh(struct trade *t, const struct exchange *e, unsigned long extents)
{
    bool dirty;
    unsigned long none = 0; /* a claim is for what makes the domain larger */
    for (unsigned long i = 0; i < extents; i++) {
        mfn_t first = take_unclaimed(&none, e->out.order, address_limit(e->out.flags & 0xFF), &dirty);
        if (first.value == INVALID_FRAME)
            return -ENOMEM;
        t->fresh[t->fresh_count++] = first;
        flush_stale();
        if (dirty)
            clear_pages(mfn_to_virt(first), e->out.order);
    }
    return 0;
}

/* From here on the new frames are the guest's, and the old ones free, even if the guest's list turns out unreadable. */
static int hand_over(struct trade *t, const struct exchange *e, unsigned long index)
{
    int rc = 0;
    for (unsigned long i = 0; i < t->fresh_count; i++) {
        unsigned long pfn = INVALID_FRAME;
        if (read_guest_long(&pfn, e->out.list, index + i))
            rc = -EFAULT;
        for (unsigned long j = 0; j < 1UL << e->out.order; j++) {
            m2p_set(mfn_add(t->fresh[i], j), pfn_of(rc ? INVALID_FRAME : pfn + j));
            if (assign_page(t->d, mfn_add(t->fresh[i], j), true))
                panic("a fresh frame cannot be assigned");
        }
        if (write_guest_long(e->out.list, index + i, t->fresh[i].value))
            rc = -EFAULT;
    }
    for (unsigned long i = 0; i < t->stolen_count; i++)
        frame_leaves(t->d, t->stolen[i]);
    t->stolen_count = t->fresh_count = 0;
    return rc;
}

static int exchange_chunk(struct trade *t, const struct exchange *e, unsigned long chunk)
{
    unsigned in_order = e->in.order, out_order = e->out.order;
    unsigned long ins = in_order < out_order ? 1UL << (out_order - in_order) : 1;
    unsigned long outs = out_order < in_order ? 1UL << (in_order - out_order) : 1;
    int rc = steal_chunk(t, e, chunk * ins, ins);
    if (rc == 0)
        rc = take_fresh(t, e, outs);
    if (rc == 0)
        rc = hand_over(t, e, chunk * outs);
    undo(t, e);
    return rc;
}

static int check(const struct exchange *e)
{
    if (MAX(e->in.order, e->out.order) > MAX_EXTENT_ORDER)
        return -EPERM;
    if (e->done > e->in.nr_extents || e->in.domid != e->out.domid || e->in.nr_extents > ~0UL >> (e->in.order + 1) ||
        e->out.nr_extents > ~0UL >> (e->out.order + 1) ||
        e->in.nr_extents << e->in.order != e->out.nr_extents << e->out.order)
        return -EINVAL;
    return 0;
}

static int run(struct domain *d, struct exchange *e)
{
    unsigned order = MAX(e->in.order, e->out.order), shift = order - e->in.order;
    unsigned long first = e->done >> shift, chunks = e->in.nr_extents >> shift;
    struct trade t = {.d = d, .stolen = hv_alloc_pages(0), .fresh = hv_alloc_pages(0)};
    int rc = t.stolen && t.fresh ? 0 : -ENOMEM;
    for (unsigned long i = first; i < chunks && rc == 0; i++) {
        if (i > first && hypercall_preempt_check())
            rc = -ERESTART;
        else if ((rc = exchange_chunk(&t, e, i)) == 0)
            e->done = (i + 1) << shift;
    }
    hv_free_pages(t.stolen, 0);
    hv_free_pages(t.fresh, 0);
    return rc;
}

long exchange_memory(unsigned long arg)
{
    struct exchange e;
    int rc;
    if (read_guest_struct(&e, arg, EXCHANGE_LAYOUT))
        return -EFAULT;
    rc = check(&e);
    if (rc || e.done == e.in.nr_extents) /* nothing to do: whose it were does not matter */
        return rc;
    struct domain *d = memory_domain(e.in.domid, &rc);
    if (d == NULL)
        return rc;
    rc = run(d, &e);
    domain_put(d);
    unsigned long at = arg + guest_struct_size(EXCHANGE_LAYOUT) - (current->is_32bit ? 4 : 8);
    if (copy_to_guest(at, &e.done, current->is_32bit ? 4 : 8))
        return -EFAULT;
    return rc == -ERESTART ? hypercall_continue(__HYPERVISOR_memory_op, 2, (unsigned long)XENMEM_exchange, arg) : rc;
}
