/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Grant tables seen from inside. The domain grants to itself, so that granter and user can both be watched: maps of
 * every kind, copies, what is refused and how, then version 2. Written for dom0 or a domU.
 */
#include <stdio.h>
#include <string.h>
#include <abi/errno.h>
#include <abi/grant_table.h>
#include <pv/grant.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/traps.h>
#include "check.h"

#define REF   300 /* free references of our own choice, far from the library's */
#define OTHER 301

static struct grant_entry_v1 *table;
static char *page, *second, *window;
static unsigned int entries;

static long op(unsigned int cmd, void *arg, unsigned int count)
{
    return HYPERVISOR_grant_table_op(cmd, arg, count);
}

static void offer(grant_ref_t ref, const void *what, domid_t to, unsigned int flags)
{
    table[ref].flags = 0;
    table[ref].frame = (uint32_t)virt_to_mfn(what);
    table[ref].domid = to;
    __atomic_store_n(&table[ref].flags, (uint16_t)flags, __ATOMIC_SEQ_CST);
}

static struct gnttab_map_grant_ref map_at(uint64_t address, grant_ref_t ref, unsigned int flags)
{
    struct gnttab_map_grant_ref map = {
        .host_addr = address, .flags = flags, .ref = ref, .dom = pv_domid(), .status = 99};

    CHECK_EQ(op(GNTTABOP_map_grant_ref, &map, 1), 0, "a mapping call itself succeeds");
    return map;
}

static struct gnttab_map_grant_ref map(grant_ref_t ref, unsigned int flags)
{
    return map_at((uint64_t)(unsigned long)window, ref, flags);
}

static int unmap_at(uint64_t address, uint64_t bus, grant_handle_t handle)
{
    struct gnttab_unmap_grant_ref unmap = {.host_addr = address, .dev_bus_addr = bus, .handle = handle, .status = 99};

    CHECK_EQ(op(GNTTABOP_unmap_grant_ref, &unmap, 1), 0, "an unmapping call itself succeeds");
    return unmap.status;
}

static int unmap(grant_handle_t handle)
{
    return unmap_at((uint64_t)(unsigned long)window, 0, handle);
}

static unsigned int in_use(grant_ref_t ref)
{
    return __atomic_load_n(&table[ref].flags, __ATOMIC_SEQ_CST) & (GTF_reading | GTF_writing);
}

static void test_table(void)
{
    struct gnttab_query_size size = {.dom = DOMID_SELF};
    struct gnttab_get_version version = {.dom = DOMID_SELF};
    struct gnttab_setup_table setup = {.dom = DOMID_SELF};
    struct gnttab_set_version set = {.version = 3};

    check_group("table");
    CHECK_EQ(op(GNTTABOP_query_size, &size, 1), 0, "a table has a size");
    CHECK(size.status == GNTST_okay && size.nr_frames >= 1 && size.nr_frames <= size.max_nr_frames, "within its limit");
    CHECK_EQ(op(GNTTABOP_query_size, &size, 2), -XEN_EINVAL, "and there is one only");
    setup.nr_frames = size.max_nr_frames + 1;
    CHECK_EQ(op(GNTTABOP_setup_table, &setup, 1), 0, "past the limit");
    CHECK_EQ(setup.status, GNTST_general_error, "it does not grow");
    setup = (struct gnttab_setup_table){.dom = 0x7000, .nr_frames = 1};
    CHECK_EQ(op(GNTTABOP_setup_table, &setup, 1), 0, "a domain that does not exist");
    CHECK_EQ(setup.status, GNTST_bad_domain, "has no table");
    CHECK_EQ(op(GNTTABOP_get_version, &version, 1), 0, "the version can be asked for");
    CHECK_EQ(version.version, 1, "and is 1");
    CHECK_EQ(op(GNTTABOP_set_version, &set, 1), -XEN_EINVAL, "there is no version 3");
    CHECK_EQ(op(77, &set, 1), -XEN_ENOSYS, "an operation that does not exist");
    CHECK_EQ(op(GNTTABOP_map_grant_ref, NULL, 1), -XEN_EFAULT, "arguments that are not mapped");
}

static void test_mapping(void)
{
    struct gnttab_map_grant_ref m, n;

    check_group("mapping");
    offer(REF, page, pv_domid(), GTF_permit_access);
    m = map(REF, GNTMAP_host_map);
    if (!CHECK_EQ(m.status, GNTST_okay, "our own page can be mapped by a grant"))
        return;
    strcpy(page, "granted");
    CHECK(strcmp(window, "granted") == 0, "and is the same memory");
    CHECK_EQ(m.dev_bus_addr, (uint64_t)virt_to_mfn(page) << PAGE_SHIFT, "its bus address is known");
    CHECK_EQ(in_use(REF), GTF_reading | GTF_writing, "the entry says that it is in use");
    CHECK_EQ(unmap(m.handle), GNTST_okay, "it can be unmapped");
    CHECK_EQ(in_use(REF), 0, "which the entry shows");
    CHECK(!probe_write(window, 1), "the address is empty then");
    CHECK_EQ(unmap(m.handle), GNTST_bad_handle, "a handle ends with its mapping");

    m = map(REF, GNTMAP_host_map | GNTMAP_readonly);
    CHECK_EQ(m.status, GNTST_okay, "a read-only mapping");
    CHECK_EQ(in_use(REF), GTF_reading, "shows as reading");
    CHECK(!probe_write(window, 1), "and cannot be written to");
    n = map_at((uint64_t)(unsigned long)window + PAGE_SIZE, REF, GNTMAP_host_map);
    CHECK_EQ(n.status, GNTST_okay, "a second, writable one");
    CHECK_EQ(in_use(REF), GTF_reading | GTF_writing, "shows as writing too");
    CHECK_EQ(unmap_at((uint64_t)(unsigned long)window + PAGE_SIZE, 0, n.handle), GNTST_okay, "it goes");
    CHECK_EQ(in_use(REF), GTF_reading, "and reading remains");
    CHECK_EQ(unmap_at((uint64_t)(unsigned long)window + PAGE_SIZE, 0, m.handle), GNTST_general_error,
             "unmapping where it is not");
    CHECK_EQ(unmap_at(0, 0, m.handle), GNTST_okay, "unmapping neither kind");
    CHECK_EQ(in_use(REF), GTF_reading, "changes nothing");
    CHECK_EQ(unmap(m.handle), GNTST_okay, "the first goes");
    CHECK_EQ(in_use(REF), 0, "and nothing is left");

    m = map_at(0, REF, GNTMAP_device_map);
    CHECK_EQ(m.status, GNTST_okay, "a device mapping needs no address");
    CHECK_EQ(unmap_at(0, m.dev_bus_addr, m.handle), GNTST_okay, "and is undone by its bus address");
    CHECK_EQ(in_use(REF), 0, "completely");

    m = map_at(pte_slot(window), REF, GNTMAP_host_map | GNTMAP_contains_pte);
    CHECK_EQ(m.status, GNTST_okay, "a mapping by the machine address of a page-table entry");
    CHECK(strcmp(window, "granted") == 0, "is where the entry is");
    CHECK_EQ(unmap_at(pte_slot(window), 0, m.handle), GNTST_okay, "and is undone the same way");
    CHECK_EQ(in_use(REF), 0, "completely");
}

static void test_refusals(void)
{
    struct gnttab_map_grant_ref m;

    check_group("refusals");
    offer(REF, page, pv_domid(), GTF_permit_access | GTF_readonly);
    CHECK_EQ(map(REF, GNTMAP_host_map).status, GNTST_general_error, "writing what is offered read-only");
    CHECK_EQ(in_use(REF), 0, "leaves no trace");
    offer(REF, page, 0x7001, GTF_permit_access);
    CHECK_EQ(map(REF, GNTMAP_host_map).status, GNTST_general_error, "what is offered to another");
    offer(REF, page, pv_domid(), GTF_invalid);
    CHECK_EQ(map(REF, GNTMAP_host_map).status, GNTST_general_error, "what is not offered");
    offer(REF, page, pv_domid(), GTF_accept_transfer);
    CHECK_EQ(map(REF, GNTMAP_host_map).status, GNTST_general_error, "what asks for a page instead");
    offer(REF, page, pv_domid(), GTF_permit_access);
    CHECK_EQ(map(REF, 0).status, GNTST_bad_gntref, "a mapping of no kind");
    CHECK_EQ(map(entries, GNTMAP_host_map).status, GNTST_bad_gntref, "a reference past the table");
    CHECK_EQ(map(~0u, GNTMAP_host_map).status, GNTST_bad_gntref, "the last number of all");
    m = (struct gnttab_map_grant_ref){
        .host_addr = (uint64_t)(unsigned long)window, .flags = GNTMAP_host_map, .dom = 0x7000};
    CHECK(op(GNTTABOP_map_grant_ref, &m, 1) == 0 && m.status == GNTST_bad_domain, "a domain that does not exist");
    CHECK_EQ(unmap(~0u), GNTST_bad_handle, "a handle that does not exist");
    CHECK_EQ(in_use(REF), 0, "none of it leaves a trace");
}

static struct gnttab_copy copy_between(const void *from, void *to, unsigned int length)
{
    struct gnttab_copy c;

    memset(&c, 0, sizeof(c));
    c.source.u.gmfn = virt_to_mfn(from);
    c.source.domid = DOMID_SELF;
    c.source.offset = (unsigned long)from & (PAGE_SIZE - 1);
    c.dest.u.gmfn = virt_to_mfn(to);
    c.dest.domid = DOMID_SELF;
    c.dest.offset = (unsigned long)to & (PAGE_SIZE - 1);
    c.len = (uint16_t)length;
    c.status = 99;
    return c;
}

static int run_copy(struct gnttab_copy *c)
{
    CHECK_EQ(op(GNTTABOP_copy, c, 1), 0, "a copying call itself succeeds");
    return c->status;
}

static void test_copying(void)
{
    struct gnttab_copy c, batch[3];

    check_group("copying");
    memset(second, 0, PAGE_SIZE);
    strcpy(page + 10, "copied");
    c = copy_between(page + 10, second + 100, 7);
    CHECK_EQ(run_copy(&c), GNTST_okay, "between our own frames");
    CHECK(strcmp(second + 100, "copied") == 0, "the bytes arrive");
    offer(REF, page, pv_domid(), GTF_permit_access | GTF_readonly);
    c = copy_between(page + 10, second + 200, 7);
    c.source.u.ref = REF;
    c.source.domid = pv_domid();
    c.flags = GNTCOPY_source_gref;
    CHECK_EQ(run_copy(&c), GNTST_okay, "from a grant");
    CHECK(strcmp(second + 200, "copied") == 0, "the bytes arrive");
    CHECK_EQ(in_use(REF), 0, "and the entry is free again");
    c = copy_between(page, page, 7);
    c.dest.u.ref = REF;
    c.dest.domid = pv_domid();
    c.flags = GNTCOPY_dest_gref;
    CHECK_EQ(run_copy(&c), GNTST_general_error, "to a read-only grant");
    offer(REF, second, pv_domid(), GTF_permit_access);
    c.dest.offset = 300;
    CHECK_EQ(run_copy(&c), GNTST_okay, "to a grant");
    c = copy_between(page, second, PAGE_SIZE);
    CHECK_EQ(run_copy(&c), GNTST_okay, "a whole page");
    CHECK(memcmp(page, second, PAGE_SIZE) == 0, "arrives whole");
    c.source.offset = 1;
    CHECK_EQ(run_copy(&c), GNTST_bad_copy_arg, "past the end of a page");
    c = copy_between(page, second, 4);
    c.source.domid = pv_domid();
    CHECK_EQ(run_copy(&c), GNTST_permission_denied, "frames without a grant are one's own, by DOMID_SELF");
    c = copy_between(page, second, 4);
    c.source.u.gmfn = 0xfffffff;
    CHECK_EQ(run_copy(&c), GNTST_bad_page, "a frame that does not exist");
    c = copy_between(page, second, 4);
    c.dest.u.gmfn = pte_slot(page) >> PAGE_SHIFT;
    CHECK_EQ(run_copy(&c), GNTST_general_error, "over a page table");
    c.source.u.gmfn = pte_slot(page) >> PAGE_SHIFT;
    c.dest.u.gmfn = virt_to_mfn(second);
    CHECK_EQ(run_copy(&c), GNTST_okay, "from a page table");
    for (int i = 0; i < 3; i++)
        batch[i] = copy_between(page + i, second + 8 + i, 1);
    batch[1].source.u.gmfn = 0xfffffff;
    CHECK_EQ(op(GNTTABOP_copy, batch, 3), 0, "several at once");
    CHECK(batch[0].status == 0 && batch[1].status == GNTST_bad_page && batch[2].status == 0, "each has its own status");
}

static void test_many(void)
{
    enum { MANY = 200 };
    static struct gnttab_map_grant_ref maps[MANY];
    static struct gnttab_unmap_grant_ref unmaps[MANY];
    char *space = vspace_alloc(MANY);
    unsigned int good = 0;

    check_group("many");
    offer(REF, page, pv_domid(), GTF_permit_access);
    for (int i = 0; i < MANY; i++) {
        pte_write(space + (unsigned long)i * PAGE_SIZE, 0);
        maps[i] = (struct gnttab_map_grant_ref){.host_addr = (uint64_t)(unsigned long)space + (uint64_t)i * PAGE_SIZE,
                                                .flags = GNTMAP_host_map | (i & 1 ? 0 : GNTMAP_readonly),
                                                .ref = REF,
                                                .dom = pv_domid()};
    }
    /* The use count of an entry is limited; genuine Xen's limit is lower than ours, so stay below both. */
    CHECK_EQ(op(GNTTABOP_map_grant_ref, maps, 100), 0, "a hundred mappings in one call");
    for (int i = 0; i < 100; i++) {
        good += maps[i].status == GNTST_okay;
        unmaps[i] = (struct gnttab_unmap_grant_ref){.host_addr = maps[i].host_addr, .handle = maps[i].handle};
    }
    CHECK_EQ(good, 100, "of one page");
    CHECK(strcmp(space + 99 * PAGE_SIZE, page) == 0, "all show it");
    CHECK_EQ(op(GNTTABOP_unmap_grant_ref, unmaps, 100), 0, "undone in one call");
    good = 0;
    for (int i = 0; i < 100; i++)
        good += unmaps[i].status == GNTST_okay;
    CHECK_EQ(good, 100, "all of them");
    CHECK_EQ(in_use(REF), 0, "and nothing is left");
    CHECK(!probe_write(space + 99 * PAGE_SIZE, 1), "nor mapped");
    vspace_free(space, MANY);
}

static void test_swap(void)
{
    struct gnttab_swap_grant_ref swap = {.ref_a = REF, .ref_b = OTHER, .status = 99};
    struct gnttab_map_grant_ref m;

    check_group("swapping");
    offer(REF, page, pv_domid(), GTF_permit_access);
    offer(OTHER, second, pv_domid(), GTF_permit_access | GTF_readonly);
    CHECK(op(GNTTABOP_swap_grant_ref, &swap, 1) == 0 && swap.status == GNTST_okay, "two entries change places");
    CHECK(table[REF].flags == (GTF_permit_access | GTF_readonly) && table[OTHER].frame == virt_to_mfn(page),
          "entirely");
    m = map(OTHER, GNTMAP_host_map);
    CHECK(op(GNTTABOP_swap_grant_ref, &swap, 1) == 0 && swap.status == GNTST_eagain, "not while one is in use");
    CHECK_EQ(unmap(m.handle), GNTST_okay, "unmapped");
    swap.ref_b = entries;
    CHECK(op(GNTTABOP_swap_grant_ref, &swap, 1) == 0 && swap.status == GNTST_bad_gntref, "not with one past the table");
}

/* From here on the library's view of the table is void. */
static void test_version_2(void)
{
    struct gnttab_set_version set = {.version = 2};
    struct gnttab_get_status_frames get = {.dom = DOMID_SELF, .nr_frames = 1};
    struct gnttab_map_grant_ref m;
    struct gnttab_copy c;
    union grant_entry_v2 *v2 = (union grant_entry_v2 *)table;
    uint64_t status_frame = 0;
    xen_pfn_t frame;
    grant_status_t *state;

    check_group("version 2");
    offer(REF, page, pv_domid(), GTF_permit_access);
    m = map(REF, GNTMAP_host_map);
    CHECK_EQ(op(GNTTABOP_set_version, &set, 1), -XEN_EBUSY, "the version does not change under a mapping");
    CHECK_EQ(unmap(m.handle), GNTST_okay, "unmapped");
    set.version = 2;
    CHECK_EQ(op(GNTTABOP_set_version, &set, 1), 0, "the version can be changed");
    CHECK_EQ(set.version, 2, "to 2");
    set_xen_guest_handle(get.frame_list, &status_frame);
    CHECK(op(GNTTABOP_get_status_frames, &get, 1) == 0 && get.status == GNTST_okay, "the status frame is known");
    frame = (xen_pfn_t)status_frame;
    state = map_frames(&frame, 1, DOMID_SELF, PTE_KERNEL_RW, NULL);
    if (!CHECK(state != NULL, "and can be mapped"))
        return;
    CHECK_EQ(v2[100].hdr.flags, 0, "all entries start empty");
    v2[100].full_page.frame = virt_to_mfn(page);
    v2[100].hdr.domid = pv_domid();
    v2[100].hdr.flags = GTF_permit_access;
    m = map(100, GNTMAP_host_map);
    CHECK_EQ(m.status, GNTST_okay, "a version 2 entry can be mapped");
    CHECK_EQ(state[100], GTF_reading | GTF_writing, "its state is in the status frame");
    CHECK_EQ(v2[100].hdr.flags, GTF_permit_access, "not in the entry");
    CHECK_EQ(unmap(m.handle), GNTST_okay, "unmapped");
    CHECK_EQ(state[100], 0, "the state is clear");
    v2[100].sub_page.page_off = 8;
    v2[100].sub_page.length = 16;
    v2[100].hdr.flags = GTF_permit_access | GTF_sub_page;
    CHECK_EQ(map(100, GNTMAP_host_map).status, GNTST_general_error, "part of a page cannot be mapped");
    c = copy_between(page + 8, second, 16);
    c.source.u.ref = 100;
    c.source.domid = pv_domid();
    c.flags = GNTCOPY_source_gref;
    CHECK_EQ(run_copy(&c), GNTST_okay, "but copied");
    c.source.offset = 9;
    CHECK_EQ(run_copy(&c), GNTST_general_error, "within its bounds");
    v2[101].transitive.trans_domid = pv_domid();
    v2[101].transitive.gref = 102;
    v2[101].hdr.domid = pv_domid();
    v2[101].hdr.flags = GTF_transitive;
    v2[102].full_page.frame = virt_to_mfn(page);
    v2[102].hdr.domid = pv_domid();
    v2[102].hdr.flags = GTF_permit_access;
    c.source.u.ref = 101;
    c.source.offset = 8;
    CHECK_EQ(run_copy(&c), GNTST_general_error, "an entry that passes on another of the same domain is refused");
    CHECK(state[101] == 0 && state[102] == 0, "both are free again");
    CHECK_EQ(map(101, GNTMAP_host_map).status, GNTST_general_error, "cannot be mapped");
    set.version = 1;
    CHECK_EQ(op(GNTTABOP_set_version, &set, 1), -XEN_EBUSY, "the status frames do not go while one is mapped");
    CHECK_EQ(set.version, 2, "so it is version 2 still");
    unmap_frames(state, 1);
    set.version = 1;
    CHECK_EQ(op(GNTTABOP_set_version, &set, 1), 0, "and back to version 1");
    CHECK_EQ(table[REF].flags, 0, "with an empty table");
}

int main(int argc, char **argv)
{
    table = grant_table(&entries);
    page = pages_alloc(1);
    second = pages_alloc(1);
    window = vspace_alloc(2);
    if (!CHECK(table != NULL && page != NULL && second != NULL && window != NULL, "the library has a table and pages"))
        return check_summary("gnttab");
    pte_write(window, 0); /* builds the tables above */
    pte_write(window + PAGE_SIZE, 0);
    test_table();
    test_mapping();
    test_refusals();
    test_copying();
    test_many();
    test_swap();
    test_version_2();
    return check_summary("gnttab") != 0;
}
