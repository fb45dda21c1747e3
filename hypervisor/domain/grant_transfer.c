/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Giving a page away for good: the receiver has an entry that accepts it. The entry is committed first, so that it
 * cannot be revoked meanwhile. A page that nobody takes is gone all the same, as the interface has it.
 */
#include "grant_internal.h"
#include "guest_access.h"

#define CAS_TRIES 5

/* Lock held. Flags and domid, then in version 1 one word, in version 2 the second double word: a frame. */
static u32 *head_of(const struct domain_grant *g, unsigned ref)
{
    return g->version == 2 ? (u32 *)entry_v2(g, ref) : (u32 *)entry_v1(g, ref);
}

/* The entry accepts a transfer from domain `from`, and now knows that one is on its way. It says where the page is to
 * appear: the page is nobody's meanwhile. */
static bool commit(struct domain *d, unsigned ref, unsigned from, mfn_t mfn)
{
    struct domain_grant *g = &d->grant;
    bool committed = false;

    spin_lock(&g->lock);
    if (ref < g->entries) {
        u32 *head = head_of(g, ref), old = READ_ONCE(*head), wanted = GTF_accept_transfer | (from << 16);
        for (unsigned i = 0; i < CAS_TRIES && old == wanted && !committed; i++)
            committed = __atomic_compare_exchange_n(head, &old, wanted | GTF_transfer_committed, false,
                                                    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
        if (committed)
            m2p_set(mfn, pfn_of(g->version == 2 ? READ_ONCE(((u64 *)head)[1]) : READ_ONCE(head[1])));
    }
    spin_unlock(&g->lock);
    return committed;
}

/* The page has come, or, with INVALID_FRAME, does not. */
static void settle(struct domain *d, unsigned ref, mfn_t mfn)
{
    struct domain_grant *g = &d->grant;
    u32 *head;

    spin_lock(&g->lock);
    if (ref < g->entries) {
        head = head_of(g, ref);
        if (mfn.value == INVALID_FRAME) {
            __atomic_fetch_and(head, ~GTF_transfer_committed, __ATOMIC_SEQ_CST);
        } else {
            if (g->version == 2)
                ((u64 *)head)[1] = mfn.value;
            else
                head[1] = (u32)mfn.value;
            __atomic_fetch_or(head, GTF_transfer_completed, __ATOMIC_SEQ_CST);
        }
    }
    spin_unlock(&g->lock);
}

static int transfer_to(struct domain *to, mfn_t mfn, u32 ref)
{
    unsigned from = current->domain->id;

    if (!commit(to, ref, from, mfn))
        return GNTST_general_error;
    if (assign_page(to, mfn, false)) {
        guest_logf(LOG_WARNING, "d%u may not have one more page: transfer from d%u refused\n", to->id, from);
        settle(to, ref, mfn_of(INVALID_FRAME));
        return GNTST_general_error;
    }
    settle(to, ref, mfn);
    return GNTST_okay;
}

static int transfer(const struct gnttab_transfer *op)
{
    struct domain *from = current->domain, *to;
    mfn_t mfn = mfn_of(op->mfn);
    int status = GNTST_bad_domain;

    if (steal_page(from, mfn, false))
        return GNTST_bad_page;
    to = domain_get(op->domid);
    if (to) {
        status = transfer_to(to, mfn, op->ref);
        domain_put(to);
    }
    if (status)
        frame_leaves(from, mfn);
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
