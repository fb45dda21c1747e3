/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Grant tables, seen from one domain that is both sides: versions and sizes, mapping with its flags and counts,
 * copying, and the status each misuse gets.
 */
#include <stdio.h>
#include <string.h>
#include <abi/errno.h>
#include <pv/grant.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/traps.h>
#include "../../guest-pv/core/internal.h"
#include "check.h"

static struct grant_entry_v1 *table;
static unsigned int entries;

static int16_t map(domid_t dom, grant_ref_t gref, uint32_t flags, void *addr, grant_handle_t *handle)
{
    struct gnttab_map_grant_ref op = {.host_addr = (unsigned long)addr, .flags = flags, .ref = gref, .dom = dom};

    tables_build((unsigned long)addr, 1);
    if (HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, &op, 1) != 0)
        return -99;
    *handle = op.handle;
    return op.status;
}

static int16_t unmap(void *addr, grant_handle_t handle)
{
    struct gnttab_unmap_grant_ref op = {.host_addr = (unsigned long)addr, .handle = handle};

    return HYPERVISOR_grant_table_op(GNTTABOP_unmap_grant_ref, &op, 1) != 0 ? -99 : op.status;
}

static void test_table(void)
{
    struct gnttab_query_size size = {.dom = DOMID_SELF};
    struct gnttab_get_version version = {.dom = DOMID_SELF};
    struct gnttab_setup_table setup = {.dom = DOMID_SELF};
    xen_pfn_t frames[4];

    check_group("the table");
    table = grant_table(&entries);
    CHECK(table != NULL && entries >= 512, "there is one");
    CHECK_EQ(HYPERVISOR_grant_table_op(GNTTABOP_query_size, &size, 1), 0, "its size can be asked for");
    CHECK(size.status == GNTST_okay && size.nr_frames >= 1 && size.nr_frames <= size.max_nr_frames, "and makes sense");
    CHECK_EQ(HYPERVISOR_grant_table_op(GNTTABOP_get_version, &version, 1), 0, "so can its version");
    CHECK(version.version == 1, "which is 1");
    set_xen_guest_handle(setup.frame_list, frames);
    setup.nr_frames = size.max_nr_frames + 1;
    CHECK_EQ(HYPERVISOR_grant_table_op(GNTTABOP_setup_table, &setup, 1), 0, "more frames than allowed");
    CHECK_EQ(setup.status, GNTST_general_error, "are an error");
    setup.dom = 0x7123;
    setup.nr_frames = 1;
    CHECK_EQ(HYPERVISOR_grant_table_op(GNTTABOP_setup_table, &setup, 1), 0,
             "the table of a domain that does not exist");
    CHECK_EQ(setup.status, GNTST_bad_domain, "is a bad domain");
    CHECK_EQ(HYPERVISOR_grant_table_op(99, &setup, 1), -XEN_ENOSYS, "an unknown operation is ENOSYS");
    CHECK_EQ(HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, &setup, 0), 0, "an empty list is fine");
    CHECK_EQ(HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, (void *)~0xfffUL, 1), -XEN_EFAULT,
             "an unreadable one is EFAULT");
}

static void test_mapping(void)
{
    domid_t self = pv_domid();
    char *page = pages_alloc(1), *at = vspace_alloc(2);
    int gref = grant_access(self, virt_to_mfn(page), false);
    grant_handle_t handle, second;

    check_group("mapping");
    CHECK(gref >= 8, "a reference that is not reserved");
    strcpy(page, "granted");
    CHECK_EQ(map(self, (grant_ref_t)gref, GNTMAP_host_map, at, &handle), GNTST_okay, "it can be mapped");
    CHECK(strcmp(at, "granted") == 0, "and read");
    CHECK_EQ(table[gref].flags & (GTF_reading | GTF_writing), GTF_reading | GTF_writing,
             "the entry says in use for both");
    CHECK(probe_write(at + 64, 5) && page[64] == 5, "and written");
    CHECK_EQ(grant_end_access((grant_ref_t)gref), -16, "so it cannot be ended");
    CHECK_EQ(map(self, (grant_ref_t)gref, GNTMAP_host_map | GNTMAP_readonly, at + PAGE_SIZE, &second), GNTST_okay,
             "a second mapping, read-only");
    CHECK(second != handle, "has a handle of its own");
    CHECK(!probe_write(at + PAGE_SIZE, 5), "and cannot be written to");
    CHECK_EQ(unmap(at, handle), GNTST_okay, "the writable one goes");
    CHECK_EQ(table[gref].flags & (GTF_reading | GTF_writing), GTF_reading, "the entry says in use for reading");
    CHECK_EQ(unmap(at, handle), GNTST_bad_handle, "a handle is good once");
    CHECK_EQ(unmap(at + PAGE_SIZE, second), GNTST_okay, "the other goes");
    CHECK_EQ(table[gref].flags & (GTF_reading | GTF_writing), 0, "the entry says unused");
    CHECK(!probe_write(at, 1), "nothing is mapped any more");
    CHECK_EQ(grant_end_access((grant_ref_t)gref), 0, "it can be ended");
    CHECK_EQ(map(self, (grant_ref_t)gref, GNTMAP_host_map, at, &handle), GNTST_general_error,
             "an ended reference cannot be mapped");
    vspace_free(at, 2);
    pages_free(page, 1);
}

static void test_refusals(void)
{
    domid_t self = pv_domid();
    char *page = pages_alloc(1), *at = vspace_alloc(1);
    int readonly = grant_access(self, virt_to_mfn(page), true);
    int other = grant_access(0x7001, virt_to_mfn(page), false);
    grant_handle_t handle;

    check_group("refusals");
    CHECK_EQ(map(0x7123, 8, GNTMAP_host_map, at, &handle), GNTST_bad_domain, "a domain that does not exist");
    CHECK_EQ(map(self, entries + 100000, GNTMAP_host_map, at, &handle), GNTST_bad_gntref, "a reference past the table");
    CHECK_EQ(map(self, entries - 1, GNTMAP_host_map, at, &handle), GNTST_general_error, "one that was never given");
    CHECK_EQ(map(self, (grant_ref_t)other, GNTMAP_host_map, at, &handle), GNTST_general_error,
             "one given to somebody else");
    CHECK_EQ(map(self, (grant_ref_t)readonly, GNTMAP_host_map, at, &handle), GNTST_general_error,
             "a writable mapping of a read-only grant");
    CHECK_EQ(map(self, (grant_ref_t)readonly, 0, at, &handle), GNTST_bad_gntref, "a mapping to nowhere");
    CHECK_EQ(map(self, (grant_ref_t)readonly, GNTMAP_host_map | GNTMAP_readonly, at, &handle), GNTST_okay,
             "as it was given, it can");
    CHECK_EQ(unmap(at, 0x12345), GNTST_bad_handle, "unmapping by a handle that does not exist");
    CHECK_EQ(unmap(page, handle), GNTST_general_error, "at an address where it is not");
    CHECK_EQ(unmap(at, handle), GNTST_okay, "where it is");
    grant_end_access((grant_ref_t)readonly);
    grant_end_access((grant_ref_t)other);
    vspace_free(at, 1);
    pages_free(page, 1);
}

static int16_t copy(struct gnttab_copy *op)
{
    return HYPERVISOR_grant_table_op(GNTTABOP_copy, op, 1) != 0 ? -99 : op->status;
}

static void test_copying(void)
{
    domid_t self = pv_domid();
    char *from = pages_alloc(1), *to = pages_alloc(1);
    int gref = grant_access(self, virt_to_mfn(from), true);
    struct gnttab_copy op = {
        .source = {.u.ref = (grant_ref_t)gref, .domid = self, .offset = 10},
        .dest = {.u.gmfn = virt_to_mfn(to), .domid = DOMID_SELF, .offset = 100},
        .len = 20,
        .flags = GNTCOPY_source_gref,
    };

    check_group("copying");
    strcpy(from + 10, "nineteen characters");
    CHECK_EQ(copy(&op), GNTST_okay, "from a grant to a frame of ours");
    CHECK(strcmp(to + 100, from + 10) == 0, "brings the bytes");
    CHECK_EQ(table[gref].flags & (GTF_reading | GTF_writing), 0, "and leaves the grant unused");
    op.dest.offset = 4090;
    CHECK_EQ(copy(&op), GNTST_bad_copy_arg, "not across the end of a page");
    op.dest.offset = 100;
    op.flags = GNTCOPY_dest_gref;
    op.source = (struct gnttab_copy_ptr){.u.gmfn = virt_to_mfn(to), .domid = DOMID_SELF};
    op.dest = (struct gnttab_copy_ptr){.u.ref = (grant_ref_t)gref, .domid = self};
    CHECK_EQ(copy(&op), GNTST_general_error, "not into a read-only grant");
    op.flags = 0;
    op.dest = (struct gnttab_copy_ptr){.u.gmfn = virt_to_mfn((void *)(unsigned long)start_info->pt_base),
                                       .domid = DOMID_SELF};
    CHECK(copy(&op) < 0, "not into a page table");
    op.len = 0;
    op.dest.u.gmfn = virt_to_mfn(from);
    CHECK_EQ(copy(&op), GNTST_okay, "nothing at all may be copied");
    grant_end_access((grant_ref_t)gref);
    pages_free(from, 1);
    pages_free(to, 1);
}

static void test_unmap_and_replace(void)
{
    domid_t self = pv_domid();
    char *page = pages_alloc(1), *spare = pages_alloc(1), *at = vspace_alloc(1);
    int gref = grant_access(self, virt_to_mfn(page), false);
    xen_pfn_t frame = virt_to_mfn(spare);
    char *second = map_frames(&frame, 1, DOMID_SELF, PTE_KERNEL_RW, NULL);
    grant_handle_t handle = 0;
    struct gnttab_unmap_and_replace op;

    check_group("unmap and replace");
    strcpy(spare, "spare");
    CHECK_EQ(map(self, (grant_ref_t)gref, GNTMAP_host_map, at, &handle), GNTST_okay, "a mapped grant");
    op = (struct gnttab_unmap_and_replace){
        .host_addr = (unsigned long)at, .new_addr = (unsigned long)second, .handle = handle};
    CHECK_EQ(HYPERVISOR_grant_table_op(GNTTABOP_unmap_and_replace, &op, 1), 0, "exchanged for another mapping");
    CHECK_EQ(op.status, GNTST_okay, "succeeds");
    CHECK(strcmp(at, "spare") == 0, "the other page is there now");
    CHECK(!probe_write(second, 1), "and no longer at its old place");
    CHECK_EQ(grant_end_access((grant_ref_t)gref), 0, "the grant is unused");
    unmap_frames(at, 1);
    vspace_free(second, 1);
    pages_free(page, 1);
    pages_free(spare, 1);
}

/* A mapping that replaced itself would stay when its references go: a window onto the frame's next use. */
static void test_replace_by_itself(void)
{
    domid_t self = pv_domid();
    char *page = pages_alloc(1), *at = vspace_alloc(1);
    int gref = grant_access(self, virt_to_mfn(page), false);
    grant_handle_t handle = 0;
    struct gnttab_unmap_and_replace op;

    check_group("a mapping as its own replacement");
    CHECK_EQ(map(self, (grant_ref_t)gref, GNTMAP_host_map, at, &handle), GNTST_okay, "a mapped grant");
    op = (struct gnttab_unmap_and_replace){
        .host_addr = (unsigned long)at, .new_addr = (unsigned long)at, .handle = handle};
    CHECK_EQ(HYPERVISOR_grant_table_op(GNTTABOP_unmap_and_replace, &op, 1), 0, "a mapping cannot replace");
    CHECK_EQ(op.status, GNTST_general_error, "itself");
    CHECK(grant_end_access((grant_ref_t)gref) != 0, "it is still a mapping of the grant");
    pte_write(at, 0);
    page[0] = 1;
    CHECK(!probe_write(at, 1), "which the kernel can drop");
    vspace_free(at, 1);
}

static void test_many(void)
{
    enum { COUNT = 200 };
    static domid_t domids[COUNT];
    static grant_ref_t grefs[COUNT];
    static grant_handle_t handles[COUNT];
    char *pages = pages_alloc(COUNT), *mapped;
    bool good = pages != NULL;

    check_group("many grants");
    for (int i = 0; good && i < COUNT; i++) {
        int gref = grant_access(pv_domid(), virt_to_mfn(pages + (unsigned long)i * PAGE_SIZE), false);

        good = gref >= 0;
        domids[i] = pv_domid();
        grefs[i] = (grant_ref_t)gref;
        pages[(unsigned long)i * PAGE_SIZE] = (char)i;
    }
    CHECK(good, "200 pages granted");
    mapped = grant_map(domids, grefs, COUNT, false, handles);
    CHECK(mapped != NULL, "and mapped side by side");
    for (int i = 0; mapped != NULL && i < COUNT; i++)
        good = good && mapped[(unsigned long)i * PAGE_SIZE] == (char)i;
    CHECK(good, "each shows its page");
    CHECK_EQ(mapped != NULL ? grant_unmap(mapped, handles, COUNT) : -1, 0, "and all go again");
    for (int i = 0; i < COUNT; i++)
        good = good && grant_end_access(grefs[i]) == 0;
    CHECK(good, "without a trace");
    pages_free(pages, COUNT);
}

int main(int argc, char **argv)
{
    test_table();
    if (table != NULL) {
        test_mapping();
        test_refusals();
        test_copying();
        test_unmap_and_replace();
        test_replace_by_itself();
        test_many();
    }
    check_summary("grants");
    return 0;
}
