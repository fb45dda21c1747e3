/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The grant table itself: its two versions, how it grows, what its frames are, and the operations that change it.
 */
#include "grant_fixture.h"
#include "tests/unit/run_suite.h"

START_TEST(version_2_keeps_its_bits_apart)
{
    set_version(1, 2);
    union grant_entry_v2 *e = offer_v2(granter, 200, page, 0, GTF_permit_access);
    struct gnttab_map_grant_ref m = map(200, GNTMAP_host_map);
    ck_assert_int_eq(m.status, GNTST_okay);
    ck_assert_uint_eq(e->hdr.flags, GTF_permit_access);
    ck_assert_uint_eq(*entry_status(&granter->grant, 200), GTF_reading | GTF_writing);
    ck_assert_int_eq(map(256, GNTMAP_host_map).status, GNTST_bad_gntref); /* entries are larger now */
    ck_assert_int_eq(unmap(&m), GNTST_okay);
    assert_unused(200, page);
    e->full_page.frame = 1UL << 40;
    ck_assert_int_eq(map(200, GNTMAP_host_map).status, GNTST_bad_page);
    assert_unused(200, page);
}
END_TEST

START_TEST(the_reserved_entries_survive_a_change_of_version)
{
    offer(1, page, 0, GTF_permit_access);
    offer(9, page, 0, GTF_permit_access);
    struct gnttab_map_grant_ref m = map(1, GNTMAP_host_map);
    set_version(1, 2);
    ck_assert_uint_eq(entry_v2(&granter->grant, 1)->full_page.frame, page.value);
    ck_assert_uint_eq(entry_v2(&granter->grant, 1)->hdr.flags, GTF_permit_access);
    ck_assert_uint_eq(*entry_status(&granter->grant, 1), GTF_reading | GTF_writing);
    ck_assert_uint_eq(entry_v2(&granter->grant, 9)->hdr.flags, 0);
    set_version(1, 1);
    ck_assert_uint_eq(entry_v1(&granter->grant, 1)->flags, GTF_permit_access | GTF_reading | GTF_writing);
    ck_assert_uint_eq(entry_v1(&granter->grant, 1)->frame, page.value);
    ck_assert_int_eq(unmap(&m), GNTST_okay);
    assert_unused(1, page);
}
END_TEST

START_TEST(a_version_does_not_change_under_a_user)
{
    struct gnttab_set_version op = {.version = 2};
    offer(9, page, 0, GTF_permit_access);
    struct gnttab_map_grant_ref m = map(9, GNTMAP_host_map);
    fake_run(1, 0);
    ck_assert_int_eq(gnttab_op(set_version, &op, 1), -EBUSY);
    ck_assert_uint_eq(op.version, 1);
    op.version = 3;
    ck_assert_int_eq(gnttab_op(set_version, &op, 1), -EINVAL);
    fake_run(0, 0);
    ck_assert_int_eq(unmap(&m), GNTST_okay);
    offer(2, page, 0, GTF_accept_transfer);
    fake_run(1, 0);
    op.version = 2;
    ck_assert_int_eq(gnttab_op(set_version, &op, 1), -EINVAL); /* a reserved entry that cannot be kept */
    struct gnttab_get_version get = {.dom = DOMID_SELF};
    ck_assert_int_eq(gnttab_op(get_version, &get, 1), 0);
    ck_assert_uint_eq(get.version, 1);
    get.dom = 0;
    ck_assert_int_eq(gnttab_op(get_version, &get, 1), -EPERM);
}
END_TEST

/* Were a mapped status frame let go with its version, a guest could collect one after the other; were it freed, it could
 * write what is another's by now. */
START_TEST(a_mapped_status_frame_keeps_version_2)
{
    struct gnttab_set_version op = {.version = 1};
    set_version(1, 2);
    mfn_t status = virt_to_mfn(granter->grant.status[0]);
    ck_assert(page_get(status, granter));
    fake_run(1, 0);
    ck_assert_int_eq(gnttab_op(set_version, &op, 1), -EBUSY);
    fake_run(0, 0);
    ck_assert_uint_eq(granter->grant.version, 2);
    ck_assert_uint_eq(virt_to_mfn(granter->grant.status[0]).value, status.value);
    page_put(status);
    set_version(1, 1);
    ck_assert_uint_eq(granter->grant.status_frames, 0);
    ck_assert(!fake_frames[status.value].allocated);
}
END_TEST

START_TEST(tables_grow_to_their_limit)
{
    u64 list[8];
    struct gnttab_query_size size = {.dom = 1};
    ck_assert_int_eq(set_up_table(1, 4, list).status, GNTST_okay);
    ck_assert_ptr_eq(mfn_to_virt(mfn_of(list[3])), granter->grant.shared[3]);
    ck_assert_int_eq(set_up_table(1, 5, list).status, GNTST_general_error);
    ck_assert_int_eq(set_up_table(3, 1, list).status, GNTST_bad_domain);
    ck_assert_int_eq(gnttab_op(query_size, &size, 1), 0);
    ck_assert_uint_eq(size.nr_frames, 4);
    ck_assert_uint_eq(size.max_nr_frames, 4);
    ck_assert_int_eq(size.status, GNTST_okay);
    ck_assert_int_eq(do_grant_table_op(GNTTABOP_query_size, (unsigned long)fake_guest_memory(), 2), -EINVAL);
    fake_run(2, 0);
    ck_assert_int_eq(set_up_table(1, 1, list).status, GNTST_permission_denied);
    offer(2047, page, 0, GTF_permit_access);
    fake_run(0, 0);
    struct gnttab_map_grant_ref m = map(2047, GNTMAP_host_map);
    ck_assert_int_eq(m.status, GNTST_okay);
    ck_assert_int_eq(unmap(&m), GNTST_okay);
}
END_TEST

START_TEST(status_frames_and_frame_numbers)
{
    struct gnttab_get_status_frames op = {.dom = 1, .nr_frames = 1};
    unsigned long mfn = 0;
    op.frame_list.p = (u64 *)((char *)fake_guest_memory() + PAGE_SIZE);
    ck_assert_int_eq(gnttab_op(get_status_frames, &op, 1), 0);
    ck_assert_int_eq(op.status, GNTST_general_error); /* version 1 has none */
    ck_assert_int_eq(grant_frame_mfn(granter, 0, true, &mfn), -EINVAL);
    set_version(1, 2);
    ck_assert_int_eq(gnttab_op(get_status_frames, &op, 1), 0);
    ck_assert_int_eq(op.status, GNTST_okay);
    ck_assert_int_eq(grant_frame_mfn(granter, 0, true, &mfn), 0);
    ck_assert_uint_eq(*op.frame_list.p, mfn);
    ck_assert_int_eq(grant_frame_mfn(granter, 1, true, &mfn), -EINVAL);
    ck_assert_int_eq(grant_frame_mfn(granter, 2, false, &mfn), 0); /* grows */
    ck_assert_uint_eq(granter->grant.frames, 3);
    ck_assert_int_eq(grant_frame_mfn(granter, 4, false, &mfn), -EINVAL);
    ck_assert_int_eq(grant_frame_mfn(granter, 0xFFFFFFFF, false, &mfn), -EINVAL);
    ck_assert_int_eq(grant_frame_mfn(granter, 0xFFFFFFFF, true, &mfn), -EINVAL);
}
END_TEST

START_TEST(entries_are_swapped_unless_in_use)
{
    struct gnttab_swap_grant_ref op = {.ref_a = 9, .ref_b = 10};
    struct grant_entry_v1 *a = offer(9, page, 0, GTF_permit_access), *b = offer(10, page, 2, GTF_accept_transfer);
    struct gnttab_map_grant_ref m = map(9, GNTMAP_host_map);
    fake_run(1, 0);
    ck_assert_int_eq(gnttab_op(swap_grant_ref, &op, 1), 0);
    ck_assert_int_eq(op.status, GNTST_eagain);
    fake_run(0, 0);
    ck_assert_int_eq(unmap(&m), GNTST_okay);
    fake_run(1, 0);
    ck_assert_int_eq(gnttab_op(swap_grant_ref, &op, 1), 0);
    ck_assert_int_eq(op.status, GNTST_okay);
    ck_assert_uint_eq(a->domid, 2);
    ck_assert_uint_eq(b->domid, 0);
    op.ref_b = 512;
    ck_assert_int_eq(gnttab_op(swap_grant_ref, &op, 1), 0);
    ck_assert_int_eq(op.status, GNTST_bad_gntref);
}
END_TEST

static int transfer(mfn_t mfn, unsigned to, u32 ref)
{
    struct gnttab_transfer op = {.mfn = mfn.value, .domid = (domid_t)to, .ref = ref};
    ck_assert_int_eq(gnttab_op(transfer, &op, 1), 0);
    return op.status;
}

/* A page that the receiver does not take belongs to nobody afterwards: so the interface says, and a kernel counts. */
START_TEST(pages_change_hands)
{
    struct domain *self = fake_domains[0];
    mfn_t mine = fake_guest_frame(self);
    unsigned long pages = self->mm.tot_pages;
    struct grant_entry_v1 *e = offer(9, mfn_of(77), 0, GTF_accept_transfer);
    ck_assert_int_eq(transfer(page, 1, 9), GNTST_bad_page); /* not mine */
    ck_assert_int_eq(transfer(mfn_of(~0UL), 1, 9), GNTST_bad_page);
    ck_assert(page_get(mine, self));
    ck_assert_int_eq(transfer(mine, 1, 9), GNTST_bad_page); /* in use */
    page_put(mine);
    ck_assert_uint_eq(self->mm.tot_pages, pages);
    ck_assert_int_eq(transfer(mine, 1, 9), GNTST_okay);
    ck_assert_ptr_eq(fake_frames[mine.value].owner, granter);
    ck_assert_uint_eq(fake_frames[mine.value].place.value, 77); /* where the receiver has room for it */
    ck_assert_uint_eq(e->flags, GTF_accept_transfer | GTF_transfer_committed | GTF_transfer_completed);
    ck_assert_uint_eq(e->frame, mine.value);
    ck_assert_uint_eq(self->mm.tot_pages, pages - 1);
}
END_TEST

static void assert_lost(unsigned to, u32 ref, int status)
{
    struct domain *self = fake_domains[0];
    mfn_t mine = fake_guest_frame(self);
    unsigned long pages = self->mm.tot_pages;
    ck_assert_int_eq(transfer(mine, to, ref), status);
    ck_assert_ptr_null(fake_frames[mine.value].owner);
    ck_assert(!fake_frames[mine.value].allocated);
    ck_assert_uint_eq(self->mm.tot_pages, pages - 1);
}

START_TEST(pages_that_nobody_takes)
{
    struct grant_entry_v1 *e = offer(9, mfn_of(77), 0, GTF_accept_transfer);
    assert_lost(3, 9, GNTST_bad_domain);
    assert_lost(1, 10, GNTST_general_error);
    assert_lost(1, 1000, GNTST_general_error);
    granter->mm.max_pages = granter->mm.tot_pages;
    assert_lost(1, 9, GNTST_general_error); /* no room */
    ck_assert_uint_eq(e->flags, GTF_accept_transfer);
    ck_assert_uint_eq(e->frame, 77);
}
END_TEST

/* One may even give a page to oneself, with as many as one may have: it changes its place and is counted once. */
START_TEST(a_page_given_to_oneself_moves)
{
    unsigned long pages = granter->mm.max_pages = granter->mm.tot_pages;
    struct grant_entry_v1 *e = offer(9, mfn_of(78), 1, GTF_accept_transfer);
    fake_run(1, 0);
    ck_assert_int_eq(transfer(page, 1, 9), GNTST_okay);
    ck_assert_uint_eq(e->flags, GTF_accept_transfer | GTF_transfer_committed | GTF_transfer_completed);
    ck_assert_uint_eq(e->frame, page.value);
    ck_assert_uint_eq(fake_frames[page.value].place.value, 78);
    set_version(1, 2);
    fake_run(1, 0);
    union grant_entry_v2 *wide = offer_v2(granter, 9, mfn_of(79), 1, GTF_accept_transfer);
    ck_assert_int_eq(transfer(page, 1, 9), GNTST_okay);
    ck_assert_uint_eq(wide->full_page.frame, page.value);
    ck_assert_uint_eq(fake_frames[page.value].place.value, 79);
    ck_assert_uint_eq(granter->mm.tot_pages, pages);
}
END_TEST

START_TEST(caches_are_flushed_for_owners)
{
    mfn_t mine = fake_guest_frame(fake_domains[0]);
    struct gnttab_cache_flush op = {
        .a.dev_bus_addr = mine.value << PAGE_SHIFT, .offset = 10, .length = 100, .op = GNTTAB_CACHE_CLEAN};
    ck_assert_int_eq(gnttab_op(cache_flush, &op, 1), 0);
    op.op = GNTTAB_CACHE_INVAL;
    ck_assert_int_eq(gnttab_op(cache_flush, &op, 1), -EOPNOTSUPP);
    op.op = GNTTAB_CACHE_CLEAN;
    op.length = 4090;
    ck_assert_int_eq(gnttab_op(cache_flush, &op, 1), -EINVAL);
    op.length = 1;
    op.a.dev_bus_addr = page.value << PAGE_SHIFT;
    ck_assert_int_eq(gnttab_op(cache_flush, &op, 1), -EPERM);
    op.a.dev_bus_addr = 1UL << 60;
    ck_assert_int_eq(gnttab_op(cache_flush, &op, 1), -EINVAL);
    ck_assert_int_eq(fake_frames[mine.value].refs, 1);
}
END_TEST

START_TEST(bad_calls)
{
    unsigned long buffer = (unsigned long)fake_guest_memory();
    ck_assert_int_eq(do_grant_table_op(GNTTABOP_map_grant_ref, HV_VIRT_START, 1), -EFAULT);
    ck_assert_int_eq(do_grant_table_op(GNTTABOP_unmap_grant_ref, HV_VIRT_START, 40), -EFAULT);
    ck_assert_int_eq(do_grant_table_op(GNTTABOP_copy, HV_VIRT_START, 1), -EFAULT);
    ck_assert_int_eq(do_grant_table_op(GNTTABOP_map_grant_ref, buffer, 0x80000000), -EINVAL);
    ck_assert_int_eq(do_grant_table_op(GNTTABOP_map_grant_ref, HV_VIRT_START, 0), 0);
    ck_assert_int_eq(do_grant_table_op(13, buffer, 1), -ENOSYS);
    ck_assert_int_eq(do_grant_table_op(GNTTABOP_setup_table, HV_VIRT_START, 1), -EFAULT);
    struct gnttab_setup_table op = {.dom = DOMID_SELF, .nr_frames = 1};
    op.frame_list.p = (xen_pfn_t *)HV_VIRT_START;
    ck_assert_int_eq(gnttab_op(setup_table, &op, 1), 0);
    ck_assert_int_eq(op.status, GNTST_bad_virt_addr);
}
END_TEST

START_TEST(no_memory)
{
    u64 list[4];
    for (int i = 0; i < 3; i++) {
        struct domain d = {0};
        fake_allocations_left = i;
        ck_assert_int_eq(grant_init(&d, 4, 4), -ENOMEM);
    }
    struct domain d = {0};
    fake_allocations_left = -1;
    ck_assert_int_eq(grant_init(&d, 0, 4), -EINVAL);
    ck_assert_int_eq(grant_init(&d, MAX_GRANT_FRAMES + 1, 4), -EINVAL);
    offer(9, page, 0, GTF_permit_access);
    fake_allocations_left = 0;
    ck_assert_int_eq(map(9, GNTMAP_host_map).status, GNTST_no_device_space);
    for (int i = 0; i < 3; i++) { /* a page of entries a frame; their record comes with their use */
        fake_allocations_left = 1;
        ck_assert_int_eq(set_up_table(1, 4, list).status, i < 2 ? GNTST_general_error : GNTST_okay);
    }
    assert_unused(9, page);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("grant_table");
    TCase *t = tcase_create("table");
    tcase_add_checked_fixture(t, grant_setup, fake_teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, version_2_keeps_its_bits_apart);
    tcase_add_test(t, the_reserved_entries_survive_a_change_of_version);
    tcase_add_test(t, a_version_does_not_change_under_a_user);
    tcase_add_test(t, a_mapped_status_frame_keeps_version_2);
    tcase_add_test(t, tables_grow_to_their_limit);
    tcase_add_test(t, status_frames_and_frame_numbers);
    tcase_add_test(t, entries_are_swapped_unless_in_use);
    tcase_add_test(t, pages_change_hands);
    tcase_add_test(t, pages_that_nobody_takes);
    tcase_add_test(t, a_page_given_to_oneself_moves);
    tcase_add_test(t, caches_are_flushed_for_owners);
    tcase_add_test(t, bad_calls);
    tcase_add_test(t, no_memory);
    suite_add_tcase(s, t);
    return run_suite(s);
}
