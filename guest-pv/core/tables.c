/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The live page tables. We read them where they are (each table is a frame of ours, mapped read-only at its place in
 * the direct mapping) and change them by hypercall only. A table, once built, stays until the domain ends.
 */
#include <errno.h>
#include <string.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include "internal.h"

#define ENTRIES 512UL

#ifdef __x86_64__
#define TOP_LEVEL 4
#else
#define TOP_LEVEL 3
#endif

static unsigned int index_at(unsigned long va, unsigned int level)
{
    return (unsigned int)((va >> (PAGE_SHIFT + 9 * (level - 1))) & (ENTRIES - 1));
}

/* The table of the given level that covers va, or NULL. */
static const pte_t *table_at(unsigned long va, unsigned int level)
{
    const pte_t *table = (const pte_t *)(unsigned long)start_info->pt_base;

    for (unsigned int l = TOP_LEVEL; l > level; l--) {
        pte_t entry = ((const volatile pte_t *)table)[index_at(va, l)];
        unsigned long pfn;

        if (!(entry & PTE_P) || (l <= 3 && (entry & PTE_PSE)))
            return NULL;
        pfn = mfn_to_pfn(pte_mfn(entry));
        if (pfn == INVALID_P2M)
            return NULL;
        table = (const pte_t *)(pfn << PAGE_SHIFT);
    }
    return table;
}

static uint64_t entry_maddr(const pte_t *entry)
{
    unsigned long mfn = pfn_to_mfn((unsigned long)entry >> PAGE_SHIFT);

    return ((uint64_t)mfn << PAGE_SHIFT) | ((unsigned long)entry & (PAGE_SIZE - 1));
}

pte_t pte_read(const void *addr)
{
    const pte_t *table = table_at((unsigned long)addr, 1);

    return table != NULL ? ((const volatile pte_t *)table)[index_at((unsigned long)addr, 1)] : 0;
}

uint64_t pte_slot(const void *addr)
{
    const pte_t *table = table_at((unsigned long)addr, 1);

    return table != NULL ? entry_maddr(&table[index_at((unsigned long)addr, 1)]) : 0;
}

unsigned long virt_to_mfn(const void *addr)
{
    pte_t pte = pte_read(addr);

    return pte & PTE_P ? pte_mfn(pte) : INVALID_P2M;
}

bool table_present(unsigned long va, unsigned int level)
{
    return table_at(va, level) != NULL;
}

/* Makes the page a table of `level` covering va. It must hold its entries already and be mapped nowhere else. */
int table_install(unsigned long va, unsigned int level, unsigned long mfn)
{
    const pte_t *above = table_at(va, level + 1);
    unsigned long pfn = mfn_to_pfn(mfn);
    struct mmu_update update;
    unsigned int done;
    long rc;

    if (above == NULL || pfn == INVALID_P2M)
        return -EINVAL;
    rc = HYPERVISOR_update_va_mapping(pfn << PAGE_SHIFT, pte_make(mfn, PTE_KERNEL_RO), UVMF_INVLPG);
    if (rc != 0)
        return (int)pv_error(rc);
    update.ptr = entry_maddr(&above[index_at(va, level + 1)]) | MMU_NORMAL_PT_UPDATE;
    /* The four entries of a PAE top table know no access rights. */
    update.val = pte_make(mfn, TOP_LEVEL == 3 && level == 2 ? PTE_P : PTE_KERNEL_RW);
    return (int)pv_error(HYPERVISOR_mmu_update(&update, 1, &done, DOMID_SELF));
}

/* Builds the tables above and including level `lowest` that va lacks. */
int tables_build(unsigned long va, unsigned int lowest)
{
    for (unsigned int level = TOP_LEVEL - 1; level >= lowest; level--) {
        void *page;
        int rc;

        if (table_present(va, level))
            continue;
        page = table_page_alloc();
        if (page == NULL)
            return -ENOMEM;
        rc = table_install(va, level, virt_to_mfn(page));
        if (rc != 0) {
            table_page_free(page);
            return rc;
        }
    }
    return 0;
}

int pte_write(void *addr, pte_t pte)
{
    int rc = pte & PTE_P ? tables_build((unsigned long)addr, 1) : 0;

    if (rc != 0)
        return rc;
    return (int)pv_error(HYPERVISOR_update_va_mapping((unsigned long)addr, pte, UVMF_INVLPG));
}

int pages_protect(void *addr, unsigned long count, bool writable)
{
    for (unsigned long i = 0; i < count; i++) {
        char *page = (char *)addr + i * PAGE_SIZE;
        pte_t pte = pte_read(page);
        int rc;

        if (!(pte & PTE_P))
            return -EFAULT;
        pte = writable ? pte | PTE_RW : pte & ~PTE_RW;
        rc = pte_write(page, pte);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* Past a few pages one full flush of this vCPU costs less than naming each address. */
void tlb_flush_range(unsigned long va, unsigned long pages)
{
    struct mmuext_op ops[8];
    unsigned int count = 0, done;

    if (pages > ARRAY_SIZE(ops)) {
        ops[count++].cmd = MMUEXT_TLB_FLUSH_LOCAL;
    } else {
        for (; count < pages; count++) {
            ops[count].cmd = MMUEXT_INVLPG_LOCAL;
            ops[count].arg1.linear_addr = va + count * PAGE_SIZE;
        }
    }
    if (HYPERVISOR_mmuext_op(ops, count, &done, DOMID_SELF) != 0)
        pv_panic("TLB flush of %lx refused\n", va);
}
