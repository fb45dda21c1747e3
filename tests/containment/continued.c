/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Hypercalls that are interrupted every few microseconds and continue: whatever state a call keeps while its caller
 * takes an event, it must do each element of its list exactly once, and count right. A call that begins again repeats a
 * map or a free; one that goes on too far leaves something out. With a second vCPU the state that lies in the guest's
 * own memory meanwhile (the entry of a multicall, the count of what is done) is changed while the call stands still.
 */
#include <abi/event_channel.h>
#include <abi/memory.h>
#include <pv/event.h>
#include <pv/grant.h>
#include "attack.h"
#include "../../guest-pv/core/internal.h"

enum { COUNT = 400, EVERY_NS = 25000, REF = 64 };

static volatile unsigned long ticks;
static volatile bool ticking;

static void tick(evtchn_port_t port, void *data)
{
    ticks++;
    if (ticking)
        timer_set(time_monotonic_ns() + EVERY_NS);
}

static void start_ticking(void)
{
    take_timer(tick);
    ticking = true;
    timer_set(time_monotonic_ns() + EVERY_NS);
}

static void test_page_tables(char *page)
{
    static struct mmu_update updates[COUNT];
    static struct mmuext_op clears[COUNT];
    pte_t *table = new_table();
    unsigned long mfn = virt_to_mfn(page);
    unsigned int done = 0, right = 0;

    check_group("page tables");
    mmuext(MMUEXT_PIN_L1_TABLE, virt_to_mfn(table));
    for (unsigned int round = 0; round < 20; round++) {
        for (unsigned int i = 0; i < COUNT; i++)
            updates[i] = (struct mmu_update){.ptr = entry_of(virt_to_mfn(table), i),
                                             .val = pte_make(mfn, PTE_P | PTE_US | (round & 1 ? PTE_RW : 0))};
        HYPERVISOR_mmu_update(updates, COUNT, &done, DOMID_SELF);
        for (unsigned int i = 0; i < COUNT; i++)
            right += pte_mfn(table[i]) == mfn && !(table[i] & PTE_RW) == !(round & 1);
        if (done != COUNT)
            break;
    }
    CHECK(done == COUNT && right == 20 * COUNT, "each entry of each list was written, and the count says so");
    mmuext(MMUEXT_UNPIN_TABLE, virt_to_mfn(table));
    drop_table(table);
    for (unsigned int i = 0; i < COUNT; i++)
        clears[i] = (struct mmuext_op){.cmd = MMUEXT_CLEAR_PAGE, .arg1.mfn = mfn};
    page[7] = 1;
    CHECK(HYPERVISOR_mmuext_op(clears, COUNT, &done, DOMID_SELF) == 0 && done == COUNT && page[7] == 0,
          "so it is with extended operations");
}

static void test_trees(char *page)
{
    pte_t *tables[TOP_LEVEL];
    unsigned int good = 0;

    check_group("trees of tables");
    new_chain(tables, 2);
    for (unsigned int i = 0; i < 512; i++) {
        poke(&tables[0][i], pte_make(virt_to_mfn(page), PTE_P | PTE_US | PTE_RW));
        poke(&tables[1][i], pte_make(virt_to_mfn(tables[0]), TABLE_FLAGS));
    }
    for (unsigned int i = 0; i < 200; i++) {
        good += mmuext(MMUEXT_PIN_L2_TABLE, virt_to_mfn(tables[1])) == 0;
        good += mmuext(MMUEXT_UNPIN_TABLE, virt_to_mfn(tables[1])) == 0;
    }
    CHECK_EQ(good, 400, "a tree of tables is validated and dismantled, wherever it was interrupted");
    pages_protect(page, 1, false);
    CHECK_EQ(mmuext(MMUEXT_PIN_L1_TABLE, virt_to_mfn(page)), 0, "and none of its thousands of references is left");
    mmuext(MMUEXT_UNPIN_TABLE, virt_to_mfn(page));
    pages_protect(page, 1, true);
    for (unsigned int i = 0; i < 2; i++)
        drop_table(tables[i]);
}

static void test_multicalls(void)
{
    static struct multicall_entry calls[COUNT];
    static struct evtchn_alloc_unbound allocs[COUNT];
    static struct mmuext_op flushes[COUNT];
    static unsigned int done[COUNT];
    struct evtchn_close close;
    unsigned int good = 0, distinct = 0;

    check_group("multicalls");
    for (unsigned int i = 0; i < COUNT; i++) {
        allocs[i] = (struct evtchn_alloc_unbound){.dom = DOMID_SELF, .remote_dom = 0x7001};
        calls[i] = (struct multicall_entry){.op = __HYPERVISOR_event_channel_op,
                                            .args = {EVTCHNOP_alloc_unbound, (unsigned long)&allocs[i]}};
        flushes[i].cmd = MMUEXT_TLB_FLUSH_LOCAL;
    }
    CHECK_EQ(HYPERVISOR_multicall(calls, COUNT), 0, "a list of calls");
    for (unsigned int i = 0; i < COUNT; i++) {
        good += calls[i].result == 0 && allocs[i].port != 0;
        distinct += i == 0 || allocs[i].port == allocs[i - 1].port + 1;
        close.port = allocs[i].port;
        HYPERVISOR_event_channel_op(EVTCHNOP_close, &close);
    }
    CHECK(good == COUNT && distinct >= COUNT - 40, "each is made once");
    for (unsigned int i = 0; i < 20; i++)
        calls[i] = (struct multicall_entry){
            .op = __HYPERVISOR_mmuext_op, .args = {(unsigned long)flushes, COUNT, (unsigned long)&done[i], DOMID_SELF}};
    CHECK_EQ(HYPERVISOR_multicall(calls, 20), 0, "calls that are lists themselves");
    good = 0;
    for (unsigned int i = 0; i < 20; i++)
        good += calls[i].result == 0 && done[i] == COUNT;
    CHECK_EQ(good, 20, "each does the whole of its list, and not more");
}

static void test_grants(char *page)
{
    static struct gnttab_map_grant_ref maps[COUNT];
    static struct gnttab_unmap_grant_ref unmaps[COUNT];
    unsigned int entries, good = 0;
    struct grant_entry_v1 *table = grant_table(&entries);
    char *at = vspace_alloc(COUNT);

    check_group("grants");
    tables_build((unsigned long)at, COUNT);
    table[REF] = (struct grant_entry_v1){GTF_permit_access, pv_domid(), (uint32_t)virt_to_mfn(page)};
    for (unsigned int round = 0; round < 5; round++) {
        for (unsigned int i = 0; i < COUNT; i++)
            maps[i] = (struct gnttab_map_grant_ref){.host_addr = (unsigned long)at + i * PAGE_SIZE,
                                                    .flags = GNTMAP_host_map,
                                                    .ref = REF,
                                                    .dom = pv_domid()};
        HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, maps, COUNT);
        for (unsigned int i = 0; i < COUNT; i++) {
            good += maps[i].status == GNTST_okay;
            unmaps[i] = (struct gnttab_unmap_grant_ref){.host_addr = maps[i].host_addr, .handle = maps[i].handle};
        }
        HYPERVISOR_grant_table_op(GNTTABOP_unmap_grant_ref, unmaps, COUNT);
        for (unsigned int i = 0; i < COUNT; i++)
            good += unmaps[i].status == GNTST_okay;
    }
    CHECK_EQ(good, 10 * COUNT, "each is mapped once and unmapped once");
    CHECK_EQ(table[REF].flags, GTF_permit_access, "and the granter sees it unused");
    table[REF].flags = 0;
}

static void test_memory(void)
{
    unsigned long given = 0, taken = 0;

    check_group("memory");
    for (unsigned int round = 0; round < 5; round++) {
        unsigned long before = balloon_current(), gave = balloon_release(COUNT);

        given += gave;
        taken += balloon_claim(gave);
        if (balloon_current() != before)
            break;
    }
    CHECK(given == 5 * COUNT && taken == given, "every page that goes comes back, once");
}

/* What another vCPU writes into an entry of a multicall that stands still is what that entry now is, and no more. The
 * lists begin anywhere in the first half of the flushes and end at the zeros of the second: what lies behind is the
 * guest's own, and would be carried out as well. */
static struct multicall_entry victim_calls[32];
static struct mmuext_op victim_flushes[2 * COUNT];

static void tamper(void *arg)
{
    struct race *race = arg;

    while (race->running) {
        for (unsigned int i = 0; i < 32; i++) {
            victim_calls[i].args[1] ^= 0x80000000UL;
            victim_calls[i].args[0] = (unsigned long)victim_flushes + race->rounds % COUNT * 8;
            victim_calls[i].op ^= __HYPERVISOR_mmuext_op ^ __HYPERVISOR_mmu_update;
        }
        race->rounds++;
    }
}

static void test_tampering(void)
{
    struct race race;
    uint64_t end = time_monotonic_ns() + 200000000;

    check_group("state that another vCPU changes");
    if (!race_start(&race, tamper))
        return;
    while (time_monotonic_ns() < end) {
        for (unsigned int i = 0; i < COUNT; i++)
            victim_flushes[i].cmd = MMUEXT_TLB_FLUSH_LOCAL;
        for (unsigned int i = 0; i < 32; i++)
            victim_calls[i] = (struct multicall_entry){.op = __HYPERVISOR_mmuext_op,
                                                       .args = {(unsigned long)victim_flushes, COUNT, 0, DOMID_SELF}};
        HYPERVISOR_multicall(victim_calls, 32);
    }
    race_stop(&race);
    CHECK(race.rounds > 0, "it did, and both are still here");
}

int main(int argc, char **argv)
{
    char *page = pages_alloc(1);

    start_ticking();
    test_page_tables(page);
    test_trees(page);
    test_multicalls();
    test_grants(page);
    test_memory();
    test_tampering();
    ticking = false;
    CHECK(ticks > 100, "all this was interrupted, again and again");
    printf("continued: %lu interruptions\n", ticks);
    check_summary("contain-continued");
    return 0;
}
