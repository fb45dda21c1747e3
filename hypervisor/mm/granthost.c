/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Granted frames in the mapper's page tables. The references of the granted frame (one general, and one of type
 * WRITABLE if mapped writable) are the grant table's: it took them before grant_map_host and, after a successful
 * grant_unmap_host, drops them. So these two write the entry and count nothing for the granted frame.
 */
#include "internal.h"

static u64 entry_flags(const struct domain *d, unsigned gntmap_flags)
{
    u64 flags = PTE_P | PTE_A | PTE_D | PTE_NX;
    if (!(gntmap_flags & GNTMAP_readonly))
        flags |= PTE_RW;
    if (gntmap_flags & GNTMAP_application_map)
        flags |= PTE_US;
    flags |= (u64)(gntmap_flags >> 16 & 7) << 9; /* bits 16 to 18: the entry's software bits */
    return l1e_adjust(d, flags);
}

/* The level-1 entry that the caller names: its machine address, or the virtual address that it maps. */
static u64 *named_entry(struct vcpu *v, u64 address, unsigned gntmap_flags)
{
    struct domain *d = v->domain;
    if (!(gntmap_flags & GNTMAP_contains_pte))
        return guest_l1e(v, address);
    mfn_t mfn = mfn_of(address >> PAGE_SHIFT);
    if ((address & 7) || !mfn_valid(mfn))
        return NULL;
    u64 word = frame_word(mfn), wanted = FW_OWNER(d->id) | FW_VALID(FRAME_L1);
    if ((word & (FW_OWNER_MASK | FW_STATE_MASK)) != wanted || fw_count(word) == 0)
        return NULL;
    return maddr_to_virt(address);
}

int grant_map_host(struct vcpu *v, u64 address, mfn_t mfn, unsigned gntmap_flags)
{
    struct domain *d = v->domain;
    int rc = GNTST_general_error;
    spin_lock(&d->mm.page_lock);
    u64 *entry = named_entry(v, address, gntmap_flags);
    if (entry) {
        u64 old = READ_ONCE(*entry);
        __atomic_store_n(entry, pte_of(mfn, entry_flags(d, gntmap_flags)), __ATOMIC_SEQ_CST);
        entry_stored(d, entry);
        if (old & PTE_P)
            l1e_put(old, d);
        rc = GNTST_okay;
    }
    spin_unlock(&d->mm.page_lock);
    return rc;
}

/* unmap_and_replace moves the mapping at new_address to `entry`, which leaves that one empty: it must be another. */
static int take_replacement(struct vcpu *v, u64 new_address, const u64 *entry, u64 *value)
{
    *value = 0;
    if (new_address == 0)
        return GNTST_okay;
    u64 *from = guest_l1e(v, new_address);
    if (from == NULL || from == entry)
        return GNTST_general_error;
    *value = READ_ONCE(*from);
    WRITE_ONCE(*from, 0);
    entry_stored(v->domain, from);
    return GNTST_okay;
}

int grant_unmap_host(struct vcpu *v, u64 address, mfn_t mfn, unsigned gntmap_flags, u64 new_address)
{
    struct domain *d = v->domain;
    if (new_address && (gntmap_flags & GNTMAP_contains_pte))
        return GNTST_general_error;
    int rc = GNTST_general_error;
    u64 value;
    spin_lock(&d->mm.page_lock);
    u64 *entry = named_entry(v, address, gntmap_flags);
    u64 old = entry ? READ_ONCE(*entry) : 0;
    if ((old & PTE_P) && mfn_equal(pte_mfn(old), mfn) && !(old & PTE_RW) == !!(gntmap_flags & GNTMAP_readonly)) {
        rc = take_replacement(v, new_address, entry, &value);
        if (rc == GNTST_okay) {
            WRITE_ONCE(*entry, value);
            entry_stored(d, entry);
        }
        mark_stale(d);
    }
    spin_unlock(&d->mm.page_lock);
    return rc;
}
