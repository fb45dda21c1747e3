/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The rows of page tables: single entries, batches, whole tables, base registers, the TLB.
 */
#include <pv/paging.h>
#include "bench.h"

static long set_mapping(void *va, pte_t pte, unsigned long flags)
{
#ifdef __x86_64__
    return pv_hypercall3(__HYPERVISOR_update_va_mapping, (unsigned long)va, pte, flags);
#else
    return pv_hypercall4(__HYPERVISOR_update_va_mapping, (unsigned long)va, (unsigned long)pte,
                         (unsigned long)(pte >> 32), flags);
#endif
}

static void entry_rows(void)
{
    void *va = vspace_alloc(1), *a = pages_alloc(1), *b = pages_alloc(1);
    pte_t pte_a = pte_make(virt_to_mfn(a), PTE_KERNEL_RW), pte_b = pte_make(virt_to_mfn(b), PTE_KERNEL_RW);
    int turn = 0;

    pte_write(va, pte_a);
    ROW("update_va_mapping.noflush.A<->B", set_mapping(va, (turn ^= 1) ? pte_b : pte_a, UVMF_NONE));
    ROW("update_va_mapping.noflush.same", set_mapping(va, pte_a, UVMF_NONE));
    ROW("update_va_mapping.noflush.rw<->ro", set_mapping(va, (turn ^= 1) ? pte_a & ~PTE_RW : pte_a, UVMF_NONE));
    ROW("update_va_mapping.invlpg.A<->B", set_mapping(va, (turn ^= 1) ? pte_b : pte_a, UVMF_INVLPG));
    ROW("update_va_mapping.noflush.map<->0", set_mapping(va, (turn ^= 1) ? 0 : pte_a, UVMF_NONE));
    struct mmu_update update = {.ptr = pte_slot(va), .val = pte_a};
    ROW("mmu_update.1pte.A<->B", (update.val = (turn ^= 1) ? pte_b : pte_a,
                                  pv_hypercall4(__HYPERVISOR_mmu_update, (unsigned long)&update, 1, 0, DOMID_SELF)));
    update.ptr |= MMU_PT_UPDATE_PRESERVE_AD;
    ROW("mmu_update.1pte.preserve_ad",
        (update.val = (turn ^= 1) ? pte_b : pte_a,
         pv_hypercall4(__HYPERVISOR_mmu_update, (unsigned long)&update, 1, 0, DOMID_SELF)));
    struct mmuext_op op = {.cmd = MMUEXT_TLB_FLUSH_LOCAL};
    ROW("mmuext.tlb_flush_local", pv_hypercall4(__HYPERVISOR_mmuext_op, (unsigned long)&op, 1, 0, DOMID_SELF));
    op.cmd = MMUEXT_INVLPG_LOCAL;
    op.arg1.linear_addr = (unsigned long)va;
    ROW("mmuext.invlpg_local", pv_hypercall4(__HYPERVISOR_mmuext_op, (unsigned long)&op, 1, 0, DOMID_SELF));
}

static void change_all(struct mmu_update *batch, const pte_t *values, unsigned first)
{
    for (unsigned i = 0; i < 32; i++)
        batch[i].val = values[first + i];
    pv_hypercall4(__HYPERVISOR_mmu_update, (unsigned long)batch, 32, 0, DOMID_SELF);
}

/* Whole tables, batches and base registers. */
static void table_rows(void)
{
    static struct mmu_update batch[32];
    static struct mmuext_op ops[2];
    pte_t *table = pages_alloc(1);
    char *pages = pages_alloc(64), *va = vspace_alloc(32);
    static pte_t values[64];
    unsigned long mfn = virt_to_mfn(table);
    unsigned turn = 0;

    for (unsigned i = 0; i < 32; i++) {
        pte_write(va + i * PAGE_SIZE, pte_make(virt_to_mfn(pages + i * PAGE_SIZE), PTE_KERNEL_RW));
        batch[i].ptr = pte_slot(va + i * PAGE_SIZE);
    }
    for (unsigned i = 0; i < 64; i++)
        values[i] = pte_make(virt_to_mfn(pages + i * PAGE_SIZE), PTE_KERNEL_RW);
    ROW("mmu_update.batch32(per_call)", change_all(batch, values, turn ^= 32));
    ops[0].cmd = MMUEXT_NEW_BASEPTR;
    ops[0].arg1.mfn = virt_to_mfn((void *)(unsigned long)start_info->pt_base);
    ROW("mmuext.new_baseptr.same", pv_hypercall4(__HYPERVISOR_mmuext_op, (unsigned long)ops, 1, 0, DOMID_SELF));
    pages_protect(table, 1, false);
    ops[0] = (struct mmuext_op){.cmd = MMUEXT_PIN_L1_TABLE, .arg1.mfn = mfn};
    ops[1] = (struct mmuext_op){.cmd = MMUEXT_UNPIN_TABLE, .arg1.mfn = mfn};
    ROW_OF("mmuext.pin+unpin_L1.empty(2 calls)", 50,
           (pv_hypercall4(__HYPERVISOR_mmuext_op, (unsigned long)&ops[0], 1, 0, DOMID_SELF),
            pv_hypercall4(__HYPERVISOR_mmuext_op, (unsigned long)&ops[1], 1, 0, DOMID_SELF)));
    ROW_OF("mmuext.pin+unpin_L1.empty(1 call)", 50,
           pv_hypercall4(__HYPERVISOR_mmuext_op, (unsigned long)ops, 2, 0, DOMID_SELF));
    pages_protect(table, 1, true);
    for (unsigned i = 0; i < 512; i++)
        table[i] = pte_make(virt_to_mfn(pages + i % 64 * PAGE_SIZE), PTE_KERNEL_RW);
    pages_protect(table, 1, false);
    ROW_OF("mmuext.pin+unpin_L1.512ptes(1 call)", 50,
           pv_hypercall4(__HYPERVISOR_mmuext_op, (unsigned long)ops, 2, 0, DOMID_SELF));
}

void bench_mapping(void)
{
    entry_rows();
    table_rows();
}
