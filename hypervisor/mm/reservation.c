/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * How much memory a domain has: allocation against its maximum and against others' claims, and the hypercalls that
 * raise and lower it. Memory is cleared before a domain sees it, unless the domain itself had it last, or nothing but
 * the boot loader ever used it and the domain is dom0.
 *
 * The upper bits of a reservation command count the extents that earlier passes did; such a command answers with extents
 * done, never with an error.
 */
#include "internal.h"
#include "guest_access.h"
#include "hypercall_prototypes.h"
#include "mm/reservation.h"
#include "abi/memory.h"

static unsigned long all_claims;
static spinlock_t claim_lock;

static COLD __attribute__((noinline)) mfn_t take_beside_claims(unsigned long *own, unsigned order, unsigned long limit,
                                                               bool *dirty)
{
    unsigned long count = 1UL << order;
    mfn_t mfn = mfn_of(INVALID_FRAME);
    spin_lock(&claim_lock);
    if (count + all_claims - *own <= free_frames())
        mfn = heap_take(order, limit, WORD_OURS, dirty);
    if (mfn.value != INVALID_FRAME) {
        unsigned long used = MIN(count, *own);
        *own -= used;
        all_claims -= used;
    }
    spin_unlock(&claim_lock);
    return mfn;
}

mfn_t take_unclaimed(unsigned long *own, unsigned order, unsigned long limit, bool *dirty)
{
    if (unlikely(READ_ONCE(all_claims)) && own)
        return take_beside_claims(own, order, limit, dirty);
    return heap_take(order, limit, WORD_OURS, dirty);
}

/* The call names the total that the domain shall be able to reach. 0 ends a claim. */
long claim_pages(struct domain *d, unsigned long pages)
{
    long rc = 0;
    spin_lock(&claim_lock);
    unsigned long old = d->mm.outstanding_claim, total = d->mm.tot_pages;
    if (pages == 0) {
        all_claims -= old;
        d->mm.outstanding_claim = 0;
    } else if (old || d->dying || pages <= total || pages > d->mm.max_pages) {
        rc = -EINVAL;
    } else if (all_claims + (pages - total) > free_frames()) {
        rc = -ENOMEM;
    } else {
        d->mm.outstanding_claim = pages - total;
        all_claims += pages - total;
    }
    spin_unlock(&claim_lock);
    return rc;
}

static void clean(struct domain *d, mfn_t first, unsigned order)
{
    if (order == 0 && *frame_mark(first) == d->mm.mark)
        *frame_mark(first) = 0;
    else if (!(d->initial && domain_zero == NULL))
        clear_pages(mfn_to_virt(first), order);
}

static bool other_work(void)
{
    return old_table_pending(current) || hypercall_preempt_check();
}

/* Whether it was a table with a pin. */
static bool unpin(struct domain *d, mfn_t mfn)
{
    bool pinned;
    if (!mfn_valid(mfn) || !(frame_word(mfn) & FW_PINNED) || !page_get(mfn, d))
        return false;
    spin_lock(&d->mm.page_lock);
    pinned = clear_pin(mfn);
    if (pinned)
        table_release(d, mfn);
    spin_unlock(&d->mm.page_lock);
    page_put(mfn);
    return pinned;
}

/* An extent is given back in one piece. Tables in it take longer than that may: first they become pages like others,
 * as many as time allows. */
static bool unpin_some(struct domain *d, unsigned long frame, unsigned long count)
{
    while (count--)
        if (unpin(d, mfn_of(frame++)) && other_work())
            return true;
    return false;
}

/* Gives a guest's page back: it leaves the domain when its last user lets go. */
static int give_back(struct domain *d, mfn_t mfn)
{
    if (!mfn_valid(mfn))
        return -EINVAL;
    (void)unpin(d, mfn);
    u64 word = frame_word(mfn);
    do { /* not d's; or ours, shared with it */
        if ((word & (FW_OWNER_MASK | FW_PINNED)) != FW_OWNER(d->id) || fw_type(word) == FRAME_FREE)
            return -EINVAL;
        if (!(word & FW_ALLOCATED)) /* given back before, and still in use */
            return 0;
    } while (!frame_swap(mfn, &word, word & ~FW_ALLOCATED));
    page_put(mfn);
    return 0;
}

/* Frames for d, charged to it and clean, that nobody else knows of yet. */
static int take_frames(struct domain *d, unsigned order, unsigned address_bits, mfn_t *first)
{
    unsigned long count = 1UL << order;
    bool dirty;
    int rc = charge_frames(d, count);
    if (rc)
        return rc;
    *first = take_unclaimed(&d->mm.outstanding_claim, order, address_limit(address_bits), &dirty);
    if (first->value == INVALID_FRAME) {
        uncharge_frames(d, count);
        return -ENOMEM;
    }
    flush_stale();
    if (dirty)
        clean(d, *first, order);
    return 0;
}

/* Where its destruction looks for frames. Several CPUs may be here. */
static COLD void widen_search(struct domain *d, u64 parts, u32 first, u32 last)
{
    u32 from = READ_ONCE(d->mm.frames_from), to = READ_ONCE(d->mm.frames_to);

    __atomic_fetch_or(&d->mm.parts, parts, __ATOMIC_SEQ_CST);
    while (first < from &&
           !__atomic_compare_exchange_n(&d->mm.frames_from, &from, first, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        ;
    while (last > to &&
           !__atomic_compare_exchange_n(&d->mm.frames_to, &to, last, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        ;
}

/* From here on they are d's, and may be gone at once: whoever destroys d on another CPU takes those that it finds, and
 * what it passed by before they were there goes back here. */
static int hand_out(struct domain *d, mfn_t first, unsigned order)
{
    unsigned long count = 1UL << order;
    set_frame_words(first.value, count, FW_ALLOCATED | FW_OWNER(d->id) | FW_VALID(FRAME_WRITABLE) | 1);
    if (unlikely(logging_domains)) /* their M2P entries came while they had no owner yet */
        for (unsigned long i = 0; i < count; i++)
            frame_written(mfn_add(first, i));
    unsigned long last = first.value + count - 1;
    u64 parts = (2UL << (last >> part_shift())) - (1UL << (first.value >> part_shift()));
    if (parts & ~READ_ONCE(d->mm.parts) || first.value < READ_ONCE(d->mm.frames_from) ||
        last > READ_ONCE(d->mm.frames_to))
        widen_search(d, parts, (u32)first.value, (u32)last);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (likely(!READ_ONCE(d->dying)))
        return 0;
    for (unsigned long i = 0; i < count; i++)
        (void)give_back(d, mfn_add(first, i));
    return -ENOMEM;
}

int domain_alloc_frames(struct domain *d, unsigned order, unsigned address_bits, mfn_t *first)
{
    int rc = take_frames(d, order, address_bits, first);
    return rc ? rc : hand_out(d, *first, order);
}

/* Nobody but the owner's allocation may use it, and no CPU may still reach it. It becomes ours. */
int steal_page(struct domain *d, mfn_t mfn, bool keep_accounting)
{
    if (!mfn_valid(mfn))
        return -EINVAL;
    u64 word = frame_word(mfn);
    do {
        if ((word & (FW_ALLOCATED | FW_OWNER_MASK | FW_REF_MASK)) != (FW_ALLOCATED | FW_OWNER(d->id) | 1) ||
            fw_count(word) != 0 || (word & (FW_BUSY | FW_PARTIAL | FW_PINNED)))
            return -EINVAL;
    } while (!frame_swap(mfn, &word, WORD_OURS));
    mark_stale(d);
    flush_stale();
    if (!keep_accounting)
        uncharge_frames(d, 1);
    return 0;
}

int assign_page(struct domain *d, mfn_t mfn, bool keep_accounting)
{
    int rc = keep_accounting ? 0 : charge_frames(d, 1);
    if (rc == 0)
        (void)hand_out(d, mfn, 0); /* taken back by a domain's death is no failure: it had it */
    return rc;
}

static bool stop_here(unsigned long i, unsigned long from, bool *preempted)
{
    *preempted = i > from && other_work();
    return *preempted;
}

/* One frame number of the list, which lies in a good range: adjust_reservation looked. But since the last look at what
 * waits, another CPU may have made a linear mapping of the slot where it lies. */
static int get_frame(unsigned long *frame, unsigned long list, unsigned long i)
{
    u32 narrow;
    const struct vcpu *v = current;
    if (v->is_32bit) {
        GET_GUEST_WORD(narrow, list + i * sizeof(u32), fault);
        *frame = narrow;
    } else {
        unsigned long at = list + i * sizeof(u64);
        if (unlikely(!guest_words_ok(v->mm.words_hole, at, sizeof(u64), false)))
            goto fault;
        GET_GUEST_WORD(*frame, at, fault);
    }
    return 0;
fault:
    return -EFAULT;
}

/* A linear mapping is read-only. */
static int put_frame(unsigned long list, unsigned long i, unsigned long frame)
{
    if (current->is_32bit)
        PUT_GUEST_WORD(list + i * sizeof(u32), (u32)frame, fault);
    else
        PUT_GUEST_WORD(list + i * sizeof(u64), frame, fault);
    return 0;
fault:
    return -EFAULT;
}

static unsigned extent_address_bits(const struct domain *d, u32 flags)
{
    unsigned bits = flags & 0xFF;
    return d->address_width && (bits == 0 || d->address_width < bits) ? d->address_width : bits;
}

unsigned long take_extents(struct domain *d, const struct reservation *r, bool place, unsigned long from,
                           bool *preempted)
{
    unsigned bits = extent_address_bits(d, r->flags);
    unsigned long i, pfn;
    if (unlikely(place && (r->flags & XENMEMF_populate_on_demand))) /* nothing here is */
        return from;
    for (i = from; i < r->nr_extents && !stop_here(i, from, preempted); i++) {
        mfn_t first;
        if ((place && get_frame(&pfn, r->list, i)) || take_frames(d, r->order, bits, &first))
            break;
        if (place)
            m2p_set_row(first, pfn_of(pfn), 1UL << r->order);
        if (hand_out(d, first, r->order) || ((place || r->list) && put_frame(r->list, i, first.value)))
            break;
    }
    return i;
}

unsigned long decrease_reservation(struct domain *d, const struct reservation *r, unsigned long from, bool *preempted)
{
    struct frame_run run = {0, 0};
    unsigned long i, frame;
    for (i = from; i < r->nr_extents && !stop_here(i, from, preempted); i++) {
        if (get_frame(&frame, r->list, i))
            break;
        if (unlikely(r->order) && (*preempted = unpin_some(d, frame, 1UL << r->order)))
            break;
        for (unsigned long j = 0; j < 1UL << r->order; j++) {
            mfn_t mfn = mfn_of(frame + j);
            if (!frame_run_add(d, mfn, &run) && give_back(d, mfn))
                goto out;
        }
    }
out:
    frame_run_end(d, &run);
    return i;
}

/* Often called: without the general translation. */
int read_reservation(struct reservation *r, unsigned long from)
{
    struct compat_memory_reservation narrow;
    if (!current->is_32bit)
        return copy_from_guest(r, from, sizeof(*r));
    if (copy_from_guest(&narrow, from, sizeof(narrow)))
        return -EFAULT;
    *r = (struct reservation){narrow.extent_start, narrow.nr_extents, narrow.extent_order, narrow.mem_flags,
                              narrow.domid};
    return 0;
}

static long adjust_reservation(unsigned op, unsigned long from, unsigned long arg)
{
    struct reservation r;
    bool again = false;
    int error;
    if (read_reservation(&r, arg) || r.nr_extents > (current->is_32bit ? ~0U : ~0UL) >> MEMOP_SHIFT ||
        from >= r.nr_extents || r.order > MAX_EXTENT_ORDER || ((r.flags & 0xFF) && (r.flags & 0xFF) <= PAGE_SHIFT))
        return (long)from;
    if ((op != XENMEM_increase_reservation || r.list) &&
        !guest_range_ok(r.list, r.nr_extents * (current->is_32bit ? 4 : 8)))
        return (long)from;
    bool self = r.domid == DOMID_SELF; /* what runs needs no reference */
    struct domain *d = self ? current->domain : memory_domain(r.domid, &error);
    if (d == NULL)
        return (long)from;
    unsigned long done = op == XENMEM_decrease_reservation
                             ? decrease_reservation(d, &r, from, &again)
                             : take_extents(d, &r, op == XENMEM_populate_physmap, from, &again);
    if (!self)
        domain_put(d);
    if (again)
        return hypercall_continue(__HYPERVISOR_memory_op, 2, op | done << MEMOP_SHIFT, arg);
    return (long)done;
}

long do_memory_op(unsigned long cmd, unsigned long arg)
{
    unsigned op = cmd & MEMOP_MASK;
    cmd >>= MEMOP_SHIFT;
    if (unlikely(old_table_pending(current) && finish_old_table(current)))
        return hypercall_continue(__HYPERVISOR_memory_op, 2, op | cmd << MEMOP_SHIFT, arg);
    if (op == XENMEM_increase_reservation || op == XENMEM_decrease_reservation || op == XENMEM_populate_physmap)
        return adjust_reservation(op, cmd, arg);
    return cmd && op <= XENMEM_acquire_resource ? -EINVAL : memory_op_single(op, arg);
}
