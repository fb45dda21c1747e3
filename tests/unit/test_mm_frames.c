/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The rules of frame types: who may be what, when, and that every count returns to where it was. After each test the
 * audit recounts all references from the tables themselves.
 */
#include <check.h>
#include <stdlib.h>
#include "mm_fixture.h"
#include "tests/unit/run_suite.h"

static mfn_t new_l1(struct domain *owner, unsigned pages, u64 flags)
{
    mfn_t l1 = fake_page(owner);
    for (unsigned i = 0; i < pages; i++)
        fake_table(l1)[i] = pte_of(fake_page(owner), flags);
    return l1;
}

static mfn_t parent_of(struct domain *owner, mfn_t child, unsigned slot)
{
    mfn_t table = fake_page(owner);
    fake_table(table)[slot] = pte_of(child, PTE_TABLE);
    return table;
}

static mfn_t new_tree64(struct domain *owner, unsigned l1_count, unsigned pages)
{
    mfn_t l2 = fake_page(owner);
    for (unsigned i = 0; i < l1_count; i++)
        fake_table(l2)[i] = pte_of(new_l1(owner, pages, PTE_P | PTE_RW), PTE_TABLE);
    return parent_of(owner, parent_of(owner, l2, 0), 0);
}

static mfn_t new_tree32(void)
{
    mfn_t l3 = fake_page(d32);
    for (unsigned i = 0; i < 4; i++)
        fake_table(l3)[i] = pte_of(parent_of(d32, new_l1(d32, 3, PTE_P | PTE_RW), 5), PTE_P);
    return l3;
}

/* A page with a writable mapping must never become a page table, and the other way round. */
START_TEST(test_types_exclude_each_other)
{
    mfn_t mfn = fake_page(d);
    ck_assert_int_eq(page_get_and_type(mfn, d, FRAME_WRITABLE, false), 0);
    ck_assert_int_eq(page_get_and_type(mfn, d, FRAME_L1, false), -EINVAL);
    ck_assert_int_eq(page_get_and_type(mfn, d, FRAME_DESCRIPTOR, false), -EINVAL);
    ck_assert_int_eq(page_get_and_type(mfn, d, FRAME_WRITABLE, false), 0);
    page_put_and_type(mfn);
    page_put_and_type(mfn);
    ck_assert_int_eq(page_get_and_type(mfn, d, FRAME_L1, false), 0);
    ck_assert_int_eq(page_get_and_type(mfn, d, FRAME_WRITABLE, false), -EINVAL);
    ck_assert_int_eq(page_get_and_type(mfn, d, FRAME_L2, false), -EINVAL);
    page_put_and_type(mfn);
    ck_assert_int_eq(page_get_and_type(mfn, d, FRAME_WRITABLE, false), 0);
    page_put_and_type(mfn);
    ck_assert_uint_eq(refs(mfn), 1);
}
END_TEST

/* A CPU may hold a writable translation from before: it is flushed before the page counts as a table. */
START_TEST(test_retyping_flushes_first)
{
    mfn_t mfn = fake_page(d);
    ck_assert_int_eq(page_get_and_type(mfn, d, FRAME_WRITABLE, false), 0);
    page_put_and_type(mfn);
    unsigned before = fake.flushes;
    ck_assert_int_eq(page_get_and_type(mfn, d, FRAME_L1, false), 0);
    ck_assert_uint_eq(fake.flushes, before + 1);
    page_put_and_type(mfn);
    ck_assert_int_eq(page_get_and_type(mfn, d, FRAME_WRITABLE, false), 0);
    ck_assert_uint_eq(fake.flushes, before + 2);
    page_put_and_type(mfn);
}
END_TEST

/* Writable for its owner and for somebody else, who lets go last. The owner's CPUs may have an old translation all the
 * same: without their flush the owner writes to its own page table. */
START_TEST(test_last_writer_is_another)
{
    mfn_t mfn = fake_page(d);
    u64 own = pte_of(mfn, PTE_P | PTE_RW), foreign = own;
    d->mm.dirty_cpus = 1;
    other->mm.dirty_cpus = 2;
    ck_assert_int_eq(l1e_get(&own, d, d->id), 0);
    ck_assert_int_eq(l1e_get(&foreign, other, d->id), 0);
    l1e_put(own, d);
    stale_cpus = 0;
    l1e_put(foreign, other);
    ck_assert_uint_eq(stale_cpus, 3);
    ck_assert_int_eq(page_get_and_type(mfn, d, FRAME_L1, false), 0);
    ck_assert_uint_eq(stale_cpus, 0);
    page_put_and_type(mfn);
}
END_TEST

START_TEST(test_only_the_owner)
{
    mfn_t mfn = fake_page(d);
    ck_assert(!page_get(mfn, other));
    ck_assert(!page_get(mfn_of(FAKE_FRAMES), d));
    ck_assert(!page_get(mfn_of(INVALID_FRAME), d));
    ck_assert(!page_get(mfn_of(3), d));
    ck_assert(!page_get(mfn_of(FAKE_FRAMES - 1), d)); /* free */
    ck_assert_int_eq(page_get_and_type(mfn_of(1UL << 40), d, FRAME_L1, false), -EINVAL);
}
END_TEST

/* Counts are limited: the last reference that fits is refused rather than wrapping around to a free page. */
START_TEST(test_counts_saturate)
{
    mfn_t mfn = fake_page(d);
    u64 saved = frame_word(mfn);
    frame_table[mfn.value].word |= FW_COUNT_MASK;
    ck_assert_int_ne(page_get_type(mfn, FRAME_WRITABLE, false), 0);
    ck_assert_int_ne(page_get_and_type(mfn, d, FRAME_WRITABLE, false), 0);
    frame_table[mfn.value].word = (saved & ~FW_REF_MASK) | (FW_REF_MASK - 1);
    ck_assert(!page_get(mfn, d));
    u64 entry = pte_of(mfn, PTE_P);
    ck_assert_int_eq(l1e_get(&entry, d, d->id), -EBUSY);
    frame_table[mfn.value].word = saved;
}
END_TEST

START_TEST(test_l1_takes_references)
{
    mfn_t page = fake_page(d), l1 = fake_page(d);
    fake_table(l1)[0] = pte_of(page, PTE_P | PTE_RW);
    fake_table(l1)[1] = pte_of(page, PTE_P);
    fake_table(l1)[7] = 0x123456000; /* not present: anything goes */
    ck_assert_int_eq(page_get_and_type(l1, d, FRAME_L1, false), 0);
    ck_assert_uint_eq(refs(page), 3);
    ck_assert_uint_eq(fw_count(frame_word(page)), 1);
    ck_assert_uint_eq(fake_table(l1)[1], pte_of(page, PTE_P | PTE_US) | KERNEL_ONLY);
    page_put_and_type(l1);
    ck_assert_uint_eq(refs(page), 1);
}
END_TEST

/* One bad entry at the end: nothing taken before it may stay. */
START_TEST(test_bad_l1_leaves_nothing)
{
    mfn_t l1 = new_l1(d, 511, PTE_P | PTE_RW), foreign = fake_page(other);
    u64 bad[] = {pte_of(foreign, PTE_P), pte_of(l1, PTE_P | PTE_RW), pte_of(mfn_of(4), PTE_P),
                 pte_of(mfn_of(1UL << 30), PTE_P), pte_of(pte_mfn(fake_table(l1)[0]), PTE_P | PTE_PCD)};
    int expected[] = {-EBUSY, -EBUSY, -EPERM, -EPERM, -EINVAL};
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        fake_table(l1)[511] = bad[i];
        ck_assert_int_eq(page_get_and_type(l1, d, FRAME_L1, false), expected[i]);
        for (unsigned j = 0; j < 511; j++)
            ck_assert_uint_eq(refs(pte_mfn(fake_table(l1)[j])), 1);
        ck_assert_uint_eq(refs(l1), 1);
    }
}
END_TEST

/* A table may show itself read-only; that is how a kernel sees its own tables. */
START_TEST(test_read_only_map_of_tables)
{
    mfn_t l1 = fake_page(d);
    fake_table(l1)[3] = pte_of(l1, PTE_P);
    ck_assert_int_eq(page_get_and_type(l1, d, FRAME_L1, false), 0);
    ck_assert_uint_eq(refs(l1), 3);
    page_put_and_type(l1);
    ck_assert_uint_eq(refs(l1), 1);
}
END_TEST

START_TEST(test_tree64)
{
    unsigned before = (unsigned)d->mm.tot_pages;
    mfn_t root = new_tree64(d, 3, 5);
    ck_assert_int_eq(page_get_and_type(root, d, FRAME_L4, false), 0);
    ck_assert_uint_eq(fake_table(root)[256], 0xABC000 | PTE_P);
    ck_assert_uint_ne(fake_table(root)[0] & PTE_US, 0);
    frame_table[root.value].word |= FW_PINNED; /* what a pin holds */
    ck_assert_uint_eq(frames_audit(true), 0);
    frame_table[root.value].word &= ~FW_PINNED;
    page_put_and_type(root);
    for (unsigned long i = 16; i < FAKE_FRAMES; i++)
        if (page_owner_id(mfn_of(i)) == d->id)
            ck_assert_uint_eq(refs(mfn_of(i)), 1);
    ck_assert_uint_gt(d->mm.tot_pages, before);
}
END_TEST

START_TEST(test_upper_flags)
{
    u64 bad[] = {PTE_PSE, PTE_G, PTE_PCD, PTE_PWT, 1UL << 45};
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        mfn_t l2 = parent_of(d, new_l1(d, 2, PTE_P), 9);
        fake_table(l2)[9] |= bad[i];
        ck_assert_int_eq(page_get_and_type(l2, d, FRAME_L2, false), -EINVAL);
    }
    mfn_t l2 = parent_of(d, new_l1(d, 2, PTE_P), 9);
    fake_table(l2)[9] |= PTE_NX | 0xE00 | 1UL << 55;
    ck_assert_int_eq(page_get_and_type(l2, d, FRAME_L2, false), 0);
    page_put_and_type(l2);
}
END_TEST

START_TEST(test_linear_map)
{
    mfn_t l4 = new_tree64(d, 1, 1), l2 = parent_of(d, new_l1(d, 1, PTE_P), 0);
    fake_table(l4)[300] = pte_of(l4, PTE_P | PTE_US);
    ck_assert_int_eq(page_get_and_type(l4, d, FRAME_L4, false), 0);
    ck_assert_uint_eq(refs(l4), 2);
    page_put_and_type(l4);
    fake_table(l4)[300] |= PTE_RW;
    ck_assert_int_ne(page_get_and_type(l4, d, FRAME_L4, false), 0);
    fake_table(l2)[1] = pte_of(l2, PTE_P);
    ck_assert_int_eq(page_get_and_type(l2, d, FRAME_L2, false), 0);
    page_put_and_type(l2);
}
END_TEST

/* A kernel shows itself all its level-2 tables through one of them; a chain of such tables is refused, for releasing
 * it would recurse without bound. */
START_TEST(test_linear_map_of_others)
{
    mfn_t window = fake_page(d), shown = parent_of(d, new_l1(d, 1, PTE_P), 0), chain = fake_page(d);
    fake_table(window)[0] = pte_of(shown, PTE_P);
    ck_assert_int_eq(page_get_and_type(window, d, FRAME_L2, false), 0);
    ck_assert_int_eq(page_type(shown), FRAME_L1); /* it was no level-2 table yet */
    page_put_and_type(window);
    fake_table(shown)[0] &= ~PTE_G; /* the mark of a user page, which level 2 does not take */
    ck_assert_int_eq(page_get_and_type(shown, d, FRAME_L2, false), 0);
    ck_assert_int_eq(page_get_and_type(window, d, FRAME_L2, false), 0);
    ck_assert_uint_eq(fw_count(frame_word(shown)), 2);
    fake_table(chain)[0] = pte_of(window, PTE_P);
    ck_assert_int_eq(page_get_and_type(chain, d, FRAME_L2, false), -EINVAL);
    ck_assert_int_eq(upper_update(d, FRAME_L2, shown, &fake_table(shown)[7], pte_of(window, PTE_P), 0), -EINVAL);
    ck_assert_int_eq(upper_update(d, FRAME_L2, window, &fake_table(window)[1], pte_of(shown, PTE_P | PTE_RW), 0),
                     -EINVAL);
    ck_assert_int_eq(upper_update(d, FRAME_L2, window, &fake_table(window)[0], pte_of(shown, PTE_P | PTE_RW), 0),
                     -EINVAL);
    ck_assert_int_eq(upper_update(d, FRAME_L2, window, &fake_table(window)[1], pte_of(shown, PTE_P), 0), 0);
    page_put_and_type(shown); /* the linear mappings are its last users now */
    ck_assert_uint_eq(fw_count(frame_word(shown)), 2);
    page_put_and_type(window);
    ck_assert_uint_eq(refs(shown), 1);
    ck_assert_int_eq(page_get_and_type(shown, d, FRAME_L2, false), 0);
    fake_table(chain)[0] = 0;
    ck_assert_int_eq(page_get_and_type(chain, d, FRAME_L2, false), 0);
    ck_assert_int_eq(upper_update(d, FRAME_L2, shown, &fake_table(shown)[7], pte_of(chain, PTE_P), 0), 0);
    page_put_and_type(shown);
    page_put_and_type(chain);
    linear_free(d);
}
END_TEST

START_TEST(test_tree32)
{
    mfn_t l3 = new_tree32(), l2_high = pte_mfn(fake_table(l3)[3]);
    fake_run(d32);
    fake_table(l3)[4] = ~0UL; /* only four entries are the guest's */
    ck_assert_int_eq(page_get_and_type(l3, d32, FRAME_L3, false), 0);
    ck_assert_uint_eq(fake_table(l3)[4], 0);
    ck_assert_uint_eq(fake_table(l3)[0] & (PTE_RW | PTE_US), PTE_RW | PTE_US);
    ck_assert_int_eq(page_type(l2_high), FRAME_L2_COMPAT);
    ck_assert_uint_eq(fake_table(l2_high)[COMPAT_L2_FIRST_HV_SLOT], compat_m2p_l2e[0]);
    page_put_and_type(l3);
}
END_TEST

START_TEST(test_tree32_needs_its_fourth)
{
    fake_run(d32);
    mfn_t l3 = new_tree32();
    u64 saved = fake_table(l3)[3];
    fake_table(l3)[3] = 0;
    ck_assert_int_eq(page_get_and_type(l3, d32, FRAME_L3, false), -EINVAL);
    fake_table(l3)[3] = fake_table(l3)[2];
    ck_assert_int_ne(page_get_and_type(l3, d32, FRAME_L3, false), 0);
    fake_table(l3)[3] = saved | PTE_NX;
    ck_assert_int_eq(page_get_and_type(l3, d32, FRAME_L3, false), -EINVAL);
    fake_table(l3)[3] = saved;
    ck_assert_int_eq(page_get_and_type(l3, d32, FRAME_L3, false), 0);
    mfn_t second = new_tree32();
    fake_table(second)[3] = saved; /* shared with another address space */
    ck_assert_int_eq(page_get_and_type(second, d32, FRAME_L3, false), -EINVAL);
    page_put_and_type(l3);
    ck_assert_int_eq(page_get_and_type(second, d32, FRAME_L4, false), -EINVAL);
}
END_TEST

/* Preempted at every step, validation and release reach the same end, and the audit agrees at each stop. */
START_TEST(test_preempted_everywhere)
{
    mfn_t root = new_tree64(d, 40, 2);
    unsigned stops;
    fake.preempt_after = (unsigned)_i;
    ck_assert_int_eq(UNTIL_DONE(stops, (frames_audit(true) ? -1 : page_get_and_type(root, d, FRAME_L4, true))), 0);
    ck_assert_uint_gt(stops, 0);
    unsigned again = 0;
    int rc;
    while ((rc = page_put_type_preemptible(root)) == -ERESTART) {
        again++;
        ck_assert_uint_eq(frames_audit(false), 0);
    }
    ck_assert_int_eq(rc, 0);
    ck_assert_uint_gt(again, 0);
    page_put(root);
}
END_TEST

/* A guest that gives up half way: the partial table is taken apart when it is wanted for something else. */
START_TEST(test_partial_is_taken_apart)
{
    mfn_t root = new_tree64(d, 40, 2);
    fake.preempt_after = 5;
    ck_assert_int_eq(page_get_and_type(root, d, FRAME_L4, true), -ERESTART);
    ck_assert(frame_is_partial(frame_word(root)));
    ck_assert_int_eq(page_get_and_type(root, d, FRAME_WRITABLE, false), -EBUSY);
    fake.preempt_after = 0;
    ck_assert_int_eq(page_get_and_type(root, d, FRAME_L1, false), 0); /* what it points to is no table any more */
    ck_assert(!frame_is_partial(frame_word(root)));
    page_put_and_type(root);
    ck_assert_uint_eq(refs(root), 1);
}
END_TEST

/* The last of many entries is bad: all that was taken is given back, in pieces, before the vCPU does anything else. */
START_TEST(test_failure_is_undone_in_pieces)
{
    mfn_t root = new_tree64(d, 40, 2), l3 = pte_mfn(fake_table(root)[0]), l2 = pte_mfn(fake_table(l3)[0]);
    fake_table(l2)[511] = pte_of(fake_page(other), PTE_TABLE);
    fake.preempt_after = 100;
    unsigned stops;
    ck_assert_int_eq(page_get_and_type(root, d, FRAME_L4, true), -EINVAL);
    fake.preempt_after = 3;
    ck_assert_int_eq(UNTIL_DONE(stops, finish_old_table(d->vcpus[0])), 0);
    for (unsigned long i = 16; i < FAKE_FRAMES; i++)
        if (page_owner_id(mfn_of(i)) == d->id)
            ck_assert_uint_eq(refs(mfn_of(i)), 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("mm frames");
    TCase *t = tcase_create("frames");
    tcase_add_checked_fixture(t, three_domains, three_domains_end);
    tcase_add_test(t, test_types_exclude_each_other);
    tcase_add_test(t, test_retyping_flushes_first);
    tcase_add_test(t, test_last_writer_is_another);
    tcase_add_test(t, test_only_the_owner);
    tcase_add_test(t, test_counts_saturate);
    tcase_add_test(t, test_l1_takes_references);
    tcase_add_test(t, test_bad_l1_leaves_nothing);
    tcase_add_test(t, test_read_only_map_of_tables);
    tcase_add_test(t, test_tree64);
    tcase_add_test(t, test_upper_flags);
    tcase_add_test(t, test_linear_map);
    tcase_add_test(t, test_linear_map_of_others);
    tcase_add_test(t, test_tree32);
    tcase_add_test(t, test_tree32_needs_its_fourth);
    tcase_add_loop_test(t, test_preempted_everywhere, 1, 8);
    tcase_add_test(t, test_partial_is_taken_apart);
    tcase_add_test(t, test_failure_is_undone_in_pieces);
    suite_add_tcase(s, t);
    return run_suite(s);
}
