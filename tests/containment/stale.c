/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Stale translations. A processor may go on using a translation that is gone from the tables until it is flushed, and
 * the guest decides when to flush for itself. The hypervisor must flush for its own sake before a frame becomes what the
 * old translation must not reach: a table, a descriptor table, somebody else's.
 */
#include "attack.h"

#define ROUNDS (writer.rounds ? 50 : 3)

/* A writer on another vCPU: it writes through its mapping as long as that works, then waits for the next. */
static char *volatile target;
static volatile unsigned long stamp, landed;
static struct race writer;

static void write_on(void *arg)
{
    struct race *race = arg;

    while (race->running) {
        char *at = target;
        race->rounds++;
        if (at && probe_write(at + 8 * (race->rounds % 500), stamp))
            landed++;
    }
}

/* Until the writer has used the mapping, so that it is in its TLB. */
static void let_it_write(char *at)
{
    unsigned long before = landed;
    uint64_t end = time_monotonic_ns() + 20000000;

    target = at;
    while (writer.rounds && landed == before && time_monotonic_ns() < end)
        __asm__ volatile("pause");
}

static unsigned long words_with(const char *page, unsigned long value)
{
    unsigned long count = 0;

    for (unsigned int i = 0; i < PAGE_SIZE / sizeof(long); i++)
        count += ((const volatile unsigned long *)page)[i] == value;
    return count;
}

static void watch(const char *page, unsigned long *bad)
{
    for (int i = 0; i < 20; i++)
        *bad += words_with(page, stamp);
}

/* A page is unmapped without a flush and becomes a page table. A processor that still has the old translation writes
 * page-table entries of its own, unchecked. */
static void becomes_a_table(void)
{
    unsigned long bad = 0, refused = 0;

    check_group("a page becomes a table");
    for (int i = 0; i < ROUNDS; i++) {
        char *page = pages_alloc(1), *view = vspace_alloc(1);
        unsigned long mfn = virt_to_mfn(page);
        pages_protect(page, 1, false);
        stamp = 0;
        pte_write(view, pte_make(mfn, PTE_KERNEL_RW));
        let_it_write(view);
        set_pte_unflushed(view, i & 1 ? 0 : pte_make(mfn, PTE_KERNEL_RO));
        if (mmuext(MMUEXT_PIN_L1_TABLE, mfn) == 0) {
            stamp = foreign_mfn() << 12 | PTE_P | PTE_RW; /* what an emulated write may not leave there either */
            watch(page, &bad);
            mmuext(MMUEXT_UNPIN_TABLE, mfn);
        } else {
            refused++;
        }
        target = NULL;
        stamp = 0;
        set_pte(view, 0);
        mmuext(MMUEXT_TLB_FLUSH_ALL, 0);
        vspace_free(view, 1);
        pages_protect(page, 1, true);
        pages_free(page, 1);
    }
    CHECK_EQ(bad, 0, "no word was written to a page that was a table");
    CHECK_EQ(refused, 0, "and each could become one");
}

/* The same with a descriptor table, which takes no lock of the page tables. A descriptor written behind the check could
 * be one of ring 0. */
static void becomes_a_descriptor_table(void)
{
    unsigned long bad = 0;
    static unsigned long frames[1];

    check_group("a page becomes a descriptor table");
    for (int i = 0; i < ROUNDS; i++) {
        char *page = pages_alloc(1), *view = vspace_alloc(1);
        unsigned long mfn = virt_to_mfn(page);
        pages_protect(page, 1, false);
        stamp = 0;
        pte_write(view, pte_make(mfn, PTE_KERNEL_RW));
        let_it_write(view);
        set_pte_unflushed(view, 0);
        frames[0] = mfn;
        if (HYPERVISOR_set_gdt(frames, 512) == 0) {
            stamp = 0x00cf9300;
            watch(page, &bad);
            HYPERVISOR_set_gdt(frames, 0);
        }
        target = NULL;
        stamp = 0;
        mmuext(MMUEXT_TLB_FLUSH_ALL, 0);
        vspace_free(view, 1);
        pages_protect(page, 1, true);
        pages_free(page, 1);
    }
    CHECK_EQ(bad, 0, "no word was written to a page that was a descriptor table");
}

/* A page is given back without a flush. Whoever gets its frame next must not find the old owner writing to it: here the
 * next owner is another address of our own, which is as good as anybody. */
static void becomes_anothers(void)
{
    unsigned long bad = 0;

    check_group("a page gets another owner");
    for (int i = 0; i < ROUNDS; i++) {
        char *page = pages_alloc(1), *view = vspace_alloc(1);
        unsigned long mfn = virt_to_mfn(page), pfn = virt_to_pfn(page), got = pfn;
        struct xen_memory_reservation r = {.nr_extents = 1, .domid = DOMID_SELF};
        stamp = 0x77777777;
        pte_write(view, pte_make(mfn, PTE_KERNEL_RW));
        set_pte(page, 0);
        let_it_write(view);
        set_pte_unflushed(view, 0);
        set_xen_guest_handle(r.extent_start, &mfn);
        CHECK_EQ(HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r), 1, "the frame goes back");
        set_xen_guest_handle(r.extent_start, &got);
        CHECK_EQ(HYPERVISOR_memory_op(XENMEM_populate_physmap, &r), 1, "and one comes");
        set_pte(page, pte_make(got, PTE_KERNEL_RW));
        memset(page, 0, PAGE_SIZE);
        watch(page, &bad);
        target = NULL;
        mmuext(MMUEXT_TLB_FLUSH_ALL, 0);
        vspace_free(view, 1);
        pages_free(page, 1);
    }
    CHECK_EQ(bad, 0, "no word came from its owner of before");
}

static const pte_t *level2_entry(const char *at)
{
    const pte_t *table = (const pte_t *)(unsigned long)start_info->pt_base;

    for (unsigned int level = TOP_LEVEL; level > 2; level--)
        table = pfn_to_virt(mfn_to_pfn(pte_mfn(table[(unsigned long)at >> (3 + 9 * level) & 511])));
    return &table[(unsigned long)at >> 21 & 511];
}

static long set_level2(const pte_t *entry, pte_t value)
{
    unsigned long offset = (unsigned long)entry & ~PAGE_MASK;

    return mmu_update(((uint64_t)virt_to_mfn((const char *)entry - offset) << 12) + offset, value);
}

static void until_writer_is_at(unsigned long round)
{
    uint64_t end = time_monotonic_ns() + 1000000000;

    while (writer.rounds < round && time_monotonic_ns() < end)
        __asm__ volatile("pause");
}

/* How many writes succeed that begin after this is called. */
static unsigned long writes_that_land(char *at)
{
    unsigned long own = probe_write(at, 0), before;

    if (!writer.rounds)
        return own;
    until_writer_is_at(writer.rounds + 2); /* one was under way */
    before = landed;
    until_writer_is_at(writer.rounds + 20);
    return own + landed - before;
}

/* The page that only the table mapped becomes a table: nobody may write to it by a translation from there. */
static void page_of_old_table(char *page, unsigned long *bad)
{
    unsigned long mfn = virt_to_mfn(page);

    pages_protect(page, 1, false);
    CHECK_EQ(mmuext(MMUEXT_PIN_L1_TABLE, mfn), 0, "its page becomes a table");
    stamp = foreign_mfn() << 12 | PTE_P | PTE_RW;
    watch(page, bad);
    mmuext(MMUEXT_UNPIN_TABLE, mfn);
    target = NULL;
    pages_protect(page, 1, true);
}

/* The table becomes a page, filled with entries for frames of others: who still walked it would reach those. */
static void old_table_as_page(pte_t *table, char *view, unsigned long *bad)
{
    CHECK_EQ(pages_protect(table, 1, true), 0, "it becomes a page");
    table[0] = pte_make(foreign_mfn(), PTE_KERNEL_RW);
    *bad += writes_that_land(view);
    CHECK(pages_protect(table, 1, false) == 0 && mmuext(MMUEXT_PIN_L1_TABLE, virt_to_mfn(table)) < 0,
          "what was put there meanwhile is looked at when it becomes a table again");
}

/* The table that holds a translation is itself replaced, with no flush: processors keep what they found by it, and upper
 * entries too. */
static void old_table_still_walked(void)
{
    char *range = vspace_alloc(1023), *view = (char *)(((unsigned long)range + 0x1fffff) & ~0x1fffffUL);
    unsigned long written = 0, landed_late = 0;
    const pte_t *entry;
    pte_t usual;

    check_group("a table is replaced");
    pte_write(view, 0);
    entry = level2_entry(view);
    usual = *entry;
    for (int i = 0; i < ROUNDS; i++) {
        pte_t *table = new_table();
        char *page = pages_alloc(1);
        poke(table, pte_make(virt_to_mfn(page), PTE_KERNEL_RW));
        CHECK_EQ(set_level2(entry, pte_make(virt_to_mfn(table), PTE_KERNEL_RW)), 0, "a table is walked");
        stamp = 0;
        let_it_write(view);
        CHECK(probe_write(view, 0), "by all");
        CHECK_EQ(set_level2(entry, usual), 0, "and another instead of it");
        if (i & 1)
            page_of_old_table(page, &written);
        else
            old_table_as_page(table, view, &landed_late);
        target = NULL;
        stamp = 0;
        mmuext(MMUEXT_TLB_FLUSH_ALL, 0);
        pages_protect(table, 1, true);
        pages_free(table, 1);
        pages_free(page, 1);
    }
    vspace_free(range, 1023);
    CHECK_EQ(written, 0, "no word was written to what its page became");
    CHECK_EQ(landed_late, 0, "no write found its way through what was a table");
}

/* What was a table becomes writable for two at once. The first of them flushes the other's processor before anybody may
 * write; the second has to wait for that, and not to hear that the page is in use: it is no longer. Clearing a page takes
 * no lock of the page tables. */
static unsigned long once_a_table;

static void clear_it(void *arg)
{
    struct race *race = arg;

    for (; race->running; race->rounds++)
        mmuext(MMUEXT_CLEAR_PAGE, once_a_table);
}

static void writable_for_two(void)
{
    static struct race other;
    char *view = vspace_alloc(1);
    pte_t *page = new_table();
    unsigned long tables = 0, refused = 0;
    uint64_t end = time_monotonic_ns() + 10000000000;

    check_group("a table becomes writable for two at once");
    pte_write(view, 0);
    once_a_table = virt_to_mfn(page);
    if (!race_start(&other, clear_it))
        return;
    while (tables < 1000 && time_monotonic_ns() < end) {
        if (mmuext(MMUEXT_PIN_L1_TABLE, once_a_table))
            continue; /* the other is clearing it */
        tables++;
        mmuext(MMUEXT_UNPIN_TABLE, once_a_table);
        refused += set_pte_unflushed(view, pte_make(once_a_table, PTE_KERNEL_RW)) != 0;
        set_pte_unflushed(view, 0);
    }
    race_stop(&other);
    CHECK(tables > 0, "it was a table between two clearings");
    CHECK_EQ(refused, 0, "what is no table any more can be written at once");
    drop_table(page);
}

int main(int argc, char **argv)
{
    if (!race_start(&writer, write_on))
        printf("one vCPU: what the other would do is left out\n");
    becomes_a_table();
    becomes_a_descriptor_table();
    becomes_anothers();
    old_table_still_walked();
    if (writer.rounds)
        race_stop(&writer);
    writable_for_two();
    return check_summary("stale");
}
