/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Address spaces of three levels as 32-bit Linux makes them: a page of its own for each top table, with a private copy
 * of the directory that the hypervisor shares, tables that are pinned while they are in use or used before they are
 * pinned, and entries that are stored by halves.
 */
#include <string.h>
#include <abi/errno.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/traps.h>
#include "check.h"
#include "table_calls.h"

#define SHARED_SLOT    3
#define RESERVED_ENTRY ((MACH2PHYS_VIRT_START >> 21) & 511)
#define KERNEL_HOLE    0xd0000000UL /* in the shared directory, mapped by nobody */
#define USER_HOLE      0x80000000UL
#define PTE_TABLE      (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)

static const unsigned long *const m2p = (const unsigned long *)MACH2PHYS_VIRT_START;

struct space {
    pte_t *top, *shared; /* the shared slot's directory is a copy of ours */
};

static pte_t *table_of(pte_t entry)
{
    return pfn_to_virt(mfn_to_pfn(pte_mfn(entry)));
}

static pte_t *live_top(void)
{
    return (pte_t *)(unsigned long)start_info->pt_base;
}

static long set_entry(const pte_t *table, unsigned int index, pte_t value)
{
    struct mmu_update request = {.ptr = (uint64_t)virt_to_mfn(table) << PAGE_SHIFT | index * sizeof(pte_t),
                                 .val = value};
    unsigned int done;

    return HYPERVISOR_mmu_update(&request, 1, &done, DOMID_SELF);
}

static pte_t *empty_table(void)
{
    pte_t *table = pages_alloc(1);

    memset(table, 0, PAGE_SIZE);
    return table;
}

/* As for a new process: the entries of the hypervisor's area are copied with the rest. */
static struct space make_space(void)
{
    struct space s = {.top = empty_table(), .shared = pages_alloc(1)};

    memcpy(s.shared, table_of(live_top()[SHARED_SLOT]), PAGE_SIZE);
    for (int i = 0; i < SHARED_SLOT; i++)
        s.top[i] = live_top()[i];
    s.top[SHARED_SLOT] = pte_make(virt_to_mfn(s.shared), PTE_P);
    CHECK_EQ(pages_protect(s.shared, 1, false), 0, "the directory becomes read-only");
    CHECK_EQ(pages_protect(s.top, 1, false), 0, "so does the top table");
    return s;
}

static void drop_space(struct space s)
{
    CHECK_EQ(pages_protect(s.top, 1, true), 0, "the top table is an ordinary page again");
    CHECK_EQ(pages_protect(s.shared, 1, true), 0, "so is the copied directory");
    pages_free(s.top, 1);
    pages_free(s.shared, 1);
}

static void test_copied_directory(void)
{
    struct space s;

    check_group("a copy of the directory that holds the hypervisor");
    CHECK(table_of(live_top()[SHARED_SLOT])[RESERVED_ENTRY] & PTE_P, "its reserved entries can be read");
    s = make_space();
    CHECK_EQ(ext(MMUEXT_PIN_L3_TABLE, virt_to_mfn(s.top)), 0, "what stood in reserved entries is no obstacle");
    CHECK_EQ(ext(MMUEXT_NEW_BASEPTR, virt_to_mfn(s.top)), 0, "we can run on it");
    CHECK_EQ(m2p[virt_to_mfn(s.top)], virt_to_pfn(s.top), "and see the machine-to-physical table there");
    CHECK_EQ(set_entry(s.shared, RESERVED_ENTRY, 0), -XEN_EPERM, "whose entries are not ours to change");
    CHECK_EQ(set_entry(s.top, SHARED_SLOT, 0), -XEN_EINVAL, "nor is the one that leads there");
    CHECK_EQ(set_entry(s.top, 4, 0), -XEN_EINVAL, "a top table has four entries");
    CHECK_EQ(ext(MMUEXT_NEW_BASEPTR, virt_to_mfn(live_top())), 0, "back");
    CHECK_EQ(ext(MMUEXT_UNPIN_TABLE, virt_to_mfn(s.top)), 0, "it is unpinned");
    drop_space(s);
}

static void test_use_before_pin(void)
{
    struct space s;

    check_group("a top table that is used before it is pinned");
    s = make_space();
    CHECK_EQ(ext(MMUEXT_NEW_BASEPTR, virt_to_mfn(s.top)), 0, "used");
    CHECK_EQ(ext(MMUEXT_PIN_L3_TABLE, virt_to_mfn(s.top)), 0, "then pinned");
    CHECK_EQ(ext(MMUEXT_UNPIN_TABLE, virt_to_mfn(s.top)), 0, "then unpinned, still in use");
    CHECK_EQ(pages_protect(s.shared, 1, true), -XEN_EBUSY, "its tables are tables");
    CHECK_EQ(ext(MMUEXT_NEW_BASEPTR, virt_to_mfn(live_top())), 0, "until it is left");
    drop_space(s);
}

/* One call makes the page read-only and pins it, as Linux does for each new lowest table of a pinned address space. */
static long adopt_lowest(pte_t *table)
{
    uint64_t entry = pte_make(virt_to_mfn(table), PTE_KERNEL_RO);
    struct mmuext_op op = {.cmd = MMUEXT_PIN_L1_TABLE, .arg1.mfn = virt_to_mfn(table)};
    struct multicall_entry calls[2] = {
        {.op = __HYPERVISOR_update_va_mapping, .args = {(unsigned long)table, (unsigned long)entry, entry >> 32, 0}},
        {.op = __HYPERVISOR_mmuext_op, .args = {(unsigned long)&op, 1, 0, DOMID_SELF}},
    };
    long rc = HYPERVISOR_multicall(calls, 2);

    return rc ? rc : calls[0].result ? (long)calls[0].result : (long)calls[1].result;
}

static long release_lowest(pte_t *table)
{
    long rc = ext(MMUEXT_UNPIN_TABLE, virt_to_mfn(table));

    return rc ? rc : pages_protect(table, 1, true);
}

static void test_growing(void)
{
    pte_t *lowest = empty_table(), *directory = empty_table();
    char *page = pages_alloc(1);
    struct space s;

    check_group("an address space that grows while it is in use");
    strcpy(page, "mapped");
    s = make_space();
    CHECK_EQ(ext(MMUEXT_PIN_L3_TABLE, virt_to_mfn(s.top)), 0, "pinned");
    CHECK_EQ(ext(MMUEXT_NEW_BASEPTR, virt_to_mfn(s.top)), 0, "in use");
    CHECK_EQ(adopt_lowest(lowest), 0, "a lowest table is made read-only and pinned by one multicall");
    CHECK_EQ(set_entry(lowest, 0, pte_make(virt_to_mfn(page), PTE_KERNEL_RW)), 0, "gets an entry");
    CHECK_EQ(set_entry(s.shared, (KERNEL_HOLE >> 21) & 511, pte_make(virt_to_mfn(lowest), PTE_TABLE)), 0,
             "and a place in the kernel's part");
    CHECK(strcmp((char *)KERNEL_HOLE, "mapped") == 0, "where its page is seen at once");
    CHECK_EQ(pages_protect(directory, 1, false), 0, "a directory");
    CHECK_EQ(set_entry(s.top, USER_HOLE >> 30, pte_make(virt_to_mfn(directory), PTE_P)), 0,
             "takes a place in the live top table");
    CHECK_EQ(set_entry(directory, 0, pte_make(virt_to_mfn(lowest), PTE_TABLE)), 0, "the lowest one a second place");
    ext(MMUEXT_TLB_FLUSH_LOCAL, 0);
    CHECK(strcmp((char *)USER_HOLE, "mapped") == 0, "and the page is seen there too");
    CHECK_EQ(set_entry(s.top, USER_HOLE >> 30, 0), 0, "the top table lets go of it");
    CHECK_EQ(ext(MMUEXT_NEW_BASEPTR, virt_to_mfn(live_top())), 0, "back");
    CHECK(!probe_write((void *)KERNEL_HOLE, 1) && !probe_write((void *)USER_HOLE, 1), "where neither is mapped");
    CHECK_EQ(ext(MMUEXT_UNPIN_TABLE, virt_to_mfn(s.top)), 0, "unpinned");
    CHECK_EQ(pages_protect(directory, 1, true), 0, "the directory is free");
    drop_space(s);
    CHECK_EQ(release_lowest(lowest), 0, "and the lowest table last");
    pages_free(lowest, 1);
    pages_free(directory, 1);
    pages_free(page, 1);
}

struct halves {
    volatile uint32_t *word;
    pte_t value;
    uint32_t seen;
};

/* As ptep_get_and_clear: the lower half by an exchange, then the upper by a store. */
static void take(void *arg)
{
    struct halves *h = arg;

    h->seen = __atomic_exchange_n(&h->word[0], 0, __ATOMIC_SEQ_CST);
    h->word[1] = 0;
}

static void put(void *arg)
{
    struct halves *h = arg;

    h->word[1] = (uint32_t)(h->value >> 32);
    h->word[0] = (uint32_t)h->value;
}

static void upper_first(void *arg)
{
    struct halves *h = arg;

    h->word[1] = 0xfffff; /* no frame is there, while the lower half says present */
    h->word[1] = 0;
    h->word[0] = (uint32_t)h->value;
}

static void test_halves(void)
{
    char *page = pages_alloc(1);
    struct halves h = {.value = pte_make(virt_to_mfn(page), PTE_KERNEL_RW)};
    uint64_t slot = pte_slot(page);
    struct fault fault;

    check_group("entries stored by halves");
    h.word = (volatile uint32_t *)(table_of(slot) + (slot & 0xfff) / sizeof(pte_t));
    strcpy(page, "before");
    CHECK_EQ(HYPERVISOR_vm_assist(VMASST_CMD_enable, VMASST_TYPE_writable_pagetables), 0,
             "the kernel may write to them");
    CHECK(fault_catch(take, &h, &fault), "an entry is taken");
    CHECK_EQ(h.seen & ~0xfffUL, (uint32_t)h.value & ~0xfffUL, "which gives what it was");
    CHECK_EQ(pte_read(page), 0, "and nothing is left");
    CHECK(fault_catch(put, &h, &fault), "and put back, its upper half first");
    CHECK(strcmp(page, "before") == 0, "with what it maps");
    CHECK(fault_catch(upper_first, &h, &fault), "a present one whose upper half is nonsense for a moment");
    CHECK_EQ(pte_read(page) & ~(PTE_A | PTE_D), h.value & ~(PTE_A | PTE_D), "is whole again after the lower one");
    CHECK(strcmp(page, "before") == 0, "and maps the page");
    pages_free(page, 1);
}

int main(int argc, char **argv)
{
    test_copied_directory();
    test_use_before_pin();
    test_growing();
    test_halves();
    return check_summary("pae") ? 1 : 0;
}
