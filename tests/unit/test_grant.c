/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Grant tables of both versions: every operation, its status codes, and that all counts return to zero. Domain 1
 * grants, domain 0 (or 2) uses.
 */
#include <stdlib.h>
#include "evtgnt_fake.h"
#include "domain/grant_internal.h"

static struct domain *granter;
static mfn_t page;

static struct gnttab_setup_table set_up_table(unsigned dom, unsigned frames, u64 *list)
{
    struct gnttab_setup_table op = {.dom = (domid_t)dom, .nr_frames = frames};
    u64 *guest_list = (u64 *)((char *)fake_guest_memory() + PAGE_SIZE);
    op.frame_list.p = guest_list;
    ck_assert_int_eq(gnttab_op(setup_table, &op, 1), 0);
    if (!op.status)
        memcpy(list, guest_list, frames * sizeof(*list));
    return op;
}

static void set_version(unsigned domid, unsigned version)
{
    struct gnttab_set_version op = {.version = version};
    fake_run(domid, 0);
    ck_assert_int_eq(gnttab_op(set_version, &op, 1), 0);
    ck_assert_uint_eq(op.version, version);
    fake_run(0, 0);
}

static void setup(void)
{
    u64 list[1];
    fake_setup(3);
    granter = fake_domains[1];
    page = fake_guest_frame(granter);
    ck_assert_int_eq(set_up_table(1, 1, list).status, GNTST_okay);
    ck_assert_ptr_eq(mfn_to_virt(mfn_of(list[0])), granter->grant.shared[0]);
}

static struct grant_entry_v1 *offer(unsigned ref, mfn_t mfn, unsigned to, unsigned flags)
{
    struct grant_entry_v1 *e = entry_v1(&granter->grant, ref);
    *e = (struct grant_entry_v1){.frame = (u32)mfn.value, .domid = (domid_t)to, .flags = (u16)flags};
    return e;
}

#define ADDRESS 0x700000UL

static struct gnttab_map_grant_ref map(unsigned ref, unsigned flags)
{
    struct gnttab_map_grant_ref op = {.host_addr = ADDRESS + ref * PAGE_SIZE, .flags = flags, .ref = ref, .dom = 1};
    ck_assert_int_eq(gnttab_op(map_grant_ref, &op, 1), 0);
    return op;
}

static int unmap(const struct gnttab_map_grant_ref *m)
{
    struct gnttab_unmap_grant_ref op = {
        .host_addr = m->flags & GNTMAP_host_map ? m->host_addr : 0,
        .dev_bus_addr = m->flags & GNTMAP_device_map ? m->dev_bus_addr : 0,
        .handle = m->handle,
    };
    ck_assert_int_eq(gnttab_op(unmap_grant_ref, &op, 1), 0);
    return op.status;
}

static void assert_unused(unsigned ref, mfn_t mfn)
{
    const struct grant_active none = {0},
                              *act = ref < granter->grant.recorded ? grant_active_of(&granter->grant, ref) : &none;
    ck_assert_uint_eq(act->reads, 0);
    ck_assert_uint_eq(act->writes, 0);
    ck_assert_uint_eq(*entry_status(&granter->grant, ref) & (GTF_reading | GTF_writing), 0);
    ck_assert_int_eq(fake_frames[mfn.value].refs, 1);
    ck_assert_int_eq(fake_frames[mfn.value].writable, 0);
}

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
    unmaps[3].handle = unmaps[2].handle; /* the same twice in one batch */
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
                         i == 3 ? GNTST_bad_handle : GNTST_okay);
    ck_assert_int_eq(unmap(&maps[3]), GNTST_okay);
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

/* Copies. */

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

/* Version 2. */

static union grant_entry_v2 *offer_v2(struct domain *d, unsigned ref, mfn_t mfn, unsigned to, unsigned flags)
{
    union grant_entry_v2 *e = entry_v2(&d->grant, ref);
    memset(e, 0, sizeof(*e));
    e->full_page.frame = mfn.value;
    e->hdr.domid = (domid_t)to;
    e->hdr.flags = (u16)flags;
    return e;
}

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

START_TEST(pages_change_hands)
{
    mfn_t mine = fake_guest_frame(fake_domains[0]);
    struct grant_entry_v1 *e = offer(9, mfn_of(0), 0, GTF_accept_transfer);
    ck_assert_int_eq(transfer(page, 1, 9), GNTST_bad_page); /* not mine */
    ck_assert_int_eq(transfer(mfn_of(~0UL), 1, 9), GNTST_bad_page);
    ck_assert_int_eq(transfer(mine, 3, 9), GNTST_bad_domain);
    ck_assert_int_eq(transfer(mine, 1, 10), GNTST_general_error);
    ck_assert_int_eq(transfer(mine, 1, 1000), GNTST_general_error);
    ck_assert(page_get(mine, fake_domains[0]));
    ck_assert_int_eq(transfer(mine, 1, 9), GNTST_bad_page); /* in use */
    page_put(mine);
    ck_assert_uint_eq(e->flags, GTF_accept_transfer);
    granter->mm.max_pages = granter->mm.tot_pages;
    fake_domains[0]->mm.max_pages = 0; /* below what it has: it must not lose the page all the same */
    ck_assert_int_eq(transfer(mine, 1, 9), GNTST_general_error); /* no room */
    ck_assert_ptr_eq(fake_frames[mine.value].owner, fake_domains[0]);
    granter->mm.max_pages++;
    ck_assert_int_eq(transfer(mine, 1, 9), GNTST_okay);
    ck_assert_ptr_eq(fake_frames[mine.value].owner, granter);
    ck_assert_uint_eq(e->flags, GTF_accept_transfer | GTF_transfer_committed | GTF_transfer_completed);
    ck_assert_uint_eq(e->frame, mine.value);
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
    Suite *s = suite_create("grant");
    TCase *t = tcase_create("maps"), *copies = tcase_create("copies"), *table = tcase_create("table");
    tcase_add_checked_fixture(t, setup, fake_teardown);
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
    tcase_add_test(t, replacing_moves_an_entry);
    suite_add_tcase(s, t);
    tcase_add_checked_fixture(copies, setup, fake_teardown);
    tcase_add_test(copies, copies_in_all_four_ways);
    tcase_add_test(copies, copies_that_are_refused);
    tcase_add_test(copies, copies_of_a_32bit_caller);
    tcase_add_test(copies, sub_pages_are_copied_within_their_bounds);
    tcase_add_test(copies, transitive_grants_lead_to_the_owner);
    suite_add_tcase(s, copies);
    tcase_add_checked_fixture(table, setup, fake_teardown);
    tcase_add_test(table, version_2_keeps_its_bits_apart);
    tcase_add_test(table, the_reserved_entries_survive_a_change_of_version);
    tcase_add_test(table, a_version_does_not_change_under_a_user);
    tcase_add_test(table, tables_grow_to_their_limit);
    tcase_add_test(table, status_frames_and_frame_numbers);
    tcase_add_test(table, entries_are_swapped_unless_in_use);
    tcase_add_test(table, pages_change_hands);
    tcase_add_test(table, caches_are_flushed_for_owners);
    tcase_add_test(table, bad_calls);
    tcase_add_test(table, no_memory);
    suite_add_tcase(s, table);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
