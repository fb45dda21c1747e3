/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Shadow page tables and the log of written frames: what a CPU may find in the tables it walks, and what a report names.
 */
#include <check.h>
#include <stdlib.h>
#include "mm_fake.h"
#include "mm/shadow.h"
#include "other_cpu.h"
#include "hypercall_prototypes.h"
#include "tests/unit/run_suite.h"

#define READ   4U /* by user mode, as a 64-bit guest's kernel is */
#define WRITE  6U
#define FETCH  20U
#define VA(n)  ((unsigned long)(n) << PAGE_SHIFT)
#define PFNS   512
#define ALL_AD (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)

static struct domain *d;
static struct vcpu *v;
static mfn_t l4, l3, l2, l1, data[8];

/* Frames get their numbers in order, as a builder gives them. */
static mfn_t page(void)
{
    static unsigned long pfn;
    mfn_t mfn = fake_page(d);
    if (d->mm.tot_pages == 1)
        pfn = 0;
    m2p_set(mfn, pfn_of(pfn++));
    return mfn;
}

static mfn_t table_over(mfn_t child)
{
    mfn_t table = page();
    fake_table(table)[0] = pte_of(child, PTE_P | PTE_RW | PTE_US);
    return table;
}

static void setup(void)
{
    fake_start();
    d = fake_domain(1, false, 1000);
    v = d->vcpus[0];
    fake_run(d);
    l1 = page();
    for (unsigned i = 0; i < 8; i++) {
        data[i] = page();
        fake_table(l1)[i] = pte_of(data[i], PTE_P | PTE_RW);
    }
    l2 = table_over(l1);
    l3 = table_over(l2);
    l4 = table_over(l3);
    ck_assert_int_eq(page_get_and_type(l4, d, FRAME_L4, false), 0);
    v->mm.kernel_table = l4;
    ck_assert_int_eq(shadow_on(d), 0);
}

static void teardown(void)
{
    shadow_off(d);
    ck_assert_uint_eq(logging_domains, 0);
    ck_assert_uint_eq(frames_audit(true), 0);
}

static void log_on(void)
{
    ck_assert_int_eq(log_dirty_on(d), 0);
}

static u64 entry_in(u64 table, unsigned long va, unsigned level)
{
    return ((u64 *)maddr_to_virt(table & PTE_ADDRESS))[va >> (3 + 9 * level) & 511];
}

/* What a CPU finds for va; 0 when a level is missing. */
static u64 seen(unsigned long va)
{
    u64 entry = v->mm.cr3;
    for (unsigned level = 4; level > 0 && entry; level--)
        entry = entry_in(entry, va, level);
    return entry;
}

static bool fault(unsigned long va, u32 code)
{
    return shadow_fault(v, va, &code);
}

static u32 code_of(unsigned long va, u32 code)
{
    ck_assert(!shadow_fault(v, va, &code));
    return code;
}

static long update(mfn_t table, unsigned slot, u64 value)
{
    struct mmu_update req = {(table.value << PAGE_SHIFT) + slot * 8, value};
    return do_mmu_update((unsigned long)&req, 1, 0, DOMID_SELF);
}

static u64 bits[PFNS / 64];

static unsigned report(bool clean)
{
    struct log_report r = {.clean = clean, .bitmap = (unsigned long)bits, .pages = PFNS};
    unsigned count = 0;
    ck_assert_int_eq(log_dirty_report(d, &r), 0);
    for (unsigned i = 0; i < PFNS / 64; i++)
        count += (unsigned)__builtin_popcountl(bits[i]);
    return count;
}

static bool reported(mfn_t mfn)
{
    unsigned long pfn = m2p_get(mfn).value;
    return bits[pfn / 64] >> pfn % 64 & 1;
}

/* A CPU sets A wherever it walks, and D where it writes: a guest's memory management lives by that. */
START_TEST(test_accessed_and_dirty)
{
    ck_assert(fault(VA(0), READ));
    ck_assert_uint_eq(fake_table(l1)[0] & (PTE_A | PTE_D), PTE_A);
    ck_assert(fake_table(l2)[0] & fake_table(l3)[0] & fake_table(l4)[0] & PTE_A);
    ck_assert(!((fake_table(l2)[0] | fake_table(l4)[0]) & PTE_D));
    ck_assert_uint_eq(seen(VA(0)) & ALL_AD, PTE_P | PTE_US | PTE_A);
    ck_assert_uint_eq(seen(VA(1)), 0);
    ck_assert(fault(VA(0), WRITE));
    ck_assert(fake_table(l1)[0] & PTE_D);
    ck_assert_uint_eq(seen(VA(0)), pte_of(data[0], ALL_AD));
}
END_TEST

/* Neighbours come along where the guest's bits are set already, and only there. */
START_TEST(test_neighbours)
{
    ck_assert_int_eq(update(l1, 1, pte_of(data[1], ALL_AD)), 0);
    ck_assert_int_eq(update(l1, 2, pte_of(data[2], PTE_P | PTE_RW | PTE_A)), 0);
    ck_assert(fault(VA(0), READ));
    ck_assert_uint_eq(seen(VA(1)), pte_of(data[1], ALL_AD));
    ck_assert_uint_eq(seen(VA(2)) & (PTE_P | PTE_RW), PTE_P);
    ck_assert_uint_eq(seen(VA(3)), 0);
}
END_TEST

/* The guest learns of a fault what its own tables say, not what ours do. */
START_TEST(test_error_codes)
{
    ck_assert_int_eq(update(l1, 3, pte_of(data[3], PTE_P | PTE_NX)), 0);
    ck_assert_uint_eq(code_of(VA(9), READ), READ);
    ck_assert_uint_eq(code_of(VA(9), WRITE | 1), WRITE);
    ck_assert_uint_eq(code_of(VA(3), WRITE), WRITE | 1);
    ck_assert_uint_eq(code_of(VA(3), FETCH), FETCH | 1);
    ck_assert_uint_eq(code_of(1UL << 30, READ), READ);
    ck_assert_uint_eq(code_of(HV_VIRT_START, READ | 1), READ | 1);
    ck_assert_uint_eq(code_of(VA(0), READ | 8), READ | 8);
    ck_assert(!(fake_table(l1)[3] & PTE_A));
}
END_TEST

/* A changed entry is gone from our tables before its references are. */
START_TEST(test_changes_are_followed)
{
    ck_assert(fault(VA(0), WRITE));
    ck_assert_int_eq(update(l1, 0, pte_of(data[5], PTE_P)), 0);
    ck_assert_uint_eq(seen(VA(0)), 0);
    ck_assert_int_eq(update(l1, 0, pte_of(data[5], PTE_P | PTE_A)), 0);
    ck_assert_uint_eq(seen(VA(0)), pte_of(data[5], PTE_P | PTE_US | PTE_A));
    ck_assert_int_eq(update(l2, 0, 0), 0);
    ck_assert_uint_eq(seen(VA(0)), 0);
    ck_assert_uint_eq(code_of(VA(0), READ), READ);
}
END_TEST

/* A frame that stops being a table and becomes one again shows its new entries alone. */
START_TEST(test_table_returns)
{
    ck_assert(fault(VA(0), WRITE));
    ck_assert_int_eq(update(l2, 0, 0), 0);
    ck_assert_int_eq(page_type(l1), FRAME_L1);
    ck_assert_uint_eq(fw_count(frame_word(l1)), 0);
    ck_assert_uint_ne(d->mm.shadow->parked, 0);
    fake_table(l1)[0] = pte_of(data[7], PTE_P | PTE_A);
    fake_table(l1)[1] = pte_of(data[6], PTE_P);
    ck_assert_int_eq(update(l2, 0, pte_of(l1, PTE_P | PTE_RW)), 0);
    ck_assert(fault(VA(1), READ));
    ck_assert_uint_eq(pte_mfn(seen(VA(0))).value, data[7].value);
    ck_assert_uint_eq(pte_mfn(seen(VA(1))).value, data[6].value);
}
END_TEST

/* A parked table may still be walked: it is used again only after a flush. */
START_TEST(test_parked_until_flushed)
{
    unsigned flushes;
    ck_assert(fault(VA(0), WRITE));
    ck_assert_int_eq(update(l2, 0, 0), 0);
    u32 parked = d->mm.shadow->parked;
    ck_assert_uint_ne(parked, 0);
    ck_assert_uint_eq(d->mm.shadow->pages[parked].level, 0);
    d->mm.shadow->capacity = d->mm.shadow->allocated; /* nothing more is to be had */
    d->mm.shadow->free_count = 0;
    d->mm.shadow->free = 0;
    flushes = fake.flushes;
    ck_assert_int_eq(update(l2, 0, pte_of(l1, PTE_P | PTE_RW)), 0);
    ck_assert(fault(VA(0), WRITE));
    ck_assert_uint_gt(fake.flushes, flushes);
    ck_assert_uint_eq(seen(VA(0)), pte_of(data[0], ALL_AD));
}
END_TEST

/* When tables run out all go but the root in use, and the guest notices nothing. */
START_TEST(test_out_of_tables)
{
    ck_assert(fault(VA(0), WRITE));
    u64 root = v->mm.cr3;
    d->mm.shadow->capacity = d->mm.shadow->allocated;
    d->mm.shadow->free_count = 0;
    ck_assert(fault(VA(1), READ));
    ck_assert_uint_eq(v->mm.cr3, root);
    ck_assert_uint_eq(seen(VA(0)), pte_of(data[0], ALL_AD));
    ck_assert_uint_eq(entry_in(root, HV_VIRT_START, 4), 0xABC000 | PTE_P);
}
END_TEST

/* The same frame as table of two levels: each way in sees its own kind of entries, and both follow a change. */
START_TEST(test_linear_mapping)
{
    unsigned long linear = 1UL << 21; /* slot 1 of l2 leads to l2 itself: its entries are pages */
    ck_assert_int_eq(update(l2, 1, pte_of(l2, PTE_P)), 0);
    ck_assert(fault(linear, READ));
    ck_assert_uint_eq(pte_mfn(seen(linear)).value, l1.value);
    ck_assert(!(seen(linear) & PTE_RW));
    ck_assert(fault(VA(0), READ));
    ck_assert_int_eq(update(l2, 0, 0), 0);
    ck_assert_uint_eq(seen(linear), 0);
    ck_assert_uint_eq(seen(VA(0)), 0);
    ck_assert_int_eq(update(l2, 1, 0), 0);
}
END_TEST

/* Through a linear mapping of its level-4 table a guest reaches our entries there: our own tables are not shown. */
START_TEST(test_own_tables_hidden)
{
    unsigned long linear = 1UL << 39, ours = linear | (unsigned long)HV_SLOT_FIRST << 12;
    ck_assert_int_eq(update(l4, 1, pte_of(l4, PTE_P)), 0);
    for (unsigned level = 2; level < 4; level++)
        ours |= 1UL << (3 + 9 * level);
    ck_assert(!fault(ours, READ));
    ck_assert_uint_eq(seen(ours), 0);
    ck_assert_int_eq(update(l4, 1, 0), 0);
}
END_TEST

/* Every way of writing leaves its bit, and a report takes the right to write without one. */
START_TEST(test_log)
{
    log_on();
    ck_assert(fault(VA(0), READ));
    ck_assert_uint_eq(report(true),
                      3); /* A bits: a table of each level but the top, where they are set from the start */
    ck_assert(reported(l1) && !reported(l4) && !reported(data[0]));
    ck_assert(fault(VA(0), WRITE));
    ck_assert_uint_eq(report(false), 2);
    ck_assert(reported(data[0]) && reported(l1));
    ck_assert_uint_eq(report(true), 2);
    ck_assert_uint_eq(seen(VA(0)) & (PTE_P | PTE_RW), PTE_P);
    ck_assert_uint_eq(report(true), 0);
    ck_assert(fault(VA(0), WRITE));
    ck_assert(seen(VA(0)) & PTE_RW);
    ck_assert_uint_eq(report(true), 1);
    ck_assert(reported(data[0]));
}
END_TEST

/* Entries that were writable before the log was switched on are not any more. */
START_TEST(test_log_added_later)
{
    ck_assert(fault(VA(0), WRITE));
    log_on();
    ck_assert(!(seen(VA(0)) & PTE_RW));
    ck_assert(fault(VA(0), WRITE));
    ck_assert_uint_eq(report(true), 1);
}
END_TEST

/* Changes that we make for the guest, plain stores, numbers. */
START_TEST(test_log_of_our_writes)
{
    log_on();
    ck_assert_int_eq(update(l1, 4, 0), 0);
    ck_assert_uint_eq(report(true), 1);
    ck_assert(reported(l1));
    ck_assert_int_eq(update(data[4], 7, 42), 0);
    ck_assert_uint_eq(report(true), 1);
    ck_assert(reported(data[4]));
    ck_assert_int_eq(update(l1, 4, pte_of(data[4], PTE_P | PTE_RW)), 0);
    ck_assert_int_eq(page_get_and_type(data[3], d, FRAME_WRITABLE, false), 0);
    page_put_and_type(data[3]);
    ck_assert_uint_eq(report(true), 2);
    ck_assert(reported(data[3]));
}
END_TEST

/* The guest chooses a frame's number: one that no saved domain could have is in no log, and stops nothing. */
START_TEST(test_number_out_of_range)
{
    log_on();
    host_m2p[data[2].value] = INVALID_FRAME;
    ck_assert(fault(VA(2), WRITE));
    ck_assert(seen(VA(2)) & PTE_RW);
    host_m2p[data[3].value] = LOG_LEAVES * LOG_PER_LEAF - 1;
    ck_assert(fault(VA(3), WRITE));
    ck_assert(seen(VA(3)) & PTE_RW);
    report(true);
    ck_assert(!reported(data[0]));
}
END_TEST

/* Without memory for the log everything counts as written, once. */
START_TEST(test_log_lost)
{
    log_on();
    d->mm.shadow->lost = true;
    ck_assert_uint_eq(report(false), PFNS);
    ck_assert_uint_eq(report(true), PFNS);
    ck_assert_uint_eq(report(true), 0);
}
END_TEST

/* Taking the write permission from all shadows of a large guest is long: it is done in pieces, and no bit is handed out
 * and cleared before the last. Else what is written through an entry forgotten is never sent. */
START_TEST(test_write_permission_goes_in_pieces)
{
    struct log_report r = {.clean = true, .bitmap = (unsigned long)bits, .pages = PFNS};
    log_on();
    ck_assert(fault(VA(2), WRITE));
    memset(bits, 0, sizeof(bits));
    fake.preempt_after = 1;
    ck_assert_int_eq(log_dirty_report(d, &r), -ERESTART);
    ck_assert(!(seen(VA(2)) & PTE_RW));
    ck_assert(!reported(data[2]));
    ck_assert(fault(VA(3), WRITE)); /* a page that has been done has a writable entry again */
    ck_assert(seen(VA(3)) & PTE_RW);
    ck_assert_int_eq(log_dirty_report(d, &r), -ERESTART);
    ck_assert_int_eq(log_dirty_report(d, &r), 0);
    fake.preempt_after = 0;
    ck_assert(!(seen(VA(3)) & PTE_RW));
    ck_assert(reported(data[2]) && reported(data[3]));
}
END_TEST

/* Memory ends while a report is preempted: what it has told already does not hold any more. */
START_TEST(test_log_lost_meanwhile)
{
    static u64 all[2 * LOG_PER_LEAF / 64];
    struct log_report r = {.clean = true, .bitmap = (unsigned long)all, .pages = 2 * LOG_PER_LEAF};
    log_on();
    fake.preempt_after = 1;
    ck_assert_int_eq(log_dirty_report(d, &r), -ERESTART);
    ck_assert_uint_eq(all[0], 0);
    d->mm.shadow->lost = true;
    ck_assert_int_eq(log_dirty_report(d, &r), 0);
    fake.preempt_after = 0;
    ck_assert(!d->mm.shadow->lost);
    for (unsigned i = 0; i < 2 * LOG_PER_LEAF / 64; i++)
        ck_assert_uint_eq(all[i], ~0UL);
}
END_TEST

/* A bitmap that cannot be written keeps its bits for the next report. */
START_TEST(test_bad_bitmap)
{
    struct log_report r = {.clean = true, .bitmap = 8, .pages = PFNS};
    log_on();
    ck_assert(fault(VA(0), WRITE));
    ck_assert_int_eq(log_dirty_report(d, &r), -EFAULT);
    ck_assert_uint_eq(report(true), 4);
}
END_TEST

/* A larger or smaller number of tables, while the log goes on. */
START_TEST(test_resize)
{
    log_on();
    ck_assert(fault(VA(0), WRITE));
    d->mm.shadow_limit = 300;
    ck_assert_int_eq(shadow_on(d), 0);
    ck_assert_uint_eq(shadow_pages(d), 300);
    ck_assert_uint_eq(seen(VA(0)), 0);
    ck_assert(fault(VA(0), WRITE));
    ck_assert_uint_eq(report(true), 4);
}
END_TEST

/* Each step of starting can lack memory: the domain goes on as it was. */
START_TEST(test_no_memory_to_start)
{
    log_on();
    struct shadow *before = d->mm.shadow;
    ck_assert(fault(VA(0), WRITE));
    void *head = hv_alloc_pages(2);
    fake_exhaust();
    ck_assert_int_eq(shadow_on(d), -ENOMEM);
    ck_assert_int_eq(log_dirty_on(d), -ENOMEM);
    hv_free_pages(head, 2);
    ck_assert_int_eq(shadow_on(d), -ENOMEM); /* its head fits, its tables do not */
    fake_relieve();
    ck_assert_ptr_eq(d->mm.shadow, before);
    ck_assert_uint_eq(report(true), 4);
}
END_TEST

/* Memory for the log itself ends: everything counts as written, rather than a page being forgotten. */
START_TEST(test_no_memory_for_a_leaf)
{
    log_on();
    fake_exhaust();
    ck_assert(fault(VA(0), WRITE));
    ck_assert(d->mm.shadow->lost);
    ck_assert(seen(VA(0)) & PTE_RW); /* and the guest goes on */
    struct log_report r = {.bitmap = 8, .pages = PFNS};
    ck_assert_int_eq(log_dirty_report(d, &r), -EFAULT);
    fake_relieve();
    ck_assert_uint_eq(report(true), PFNS);
}
END_TEST

START_TEST(test_reports_out_of_turn)
{
    struct log_report peek = {.pages = 2 * LOG_PER_LEAF}, clean = {.clean = true, .pages = 2 * LOG_PER_LEAF};
    ck_assert(!log_dirty_is_on(d));
    ck_assert_int_eq(log_dirty_report(d, &peek), -EINVAL);
    log_on();
    ck_assert(log_dirty_is_on(d));
    fake.preempt_after = 1;
    ck_assert_int_eq(log_dirty_report(d, &peek), -ERESTART);
    ck_assert_int_eq(log_dirty_report(d, &clean), -EBUSY); /* the first has not ended */
    fake.preempt_after = 0;
    ck_assert_int_eq(log_dirty_report(d, &peek), 0);
    ck_assert_int_eq(log_dirty_report(d, &clean), 0);
    shadow_off(d);
    ck_assert_int_eq(log_dirty_report(d, &peek), -EINVAL);
    frame_written(data[0]); /* nobody asks any more */
}
END_TEST

/* The guest's other CPU takes an entry away between our look at it and the mark that we set: had we stored what we saw,
 * the entry would be back, and with it a mapping whose reference is gone. */
static u64 *taken;

static void it_takes(void *word)
{
    if (word != taken)
        return;
    other_cpu = NULL;
    *taken = 0;
}

START_TEST(test_an_entry_that_goes_while_it_is_shadowed)
{
    u64 *entries[] = {&fake_table(l4)[0], &fake_table(l3)[0], &fake_table(l2)[0], &fake_table(l1)[0]};
    for (unsigned i = 0; i < 4; i++) {
        u64 saved = *entries[i] & ~(u64)(PTE_A | PTE_D);
        *entries[i] = saved;
        taken = entries[i];
        other_cpu = it_takes;
        ck_assert(fault(VA(0), WRITE)); /* the access is to be tried again */
        ck_assert_ptr_null(other_cpu);
        ck_assert_uint_eq(*entries[i], 0);
        ck_assert_uint_eq(seen(VA(0)), 0);
        ck_assert_uint_eq(code_of(VA(0), WRITE), WRITE & ~1U);
        *entries[i] = saved;
        ck_assert(fault(VA(0), WRITE));
        ck_assert_uint_eq(seen(VA(0)) & ALL_AD, ALL_AD);
        shadow_off(d);
        ck_assert_int_eq(shadow_on(d), 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mm_shadow");
    TCase *tc = tcase_create("shadow");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_accessed_and_dirty);
    tcase_add_test(tc, test_neighbours);
    tcase_add_test(tc, test_error_codes);
    tcase_add_test(tc, test_changes_are_followed);
    tcase_add_test(tc, test_table_returns);
    tcase_add_test(tc, test_parked_until_flushed);
    tcase_add_test(tc, test_out_of_tables);
    tcase_add_test(tc, test_linear_mapping);
    tcase_add_test(tc, test_own_tables_hidden);
    tcase_add_test(tc, test_log);
    tcase_add_test(tc, test_log_added_later);
    tcase_add_test(tc, test_log_of_our_writes);
    tcase_add_test(tc, test_number_out_of_range);
    tcase_add_test(tc, test_log_lost);
    tcase_add_test(tc, test_write_permission_goes_in_pieces);
    tcase_add_test(tc, test_log_lost_meanwhile);
    tcase_add_test(tc, test_bad_bitmap);
    tcase_add_test(tc, test_resize);
    tcase_add_test(tc, test_no_memory_to_start);
    tcase_add_test(tc, test_no_memory_for_a_leaf);
    tcase_add_test(tc, test_reports_out_of_turn);
    tcase_add_test(tc, test_an_entry_that_goes_while_it_is_shadowed);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
