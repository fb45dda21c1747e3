/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mmu_update: a batch of changes to page-table entries and to the M2P, by machine address. Entries are done one by one;
 * the first that fails ends the batch, and the caller learns how many were done.
 */
#include "internal.h"
#include "guest_access.h"
#include "hypercall_prototypes.h"

#define MMU_PREEMPTED 0x80000000U /* in count: a continuation */

int page_owner_get(struct page_owner *owner, unsigned domid)
{
    struct domain *self = current->domain;
    owner->domain = NULL;
    owner->id = domid;
    if (likely(domid == DOMID_SELF)) {
        owner->id = self->id;
        return 0;
    }
    if (domid == self->id)
        return -ESRCH;
    if (domid == DOMID_IO)
        return 0;
    if (domid == DOMID_XEN)
        return self->privileged ? 0 : -EPERM;
    owner->domain = domain_get(domid);
    if (owner->domain == NULL)
        return -ESRCH;
    if (self->privileged)
        return 0;
    page_owner_put(owner);
    return -EPERM;
}

void page_owner_put(struct page_owner *owner)
{
    if (owner->domain)
        domain_put(owner->domain);
    owner->domain = NULL;
}

/* A page that is no page table: a plain store, if the domain may write there. */
static int store_plain(struct domain *d, mfn_t mfn, u64 *at, u64 value)
{
    if (page_get_and_type(mfn, d, FRAME_WRITABLE, false))
        return -EINVAL;
    WRITE_ONCE(*at, value);
    page_put_and_type(mfn);
    return 0;
}

static int update_entry(struct domain *d, unsigned owner, u64 ptr, u64 value, unsigned flags)
{
    mfn_t mfn = mfn_of(ptr >> PAGE_SHIFT);
    if (unlikely(!mfn_valid(mfn)))
        return -EINVAL;
    u64 *at = maddr_to_virt(ptr);
    int rc;
    spin_lock(&d->mm.page_lock);
    u64 word = frame_word(mfn);
    if (unlikely((word & FW_OWNER_MASK) != FW_OWNER(d->id) || fw_type(word) == FRAME_FREE)) {
        rc = -EINVAL;
    } else if (!(word & FW_VALIDATED) || !type_is_table(fw_type(word))) {
        rc = store_plain(d, mfn, at, value);
    } else if (fw_type(word) == FRAME_L1) {
        rc = l1_update(d, at, value, owner, flags);
    } else {
        rc = owner == d->id ? upper_update(d, fw_type(word), mfn, at, value, flags) : -EINVAL;
    }
    spin_unlock(&d->mm.page_lock);
    return rc;
}

static int update_m2p(struct domain *tables, const struct page_owner *owner, u64 ptr, u64 value)
{
    struct domain *d = owner->domain ? owner->domain : current->domain;
    mfn_t mfn = mfn_of(ptr >> PAGE_SHIFT);
    if (tables != current->domain)
        return -EPERM;
    if (owner->id != d->id || !page_get(mfn, d))
        return -EINVAL;
    m2p_set(mfn, pfn_of(value));
    page_put(mfn);
    return 0;
}

static int update_one(struct domain *tables, const struct page_owner *owner, const struct mmu_update *req)
{
    unsigned command = req->ptr & 7;
    u64 ptr = req->ptr & ~7UL;
    if (command > MMU_PT_UPDATE_NO_TRANSLATE)
        return -ENOSYS;
    if (command == MMU_MACHPHYS_UPDATE)
        return update_m2p(tables, owner, ptr, req->val);
    return update_entry(tables, owner->id, ptr, req->val, command == MMU_PT_UPDATE_PRESERVE_AD ? KEEP_AD : 0);
}

/* Whose page tables: a domid plus one in the upper half of foreigndom, 0 for the caller's. */
static int tables_owner(unsigned foreign, struct domain **tables, struct domain **held)
{
    *tables = current->domain;
    *held = NULL;
    if (foreign >> 16 == 0)
        return 0;
    struct domain *d = domain_get((foreign >> 16) - 1);
    if (d == NULL)
        return -ESRCH;
    if (d != *tables && !(*tables)->privileged) {
        domain_put(d);
        return -EPERM;
    }
    *tables = *held = d;
    return 0;
}

static int run_batch(unsigned long ureqs, unsigned count, struct domain *tables, const struct page_owner *owner,
                     unsigned *done)
{
    for (*done = 0; *done < count; ++*done) {
        struct mmu_update req;
        if (*done && (hypercall_preempt_check() || old_table_pending(current)))
            return -ERESTART;
        if (copy_from_guest(&req, ureqs + *done * sizeof(req), sizeof(req)))
            return -EFAULT;
        int rc = update_one(tables, owner, &req);
        if (unlikely(rc))
            return rc;
    }
    return 0;
}

long do_mmu_update(unsigned long ureqs, unsigned long count_arg, unsigned long pdone, unsigned long foreign)
{
    unsigned count = (u32)count_arg, i = 0;
    u32 done = 0;
    struct page_owner owner;
    struct domain *tables, *held;
    int rc = finish_old_table(current);
    if (unlikely(rc))
        return hypercall_continue(__HYPERVISOR_mmu_update, 4, ureqs, (unsigned long)count, pdone, foreign);
    if (unlikely(count == MMU_PREEMPTED && ureqs == 0))
        return 0;
    if (unlikely(count & MMU_PREEMPTED)) {
        count &= ~MMU_PREEMPTED;
        if (pdone && copy_from_guest(&done, pdone, sizeof(done)))
            done = 0;
    }
    if (!guest_range_ok(ureqs, count * sizeof(struct mmu_update)))
        return -EFAULT;
    rc = tables_owner((u32)foreign, &tables, &held);
    if (rc)
        return rc;
    rc = page_owner_get(&owner, foreign & 0xFFFF);
    if (rc == 0) {
        rc = run_batch(ureqs, count, tables, &owner, &i);
        page_owner_put(&owner);
    }
    if (held)
        domain_put(held);
    done += i;
    if (pdone && copy_to_guest(pdone, &done, sizeof(done)))
        done = 0; /* what was done is done, though the caller cannot be told how much */
    if (unlikely(rc == -ERESTART))
        return hypercall_continue(__HYPERVISOR_mmu_update, 4, ureqs + i * sizeof(struct mmu_update),
                                  (unsigned long)((count - i) | MMU_PREEMPTED), pdone, foreign);
    if (unlikely(rc == 0 && old_table_pending(current)))
        return hypercall_continue(__HYPERVISOR_mmu_update, 4, 0UL, (unsigned long)MMU_PREEMPTED, 0UL, foreign);
    return rc;
}
