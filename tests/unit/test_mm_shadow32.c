/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Shadow page tables of a 32-bit guest: three levels under a fourth of ours, and the M2P's window in its last level 2.
 */
#include <check.h>
#include <stdlib.h>
#include "mm_fake.h"
#include "mm/shadow.h"
#include "tests/unit/run_suite.h"

#define READ   4U
#define WRITE  6U
#define M2P_VA 0xF5800000UL
#define GIB(n) ((unsigned long)(n) << 30)
#define LOADED (PTE_P | PTE_US | PTE_A)

static struct domain *d;
static struct vcpu *v;
static mfn_t l3, l2[4], l1, data;
static u64 *top;

static void setup(void)
{
    fake_start();
    d = fake_domain(1, true, 2000);
    v = d->vcpus[0];
    fake_run(d);
    data = fake_page(d);
    l1 = fake_page(d);
    l3 = fake_page(d);
    fake_table(l1)[0] = pte_of(data, PTE_P | PTE_RW | PTE_US);
    for (unsigned i = 0; i < 4; i++) {
        l2[i] = fake_page(d);
        fake_table(l3)[i] = pte_of(l2[i], PTE_P);
        fake_table(l2[i])[0] = pte_of(l1, PTE_TABLE);
    }
    ck_assert_int_eq(page_get_and_type(l3, d, FRAME_L3, false), 0);
    v->mm.kernel_table = l3;
    v->mm.compat_l4 = top = hv_alloc_pages(0);
    ck_assert_int_eq(shadow_on(d), 0);
}

static void teardown(void)
{
    shadow_off(d);
    hv_free_pages(top, 0);
    ck_assert_uint_eq(frames_audit(true), 0);
}

static u64 *below(u64 entry)
{
    return maddr_to_virt(entry & PTE_ADDRESS);
}

/* What a CPU finds for va; 0 when a level is missing. */
static u64 seen(unsigned long va)
{
    u64 entry = top[0];
    for (unsigned level = 3; level > 0 && entry; level--)
        entry = below(entry)[va >> (3 + 9 * level) & 511];
    return entry;
}

static bool fault(unsigned long va, u32 code)
{
    return shadow_fault(v, va, &code);
}

/* Each gigabyte has its level 2; a page seen through one is not seen through the others before it is touched there. */
START_TEST(test_three_levels)
{
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_uint_eq(seen(GIB(i)), 0);
        ck_assert(fault(GIB(i), i ? READ : WRITE));
        ck_assert_uint_eq(seen(GIB(i)) & PTE_ADDRESS, pte_of(data, 0));
        ck_assert_uint_eq(seen(GIB(i)) & LOADED, LOADED);
    }
    ck_assert(fake_table(l1)[0] & PTE_D);
    ck_assert(!fault(GIB(4), READ)); /* no address of a 32-bit guest: not read as another one */
    ck_assert(!fault(0, READ | 8));  /* a reserved bit is no missing shadow */
}
END_TEST

/* The M2P is mapped with large pages of ours: they are in the shadow from the start, and no table is sought below. */
START_TEST(test_the_m2p_is_seen)
{
    ck_assert(fault(GIB(3), READ));
    u64 *last = below(below(top[0])[3]);
    ck_assert_uint_eq(last[COMPAT_L2_FIRST_HV_SLOT], compat_m2p_l2e[0]);
    fake_table(l2[3])[COMPAT_L2_FIRST_HV_SLOT] = compat_m2p_l2e[0] | PTE_US;
    ck_assert(fault(M2P_VA, READ)); /* the shadow has it: to be tried again */
    ck_assert_uint_eq(last[COMPAT_L2_FIRST_HV_SLOT], compat_m2p_l2e[0]);
    ck_assert(!fault(M2P_VA, WRITE));
}
END_TEST

/* The root that a CPU has loaded goes, and with it our fourth level's entry: nothing of the old tables is walked. */
START_TEST(test_a_root_that_is_replaced)
{
    mfn_t other = fake_page(d);
    for (unsigned i = 0; i < 3; i++)
        fake_table(other)[i] = pte_of(l2[i], PTE_P);
    fake_table(other)[3] = pte_of(fake_page(d), PTE_P);
    ck_assert(fault(0, READ));
    ck_assert_int_eq(page_get_and_type(other, d, FRAME_L3, false), 0);
    v->mm.kernel_table = other;
    vcpu_update_cr3(v);
    ck_assert_uint_eq(seen(0), 0);
    page_put_and_type(l3);
    ck_assert(fault(0, READ));
    ck_assert_uint_eq(seen(0) & LOADED, LOADED);
    ck_assert(!fault(GIB(3), READ)); /* its fourth level 2 is another one, and empty */
    v->mm.kernel_table = mfn_of(INVALID_FRAME);
    ck_assert(!fault(0, READ)); /* a vCPU that has no tables yet */
    page_put_and_type(other);
}
END_TEST

/* More tables than there are buckets to find them by: each keeps its own shadow, and goes alone. */
START_TEST(test_many_tables)
{
    static mfn_t table[400];
    for (unsigned i = 1; i < 400; i++) {
        table[i] = fake_page(d);
        fake_table(table[i])[0] = pte_of(data, PTE_P | PTE_RW | PTE_US);
        ck_assert_int_eq(upper_update(d, FRAME_L2, l2[0], &fake_table(l2[0])[i], pte_of(table[i], PTE_TABLE), 0), 0);
        ck_assert(fault((unsigned long)i << 21, WRITE));
    }
    for (unsigned i = 1; i < 400; i += 2) {
        ck_assert_int_eq(upper_update(d, FRAME_L2, l2[0], &fake_table(l2[0])[i], 0, 0), 0);
        ck_assert_uint_eq(seen((unsigned long)i << 21), 0);
        ck_assert(!fault((unsigned long)i << 21, READ));
        ck_assert(fault((unsigned long)(i + 1) << 21, READ) || i == 399);
        fake_table(table[i])[0] = 0; /* a plain page again */
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mm shadow32");
    TCase *tc = tcase_create("shadow");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_three_levels);
    tcase_add_test(tc, test_the_m2p_is_seen);
    tcase_add_test(tc, test_a_root_that_is_replaced);
    tcase_add_test(tc, test_many_tables);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
