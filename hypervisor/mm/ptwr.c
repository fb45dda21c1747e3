/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A guest kernel's direct write to a level-1 table that it has mapped read-only. The emulator decodes the instruction
 * and comes here with the value; the entry is then changed as mmu_update would.
 */
#include "internal.h"

/* The entry behind va, if va is a read-only mapping of a level-1 table of the same domain. Page lock held. */
static u64 *trapped_entry(struct vcpu *v, unsigned long va)
{
    u64 *mapping = guest_l1e(v, va & ~7UL);
    u64 e = mapping ? READ_ONCE(*mapping) : 0;
    mfn_t mfn = pte_mfn(e);
    if ((e & (PTE_P | PTE_RW)) != PTE_P || !mfn_valid(mfn))
        return NULL;
    u64 word = frame_word(mfn);
    u64 wanted = FW_OWNER(v->domain->id) | FW_VALID(FRAME_L1);
    if ((word & (FW_OWNER_MASK | FW_STATE_MASK)) != wanted || fw_count(word) == 0)
        return NULL;
    return (u64 *)mfn_to_virt(mfn) + ((va & ~PAGE_MASK) >> 3);
}

/* A 32-bit kernel writes a PAE entry in halves. If the upper half comes first while the entry is present, the whole may
 * be nonsense until the lower half follows: then it is made not present meanwhile. */
static int write_merged(struct domain *d, u64 *entry, u64 merged, bool upper_half)
{
    int rc = l1_update(d, entry, merged, d->id, 0);
    if (rc && upper_half && d->is_32bit && (merged & PTE_P))
        rc = l1_update(d, entry, merged & ~PTE_P, d->id, 0);
    return rc;
}

/* Page lock held: nobody but the CPU changes the entry meanwhile, by its two bits, so this ends. */
static int replace(struct domain *d, u64 *entry, u64 mask, u64 bits, u64 *expected, unsigned shift)
{
    int rc;
    do {
        u64 old = READ_ONCE(*entry), field = (old & mask) >> shift;
        if (field != *expected) {
            *expected = field;
            return -EAGAIN;
        }
        rc = l1_exchange(d, entry, old, (old & ~mask) | bits);
    } while (rc == -EAGAIN);
    return rc;
}

int ptwr_write(struct vcpu *v, unsigned long va, unsigned size, u64 value, u64 *expected)
{
    unsigned shift = (va & 7) * 8;
    u64 mask = size == 8 ? ~0UL : ((1UL << size * 8) - 1) << shift;
    if (size == 0 || (va & (size - 1)))
        return -EINVAL;
    struct domain *d = v->domain;
    int rc = -EINVAL;
    spin_lock(&d->mm.page_lock);
    u64 *entry = trapped_entry(v, va);
    if (entry) {
        u64 bits = value << shift & mask;
        if (expected)
            rc = replace(d, entry, mask, bits, expected, shift);
        else
            rc = write_merged(d, entry, (READ_ONCE(*entry) & ~mask) | bits, size == 4 && (va & 4));
    }
    spin_unlock(&d->mm.page_lock);
    return rc;
}
