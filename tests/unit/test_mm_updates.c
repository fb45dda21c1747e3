/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Changes to live page tables: mmu_update, trapped writes, grant mappings; and the end of a domain.
 */
#include <check.h>
#include <stdlib.h>
#include "mm_fake.h"
#include "hypercall_prototypes.h"
#include "tests/unit/run_suite.h"

static struct domain *d, *peer, *dom0;
static mfn_t l4, l3, l2, l1;

static mfn_t table_over(struct domain *owner, mfn_t child)
{
    mfn_t table = fake_page(owner);
    fake_table(table)[0] = pte_of(child, PTE_TABLE);
    return table;
}

static void build(struct domain *owner)
{
    l1 = fake_page(owner);
    l2 = table_over(owner, l1);
    l3 = table_over(owner, l2);
    l4 = table_over(owner, l3);
    fake_table(l1)[0] = pte_of(l1, PTE_P);
    fake_table(l1)[1] = pte_of(l2, PTE_P);
    ck_assert_int_eq(page_get_and_type(l4, owner, FRAME_L4, false), 0);
    owner->vcpus[0]->mm.kernel_table = l4;
}

static void setup(void)
{
    fake_start();
    d = fake_domain(1, false, 1000);
    peer = fake_domain(2, false, 1000);
    dom0 = fake_domain(0, false, 1000);
    dom0->privileged = dom0->iopl_trusted = true;
    fake_run(d);
    build(d);
}

static void teardown(void)
{
    ck_assert_uint_eq(frames_audit(true), 0);
}

static long update(mfn_t table, unsigned slot, u64 value, unsigned command, unsigned foreign)
{
    struct mmu_update req = {(table.value << PAGE_SHIFT) + slot * 8 + command, value};
    u32 done = 77;
    long rc = do_mmu_update((unsigned long)&req, 1, (unsigned long)&done, foreign);
    ck_assert(done == (rc == 0) || (rc && done == 77)); /* untouched when the owners are refused */
    return rc;
}

#define SELF DOMID_SELF

START_TEST(test_map_and_unmap)
{
    mfn_t a = fake_page(d), b = fake_page(d);
    ck_assert_int_eq(update(l1, 9, pte_of(a, PTE_P | PTE_RW), MMU_NORMAL_PT_UPDATE, SELF), 0);
    ck_assert_uint_eq(fake_table(l1)[9], pte_of(a, PTE_P | PTE_RW | PTE_US) | KERNEL_ONLY);
    ck_assert_int_eq(update(l1, 9, pte_of(b, PTE_P), MMU_NORMAL_PT_UPDATE, SELF), 0);
    ck_assert_uint_eq(refs(a), 1);
    ck_assert_uint_eq(refs(b), 2);
    ck_assert_int_eq(update(l1, 9, pte_of(b, PTE_P | PTE_RW), MMU_NORMAL_PT_UPDATE, SELF), 0);
    ck_assert_uint_eq(fw_count(frame_word(b)), 1);
    ck_assert_int_eq(update(l1, 9, 0, MMU_NORMAL_PT_UPDATE, SELF), 0);
    ck_assert_uint_eq(refs(b), 1);
}
END_TEST

/* Accessed and dirty bits that the CPU set meanwhile must survive. */
START_TEST(test_preserve_ad)
{
    mfn_t a = fake_page(d);
    ck_assert_int_eq(update(l1, 9, pte_of(a, PTE_P | PTE_RW), MMU_NORMAL_PT_UPDATE, SELF), 0);
    fake_table(l1)[9] |= PTE_A | PTE_D;
    ck_assert_int_eq(update(l1, 9, pte_of(a, PTE_P), MMU_PT_UPDATE_PRESERVE_AD, SELF), 0);
    ck_assert_uint_eq(fake_table(l1)[9], pte_of(a, PTE_P | PTE_A | PTE_D | PTE_US) | KERNEL_ONLY);
    ck_assert_int_eq(update(l1, 9, pte_of(a, PTE_P), MMU_NORMAL_PT_UPDATE, SELF), 0);
    ck_assert_uint_eq(fake_table(l1)[9], pte_of(a, PTE_P | PTE_US) | KERNEL_ONLY);
}
END_TEST

START_TEST(test_refusals)
{
    mfn_t a = fake_page(d), theirs = fake_page(peer);
    ck_assert_int_eq(update(l1, 9, pte_of(theirs, PTE_P), 0, SELF), -EBUSY);
    ck_assert_int_eq(update(l1, 9, pte_of(l1, PTE_P | PTE_RW), 0, SELF), -EBUSY);
    ck_assert_int_eq(update(l1, 9, pte_of(a, PTE_P | PTE_PWT), 0, SELF), -EINVAL);
    ck_assert_int_eq(update(l1, 9, pte_of(mfn_of(0xA0), PTE_P | 1UL << 45), 0, SELF), -EPERM);
    ck_assert_int_eq(update(l1, 9, pte_of(mfn_of(4), PTE_P), 0, SELF), -EPERM);
    ck_assert_int_eq(update(theirs, 9, 0, 0, SELF), -EINVAL);
    ck_assert_int_eq(update(mfn_of(FAKE_FRAMES), 9, 0, 0, SELF), -EINVAL);
    ck_assert_int_eq(update(l4, 256, 0, 0, SELF), -EINVAL);
    ck_assert_int_eq(update(l4, 271, pte_of(l3, PTE_TABLE), 0, SELF), -EINVAL);
    ck_assert_int_eq(update(l2, 5, pte_of(a, PTE_P | PTE_PSE), 0, SELF), -EINVAL);
    ck_assert_int_eq(update(l2, 5, pte_of(theirs, PTE_P), 0, SELF), -EINVAL);
    ck_assert_int_eq(update(l2, 5, pte_of(l3, PTE_P), 0, SELF), -EINVAL);
    ck_assert_int_eq(update(l1, 9, pte_of(a, PTE_P), 0, d->id), -ESRCH);
    ck_assert_int_eq(update(l1, 9, pte_of(a, PTE_P), 0, 99), -ESRCH);
    ck_assert_int_eq(update(l1, 9, pte_of(theirs, PTE_P), 0, peer->id), -EPERM);
    ck_assert_int_eq(update(l1, 9, 0, 0, SELF | 100 << 16), -ESRCH);
    ck_assert_int_eq(update(l1, 9, 0, 0, SELF | (peer->id + 1U) << 16), -EPERM);
    ck_assert_int_eq(do_mmu_update(8, 1, 0, SELF), -EFAULT);
    ck_assert_uint_eq(fake_table(l1)[9], 0);
}
END_TEST

START_TEST(test_plain_page_and_m2p)
{
    mfn_t a = fake_page(d), theirs = fake_page(peer);
    ck_assert_int_eq(update(a, 3, 0x1234, 0, SELF), 0);
    ck_assert_uint_eq(fake_table(a)[3], 0x1234);
    ck_assert_int_eq(update(a, 0, 55, MMU_MACHPHYS_UPDATE, SELF), 0);
    ck_assert_uint_eq(host_m2p[a.value], 55);
    ck_assert_int_eq(update(theirs, 0, 55, MMU_MACHPHYS_UPDATE, SELF), -EINVAL);
}
END_TEST

/* The batch stops at the first failure and says how far it came; preempted, it goes on where it was. */
START_TEST(test_batches)
{
    struct mmu_update req[20];
    u32 done = 0;
    for (unsigned i = 0; i < 20; i++)
        req[i] = (struct mmu_update){(l1.value << PAGE_SHIFT) + (i + 10) * 8, pte_of(fake_page(d), PTE_P)};
    req[15].val = pte_of(fake_page(peer), PTE_P);
    ck_assert_int_eq(do_mmu_update((unsigned long)req, 20, (unsigned long)&done, SELF), -EBUSY);
    ck_assert_uint_eq(done, 15);
    req[15].val = 0;
    fake.preempt_after = 4;
    unsigned long args[4] = {(unsigned long)req, 20, (unsigned long)&done, SELF};
    long rc;
    while ((rc = do_mmu_update(args[0], args[1], args[2], args[3])) == -ERESTART)
        memcpy(args, fake.continue_args, sizeof(args));
    ck_assert_int_eq(rc, 0);
    ck_assert_uint_eq(done, 20);
    ck_assert_uint_ge(fake.continuations, 4);
}
END_TEST

/* dom0 maps a guest's pages: read-only if they are tables, and the reference is the guest's. */
START_TEST(test_foreign_maps)
{
    mfn_t page = fake_page(d), table = l1;
    fake_run(dom0);
    build(dom0);
    ck_assert_int_eq(update(l1, 9, pte_of(page, PTE_P | PTE_RW), 0, d->id), 0);
    ck_assert_int_eq(update(l1, 10, pte_of(table, PTE_P | PTE_RW), 0, d->id), -EBUSY);
    ck_assert_int_eq(update(l1, 10, pte_of(table, PTE_P), 0, d->id), 0);
    ck_assert_int_eq(update(l1, 11, pte_of(page, PTE_P), 0, SELF), -EBUSY);
    ck_assert_uint_eq(refs(page), 2);
    /* and builds the guest's tables */
    ck_assert_int_eq(update(table, 30, pte_of(page, PTE_P), 0, d->id | (d->id + 1U) << 16), 0);
    ck_assert_uint_eq(refs(page), 3);
    ck_assert_int_eq(update(l1, 9, 0, 0, SELF), 0);
    ck_assert_int_eq(update(l1, 10, 0, 0, SELF), 0);
}
END_TEST

START_TEST(test_replacing_upper_entries)
{
    mfn_t fresh = fake_page(d);
    fake_table(fresh)[0] = pte_of(fake_page(d), PTE_P | PTE_RW);
    ck_assert_int_eq(update(l2, 5, pte_of(fresh, PTE_P | PTE_RW), 0, SELF), 0);
    ck_assert_int_eq(page_type(fresh), FRAME_L1);
    ck_assert_int_eq(update(l2, 5, pte_of(fresh, PTE_P), 0, SELF), 0);
    ck_assert_int_eq(update(l2, 0, pte_of(fresh, PTE_P | PTE_RW), 0, SELF), 0);
    ck_assert_uint_eq(fw_count(frame_word(fresh)), 2);
    ck_assert_uint_eq(fw_count(frame_word(l1)), 0);
    ck_assert_uint_eq(refs(l1), 1);
    ck_assert_int_eq(update(l2, 5, 0, 0, SELF), 0);
}
END_TEST

/* A level-4 entry dropped: the tree below goes in pieces, in later hypercalls. */
START_TEST(test_big_release_is_preempted)
{
    mfn_t big = fake_page(d), middle = table_over(d, big);
    for (unsigned i = 0; i < 100; i++)
        fake_table(big)[i] = pte_of(fake_page(d), PTE_P | PTE_RW);
    ck_assert_int_eq(update(l4, 1, pte_of(middle, PTE_P), 0, SELF), 0);
    fake.preempt_after = 10;
    struct mmu_update req = {(l4.value << PAGE_SHIFT) + 8, 0};
    long rc = do_mmu_update((unsigned long)&req, 1, 0, SELF);
    ck_assert_int_eq(rc, -ERESTART);
    unsigned rounds = 0;
    while (rc == -ERESTART && ++rounds < 50)
        rc = do_mmu_update(fake.continue_args[0], fake.continue_args[1], fake.continue_args[2], fake.continue_args[3]);
    ck_assert_int_eq(rc, 0);
    ck_assert_uint_gt(rounds, 3);
    ck_assert_uint_eq(refs(middle), 1);
}
END_TEST

/* l1 maps itself at page 0: writes through that address are trapped. */
START_TEST(test_trapped_writes)
{
    struct vcpu *v = d->vcpus[0];
    mfn_t a = fake_page(d);
    u64 value = pte_of(a, PTE_P | PTE_RW | PTE_US), expected;
    ck_assert_int_eq(ptwr_write(v, 9 * 8, 8, value, NULL), 0);
    ck_assert_uint_eq(fw_count(frame_word(a)), 1);
    expected = 1;
    ck_assert_int_eq(ptwr_write(v, 9 * 8, 8, 0, &expected), -EAGAIN);
    ck_assert_uint_eq(expected, value | PTE_G); /* marked as user mode's */
    ck_assert_int_eq(ptwr_write(v, 9 * 8, 8, 0, &expected), 0);
    ck_assert_uint_eq(refs(a), 1);
    ck_assert_int_eq(ptwr_write(v, 9 * 8, 8, pte_of(l1, PTE_P | PTE_RW), NULL), -EBUSY);
    ck_assert_int_eq(ptwr_write(v, 9 * 8 + 6, 4, 0, NULL), -EINVAL);
    ck_assert_int_eq(ptwr_write(v, PAGE_SIZE + 8, 8, 0, NULL), -EINVAL); /* a level-2 table */
    ck_assert_int_eq(ptwr_write(v, 5 * PAGE_SIZE, 8, 0, NULL), -EINVAL);
    ck_assert_int_eq(ptwr_write(v, 9 * 8, 1, 0x60, NULL), 0);
    ck_assert_uint_eq(fake_table(l1)[9], 0x60);
}
END_TEST

/* A 32-bit kernel writes an entry's upper half while the lower still says present. */
START_TEST(test_pae_halves)
{
    struct domain *p = fake_domain(4, true, 100);
    struct vcpu *v = p->vcpus[0];
    fake_run(p);
    mfn_t t1 = fake_page(p), a = fake_page(p), tables[4], t3 = fake_page(p);
    fake_table(t1)[0] = pte_of(t1, PTE_P);
    fake_table(t1)[9] = pte_of(a, PTE_P);
    for (unsigned i = 0; i < 4; i++) {
        tables[i] = fake_page(p);
        fake_table(t3)[i] = pte_of(tables[i], PTE_P);
    }
    fake_table(tables[0])[0] = pte_of(t1, PTE_P | PTE_RW);
    ck_assert_int_eq(page_get_and_type(t3, p, FRAME_L3, false), 0);
    v->mm.kernel_table = t3;
    ck_assert_int_eq(ptwr_write(v, 9 * 8 + 4, 4, 0x1, NULL), 0);
    ck_assert_uint_eq(fake_table(t1)[9], ((a.value << PAGE_SHIFT) | 1UL << 32));
    ck_assert_uint_eq(refs(a), 1);
    ck_assert_int_eq(ptwr_write(v, 9 * 8 + 4, 4, 0, NULL), 0);
    ck_assert_int_eq(ptwr_write(v, 9 * 8, 4, (u32)pte_of(a, PTE_P), NULL), 0);
    ck_assert_uint_eq(refs(a), 2);
    ck_assert_int_eq(ptwr_write(v, COMPAT_VIRT_START, 8, 0, NULL), -EINVAL);
}
END_TEST

START_TEST(test_grant_mappings)
{
    struct vcpu *v = d->vcpus[0];
    mfn_t page = fake_page(peer), mine = fake_page(d);
    u64 pte = (l1.value << PAGE_SHIFT) + 20 * 8, va = 21 * PAGE_SIZE;
    unsigned ro = GNTMAP_host_map | GNTMAP_readonly;
    ck_assert_int_eq(update(l1, 21, pte_of(mine, PTE_P | PTE_RW), 0, SELF), 0);
    ck_assert(page_get(page, peer));
    ck_assert_int_eq(grant_map_host(v, va, page, ro), GNTST_okay);
    ck_assert_uint_eq(refs(mine), 1);
    ck_assert_uint_eq(fake_table(l1)[21] & (PTE_P | PTE_RW), PTE_P);
    ck_assert_int_eq(page_get_and_type(page, peer, FRAME_WRITABLE, false), 0);
    ck_assert_int_eq(grant_map_host(v, pte, page, GNTMAP_host_map | GNTMAP_contains_pte), GNTST_okay);
    ck_assert_int_eq(grant_map_host(v, pte + 4, page, GNTMAP_contains_pte), GNTST_general_error);
    ck_assert_int_eq(grant_map_host(v, page.value << 12, page, GNTMAP_contains_pte), GNTST_general_error);
    ck_assert_int_eq(grant_map_host(v, 0x40000000000, page, ro), GNTST_general_error);
    ck_assert_uint_eq(frames_audit(true), 0);
    ck_assert_int_eq(grant_unmap_host(v, va, mine, ro, 0), GNTST_general_error);
    ck_assert_int_eq(grant_unmap_host(v, va, page, GNTMAP_host_map, 0), GNTST_general_error);
    ck_assert_int_eq(grant_unmap_host(v, va, page, ro, 0), GNTST_okay);
    page_put(page);
    ck_assert_int_eq(update(l1, 21, pte_of(mine, PTE_P | PTE_RW), 0, SELF), 0);
    ck_assert_int_eq(grant_unmap_host(v, 20 * PAGE_SIZE, page, GNTMAP_host_map, va), GNTST_okay);
    page_put_and_type(page);
    ck_assert_uint_eq(pte_mfn(fake_table(l1)[20]).value, mine.value);
    ck_assert_uint_eq(fake_table(l1)[21], 0);
}
END_TEST

/* What a guest may name wrongly; nothing is mapped or unmapped then, and a mapping that is to move finds another place. */
START_TEST(test_grant_mappings_refused)
{
    struct vcpu *v = d->vcpus[0];
    mfn_t page = fake_page(peer), unused = fake_page(d);
    u64 va = 21 * PAGE_SIZE, nowhere = 0x40000000000, beyond = (u64)FAKE_FRAMES << PAGE_SHIFT;
    ck_assert_int_eq(page_get_and_type(unused, d, FRAME_L1, false), 0);
    page_put_and_type(unused); /* was a table once: its entries are nobody's now */
    ck_assert(page_get(page, peer));
    ck_assert_int_eq(grant_map_host(v, beyond, page, GNTMAP_contains_pte), GNTST_general_error);
    ck_assert_int_eq(grant_map_host(v, unused.value << PAGE_SHIFT, page, GNTMAP_contains_pte), GNTST_general_error);
    unsigned flags = GNTMAP_host_map | GNTMAP_readonly;
    ck_assert_int_eq(grant_map_host(v, va, page, flags | GNTMAP_application_map), GNTST_okay);
    ck_assert_uint_eq(fake_table(l1)[21] & (PTE_US | KERNEL_ONLY), PTE_US); /* for the user, too */
    ck_assert_int_eq(grant_unmap_host(v, nowhere, page, flags, 0), GNTST_general_error);
    ck_assert_int_eq(grant_unmap_host(v, va, page, flags, nowhere), GNTST_general_error);
    ck_assert_int_eq(grant_unmap_host(v, va, page, flags, va), GNTST_general_error);
    u64 pte = (l1.value << PAGE_SHIFT) + 21 * 8;
    ck_assert_int_eq(grant_unmap_host(v, pte, page, flags | GNTMAP_contains_pte, va), GNTST_general_error);
    ck_assert_uint_eq(frames_audit(true), 0);
    ck_assert_int_eq(grant_unmap_host(v, pte, page, flags | GNTMAP_contains_pte, 0), GNTST_okay);
    page_put(page);
}
END_TEST

/* A descriptor table's mapping goes: the CPU must not keep using what the guest thinks is gone. */
START_TEST(test_unmapping_descriptors_drops_ldts)
{
    mfn_t ldt = fake_page(d);
    ck_assert_int_eq(update(l1, 30, pte_of(ldt, PTE_P), 0, SELF), 0);
    ck_assert_int_eq(page_get_and_type(ldt, d, FRAME_DESCRIPTOR, false), 0);
    d->vcpus[0]->ldt_mapped = 1;
    d->vcpus[0]->ldt_frames[0] = (u32)ldt.value;
    ck_assert_int_eq(update(l1, 30, 0, 0, SELF), 0);
    ck_assert_uint_eq(fake.ldt_invalidations, 1);
    page_put_and_type(ldt);
}
END_TEST

/* The end of a domain, at any point of preemption: all frames return, but those another domain still maps. */
START_TEST(test_relinquish)
{
    unsigned long before = free_frames() + d->mm.tot_pages;
    mfn_t pinned = fake_page(d), mapped = fake_page(d);
    fake_table(pinned)[0] = pte_of(fake_page(d), PTE_P | PTE_RW);
    ck_assert_int_eq(page_get_and_type(pinned, d, FRAME_L1, false), 0);
    frame_table[pinned.value].word |= FW_PINNED;
    u64 foreign = pte_of(mapped, PTE_P | PTE_RW);
    ck_assert_int_eq(l1e_get(&foreign, dom0, d->id), 0);
    for (unsigned i = 0; i < 300; i++)
        fake_page(d);
    fake_run(dom0);
    d->dying = 1;
    d->vcpus[0]->mm.kernel_table = mfn_of(INVALID_FRAME);
    page_put_and_type(l4);
    fake.preempt_after = (unsigned)_i;
    unsigned stops;
    ck_assert_int_eq(UNTIL_DONE(stops, domain_relinquish_memory(d)), 0);
    ck_assert_uint_eq(d->mm.tot_pages, 1);
    ck_assert_uint_eq(free_frames(), before - 1);
    mfn_t mfn;
    ck_assert_int_eq(domain_alloc_frames(d, 0, 0, &mfn), -ENOMEM);
    l1e_put(foreign, dom0);
    ck_assert_uint_eq(free_frames(), before);
    ck_assert_uint_eq(d->refs, 1);
}
END_TEST

/* Its tables, each of which may take a hundred thousand instructions, are not taken down in one go. */
START_TEST(test_relinquish_stops_after_each_table)
{
    unsigned stops;

    for (unsigned i = 0; i < 5; i++) {
        mfn_t pinned = fake_page(d);
        ck_assert_int_eq(page_get_and_type(pinned, d, FRAME_L1, false), 0);
        frame_table[pinned.value].word |= FW_PINNED;
    }
    d->dying = 1;
    d->vcpus[0]->mm.kernel_table = mfn_of(INVALID_FRAME);
    page_put_and_type(l4);
    fake.preempt_after = 1;
    ck_assert_int_eq(UNTIL_DONE(stops, domain_relinquish_memory(d)), 0);
    ck_assert_uint_ge(stops, 5);
    ck_assert_uint_eq(d->mm.tot_pages, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("mm updates");
    TCase *t = tcase_create("updates");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_map_and_unmap);
    tcase_add_test(t, test_preserve_ad);
    tcase_add_test(t, test_refusals);
    tcase_add_test(t, test_plain_page_and_m2p);
    tcase_add_test(t, test_batches);
    tcase_add_test(t, test_foreign_maps);
    tcase_add_test(t, test_replacing_upper_entries);
    tcase_add_test(t, test_big_release_is_preempted);
    tcase_add_test(t, test_trapped_writes);
    tcase_add_test(t, test_pae_halves);
    tcase_add_test(t, test_grant_mappings);
    tcase_add_test(t, test_grant_mappings_refused);
    tcase_add_test(t, test_unmapping_descriptors_drops_ldts);
    tcase_add_loop_test(t, test_relinquish, 0, 5);
    tcase_add_test(t, test_relinquish_stops_after_each_table);
    suite_add_tcase(s, t);
    return run_suite(s);
}
