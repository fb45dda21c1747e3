/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The beginnings of grant_fixture.h. Each use is a whole hypercall, and what is left of it is asked of every count.
 */
#include "grant_fixture.h"

struct domain *granter;
mfn_t page;

struct gnttab_setup_table set_up_table(unsigned dom, unsigned frames, u64 *list)
{
    struct gnttab_setup_table op = {.dom = (domid_t)dom, .nr_frames = frames};
    u64 *guest_list = (u64 *)((char *)fake_guest_memory() + PAGE_SIZE);
    op.frame_list.p = guest_list;
    ck_assert_int_eq(gnttab_op(setup_table, &op, 1), 0);
    if (!op.status)
        memcpy(list, guest_list, frames * sizeof(*list));
    return op;
}

void set_version(unsigned domid, unsigned version)
{
    struct gnttab_set_version op = {.version = version};
    fake_run(domid, 0);
    ck_assert_int_eq(gnttab_op(set_version, &op, 1), 0);
    ck_assert_uint_eq(op.version, version);
    fake_run(0, 0);
}

void grant_setup(void)
{
    u64 list[1];
    fake_setup(3);
    granter = fake_domains[1];
    page = fake_guest_frame(granter);
    ck_assert_int_eq(set_up_table(1, 1, list).status, GNTST_okay);
    ck_assert_ptr_eq(mfn_to_virt(mfn_of(list[0])), granter->grant.shared[0]);
}

struct grant_entry_v1 *offer(unsigned ref, mfn_t mfn, unsigned to, unsigned flags)
{
    struct grant_entry_v1 *e = entry_v1(&granter->grant, ref);
    *e = (struct grant_entry_v1){.frame = (u32)mfn.value, .domid = (domid_t)to, .flags = (u16)flags};
    return e;
}

struct gnttab_map_grant_ref map(unsigned ref, unsigned flags)
{
    struct gnttab_map_grant_ref op = {.host_addr = ADDRESS + ref * PAGE_SIZE, .flags = flags, .ref = ref, .dom = 1};
    ck_assert_int_eq(gnttab_op(map_grant_ref, &op, 1), 0);
    return op;
}

int unmap(const struct gnttab_map_grant_ref *m)
{
    struct gnttab_unmap_grant_ref op = {
        .host_addr = m->flags & GNTMAP_host_map ? m->host_addr : 0,
        .dev_bus_addr = m->flags & GNTMAP_device_map ? m->dev_bus_addr : 0,
        .handle = m->handle,
    };
    ck_assert_int_eq(gnttab_op(unmap_grant_ref, &op, 1), 0);
    return op.status;
}

void assert_unused(unsigned ref, mfn_t mfn)
{
    const struct grant_active none = {0},
                              *act = ref < granter->grant.recorded ? grant_active_of(&granter->grant, ref) : &none;
    ck_assert_uint_eq(act->reads, 0);
    ck_assert_uint_eq(act->writes, 0);
    ck_assert_uint_eq(*entry_status(&granter->grant, ref) & (GTF_reading | GTF_writing), 0);
    ck_assert_int_eq(fake_frames[mfn.value].refs, 1);
    ck_assert_int_eq(fake_frames[mfn.value].writable, 0);
}

union grant_entry_v2 *offer_v2(struct domain *d, unsigned ref, mfn_t mfn, unsigned to, unsigned flags)
{
    union grant_entry_v2 *e = entry_v2(&d->grant, ref);
    memset(e, 0, sizeof(*e));
    e->full_page.frame = mfn.value;
    e->hdr.domid = (domid_t)to;
    e->hdr.flags = (u16)flags;
    return e;
}
