/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Page tables in motion. From one round to the next some pages of vCPU 0 are unmapped and some read-only; pages are
 * checked and rewritten through a second mapping; and three pages are page tables that no processor walks, pinned or
 * held by a pinned one, with entries that are known: where they point must be the same page after a restore, and what
 * does not point anywhere must be as it was written.
 */
#include <stdio.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/traps.h>
#include "pattern.h"

#define WINDOW        16U
#define KEPT          4U
#define ENTRIES       512U
#define REBUILD_AFTER 8U

static char *window;
static unsigned long unmapped[KEPT], read_only[KEPT];
static bool kept;

/* A first-level table of our own, in a page of its own, and what it must hold. */
static struct table {
    pte_t *entries;
    unsigned long index[ENTRIES]; /* of the page that the entry maps, or page_count: not present */
} tables[2];
static pte_t *directory; /* second level: its first entry holds tables[1] */

static unsigned long random_page(void)
{
    return (unsigned long)random_below((unsigned int)((page_count + vcpu_count - 1) / vcpu_count)) * vcpu_count;
}

static unsigned long frame_of(unsigned long index)
{
    return pfn_to_mfn(virt_to_pfn(page_at(index)));
}

static void map_at_home(unsigned long index, uint64_t flags)
{
    int rc = pte_write(page_at(index), flags != 0 ? pte_make(frame_of(index), flags) : 0);

    if (rc != 0)
        broken("page %lu: mapping changed with error %d", index, -rc);
}

/* What the round before left unmapped or read-only is put right, and looked at. */
static void end_keeping(void)
{
    unsigned long word;

    for (unsigned int i = 0; kept && i < KEPT; i++) {
        if (probe_read(page_at(unmapped[i]), &word))
            broken("page %lu can be read and was unmapped", unmapped[i]);
        map_at_home(unmapped[i], PTE_KERNEL_RW);
        page_check(unmapped[i], page_at(unmapped[i]));
        if (probe_write(page_at(read_only[i]), 0))
            broken("page %lu can be written and was read-only", read_only[i]);
        page_check(read_only[i], page_at(read_only[i]));
        map_at_home(read_only[i], PTE_KERNEL_RW);
    }
    kept = false;
}

static bool is_kept(unsigned long index, unsigned int count)
{
    for (unsigned int i = 0; i < count; i++)
        if (unmapped[i] == index || read_only[i] == index)
            return true;
    return false;
}

bool churn_holds(unsigned long index)
{
    return kept && is_kept(index, KEPT);
}

static void begin_keeping(void)
{
    for (unsigned int i = 0; i < KEPT; i++) {
        do
            unmapped[i] = random_page();
        while (is_kept(unmapped[i], i));
        do
            read_only[i] = random_page();
        while (read_only[i] == unmapped[i] || is_kept(read_only[i], i));
        map_at_home(unmapped[i], 0);
        map_at_home(read_only[i], PTE_KERNEL_RO);
    }
    kept = true;
}

static void through_the_window(void)
{
    unsigned long indices[WINDOW];
    xen_pfn_t frames[WINDOW];
    int rc;

    for (unsigned int i = 0; i < WINDOW; i++) {
        indices[i] = random_page();
        frames[i] = frame_of(indices[i]);
    }
    rc = map_frames_at(window, frames, WINDOW, DOMID_SELF, PTE_KERNEL_RW, NULL);
    if (rc != 0)
        broken("a second mapping failed with error %d", -rc);
    for (unsigned int i = 0; i < WINDOW; i++) {
        page_check(indices[i], window + i * PAGE_SIZE);
        page_rewrite(indices[i], window + i * PAGE_SIZE);
        page_check(indices[i], page_at(indices[i]));
    }
    unmap_frames_keep(window, WINDOW);
}

static void pin(unsigned int command, const void *page)
{
    struct mmuext_op op = {.cmd = command, .arg1.mfn = pfn_to_mfn(virt_to_pfn(page))};
    unsigned int done;
    long rc = HYPERVISOR_mmuext_op(&op, 1, &done, DOMID_SELF);

    if (rc != 0)
        broken("pinning command %u on pfn %lx: error %ld", command, virt_to_pfn(page), rc);
}

/* Bits of an entry that is not present are ours alone. */
static pte_t absent_entry(unsigned int i)
{
    return (pte_t)i * 0x123456789000ULL & ~PTE_P;
}

static void table_fill(struct table *table)
{
    for (unsigned int i = 0; i < ENTRIES; i++) {
        bool present = random_below(4) != 0;

        table->index[i] = present ? random_page() : page_count;
        table->entries[i] =
            present ? pte_make(frame_of(table->index[i]), i & 1 ? PTE_KERNEL_RW : PTE_KERNEL_RO) : absent_entry(i);
    }
}

static void entry_check(const struct table *table, unsigned int i)
{
    const pte_t changing = PTE_A | PTE_D | PTE_G; /* a 64-bit guest reads G back of every page that user mode may see */
    pte_t entry = table->entries[i];
    unsigned long index = table->index[i];

    if (index == page_count) {
        if (entry != absent_entry(i))
            broken("entry %u, not present, is %llx", i, (unsigned long long)entry);
        return;
    }
    if (mfn_to_pfn(pte_mfn(entry)) != virt_to_pfn(page_at(index)) ||
        ((entry & ~PTE_ADDR_MASK) | changing) != ((i & 1 ? PTE_KERNEL_RW : PTE_KERNEL_RO) | changing))
        broken("entry %u is %llx, pfn %lx, and was of page %lu, pfn %lx", i, (unsigned long long)entry,
               mfn_to_pfn(pte_mfn(entry)), index, virt_to_pfn(page_at(index)));
}

static void tables_check(void)
{
    for (unsigned int t = 0; t < 2; t++)
        for (unsigned int i = 0; i < ENTRIES; i++)
            entry_check(&tables[t], i);
    if (mfn_to_pfn(pte_mfn(directory[0])) != virt_to_pfn(tables[1].entries))
        broken("the directory's entry is %llx", (unsigned long long)directory[0]);
}

static void protect(void *page, bool writable)
{
    int rc = pages_protect(page, 1, writable);

    if (rc != 0)
        broken("protection of pfn %lx: error %d", virt_to_pfn(page), -rc);
}

static void tables_build_up(void)
{
    table_fill(&tables[0]);
    table_fill(&tables[1]);
    directory[0] = pte_make(pfn_to_mfn(virt_to_pfn(tables[1].entries)), PTE_KERNEL_RW);
    protect(tables[0].entries, false);
    protect(tables[1].entries, false);
    protect(directory, false);
    pin(MMUEXT_PIN_L1_TABLE, tables[0].entries);
    pin(MMUEXT_PIN_L2_TABLE, directory);
}

static void tables_take_down(void)
{
    pin(MMUEXT_UNPIN_TABLE, tables[0].entries);
    pin(MMUEXT_UNPIN_TABLE, directory);
    protect(tables[0].entries, true);
    protect(tables[1].entries, true);
    protect(directory, true);
}

bool churn_start(void)
{
    tables[0].entries = pages_alloc(1);
    tables[1].entries = pages_alloc(1);
    directory = pages_alloc(1);
    window = vspace_alloc(WINDOW);
    if (tables[0].entries == NULL || tables[1].entries == NULL || directory == NULL || window == NULL ||
        page_count < 16 * KEPT * vcpu_count)
        return false;
    tables_build_up();
    return true;
}

void churn(void)
{
    static unsigned int rounds;

    end_keeping();
    through_the_window();
    tables_check();
    if (++rounds % REBUILD_AFTER == 0) {
        tables_take_down();
        tables_build_up();
    }
    begin_keeping();
}
