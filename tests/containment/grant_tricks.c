/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Grants misused by one vCPU: mappings that are moved onto themselves, pages that are granted and page tables at once,
 * handles given back wrongly, counts that are to wrap, versions that change under a mapping. A guest that grants to
 * itself is granter and mapper, so that every count is within its reach.
 */
#include <stdio.h>
#include <string.h>
#include <abi/errno.h>
#include <abi/memory.h>
#include <pv/grant.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/smp.h>
#include <pv/traps.h>
#include "../../guest-pv/core/internal.h"
#include "../guests/check.h"

static struct grant_entry_v1 *table;
static unsigned int entries;

static int16_t map(domid_t dom, grant_ref_t gref, uint32_t flags, uint64_t at, struct gnttab_map_grant_ref *op)
{
    *op = (struct gnttab_map_grant_ref){.host_addr = at, .flags = flags, .ref = gref, .dom = dom};
    return HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, op, 1) != 0 ? -99 : op->status;
}

static int16_t unmap(uint64_t at, uint64_t bus, grant_handle_t handle)
{
    struct gnttab_unmap_grant_ref op = {.host_addr = at, .dev_bus_addr = bus, .handle = handle};

    return HYPERVISOR_grant_table_op(GNTTABOP_unmap_grant_ref, &op, 1) != 0 ? -99 : op.status;
}

static int16_t replace(void *at, void *by, grant_handle_t handle)
{
    struct gnttab_unmap_and_replace op = {
        .host_addr = (unsigned long)at, .new_addr = (unsigned long)by, .handle = handle};

    return HYPERVISOR_grant_table_op(GNTTABOP_unmap_and_replace, &op, 1) != 0 ? -99 : op.status;
}

static long pin(unsigned int cmd, const void *page)
{
    struct mmuext_op op = {.cmd = cmd, .arg1.mfn = virt_to_mfn(page)};

    return HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

static char *window(void)
{
    char *at = vspace_alloc(1);

    tables_build((unsigned long)at, 1);
    pte_write(at, 0);
    return at;
}

/* True when nobody can write the page any more: only then does it become a page table. */
static bool becomes_table(void *page)
{
    bool table_now;

    memset(page, 0, PAGE_SIZE);
    pages_protect(page, 1, false);
    table_now = pin(MMUEXT_PIN_L1_TABLE, page) == 0;
    if (table_now)
        pin(MMUEXT_UNPIN_TABLE, page);
    pages_protect(page, 1, true);
    return table_now;
}

static void test_replace_by_itself(void)
{
    char *page = pages_alloc(1), *at = window(), *alias;
    int gref = grant_access(pv_domid(), virt_to_mfn(page), false);
    struct gnttab_map_grant_ref op;
    xen_pfn_t frame;
    int16_t status;

    check_group("a mapping replaced by itself");
    CHECK_EQ(map(pv_domid(), (grant_ref_t)gref, GNTMAP_host_map, (unsigned long)at, &op), GNTST_okay, "a mapped grant");
    status = replace(at, at, op.handle);
    CHECK(
        status != GNTST_okay || !probe_write(at, 1),
        "an entry moved onto itself must not stay when its references go: the page would be freed while still mapped");
    if (status != GNTST_okay)
        CHECK_EQ(unmap((unsigned long)at, 0, op.handle), GNTST_okay, "a refused replacement leaves a proper mapping");
    CHECK(becomes_table(page), "no writable reference is left, so the page may become a page table");
    CHECK(!probe_write(at, 1), "and nobody writes to it through the old address");
    CHECK_EQ(grant_end_access((grant_ref_t)gref), 0, "the grant is not in use any more");

    gref = grant_access(pv_domid(), virt_to_mfn(page), false);
    CHECK_EQ(map(pv_domid(), (grant_ref_t)gref, GNTMAP_host_map, (unsigned long)at, &op), GNTST_okay, "mapped again");
    frame = (xen_pfn_t)virt_to_mfn(page);
    alias = map_frames(&frame, 1, DOMID_SELF, PTE_KERNEL_RW, NULL);
    CHECK_EQ(replace(at, alias, op.handle), GNTST_okay, "an own mapping of the same page may take its place");
    CHECK(probe_write(at, 5) && !probe_write(alias, 5), "it is here now, and no more there");
    CHECK(!becomes_table(page), "and still counts as writable");
    pte_write(at, 0);
    CHECK(becomes_table(page), "until it is gone");
    CHECK_EQ(grant_end_access((grant_ref_t)gref), 0, "the grant is free");
}

static void test_table_and_grant(void)
{
    char *page = pages_alloc(1), *at = window();
    int gref = grant_access(pv_domid(), virt_to_mfn(page), false);
    struct gnttab_map_grant_ref op;

    check_group("granted page and page table");
    memset(page, 0, PAGE_SIZE);
    CHECK_EQ(map(pv_domid(), (grant_ref_t)gref, GNTMAP_host_map, (unsigned long)at, &op), GNTST_okay,
             "a page mapped writable by a grant");
    pages_protect(page, 1, false);
    CHECK(pin(MMUEXT_PIN_L1_TABLE, page) != 0, "cannot become a page table: its mapper could write any entry");
    CHECK_EQ(unmap((unsigned long)at, 0, op.handle), GNTST_okay, "without that mapping");
    CHECK_EQ(pin(MMUEXT_PIN_L1_TABLE, page), 0, "it can");
    CHECK(map(pv_domid(), (grant_ref_t)gref, GNTMAP_host_map, (unsigned long)at, &op) != GNTST_okay,
          "a page table cannot be mapped writable by a grant");
    CHECK(map(pv_domid(), (grant_ref_t)gref, GNTMAP_device_map, 0, &op) != GNTST_okay, "nor for a device");
    CHECK_EQ(map(pv_domid(), (grant_ref_t)gref, GNTMAP_host_map | GNTMAP_readonly, (unsigned long)at, &op), GNTST_okay,
             "read-only it can, as any mapping can");
    CHECK(!probe_write(at, virt_to_mfn(page) << PAGE_SHIFT | 3),
          "a write there is a change of the table, and refused like any other: here a writable mapping of the table");
    CHECK_EQ(unmap((unsigned long)at, 0, op.handle), GNTST_okay, "it goes");
    pin(MMUEXT_UNPIN_TABLE, page);
    pages_protect(page, 1, true);
    CHECK_EQ(grant_end_access((grant_ref_t)gref), 0, "the grant is free");
}

/* A level-1 table of ours that no address uses. */
static uint64_t spare_table(char *table_page)
{
    memset(table_page, 0, PAGE_SIZE);
    pages_protect(table_page, 1, false);
    pin(MMUEXT_PIN_L1_TABLE, table_page);
    return (uint64_t)virt_to_mfn(table_page) << PAGE_SHIFT;
}

static void test_contains_pte(void)
{
    enum { FLAGS = GNTMAP_host_map | GNTMAP_contains_pte };
    char *page = pages_alloc(1), *table_page = pages_alloc(1);
    uint64_t l2 = start_info->pt_base ? (uint64_t)virt_to_mfn((void *)(unsigned long)start_info->pt_base) << 12 : 0;
    int gref = grant_access(pv_domid(), virt_to_mfn(page), false);
    uint64_t plain = (uint64_t)virt_to_mfn(page) << PAGE_SHIFT, at;
    struct gnttab_map_grant_ref op;

    check_group("mapping by the address of the entry");
    CHECK(map(pv_domid(), (grant_ref_t)gref, FLAGS, plain, &op) != GNTST_okay,
          "a page that is no table has no entries");
    CHECK(map(pv_domid(), (grant_ref_t)gref, FLAGS, l2, &op) != GNTST_okay,
          "an entry of a higher level would make the page a page table");
    CHECK(map(pv_domid(), (grant_ref_t)gref, FLAGS, ~7ULL, &op) != GNTST_okay, "an address past all memory");
    CHECK(map(pv_domid(), (grant_ref_t)gref, FLAGS, 0x100000, &op) != GNTST_okay, "one of the hypervisor's own frames");
    at = spare_table(table_page);
    CHECK(map(pv_domid(), (grant_ref_t)gref, FLAGS, at + 4, &op) != GNTST_okay, "half an entry and half the next");
    CHECK_EQ(map(pv_domid(), (grant_ref_t)gref, FLAGS, at + 8, &op), GNTST_okay, "an entry of a level-1 table");
    CHECK(unmap(at + 16, 0, op.handle) != GNTST_okay, "is not unmapped by another entry's address");
    CHECK(replace((void *)(unsigned long)(at + 8), page, op.handle) != GNTST_okay, "nor replaced");
    CHECK_EQ(pin(MMUEXT_UNPIN_TABLE, table_page), 0, "the table ends while the grant is mapped in it");
    pages_protect(table_page, 1, true);
    CHECK(unmap(at + 8, 0, op.handle) != GNTST_okay,
          "then its page is no table any more, and nothing is written to it");
    CHECK(becomes_table(page), "the mapping's references went with the table, once");
    pages_protect(page, 1, true);
}

static void test_wrong_unmaps(void)
{
    char *page = pages_alloc(1), *at = window();
    int gref = grant_access(pv_domid(), virt_to_mfn(page), false);
    uint64_t bus = (uint64_t)virt_to_mfn(page) << PAGE_SHIFT;
    struct gnttab_map_grant_ref op;

    check_group("unmapping what is not mapped so");
    CHECK_EQ(map(pv_domid(), (grant_ref_t)gref, GNTMAP_host_map | GNTMAP_device_map, (unsigned long)at, &op),
             GNTST_okay, "a grant mapped for the CPU and for devices");
    CHECK_EQ(unmap((unsigned long)at, bus + PAGE_SIZE, op.handle), GNTST_bad_dev_addr,
             "a wrong device address is refused before anything is undone");
    CHECK(probe_write(at, 1), "so the mapping is still there");
    CHECK_EQ(unmap((unsigned long)page, 0, op.handle), GNTST_okay,
             "another writable mapping of the page may go instead: references are counted, not named");
    CHECK_EQ(pte_write(page, pte_make((unsigned long)(bus >> PAGE_SHIFT), PTE_KERNEL_RW)), 0, "it comes back");
    CHECK_EQ(unmap((unsigned long)at, 0, op.handle), GNTST_okay, "the CPU's mapping is undone once: this does nothing");
    CHECK(probe_write(at, 1), "and leaves the entry alone");
    CHECK_EQ(unmap(0, bus, op.handle), GNTST_okay, "the device's goes by itself");
    CHECK_EQ(unmap(0, bus, op.handle), GNTST_bad_handle, "with both gone the handle is free");
    CHECK_EQ(unmap((unsigned long)at, 0, ~0U), GNTST_bad_handle, "handles past all that exist are none");
    pte_write(at, 0);
    CHECK(becomes_table(page), "no reference is left behind");
    CHECK_EQ(grant_end_access((grant_ref_t)gref), 0, "the grant is free");
}

static void test_freed_by_granter(void)
{
    char *page = pages_alloc(1), *at = window();
    xen_pfn_t frame = (xen_pfn_t)virt_to_mfn(page), pfn = (xen_pfn_t)virt_to_pfn(page), fresh;
    int gref = grant_access(pv_domid(), frame, false);
    struct xen_memory_reservation r = {.nr_extents = 1, .domid = DOMID_SELF};
    struct gnttab_map_grant_ref op;
    unsigned long word = 0;

    check_group("a mapped page given back by its owner");
    CHECK_EQ(map(pv_domid(), (grant_ref_t)gref, GNTMAP_host_map, (unsigned long)at, &op), GNTST_okay, "a mapped grant");
    pte_write(page, 0);
    set_xen_guest_handle(r.extent_start, &frame);
    CHECK_EQ(HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r), 1, "its owner gives the page back");
    HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r);
    CHECK(probe_write(at, 0x1234) && probe_read(at, &word) && word == 0x1234,
          "the mapper still has it, though it was given back twice");
    fresh = pfn;
    set_xen_guest_handle(r.extent_start, &fresh);
    CHECK_EQ(HYPERVISOR_memory_op(XENMEM_populate_physmap, &r), 1, "another page comes in its place");
    CHECK(fresh != frame, "not that one: it is in use");
    CHECK_EQ(unmap((unsigned long)at, 0, op.handle), GNTST_okay, "the mapper lets go, now it is free");
    p2m_set((unsigned long)pfn, (unsigned long)fresh);
    CHECK_EQ(pte_write(page, pte_make((unsigned long)fresh, PTE_KERNEL_RW)), 0, "the new page is mapped");
    CHECK_EQ(*(unsigned long *)page, 0, "and empty");
    CHECK_EQ(grant_end_access((grant_ref_t)gref), 0, "the grant is free");
}

static void test_use_count(void)
{
    enum { MANY = 0x7fff + 64, BATCH = 64 };
    static struct gnttab_map_grant_ref ops[BATCH];
    static struct gnttab_unmap_grant_ref back[BATCH];
    static grant_handle_t handles[MANY];
    char *page = pages_alloc(1), *at = window();
    int gref = grant_access(pv_domid(), virt_to_mfn(page), false);
    unsigned int mapped = 0, refused = 0, undone = 0;
    struct gnttab_map_grant_ref op;

    check_group("counts that do not wrap");
    for (unsigned int i = 0; i < MANY; i += BATCH) {
        for (unsigned int k = 0; k < BATCH; k++)
            ops[k] = (struct gnttab_map_grant_ref){.host_addr = (unsigned long)at,
                                                   .flags = GNTMAP_host_map | GNTMAP_readonly,
                                                   .ref = (grant_ref_t)gref,
                                                   .dom = pv_domid()};
        HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, ops, BATCH);
        for (unsigned int k = 0; k < BATCH && mapped + refused < MANY; k++) {
            if (ops[k].status == GNTST_okay)
                handles[mapped++] = ops[k].handle;
            else
                refused++;
        }
    }
    printf("tricks: %u mappings of one grant, %u refused\n", mapped, refused);
    CHECK(refused > 0 || mapped == MANY, "each mapping was made or refused");
    CHECK_EQ(grant_end_access((grant_ref_t)gref), -16,
             "a count that wrapped to zero would say: unused, while thousands of mappings exist");
    CHECK_EQ(unmap((unsigned long)at, 0, handles[0]), GNTST_okay, "the one in the page table goes");
    handles[0] = handles[--mapped];
    while (mapped > 0) {
        unsigned int part = mapped < BATCH ? mapped : BATCH;

        for (unsigned int k = 0; k < part; k++)
            back[k] = (struct gnttab_unmap_grant_ref){.host_addr = (unsigned long)at, .handle = handles[--mapped]};
        HYPERVISOR_grant_table_op(GNTTABOP_unmap_grant_ref, back, part);
        for (unsigned int k = 0; k < part; k++)
            undone += back[k].status == GNTST_okay;
    }
    CHECK_EQ(undone, 0, "the others' entries were overwritten: there is nothing to unmap");
    map(pv_domid(), (grant_ref_t)gref, GNTMAP_host_map | GNTMAP_readonly, (unsigned long)at, &op);
    CHECK_EQ(map(pv_domid(), (grant_ref_t)gref, GNTMAP_host_map, (unsigned long)at, &op), GNTST_general_error,
             "while the count is full not one more use is taken");
}

static long set_version(uint32_t version)
{
    struct gnttab_set_version op = {.version = version};

    return HYPERVISOR_grant_table_op(GNTTABOP_set_version, &op, 1);
}

static int16_t status_frames(uint32_t count, uint64_t *frames)
{
    struct gnttab_get_status_frames op = {.nr_frames = count, .dom = DOMID_SELF};

    set_xen_guest_handle(op.frame_list, frames);
    return HYPERVISOR_grant_table_op(GNTTABOP_get_status_frames, &op, 1) != 0 ? -99 : op.status;
}

static union grant_entry_v2 *table_v2(void)
{
    return (union grant_entry_v2 *)table;
}

static int16_t copy_from(grant_ref_t gref, char *to, uint16_t offset, uint16_t length)
{
    struct gnttab_copy op = {
        .source = {.u.ref = gref, .domid = pv_domid(), .offset = offset},
        .dest = {.u.gmfn = (xen_pfn_t)virt_to_mfn(to), .domid = DOMID_SELF},
        .len = length,
        .flags = GNTCOPY_source_gref,
    };

    return HYPERVISOR_grant_table_op(GNTTABOP_copy, &op, 1) != 0 ? -99 : op.status;
}

static void test_parts(char *page, char *to)
{
    union grant_entry_v2 *e = &table_v2()[40];
    struct gnttab_map_grant_ref op;

    check_group("parts of pages");
    *e = (union grant_entry_v2){.sub_page = {.page_off = 4000, .length = 200, .frame = virt_to_mfn(page)}};
    e->hdr.domid = pv_domid();
    e->hdr.flags = GTF_permit_access | GTF_sub_page;
    CHECK(map(pv_domid(), 40, GNTMAP_host_map, (unsigned long)window(), &op) != GNTST_okay,
          "a part of a page cannot be mapped: the rest would come with it");
    CHECK(copy_from(40, to, 3990, 20) != GNTST_okay, "nor copied from before its start");
    CHECK_EQ(copy_from(40, to, 4000, 96), GNTST_okay, "within it can be copied");
    CHECK(copy_from(40, to, 4000, 200) != GNTST_okay, "but not past the page, though the part says so");
    e->sub_page.page_off = 0xFFF0;
    e->sub_page.length = 0xFFFF;
    CHECK(copy_from(40, to, 0, 16) != GNTST_okay, "a part that begins past the page has no bytes, even if it wraps");
    e->hdr.flags = 0;
}

static void test_transitive(char *to)
{
    union grant_entry_v2 *e = &table_v2()[40];

    check_group("grants that lead to grants");
    for (unsigned int i = 0; i < 2; i++) {
        e[i] = (union grant_entry_v2){.transitive = {.trans_domid = pv_domid(), .gref = 41 - i}};
        e[i].hdr.domid = pv_domid();
        e[i].hdr.flags = GTF_transitive;
    }
    CHECK(copy_from(40, to, 0, 16) != GNTST_okay, "two that lead to each other lead nowhere, and in bounded time");
    e[0].transitive.gref = 40;
    CHECK(copy_from(40, to, 0, 16) != GNTST_okay, "nor does one that leads to itself");
    e[0].transitive.trans_domid = DOMID_SELF;
    CHECK(copy_from(40, to, 0, 16) != GNTST_okay, "whose domain is named SELF");
    e[0].transitive.trans_domid = 0x7100;
    CHECK(copy_from(40, to, 0, 16) != GNTST_okay, "or does not exist");
    e[0].transitive.gref = ~0U;
    e[0].transitive.trans_domid = pv_domid();
    CHECK(copy_from(40, to, 0, 16) != GNTST_okay, "or has no such entry");
    e[0].hdr.flags = e[1].hdr.flags = 0;
}

static void test_versions(void)
{
    char *page = pages_alloc(1), *to = pages_alloc(1), *at = window(), *shown;
    int gref = grant_access(pv_domid(), virt_to_mfn(page), false);
    uint64_t status[8] = {0}, again[8] = {0};
    struct gnttab_map_grant_ref op;
    xen_pfn_t frame;

    check_group("versions");
    CHECK_EQ(map(pv_domid(), (grant_ref_t)gref, GNTMAP_host_map, (unsigned long)at, &op), GNTST_okay, "a mapped grant");
    CHECK_EQ(set_version(2), -XEN_EBUSY, "keeps the table's version: its entries would mean something else");
    CHECK_EQ(unmap((unsigned long)at, 0, op.handle), GNTST_okay, "without it");
    CHECK_EQ(grant_end_access((grant_ref_t)gref), 0, "and the grant ended");
    CHECK_EQ(set_version(2), 0, "the version changes");
    CHECK(status_frames(1000000, status) != GNTST_okay, "a million status frames is a wrong number, not a long list");
    CHECK_EQ(status_frames(1, status), GNTST_okay, "there is one");
    CHECK(status_frames(1, (uint64_t *)~0xfffUL) != GNTST_okay, "it is not written to where we cannot write");
    test_parts(page, to);
    test_transitive(to);
    frame = (xen_pfn_t)status[0];
    shown = map_frames(&frame, 1, DOMID_SELF, PTE_KERNEL_RW, NULL);
    CHECK(shown != NULL, "it can be mapped");
    CHECK_EQ(set_version(1), -XEN_EBUSY,
             "while it is, version 2 stays: else each change of version would leave a page of the hypervisor's mapped");
    memset(shown, 0xA5, PAGE_SIZE);
    CHECK_EQ(status_frames(1, again), GNTST_okay, "there is a status page");
    CHECK_EQ(again[0], status[0], "the same");
    unmap_frames(shown, 1);
    CHECK_EQ(set_version(1), 0, "back to version 1");
    shown = map_frames(&frame, 1, DOMID_SELF, PTE_KERNEL_RW, NULL);
    CHECK(shown == NULL, "the frame is no longer ours to map");
    CHECK_EQ(set_version(2), 0, "and to 2 once more");
    CHECK_EQ(status_frames(1, again), GNTST_okay, "there is a status page again");
    frame = (xen_pfn_t)again[0];
    shown = map_frames(&frame, 1, DOMID_SELF, PTE_KERNEL_RO, NULL);
    CHECK(shown != NULL && shown[PAGE_SIZE - 1] == 0, "and an empty one");
    unmap_frames(shown, 1);
    CHECK_EQ(set_version(1), 0, "version 1 for the rest");
}

static void test_wild_numbers(void)
{
    static const domid_t odd[] = {DOMID_SELF, DOMID_IO, DOMID_XEN, DOMID_COW, 0x7ff5, 0x7fff, 0x8000, 0xffff, 0x7123};
    struct gnttab_setup_table setup = {.dom = DOMID_SELF, .nr_frames = ~0U};
    struct gnttab_map_grant_ref op;
    char *at = window();
    xen_pfn_t list[4];

    check_group("wild numbers");
    for (unsigned int i = 0; i < ARRAY_SIZE(odd); i++)
        CHECK_EQ(map(odd[i], 8, GNTMAP_host_map, (unsigned long)at, &op), GNTST_bad_domain,
                 "special numbers are no domains that grant anything");
    CHECK_EQ(map(pv_domid(), ~0U, GNTMAP_host_map, (unsigned long)at, &op), GNTST_bad_gntref, "the last reference");
    CHECK(map(pv_domid(), entries, GNTMAP_host_map, (unsigned long)at, &op) != GNTST_okay, "the first past the table");
    set_xen_guest_handle(setup.frame_list, list);
    CHECK(HYPERVISOR_grant_table_op(GNTTABOP_setup_table, &setup, 1) != 0 || setup.status != GNTST_okay,
          "a table of 2^32-1 frames");
    setup.nr_frames = 1;
    set_xen_guest_handle(setup.frame_list, (xen_pfn_t *)~0xfffUL);
    CHECK(HYPERVISOR_grant_table_op(GNTTABOP_setup_table, &setup, 1) != 0 || setup.status != GNTST_okay,
          "a list where the hypervisor lives");
    CHECK_EQ(HYPERVISOR_grant_table_op(GNTTABOP_setup_table, &setup, 2), -XEN_EINVAL, "two tables at once");
    CHECK_EQ(HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, &op, 0x80000000), -XEN_EINVAL,
             "a count whose bytes wrap around");
    if (!pv_is_dom0()) {
        setup.dom = 0;
        CHECK(HYPERVISOR_grant_table_op(GNTTABOP_setup_table, &setup, 1) != 0 ||
                  setup.status == GNTST_permission_denied,
              "another domain's table");
    }
}

/* Handles are the hypervisor's memory. There is a last one; and who has them all does not take long to destroy. */
static void test_handles(void)
{
    enum { BATCH = 128, FIRST = 60, REFS = 16, EACH = 0x7000 };
    static struct gnttab_map_grant_ref ops[BATCH];
    char *page = pages_alloc(1), *at = window();
    unsigned long mapped = 0;
    int16_t status = GNTST_okay;

    check_group("as many handles as there are");
    for (unsigned int i = 0; i < REFS; i++)
        table[FIRST + i] = (struct grant_entry_v1){GTF_permit_access, pv_domid(), (uint32_t)virt_to_mfn(page)};
    while (status == GNTST_okay && mapped < REFS * EACH) {
        for (unsigned int i = 0; i < BATCH; i++)
            ops[i] = (struct gnttab_map_grant_ref){.host_addr = (unsigned long)at,
                                                   .flags = GNTMAP_host_map | GNTMAP_readonly,
                                                   .ref = FIRST + mapped / EACH,
                                                   .dom = pv_domid()};
        HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, ops, BATCH);
        for (unsigned int i = 0; i < BATCH && status == GNTST_okay; i++) {
            status = ops[i].status;
            mapped += status == GNTST_okay;
        }
    }
    printf("tricks: %lu handles\n", mapped);
    CHECK_EQ(status, GNTST_no_device_space, "their number ends, with an error of its own");
    CHECK_EQ(unmap((unsigned long)at, 0, 1000), GNTST_general_error, "each names a mapping, also when that is gone");
}

int main(int argc, char **argv)
{
    table = grant_table(&entries);
    test_replace_by_itself();
    test_table_and_grant();
    test_wrong_unmaps();
    test_freed_by_granter();
    test_versions();
    test_wild_numbers();
    /* These leave handles that nothing but the domain's end gives back. */
    test_contains_pte();
    test_use_count();
    if (smp_cpu_count() == 1)
        test_handles();
    check_summary("contain-grant_tricks");
    return 0;
}
