/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * From a guest's virtual address to its level-1 entry, through the tables of the vCPU's current address space. The
 * page lock keeps the tables as they are meanwhile. A linear mapping makes the walk end in a table of another level:
 * such an entry is no level-1 entry and is not returned.
 */
#include "internal.h"

static const u64 *next_table(u64 entry)
{
    return entry & PTE_P ? maddr_to_virt(entry & PTE_ADDRESS) : NULL;
}

u64 *guest_l1e(struct vcpu *v, unsigned long va)
{
    if (!guest_address_ok(v->domain, va))
        return NULL;
    const u64 *table;
    if (v->is_32bit) {
        table = v->mm.kernel_table.value == INVALID_FRAME ? NULL : mfn_to_virt(v->mm.kernel_table);
    } else {
        mfn_t root = v->kernel_mode ? v->mm.kernel_table : v->mm.user_table;
        table = root.value == INVALID_FRAME ? NULL : next_table(((u64 *)mfn_to_virt(root))[va >> 39 & 511]);
    }
    if (table == NULL || (table = next_table(table[va >> 30 & 511])) == NULL)
        return NULL;
    u64 l2e = table[va >> 21 & 511];
    if ((l2e & PTE_P) == 0 || fw_type(frame_word(pte_mfn(l2e))) != FRAME_L1)
        return NULL;
    return (u64 *)maddr_to_virt(l2e & PTE_ADDRESS) + (va >> 12 & 511);
}

maddr_t guest_l1e_address(struct vcpu *v, unsigned long va)
{
    spin_lock(&v->domain->mm.page_lock);
    u64 *entry = guest_l1e(v, va);
    spin_unlock(&v->domain->mm.page_lock);
    return entry ? virt_to_maddr(entry) : 0;
}
