/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a kernel finds when it starts: the rights of each part of its first address space, the order and the sizes of
 * these parts, the fields of start_info. Compared with genuine Xen, since a kernel builds on all of it before it can
 * report that something is amiss.
 */
#include <stdio.h>
#include <string.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/pv.h>
#include "check.h"

#define TOP_LEVEL   (sizeof(long) == 8 ? 4U : 3U)
#define FLAGS       (~PTE_ADDR_MASK & ~PTE_D) /* a page becomes dirty by being used */
#define PAGE_MARGIN (512UL << 10)

extern char _text[], _end[];

static void note(const char *what, const char *which, unsigned long long value)
{
    static char text[80];

    sprintf(text, "%s: %s", what, which);
    CHECK_SAME(value, text);
}

static const pte_t *table_of(pte_t entry)
{
    return (const pte_t *)(mfn_to_pfn(pte_mfn(entry)) << PAGE_SHIFT);
}

/* A page of the kernel's without the user bit keeps programs out, and its entries tell the levels of the tables. */
static void check_rights(const char *name, unsigned long va)
{
    static const char *const level_names[] = {"", "level 1", "level 2", "level 3", "level 4"};
    const pte_t *table = (const pte_t *)(unsigned long)start_info->pt_base;

    for (unsigned int level = TOP_LEVEL; level >= 1; level--) {
        pte_t entry = table[va >> (PAGE_SHIFT + 9 * (level - 1)) & 511];

        note(name, level_names[level], entry & FLAGS);
        if (!(entry & PTE_P))
            return;
        table = level > 1 ? table_of(entry) : NULL;
    }
}

static unsigned long behind_tables(void)
{
    return (unsigned long)start_info->pt_base + (unsigned long)start_info->nr_pt_frames * PAGE_SIZE;
}

static void test_rights(void)
{
    check_group("rights of the first pages");
    check_rights("the kernel's code", (unsigned long)_text);
    check_rights("the top page table", (unsigned long)start_info->pt_base);
    check_rights("the last page table", behind_tables() - PAGE_SIZE);
    check_rights("start_info", (unsigned long)start_info);
    check_rights("the boot stack", behind_tables());
    check_rights("the list of frames", (unsigned long)start_info->mfn_list);
}

static unsigned long page_of(unsigned long address)
{
    return address & PAGE_MASK;
}

/* The order is the interface's promise; a kernel takes what lies behind the last part as free. */
static void test_order(void)
{
    unsigned long list = (unsigned long)start_info->mfn_list, info = (unsigned long)start_info;
    unsigned long list_bytes = start_info->nr_pages * sizeof(long), tables = (unsigned long)start_info->pt_base;

    check_group("order of the first pages");
    CHECK(page_of(list) == list, "the list of frames begins a page");
    CHECK(list >= (unsigned long)_end, "behind the kernel");
    CHECK_EQ(info, page_of(list + list_bytes + PAGE_SIZE - 1), "start_info is the page behind the list");
    CHECK(tables > info, "page tables come behind start_info");
    CHECK(tables % PAGE_SIZE == 0, "page tables begin a page");
    CHECK(pte_read((void *)(behind_tables() + PAGE_MARGIN)) & PTE_P, "half a mebibyte behind the boot stack is mapped");
    for (unsigned long va = tables; va < behind_tables(); va += PAGE_SIZE)
        if (pte_read((void *)va) & PTE_RW)
            CHECK(false, "no page table is writable");
}

static void test_start_info(void)
{
    check_group("start_info");
    CHECK(strncmp((const char *)start_info->magic, "xen-3.0-x86_", 12) == 0, "the magic names the interface");
    note("start_info", "width", (unsigned char)start_info->magic[12]);
    note("start_info", "paging", (unsigned char)start_info->magic[14]);
    note("start_info", "flags", start_info->flags);
    note("start_info", "module", start_info->mod_len);
    note("start_info", "first frame of the list", start_info->first_p2m_pfn);
    note("start_info", "frames of the list", start_info->nr_p2m_frames);
    CHECK(start_info->shared_info % PAGE_SIZE == 0, "shared_info is the address of a page");
    CHECK(start_info->nr_pt_frames >= TOP_LEVEL, "there is a table of each level");
}

int main(int argc, char **argv)
{
    test_rights();
    test_order();
    test_start_info();
    check_summary("start");
    return 0;
}
