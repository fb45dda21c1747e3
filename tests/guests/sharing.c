/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Every combination of a grant's kind and the flags it is used with: maps, copies and their undoing, in both versions of
 * the table, with the status each gets and what stands in entry and page table afterwards. Compared with genuine Xen's:
 * drivers decide by these numbers whether a peer is broken or only slow.
 */
#include <stdio.h>
#include <string.h>
#include <abi/errno.h>
#include <abi/grant_table.h>
#include <abi/memory.h>
#include <pv/grant.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include "check.h"

#define REF 300

static char *page, *second, *window;
static struct grant_entry_v1 *v1;
static union grant_entry_v2 *v2;
static bool version2;

static void note(const char *what, unsigned int a, unsigned int b, long value)
{
    static char text[96];

    sprintf(text, "%s, %u, %#x", what, a, b);
    CHECK_SAME(value, text);
}

static long op(unsigned int cmd, void *arg, unsigned int count)
{
    return HYPERVISOR_grant_table_op(cmd, arg, count);
}

static void offer(unsigned int flags, domid_t to, unsigned long frame)
{
    if (version2) {
        memset(&v2[REF], 0, sizeof(v2[REF]));
        v2[REF].full_page.frame = frame;
        v2[REF].hdr.domid = to;
        __atomic_store_n(&v2[REF].hdr.flags, (uint16_t)flags, __ATOMIC_SEQ_CST);
        return;
    }
    v1[REF].flags = 0;
    v1[REF].frame = (uint32_t)frame;
    v1[REF].domid = to;
    __atomic_store_n(&v1[REF].flags, (uint16_t)flags, __ATOMIC_SEQ_CST);
}

static unsigned int entry_flags(void)
{
    return version2 ? v2[REF].hdr.flags : v1[REF].flags;
}

static uint64_t slot_of(const void *address)
{
    return pte_slot(address);
}

/* One number of all that a mapping and its undoing gave: statuses, the entry's flags, the page table's. */
static void try_map(const char *what, unsigned int kind, unsigned int flags, uint64_t where, domid_t dom,
                    grant_ref_t ref)
{
    struct gnttab_map_grant_ref map = {.host_addr = where, .flags = flags, .ref = ref, .dom = dom, .status = 99};
    struct gnttab_unmap_grant_ref unmap = {.host_addr = flags & GNTMAP_host_map ? where : 0};
    long rc = op(GNTTABOP_map_grant_ref, &map, 1);
    pte_t entry = pte_read(window);

    note(what, kind, flags, rc << 8 ^ (map.status & 0xff));
    note("its entry in use", kind, flags, entry_flags());
    if (map.status)
        return;
    note("its page table", kind, flags, (long)((entry & 0xfff) | entry >> 52 << 12));
    unmap.handle = map.handle;
    unmap.dev_bus_addr = flags & GNTMAP_device_map ? map.dev_bus_addr : 0;
    rc = op(GNTTABOP_unmap_grant_ref, &unmap, 1);
    rc = rc << 8 ^ (unmap.status & 0xff) ^ (pte_read(window) != 0);
    op(GNTTABOP_unmap_grant_ref, &unmap, 1);
    note("its end, and ending it twice", kind, flags, rc << 8 ^ (unmap.status & 0xff));
    note("its entry afterwards", kind, flags, entry_flags());
}

static void test_maps(void)
{
    static const unsigned int kinds[] = {0, 1, 2, 3, 5, 9, 0xd, 0x11, 0x19, 0x20 | 1, 0x101, 0x8001, 0x21, 0x41, 0x81};
    uint64_t where = (uint64_t)(unsigned long)window;

    check_group(version2 ? "maps, version 2" : "maps, version 1");
    for (unsigned int k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
        for (unsigned int flags = 0; flags < 64; flags++) {
            offer(kinds[k], pv_domid(), virt_to_mfn(page));
            try_map("map", kinds[k], flags, flags & GNTMAP_contains_pte ? slot_of(window) : where, pv_domid(), REF);
            offer(0, 0, 0);
        }
    for (unsigned int bit = 6; bit < 32; bit++) {
        offer(GTF_permit_access, pv_domid(), virt_to_mfn(page));
        try_map("map with bit", 1, 1U << bit | GNTMAP_host_map, where, pv_domid(), REF);
    }
    offer(GTF_permit_access, 0x7000, virt_to_mfn(page));
    try_map("granted to another", 101, GNTMAP_host_map, where, pv_domid(), REF);
    offer(GTF_permit_access, pv_domid(), virt_to_mfn(page));
    try_map("of another", 102, GNTMAP_host_map, where, 0x7000, REF);
    try_map("of oneself", 103, GNTMAP_host_map, where, DOMID_SELF, REF);
    try_map("of devices", 104, GNTMAP_host_map, where, DOMID_IO, REF);
    try_map("of Xen", 105, GNTMAP_host_map, where, DOMID_XEN, REF);
    try_map("reference too high", 106, GNTMAP_host_map, where, pv_domid(), 0x10000);
    try_map("highest reference", 107, GNTMAP_host_map, where, pv_domid(), 0xffffffff);
    try_map("address off", 108, GNTMAP_host_map, where + 8, pv_domid(), REF);
    try_map("no table there", 109, GNTMAP_host_map, 0x3f000000, pv_domid(), REF);
    try_map("in the hypervisor", 110, GNTMAP_host_map, sizeof(long) == 8 ? 0xffff830000000000ULL : 0xf6000000,
            pv_domid(), REF);
    try_map("entry off", 111, GNTMAP_host_map | GNTMAP_contains_pte, slot_of(window) + 4, pv_domid(), REF);
    try_map("entry in data", 112, GNTMAP_host_map | GNTMAP_contains_pte, (uint64_t)virt_to_mfn(second) << 12,
            pv_domid(), REF);
    try_map("entry nowhere", 113, GNTMAP_host_map | GNTMAP_contains_pte, 1ULL << 50, pv_domid(), REF);
    offer(GTF_permit_access, pv_domid(), ~0UL >> 12);
    try_map("no frame", 114, GNTMAP_host_map, where, pv_domid(), REF);
    offer(GTF_permit_access, pv_domid(), 0xfee00);
    try_map("a device", 115, GNTMAP_host_map, where, pv_domid(), REF);
    offer(GTF_permit_access, pv_domid(), start_info->shared_info >> 12);
    try_map("shared_info", 116, GNTMAP_host_map, where, pv_domid(), REF);
    offer(GTF_permit_access, pv_domid(), pte_mfn(pte_read((void *)(unsigned long)start_info->pt_base)));
    try_map("a page table", 117, GNTMAP_host_map, where, pv_domid(), REF);
    try_map("a page table read-only", 118, GNTMAP_host_map | GNTMAP_readonly, where, pv_domid(), REF);
    offer(0, 0, 0);
}

static void test_unmaps(void)
{
    struct gnttab_map_grant_ref map = {.flags = GNTMAP_host_map, .ref = REF, .dom = pv_domid()};
    struct gnttab_unmap_grant_ref unmap;
    uint64_t where = (uint64_t)(unsigned long)window;
    static const uint32_t handles[] = {0, 1, 5, 0xffff, 0xffffffff, 0x80000000};

    check_group(version2 ? "unmaps, version 2" : "unmaps, version 1");
    for (unsigned int i = 0; i < 6; i++) {
        unmap = (struct gnttab_unmap_grant_ref){.host_addr = where, .handle = handles[i], .status = 99};
        note("unmap of a handle", handles[i], 0, op(GNTTABOP_unmap_grant_ref, &unmap, 1));
        note("status", handles[i], 0, unmap.status);
        struct gnttab_unmap_and_replace replace = {
            .host_addr = where, .new_addr = where, .handle = handles[i], .status = 99};
        note("replace of a handle", handles[i], 0, op(GNTTABOP_unmap_and_replace, &replace, 1));
        note("status", handles[i], 1, replace.status);
    }
    offer(GTF_permit_access, pv_domid(), virt_to_mfn(page));
    map.host_addr = where;
    op(GNTTABOP_map_grant_ref, &map, 1);
    for (unsigned int i = 0; i < 5; i++) {
        static const long offsets[] = {8, PAGE_SIZE, -(long)PAGE_SIZE, 0x3f000000, 4};

        unmap = (struct gnttab_unmap_grant_ref){
            .host_addr = where + (uint64_t)offsets[i], .handle = map.handle, .status = 99};
        op(GNTTABOP_unmap_grant_ref, &unmap, 1);
        note("unmap elsewhere", i, 0, unmap.status);
    }
    unmap =
        (struct gnttab_unmap_grant_ref){.dev_bus_addr = 0x1000, .host_addr = where, .handle = map.handle, .status = 99};
    op(GNTTABOP_unmap_grant_ref, &unmap, 1);
    note("unmap with a bus address of nothing", 0, 0, unmap.status);
    unmap = (struct gnttab_unmap_grant_ref){.handle = map.handle, .status = 99};
    op(GNTTABOP_unmap_grant_ref, &unmap, 1);
    note("unmap of nothing", 0, 0, unmap.status);
    note("still mapped", 0, 0, (long)(pte_read(window) & 0xfff));
    struct gnttab_unmap_and_replace replace = {
        .host_addr = where, .new_addr = 0x3f000000, .handle = map.handle, .status = 99};
    op(GNTTABOP_unmap_and_replace, &replace, 1);
    note("replace by nothing", 0, 0, replace.status);
    HYPERVISOR_update_va_mapping((unsigned long)window, 0, UVMF_INVLPG);
    note("unmapped behind its back", 0, 0, entry_flags());
    unmap = (struct gnttab_unmap_grant_ref){.host_addr = where, .handle = map.handle, .status = 99};
    op(GNTTABOP_unmap_grant_ref, &unmap, 1);
    note("then unmapped", 0, 0, unmap.status);
    note("entry then", 0, 0, entry_flags());
    unmap = (struct gnttab_unmap_grant_ref){.handle = map.handle, .status = 99};
    op(GNTTABOP_unmap_grant_ref, &unmap, 1);
    note("then let go", 0, 0, unmap.status);
    note("entry then", 1, 0, entry_flags());
    offer(0, 0, 0);
}

/* Two mappings of one grant, a writable one with a device's and a read-only one, and all that may be done to them next. */
static uint32_t writable_handle, other_handle;
static bool overwritten; /* then a replacement fails, and there takes the other entry away nevertheless */
static char *other_window;

static uint64_t take_apart(unsigned int number)
{
    uint64_t one = (uint64_t)(unsigned long)window, other = (uint64_t)(unsigned long)other_window;
    uint64_t bus = (uint64_t)virt_to_mfn(page) << 12;
    struct gnttab_unmap_grant_ref unmap[2] = {{.handle = writable_handle, .status = 99}, {.status = 99}};
    struct gnttab_unmap_and_replace replace = {
        .host_addr = one, .new_addr = other, .handle = writable_handle, .status = 99};
    unsigned int count = 1;

    if (number == 5) {
        if (overwritten)
            return 0;
        op(GNTTABOP_unmap_and_replace, &replace, 1);
        return replace.status & 0xff;
    }
    overwritten |= number == 6;
    if (number == 6)
        return (uint64_t)HYPERVISOR_update_va_mapping((unsigned long)window, 0, UVMF_INVLPG) & 0xff;
    unmap[0].host_addr = number == 0 || number == 2 || number == 7 ? one : number == 1 ? 0 : other;
    unmap[0].dev_bus_addr = number == 1 || number == 2 ? bus : 0;
    if (number == 4)
        unmap[0].handle = other_handle;
    if (number == 7) {
        unmap[1] = (struct gnttab_unmap_grant_ref){.dev_bus_addr = bus, .handle = writable_handle, .status = 99};
        count = 2;
    }
    op(GNTTABOP_unmap_grant_ref, unmap, count);
    return (uint64_t)(unmap[0].status & 0xff) << 8 | (unmap[1].status & 0xff);
}

/* A mapping is known by its frame and rights alone: so any entry of those will do to let go of what is left. */
static void take_leftovers(uint32_t handle, unsigned long flags)
{
    struct gnttab_unmap_grant_ref unmap = {.host_addr = (uint64_t)(unsigned long)window,
                                           .dev_bus_addr = (uint64_t)virt_to_mfn(page) << 12,
                                           .handle = handle};

    pte_write(window, pte_make(virt_to_mfn(page), flags));
    op(GNTTABOP_unmap_grant_ref, &unmap, 1);
    unmap.host_addr = 0;
    op(GNTTABOP_unmap_grant_ref, &unmap, 1);
    pte_write(window, 0);
}

static void test_histories(void)
{
    enum { STEPS = 3, KINDS = 8 };
    struct gnttab_map_grant_ref map;

    check_group(version2 ? "histories of mappings, version 2" : "histories of mappings, version 1");
    for (unsigned int number = 0; number < KINDS * KINDS * KINDS; number++) {
        uint64_t seen = 0;

        overwritten = false;
        offer(GTF_permit_access, pv_domid(), virt_to_mfn(page));
        map = (struct gnttab_map_grant_ref){.flags = GNTMAP_host_map | GNTMAP_device_map,
                                            .host_addr = (uint64_t)(unsigned long)window,
                                            .ref = REF,
                                            .dom = pv_domid()};
        op(GNTTABOP_map_grant_ref, &map, 1);
        writable_handle = map.handle;
        map.flags = GNTMAP_host_map | GNTMAP_readonly;
        map.host_addr = (uint64_t)(unsigned long)other_window;
        op(GNTTABOP_map_grant_ref, &map, 1);
        other_handle = map.handle;
        for (unsigned int step = 0, rest = number; step < STEPS; step++, rest /= KINDS) {
            seen = seen * 1000003 + take_apart(rest % KINDS);
            seen = seen * 1000003 + (entry_flags() | (pte_read(window) & 3) << 16 | (pte_read(other_window) & 3) << 20);
        }
        note("history", number, 0, (long)(seen & 0x7fffffff));
        pte_write(other_window, 0);
        take_leftovers(writable_handle, PTE_KERNEL_RW);
        take_leftovers(other_handle, PTE_KERNEL_RO);
        note("history, its end", number, 0, entry_flags());
        offer(0, 0, 0);
    }
}

static void try_copy(const char *what, unsigned int number, struct gnttab_copy copy)
{
    copy.status = 99;
    long rc = op(GNTTABOP_copy, &copy, 1);

    note(what, number, copy.flags, rc << 8 ^ (copy.status & 0xff));
    note("its entry", number, copy.flags, entry_flags());
}

static struct gnttab_copy plain(unsigned int flags, unsigned int from, unsigned int to, unsigned int length)
{
    struct gnttab_copy copy = {.flags = (uint16_t)flags, .len = (uint16_t)length};

    copy.source.domid = copy.dest.domid = DOMID_SELF;
    copy.source.offset = (uint16_t)from;
    copy.dest.offset = (uint16_t)to;
    copy.source.u.gmfn = virt_to_mfn(page);
    copy.dest.u.gmfn = virt_to_mfn(second);
    if (flags & GNTCOPY_source_gref)
        copy.source.u.ref = REF;
    if (flags & GNTCOPY_dest_gref)
        copy.dest.u.ref = REF;
    return copy;
}

static void test_copies(void)
{
    static const unsigned int kinds[] = {0, 1, 2, 5, 9, 0x11, 0x101, 0x21, 0x41, 3};
    static const unsigned int shapes[][3] = {{0, 0, 0},      {0, 0, 4096},
                                             {0, 0, 4097},   {1, 0, 4096},
                                             {0, 1, 4096},   {4095, 4095, 1},
                                             {4096, 0, 0},   {0, 4096, 0},
                                             {4096, 0, 1},   {0xffff, 0, 1},
                                             {0, 0xffff, 1}, {0, 0, 0xffff},
                                             {8, 16, 100},   {0xffff, 0xffff, 0xffff}};
    struct gnttab_copy copy;

    check_group(version2 ? "copies, version 2" : "copies, version 1");
    for (unsigned int i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
        for (unsigned int flags = 0; flags < 4; flags++) {
            offer(GTF_permit_access, pv_domid(), virt_to_mfn(flags == 2 ? second : page));
            try_copy("shape", i, plain(flags, shapes[i][0], shapes[i][1], shapes[i][2]));
        }
    for (unsigned int k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
        for (unsigned int flags = 0; flags < 16; flags++) {
            offer(kinds[k], pv_domid(), virt_to_mfn(page));
            copy = plain(flags, 0, 0, 16);
            try_copy("kind", kinds[k], copy);
        }
    static const domid_t domids[] = {0x7000, DOMID_IO, DOMID_XEN, DOMID_INVALID, 0};
    for (unsigned int i = 0; i < 5; i++)
        for (unsigned int flags = 0; flags < 4; flags++) {
            offer(GTF_permit_access, pv_domid(), virt_to_mfn(page));
            copy = plain(flags, 0, 0, 16);
            copy.source.domid = domids[i];
            try_copy("source of", domids[i], copy);
            copy = plain(flags, 0, 0, 16);
            copy.dest.domid = domids[i];
            try_copy("to", domids[i], copy);
        }
    copy = plain(0, 0, 0, 16);
    copy.source.u.gmfn = ~0UL >> 12;
    try_copy("no frame", 119, copy);
    copy = plain(0, 0, 0, 16);
    copy.dest.u.gmfn = ~0UL >> 12;
    try_copy("to no frame", 120, copy);
    copy = plain(0, 0, 0, 16);
    copy.dest.u.gmfn = pte_mfn(pte_read((void *)(unsigned long)start_info->pt_base));
    try_copy("to a page table", 121, copy);
    copy = plain(GNTCOPY_source_gref, 0, 0, 16);
    copy.source.u.ref = 0x10000;
    try_copy("reference too high", 122, copy);
    offer(0, 0, 0);
}

static void test_transfers(void)
{
    struct gnttab_transfer transfer;
    static const domid_t domids[] = {0x7000, DOMID_IO, DOMID_SELF, 0};

    check_group("transfers");
    for (unsigned int i = 0; i < 4; i++) {
        transfer = (struct gnttab_transfer){.mfn = virt_to_mfn(page), .domid = domids[i], .ref = REF, .status = 99};
        if (domids[i] == pv_domid())
            continue;
        note("to", domids[i], 0, op(GNTTABOP_transfer, &transfer, 1));
        note("status", domids[i], 0, transfer.status);
    }
    transfer = (struct gnttab_transfer){.mfn = ~0UL >> 12, .domid = pv_domid(), .ref = REF, .status = 99};
    note("no frame", 0, 0, op(GNTTABOP_transfer, &transfer, 1));
    note("status", 0, 1, transfer.status);
    transfer = (struct gnttab_transfer){.mfn = virt_to_mfn(page), .domid = pv_domid(), .ref = REF, .status = 99};
    note("to oneself, not accepted", 0, 0, op(GNTTABOP_transfer, &transfer, 1));
    note("status", 0, 2, transfer.status);
}

static long reservation(unsigned int cmd, xen_pfn_t *frame)
{
    struct xen_memory_reservation r = {.nr_extents = 1, .domid = DOMID_SELF};

    set_xen_guest_handle(r.extent_start, frame);
    return HYPERVISOR_memory_op(cmd, &r);
}

static long taken(void)
{
    domid_t self = DOMID_SELF;

    return HYPERVISOR_memory_op(XENMEM_current_reservation, &self);
}

#define PLACE 0x4321

/* A frame that nobody maps, to an entry of this kind: the status, what the entry says then, whose the frame is. */
static void try_gift(const char *what, unsigned int kind, unsigned int flags, domid_t from, domid_t to, grant_ref_t ref)
{
    struct gnttab_transfer transfer = {.domid = to, .ref = ref, .status = 99};
    struct mmuext_op clear = {.cmd = MMUEXT_CLEAR_PAGE};
    long before = taken();
    xen_pfn_t frame = 0;

    if (!CHECK(reservation(XENMEM_increase_reservation, &frame) == 1, "there is a frame to give away"))
        return;
    offer(flags, from, PLACE);
    transfer.mfn = frame;
    note(what, kind, 0, op(GNTTABOP_transfer, &transfer, 1));
    note("status", kind, flags, transfer.status);
    note("its entry", kind, flags, entry_flags());
    note("names the frame", kind, flags, (version2 ? v2[REF].full_page.frame : v1[REF].frame) == frame);
    note("which has the place", kind, flags, ((const unsigned long *)MACH2PHYS_VIRT_START)[frame] == PLACE);
    clear.arg1.mfn = frame;
    note("still ours", kind, flags, HYPERVISOR_mmuext_op(&clear, 1, NULL, DOMID_SELF));
    note("more than before", kind, flags, taken() - before);
    reservation(XENMEM_decrease_reservation, &frame);
    offer(0, 0, 0);
}

static void test_gifts(void)
{
    static char *room;

    check_group(version2 ? "gifts, version 2" : "gifts, version 1");
    if (room == NULL) { /* for the frame that each of these takes first */
        xen_pfn_t frame = virt_to_mfn(room = pages_alloc(1));
        pte_write(room, 0);
        reservation(XENMEM_decrease_reservation, &frame);
    }
    for (unsigned int flags = 0; flags < 16; flags++)
        try_gift("gift to oneself", 1, flags, pv_domid(), pv_domid(), REF);
    try_gift("gift that another may make", 2, GTF_accept_transfer, 0x7000, pv_domid(), REF);
    try_gift("gift to nobody", 3, GTF_accept_transfer, pv_domid(), 0x7000, REF);
    try_gift("gift by another name", 4, GTF_accept_transfer, pv_domid(), DOMID_SELF, REF);
    try_gift("gift to devices", 5, GTF_accept_transfer, pv_domid(), DOMID_IO, REF);
    try_gift("gift to no entry", 6, GTF_accept_transfer, pv_domid(), pv_domid(), 0x10000);
}

static void test_questions(void)
{
    static const domid_t domids[] = {0, 0x7000, DOMID_SELF, DOMID_IO, DOMID_XEN, DOMID_INVALID};

    check_group(version2 ? "questions, version 2" : "questions, version 1");
    for (unsigned int i = 0; i < 6; i++) {
        struct gnttab_query_size size = {.dom = domids[i]};
        struct gnttab_get_version version = {.dom = domids[i], .version = 77};
        xen_pfn_t frames[4] = {0};
        struct gnttab_setup_table setup = {.dom = domids[i], .nr_frames = 1, .status = 99};
        struct gnttab_get_status_frames status = {.dom = domids[i], .nr_frames = 1, .status = 99};
        uint64_t status_frames[4] = {0};

        set_xen_guest_handle(setup.frame_list, frames);
        set_xen_guest_handle(status.frame_list, status_frames);
        note("query_size", domids[i], 0, op(GNTTABOP_query_size, &size, 1));
        note("query_size status", domids[i], size.nr_frames, size.status);
        note("get_version", domids[i], 0, op(GNTTABOP_get_version, &version, 1));
        note("get_version version", domids[i], 0, version.version);
        note("setup_table", domids[i], 0, op(GNTTABOP_setup_table, &setup, 1));
        note("setup_table status", domids[i], frames[0] != 0, setup.status);
        note("get_status_frames", domids[i], 0, op(GNTTABOP_get_status_frames, &status, 1));
        note("get_status_frames status", domids[i], status_frames[0] != 0, status.status);
    }
    struct gnttab_get_status_frames status = {.dom = DOMID_SELF, .nr_frames = 1000, .status = 99};
    note("too many status frames", 0, 0, op(GNTTABOP_get_status_frames, &status, 1));
    note("status", 0, 0, status.status);
    for (unsigned int v = 0; v < 5; v++) {
        struct gnttab_set_version set = {.version = v};

        if (v == 1 || v == 2)
            continue;
        note("set_version", v, 0, op(GNTTABOP_set_version, &set, 1));
        note("set_version gives", v, 0, set.version);
    }
}

static void test_swaps(void)
{
    static const grant_ref_t refs[][2] = {{REF, REF},        {REF, REF + 1}, {REF, 0x10000},
                                          {0xffffffff, REF}, {0, REF},       {1, 2}};

    check_group("swaps");
    for (unsigned int i = 0; i < 6; i++) {
        struct gnttab_swap_grant_ref swap = {.ref_a = refs[i][0], .ref_b = refs[i][1], .status = 99};

        note("swap", i, 0, op(GNTTABOP_swap_grant_ref, &swap, 1));
        note("swap status", i, 0, swap.status);
    }
}

int main(int argc, char **argv)
{
    struct gnttab_query_size size = {.dom = DOMID_SELF};
    struct gnttab_setup_table setup = {.dom = DOMID_SELF, .nr_frames = 2};
    struct gnttab_set_version set = {.version = 2};
    xen_pfn_t frames[4];

    CHECK_EQ(op(GNTTABOP_query_size, &size, 1), 0, "the table's size can be asked for");
    page = pages_alloc(1);
    second = pages_alloc(1);
    window = pages_alloc(1);
    other_window = pages_alloc(1);
    set_xen_guest_handle(setup.frame_list, frames);
    CHECK_EQ(op(GNTTABOP_setup_table, &setup, 1), 0, "a table of two frames");
    v1 = map_frames(frames, 2, DOMID_SELF, PTE_KERNEL_RW, NULL);
    CHECK(v1 != NULL, "can be mapped");
    HYPERVISOR_update_va_mapping((unsigned long)window, 0, UVMF_INVLPG);
    HYPERVISOR_update_va_mapping((unsigned long)other_window, 0, UVMF_INVLPG);
    test_questions();
    test_maps();
    test_unmaps();
    test_histories();
    test_copies();
    test_transfers();
    test_gifts();
    test_swaps();
    note("version 2", 0, 0, op(GNTTABOP_set_version, &set, 1));
    note("version 2", 0, 0, set.version);
    version2 = set.version == 2;
    if (version2) {
        v2 = (void *)v1;
        test_questions();
        test_maps();
        test_unmaps();
        test_histories();
        test_copies();
        test_swaps();
    }
    return check_summary("sharing") != 0;
}
