/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Two CPUs at one frame's word. Each use of a frame is a look at its word and a swap that holds only if the word is
 * still the same. Here another CPU does each other use exactly in between, at each of the swaps in turn. Whoever kept
 * what it had looked at before would lose the other's count: a page that is free and still mapped.
 */
#include <check.h>
#include <stdlib.h>
#include "mm_fake.h"
#include "mm/shadow.h"
#include "other_cpu.h"
#include "tests/unit/run_suite.h"

static struct domain *d, *other;
static mfn_t frame;

static void setup(void)
{
    fake_start();
    d = fake_domain(1, false, 100);
    other = fake_domain(2, false, 100);
    fake_run(d);
    frame = fake_page(d);
}

static void teardown(void)
{
    other_cpu = NULL;
    ck_assert_uint_eq(frames_audit(true), 0);
}

/* The uses of a frame: what each takes, and how it gives that back. */
enum use { GENERAL, WRITABLE, TABLE, DESCRIPTORS, MAPPED, MAPPED_WRITABLE, TYPE_ALONE, USES };

static bool typed(enum use use)
{
    return use != GENERAL && use != MAPPED;
}

static bool referenced(enum use use)
{
    return use != TYPE_ALONE;
}

static bool map(u64 flags)
{
    u64 entry = pte_of(frame, flags);
    return l1e_get(&entry, d, d->id) == 0;
}

static bool take(enum use use)
{
    switch (use) {
    case GENERAL:
        return page_get(frame, d);
    case WRITABLE:
        return page_get_and_type(frame, d, FRAME_WRITABLE, false) == 0;
    case TABLE:
        return page_get_and_type(frame, d, FRAME_L1, false) == 0;
    case DESCRIPTORS:
        return page_get_and_type(frame, d, FRAME_DESCRIPTOR, false) == 0;
    case MAPPED:
        return map(PTE_P);
    case MAPPED_WRITABLE:
        return map(PTE_P | PTE_RW);
    default:
        return page_get_type(frame, FRAME_WRITABLE, false) == 0;
    }
}

static void drop(enum use use)
{
    if (use == GENERAL)
        page_put(frame);
    else if (use == TYPE_ALONE)
        page_put_type(frame);
    else if (use == MAPPED || use == MAPPED_WRITABLE)
        l1e_put(pte_of(frame, use == MAPPED ? PTE_P : PTE_P | PTE_RW), d);
    else
        page_put_and_type(frame);
}

static enum use its_use;
static unsigned swaps_before;
static bool it_holds;

/* Tables change under the page lock, so there are never two at one; a descriptor table under construction is waited for. */
static bool may_act(void)
{
    return !(frame_word(frame) & FW_BUSY) || its_use == GENERAL || its_use == MAPPED;
}

static void it_takes(void *word)
{
    if (word != &frame_table[frame.value].word || swaps_before-- != 0)
        return;
    other_cpu = NULL;
    it_holds = may_act() && take(its_use);
}

static void it_drops(void *word)
{
    if (word != &frame_table[frame.value].word || swaps_before-- != 0)
        return;
    other_cpu = NULL;
    if (may_act()) {
        drop(its_use);
        it_holds = false;
    }
}

static void expect(const char *when, enum use ours, bool we_hold, u64 base)
{
    u64 word = frame_word(frame);
    unsigned long references = (base & FW_REF_MASK) + (we_hold && referenced(ours)) + (it_holds && referenced(its_use));
    unsigned long types = fw_count(base) + (we_hold && typed(ours)) + (it_holds && typed(its_use));
    ck_assert_msg((word & FW_REF_MASK) == references && fw_count(word) == types && !(word & (FW_BUSY | FW_PARTIAL)),
                  "%s: use %u, the other CPU's %u: word %016lx, should hold %lu references, %lu of the type", when,
                  ours, its_use, (unsigned long)word, references, types);
}

/* We take while it takes, then we drop while it drops; and each drops while the other takes. */
static void meet(enum use ours, unsigned at)
{
    u64 base = frame_word(frame);
    it_holds = false;
    swaps_before = at;
    other_cpu = it_takes;
    bool we_hold = take(ours);
    expect("taking", ours, we_hold, base);
    if (it_holds) {
        swaps_before = at;
        other_cpu = it_drops;
    }
    if (we_hold)
        drop(ours);
    expect("dropping", ours, false, base);
    if (it_holds) {
        swaps_before = at;
        other_cpu = it_drops;
        we_hold = take(ours);
        expect("taking while it drops", ours, we_hold, base);
        if (we_hold)
            drop(ours);
    }
    other_cpu = NULL;
    if (it_holds)
        drop(its_use);
    it_holds = false;
    expect("after all", ours, false, base);
}

static void meet_all(enum use held)
{
    if (held != USES)
        ck_assert(take(held));
    for (unsigned pair = 0; pair < USES * USES; pair++) {
        its_use = pair / USES;
        bool two_tables = its_use == TABLE && pair % USES == TABLE;
        for (unsigned at = 0; at < 4 && !two_tables; at++)
            meet(pair % USES, at);
    }
    if (held != USES)
        drop(held);
}

START_TEST(test_uses_meet_at_a_frame_at_rest)
{
    meet_all(USES);
}
END_TEST

START_TEST(test_uses_meet_at_a_frame_in_use)
{
    for (enum use held = 0; held < USES; held++)
        meet_all(held);
}
END_TEST

/* A CPU that has not flushed yet may write through an old translation: the meeting must not skip the flush either. */
START_TEST(test_uses_meet_at_a_frame_of_stale_translations)
{
    for (unsigned pair = 0; pair < USES * USES; pair++) {
        its_use = pair / USES;
        for (unsigned at = 0; at < 4 && !(its_use == TABLE && pair % USES == TABLE); at++) {
            take(MAPPED_WRITABLE);
            drop(MAPPED_WRITABLE);
            ck_assert_uint_ne(stale_cpus, 0);
            meet(pair % USES, at);
        }
    }
    take(MAPPED_WRITABLE);
    drop(MAPPED_WRITABLE);
    ck_assert_uint_ne(stale_cpus, 0);
    its_use = GENERAL;
    swaps_before = 0;
    other_cpu = it_takes;
    ck_assert(take(TABLE));
    ck_assert_uint_eq(stale_cpus, 0);
    drop(TABLE);
    drop(GENERAL);
}
END_TEST

/* The last room in a count goes to the other CPU: ours is refused, and does not wrap around to a frame that is free. */
static void it_fills(void *word)
{
    other_cpu = NULL;
    *(u64 *)word |= its_use == GENERAL ? FW_REF_MASK - 1 : FW_COUNT_MASK;
}

START_TEST(test_a_count_fills_between)
{
    static const enum use filled[] = {GENERAL, WRITABLE};
    ck_assert(take(WRITABLE));
    u64 saved = frame_word(frame);
    for (unsigned i = 0; i < 2; i++)
        for (enum use ours = 0; ours < USES; ours++) {
            its_use = filled[i];
            if (ours == TABLE || ours == DESCRIPTORS || (its_use == GENERAL ? !referenced(ours) : !typed(ours)))
                continue;
            other_cpu = it_fills;
            ck_assert(!take(ours));
            other_cpu = NULL;
            frame_table[frame.value].word = saved;
        }
    drop(WRITABLE);
}
END_TEST

/* The frame itself goes between the look and the swap, and comes back as another domain's. */
static void it_gives_away(void *word)
{
    other_cpu = NULL;
    *(u64 *)word = (*(u64 *)word & ~FW_OWNER_MASK) | FW_OWNER(other->id);
}

START_TEST(test_the_owner_changes_between)
{
    u64 saved = frame_word(frame);
    for (enum use ours = 0; ours < USES; ours++) {
        if (ours == TYPE_ALONE)
            continue; /* its caller holds a reference, so that the owner stays */
        other_cpu = it_gives_away;
        ck_assert(!take(ours));
        ck_assert_ptr_null(other_cpu);
        ck_assert_uint_eq(frame_word(frame) & ~FW_OWNER_MASK, saved & ~FW_OWNER_MASK);
        frame_table[frame.value].word = saved;
    }
}
END_TEST

/* A CPU walks the guest's tables and sets A and D while the kernel stores the entry with "keep these two". */
static u64 *stored;

static void it_walks(void *word)
{
    if (word != stored)
        return;
    other_cpu = NULL;
    *stored |= PTE_A | PTE_D;
}

START_TEST(test_marks_of_a_walk_are_kept)
{
    mfn_t l1 = fake_page(d);
    stored = &fake_table(l1)[3];
    *stored = pte_of(frame, PTE_P);
    ck_assert_int_eq(page_get_and_type(l1, d, FRAME_L1, false), 0);
    other_cpu = it_walks;
    ck_assert_int_eq(l1_update(d, stored, pte_of(frame, PTE_P | PTE_RW), d->id, KEEP_AD), 0);
    ck_assert_uint_eq(*stored & (PTE_RW | PTE_A | PTE_D), PTE_RW | PTE_A | PTE_D);
    page_put_and_type(l1);
}
END_TEST

/* A table that another CPU takes or leaves while a window to it is made. */
static mfn_t shown;
static int change;

static void it_changes_count(void *word)
{
    if (word != &frame_table[shown.value].word)
        return;
    other_cpu = NULL;
    frame_table[shown.value].word += (unsigned long)change * FW_COUNT_ONE;
}

START_TEST(test_a_window_to_a_table_that_changes)
{
    mfn_t window = fake_page(d);
    u64 entry;
    shown = fake_page(d);
    ck_assert_int_eq(page_get_and_type(window, d, FRAME_L2, false), 0);
    ck_assert_int_eq(page_get_and_type(shown, d, FRAME_L2, false), 0);
    for (change = 1; change >= -1; change -= 2) {
        entry = pte_of(shown, PTE_P);
        ck_assert(page_get(shown, d));
        other_cpu = it_changes_count;
        ck_assert_int_eq(linear_get(d, FRAME_L2, window, shown, entry), change > 0);
        ck_assert_ptr_null(other_cpu);
        frame_table[shown.value].word -= (unsigned long)change * FW_COUNT_ONE;
        if (change > 0)
            ck_assert_int_eq(upper_put(entry, d, window, false), 0);
        else
            page_put(shown);
    }
    page_put_and_type(window);
    page_put_and_type(shown);
    linear_free(d);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mm races");
    TCase *tc = tcase_create("words");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_uses_meet_at_a_frame_at_rest);
    tcase_add_test(tc, test_uses_meet_at_a_frame_in_use);
    tcase_add_test(tc, test_uses_meet_at_a_frame_of_stale_translations);
    tcase_add_test(tc, test_a_count_fills_between);
    tcase_add_test(tc, test_the_owner_changes_between);
    tcase_add_test(tc, test_marks_of_a_walk_are_kept);
    tcase_add_test(tc, test_a_window_to_a_table_that_changes);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
