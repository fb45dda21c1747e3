/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The rules of direct paging: what may be mapped how, when a frame may become a page table and stop being one, what
 * each refusal is called, and that allowed writes to live tables are carried out for the guest.
 */
#include <stdio.h>
#include <string.h>
#include <abi/errno.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/traps.h>
#include "../../guest-pv/core/internal.h"
#include "check.h"
#include "table_calls.h"

#ifdef __x86_64__
#define TOP_LEVEL           4
#define PIN_TOP             MMUEXT_PIN_L4_TABLE
#define HYPERVISOR_HOLE     0xffff830000000000UL
#define FIRST_RESERVED_SLOT 256
#else
#define TOP_LEVEL       3
#define PIN_TOP         MMUEXT_PIN_L3_TABLE
#define HYPERVISOR_HOLE 0xf5c00000UL
#endif

static unsigned long foreign_mfn(void)
{
    unsigned long mfn = 0x1000;

    while (mfn_to_pfn(mfn) != INVALID_P2M)
        mfn++;
    return mfn;
}

static long set_pte(void *addr, pte_t pte)
{
    return HYPERVISOR_update_va_mapping((unsigned long)addr, pte, UVMF_INVLPG);
}

static void drop_table(pte_t *page)
{
    pages_protect(page, 1, true);
    pages_free(page, 1);
}

/* Changes one word of a page that is mapped read-only, while it is no table yet. */
static void poke(pte_t *entry, pte_t value)
{
    void *page = (void *)((unsigned long)entry & PAGE_MASK);

    pages_protect(page, 1, true);
    *entry = value;
    pages_protect(page, 1, false);
}

static void test_leaf(void)
{
    char *page = pages_alloc(1), *other = pages_alloc(1);
    unsigned long mine = virt_to_mfn(page);
    pte_t before = pte_read(page);

    check_group("update_va_mapping");
    CHECK_EQ(set_pte(page, pte_make(virt_to_mfn(other), PTE_KERNEL_RW)), 0, "one frame can replace another");
    CHECK_EQ(set_pte(page, 0), 0, "an entry can be cleared");
    CHECK_EQ(set_pte(page, pte_make(foreign_mfn(), PTE_KERNEL_RW)), -XEN_EBUSY,
             "a frame of nobody cannot be mapped writable");
    CHECK_EQ(set_pte(page, pte_make(foreign_mfn(), PTE_KERNEL_RO)), -XEN_EBUSY, "nor read-only");
    CHECK_EQ(set_pte(page, PTE_ADDR_MASK | PTE_KERNEL_RO), -XEN_EINVAL,
             "an address of ones alone is no frame of anybody");
    CHECK_EQ(pte_read(page), 0, "and a refusal changes nothing");
    CHECK_EQ(set_pte(page, pte_make(mine, PTE_KERNEL_RW | 0xe00)), 0, "the three bits for software are ours");
    CHECK_EQ(pte_read(page) & 0xe00, 0xe00, "and stay");
    CHECK_EQ(set_pte(page, pte_make(mine, PTE_KERNEL_RW | PTE_G)), 0, "the global bit is accepted");
    CHECK_EQ(set_pte(page, pte_make(mine, PTE_KERNEL_RW | PTE_NX)), 0, "no-execute too");
    CHECK_EQ(pte_read(page) >> 63, 1, "and stays");
    CHECK_EQ(set_pte((void *)HYPERVISOR_HOLE, pte_make(mine, PTE_KERNEL_RO)), -XEN_EINVAL,
             "the hypervisor's addresses are not for us");
    CHECK_EQ(set_pte(page, before), 0, "back");
    CHECK(pte_read(page) == before || pte_read(page) == (before & ~(PTE_A | PTE_D)), "as it was");
    pages_free(page, 1);
    pages_free(other, 1);
}

static void test_not_present(void)
{
    char *page = pages_alloc(1);
    pte_t before = pte_read(page);

    check_group("entries that are not present");
    CHECK_EQ(set_pte(page, 0x123456789000ULL), 0, "any value without the present bit is fine");
    CHECK_EQ(pte_read(page) >> 12, 0x123456789ULL, "and kept for us");
    CHECK_EQ(set_pte(page, before), 0, "back");
    pages_free(page, 1);
}

static void test_tables_are_read_only(void)
{
    pte_t *top = (pte_t *)(unsigned long)start_info->pt_base;
    unsigned long mfn = virt_to_mfn(top);
    char *alias = vspace_alloc(1);

    check_group("page tables are never writable");
    CHECK_EQ(set_pte(top, pte_make(mfn, PTE_KERNEL_RW)), -XEN_EBUSY, "the top table cannot be made writable");
    pte_write(alias, pte_make(virt_to_mfn(alias - PAGE_SIZE), 0));
    CHECK(pte_write(alias, pte_make(mfn, PTE_KERNEL_RO)) == 0, "a second read-only mapping is fine");
    CHECK_EQ(((volatile pte_t *)alias)[0], top[0], "and shows the table");
    CHECK(pte_write(alias, pte_make(mfn, PTE_KERNEL_RW)) != 0, "not writable there either");
    pte_write(alias, 0);
    vspace_free(alias, 1);
}

static void test_pinning(void)
{
    pte_t *table = new_table();
    char *page = pages_alloc(1);
    unsigned long mfn = virt_to_mfn(table);

    check_group("pinning");
    CHECK_EQ(ext(MMUEXT_PIN_L1_TABLE, mfn), 0, "an empty page can be pinned as lowest table");
    CHECK_EQ(ext(MMUEXT_PIN_L1_TABLE, mfn), -XEN_EINVAL, "once");
    CHECK_EQ(pages_protect(table, 1, true), -16 /* EBUSY */, "while it is a table nobody can write to it");
    CHECK_EQ(ext(MMUEXT_PIN_L2_TABLE, mfn), -XEN_EINVAL, "nor is it a table of another level");
    CHECK_EQ(update((uint64_t)mfn << 12, pte_make(virt_to_mfn(page), PTE_KERNEL_RW), DOMID_SELF), 0,
             "its entries change by mmu_update");
    CHECK_EQ(table[0] & ~(PTE_A | PTE_D | PTE_G), pte_make(virt_to_mfn(page), PTE_P | PTE_RW | PTE_US),
             "and can be read");
    CHECK_EQ(update((uint64_t)mfn << 12 | 8, pte_make(mfn, PTE_KERNEL_RW), DOMID_SELF), -XEN_EBUSY,
             "an entry that maps the table itself writable is refused");
    CHECK_EQ(update((uint64_t)mfn << 12 | 8, pte_make(mfn, PTE_KERNEL_RO), DOMID_SELF), 0, "read-only it may");
    CHECK_EQ(ext(MMUEXT_UNPIN_TABLE, mfn), 0, "it can be unpinned");
    CHECK_EQ(ext(MMUEXT_UNPIN_TABLE, mfn), -XEN_EINVAL, "once");
    CHECK_EQ(pages_protect(table, 1, true), 0, "and is an ordinary page again");
    CHECK_EQ(ext(MMUEXT_PIN_L1_TABLE, mfn), -XEN_EINVAL, "a page that is mapped writable cannot be pinned");
    pages_free(table, 1);
    pages_free(page, 1);
    CHECK_EQ(ext(MMUEXT_PIN_L1_TABLE, foreign_mfn()), -XEN_EINVAL, "a frame of nobody neither");
    CHECK_EQ(ext(MMUEXT_UNPIN_TABLE, foreign_mfn()), -XEN_EINVAL, "nor unpinned");
}

static void test_bad_contents(void)
{
    pte_t *table = new_table(), *l1 = new_table();
    unsigned long mfn = virt_to_mfn(table);

    check_group("contents of tables are checked");
    poke(&table[17], pte_make(foreign_mfn(), PTE_KERNEL_RW));
    CHECK_EQ(ext(MMUEXT_PIN_L1_TABLE, mfn), -XEN_EBUSY, "one foreign frame spoils the table");
    poke(&table[17], pte_make(mfn, PTE_KERNEL_RW));
    CHECK_EQ(ext(MMUEXT_PIN_L1_TABLE, mfn), -XEN_EBUSY, "so does a writable mapping of itself");
    poke(&table[17], pte_make(virt_to_mfn(l1), PTE_KERNEL_RW | PTE_PSE));
    CHECK_EQ(ext(MMUEXT_PIN_L2_TABLE, mfn), -XEN_EINVAL, "a large page in a middle table");
    poke(&table[17], pte_make(virt_to_mfn(l1), PTE_KERNEL_RW));
    CHECK_EQ(ext(MMUEXT_PIN_L2_TABLE, mfn), 0, "a middle table that names a good lowest table is fine");
    CHECK_EQ(pages_protect(l1, 1, true), -16, "which thereby is a table");
    CHECK_EQ(ext(MMUEXT_PIN_L1_TABLE, virt_to_mfn(l1)), 0, "it can be pinned as well");
    CHECK_EQ(ext(MMUEXT_UNPIN_TABLE, virt_to_mfn(l1)), 0, "and unpinned");
    CHECK_EQ(pages_protect(l1, 1, true), -16, "and still is one, for the table above");
    CHECK_EQ(update((uint64_t)mfn << 12 | 17 * 8, 0, DOMID_SELF), 0, "until that lets go");
    CHECK_EQ(pages_protect(l1, 1, true), 0, "then it is writable again");
    CHECK_EQ(ext(MMUEXT_UNPIN_TABLE, mfn), 0, "the middle table goes too");
    pages_free(l1, 1);
    drop_table(table);
}

static void test_top(void)
{
    pte_t *top = new_table(), *live = (pte_t *)(unsigned long)start_info->pt_base;
    unsigned long mfn = virt_to_mfn(top);

    check_group("top tables");
    pages_protect(top, 1, true);
#ifdef __x86_64__
    memcpy(top, live, 256 * sizeof(*top));
    memcpy(top + 272, live + 272, (512 - 272) * sizeof(*top));
    top[300] = 0;
#else
    memcpy(top, live, 4 * sizeof(*top));
#endif
    pages_protect(top, 1, false);
#ifdef __x86_64__
    CHECK_EQ(ext(PIN_TOP, mfn), 0, "a copy of the top table can be pinned");
    CHECK_EQ(update((uint64_t)mfn << 12 | FIRST_RESERVED_SLOT * 8, 0, DOMID_SELF), -XEN_EINVAL,
             "the hypervisor's entries are not ours to change");
    CHECK_EQ(ext(MMUEXT_NEW_BASEPTR, mfn), 0, "we can run on it");
    CHECK_EQ(ext(MMUEXT_UNPIN_TABLE, mfn), 0, "even when it is not pinned any more");
    CHECK_EQ(pages_protect(top, 1, true), -16, "it stays a table while in use");
    CHECK_EQ(ext(MMUEXT_NEW_BASEPTR, virt_to_mfn(live)), 0, "back to the first");
    CHECK_EQ(pages_protect(top, 1, true), 0, "and now it is free");
    pages_free(top, 1);
#else
    /* The table that maps the hypervisor may be in one address space only: take it out of the copy. */
    poke(&top[3], 0);
    CHECK(ext(PIN_TOP, mfn) < 0, "a top table without the entry for the hypervisor's area is refused");
    drop_table(top);
#endif
    CHECK_EQ(ext(MMUEXT_NEW_BASEPTR, foreign_mfn()), -XEN_EINVAL, "a frame of nobody is no address space");
}

static void test_batches(void)
{
    char *pages = pages_alloc(3);
    struct mmu_update batch[3];
    unsigned int done = 77;

    check_group("batches");
    for (int i = 0; i < 3; i++) {
        batch[i].ptr = pte_slot(pages + (unsigned long)i * PAGE_SIZE);
        batch[i].val = pte_make(virt_to_mfn(pages + (unsigned long)i * PAGE_SIZE), PTE_KERNEL_RO);
    }
    CHECK_EQ(HYPERVISOR_mmu_update(batch, 3, &done, DOMID_SELF), 0, "three entries in one call");
    CHECK_EQ(done, 3, "and all are counted");
    batch[1].val = pte_make(foreign_mfn(), PTE_KERNEL_RO);
    batch[0].val |= PTE_RW;
    batch[2].val |= PTE_RW;
    CHECK_EQ(HYPERVISOR_mmu_update(batch, 3, &done, DOMID_SELF), -XEN_EBUSY, "the error of the second ends the batch");
    CHECK_EQ(done, 1, "after one");
    CHECK(pte_read(pages) & PTE_RW, "the first is done");
    CHECK(!(pte_read(pages + 2 * PAGE_SIZE) & PTE_RW), "the third is not");
    batch[1].val = pte_make(virt_to_mfn(pages + PAGE_SIZE), PTE_KERNEL_RW);
    CHECK_EQ(HYPERVISOR_mmu_update(batch, 3, NULL, DOMID_SELF), 0, "the count need not be asked for");
    CHECK_EQ(HYPERVISOR_mmu_update(batch, 0, &done, DOMID_SELF), 0, "an empty batch is fine");
    CHECK_EQ(HYPERVISOR_mmu_update((void *)HYPERVISOR_HOLE, 1, &done, DOMID_SELF), -XEN_EFAULT,
             "a list we may not read is EFAULT");
    CHECK_EQ(update(pte_slot(pages), 0, 0x7123), -XEN_ESRCH, "a domain that does not exist is ESRCH");
    CHECK_EQ(update((uint64_t)virt_to_mfn(pages) << 12, 0, DOMID_SELF), 0,
             "a page that is no table is simply written to");
    tlb_flush_range((unsigned long)pages, 3);
    pages_free(pages, 3);
}

static void test_accessed_dirty(void)
{
    char *page = pages_alloc(1);
    uint64_t slot = pte_slot(page);
    pte_t plain = pte_make(virt_to_mfn(page), PTE_P | PTE_RW | PTE_US);

    check_group("accessed and dirty");
    *(volatile char *)page = 1;
    CHECK_EQ(pte_read(page) & (PTE_A | PTE_D), PTE_A | PTE_D, "the processor marks what is used");
    CHECK_EQ(update(slot | MMU_PT_UPDATE_PRESERVE_AD, plain, DOMID_SELF), 0, "an update that keeps the marks");
    CHECK_EQ(pte_read(page) & (PTE_A | PTE_D), PTE_A | PTE_D, "does");
    CHECK_EQ(update(slot, plain, DOMID_SELF), 0, "an ordinary one");
    CHECK_EQ(pte_read(page) & (PTE_A | PTE_D), 0, "does not");
    tlb_flush_range((unsigned long)page, 1);
    pages_free(page, 1);
}

static void test_machphys(void)
{
    char *page = pages_alloc(1);
    unsigned long mfn = virt_to_mfn(page), pfn = virt_to_pfn(page);
    const unsigned long *m2p = (const unsigned long *)MACH2PHYS_VIRT_START;

    check_group("machine to physical");
    CHECK_EQ(m2p[mfn], pfn, "the table knows our frame");
    CHECK_EQ(update((uint64_t)mfn << 12 | MMU_MACHPHYS_UPDATE, 0x55, DOMID_SELF), 0, "we can change its entry");
    CHECK_EQ(m2p[mfn], 0x55, "and see it");
    CHECK_EQ(update((uint64_t)mfn << 12 | MMU_MACHPHYS_UPDATE, pfn, DOMID_SELF), 0, "back");
    CHECK_EQ(update((uint64_t)foreign_mfn() << 12 | MMU_MACHPHYS_UPDATE, 0x55, DOMID_SELF), -XEN_EINVAL,
             "not that of a frame of nobody");
    CHECK(!probe_write((void *)&m2p[mfn], 1), "it cannot be written directly");
    pages_free(page, 1);
}

struct live_write {
    volatile pte_t *entry;
    pte_t value;
};

static void write_plain(void *arg)
{
    struct live_write *w = arg;

#ifdef __x86_64__
    *w->entry = w->value;
#else
    volatile uint32_t *half = (volatile uint32_t *)w->entry;

    /* Not present in between. */
    half[0] = 0;
    half[1] = (uint32_t)(w->value >> 32);
    half[0] = (uint32_t)w->value;
#endif
}

static void write_exchange(void *arg)
{
    struct live_write *w = arg;

#ifdef __x86_64__
    w->value = __atomic_exchange_n(w->entry, w->value, __ATOMIC_SEQ_CST);
#else
    w->value = __atomic_exchange_n((volatile uint32_t *)w->entry, (uint32_t)w->value, __ATOMIC_SEQ_CST);
#endif
}

/* 64-bit: cmpxchg; 32-bit: cmpxchg8b. */
static void write_compare(void *arg)
{
    struct live_write *w = arg;
    pte_t old = *w->entry;

#ifdef __x86_64__
    __asm__ volatile("lock cmpxchg %2, %1" : "+a"(old), "+m"(*w->entry) : "r"(w->value) : "cc");
#else
    __asm__ volatile("lock cmpxchg8b %1"
                     : "+A"(old), "+m"(*w->entry)
                     : "b"((uint32_t)w->value), "c"((uint32_t)(w->value >> 32))
                     : "cc");
#endif
}

static void write_bits(void *arg)
{
    struct live_write *w = arg;

    __asm__ volatile("lock btrl $1, %0" : "+m"(*(volatile uint32_t *)w->entry)::"cc");
    __asm__ volatile("lock orl $0x200, %0" : "+m"(*(volatile uint32_t *)w->entry)::"cc");
    __asm__ volatile("lock andl $0xfffffdff, %0" : "+m"(*(volatile uint32_t *)w->entry)::"cc");
    __asm__ volatile("lock btsl $1, %0" : "+m"(*(volatile uint32_t *)w->entry)::"cc");
}

static void test_live_writes(void)
{
    char *page = pages_alloc(1), *other = pages_alloc(1);
    struct live_write w;
    struct fault fault;
    pte_t original = pte_read(page);
    const pte_t flags = PTE_P | PTE_RW | PTE_US;

    check_group("writes to live tables");
    w.entry = (volatile pte_t *)(pfn_to_virt(mfn_to_pfn((unsigned long)(pte_slot(page) >> 12)))) +
              ((pte_slot(page) & 0xfff) / sizeof(pte_t));
    w.value = pte_make(virt_to_mfn(other), PTE_KERNEL_RW);
    CHECK_EQ(fault_catch(write_plain, &w, &fault), pv_is_dom0(),
             "a plain write is carried out for dom0 alone, unasked");
    CHECK_EQ(HYPERVISOR_vm_assist(VMASST_CMD_enable, VMASST_TYPE_writable_pagetables), 0,
             "the assist can be switched on");
    strcpy(other, "other");
    CHECK(fault_catch(write_plain, &w, &fault), "and then it is for everybody");
    tlb_flush_range((unsigned long)page, 1);
    CHECK(strcmp(page, "other") == 0, "and the mapping is the new one");
    w.value = pte_make(virt_to_mfn(other), flags);
    CHECK(fault_catch(write_exchange, &w, &fault), "so is an exchange");
    CHECK_EQ(w.value & PTE_P, PTE_P, "which returns the old entry");
    w.value = pte_make(virt_to_mfn(other), PTE_KERNEL_RO);
    CHECK(fault_catch(write_compare, &w, &fault), "a compare and exchange");
    tlb_flush_range((unsigned long)page, 1);
    CHECK(!probe_write(page, 1), "and the page is read-only");
    w.value = pte_make(virt_to_mfn(other), PTE_KERNEL_RW);
    CHECK(fault_catch(write_compare, &w, &fault), "and back");
    CHECK(fault_catch(write_bits, &w, &fault), "locked bit operations");
    tlb_flush_range((unsigned long)page, 1);
    CHECK(probe_write(page, 1), "and it is writable");
    w.value = pte_make(foreign_mfn(), PTE_KERNEL_RW);
    CHECK(!fault_catch(write_compare, &w, &fault) && fault.vector == TRAP_PF, "a frame of nobody is a page fault");
    CHECK_EQ(fault.error, 3, "that looks like any write to a read-only page");
    CHECK_EQ(HYPERVISOR_vm_assist(VMASST_CMD_disable, VMASST_TYPE_writable_pagetables), 0,
             "the assist can be switched off");
    w.value = pte_make(virt_to_mfn(other), PTE_KERNEL_RW);
    CHECK_EQ(fault_catch(write_plain, &w, &fault), pv_is_dom0(), "and a guest's writes fault again");
    set_pte(page, original);
    pages_free(page, 1);
    pages_free(other, 1);
}

static void test_extended(void)
{
    char *page = pages_alloc(1), *other = pages_alloc(1);
    struct mmuext_op op;
    unsigned int done = 0;

    check_group("mmuext_op");
    strcpy(page, "text");
    CHECK_EQ(ext(MMUEXT_CLEAR_PAGE, virt_to_mfn(page)), 0, "a page can be cleared");
    CHECK_EQ(page[0], 0, "and is");
    strcpy(page, "text");
    op = (struct mmuext_op){.cmd = MMUEXT_COPY_PAGE, .arg1.mfn = virt_to_mfn(other), .arg2.src_mfn = virt_to_mfn(page)};
    CHECK_EQ(HYPERVISOR_mmuext_op(&op, 1, &done, DOMID_SELF), 0, "and copied");
    CHECK(strcmp(other, "text") == 0, "into the other");
    CHECK_EQ(ext(MMUEXT_CLEAR_PAGE, foreign_mfn()), -XEN_EINVAL, "not a frame of nobody");
    CHECK_EQ(ext(MMUEXT_CLEAR_PAGE, virt_to_mfn((void *)(unsigned long)start_info->pt_base)), -XEN_EINVAL,
             "nor a table");
    CHECK_EQ(ext(999, 0), -XEN_ENOSYS, "an unknown operation is ENOSYS");
    CHECK_EQ(ext(MMUEXT_TLB_FLUSH_LOCAL, 0), 0, "local flush");
    CHECK_EQ(ext(MMUEXT_TLB_FLUSH_ALL, 0), 0, "flush everywhere");
    op = (struct mmuext_op){.cmd = MMUEXT_INVLPG_ALL, .arg1.linear_addr = (unsigned long)page};
    CHECK_EQ(HYPERVISOR_mmuext_op(&op, 1, &done, DOMID_SELF), 0, "one address everywhere");
    CHECK_EQ(ext(MMUEXT_NEW_BASEPTR, virt_to_mfn((void *)(unsigned long)start_info->pt_base)), 0,
             "switching to where we are");
    CHECK_EQ(HYPERVISOR_mmuext_op(&op, 1, &done, 0x7123), -XEN_ESRCH, "a domain that does not exist is ESRCH");
    pages_free(page, 1);
    pages_free(other, 1);
}

int main(int argc, char **argv)
{
    test_leaf();
    test_not_present();
    test_tables_are_read_only();
    test_pinning();
    test_bad_contents();
    test_top();
    test_batches();
    test_accessed_dirty();
    test_machphys();
    test_live_writes();
    test_extended();
    check_summary("mmu");
    return 0;
}
