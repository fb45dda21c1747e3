/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Granted frames that are mapped: what the granter is told, who is refused, and that all counts return to zero.
 */
#include "grant_fixture.h"
#include "tests/unit/run_suite.h"

START_TEST(map_and_unmap_tell_the_granter)
{
    struct grant_entry_v1 *e = offer(9, page, 0, GTF_permit_access);
    struct gnttab_map_grant_ref m = map(9, GNTMAP_host_map);
    ck_assert_int_eq(m.status, GNTST_okay);
    ck_assert_uint_eq(m.dev_bus_addr, page.value << PAGE_SHIFT);
    ck_assert_uint_eq(e->flags, GTF_permit_access | GTF_reading | GTF_writing);
    ck_assert_int_eq(fake_frames[page.value].refs, 2);
    ck_assert_int_eq(fake_frames[page.value].writable, 1);
    ck_assert_uint_eq(fake_host_mappings(page), 1);
    ck_assert_int_eq(unmap(&m), GNTST_okay);
    ck_assert_uint_eq(e->flags, GTF_permit_access);
    ck_assert_uint_eq(fake_host_mappings(page), 0);
    assert_unused(9, page);
    ck_assert_int_eq(unmap(&m), GNTST_bad_handle);
    ck_assert_uint_eq(fake_domains[0]->grant.maps_of_others, 0);
}
END_TEST

START_TEST(readers_and_a_writer_share_an_entry)
{
    struct grant_entry_v1 *e = offer(9, page, 0, GTF_permit_access);
    struct gnttab_map_grant_ref r = map(9, GNTMAP_host_map | GNTMAP_readonly), w, both;
    ck_assert_uint_eq(e->flags, GTF_permit_access | GTF_reading);
    ck_assert_int_eq(fake_frames[page.value].writable, 0);
    w = map(9, GNTMAP_host_map);
    ck_assert_uint_eq(e->flags, GTF_permit_access | GTF_reading | GTF_writing);
    both = map(9, GNTMAP_host_map | GNTMAP_device_map | GNTMAP_readonly);
    ck_assert_int_eq(fake_frames[page.value].refs, 5);
    ck_assert_int_eq(unmap(&w), GNTST_okay);
    ck_assert_uint_eq(e->flags, GTF_permit_access | GTF_reading);
    ck_assert_int_eq(unmap(&r), GNTST_okay);
    ck_assert_uint_eq(e->flags, GTF_permit_access | GTF_reading);
    ck_assert_int_eq(unmap(&both), GNTST_okay);
    assert_unused(9, page);
}
END_TEST

START_TEST(the_kinds_of_a_mapping_go_one_by_one)
{
    offer(9, page, 0, GTF_permit_access);
    struct gnttab_map_grant_ref m = map(9, GNTMAP_host_map | GNTMAP_device_map), part = m;
    ck_assert_int_eq(fake_frames[page.value].refs, 3);
    part.flags = 0; /* names neither: nothing happens */
    ck_assert_int_eq(unmap(&part), GNTST_okay);
    part.flags = GNTMAP_device_map;
    part.dev_bus_addr += PAGE_SIZE;
    ck_assert_int_eq(unmap(&part), GNTST_bad_dev_addr);
    part.dev_bus_addr -= PAGE_SIZE;
    ck_assert_int_eq(unmap(&part), GNTST_okay);
    ck_assert_int_eq(fake_frames[page.value].refs, 2);
    part.flags = GNTMAP_host_map;
    ck_assert_int_eq(unmap(&part), GNTST_okay);
    ck_assert_int_eq(unmap(&part), GNTST_bad_handle);
    assert_unused(9, page);
}
END_TEST

START_TEST(what_an_entry_must_say)
{
    struct gnttab_map_grant_ref op = {.host_addr = ADDRESS, .flags = GNTMAP_host_map, .ref = 9, .dom = 3};
    offer(9, page, 2, GTF_permit_access);
    ck_assert_int_eq(map(9, GNTMAP_host_map).status, GNTST_general_error); /* offered to another */
    offer(9, page, 0, GTF_permit_access | GTF_readonly);
    ck_assert_int_eq(map(9, GNTMAP_host_map).status, GNTST_general_error);
    struct gnttab_map_grant_ref m = map(9, GNTMAP_host_map | GNTMAP_readonly);
    ck_assert_int_eq(m.status, GNTST_okay);
    ck_assert_int_eq(map(9, GNTMAP_host_map).status, GNTST_general_error); /* still read-only */
    ck_assert_int_eq(unmap(&m), GNTST_okay);
    assert_unused(9, page);
    offer(9, page, 0, GTF_invalid);
    ck_assert_int_eq(map(9, GNTMAP_host_map).status, GNTST_general_error);
    offer(9, page, 0, GTF_accept_transfer);
    ck_assert_int_eq(map(9, GNTMAP_host_map).status, GNTST_general_error);
    offer(9, page, 0, GTF_permit_access);
    ck_assert_int_eq(map(9, 0).status, GNTST_bad_gntref); /* maps nothing */
    ck_assert_int_eq(map(512, GNTMAP_host_map).status, GNTST_bad_gntref);
    ck_assert_int_eq(map(0xFFFFFFFF, GNTMAP_host_map).status, GNTST_bad_gntref);
    ck_assert_int_eq(gnttab_op(map_grant_ref, &op, 1), 0);
    ck_assert_int_eq(op.status, GNTST_bad_domain);
    ck_assert_uint_eq(fake_domains[0]->grant.maps_of_others, 0);
}
END_TEST

START_TEST(what_a_granted_frame_must_be)
{
    mfn_t ours = fake_guest_frame(fake_domains[0]);
    offer(9, ours, 0, GTF_permit_access); /* not the granter's */
    ck_assert_int_eq(map(9, GNTMAP_host_map).status, GNTST_bad_page);
    offer(9, mfn_of(0xFFFFFFF0), 0, GTF_permit_access);
    ck_assert_int_eq(map(9, GNTMAP_host_map).status, GNTST_bad_page);
    fake_frames[page.value].is_table = true;
    offer(9, page, 0, GTF_permit_access);
    ck_assert_int_eq(map(9, GNTMAP_host_map).status, GNTST_general_error);
    ck_assert_int_eq(map(9, GNTMAP_device_map).status, GNTST_general_error);
    assert_unused(9, page);
    struct gnttab_map_grant_ref m = map(9, GNTMAP_host_map | GNTMAP_readonly); /* page tables may be read */
    ck_assert_int_eq(m.status, GNTST_okay);
    ck_assert_int_eq(unmap(&m), GNTST_okay);
    assert_unused(9, page);
}
END_TEST

START_TEST(a_page_table_that_refuses_undoes_everything)
{
    offer(9, page, 0, GTF_permit_access);
    fake_map_host_status = GNTST_general_error;
    ck_assert_int_eq(map(9, GNTMAP_host_map | GNTMAP_device_map).status, GNTST_general_error);
    assert_unused(9, page);
    fake_map_host_status = 0;
    struct gnttab_map_grant_ref m = map(9, GNTMAP_host_map);
    fake_unmap_host_status = GNTST_bad_virt_addr;
    ck_assert_int_eq(unmap(&m), GNTST_bad_virt_addr);
    ck_assert_int_eq(fake_frames[page.value].refs, 2);
    fake_unmap_host_status = 0;
    ck_assert_int_eq(unmap(&m), GNTST_okay);
    assert_unused(9, page);
}
END_TEST

static void granter_still_sees_the_use(void)
{
    ck_assert_uint_eq(entry_v1(&granter->grant, 9)->flags & (GTF_reading | GTF_writing), GTF_reading | GTF_writing);
    ck_assert_int_eq(fake_frames[page.value].refs, 2);
}

/* Told too early, the granter would reuse a page that a CPU can still write through its TLB. */
START_TEST(the_tlb_is_flushed_before_the_granter_is_told)
{
    offer(9, page, 0, GTF_permit_access);
    struct gnttab_map_grant_ref m = map(9, GNTMAP_host_map);
    unsigned before = fake_flushes;
    fake_at_flush = granter_still_sees_the_use;
    ck_assert_int_eq(unmap(&m), GNTST_okay);
    ck_assert_uint_eq(fake_flushes, before + 1);
    assert_unused(9, page);
}
END_TEST

START_TEST(a_batch_is_flushed_once_and_can_be_interrupted)
{
    struct gnttab_map_grant_ref maps[40] = {0};
    struct gnttab_unmap_grant_ref unmaps[40] = {0};
    long result;
    for (unsigned i = 0; i < 40; i++) {
        offer(10 + i, page, 0, GTF_permit_access);
        maps[i] = (struct gnttab_map_grant_ref){
            .host_addr = ADDRESS + i * PAGE_SIZE, .flags = GNTMAP_host_map, .ref = 10 + i, .dom = 1};
    }
    ck_assert_int_eq(gnttab_op(map_grant_ref, maps, 40), 0);
    for (unsigned i = 0; i < 40; i++) {
        ck_assert_int_eq(maps[i].status, 0);
        unmaps[i] = (struct gnttab_unmap_grant_ref){.host_addr = maps[i].host_addr, .handle = maps[i].handle};
    }
    unmaps[35].handle = unmaps[34].handle; /* the same twice: the second is looked at when the first is gone */
    fake_cpu.softirq_pending = 1;
    unsigned before = fake_flushes;
    result = gnttab_op(unmap_grant_ref, unmaps, 40);
    ck_assert_int_eq(result, __HYPERVISOR_grant_table_op);
    ck_assert_uint_eq(fake_flushes, before + 1);
    ck_assert_uint_eq(fake_cpu.regs.rdx, 8);
    ck_assert_uint_eq(fake_cpu.regs.rsi, (unsigned long)fake_guest_memory() + 32 * sizeof(unmaps[0]));
    fake_cpu.softirq_pending = 0;
    ck_assert_int_eq(do_grant_table_op(fake_cpu.regs.rdi, fake_cpu.regs.rsi, fake_cpu.regs.rdx), 0);
    for (unsigned i = 0; i < 40; i++)
        ck_assert_int_eq(((struct gnttab_unmap_grant_ref *)fake_guest_memory())[i].status,
                         i == 35 ? GNTST_bad_handle : GNTST_okay);
    ck_assert_int_eq(unmap(&maps[35]), GNTST_okay);
    ck_assert_int_eq(fake_frames[page.value].refs, 1);

    fake_cpu.softirq_pending = 1;
    ck_assert_int_eq(gnttab_op(map_grant_ref, maps, 3), __HYPERVISOR_grant_table_op);
    ck_assert_uint_eq(fake_cpu.regs.rdx, 2);
    fake_cpu.softirq_pending = 0;
    memcpy(maps, fake_guest_memory(), sizeof(maps[0]));
    ck_assert_int_eq(unmap(&maps[0]), GNTST_okay);
}
END_TEST

START_TEST(handles_have_a_limit)
{
    struct gnttab_map_grant_ref first, m;
    unsigned count = 1;
    fake_domains[0]->grant.max_maptrack_frames = 2;
    offer(9, page, 0, GTF_permit_access);
    first = map(9, GNTMAP_device_map);
    while ((m = map(9, GNTMAP_device_map)).status == GNTST_okay)
        count++;
    ck_assert_int_eq(m.status, GNTST_no_device_space);
    ck_assert_uint_eq(count, 2 * HANDLES_PER_PAGE);
    ck_assert_int_eq(unmap(&first), GNTST_okay);
    m = map(9, GNTMAP_device_map);
    ck_assert_int_eq(m.status, GNTST_okay);
    ck_assert_uint_eq(m.handle, first.handle);
    for (unsigned handle = 0; handle < count; handle++) {
        m.handle = handle;
        ck_assert_int_eq(unmap(&m), GNTST_okay);
    }
    m.handle = count;
    ck_assert_int_eq(unmap(&m), GNTST_bad_handle);
    m.handle = 0xFFFFFFFF;
    ck_assert_int_eq(unmap(&m), GNTST_bad_handle);
    assert_unused(9, page);
}
END_TEST

START_TEST(uses_of_one_entry_have_a_limit)
{
    struct grant_use use;
    offer(9, page, 0, GTF_permit_access);
    unsigned count = 0;
    while (!grant_use(granter, 9, 0, count % 2, true, 1, &use))
        count++;
    ck_assert_uint_eq(count, MAX_USES);
    for (unsigned i = 0; i < count; i++)
        grant_unuse(granter, 9, i % 2, 1);
    assert_unused(9, page);
}
END_TEST

START_TEST(while_in_use_the_entry_is_ours)
{
    struct grant_entry_v1 *e = offer(9, page, 0, GTF_permit_access);
    mfn_t other = fake_guest_frame(granter);
    struct gnttab_map_grant_ref m = map(9, GNTMAP_host_map), n;
    e->frame = (u32)other.value;
    e->flags = 0;
    n = map(9, GNTMAP_host_map);
    ck_assert_int_eq(n.status, GNTST_okay);
    ck_assert_uint_eq(n.dev_bus_addr, m.dev_bus_addr); /* the page of the first use */
    ck_assert_int_eq(unmap(&n), GNTST_okay);
    ck_assert_int_eq(unmap(&m), GNTST_okay);
    ck_assert_uint_eq(e->flags, 0);
    ck_assert_int_eq(fake_frames[page.value].refs, 1);
    ck_assert_int_eq(fake_frames[other.value].refs, 1);
}
END_TEST

START_TEST(another_user_is_refused_while_in_use)
{
    struct grant_entry_v1 *e = offer(9, page, 0, GTF_permit_access);
    struct gnttab_map_grant_ref m = map(9, GNTMAP_host_map | GNTMAP_readonly);
    e->domid = 2;
    fake_run(2, 0);
    ck_assert_int_eq(map(9, GNTMAP_host_map | GNTMAP_readonly).status, GNTST_general_error);
    fake_run(0, 0);
    ck_assert_int_eq(unmap(&m), GNTST_okay);
}
END_TEST

START_TEST(one_may_map_ones_own)
{
    offer(9, page, 1, GTF_permit_access);
    fake_run(1, 0);
    struct gnttab_map_grant_ref m = map(9, GNTMAP_host_map);
    ck_assert_int_eq(m.status, GNTST_okay);
    ck_assert_int_eq(unmap(&m), GNTST_okay);
    assert_unused(9, page);
    struct gnttab_map_grant_ref self = {.host_addr = ADDRESS, .flags = GNTMAP_host_map, .ref = 9, .dom = DOMID_SELF};
    ck_assert_int_eq(gnttab_op(map_grant_ref, &self, 1), 0);
    ck_assert_int_eq(self.status, GNTST_bad_domain); /* a mapping names its granter by number */
}
END_TEST

/* The granter dies first: its record must stay until the mapping goes, and no new mapping be made. */
START_TEST(the_granter_dies_while_mapped)
{
    offer(9, page, 0, GTF_permit_access);
    struct gnttab_map_grant_ref m = map(9, GNTMAP_host_map);
    fake_kill(granter);
    ck_assert_ptr_eq(fake_domains[1], granter);
    ck_assert_int_eq(map(9, GNTMAP_host_map).status, GNTST_bad_gntref);
    fake_frames[page.value].allocated = false; /* its memory goes, but for the reference of the mapping */
    fake_frames[page.value].refs--;
    ck_assert_int_eq(unmap(&m), GNTST_okay);
    ck_assert_ptr_null(fake_domains[1]);
    ck_assert_int_eq(fake_frames[page.value].refs, 0);
}
END_TEST

START_TEST(the_mapper_dies)
{
    struct gnttab_map_grant_ref m;
    offer(9, page, 2, GTF_permit_access);
    fake_run(2, 0);
    for (unsigned i = 0; i < 200; i++)
        ck_assert_int_eq(map(9, GNTMAP_device_map | (i % 2 ? GNTMAP_readonly : 0)).status, GNTST_okay);
    m = map(9, GNTMAP_host_map);
    fake_run(0, 0);
    fake_cpu.softirq_pending = 1;
    ck_assert_int_eq(grant_release_mappings(fake_domains[2]), -ERESTART);
    fake_cpu.softirq_pending = 0;
    fake_kill(fake_domains[2]);
    ck_assert_ptr_null(fake_domains[2]);
    ck_assert_uint_eq(entry_v1(&granter->grant, 9)->flags, GTF_permit_access);
    page_put_and_type(page); /* the host mapping's, which went with its page table */
    assert_unused(9, page);
    ck_assert_int_eq(m.status, GNTST_okay);
}
END_TEST

/* A page that a dying domain could write counts as written by every report, until its grant is unused again. Its page
 * tables go later: a report in between, perhaps the last one of a migration, would not name what was written before. */
START_TEST(what_a_dead_mapper_wrote_is_in_the_log)
{
    offer(9, page, 2, GTF_permit_access);
    fake_run(2, 0);
    ck_assert_int_eq(map(9, GNTMAP_host_map | (_i ? GNTMAP_readonly : 0)).status, GNTST_okay);
    fake_run(0, 0);
    logging_domains = 1;
    while (grant_release_mappings(fake_domains[2]) == -ERESTART)
        ;
    ck_assert_uint_eq(fake_written_count, _i ? 0 : 1);
    logging_domains = 0;
    fake_kill(fake_domains[2]);
    if (_i)
        page_put(page); /* the host mapping's, which went with its page table */
    else
        page_put_and_type(page);
}
END_TEST

START_TEST(replacing_moves_an_entry)
{
    struct gnttab_unmap_and_replace op;
    offer(9, page, 0, GTF_permit_access);
    struct gnttab_map_grant_ref m = map(9, GNTMAP_host_map);
    op = (struct gnttab_unmap_and_replace){.host_addr = m.host_addr, .new_addr = ADDRESS, .handle = m.handle};
    ck_assert_int_eq(gnttab_op(unmap_and_replace, &op, 1), 0);
    ck_assert_int_eq(op.status, GNTST_okay);
    assert_unused(9, page);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("grant");
    TCase *t = tcase_create("maps");
    tcase_add_checked_fixture(t, grant_setup, fake_teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, map_and_unmap_tell_the_granter);
    tcase_add_test(t, readers_and_a_writer_share_an_entry);
    tcase_add_test(t, the_kinds_of_a_mapping_go_one_by_one);
    tcase_add_test(t, what_an_entry_must_say);
    tcase_add_test(t, what_a_granted_frame_must_be);
    tcase_add_test(t, a_page_table_that_refuses_undoes_everything);
    tcase_add_test(t, the_tlb_is_flushed_before_the_granter_is_told);
    tcase_add_test(t, a_batch_is_flushed_once_and_can_be_interrupted);
    tcase_add_test(t, handles_have_a_limit);
    tcase_add_test(t, uses_of_one_entry_have_a_limit);
    tcase_add_test(t, while_in_use_the_entry_is_ours);
    tcase_add_test(t, another_user_is_refused_while_in_use);
    tcase_add_test(t, one_may_map_ones_own);
    tcase_add_test(t, the_granter_dies_while_mapped);
    tcase_add_test(t, the_mapper_dies);
    tcase_add_loop_test(t, what_a_dead_mapper_wrote_is_in_the_log, 0, 2);
    tcase_add_test(t, replacing_moves_an_entry);
    suite_add_tcase(s, t);
    return run_suite(s);
}
