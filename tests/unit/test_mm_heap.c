/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The heap in the frame words, small objects, and reservations.
 */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include "mm_fake.h"
#include "mm/reservation.h"
#include "tests/unit/run_suite.h"

#define HEAP_FRAMES (FAKE_FRAMES - 16)

static void setup(void)
{
    fake_start();
    fake_run(fake_domain(1, false, 2000));
}

/* A lost or doubled frame is memory that leaks, or that two owners share. */
START_TEST(test_random_blocks_come_back)
{
    struct {
        mfn_t mfn;
        int order;
    } held[64];
    unsigned count = 0;
    bool dirty;
    srand(7);
    for (unsigned step = 0; step < 20000; step++) {
        if (count < 64 && (rand() & 1)) {
            int order = rand() % 6;
            mfn_t mfn = heap_take((unsigned)order, max_frame, WORD_OURS, &dirty);
            if (mfn.value == INVALID_FRAME)
                continue;
            ck_assert_uint_eq(mfn.value & ((1UL << order) - 1), 0);
            for (unsigned i = 0; i < count; i++)
                ck_assert(mfn.value + (1UL << order) <= held[i].mfn.value ||
                          held[i].mfn.value + (1UL << held[i].order) <= mfn.value);
            held[count].mfn = mfn;
            held[count++].order = order;
        } else if (count) {
            unsigned victim = (unsigned)rand() % count;
            heap_give(held[victim].mfn, (unsigned)held[victim].order, rand() & 1);
            held[victim] = held[--count];
        }
    }
    while (count--)
        heap_give(held[count].mfn, (unsigned)held[count].order, true);
    ck_assert_uint_eq(free_frames(), HEAP_FRAMES);
}
END_TEST

/* Freed pieces must grow together again, or a long-running machine cannot hand out large blocks. */
START_TEST(test_buddies_merge)
{
    mfn_t frames[1024];
    bool dirty;
    for (unsigned i = 0; i < 1024; i++)
        frames[i] = heap_take(0, max_frame, WORD_OURS, &dirty);
    for (unsigned i = 0; i < 1024; i += 2)
        heap_give(frames[i], 0, true);
    for (unsigned i = 1; i < 1024; i += 2)
        heap_give(frames[i], 0, true);
    mfn_t big = heap_take(11, max_frame, WORD_OURS, &dirty);
    ck_assert_uint_ne(big.value, INVALID_FRAME);
    ck_assert_uint_eq(big.value & 2047, 0);
}
END_TEST

START_TEST(test_address_limit)
{
    bool dirty;
    mfn_t low = heap_take(3, 64, WORD_OURS, &dirty);
    ck_assert_uint_lt(low.value + 8, 65);
    ck_assert_uint_eq(heap_take(5, 40, WORD_OURS, &dirty).value, INVALID_FRAME);
    ck_assert_uint_eq(heap_take(19, max_frame, WORD_OURS, &dirty).value, INVALID_FRAME);
    ck_assert_uint_eq(address_limit(0), max_frame);
    ck_assert_uint_eq(address_limit(20), 256);
}
END_TEST

/* What a guest left behind is cleared before another domain sees it, by the idle loop or at allocation. */
START_TEST(test_pages_are_clean)
{
    struct domain *a = current->domain, *b = fake_domain(2, false, 100);
    mfn_t mfn = fake_page(a);
    memset(mfn_to_virt(mfn), 0x5A, PAGE_SIZE);
    page_get(mfn, a);
    __atomic_and_fetch(&frame_table[mfn.value].word, ~FW_ALLOCATED, __ATOMIC_SEQ_CST);
    page_put(mfn);
    page_put(mfn);
    mfn_t again = fake_page(b);
    for (unsigned i = 0; i < 512; i++)
        ck_assert_uint_eq(fake_table(again)[i], 0);
    while (mm_idle_work())
        ;
    ck_assert_uint_eq(free_frames(), HEAP_FRAMES - 1);
    bool dirty = true;
    heap_take(4, max_frame, WORD_OURS, &dirty);
    ck_assert(!dirty);
}
END_TEST

/* A freed frame may still be in some TLB: nobody gets it before that CPU is flushed. */
START_TEST(test_flush_before_reuse)
{
    struct domain *a = current->domain;
    mfn_t mfn = fake_page(a);
    unsigned before = fake.flushes;
    __atomic_and_fetch(&frame_table[mfn.value].word, ~FW_ALLOCATED, __ATOMIC_SEQ_CST);
    page_put(mfn);
    ck_assert_uint_eq(fake.flushes, before);
    fake_page(a);
    ck_assert_uint_eq(fake.flushes, before + 1);
    fake_page(a);
    ck_assert_uint_eq(fake.flushes, before + 1);
}
END_TEST

/* What is cleaned while a CPU idles must stay clean: whoever could still write to it is flushed before. */
START_TEST(test_flush_before_idle_cleaning)
{
    struct domain *a = current->domain;
    mfn_t mfn = fake_page(a);
    unsigned before = fake.flushes;
    __atomic_and_fetch(&frame_table[mfn.value].word, ~FW_ALLOCATED, __ATOMIC_SEQ_CST);
    page_put(mfn);
    ck_assert_uint_eq(fake.flushes, before);
    ck_assert(mm_idle_work());
    ck_assert_uint_eq(fake.flushes, before + 1);
}
END_TEST

static bool all_bytes(const u8 *p, u8 value, size_t size)
{
    while (size && p[size - 1] == value)
        size--;
    return size == 0;
}

START_TEST(test_small_objects)
{
    static void *held[500];
    static size_t size[500];
    unsigned long before = free_frames();
    srand(3);
    for (unsigned i = 0; i < 500; i++) {
        size[i] = (size_t)(rand() % 4096 + 1);
        held[i] = hv_alloc(size[i]);
        ck_assert_ptr_nonnull(held[i]);
        ck_assert(size[i] < 64 || ((unsigned long)held[i] & 63) == 0);
        ck_assert(all_bytes(held[i], 0, size[i]));
        memset(held[i], (int)i, size[i]);
    }
    for (unsigned i = 0; i < 500; i++) {
        ck_assert(all_bytes(held[i], (u8)i, size[i]));
        hv_free(held[i]);
    }
    ck_assert_uint_eq(free_frames(), before);
    ck_assert_ptr_null(hv_alloc(PAGE_SIZE + 1));
}
END_TEST

START_TEST(test_maximum)
{
    struct domain *d = fake_domain(3, false, 10);
    mfn_t mfn;
    ck_assert_int_eq(domain_alloc_frames(d, 3, 0, &mfn), 0);
    ck_assert_int_eq(domain_alloc_frames(d, 2, 0, &mfn), -ENOMEM);
    ck_assert_int_eq(domain_alloc_frames(d, 1, 0, &mfn), 0);
    ck_assert_uint_eq(d->mm.tot_pages, 10);
    ck_assert_uint_eq(d->refs, 2);
}
END_TEST

/* A claim keeps memory for a domain that is being built: others cannot take it, it can. */
START_TEST(test_claims)
{
    struct domain *a = fake_domain(4, false, 8000), *b = fake_domain(5, false, 8000);
    unsigned long free_now = free_frames();
    mfn_t mfn;
    ck_assert_int_eq(claim_pages(a, 9000), -EINVAL);
    ck_assert_int_eq(claim_pages(a, free_now - 8), 0);
    ck_assert_int_eq(claim_pages(a, 20), -EINVAL);
    ck_assert_int_eq(claim_pages(b, 20), -ENOMEM);
    ck_assert_int_eq(domain_alloc_frames(b, 3, 0, &mfn), 0);
    ck_assert_int_eq(domain_alloc_frames(b, 0, 0, &mfn), -ENOMEM);
    ck_assert_int_eq(domain_alloc_frames(a, 4, 0, &mfn), 0);
    ck_assert_uint_eq(a->mm.outstanding_claim, free_now - 24);
    ck_assert_int_eq(claim_pages(a, 0), 0);
    ck_assert_int_eq(domain_alloc_frames(b, 0, 0, &mfn), 0);
}
END_TEST

START_TEST(test_populate_and_decrease)
{
    struct domain *d = current->domain;
    unsigned long list[4] = {100, 200, 300, 400}, saved[4];
    struct reservation r = {.list = (unsigned long)list, .nr_extents = 4, .order = 1};
    bool again;
    unsigned long before = free_frames();
    ck_assert_uint_eq(take_extents(d, &r, true, 0, &again), 4);
    ck_assert_uint_eq(d->mm.tot_pages, 8);
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_uint_eq(host_m2p[list[i]], (i + 1) * 100);
        ck_assert_uint_eq(host_m2p[list[i] + 1], (i + 1) * 100 + 1);
        saved[i] = list[i];
    }
    ck_assert_uint_eq(frames_audit(true), 0);
    list[2] = FAKE_FRAMES + 5;
    ck_assert_uint_eq(decrease_reservation(d, &r, 0, &again), 2);
    list[2] = saved[2];
    ck_assert_uint_eq(decrease_reservation(d, &r, 2, &again), 4);
    ck_assert_uint_eq(decrease_reservation(d, &r, 0, &again), 0);
    ck_assert_uint_eq(d->mm.tot_pages, 0);
    ck_assert_uint_eq(free_frames(), before);
    ck_assert_uint_eq(host_m2p[saved[0]], INVALID_FRAME);
    ck_assert_uint_eq(d->refs, 1);
}
END_TEST

/* Two by two frames for one block of four; a refusal half way changes nothing. */
START_TEST(test_exchange)
{
    struct domain *d = current->domain;
    unsigned long in[2], out[1] = {500}, free_now;
    struct {
        struct reservation in, out;
        unsigned long done;
    } arg = {.in = {.list = (unsigned long)in, .nr_extents = 2, .order = 1, .domid = DOMID_SELF},
             .out = {.list = (unsigned long)out, .nr_extents = 1, .order = 2, .flags = 32, .domid = DOMID_SELF}};
    mfn_t mfn;
    for (unsigned i = 0; i < 2; i++) {
        ck_assert_int_eq(domain_alloc_frames(d, 1, 0, &mfn), 0);
        in[i] = mfn.value;
    }
    free_now = free_frames();
    mfn_t busy = mfn_of(in[1] + 1);
    ck_assert(page_get(busy, d));
    ck_assert_int_eq(exchange_memory((unsigned long)&arg), -EINVAL);
    ck_assert_uint_eq(arg.done, 0);
    page_put(busy);
    ck_assert(page_get(mfn_of(in[0]), d));
    page_put(mfn_of(in[0]));
    arg.out.nr_extents = 2;
    ck_assert_int_eq(exchange_memory((unsigned long)&arg), -EINVAL);
    arg.out.nr_extents = 1;
    arg.out.order = 13;
    ck_assert_int_eq(exchange_memory((unsigned long)&arg), -EPERM);
    arg.out.order = 2;
    ck_assert_int_eq(exchange_memory((unsigned long)&arg), 0);
    ck_assert_uint_eq(arg.done, 2);
    ck_assert_uint_eq(out[0] & 3, 0);
    ck_assert_uint_eq(host_m2p[out[0] + 3], 503);
    ck_assert_uint_eq(d->mm.tot_pages, 4);
    ck_assert_uint_eq(free_frames(), free_now);
    ck_assert(!page_get(mfn_of(in[0]), d));
    ck_assert_uint_eq(frames_audit(true), 0);
}
END_TEST

START_TEST(test_steal_needs_sole_owner)
{
    struct domain *a = current->domain, *b = fake_domain(6, false, 10);
    mfn_t mfn = fake_page(a);
    ck_assert(page_get(mfn, a));
    ck_assert_int_eq(steal_page(a, mfn, false), -EINVAL);
    page_put(mfn);
    ck_assert_int_eq(steal_page(b, mfn, false), -EINVAL);
    ck_assert_int_eq(steal_page(a, mfn, false), 0);
    ck_assert(!page_get(mfn, a));
    ck_assert_int_eq(assign_page(b, mfn, false), 0);
    ck_assert(page_get(mfn, b));
    page_put(mfn);
    ck_assert_uint_eq(a->mm.tot_pages, 0);
    ck_assert_uint_eq(b->mm.tot_pages, 1);
}
END_TEST

/* What a domain gave back may come to it again as it was, but to nobody else: not even when a guest writes, where the
 * mark will be, the mark of another. */
START_TEST(test_only_the_last_owner_sees_its_page_again)
{
    struct domain *a = current->domain, *b = fake_domain(2, false, 100);
    unsigned long list[1];
    struct reservation r = {.list = (unsigned long)list, .nr_extents = 1};
    bool again;
    mfn_t mfn = fake_page(a);
    memset(mfn_to_virt(mfn), 0x5A, PAGE_SIZE);
    list[0] = mfn.value;
    ck_assert_uint_eq(decrease_reservation(a, &r, 0, &again), 1);
    mfn_t back = fake_page(a);
    ck_assert_uint_eq(back.value, mfn.value);
    ck_assert_uint_eq(fake_table(back)[0], 0);
    ck_assert_uint_eq(fake_table(back)[1], 0x5A5A5A5A5A5A5A5A);
    list[0] = back.value;
    fake_table(back)[0] = b->mm.mark;
    ck_assert_uint_eq(decrease_reservation(a, &r, 0, &again), 1);
    back = fake_page(b);
    ck_assert_uint_eq(back.value, mfn.value);
    ck_assert(all_bytes(mfn_to_virt(back), 0, PAGE_SIZE));
    ck_assert(a->mm.mark != b->mm.mark && a->mm.mark && b->mm.mark);
}
END_TEST

/* Neither a page that was ours in between, nor one that was exchanged away, is taken for one's own. */
START_TEST(test_marks_of_other_ways)
{
    struct domain *a = current->domain, *b = fake_domain(2, false, 100);
    mfn_t ours = frame_alloc(0, 0);
    fake_page(a);
    memset(mfn_to_virt(ours), 0x5A, PAGE_SIZE);
    fake_table(ours)[0] = a->mm.mark;
    frame_free(ours, 0);
    mfn_t mfn = fake_page(a);
    ck_assert_uint_eq(mfn.value, ours.value);
    ck_assert(all_bytes(mfn_to_virt(mfn), 0, PAGE_SIZE));
    unsigned long in[1] = {fake_page(b).value}, out[1] = {7};
    struct {
        struct reservation in, out;
        unsigned long done;
    } arg = {.in = {.list = (unsigned long)in, .nr_extents = 1, .domid = 2},
             .out = {.list = (unsigned long)out, .nr_extents = 1, .domid = 2}};
    memset(mfn_to_virt(mfn_of(in[0])), 0x5A, PAGE_SIZE);
    fake_table(mfn_of(in[0]))[0] = a->mm.mark;
    ck_assert_int_eq(exchange_memory((unsigned long)&arg), 0);
    do
        mfn = fake_page(a);
    while (mfn.value != in[0]);
    ck_assert(all_bytes(mfn_to_virt(mfn), 0, PAGE_SIZE));
}
END_TEST

static struct domain *victim;

static void destroy_now(void)
{
    fake.on_m2p = NULL;
    fake.on_flush = NULL;
    victim->dying = true;
    ck_assert_int_eq(domain_relinquish_memory(victim), 0);
}

static void destroy_victim(mfn_t mfn)
{
    destroy_now();
}

/* Destruction on another CPU passes by while frames are on their way to a domain: none stays with the dead one, and the
 * M2P entry of one that is free again is not written any more. */
START_TEST(test_destroyed_while_populated)
{
    struct domain *a = current->domain;
    unsigned long list[2] = {100, 200}, before = free_frames();
    struct reservation r = {.list = (unsigned long)list, .nr_extents = 2, .order = 3};
    bool again;
    victim = fake_domain(2, false, 100);
    fake.on_flush = destroy_now;
    ck_assert_uint_eq(take_extents(victim, &r, true, 0, &again), 0);
    ck_assert_uint_eq(victim->mm.tot_pages, 0);
    ck_assert_uint_eq(victim->refs, 1);
    ck_assert_uint_eq(free_frames(), before);
    ck_assert_uint_eq(frames_audit(true), 0);
    ck_assert_uint_eq(a->mm.tot_pages, 0);
    for (unsigned i = 16; i < FAKE_FRAMES; i++)
        ck_assert(host_m2p[i] == 0 || host_m2p[i] == INVALID_FRAME);
}
END_TEST

/* The same for frames that it trades: the old ones are gone, the new ones come too late. */
START_TEST(test_destroyed_while_exchanging)
{
    unsigned long in[1], out[1] = {7}, before = free_frames();
    struct {
        struct reservation in, out;
        unsigned long done;
    } arg = {.in = {.list = (unsigned long)in, .nr_extents = 1, .domid = 2},
             .out = {.list = (unsigned long)out, .nr_extents = 1, .domid = 2}};
    victim = fake_domain(2, false, 100);
    in[0] = fake_page(victim).value;
    fake.on_m2p = destroy_victim;
    exchange_memory((unsigned long)&arg);
    ck_assert_uint_eq(victim->mm.tot_pages, 0);
    ck_assert_uint_eq(victim->refs, 1);
    ck_assert_uint_eq(free_frames(), before);
    ck_assert_uint_eq(frames_audit(true), 0);
}
END_TEST

static void *destroy_soon(void *delay)
{
    for (volatile unsigned long i = (unsigned long)delay; i > 0; i--)
        ;
    victim->dying = true;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    ck_assert_int_eq(domain_relinquish_memory(victim), 0);
    return NULL;
}

/* The two race for real, on large extents: destruction finds the first frames of one while the last are still to come. */
START_TEST(test_destroy_races_populate)
{
    unsigned long before = free_frames();
    fake.threads = true;
    for (unsigned round = 0; round < 200; round++) {
        unsigned long list[4] = {0, 512, 1024, 1536};
        struct reservation r = {.list = (unsigned long)list, .nr_extents = 4, .order = 9};
        pthread_t killer;
        bool again;
        victim = fake_domain(3 + round % 20, false, 2048);
        ck_assert_int_eq(pthread_create(&killer, NULL, destroy_soon, (void *)(round * 37UL % 4096 * 8)), 0);
        take_extents(victim, &r, true, 0, &again);
        pthread_join(killer, NULL);
        ck_assert_uint_eq(victim->mm.tot_pages, 0);
        ck_assert_uint_eq(victim->refs, 1);
        ck_assert_uint_eq(free_frames(), before);
        fake_forget(victim);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("mm heap");
    TCase *t = tcase_create("heap");
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, test_random_blocks_come_back);
    tcase_add_test(t, test_buddies_merge);
    tcase_add_test(t, test_address_limit);
    tcase_add_test(t, test_pages_are_clean);
    tcase_add_test(t, test_flush_before_reuse);
    tcase_add_test(t, test_flush_before_idle_cleaning);
    tcase_add_test(t, test_small_objects);
    tcase_add_test(t, test_maximum);
    tcase_add_test(t, test_claims);
    tcase_add_test(t, test_populate_and_decrease);
    tcase_add_test(t, test_exchange);
    tcase_add_test(t, test_steal_needs_sole_owner);
    tcase_add_test(t, test_only_the_last_owner_sees_its_page_again);
    tcase_add_test(t, test_marks_of_other_ways);
    tcase_add_test(t, test_destroyed_while_populated);
    tcase_add_test(t, test_destroyed_while_exchanging);
    tcase_add_test(t, test_destroy_races_populate);
    suite_add_tcase(s, t);
    return run_suite(s);
}
