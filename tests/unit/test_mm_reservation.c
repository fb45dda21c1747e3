/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The hypercalls that change how much memory a domain has, as a guest of either width calls them: what is wrong with a
 * request is found before any frame moves, and what goes wrong half way leaves every frame with exactly one owner.
 */
#include <check.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "guest_faults.h"
#include "hypercall_prototypes.h"
#include "mm_fake.h"
#include "mm/reservation.h"
#include "abi/memory.h"
#include "tests/unit/run_suite.h"

#define NOWHERE 8 /* a guest's address that nothing is mapped at */

static struct domain *d, *dom0;
static unsigned long before;
static char *guest; /* two pages below 4 GiB that both widths can name, and a third that is not there */

static void setup(bool is_32bit)
{
    fake_start();
    guest_faults_catch();
    dom0 = fake_domain(0, false, 3000);
    dom0->privileged = true;
    d = fake_domain(1, is_32bit, 1000);
    domain_zero = dom0;
    fake_run(d);
    before = free_frames();
    guest = mmap(NULL, 3 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    ck_assert_ptr_ne(guest, MAP_FAILED);
    ck_assert_int_eq(mprotect(guest + 2 * PAGE_SIZE, PAGE_SIZE, PROT_NONE), 0);
}

static void setup_32bit(void)
{
    setup(true);
}

static void setup_64bit(void)
{
    setup(false);
}

static void teardown(void)
{
    ck_assert_uint_eq(frames_audit(true), 0);
    munmap(guest, 3 * PAGE_SIZE);
    domain_zero = NULL;
}

static unsigned long list_at(unsigned long list, unsigned i)
{
    return d->is_32bit ? ((u32 *)list)[i] : ((unsigned long *)list)[i];
}

static void set_list(unsigned long list, unsigned i, unsigned long value)
{
    if (d->is_32bit)
        ((u32 *)list)[i] = (u32)value;
    else
        ((unsigned long *)list)[i] = value;
}

static unsigned long good_list(void)
{
    return (unsigned long)guest + PAGE_SIZE;
}

/* The list's last `fit` entries are there, what follows is not. */
static unsigned long list_of(unsigned fit)
{
    return (unsigned long)guest + 2 * PAGE_SIZE - fit * (d->is_32bit ? 4 : 8);
}

static unsigned long put(const struct reservation *r)
{
    struct compat_memory_reservation narrow = {(u32)r->list, (u32)r->nr_extents, r->order, r->flags, r->domid};

    if (d->is_32bit)
        memcpy(guest, &narrow, sizeof(narrow));
    else
        memcpy(guest, r, sizeof(*r));
    return (unsigned long)guest;
}

static long call(unsigned op, unsigned long from, struct reservation r)
{
    return do_memory_op(op | from << MEMOP_SHIFT, put(&r));
}

#define RESERVATION(address, count, ...)                                                                               \
    ((struct reservation){.list = (address), .nr_extents = (count), .domid = DOMID_SELF, ##__VA_ARGS__})

START_TEST(more_and_less)
{
    unsigned long list = good_list();

    ck_assert_int_eq(call(XENMEM_increase_reservation, 0, RESERVATION(list, 5, .order = 1)), 5);
    ck_assert_uint_eq(d->mm.tot_pages, 10);
    for (unsigned i = 0; i < 5; i++)
        ck_assert_uint_eq(page_owner_id(mfn_of(list_at(list, i) + 1)), d->id);
    ck_assert_int_eq(call(XENMEM_decrease_reservation, 0, RESERVATION(list, 5, .order = 1)), 5);
    ck_assert_int_eq(call(XENMEM_increase_reservation, 0, RESERVATION(0, 3)), 3); /* wants no numbers */
    ck_assert_uint_eq(d->mm.tot_pages, 3);
    for (unsigned i = 0; i < 4; i++)
        set_list(list, i, 700 + i);
    ck_assert_int_eq(call(XENMEM_populate_physmap, 0, RESERVATION(list, 4)), 4);
    ck_assert_uint_eq(host_m2p[list_at(list, 3)], 703);
    ck_assert_uint_eq(free_frames(), before - 7);
}
END_TEST

/* A call that answers with extents done must answer with none when it is refused: a guest that reads an error as a number
 * believes that it has more than all memory. */
START_TEST(refusals_move_nothing)
{
    unsigned long list = good_list();

    ck_assert_int_eq(do_memory_op(XENMEM_increase_reservation, NOWHERE), 0);
    ck_assert_int_eq(call(XENMEM_increase_reservation, 4, RESERVATION(list, 4)), 4);
    ck_assert_int_eq(call(XENMEM_increase_reservation, 0, RESERVATION(list, d->is_32bit ? ~0U : ~0UL)), 0);
    ck_assert_int_eq(call(XENMEM_increase_reservation, 0, RESERVATION(list, 1, .order = 10)), 0);
    ck_assert_int_eq(call(XENMEM_increase_reservation, 0, RESERVATION(list, 1, .flags = 12)), 0);
    ck_assert_int_eq(call(XENMEM_increase_reservation, 0, (struct reservation){list, 1, 0, 0, 77}), 0);
    ck_assert_int_eq(call(XENMEM_increase_reservation, 0, RESERVATION(list, 1, .flags = 13)), 0); /* frames 0 and 1 */
    ck_assert_int_eq(do_memory_op(XENMEM_exchange | 1 << MEMOP_SHIFT, (unsigned long)guest), -EINVAL);
    ck_assert_int_eq(do_memory_op(XENMEM_exchange, (unsigned long)guest), -ENOSYS); /* as the fake answers */
    ck_assert_uint_eq(free_frames(), before);
    ck_assert_uint_eq(d->mm.tot_pages, 0);
    ck_assert_uint_eq(guest_faults, 0);
}
END_TEST

/* The list ends where memory does: the answer counts what was done, and the frame whose number could not be told is the
 * guest's all the same, not lost. */
START_TEST(a_list_that_ends_early)
{
    unsigned long list = list_of(3);

    ck_assert_int_eq(call(XENMEM_increase_reservation, 0, RESERVATION(list, 5)), 3);
    ck_assert_uint_eq(d->mm.tot_pages, 4);
    ck_assert_int_eq(call(XENMEM_decrease_reservation, 0, RESERVATION(list, 5)), 3);
    ck_assert_uint_eq(d->mm.tot_pages, 1);
    for (unsigned i = 0; i < 3; i++)
        set_list(list, i, i);
    ck_assert_int_eq(call(XENMEM_populate_physmap, 0, RESERVATION(list, 5)), 3);
    ck_assert_uint_eq(d->mm.tot_pages, 4);
    ck_assert_uint_eq(guest_faults, 3);
}
END_TEST

START_TEST(no_further_than_the_maximum)
{
    unsigned long list = good_list();

    d->mm.max_pages = 6;
    for (unsigned i = 0; i < 10; i++)
        set_list(list, i, i);
    ck_assert_int_eq(call(XENMEM_increase_reservation, 0, RESERVATION(list, 10, .order = 1)), 3);
    ck_assert_int_eq(call(XENMEM_populate_physmap, 0, RESERVATION(list, 10)), 0);
    ck_assert_uint_eq(d->mm.tot_pages, 6);
}
END_TEST

/* A domain for which a device's width was set gets no frame beyond it, whatever else the call asks for. */
START_TEST(the_narrower_limit_counts)
{
    unsigned long list = good_list();

    d->address_width = 18; /* 64 frames, 16 of them not for guests */
    ck_assert_int_eq(call(XENMEM_increase_reservation, 0, RESERVATION(list, 100)), 48);
    for (unsigned i = 0; i < 48; i++)
        ck_assert_uint_lt(list_at(list, i), 64);
    ck_assert_int_eq(call(XENMEM_increase_reservation, 0, RESERVATION(list, 1, .flags = 20)), 0);
    d->address_width = 20;
    ck_assert_int_eq(call(XENMEM_increase_reservation, 0, RESERVATION(list, 1, .flags = 18)), 0);
    ck_assert_int_eq(call(XENMEM_increase_reservation, 0, RESERVATION(list, 1, .flags = 20)), 1);
    ck_assert_uint_lt(list_at(list, 0), 256);
}
END_TEST

/* A long request stops for more urgent work and goes on where it was: neither does an extent come twice, nor none. */
START_TEST(preempted_and_continued)
{
    static const unsigned ops[] = {XENMEM_increase_reservation, XENMEM_decrease_reservation, XENMEM_populate_physmap};
    unsigned long list = good_list();

    fake.preempt_after = 3;
    for (unsigned i = 0; i < ARRAY_SIZE(ops); i++) {
        unsigned stops = 0;
        long rc = call(ops[i], 0, RESERVATION(list, 20));

        for (; rc == -ERESTART; stops++) {
            ck_assert_uint_gt(fake.continue_args[0] >> MEMOP_SHIFT, 0);
            rc = do_memory_op(fake.continue_args[0], fake.continue_args[1]);
        }
        ck_assert_int_eq(rc, 20);
        ck_assert_uint_gt(stops, 4);
        ck_assert_uint_eq(d->mm.tot_pages, ops[i] == XENMEM_decrease_reservation ? 0 : 20);
    }
}
END_TEST

/* Dom0 acts for another: the reference that keeps the other alive meanwhile has to go again. */
START_TEST(for_another_domain)
{
    struct domain *target = d;
    unsigned long list = good_list();

    fake_page(target); /* whoever has memory is referred to by it */
    d = dom0;
    fake_run(dom0);
    ck_assert_int_eq(call(XENMEM_increase_reservation, 0, (struct reservation){list, 4, 0, 0, target->id}), 4);
    ck_assert_uint_eq(target->mm.tot_pages, 5);
    target->mm.max_pages = 5;
    ck_assert_int_eq(call(XENMEM_increase_reservation, 0, (struct reservation){list, 1, 9, 0, target->id}), 0);
    ck_assert_uint_eq(target->refs, 2);
    ck_assert_uint_eq(fake.domains_put, 2);
}
END_TEST

/* Pages that the boot loader left clean come to dom0 as they are while nobody else is there; those of others never. */
START_TEST(only_the_first_domain_skips_the_cleaning)
{
    unsigned long list = good_list();
    mfn_t dirty = frame_alloc(0, 0);

    memset(mfn_to_virt(dirty), 0x5A, PAGE_SIZE);
    frame_free(dirty, 0);
    d->initial = true;
    domain_zero = _i ? dom0 : NULL;
    ck_assert_int_eq(call(XENMEM_increase_reservation, 0, RESERVATION(list, 1)), 1);
    ck_assert_uint_eq(list_at(list, 0), dirty.value);
    ck_assert_uint_eq(fake_table(dirty)[9], _i ? 0 : 0x5A5A5A5A5A5A5A5A);
}
END_TEST

/* Giving a pinned table back ends the pin, and with it the references of its entries. */
START_TEST(a_pinned_table_goes_back)
{
    unsigned long list = good_list();
    mfn_t table = fake_page(d), page = fake_page(d);

    fake_table(table)[0] = pte_of(page, PTE_P | PTE_RW);
    ck_assert_int_eq(page_get_and_type(table, d, FRAME_L1, false), 0);
    frame_table[table.value].word |= FW_PINNED;
    set_list(list, 0, table.value);
    set_list(list, 1, page.value);
    set_list(list, 2, page.value); /* a second time */
    ck_assert_int_eq(call(XENMEM_decrease_reservation, 0, RESERVATION(list, 3)), 2);
    ck_assert_uint_eq(free_frames(), before);
}
END_TEST

/* To take down one full table after the other takes millions of instructions when an extent consists of them: nobody
 * else would have the CPU meanwhile. It stops between any two, and the extent goes back once, as a whole. */
START_TEST(an_extent_of_tables_goes_back_in_parts)
{
    enum { ORDER = 3, TABLES = 1 << ORDER };
    unsigned long list = good_list(), first;
    unsigned stops = 0;

    ck_assert_int_eq(call(XENMEM_increase_reservation, 0, RESERVATION(list, 1, .order = ORDER)), 1);
    first = list_at(list, 0);
    for (unsigned i = 0; i < TABLES; i++) {
        ck_assert_int_eq(page_get_and_type(mfn_of(first + i), d, FRAME_L1, false), 0);
        frame_table[first + i].word |= FW_PINNED;
    }
    fake.preempt_after = 1;
    long rc = call(XENMEM_decrease_reservation, 0, RESERVATION(list, 1, .order = ORDER));
    for (; rc == -ERESTART; stops++) {
        ck_assert_uint_eq(fake.continue_args[0] >> MEMOP_SHIFT, 0);
        ck_assert_uint_eq(d->mm.tot_pages, TABLES);
        rc = do_memory_op(fake.continue_args[0], fake.continue_args[1]);
    }
    ck_assert_int_eq(rc, 1);
    ck_assert_uint_eq(stops, TABLES);
    ck_assert_uint_eq(free_frames(), before);
}
END_TEST

START_TEST(only_what_is_ones_own_goes_back)
{
    unsigned long list = good_list();
    mfn_t theirs = fake_page(dom0);
    const unsigned long wrong[] = {theirs.value, 4, 12, FAKE_FRAMES, 0xFFFFFFFF};

    frame_table[theirs.value].word |= FW_PINNED;
    for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
        set_list(list, 0, wrong[i]);
        ck_assert_int_eq(call(XENMEM_decrease_reservation, 0, RESERVATION(list, 1)), 0);
    }
    ck_assert(frame_word(theirs) & FW_PINNED);
    frame_table[theirs.value].word &= ~FW_PINNED;
    ck_assert_int_eq(steal_page(d, mfn_of(FAKE_FRAMES), false), -EINVAL);
    ck_assert_int_eq(steal_page(d, theirs, false), -EINVAL);
    mfn_t written = fake_page(d);
    frame_table[written.value].word |= FW_PINNED;
    ck_assert_int_eq(steal_page(d, written, false), -EINVAL);
    frame_table[written.value].word &= ~FW_PINNED;
    d->mm.max_pages = 1;
    ck_assert_int_eq(steal_page(dom0, theirs, false), 0);
    ck_assert_int_eq(assign_page(d, theirs, false), -ENOMEM);
    ck_assert_int_eq(assign_page(dom0, theirs, false), 0);
}
END_TEST

/* A claim is a promise of memory to one domain: others do not get it, and an ended one binds nobody. */
START_TEST(claims_are_kept)
{
    unsigned long list = good_list(), free_now = free_frames();

    ck_assert_int_eq(claim_pages(dom0, 5000), -EINVAL);
    dom0->mm.max_pages = free_now + 1;
    ck_assert_int_eq(claim_pages(dom0, free_now + 1), -ENOMEM);
    ck_assert_int_eq(claim_pages(dom0, free_now - 3), 0);
    ck_assert_int_eq(claim_pages(dom0, free_now - 4), -EINVAL); /* one at a time */
    ck_assert_int_eq(call(XENMEM_increase_reservation, 0, RESERVATION(list, 5)), 3);
    ck_assert_int_eq(claim_pages(dom0, 0), 0);
    ck_assert_int_eq(call(XENMEM_increase_reservation, 0, RESERVATION(list, 5)), 5);
    d->mm.max_pages = free_now;
    ck_assert_int_eq(claim_pages(d, 8), -EINVAL); /* it has as much */
}
END_TEST

/* Nor do they get it by calls that need memory of the hypervisor's own: tables of grants, of ports. Whoever builds the
 * domain does. */
START_TEST(claims_hold_against_our_own_needs)
{
    dom0->mm.max_pages = FAKE_FRAMES;
    ck_assert_int_eq(claim_pages(dom0, dom0->mm.tot_pages + free_frames()), 0);
    ck_assert_ptr_null(hv_alloc_pages(0));
    fake_run(dom0);
    void *page = hv_alloc_pages(0);
    ck_assert_ptr_nonnull(page);
    hv_free_pages(page, 0);
    ck_assert_int_eq(claim_pages(dom0, 0), 0);
    fake_run(d);
    page = hv_alloc_pages(0);
    ck_assert_ptr_nonnull(page);
    hv_free_pages(page, 0);
}
END_TEST

struct exchange_call {
    struct reservation in, out;
    unsigned long done;
};

/* Exchange is called in its 64-bit shape: the fake below translates nothing. */
static struct exchange_call trade(unsigned long *in, unsigned long *out, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        in[i] = fake_page(d).value;
        out[i] = 40 + i;
    }
    return (struct exchange_call){RESERVATION((unsigned long)in, count), RESERVATION((unsigned long)out, count), 0};
}

/* However wrong the request: the caller keeps the frames that it had, and no more. */
START_TEST(bad_exchanges)
{
    unsigned long in[4], out[4];
    struct exchange_call good = trade(in, out, 4), e;
    unsigned long total = d->mm.tot_pages, free_now = free_frames();
#define REFUSED(rc, ...)                                                                                               \
    do {                                                                                                               \
        e = good;                                                                                                      \
        __VA_ARGS__;                                                                                                   \
        ck_assert_int_eq(exchange_memory((unsigned long)&e), rc);                                                      \
        ck_assert_uint_eq(free_frames(), free_now);                                                                    \
        ck_assert_uint_eq(d->mm.tot_pages, total);                                                                     \
    } while (0)

    ck_assert_int_eq(exchange_memory(NOWHERE), -EFAULT);
    REFUSED(-EINVAL, e.done = 5);
    REFUSED(-EINVAL, e.out.domid = 3);
    REFUSED(-ESRCH, e.in.domid = e.out.domid = 77);
    REFUSED(-EINVAL, e.out.nr_extents = 3);
    REFUSED(-EINVAL, e.in.nr_extents = 1UL << 63, e.out.nr_extents = 0); /* doubled it would be none */
    REFUSED(-EINVAL, e.in.order = 1, e.in.nr_extents = 1UL << 62, e.out.nr_extents = 1UL << 63);
    REFUSED(-EFAULT, e.in.list = NOWHERE);
    REFUSED(-EINVAL, in[2] = in[1]); /* the same one twice: the second is no longer his */
    in[2] = in[1] = in[0];
}
END_TEST

/* The old frames are taken already when the heap turns out to be empty: they come back. */
START_TEST(an_exchange_without_memory_gives_back)
{
    unsigned long in[2], out[2];
    struct exchange_call e = trade(in, out, 2);
    unsigned long total = d->mm.tot_pages;

    e.out.flags = 13; /* below 8 KiB nothing is free */
    ck_assert_int_eq(exchange_memory((unsigned long)&e), -ENOMEM);
    ck_assert_uint_eq(e.done, 0);
    ck_assert_uint_eq(d->mm.tot_pages, total);
    ck_assert_uint_eq(page_owner_id(mfn_of(in[0])), d->id);
    e.out.flags = 0;
    ck_assert_int_eq(exchange_memory((unsigned long)&e), 0);
    ck_assert_uint_eq(out[1] != in[1] && page_owner_id(mfn_of(out[1])) == d->id, 1);
}
END_TEST

/* The new frames are there before the old ones are free: what is set aside for a domain that is being built must not
 * serve for that, or the builder, who asks at that moment, finds less than was promised. */
START_TEST(an_exchange_leaves_what_is_claimed)
{
    unsigned long in[2], out[2];
    struct exchange_call e = trade(in, out, 2);
    unsigned long total = d->mm.tot_pages;

    dom0->mm.max_pages = FAKE_FRAMES;
    ck_assert_int_eq(claim_pages(dom0, dom0->mm.tot_pages + free_frames()), 0);
    ck_assert_int_eq(exchange_memory((unsigned long)&e), -ENOMEM);
    ck_assert_uint_eq(d->mm.tot_pages, total);
    ck_assert_uint_eq(page_owner_id(mfn_of(in[0])), d->id);
    ck_assert_int_eq(claim_pages(dom0, 0), 0);
    ck_assert_int_eq(claim_pages(dom0, dom0->mm.tot_pages + free_frames() - 2), 0); /* just our lists' two pages */
    ck_assert_int_eq(exchange_memory((unsigned long)&e), -ENOMEM);
    ck_assert_int_eq(claim_pages(dom0, 0), 0);
    ck_assert_int_eq(claim_pages(dom0, dom0->mm.tot_pages + free_frames() - 3), 0);
    ck_assert_int_eq(exchange_memory((unsigned long)&e), 0);
    ck_assert_uint_eq(dom0->mm.outstanding_claim, free_frames() - 3);
    ck_assert_int_eq(claim_pages(dom0, 0), 0);
}
END_TEST

/* A list that cannot be written when the trade is done: the guest has the new frames, though it is not told which. */
START_TEST(an_exchange_whose_answer_is_lost)
{
    unsigned long in[2], out[2];
    struct exchange_call e = trade(in, out, 2);
    unsigned long total = d->mm.tot_pages, free_now = free_frames();

    e.out.list = NOWHERE;
    ck_assert_int_eq(exchange_memory((unsigned long)&e), -EFAULT);
    ck_assert_uint_eq(d->mm.tot_pages, total);
    ck_assert_uint_eq(free_frames(), free_now);
}
END_TEST

/* Of one large extent four small ones; and a long exchange is continued with the extents that are left. */
START_TEST(an_exchange_is_continued)
{
    unsigned long in[16], out[64];
    mfn_t first;
    unsigned stops;

    ck_assert_int_eq(domain_alloc_frames(d, 2, 0, &first), 0);
    in[0] = first.value;
    for (unsigned i = 0; i < 4; i++)
        out[i] = 90 + i;
    struct exchange_call e = {RESERVATION((unsigned long)in, 1, .order = 2), RESERVATION((unsigned long)out, 4), 0};
    ck_assert_int_eq(exchange_memory((unsigned long)&e), 0);
    ck_assert_uint_eq(host_m2p[out[3]], 93);

    e = trade(in, out, 16);
    fake.preempt_after = 3;
    ck_assert_int_eq(UNTIL_DONE(stops, exchange_memory((unsigned long)&e)), 0);
    ck_assert_uint_gt(stops, 3);
    ck_assert_uint_eq(e.done, 16);
    ck_assert_uint_eq(d->mm.tot_pages, 20);
}
END_TEST

/* A walk takes what it finds: no table, no entry, a large page, a table of another level all end it. */
START_TEST(walks_end_where_the_tables_do)
{
    struct vcpu *v = d->vcpus[0];
    unsigned long va = 5UL << 30 >> (d->is_32bit ? 2 : 0) | 3UL << 21 | 7UL << 12;
    mfn_t l1 = fake_page(d), l2 = fake_page(d), l3 = fake_page(d), l4 = fake_page(d);
    u64 *l2e = &fake_table(l2)[va >> 21 & 511];

    ck_assert_uint_eq(guest_l1e_address(v, va), 0);
    v->mm.kernel_table = d->is_32bit ? l3 : l4;
    ck_assert_uint_eq(guest_l1e_address(v, va), 0);
    fake_table(l4)[0] = pte_of(l3, PTE_TABLE);
    ck_assert_uint_eq(guest_l1e_address(v, va), 0);
    fake_table(l3)[va >> 30] = pte_of(l2, PTE_P);
    ck_assert_uint_eq(guest_l1e_address(v, va), 0);
    *l2e = pte_of(l1, PTE_TABLE);
    ck_assert_uint_eq(guest_l1e_address(v, va), 0); /* not a level-1 table yet */
    ck_assert_int_eq(page_get_and_type(l1, d, FRAME_L1, false), 0);
    ck_assert_uint_eq(guest_l1e_address(v, va), (l1.value << PAGE_SHIFT) + 7 * 8);
    ck_assert_uint_eq(guest_l1e_address(v, d->is_32bit ? COMPAT_VIRT_START : HV_VIRT_START), 0); /* ours */
    v->kernel_mode = false;
    ck_assert_uint_eq(guest_l1e_address(v, va) != 0, d->is_32bit); /* a 64-bit user has tables of its own */
    v->mm.kernel_table = v->mm.user_table = mfn_of(INVALID_FRAME);
    fake_table(l2)[va >> 21 & 511] = 0;
    page_put_and_type(l1);
}
END_TEST

/* The report that an operator reads when a domain does not go away. It must not count others' frames. */
START_TEST(the_dump_counts)
{
    mfn_t table = fake_page(d);

    fake_page(dom0);
    fake_page(d);
    ck_assert_int_eq(page_get_and_type(table, d, FRAME_L1, false), 0);
    frame_table[table.value].word |= FW_PINNED;
    domain_mm_dump(d);
    ck_assert_msg(strstr(fake_log, "d1 memory: 2 pages of at most 1000"), "%s", fake_log);
    ck_assert_msg(strstr(fake_log, "l1 1, l2 0, l3 0, l4 0, descriptor 0, writable 0, pinned 1, given back but used 0"),
                  "%s", fake_log);
    d->mm.map = hv_alloc(64);
    d->dying = true;
    ck_assert_int_eq(domain_relinquish_memory(d), 0);
    ck_assert_ptr_null(d->mm.map);
    ck_assert_uint_eq(d->mm.tot_pages, 0);
}
END_TEST

static TCase *both_widths(const char *name, void (*before_each)(void))
{
    TCase *t = tcase_create(name);

    tcase_add_checked_fixture(t, before_each, teardown);
    tcase_add_test(t, more_and_less);
    tcase_add_test(t, refusals_move_nothing);
    tcase_add_test(t, a_list_that_ends_early);
    tcase_add_test(t, no_further_than_the_maximum);
    tcase_add_test(t, the_narrower_limit_counts);
    tcase_add_test(t, preempted_and_continued);
    tcase_add_test(t, a_pinned_table_goes_back);
    tcase_add_test(t, an_extent_of_tables_goes_back_in_parts);
    tcase_add_test(t, only_what_is_ones_own_goes_back);
    tcase_add_test(t, walks_end_where_the_tables_do);
    tcase_add_loop_test(t, only_the_first_domain_skips_the_cleaning, 0, 2);
    return t;
}

int main(void)
{
    Suite *s = suite_create("mm reservation");
    TCase *t = both_widths("64-bit", setup_64bit);
    tcase_add_test(t, for_another_domain);
    tcase_add_test(t, claims_are_kept);
    tcase_add_test(t, claims_hold_against_our_own_needs);
    tcase_add_test(t, bad_exchanges);
    tcase_add_test(t, an_exchange_without_memory_gives_back);
    tcase_add_test(t, an_exchange_leaves_what_is_claimed);
    tcase_add_test(t, an_exchange_whose_answer_is_lost);
    tcase_add_test(t, an_exchange_is_continued);
    tcase_add_test(t, the_dump_counts);
    suite_add_tcase(s, t);
    suite_add_tcase(s, both_widths("32-bit", setup_32bit));
    return run_suite(s);
}
