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

/* One trade under way: the frames taken from the guest, which go back on failure. */
struct trade {
    struct domain *d;
    mfn_t *stolen;
    unsigned long count;
};

static void undo(struct trade *t)
{
    while (t->count > 0)
        if (assign_page(t->d, t->stolen[--t->count], true))
            panic("a frame cannot be given back to its owner");
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
            t->stolen[t->count++] = mfn_of(frame + j);
        }
    }
    return 0;
}

/* New frames from the heap for one out extent: they take the place of as many stolen ones in the accounts. */
static int give_extent(struct trade *t, const struct exchange *e, unsigned long index)
{
    unsigned long pfn, pages = 1UL << e->out.order;
    bool dirty;
    if (read_guest_long(&pfn, e->out.list, index))
        return -EFAULT;
    mfn_t first = heap_take(e->out.order, address_limit(e->out.flags & 0xFF), WORD_OURS, &dirty);
    if (first.value == INVALID_FRAME)
        return -ENOMEM;
    flush_stale();
    memset(mfn_to_virt(first), 0, PAGE_SIZE << e->out.order);
    for (unsigned long i = 0; i < pages; i++) {
        if (assign_page(t->d, mfn_add(first, i), true))
            panic("a fresh frame cannot be assigned");
        m2p_set(mfn_add(first, i), pfn_of(pfn + i));
        mfn_t gone = t->stolen[--t->count];
        m2p_set(gone, pfn_of(INVALID_FRAME));
        heap_give(gone, 0, true);
    }
    return write_guest_long(e->out.list, index, first.value) ? -EFAULT : 0;
}

static int exchange_chunk(struct trade *t, const struct exchange *e, unsigned long chunk)
{
    unsigned in_order = e->in.order, out_order = e->out.order;
    unsigned long ins = in_order < out_order ? 1UL << (out_order - in_order) : 1;
    unsigned long outs = out_order < in_order ? 1UL << (in_order - out_order) : 1;
    int rc = steal_chunk(t, e, chunk * ins, ins);
    for (unsigned long i = 0; i < outs && rc == 0; i++)
        rc = give_extent(t, e, chunk * outs + i);
    undo(t);
    return rc;
}

static int check(const struct exchange *e)
{
    if (MAX(e->in.order, e->out.order) > max_extent_order(current->domain))
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
    unsigned list_order = order > 9 ? order - 9 : 0;
    struct trade t = {.d = d, .stolen = hv_alloc_pages(list_order)};
    int rc = t.stolen ? 0 : -ENOMEM;
    for (unsigned long i = first; i < chunks && rc == 0; i++) {
        if (i > first && hypercall_preempt_check())
            rc = -ERESTART;
        else if ((rc = exchange_chunk(&t, e, i)) == 0)
            e->done = (i + 1) << shift;
    }
    if (t.stolen)
        hv_free_pages(t.stolen, list_order);
    return rc;
}

long exchange_memory(unsigned long arg)
{
    struct exchange e;
    int rc;
    if (read_guest_struct(&e, arg, EXCHANGE_LAYOUT))
        return -EFAULT;
    rc = check(&e);
    if (rc)
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
