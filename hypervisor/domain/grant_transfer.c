/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Giving a page away for good: the receiver has an entry that accepts it. The entry is committed first, so that it
 * cannot be revoked meanwhile; a page that the receiver may not have goes back to its owner.
 */
#include "grant_internal.h"
#include "guest_access.h"

#define CAS_TRIES 5

/* The entry accepts a transfer from domain `from`, and now knows that one is on its way. */
static bool commit(struct domain *d, unsigned ref, unsigned from)
{
    struct domain_grant *g = &d->grant;
    bool committed = false;

    spin_lock(&g->lock);
    if (ref < g->entries) {
        u32 *word = g->version == 2 ? (u32 *)&entry_v2(g, ref)->hdr : (u32 *)entry_v1(g, ref);
        u32 old = READ_ONCE(*word), wanted = GTF_accept_transfer | (from << 16);
        for (unsigned i = 0; i < CAS_TRIES && old == wanted && !committed; i++)
            committed = __atomic_compare_exchange_n(word, &old, wanted | GTF_transfer_committed, false,
                                                    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    }
    spin_unlock(&g->lock);
    return committed;
}

static void set_flags(struct domain *d, unsigned ref, u16 set, u16 clear, mfn_t mfn)
{
    struct domain_grant *g = &d->grant;
    u16 *flags;

    spin_lock(&g->lock);
    if (ref < g->entries) {
        flags = g->version == 2 ? &entry_v2(g, ref)->hdr.flags : &entry_v1(g, ref)->flags;
        if (set && g->version == 2)
            entry_v2(g, ref)->full_page.frame = mfn.value;
        else if (set)
            entry_v1(g, ref)->frame = (u32)mfn.value;
        if (set)
            __atomic_fetch_or(flags, set, __ATOMIC_SEQ_CST);
        if (clear)
            __atomic_fetch_and(flags, (u16)~clear, __ATOMIC_SEQ_CST);
    }
    spin_unlock(&g->lock);
}

static int transfer_to(struct domain *to, mfn_t mfn, u32 ref)
{
    struct domain *from = current->domain;

    if (to == from || !commit(to, ref, from->id))
        return GNTST_general_error;
    if (assign_page(to, mfn, false)) {
        guest_logf(LOG_WARNING, "d%u may not have one more page: transfer from d%u refused\n", to->id, from->id);
        set_flags(to, ref, 0, GTF_transfer_committed, mfn);
        return GNTST_general_error;
    }
    uncharge_frames(from, 1);
    set_flags(to, ref, GTF_transfer_completed, 0, mfn);
    return GNTST_okay;
}

static int transfer(const struct gnttab_transfer *op)
{
    struct domain *from = current->domain, *to;
    int status = GNTST_bad_domain;

    if (steal_page(from, mfn_of(op->mfn), true))
        return GNTST_bad_page;
    to = domain_get(op->domid);
    if (to) {
        status = transfer_to(to, mfn_of(op->mfn), op->ref);
        domain_put(to);
    }
    if (status && assign_page(from, mfn_of(op->mfn), true))
        panic("a page cannot be given back to its owner");
    return status;
}

long grant_transfer_one(unsigned long va)
{
    struct gnttab_transfer op;

    if (read_guest_struct(&op, va, TRANSFER_LAYOUT))
        return -EFAULT;
    op.status = (s16)transfer(&op);
    va +=
        current->is_32bit ? offsetof(struct compat_gnttab_transfer, status) : offsetof(struct gnttab_transfer, status);
    return copy_to_guest(va, &op.status, sizeof(op.status));
}
