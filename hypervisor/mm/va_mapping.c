/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * update_va_mapping: one level-1 entry by virtual address, with the flush the guest asks for.
 */
#include "internal.h"
#include "guest_access.h"
#include "hypercall_prototypes.h"

static long flush_after(struct vcpu *v, unsigned long va, unsigned long flags)
{
    unsigned long where = flags & ~UVMF_FLUSHTYPE_MASK;
    bool one = (flags & UVMF_FLUSHTYPE_MASK) == UVMF_INVLPG;
    u32 cpus = 0;
    int rc = 0;
    if (where == UVMF_LOCAL) {
        if (one)
            flush_tlb_one_local(va);
        else
            flush_tlb_local();
        return 0;
    }
    if (where == UVMF_ALL)
        cpus = domain_dirty_mask(v->domain);
    else
        rc = vcpu_bitmap_to_cpus(v, where, &cpus);
    if (one)
        flush_tlb_one_mask(cpus, va);
    else
        flush_tlb_mask(cpus);
    return rc;
}

static long update(unsigned long va, u64 value, unsigned long flags, unsigned owner)
{
    struct vcpu *v = current;
    struct domain *d = v->domain;
    spin_lock(&d->mm.page_lock);
    u64 *entry = guest_l1e(v, va);
    int rc = entry ? l1_update(d, entry, value, owner, 0) : -EINVAL;
    spin_unlock(&d->mm.page_lock);
    if (unlikely(rc) || (flags & UVMF_FLUSHTYPE_MASK) == UVMF_NONE || (flags & UVMF_FLUSHTYPE_MASK) == 3)
        return rc;
    return flush_after(v, va, flags);
}

long do_update_va_mapping(unsigned long va, unsigned long value, unsigned long flags)
{
    return update(va, value, flags, current->domain->id);
}

long do_update_va_mapping_pv32(unsigned long va, unsigned long low, unsigned long high, unsigned long flags)
{
    return update(va, (u32)low | high << 32, flags, current->domain->id);
}

long do_update_va_mapping_otherdomain(unsigned long va, unsigned long value, unsigned long flags, unsigned long domid)
{
    struct page_owner owner;
    int rc = page_owner_get(&owner, domid & 0xFFFF);
    if (rc)
        return rc;
    if (owner.id == OWNER_IO && !current->domain->privileged) /* mmu_update looks at each frame instead */
        return -EPERM;
    long result = update(va, value, flags, owner.id);
    page_owner_put(&owner);
    return result;
}

long do_update_va_mapping_otherdomain_pv32(unsigned long va, unsigned long low, unsigned long high, unsigned long flags,
                                           unsigned long domid)
{
    return do_update_va_mapping_otherdomain(va, (u32)low | high << 32, flags, domid);
}
