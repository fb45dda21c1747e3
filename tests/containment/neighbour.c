/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Two domains, of either width. One (for=DOMID) lends pages, takes them back, makes page tables of them and dies in the
 * middle; the other (peer=DOMID) takes what it is lent for more than that: writes to what it may read, gives away, maps
 * on or retypes what is not its own, sends events without end, and still holds it all when the lender is dead.
 */
#include <stdlib.h>
#include <abi/event_channel.h>
#include <abi/memory.h>
#include <pv/event.h>
#include <pv/grant.h>
#include <pv/threads.h>
#include "attack.h"
#include "../../guest-pv/core/internal.h"

enum { RW_REF = 40, RO_REF, FLIP_REF, LENT_NS = 1500000000 };

#define MAGIC 0x600dd00dU

/* At the start of the writable page. */
struct note {
    volatile uint32_t magic, port, table_frame, go, seen;
};

static domid_t other;
static struct grant_entry_v1 *table;

static void offer(unsigned int ref, unsigned long mfn, uint16_t flags)
{
    table[ref].flags = 0;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    table[ref].domid = other;
    table[ref].frame = (uint32_t)mfn;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    table[ref].flags = flags;
}

static bool still(const char *page, char byte)
{
    for (unsigned long i = 0; i < PAGE_SIZE; i++)
        if (page[i] != byte)
            return false;
    return true;
}

static void lender(void)
{
    struct note *note = pages_alloc(1);
    char *readable = pages_alloc(1), *flipped = pages_alloc(1), *table_page = (char *)new_table();
    struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF, .remote_dom = other};
    unsigned int tables = 0;
    uint64_t end;

    memset(readable, 0x4c, PAGE_SIZE);
    HYPERVISOR_event_channel_op(EVTCHNOP_alloc_unbound, &alloc);
    mmuext(MMUEXT_PIN_L1_TABLE, virt_to_mfn(table_page));
    note->port = alloc.port;
    note->table_frame = (uint32_t)virt_to_mfn(table_page);
    note->magic = MAGIC;
    offer(RW_REF, virt_to_mfn(note), GTF_permit_access);
    offer(RO_REF, virt_to_mfn(readable), GTF_permit_access | GTF_readonly);
    pages_protect(flipped, 1, false);
    printf("neighbour: lends\n");
    while (!note->go)
        thread_sleep_ns(10000000);
    end = time_monotonic_ns() + LENT_NS;
    for (unsigned int i = 0; time_monotonic_ns() < end; i++) {
        uint32_t before;

        offer(FLIP_REF, i & 1 ? virt_to_mfn(flipped) : note->table_frame, GTF_permit_access);
        if (mmuext(MMUEXT_PIN_L1_TABLE, virt_to_mfn(flipped)) != 0)
            continue;
        before = *(volatile uint32_t *)flipped;
        time_spin_ns(30000);
        tables += *(volatile uint32_t *)flipped == before ? 1 : 1000000;
        mmuext(MMUEXT_UNPIN_TABLE, virt_to_mfn(flipped));
        if (i % 64 == 0)
            thread_yield();
    }
    check_group("the lender");
    CHECK(still(readable, 0x4c), "a page lent for reading is as it was");
    CHECK(still(table_page, 0), "a page table is nobody's to write");
    CHECK(tables < 1000000, "a page that became a table is not written by who had it mapped before");
    printf("neighbour: %u times a table, %u visits; dies with all of it lent\n", tables, (unsigned int)note->seen);
    check_summary("contain-neighbour");
}

static int16_t map(unsigned int ref, uint32_t flags, void *at, grant_handle_t *handle)
{
    struct gnttab_map_grant_ref op = {
        .host_addr = (unsigned long)at, .flags = GNTMAP_host_map | flags, .ref = ref, .dom = other};

    tables_build((unsigned long)at, 1);
    HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, &op, 1);
    *handle = op.handle;
    return op.status;
}

static int16_t unmap(void *at, grant_handle_t handle)
{
    struct gnttab_unmap_grant_ref op = {.host_addr = (unsigned long)at, .handle = handle};

    return HYPERVISOR_grant_table_op(GNTTABOP_unmap_grant_ref, &op, 1) != 0 ? -99 : op.status;
}

/* A right to read is no right to anything else. */
static void test_more_than_lent(char *readable, unsigned long mfn)
{
    xen_pfn_t frame = (xen_pfn_t)mfn;
    struct xen_memory_reservation r = {.nr_extents = 1, .domid = DOMID_SELF};
    struct gnttab_transfer transfer = {.mfn = (xen_pfn_t)mfn, .domid = other, .ref = RO_REF};
    struct gnttab_copy copy = {
        .source = {.u.gmfn = (xen_pfn_t)virt_to_mfn(pages_alloc(1)), .domid = DOMID_SELF},
        .dest = {.u.ref = RO_REF, .domid = other},
        .len = 16,
        .flags = GNTCOPY_dest_gref,
    };
    struct evtchn_expand_array expand = {.array_gfn = mfn};
    unsigned long gdt = mfn;
    char *at = vspace_alloc(1);
    grant_handle_t handle;

    check_group("more than was lent");
    CHECK(map(RO_REF, 0, at, &handle) != GNTST_okay, "a writable mapping of what is lent for reading");
    CHECK(set_pte(readable, pte_make(mfn, PTE_KERNEL_RW)) != 0, "the mapping made writable as if the frame were ours");
    CHECK(HYPERVISOR_update_va_mapping_otherdomain((unsigned long)readable, pte_make(mfn, PTE_KERNEL_RW), 0, other) !=
              0,
          "or as the lender's");
    CHECK(mmu_update(pte_slot(readable) | MMU_PT_UPDATE_PRESERVE_AD, pte_make(mfn, PTE_KERNEL_RW)) != 0,
          "or by the entry's address, its bits kept");
    CHECK(set_pte(at, pte_make(mfn, PTE_KERNEL_RO)) != 0, "a second mapping without a grant");
    CHECK(!probe_write(readable, 1), "a write");
    HYPERVISOR_grant_table_op(GNTTABOP_copy, &copy, 1);
    CHECK(copy.status != GNTST_okay, "a copy into it");
    CHECK(mmuext(MMUEXT_CLEAR_PAGE, mfn) != 0, "clearing it");
    CHECK(mmuext(MMUEXT_PIN_L1_TABLE, mfn) != 0, "a page table of ours");
    CHECK(HYPERVISOR_set_gdt(&gdt, 512) != 0, "a descriptor table of ours");
    CHECK(HYPERVISOR_event_channel_op(EVTCHNOP_expand_array, &expand) != 0, "event words of ours");
    set_xen_guest_handle(r.extent_start, &frame);
    CHECK(HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r) == 0, "giving it back in the lender's stead");
    HYPERVISOR_grant_table_op(GNTTABOP_transfer, &transfer, 1);
    CHECK(transfer.status != GNTST_okay, "giving it away");
    table[50] = (struct grant_entry_v1){GTF_permit_access, pv_domid(), (uint32_t)mfn};
    copy.dest = (struct gnttab_copy_ptr){.u.ref = 50, .domid = pv_domid()};
    HYPERVISOR_grant_table_op(GNTTABOP_copy, &copy, 1);
    CHECK(copy.status != GNTST_okay, "lending it on: only the owner may");
    table[50].flags = 0;
    copy = (struct gnttab_copy){.source = {.u.gmfn = (xen_pfn_t)mfn, .domid = DOMID_SELF},
                                .dest = {.u.gmfn = (xen_pfn_t)mfn, .domid = DOMID_SELF},
                                .len = 16};
    HYPERVISOR_grant_table_op(GNTTABOP_copy, &copy, 1);
    CHECK(copy.status != GNTST_okay, "copying by its number, as if it were ours");
    CHECK(still(readable, 0x4c), "after all that it is as it was");
    vspace_free(at, 1);
}

static volatile bool storming;
static volatile uint32_t storm_port;

static void storm(void *arg)
{
    struct evtchn_send send = {.port = storm_port};

    while (storming)
        HYPERVISOR_event_channel_op(EVTCHNOP_send, &send);
}

static void borrower(void)
{
    struct note *note = vspace_alloc(1);
    char *readable = vspace_alloc(1), *flipped = vspace_alloc(1);
    grant_handle_t note_handle, readable_handle, handle;
    struct evtchn_bind_interdomain join = {.remote_dom = other};
    struct evtchn_send send;
    unsigned long visits = 0;
    uint64_t end;
    pte_t entry;

    check_group("the borrower");
    CHECK_EQ(map(RW_REF, 0, note, &note_handle), GNTST_okay, "a page is lent for writing");
    CHECK_EQ(note->magic, MAGIC, "it is the right one");
    CHECK_EQ(map(RO_REF, GNTMAP_readonly, readable, &readable_handle), GNTST_okay, "another for reading");
    entry = pte_read(readable);
    test_more_than_lent(readable, pte_mfn(entry));
    check_group("a lender that changes its mind, and dies");
    join.remote_port = note->port;
    CHECK_EQ(HYPERVISOR_event_channel_op(EVTCHNOP_bind_interdomain, &join), 0, "its port is meant for us");
    CHECK(HYPERVISOR_event_channel_op(EVTCHNOP_bind_interdomain, &join) != 0, "once");
    storm_port = send.port = join.local_port;
    storming = true;
    if (smp_cpu_count() > 1)
        smp_start(1, storm, NULL);
    note->go = 1;
    end = time_monotonic_ns() + LENT_NS / 2;
    while (time_monotonic_ns() < end) {
        if (map(FLIP_REF, 0, flipped, &handle) == GNTST_okay) {
            for (unsigned int i = 0; i < 200; i++)
                *(volatile uint32_t *)flipped += 8;
            note->seen = (uint32_t)++visits;
            unmap(flipped, handle);
        }
        HYPERVISOR_event_channel_op(EVTCHNOP_send, &send);
        if (visits % 16 == 0)
            thread_sleep_ns(1000000);
    }
    end = time_monotonic_ns() + 20000000000ULL;
    while (HYPERVISOR_event_channel_op(EVTCHNOP_send, &send) == 0 && time_monotonic_ns() < end) {
        struct evtchn_status status = {.dom = DOMID_SELF, .port = send.port};

        HYPERVISOR_event_channel_op(EVTCHNOP_status, &status);
        if (status.status != EVTCHNSTAT_interdomain)
            break;
        thread_sleep_ns(20000000);
    }
    CHECK(time_monotonic_ns() < end, "the lender's death ends the channel, under a storm of events");
    storming = false;
    thread_sleep_ns(500000000);
    CHECK_EQ(note->magic, MAGIC, "what it lent is still there: a page lives as long as its mappings");
    note->seen = 0x12345678;
    CHECK(still(readable, 0x4c), "and unchanged");
    CHECK(map(RW_REF, 0, flipped, &handle) != GNTST_okay, "the dead lend nothing more");
    CHECK_EQ(unmap(readable, readable_handle), GNTST_okay, "one mapping is given back");
    CHECK(!probe_write(readable, 1), "and gone");
    printf("neighbour: %lu visits; ends with a page of the dead\n", visits);
    check_summary("contain-neighbour");
}

int main(int argc, char **argv)
{
    unsigned int entries;
    const char *lends_to = pv_option("for"), *borrows_from = pv_option("peer");

    table = grant_table(&entries);
    if (lends_to != NULL) {
        other = (domid_t)strtoul(lends_to, NULL, 0);
        lender();
    } else if (borrows_from != NULL) {
        other = (domid_t)strtoul(borrows_from, NULL, 0);
        borrower();
    } else {
        printf("contain-neighbour: 0 passed, 0 failed\n");
    }
    return 0;
}
