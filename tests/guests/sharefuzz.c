/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Random calls to event_channel_op and grant_table_op, from all vCPUs at once, while the grant table and the event
 * words are scribbled over. Whatever the calls answer, the hypervisor must live on, our memory outside the playground
 * must stay as it was, and every port can be closed. Grants that are still mapped go with the domain. seed=N on the
 * command line repeats a run.
 */
#include <stdio.h>
#include <string.h>
#include <abi/errno.h>
#include <abi/event_channel.h>
#include <abi/grant_table.h>
#include <pv/event.h>
#include <pv/grant.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/smp.h>
#include <pv/time.h>
#include "check.h"

enum { PAGES = 8, ROUNDS = 30000, CPUS = 4, HANDLES = 64 };

struct player {
    uint64_t state;
    char *window; /* PAGES virtual pages to map grants at */
    unsigned int calls;
    grant_handle_t handles[HANDLES];
    uint64_t addresses[HANDLES], buses[HANDLES];
};

static char *playground, *witness;
static struct grant_entry_v1 *table;
static unsigned int entries;
static struct player players[CPUS];
static volatile int finished[CPUS];

static uint32_t draw(struct player *p, uint32_t below)
{
    p->state = p->state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(p->state >> 33) % below;
}

/* Mostly sensible, sometimes an edge, sometimes anything. */
static uint32_t number(struct player *p, uint32_t sensible)
{
    static const uint32_t edges[] = {0, 1, 7, 8, 511, 512, 1023, 1024, 4095, 4096, 0x7ff0, 0x7fffffff, 0xffffffff};

    switch (draw(p, 8)) {
    case 0:
        return edges[draw(p, sizeof(edges) / sizeof(edges[0]))];
    case 1:
        return (uint32_t)p->state;
    default:
        return draw(p, sensible);
    }
}

static domid_t domain(struct player *p)
{
    return draw(p, 4) ? pv_domid() : (domid_t)number(p, 0x8000);
}

static char *page(struct player *p)
{
    return playground + draw(p, PAGES) * PAGE_SIZE;
}

static xen_pfn_t frame(struct player *p)
{
    return draw(p, 8) ? (xen_pfn_t)virt_to_mfn(page(p)) : (xen_pfn_t)0xffffff + draw(p, 1000000);
}

static void scribble_entry(struct player *p)
{
    struct grant_entry_v1 *e = &table[8 + draw(p, 24)];

    e->domid = domain(p);
    e->frame = (uint32_t)frame(p);
    e->flags = (uint16_t)(draw(p, 3) ? GTF_permit_access : p->state);
}

static void event_call(struct player *p)
{
    static const unsigned int ops[] = {
        EVTCHNOP_bind_interdomain, EVTCHNOP_bind_virq,     EVTCHNOP_close,    EVTCHNOP_send,
        EVTCHNOP_status,           EVTCHNOP_alloc_unbound, EVTCHNOP_bind_ipi, EVTCHNOP_bind_vcpu,
        EVTCHNOP_unmask,           EVTCHNOP_set_priority,  EVTCHNOP_send,     EVTCHNOP_close};
    uint32_t args[8];
    unsigned int op = draw(p, 20) ? ops[draw(p, sizeof(ops) / sizeof(ops[0]))] : 14 + draw(p, 1000);

    for (int i = 0; i < 8; i++)
        args[i] = number(p, 40);
    if (op == EVTCHNOP_bind_interdomain || op == EVTCHNOP_alloc_unbound || op == EVTCHNOP_status)
        args[0] = domain(p) | (uint32_t)(op == EVTCHNOP_alloc_unbound ? domain(p) << 16 : 0);
    HYPERVISOR_event_channel_op(op, args);
}

static void map_call(struct player *p)
{
    unsigned int slot = draw(p, HANDLES);
    struct gnttab_map_grant_ref map = {.host_addr = (unsigned long)p->window + draw(p, PAGES) * PAGE_SIZE,
                                       .flags = number(p, 16),
                                       .ref = 8 + number(p, 24),
                                       .dom = domain(p)};

    map.flags &= ~(uint32_t)GNTMAP_contains_pte;
    if (HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, &map, 1) == 0 && map.status == GNTST_okay) {
        p->handles[slot] = map.handle;
        p->addresses[slot] = map.flags & GNTMAP_host_map ? map.host_addr : 0;
        p->buses[slot] = map.flags & GNTMAP_device_map ? map.dev_bus_addr : 0;
    }
}

static void unmap_call(struct player *p)
{
    unsigned int slot = draw(p, HANDLES);
    struct gnttab_unmap_grant_ref unmap = {.host_addr = p->addresses[slot],
                                           .dev_bus_addr = p->buses[slot],
                                           .handle = draw(p, 8) ? p->handles[slot] : number(p, 200)};

    HYPERVISOR_grant_table_op(GNTTABOP_unmap_grant_ref, &unmap, 1);
}

static void copy_call(struct player *p)
{
    struct gnttab_copy copy;

    memset(&copy, 0, sizeof(copy));
    copy.flags = (uint16_t)draw(p, 4);
    copy.source.u.gmfn = copy.flags & GNTCOPY_source_gref ? 8 + number(p, 24) : frame(p);
    copy.dest.u.gmfn = copy.flags & GNTCOPY_dest_gref ? 8 + number(p, 24) : frame(p);
    copy.source.domid = copy.flags & GNTCOPY_source_gref ? domain(p) : DOMID_SELF;
    copy.dest.domid = copy.flags & GNTCOPY_dest_gref ? domain(p) : DOMID_SELF;
    copy.source.offset = (uint16_t)number(p, 4096);
    copy.dest.offset = (uint16_t)number(p, 4096);
    copy.len = (uint16_t)number(p, 300);
    HYPERVISOR_grant_table_op(GNTTABOP_copy, &copy, 1);
}

static void other_grant_call(struct player *p)
{
    struct gnttab_swap_grant_ref swap = {.ref_a = 8 + number(p, 24), .ref_b = 8 + number(p, 24)};
    struct gnttab_query_size size = {.dom = domain(p)};
    struct gnttab_set_version version = {.version = 3 + number(p, 100)};
    struct gnttab_cache_flush flush = {.a.dev_bus_addr = (uint64_t)frame(p) << PAGE_SHIFT,
                                       .offset = (uint16_t)number(p, 4096),
                                       .length = (uint16_t)number(p, 4096),
                                       .op = number(p, 4)};

    HYPERVISOR_grant_table_op(GNTTABOP_swap_grant_ref, &swap, 1);
    HYPERVISOR_grant_table_op(GNTTABOP_query_size, &size, 1);
    HYPERVISOR_grant_table_op(GNTTABOP_set_version, &version, 1);
    HYPERVISOR_grant_table_op(GNTTABOP_cache_flush, &flush, 1);
    HYPERVISOR_grant_table_op(13 + draw(p, 1000), &flush, 1);
}

static void play(void *arg)
{
    struct player *p = arg;

    for (p->calls = 0; p->calls < ROUNDS; p->calls++) {
        switch (draw(p, 10)) {
        case 0:
        case 1:
            scribble_entry(p);
            break;
        case 2:
        case 3:
            map_call(p);
            break;
        case 4:
        case 5:
            unmap_call(p);
            break;
        case 6:
            copy_call(p);
            break;
        case 7:
            other_grant_call(p);
            break;
        default:
            event_call(p);
        }
    }
    __atomic_store_n(&finished[p - players], 1, __ATOMIC_SEQ_CST);
}

static bool witness_unchanged(void)
{
    for (unsigned long i = 0; i < PAGE_SIZE; i++)
        if (witness[i] != (char)(i * 7))
            return false;
    return true;
}

int main(int argc, char **argv)
{
    uint64_t start = pv_option_number("seed", 4711);
    struct evtchn_reset reset = {.dom = DOMID_SELF};
    struct evtchn_bind_ipi ipi = {.vcpu = 0};
    unsigned int cpus = smp_cpu_count() < CPUS ? smp_cpu_count() : CPUS;
    uint64_t limit = time_monotonic_ns() + 120000000000ULL;

    table = grant_table(&entries);
    playground = pages_alloc(PAGES);
    witness = pages_alloc(1);
    for (unsigned long i = 0; i < PAGE_SIZE; i++)
        witness[i] = (char)(i * 7);
    for (unsigned int i = 0; i < CPUS; i++) {
        players[i].state = start + i;
        players[i].window = vspace_alloc(PAGES);
        for (int n = 0; n < PAGES; n++)
            pte_write(players[i].window + (unsigned long)n * PAGE_SIZE, 0);
    }
    check_group("random calls");
    irq_disable();
    for (unsigned int i = 1; i < cpus; i++)
        CHECK_EQ(smp_start(i, play, &players[i]), 0, "a vCPU starts to play");
    play(&players[0]);
    for (unsigned int i = 1; i < cpus; i++)
        while (!finished[i] && time_monotonic_ns() < limit)
            ;
    for (unsigned int i = 0; i < cpus; i++)
        CHECK_EQ(players[i].calls, ROUNDS, "every call of a vCPU came back");
    CHECK(witness_unchanged(), "memory outside the playground is as it was");
    CHECK_EQ(HYPERVISOR_event_channel_op(EVTCHNOP_reset, &reset), 0, "all ports can be closed");
    CHECK(HYPERVISOR_event_channel_op(EVTCHNOP_bind_ipi, &ipi) == 0 && ipi.port == 1, "and the first is free again");
    printf("sharefuzz: seed %llu, %u vCPUs, %u calls each\n", (unsigned long long)start, cpus, (unsigned int)ROUNDS);
    return check_summary("sharefuzz") != 0;
}
