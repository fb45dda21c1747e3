/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The log of the frames that a domain has written, a bit for each by its number in the guest, for its migration.
 *
 * 1. While it is kept, a writable shadow entry for a frame of the domain exists only if the frame's bit is set. Clearing
 *    bits therefore begins with taking the write permission from all entries and from all TLBs.
 * 2. Whoever else writes a frame holds a writable reference meanwhile, and the bit is set when that is given back. Those
 *    held for long (grants mapped writable, vcpu_info, event channel pages, and descriptor tables, in which the CPU marks
 *    what it loads) are counted as written at every report.
 *    A mapping by dom0 of another domain's frame is counted when it goes, and not before: what dom0 keeps mapped it
 *    must send itself.
 * 3. The number is the M2P's, so the guest chooses it: a frame whose number no saved domain could have is in no log. A
 *    frame that gets a number is written.
 */
#include "mm/shadow.h"
#include "guest_access.h"

u32 logging_domains;

#define NO_NUMBER ~0UL

/* The frame's bit, if it has one. */
static unsigned long number_of(const struct domain *d, mfn_t mfn)
{
    unsigned long pfn = m2p_get(mfn).value;
    return pfn < LOG_LEAVES * LOG_PER_LEAF && page_owner_id(mfn) == d->id ? pfn : NO_NUMBER;
}

void log_frame(struct domain *d, struct shadow *s, mfn_t mfn)
{
    unsigned long pfn = number_of(d, mfn), bit = pfn % LOG_PER_LEAF;
    if (s->leaves == NULL || pfn == NO_NUMBER)
        return;
    u64 **leaf = &s->leaves[pfn / LOG_PER_LEAF];
    if (*leaf == NULL && (*leaf = hv_alloc_pages(0)) == NULL) {
        s->lost = true;
        return;
    }
    s->dirty += !test_bit((unsigned)bit, *leaf);
    set_bit((unsigned)bit, *leaf);
}

/* Whether it needs no logging (any more). */
bool log_has(const struct domain *d, const struct shadow *s, mfn_t mfn)
{
    unsigned long pfn = number_of(d, mfn);
    if (s->lost || pfn == NO_NUMBER)
        return true;
    const u64 *leaf = s->leaves[pfn / LOG_PER_LEAF];
    return leaf && test_bit(pfn % LOG_PER_LEAF, leaf);
}

void log_free(struct shadow *s)
{
    if (s->leaves == NULL)
        return;
    for (unsigned i = 0; i < LOG_LEAVES; i++)
        if (s->leaves[i])
            hv_free_pages(s->leaves[i], 0);
    hv_free_pages(s->leaves, LOG_TOP_ORDER);
    s->leaves = NULL;
    __atomic_sub_fetch(&logging_domains, 1, __ATOMIC_SEQ_CST);
}

bool log_dirty_is_on(const struct domain *d)
{
    return d->mm.shadow && d->mm.shadow->leaves;
}

/* The domain does not run. Its shadow begins anew: then no entry is writable yet. */
int log_dirty_on(struct domain *d)
{
    u64 **leaves = hv_alloc_pages(LOG_TOP_ORDER);
    if (leaves == NULL || shadow_on(d)) {
        hv_free_pages(leaves, LOG_TOP_ORDER);
        return -ENOMEM;
    }
    __atomic_add_fetch(&logging_domains, 1, __ATOMIC_SEQ_CST);
    d->mm.shadow->leaves = leaves;
    return 0;
}

void domain_frame_written(struct domain *d, mfn_t mfn)
{
    spin_lock(&d->mm.shadow_lock);
    if (d->mm.shadow)
        log_frame(d, d->mm.shadow, mfn);
    spin_unlock(&d->mm.shadow_lock);
}

/* The caller holds a reference to the frame: so it has an owner, and that one stays. */
void frame_written(mfn_t mfn)
{
    struct domain *d = owner_domain(page_owner_id(mfn));
    if (d)
        domain_frame_written(d, mfn);
}

/* A vCPU that runs may change these meanwhile: what it gives up has been logged, what it takes is in the next report. */
static void log_frames_of_vcpu(struct domain *d, struct shadow *s, const struct vcpu *v)
{
    log_frame(d, s, v->info_mfn);
    for (unsigned i = 0; i < 16; i++) {
        if (i * 512 < v->gdt_entries)
            log_frame(d, s, v->gdt_frames[i]);
        if (v->ldt_mapped >> i & 1)
            log_frame(d, s, mfn_of(v->ldt_frames[i]));
    }
}

static void log_held_frames(struct domain *d, struct shadow *s)
{
    grant_frames_written(d);
    evtchn_frames(d, frame_written);
    spin_lock(&d->mm.shadow_lock);
    for (unsigned i = 0; i < d->max_vcpus; i++)
        if (d->vcpus[i])
            log_frames_of_vcpu(d, s, d->vcpus[i]);
}

/* Bits of one leaf to the caller. */
static int report_leaf(const struct shadow *s, const u64 *leaf, unsigned long to, size_t bytes)
{
    static const u64 all = ~0UL;
    if (s->lost) {
        for (size_t i = 0; i < bytes; i += sizeof(all))
            if (copy_to_guest(to + i, &all, MIN(sizeof(all), bytes - i)))
                return -EFAULT;
        return 0;
    }
    return leaf ? copy_to_guest(to, leaf, bytes) : clear_guest(to, bytes);
}

static int report(struct shadow *s, bool clean, unsigned long bitmap, unsigned long pages)
{
    unsigned first = s->lost ? 0 : s->next_leaf; /* lost since: also of those that were reported */
    for (unsigned i = first; i * LOG_PER_LEAF < pages; i++) {
        size_t bytes = (MIN(pages - i * LOG_PER_LEAF, LOG_PER_LEAF) + 7) / 8;
        s->next_leaf = i;
        if (i > first && !s->lost && hypercall_preempt_check())
            return -ERESTART;
        if (bitmap && report_leaf(s, s->leaves[i], bitmap + i * PAGE_SIZE, bytes))
            return -EFAULT;
        if (clean && s->leaves[i])
            memset(s->leaves[i], 0, bytes);
    }
    return 0;
}

/* A report that was preempted takes the write permission away again: of the leaves still to come frames may have been
 * written meanwhile. */
int log_dirty_report(struct domain *d, struct log_report *r)
{
    struct shadow *s = d->mm.shadow;
    u32 operation = r->clean ? 1 : 2;
    if (s == NULL || s->leaves == NULL)
        return -EINVAL;
    if (s->reporting && s->reporting != operation)
        return -EBUSY;
    r->pages = MIN(r->pages, LOG_LEAVES * LOG_PER_LEAF);
    log_held_frames(d, s); /* takes the lock */
    int rc = r->clean ? shadow_write_protect(d, s) : 0;
    if (rc == 0)
        rc = report(s, r->clean, r->bitmap, r->pages);
    s->reporting = rc == -ERESTART ? operation : 0;
    if (rc != -ERESTART)
        s->next_leaf = 0;
    r->faults = s->faults;
    r->dirty = s->dirty;
    if (rc == 0 && r->clean) {
        s->faults = s->dirty = 0;
        s->lost = false;
    }
    spin_unlock(&d->mm.shadow_lock);
    return rc;
}
