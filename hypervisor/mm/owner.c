/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Domains as owners of frames. A frame names its owner by domid; a domain that owns a frame, or holds a page of ours
 * that is shared with it, stays in the table below and cannot vanish. Accounting is under the domain's mm.lock.
 */
#include "internal.h"

#define BUCKETS 64

static struct domain *owners[BUCKETS];
static spinlock_t owners_lock;

struct domain *owner_domain(unsigned domid)
{
    struct domain *d = current ? current->domain : NULL;
    if (likely(d && d->id == domid))
        return d;
    spin_lock(&owners_lock);
    for (d = owners[domid % BUCKETS]; d && d->id != domid; d = d->mm.next_owner)
        ;
    spin_unlock(&owners_lock);
    return d;
}

struct domain *owner_next(struct domain *d)
{
    unsigned bucket = d ? d->id % BUCKETS + 1 : 0;
    if (d && d->mm.next_owner)
        return d->mm.next_owner;
    while (bucket < BUCKETS && owners[bucket] == NULL)
        bucket++;
    return bucket < BUCKETS ? owners[bucket] : NULL;
}

/* Both with d's mm.lock held, so that they happen in the order of the counts. */
static void enter(struct domain *d)
{
    __atomic_add_fetch(&d->refs, 1, __ATOMIC_RELAXED);
    spin_lock(&owners_lock);
    d->mm.next_owner = owners[d->id % BUCKETS];
    owners[d->id % BUCKETS] = d;
    spin_unlock(&owners_lock);
}

static void leave(struct domain *d)
{
    struct domain **link = &owners[d->id % BUCKETS];
    spin_lock(&owners_lock);
    while (*link != d)
        link = &(*link)->mm.next_owner;
    *link = d->mm.next_owner;
    spin_unlock(&owners_lock);
}

/* mm.lock held. */
static bool owns_nothing(const struct domain *d)
{
    return d->mm.tot_pages == 0 && d->mm.shared_frames == 0;
}

static u64 new_mark(void)
{
    static u64 count;
    return __atomic_add_fetch(&count, 1UL << 48, __ATOMIC_RELAXED) ^ __builtin_ia32_rdtsc();
}

int charge_frames(struct domain *d, unsigned long count)
{
    spin_lock(&d->mm.lock);
    if (d->dying || count > d->mm.max_pages || d->mm.tot_pages > d->mm.max_pages - count) {
        spin_unlock(&d->mm.lock);
        if (!d->dying)
            guest_logf(LOG_INFO, "d%u asks for %lu more pages: it has %lu and its maximum is %lu\n", d->id, count,
                       d->mm.tot_pages, d->mm.max_pages);
        return -ENOMEM;
    }
    if (owns_nothing(d))
        enter(d);
    if (unlikely(d->mm.mark == 0)) {
        d->mm.mark = new_mark();
        d->mm.frames_from = ~0U;
    }
    d->mm.tot_pages += count;
    spin_unlock(&d->mm.lock);
    return 0;
}

/* Ends what began with mm.lock: with the last frame goes the reference that owning any holds. */
static void unlock_uncharged(struct domain *d)
{
    bool last = owns_nothing(d);
    if (last)
        leave(d);
    spin_unlock(&d->mm.lock);
    if (last)
        domain_put(d);
}

void uncharge_frames(struct domain *d, unsigned long count)
{
    spin_lock(&d->mm.lock);
    d->mm.tot_pages -= count;
    unlock_uncharged(d);
}

void charge_shared(struct domain *d)
{
    spin_lock(&d->mm.lock);
    if (owns_nothing(d))
        enter(d);
    d->mm.shared_frames++;
    spin_unlock(&d->mm.lock);
}

void uncharge_shared(struct domain *d)
{
    spin_lock(&d->mm.lock);
    d->mm.shared_frames--;
    unlock_uncharged(d);
}

void frame_leaves(struct domain *d, mfn_t mfn)
{
    m2p_set(mfn, pfn_of(INVALID_FRAME));
    *frame_mark(mfn) = d->mm.mark;
    heap_give(mfn, 0, true);
}

void owned_frame_released(mfn_t mfn, u64 word)
{
    BUG_ON(fw_owner(word) == OWNER_NONE || fw_owner(word) == OWNER_IO || (word & FW_ALLOCATED));
    struct domain *d = owner_domain(fw_owner(word));
    BUG_ON(d == NULL);
    mark_stale(d);
    if ((word & FW_SHARED) && fw_type(word) <= FRAME_WRITABLE) {
        WRITE_ONCE(frame_table[mfn.value].word, WORD_OURS);
        frame_free(mfn, 0);
        uncharge_shared(d);
        return;
    }
    frame_leaves(d, mfn);
    uncharge_frames(d, 1);
}

/* The type count of one keeps the type as it is, so a page shared read-only never becomes writable. */
void share_page_with_guest(void *page, struct domain *d, bool writable_ok)
{
    mfn_t mfn = virt_to_mfn(page);
    charge_shared(d);
    WRITE_ONCE(frame_table[mfn.value].word, FW_ALLOCATED | FW_OWNER(d->id) | FW_SHARED | FW_COUNT_ONE | 1 |
                                                FW_VALID(writable_ok ? FRAME_WRITABLE : FRAME_NONE));
}

/* The page goes back to the heap once nobody maps it any more; the caller must not use it again. */
void unshare_page(void *page)
{
    mfn_t mfn = virt_to_mfn(page);
    u64 word = frame_word(mfn);
    while (!frame_swap(mfn, &word, (word & ~FW_ALLOCATED) - FW_COUNT_ONE))
        ;
    page_put(mfn);
}

/* Makes the page ours alone again, for the caller to free; false while anybody maps it. */
bool reclaim_page(void *page)
{
    mfn_t mfn = virt_to_mfn(page);
    u64 word = frame_word(mfn);
    do {
        if ((word & FW_REF_MASK) != 1)
            return false;
    } while (!frame_swap(mfn, &word, WORD_OURS));
    struct domain *d = owner_domain(fw_owner(word));
    mark_stale(d);
    uncharge_shared(d);
    return true;
}
