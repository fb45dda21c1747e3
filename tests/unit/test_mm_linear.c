/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Windows of page tables to tables of their own level, and the rules of the levels above the first: what a slot may
 * hold, and what our own copies to a guest must keep away from.
 */
#include <check.h>
#include <stdlib.h>
#include "guest_access.h"
#include "mm_fake.h"
#include "tests/unit/run_suite.h"

#define BOTTOM (1UL << 47) /* where the lower half of the address space ends */

static struct domain *d, *d32;

static void setup(void)
{
    fake_start();
    d = fake_domain(1, false, 1000);
    d32 = fake_domain(2, true, 1000);
    fake_run(d);
}

static void teardown(void)
{
    linear_free(d);
    linear_free(d32);
    ck_assert_uint_eq(frames_audit(true), 0);
}

static mfn_t table(struct domain *owner, enum frame_type type)
{
    mfn_t mfn = fake_page(owner);
    ck_assert_int_eq(page_get_and_type(mfn, owner, type, false), 0);
    return mfn;
}

static int store_in(struct domain *owner, enum frame_type type, mfn_t mfn, unsigned slot, u64 value)
{
    return upper_update(owner, type, mfn, &fake_table(mfn)[slot], value, 0);
}

/* A window in level 4 shows our part one level down, where the guest's addresses are not told apart from ours by their
 * number: from then on no copy to or from a guest goes through that slot, and all vCPUs know. */
START_TEST(test_a_window_of_level_4_closes_its_slot_to_copies)
{
    mfn_t l4 = table(d, FRAME_L4), second = table(d, FRAME_L4);
    d->vcpus[0]->mm.kernel_table = l4;
    linear_set_range(d->vcpus[0]);
    ck_assert_uint_eq(d->vcpus[0]->mm.copy_end, BOTTOM);
    ck_assert(linear_range_ok(5UL << 39, 6UL << 39));
    unsigned flushes = fake.flushes;
    ck_assert_int_eq(store_in(d, FRAME_L4, l4, 5, pte_of(l4, PTE_P)), 0);
    ck_assert_uint_eq(d->vcpus[0]->mm.copy_end, 0);
    ck_assert_uint_eq(fake.flushes, flushes + 1); /* no CPU is within a copy that began before */
    ck_assert(!linear_range_ok(5UL << 39, (5UL << 39) + 1));
    ck_assert(!linear_range_ok((5UL << 39) - 1, (5UL << 39) + 1));
    ck_assert(!linear_range_ok(4UL << 39, 7UL << 39));
    ck_assert(linear_range_ok(4UL << 39, 5UL << 39)); /* up to the slot */
    ck_assert(!linear_range_ok(5UL << 39, 5UL << 39));
    ck_assert(linear_range_ok(6UL << 39, 6UL << 39));
    ck_assert_int_eq(store_in(d, FRAME_L4, l4, 300, pte_of(second, PTE_P)), 0); /* to another table of level 4 */
    ck_assert(!linear_range_ok(0xFFFF960000000000, 0xFFFF960000001000));
    ck_assert_int_eq(store_in(d, FRAME_L4, l4, 300, 0), 0);
    ck_assert(!linear_range_ok(0xFFFF960000000000, 0xFFFF960000001000)); /* an old translation may be left */
    d->vcpus[0]->mm.kernel_table = mfn_of(INVALID_FRAME);
    page_put_and_type(l4);
    page_put_and_type(second);
}
END_TEST

/* As mm/base.c does, under the page lock. */
static void become_base(mfn_t *base, mfn_t l4)
{
    *base = l4;
    ck_assert(d->mm.linear_tops);
    linear_note_base(d, l4);
}

/* A table that is no address space shows nothing to anybody: were its slot closed, a kernel that tries whether such a
 * window is allowed would lose the part of its addresses that it lives in. */
START_TEST(test_a_window_closes_its_slot_once_its_table_is_a_base)
{
    mfn_t l4 = table(d, FRAME_L4), second = table(d, FRAME_L4);
    linear_set_range(d->vcpus[0]);
    ck_assert_int_eq(store_in(d, FRAME_L4, l4, 5, pte_of(l4, PTE_P)), 0);
    ck_assert_int_eq(store_in(d, FRAME_L4, second, 300, pte_of(l4, PTE_P)), 0);
    ck_assert_uint_eq(d->vcpus[0]->mm.copy_end, BOTTOM);
    become_base(&d->vcpus[0]->mm.kernel_table, l4);
    ck_assert_uint_eq(d->vcpus[0]->mm.copy_end, 0);
    ck_assert(!linear_range_ok(5UL << 39, (5UL << 39) + 1));
    ck_assert(linear_range_ok(4UL << 39, 5UL << 39));
    ck_assert(linear_range_ok(0xFFFF960000000000, 0xFFFF960000001000));
    become_base(&d->vcpus[0]->mm.user_table, second); /* the user's counts, too */
    ck_assert(!linear_range_ok(0xFFFF960000000000, 0xFFFF960000001000));
    d->vcpus[0]->mm.kernel_table = d->vcpus[0]->mm.user_table = mfn_of(INVALID_FRAME);
    ck_assert_int_eq(store_in(d, FRAME_L4, second, 300, 0), 0);
    page_put_and_type(l4);
    page_put_and_type(second);
}
END_TEST

/* Whatever slots are closed: the range must be one, of the guest's own. */
START_TEST(test_ranges_that_are_never_good)
{
    ck_assert(!linear_range_ok(PAGE_SIZE, 0));                     /* wraps around */
    ck_assert(!linear_range_ok(BOTTOM - PAGE_SIZE, BOTTOM + 1));   /* into the hole */
    ck_assert(!linear_range_ok(HV_VIRT_START, HV_VIRT_START + 1)); /* ours */
    ck_assert(linear_range_ok(HV_VIRT_END, HV_VIRT_END + 1));
    ck_assert(linear_range_ok(BOTTOM - PAGE_SIZE, BOTTOM));
    fake_run(d32);
    ck_assert(!linear_range_ok(0, 1));
    linear_set_range(d32->vcpus[0]);
    ck_assert_uint_eq(d32->vcpus[0]->mm.copy_end, 1UL << 32);
}
END_TEST

/* The counts of windows live in a table with a bound: a guest that fills it is refused more, and nothing is lost. */
START_TEST(test_more_windows_than_can_be_counted)
{
    static mfn_t window[4 * PAGE_SIZE / sizeof(u64)];
    mfn_t shown = table(d, FRAME_L2);
    unsigned made = 0;
    d->mm.max_pages = ARRAY_SIZE(window) + 100;
    while (made < ARRAY_SIZE(window)) {
        window[made] = table(d, FRAME_L2);
        if (store_in(d, FRAME_L2, window[made], 0, pte_of(shown, PTE_P)))
            break;
        made++;
    }
    ck_assert_uint_gt(made, 100);
    ck_assert_uint_lt(made, ARRAY_SIZE(window));
    ck_assert_uint_eq(fw_count(frame_word(shown)), 1 + made);
    page_put_and_type(window[made]);
    ck_assert_int_eq(store_in(d, FRAME_L2, window[0], 0, 0), 0); /* its place is free for another */
    ck_assert_int_eq(store_in(d, FRAME_L2, window[0], 0, pte_of(shown, PTE_P)), 0);
    while (made-- > 0)
        page_put_and_type(window[made]);
    page_put_and_type(shown);
}
END_TEST

START_TEST(test_no_memory_to_count_windows)
{
    mfn_t window = table(d, FRAME_L2), shown = table(d, FRAME_L2);
    fake_exhaust();
    ck_assert_int_eq(store_in(d, FRAME_L2, window, 0, pte_of(shown, PTE_P)), -EINVAL);
    fake.quiet = true;
    ck_assert_uint_eq(frames_audit(true), 0); /* without memory it knows nothing, and says so */
    ck_assert_ptr_nonnull(strstr(fake_log, "no memory"));
    fake_relieve();
    ck_assert_int_eq(store_in(d, FRAME_L2, window, 0, pte_of(shown, PTE_P)), 0);
    page_put_and_type(window);
    page_put_and_type(shown);
}
END_TEST

/* Of a 32-bit guest's tables some slots are not its own: where level 2 maps the M2P, and the fourth of level 3, which
 * is checked with the whole table. */
START_TEST(test_slots_of_a_32bit_guest)
{
    mfn_t l3 = fake_page(d32), l2[5];
    for (unsigned i = 0; i < 5; i++)
        l2[i] = fake_page(d32);
    for (unsigned i = 0; i < 4; i++)
        fake_table(l3)[i] = pte_of(l2[i], PTE_P);
    fake_run(d32);
    ck_assert_int_eq(page_get_and_type(l3, d32, FRAME_L3, false), 0);
    ck_assert_int_eq(store_in(d32, FRAME_L3, l3, 3, 0), -EINVAL);
    ck_assert_int_eq(store_in(d32, FRAME_L3, l3, 4, pte_of(l2[4], PTE_P)), -EINVAL);
    ck_assert_int_eq(store_in(d32, FRAME_L3, l3, 2, pte_of(l2[4], PTE_P)), 0);
    ck_assert_int_eq(store_in(d32, FRAME_L3, l3, 1, pte_of(l2[4], PTE_P | 1UL << 63)), -EINVAL); /* reserved in PAE */
    ck_assert_int_eq(store_in(d32, FRAME_L2_COMPAT, l2[3], COMPAT_L2_FIRST_HV_SLOT, 0), -EPERM);
    ck_assert_int_eq(store_in(d32, FRAME_L2_COMPAT, l2[3], COMPAT_L2_FIRST_HV_SLOT - 1, 0), 0);
    page_put_and_type(l3);
}
END_TEST

/* Other flags for the same child move no references, but are checked like new ones. */
START_TEST(test_new_flags_for_the_same_child)
{
    mfn_t l1 = fake_page(d), l2 = table(d, FRAME_L2), page = fake_page(d);
    ck_assert_int_eq(store_in(d, FRAME_L2, l2, 0, pte_of(l1, PTE_TABLE)), 0);
    u64 word = frame_word(l1);
    ck_assert_int_eq(store_in(d, FRAME_L2, l2, 0, pte_of(l1, PTE_TABLE | PTE_NX)), 0);
    ck_assert(fake_table(l2)[0] & PTE_NX);
    ck_assert_int_eq(store_in(d, FRAME_L2, l2, 0, pte_of(l1, PTE_TABLE | PTE_PWT)), -EINVAL);
    ck_assert(!(fake_table(l2)[0] & PTE_PWT));
    ck_assert_uint_eq(frame_word(l1), word);
    ck_assert_int_eq(l1_update(d, &fake_table(l1)[0], pte_of(page, PTE_P), d->id, 0), 0);
    ck_assert_int_eq(l1_update(d, &fake_table(l1)[0], pte_of(page, PTE_P | PTE_NX), d->id, 0), 0);
    d->iopl_trusted = true; /* may choose how memory is cached, until it is no longer trusted */
    ck_assert_int_eq(l1_update(d, &fake_table(l1)[0], pte_of(page, PTE_P | PTE_PCD), d->id, 0), 0);
    d->iopl_trusted = false;
    ck_assert_int_eq(l1_update(d, &fake_table(l1)[0], pte_of(page, PTE_P | PTE_PCD), d->id, 0), -EINVAL);
    page_put_and_type(l2);
}
END_TEST

/* A window to a table replaced by one to another: each end's count moves, or the next release would stop the machine. */
START_TEST(test_a_window_moves_on)
{
    mfn_t window = table(d, FRAME_L2), first = table(d, FRAME_L2), second = table(d, FRAME_L2), l1 = fake_page(d);
    ck_assert_int_eq(store_in(d, FRAME_L2, window, 0, pte_of(first, PTE_P)), 0);
    ck_assert_int_eq(store_in(d, FRAME_L2, window, 0, pte_of(second, PTE_P)), 0);
    ck_assert_uint_eq(fw_count(frame_word(first)), 1);
    ck_assert_uint_eq(fw_count(frame_word(second)), 2);
    ck_assert_int_eq(store_in(d, FRAME_L2, window, 0, pte_of(l1, PTE_TABLE)), 0);
    ck_assert_uint_eq(fw_count(frame_word(second)), 1);
    ck_assert_int_eq(store_in(d, FRAME_L2, window, 1, pte_of(window, PTE_P)), 0); /* to itself: holds nothing */
    ck_assert_int_eq(store_in(d, FRAME_L2, window, 1, pte_of(second, PTE_P)), 0);
    page_put_and_type(second);
    page_put_and_type(window);
    page_put_and_type(first);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mm linear");
    TCase *tc = tcase_create("upper levels");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_a_window_of_level_4_closes_its_slot_to_copies);
    tcase_add_test(tc, test_a_window_closes_its_slot_once_its_table_is_a_base);
    tcase_add_test(tc, test_ranges_that_are_never_good);
    tcase_add_test(tc, test_more_windows_than_can_be_counted);
    tcase_add_test(tc, test_no_memory_to_count_windows);
    tcase_add_test(tc, test_slots_of_a_32bit_guest);
    tcase_add_test(tc, test_new_flags_for_the_same_child);
    tcase_add_test(tc, test_a_window_moves_on);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
