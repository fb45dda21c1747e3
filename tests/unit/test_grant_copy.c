/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copies between granted frames and one's own: both ends by reference or by number, within their bounds, and through a
 * domain that passes on what it was granted.
 */
#include "grant_fixture.h"
#include "tests/unit/run_suite.h"

static struct gnttab_copy copy_from_grant(unsigned ref, unsigned from, mfn_t to, unsigned at, unsigned length)
{
    struct gnttab_copy op = {.source = {.u.ref = ref, .domid = 1, .offset = (u16)from},
                             .dest = {.u.gmfn = to.value, .domid = DOMID_SELF, .offset = (u16)at},
                             .len = (u16)length,
                             .flags = GNTCOPY_source_gref};
    ck_assert_int_eq(gnttab_op(copy, &op, 1), 0);
    return op;
}

START_TEST(copies_in_all_four_ways)
{
    mfn_t mine = fake_guest_frame(fake_domains[0]), mine2 = fake_guest_frame(fake_domains[0]);
    mfn_t theirs = fake_guest_frame(granter);
    strcpy(mfn_to_virt(page), "grants");
    offer(9, page, 0, GTF_permit_access | GTF_readonly);
    offer(10, theirs, 0, GTF_permit_access);
    ck_assert_int_eq(copy_from_grant(9, 1, mine, 4089, 7).status, GNTST_okay);
    ck_assert_str_eq((char *)mfn_to_virt(mine) + 4089, "rants");

    struct gnttab_copy ops[2] = {
        {.source = {.u.gmfn = mine.value, .domid = DOMID_SELF, .offset = 4089},
         .dest = {.u.ref = 10, .domid = 1, .offset = 0},
         .len = 6,
         .flags = GNTCOPY_dest_gref},
        {.source = {.u.gmfn = mine.value, .domid = DOMID_SELF},
         .dest = {.u.gmfn = mine2.value, .domid = DOMID_SELF},
         .len = 4096},
    };
    ck_assert_int_eq(gnttab_op(copy, ops, 2), 0);
    ck_assert_int_eq(ops[0].status, GNTST_okay);
    ck_assert_int_eq(ops[1].status, GNTST_okay);
    ck_assert_str_eq(mfn_to_virt(theirs), "rants");
    ck_assert_str_eq((char *)mfn_to_virt(mine2) + 4089, "rants");

    struct gnttab_copy both = {.source = {.u.ref = 9, .domid = 1},
                               .dest = {.u.ref = 10, .domid = 1, .offset = 100},
                               .len = 7,
                               .flags = GNTCOPY_source_gref | GNTCOPY_dest_gref};
    ck_assert_int_eq(gnttab_op(copy, &both, 1), 0);
    ck_assert_int_eq(both.status, GNTST_okay);
    ck_assert_str_eq((char *)mfn_to_virt(theirs) + 100, "grants");
    both.dest.u.ref = 9;
    ck_assert_int_eq(gnttab_op(copy, &both, 1), 0);
    ck_assert_int_eq(both.status, GNTST_general_error); /* read-only */
    assert_unused(9, page);
    assert_unused(10, theirs);
    ck_assert_int_eq(fake_frames[mine.value].refs, 1);
}
END_TEST

START_TEST(copies_that_are_refused)
{
    mfn_t mine = fake_guest_frame(fake_domains[0]);
    offer(9, page, 0, GTF_permit_access);
    ck_assert_int_eq(copy_from_grant(9, 4096, mine, 0, 1).status, GNTST_bad_copy_arg);
    ck_assert_int_eq(copy_from_grant(9, 0, mine, 4090, 7).status, GNTST_bad_copy_arg);
    ck_assert_int_eq(copy_from_grant(9, 0xFFFF, mine, 0xFFFF, 0xFFFF).status, GNTST_bad_copy_arg);
    ck_assert_int_eq(copy_from_grant(600, 0, mine, 0, 1).status, GNTST_bad_gntref);
    ck_assert_int_eq(copy_from_grant(9, 0, page, 0, 1).status, GNTST_bad_page); /* not our frame */
    struct gnttab_copy op = {
        .source = {.u.gmfn = page.value, .domid = 1}, .dest = {.u.gmfn = mine.value, .domid = DOMID_SELF}, .len = 1};
    ck_assert_int_eq(gnttab_op(copy, &op, 1), 0);
    ck_assert_int_eq(op.status, GNTST_permission_denied); /* others' frames only by grant */
    op.source.domid = DOMID_SELF;
    ck_assert_int_eq(gnttab_op(copy, &op, 1), 0);
    ck_assert_int_eq(op.status, GNTST_bad_page);
    op.source.domid = 3;
    op.flags = GNTCOPY_source_gref;
    ck_assert_int_eq(gnttab_op(copy, &op, 1), 0);
    ck_assert_int_eq(op.status, GNTST_bad_domain);
    assert_unused(9, page);
    ck_assert_int_eq(fake_frames[mine.value].refs, 1);
}
END_TEST

START_TEST(copies_of_a_32bit_caller)
{
    struct {
        u32 source;
        u16 source_domid, source_offset;
        u32 dest;
        u16 dest_domid, dest_offset, len, flags;
        s16 status;
    } op = {9, 1, 0, 0, DOMID_SELF, 8, 7, GNTCOPY_source_gref, 1};
    fake_make_32bit(fake_domains[0]);
    mfn_t mine = fake_guest_frame(fake_domains[0]);
    op.dest = (u32)mine.value;
    strcpy(mfn_to_virt(page), "narrow");
    offer(9, page, 0, GTF_permit_access);
    ck_assert_uint_eq(sizeof(op), 24);
    ck_assert_int_eq(gnttab_op(copy, &op, 1), 0);
    ck_assert_int_eq(op.status, GNTST_okay);
    ck_assert_str_eq((char *)mfn_to_virt(mine) + 8, "narrow");

    struct {
        u16 dom;
        u32 nr_frames;
        s16 status;
        u32 frame_list;
    } table = {DOMID_SELF, 2, 1, (u32)(unsigned long)fake_guest_memory() + 4096};
    ck_assert_int_eq(gnttab_op(setup_table, &table, 1), 0);
    ck_assert_int_eq(table.status, GNTST_okay);
    u32 *list = (u32 *)((char *)fake_guest_memory() + 4096);
    ck_assert_uint_eq(list[1], virt_to_mfn(fake_domains[0]->grant.shared[1]).value);
}
END_TEST

START_TEST(sub_pages_are_copied_within_their_bounds)
{
    mfn_t mine = fake_guest_frame(fake_domains[0]);
    set_version(1, 2);
    union grant_entry_v2 *e = offer_v2(granter, 20, page, 0, GTF_permit_access | GTF_sub_page);
    e->sub_page.page_off = 100;
    e->sub_page.length = 50;
    strcpy((char *)mfn_to_virt(page) + 100, "part");
    ck_assert_int_eq(map(20, GNTMAP_host_map).status, GNTST_general_error);
    ck_assert_int_eq(copy_from_grant(20, 100, mine, 0, 50).status, GNTST_okay);
    ck_assert_str_eq(mfn_to_virt(mine), "part");
    ck_assert_int_eq(copy_from_grant(20, 99, mine, 0, 50).status, GNTST_general_error);
    ck_assert_int_eq(copy_from_grant(20, 101, mine, 0, 50).status, GNTST_general_error);
    e->sub_page.page_off = 0xFFFF;
    e->sub_page.length = 0xFFFF;
    ck_assert_int_eq(copy_from_grant(20, 0, mine, 0, 1).status, GNTST_general_error);
    assert_unused(20, page);
}
END_TEST

/* Domain 2 passes on to domain 0 what domain 1 granted it. */
START_TEST(transitive_grants_lead_to_the_owner)
{
    struct domain *middle = fake_domains[2];
    mfn_t mine = fake_guest_frame(fake_domains[0]);
    set_version(2, 2);
    offer(9, page, 2, GTF_permit_access | GTF_readonly);
    union grant_entry_v2 *e = offer_v2(middle, 30, page, 0, GTF_transitive);
    e->transitive.trans_domid = 1;
    e->transitive.gref = 9;
    strcpy(mfn_to_virt(page), "passed on");
    struct gnttab_copy op = {.source = {.u.ref = 30, .domid = 2},
                             .dest = {.u.gmfn = mine.value, .domid = DOMID_SELF},
                             .len = 10,
                             .flags = GNTCOPY_source_gref};
    ck_assert_int_eq(gnttab_op(copy, &op, 1), 0);
    ck_assert_int_eq(op.status, GNTST_okay);
    ck_assert_str_eq(mfn_to_virt(mine), "passed on");

    struct gnttab_map_grant_ref m = {.host_addr = ADDRESS, .flags = GNTMAP_host_map, .ref = 30, .dom = 2};
    ck_assert_int_eq(gnttab_op(map_grant_ref, &m, 1), 0);
    ck_assert_int_eq(m.status, GNTST_general_error);

    e->transitive.trans_domid = 2; /* to another transitive entry, itself: no endless chain */
    e->transitive.gref = 30;
    ck_assert_int_eq(gnttab_op(copy, &op, 1), 0);
    ck_assert_int_eq(op.status, GNTST_general_error);
    e->hdr.domid = 2;
    e->transitive.trans_domid = 3;
    ck_assert_int_eq(gnttab_op(copy, &op, 1), 0);
    ck_assert_int_eq(op.status, GNTST_general_error);
    assert_unused(9, page);
    ck_assert_uint_eq(grant_active_of(&middle->grant, 30)->reads, 0);
    ck_assert_int_eq(middle->refs, 3); /* itself, a grant frame, a status frame */
}
END_TEST

int main(void)
{
    Suite *s = suite_create("grant_copy");
    TCase *t = tcase_create("copies");
    tcase_add_checked_fixture(t, grant_setup, fake_teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, copies_in_all_four_ways);
    tcase_add_test(t, copies_that_are_refused);
    tcase_add_test(t, copies_of_a_32bit_caller);
    tcase_add_test(t, sub_pages_are_copied_within_their_bounds);
    tcase_add_test(t, transitive_grants_lead_to_the_owner);
    suite_add_tcase(s, t);
    return run_suite(s);
}
