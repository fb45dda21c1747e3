/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The page allocator. Guest frames fall into three ranges:
 *   [0, frontier)    mapped at pfn << 12; a bit in `free_map` says free
 *   [frontier, top)  ours, not mapped yet, all free: mapped in steps of one page table when needed
 *   [top, limit)     given back to the hypervisor, or never had
 * A few mapped pages are kept back, because mapping more takes page tables.
 */
#include <string.h>
#include <pv/event.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include "internal.h"

#define WORD_BITS    (8 * sizeof(unsigned long))
#define TABLE_PAGES  512UL
#define KEPT_BACK    8UL
#define UPDATE_BATCH 64U

static unsigned long free_map[DIRECT_MAP_PAGES / WORD_BITS];
static unsigned long free_mapped, frontier, top, rover;

static bool is_free(unsigned long pfn)
{
    return free_map[pfn / WORD_BITS] >> (pfn % WORD_BITS) & 1;
}

static void mark(unsigned long pfn, bool is_now_free)
{
    unsigned long bit = 1UL << (pfn % WORD_BITS);

    if (is_now_free)
        free_map[pfn / WORD_BITS] |= bit;
    else
        free_map[pfn / WORD_BITS] &= ~bit;
    free_mapped += is_now_free ? 1UL : -1UL;
}

void *pfn_to_virt(unsigned long pfn)
{
    return (void *)(pfn << PAGE_SHIFT);
}

unsigned long virt_to_pfn(const void *addr)
{
    return (unsigned long)addr >> PAGE_SHIFT;
}

unsigned long pages_frontier(void)
{
    return frontier;
}

unsigned long pages_top(void)
{
    return top;
}

unsigned long pages_free_count(void)
{
    return free_mapped + (top - frontier);
}

/* First run of `count` free bits in [from, to), or `to`. */
static unsigned long find_run(unsigned long from, unsigned long to, unsigned long count)
{
    unsigned long run = 0;

    for (unsigned long pfn = from; pfn < to; pfn++) {
        if (run == 0 && pfn % WORD_BITS == 0 && free_map[pfn / WORD_BITS] == 0) {
            pfn += WORD_BITS - 1;
            continue;
        }
        run = is_free(pfn) ? run + 1 : 0;
        if (run == count)
            return pfn + 1 - count;
    }
    return to;
}

static unsigned long take_run(unsigned long count)
{
    unsigned long pfn = find_run(rover, frontier, count);

    if (pfn >= frontier)
        pfn = find_run(0, frontier, count);
    if (pfn >= frontier)
        return INVALID_P2M;
    for (unsigned long i = 0; i < count; i++)
        mark(pfn + i, false);
    if (count == 1)
        rover = pfn + 1;
    return pfn;
}

void *table_page_alloc(void)
{
    unsigned long pfn = take_run(1);

    return pfn != INVALID_P2M ? memset(pfn_to_virt(pfn), 0, PAGE_SIZE) : NULL;
}

void table_page_free(void *page)
{
    mark(virt_to_pfn(page), true);
}

/* Maps [from, to) through a page table that exists already. */
static int map_into_table(unsigned long from, unsigned long to)
{
    struct mmu_update updates[UPDATE_BATCH];

    while (from < to) {
        uint64_t slot = pte_slot(pfn_to_virt(from));
        unsigned int count = 0, done;

        for (; count < UPDATE_BATCH && from + count < to; count++) {
            updates[count].ptr = (slot + count * sizeof(pte_t)) | MMU_NORMAL_PT_UPDATE;
            updates[count].val = pte_make(pfn_to_mfn(from + count), PTE_KERNEL_RW);
        }
        if (HYPERVISOR_mmu_update(updates, count, &done, DOMID_SELF) != 0)
            return -1;
        from += count;
    }
    return 0;
}

/* Maps [from, to) through a fresh page table, filled before the hypervisor sees it: one check for all entries. */
static int map_as_table(unsigned long from, unsigned long to)
{
    unsigned long va = from << PAGE_SHIFT;
    pte_t *table;

    if (tables_build(va, 2) != 0)
        return -1;
    table = table_page_alloc();
    if (table == NULL)
        return -1;
    for (unsigned long pfn = from; pfn < to; pfn++)
        table[pfn % TABLE_PAGES] = pte_make(pfn_to_mfn(pfn), PTE_KERNEL_RW);
    if (table_install(va, 1, pfn_to_mfn(virt_to_pfn(table))) != 0) {
        table_page_free(table);
        return -1;
    }
    return 0;
}

static bool map_more(void)
{
    unsigned long from = frontier;
    unsigned long to = (from / TABLE_PAGES + 1) * TABLE_PAGES;
    int rc;

    if (to > top)
        to = top;
    if (from >= to)
        return false;
    rc = table_present(from << PAGE_SHIFT, 1) ? map_into_table(from, to) : map_as_table(from, to);
    if (rc != 0)
        return false;
    frontier = to;
    for (unsigned long pfn = from; pfn < to; pfn++)
        mark(pfn, true);
    return true;
}

void *pages_alloc(unsigned long count)
{
    unsigned long pfn = INVALID_P2M;

    if (count == 0 || count > top)
        return NULL;
    while (free_mapped < KEPT_BACK + count && map_more())
        ;
    for (;;) {
        if (free_mapped >= KEPT_BACK + count)
            pfn = take_run(count);
        if (pfn != INVALID_P2M || !map_more())
            break;
    }
    return pfn != INVALID_P2M ? memset(pfn_to_virt(pfn), 0, count * PAGE_SIZE) : NULL;
}

void pages_free(void *addr, unsigned long count)
{
    unsigned long pfn = virt_to_pfn(addr);

    if (addr == NULL)
        return;
    for (unsigned long i = 0; i < count; i++) {
        if (pfn + i >= frontier || is_free(pfn + i))
            pv_panic("page %lx freed twice, or never given\n", pfn + i);
        mark(pfn + i, true);
    }
    if (pfn < rover)
        rover = pfn;
}

unsigned long pages_take_top(unsigned long *pfns, unsigned long count)
{
    unsigned long taken = 0;

    while (taken < count && top > frontier)
        pfns[taken++] = --top;
    return taken;
}

void pages_give_top(unsigned long pfn)
{
    if (pfn == top)
        top++;
}

unsigned long pages_take_mapped(unsigned long *pfns, unsigned long count)
{
    unsigned long taken = 0;

    while (taken < count && free_mapped > 4 * KEPT_BACK)
        pfns[taken++] = take_run(1);
    return taken;
}

void pages_give_mapped(unsigned long pfn)
{
    mark(pfn, true);
    if (pfn < rover)
        rover = pfn;
}

void pages_init(void)
{
    unsigned long end = boot_frames_end();

    top = pfn_limit();
    for (unsigned long pfn = 1; pfn < virt_to_pfn(_text) && pfn < top; pfn++) {
        if (pte_read(pfn_to_virt(pfn)) & PTE_RW)
            mark(pfn, true);
    }
    for (frontier = end; frontier < top && (pte_read(pfn_to_virt(frontier)) & PTE_RW); frontier++)
        mark(frontier, true);
    if (pte_write(NULL, 0) != 0)
        pv_printk("page zero stays mapped: a null pointer will not fault\n");
}
