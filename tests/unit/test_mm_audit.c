/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The audit that ends nearly every test of frames: does it see damage? Each way in which tables and counts can
 * disagree is made by hand, found, and mended, after which the audit is content again.
 */
#include <check.h>
#include <string.h>
#include "mm_fake.h"
#include "tests/unit/run_suite.h"

static struct domain *d;
static mfn_t l4, l3, l2, l1, data;

static mfn_t over(mfn_t child, u64 flags)
{
    mfn_t table = fake_page(d);
    fake_table(table)[0] = pte_of(child, flags);
    return table;
}

static void setup(void)
{
    fake_start();
    fake.quiet = true;
    d = fake_domain(1, false, 100);
    fake_run(d);
    data = fake_page(d);
    l1 = over(data, PTE_P | PTE_RW);
    l2 = over(l1, PTE_TABLE);
    l3 = over(l2, PTE_TABLE);
    l4 = over(l3, PTE_TABLE);
    ck_assert_int_eq(page_get_and_type(l4, d, FRAME_L4, false), 0);
    d->vcpus[0]->mm.kernel_table = l4;
    ck_assert_uint_eq(frames_audit(true), 0);
}

static void teardown(void)
{
    ck_assert_uint_eq(frames_audit(true), 0);
}

static void finds(u64 *word, u64 damaged, const char *complaint)
{
    u64 saved = *word;
    *word = damaged;
    fake_log[0] = 0;
    ck_assert_uint_ne(frames_audit(true), 0);
    ck_assert_msg(strstr(fake_log, complaint) != NULL, "\"%s\" is not in: %s", complaint, fake_log);
    *word = saved;
    ck_assert_uint_eq(frames_audit(true), 0);
}

static u64 *word_of(mfn_t mfn)
{
    return &frame_table[mfn.value].word;
}

/* The worst: the allocator will give the frame to another domain while this one still maps it. */
START_TEST(test_a_mapped_frame_that_is_free)
{
    unsigned long free = 4000;
    while (page_type(mfn_of(free)) != FRAME_FREE)
        free--;
    finds(&fake_table(l1)[7], pte_of(mfn_of(free), PTE_P), "mapped, and free");
}
END_TEST

/* Or this: a guest that can write its own page tables. */
START_TEST(test_a_table_that_is_mapped_writable)
{
    finds(&fake_table(l1)[7], pte_of(l2, PTE_P | PTE_RW), "writable, of another type");
    finds(&fake_table(l4)[300], pte_of(l4, PTE_P | PTE_RW), "writable linear mapping");
}
END_TEST

START_TEST(test_a_table_at_the_wrong_level)
{
    finds(&fake_table(l4)[5], pte_of(l2, PTE_TABLE), "no table of that level");
    finds(&fake_table(l3)[5], pte_of(data, PTE_TABLE), "no table of that level");
    finds(&fake_table(l2)[5], pte_of(l3, PTE_TABLE), "no table of that level");
    finds(&fake_table(l2)[5], pte_of(mfn_of(1UL << 30), PTE_TABLE), "no table of that level");
}
END_TEST

/* A count too low frees the frame too early, a count too high never: a leak that a guest can repeat. */
START_TEST(test_counts_that_are_off_by_one)
{
    finds(word_of(data), *word_of(data) - 1, "counts are wrong");
    finds(word_of(data), *word_of(data) + 1, "held by nobody known");
    finds(word_of(data), *word_of(data) + FW_COUNT_ONE, "held by nobody known");
    finds(word_of(l1), *word_of(l1) + FW_COUNT_ONE, "counts are wrong");
    finds(word_of(l1), *word_of(l1) | FW_PINNED, "counts are wrong");
}
END_TEST

START_TEST(test_an_owner_that_is_gone)
{
    mfn_t mfn = fake_page(d);
    finds(word_of(mfn), (*word_of(mfn) & ~FW_OWNER_MASK) | FW_OWNER(77), "no such owner");
}
END_TEST

/* An unexplained count may be another CPU's, at work while the domain runs: only an exact audit takes it for damage. */
START_TEST(test_who_holds_what_for_a_moment)
{
    ck_assert(page_get(data, d));
    ck_assert_uint_eq(frames_audit(false), 0);
    ck_assert_uint_ne(frames_audit(true), 0);
    page_put(data);
}
END_TEST

/* What a vCPU's registers hold is explained: its descriptor tables, its vcpu_info, and a table that waits to go. */
START_TEST(test_what_a_vcpu_holds)
{
    struct vcpu *v = d->vcpus[0];
    mfn_t gdt = fake_page(d), ldt = fake_page(d), info = fake_page(d), old = fake_page(d);
    ck_assert_int_eq(page_get_and_type(gdt, d, FRAME_DESCRIPTOR, false), 0);
    ck_assert_int_eq(page_get_and_type(ldt, d, FRAME_DESCRIPTOR, false), 0);
    ck_assert_int_eq(page_get_and_type(info, d, FRAME_WRITABLE, false), 0);
    ck_assert(page_get(old, d));
    ck_assert_uint_eq(frames_audit(true), 4);
    v->gdt_entries = 512;
    v->gdt_frames[0] = gdt;
    v->ldt_mapped = 4;
    v->ldt_frames[2] = (u32)ldt.value;
    v->info_mfn = info;
    v->mm.old_table = old;
    ck_assert_uint_eq(frames_audit(true), 0);
    v->gdt_entries = 0;
    v->ldt_mapped = 0;
    v->info_mfn = v->mm.old_table = mfn_of(INVALID_FRAME);
    page_put_and_type(gdt);
    page_put_and_type(ldt);
    page_put_and_type(info);
    page_put(old);
}
END_TEST

/* Damage everywhere must not flood the log: twenty complaints, but all are counted. */
START_TEST(test_many_complaints)
{
    for (unsigned i = 10; i < 100; i++)
        fake_table(l1)[i] = pte_of(l2, PTE_P | PTE_RW);
    fake_log[0] = 0;
    ck_assert_uint_ge(frames_audit(true), 90);
    unsigned lines = 0;
    for (const char *at = fake_log; (at = strchr(at, '\n')); at++)
        lines++;
    ck_assert_uint_eq(lines, 21);
    memset(fake_table(l1) + 10, 0, 90 * sizeof(u64));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mm audit");
    TCase *tc = tcase_create("damage");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_a_mapped_frame_that_is_free);
    tcase_add_test(tc, test_a_table_that_is_mapped_writable);
    tcase_add_test(tc, test_a_table_at_the_wrong_level);
    tcase_add_test(tc, test_counts_that_are_off_by_one);
    tcase_add_test(tc, test_an_owner_that_is_gone);
    tcase_add_test(tc, test_who_holds_what_for_a_moment);
    tcase_add_test(tc, test_what_a_vcpu_holds);
    tcase_add_test(tc, test_many_complaints);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
