/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Unbounded work: a guest that hands the hypervisor a list of a hundred thousand elements, or a table as large as
 * tables get, must not keep a CPU for itself. A timer is set shortly before each such call; how late its interrupt is
 * heard is how long the hypervisor went without looking. With "icount" on the command line one nanosecond is one
 * instruction, and a million is the limit; without, the numbers are shown, and the limit is a tenth of a second.
 */
#include <abi/event_channel.h>
#include <abi/memory.h>
#include <pv/event.h>
#include <pv/grant.h>
#include "attack.h"
#include "../../guest-pv/core/internal.h"

#define LIST_BYTES (4UL << 20)
#define AHEAD_NS   60000U

static char *list;
static volatile uint64_t due, late;
static uint64_t limit;

static void timer_heard(evtchn_port_t port, void *data)
{
    uint64_t now = time_monotonic_ns();

    if (due != 0 && now >= due) {
        late = now - due;
        due = 0;
    }
}

/* Runs the call with a timer that expires early in it. The worst of several moments counts. */
static void heavy(const char *what, void (*prepare)(void), long (*call)(void))
{
    static const unsigned int ahead[] = {AHEAD_NS, 3 * AHEAD_NS, 9 * AHEAD_NS};
    uint64_t worst = 0, length = 0;
    long result = 0;

    for (unsigned int i = 0; i < ARRAY_SIZE(ahead); i++) {
        uint64_t start;

        if (prepare != NULL)
            prepare();
        start = time_monotonic_ns();
        late = 0;
        due = start + ahead[i];
        timer_set(due);
        result = call();
        length = time_monotonic_ns() - start;
        while (due != 0 && time_monotonic_ns() < start + 2 * ahead[i] + 1000000)
            ;
        worst = due != 0 ? UINT64_MAX : late > worst ? late : worst; /* one that never came is the latest of all */
    }
    printf("latency: %s: result %ld, %lu us long, interrupt %lu us late at worst\n", what, result,
           (unsigned long)(length / 1000), (unsigned long)(worst / 1000));
    CHECK(worst <= limit, what);
}

static void fill(const void *element, size_t size)
{
    for (size_t at = 0; at + size <= LIST_BYTES; at += size)
        memcpy(list + at, element, size);
}

static void prepare_flushes(void)
{
    struct mmuext_op op = {.cmd = MMUEXT_TLB_FLUSH_LOCAL};

    fill(&op, sizeof(op));
}

static long call_mmuext(void)
{
    return HYPERVISOR_mmuext_op((void *)list, LIST_BYTES / sizeof(struct mmuext_op), NULL, DOMID_SELF);
}

static void prepare_copies(void)
{
    struct mmuext_op op = {.cmd = MMUEXT_CLEAR_PAGE, .arg1.mfn = virt_to_mfn(list + LIST_BYTES)};

    fill(&op, sizeof(op));
}

static void prepare_updates(void)
{
    struct mmu_update op = {.ptr = pte_slot(list + LIST_BYTES), .val = pte_read(list + LIST_BYTES)};

    fill(&op, sizeof(op));
}

static long call_mmu_update(void)
{
    return HYPERVISOR_mmu_update((void *)list, LIST_BYTES / sizeof(struct mmu_update), NULL, DOMID_SELF);
}

static void prepare_multicall(void)
{
    struct multicall_entry entry = {.op = __HYPERVISOR_xen_version, .args = {XENVER_version, 0}};

    fill(&entry, sizeof(entry));
}

static long call_multicall(void)
{
    return HYPERVISOR_multicall((void *)list, LIST_BYTES / sizeof(struct multicall_entry));
}

/* The list serves as the list of an mmuext_op; the entry lies behind it. */
static long call_multicall_of_flushes(void)
{
    struct multicall_entry *entry = (void *)(list + LIST_BYTES);

    *entry = (struct multicall_entry){
        .op = __HYPERVISOR_mmuext_op,
        .args = {(unsigned long)list, LIST_BYTES / sizeof(struct mmuext_op), 0, DOMID_SELF},
    };
    return HYPERVISOR_multicall(entry, 1);
}

static void prepare_grant_copies(void)
{
    struct gnttab_copy op = {
        .source = {.u.gmfn = (xen_pfn_t)virt_to_mfn(list + LIST_BYTES), .domid = DOMID_SELF},
        .dest = {.u.gmfn = (xen_pfn_t)virt_to_mfn(list + LIST_BYTES), .domid = DOMID_SELF},
        .len = PAGE_SIZE,
    };

    fill(&op, sizeof(op));
}

static long call_grant_copies(void)
{
    return HYPERVISOR_grant_table_op(GNTTABOP_copy, list, LIST_BYTES / sizeof(struct gnttab_copy));
}

static void prepare_unmaps(void)
{
    struct gnttab_unmap_grant_ref op = {.handle = ~0U};

    fill(&op, sizeof(op));
}

static long call_unmaps(void)
{
    return HYPERVISOR_grant_table_op(GNTTABOP_unmap_grant_ref, list,
                                     LIST_BYTES / sizeof(struct gnttab_unmap_grant_ref));
}

static void prepare_maps(void)
{
    struct gnttab_map_grant_ref op = {.flags = GNTMAP_host_map, .dom = DOMID_SELF};

    fill(&op, sizeof(op));
}

static long call_maps(void)
{
    return HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, list, LIST_BYTES / sizeof(struct gnttab_map_grant_ref));
}

static void prepare_swaps(void)
{
    struct gnttab_swap_grant_ref op = {.ref_a = 20, .ref_b = 21};

    fill(&op, sizeof(op));
}

static long call_swaps(void)
{
    return HYPERVISOR_grant_table_op(GNTTABOP_swap_grant_ref, list, LIST_BYTES / sizeof(struct gnttab_swap_grant_ref));
}

static void prepare_traps(void)
{
    struct trap_info trap = {.vector = 200, .flags = 3, .cs = 0xe019, .address = (unsigned long)&prepare_traps};

    fill(&trap, sizeof(trap));
    memset(list + LIST_BYTES - 2 * sizeof(trap), 0, 2 * sizeof(trap));
}

static long call_set_trap_table(void)
{
    return HYPERVISOR_set_trap_table((void *)list);
}

static long call_restore_traps(void)
{
    traps_register();
    return 0;
}

#define EXTENTS 4096U

static xen_pfn_t *extents(void)
{
    return (xen_pfn_t *)list;
}

static unsigned int given;

/* The balloon's own way, so that the library's books stay right. */
static long call_balloon(void)
{
    given = (unsigned int)balloon_release(EXTENTS);
    return (long)balloon_claim(given);
}

static long call_populate_nothing(void)
{
    struct xen_memory_reservation r = {.nr_extents = LIST_BYTES / sizeof(xen_pfn_t), .domid = DOMID_SELF};

    memset(list, 0xff, LIST_BYTES);
    set_xen_guest_handle(r.extent_start, extents());
    return HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r);
}

/* The largest extents that there are: each is cleared, numbered and handed over in one piece. All that another had, or
 * that we had before, is dirty. */
#define LARGEST 9

static xen_pfn_t largest[4], traded[4];

static long reserve(unsigned int op, unsigned int order)
{
    struct xen_memory_reservation r = {.nr_extents = ARRAY_SIZE(largest), .extent_order = order, .domid = DOMID_SELF};

    set_xen_guest_handle(r.extent_start, largest);
    return HYPERVISOR_memory_op(op, &r);
}

static long call_largest(void)
{
    long got = reserve(XENMEM_increase_reservation, LARGEST);

    return got == ARRAY_SIZE(largest) ? reserve(XENMEM_decrease_reservation, LARGEST) : -1;
}

static long call_exchange(void)
{
    struct xen_memory_exchange x = {
        .in = {.nr_extents = ARRAY_SIZE(largest), .extent_order = LARGEST, .domid = DOMID_SELF},
        .out = {.nr_extents = ARRAY_SIZE(largest), .extent_order = LARGEST, .domid = DOMID_SELF},
    };
    long rc;

    if (reserve(XENMEM_increase_reservation, LARGEST) != ARRAY_SIZE(largest))
        return -1;
    memset(traded, 0xff, sizeof(traded));
    set_xen_guest_handle(x.in.extent_start, largest);
    set_xen_guest_handle(x.out.extent_start, traded);
    rc = HYPERVISOR_memory_op(XENMEM_exchange, &x);
    memcpy(largest, traded, sizeof(largest));
    return rc == 0 ? reserve(XENMEM_decrease_reservation, LARGEST) : rc;
}

/* An extent whose frames are all page tables, full of entries and pinned, just as it was taken. */
static void prepare_tables(void)
{
    struct xen_memory_reservation r = {.nr_extents = 1, .extent_order = LARGEST, .domid = DOMID_SELF};
    struct mmuext_op ops[2] = {{.cmd = MMUEXT_COPY_PAGE}, {.cmd = MMUEXT_PIN_L1_TABLE}};

    set_xen_guest_handle(r.extent_start, largest);
    if (HYPERVISOR_memory_op(XENMEM_increase_reservation, &r) != 1)
        return;
    for (unsigned int i = 0; i < 512; i++)
        ((pte_t *)list)[i] = pte_make(virt_to_mfn(list), PTE_P);
    ops[0].arg2.src_mfn = virt_to_mfn(list);
    for (unsigned int i = 0; i < 1U << LARGEST; i++) {
        ops[0].arg1.mfn = ops[1].arg1.mfn = largest[0] + i;
        HYPERVISOR_mmuext_op(ops, ARRAY_SIZE(ops), NULL, DOMID_SELF);
    }
}

static long call_tables(void)
{
    struct xen_memory_reservation r = {.nr_extents = 1, .extent_order = LARGEST, .domid = DOMID_SELF};

    set_xen_guest_handle(r.extent_start, largest);
    return HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r);
}

/* What would take longer in one piece is not to be had, not even by the domain that manages the others. */
static void test_larger(void)
{
    CHECK(reserve(XENMEM_increase_reservation, LARGEST + 1) == 0,
          "no extent is larger than what one piece of work may be");
}

/* A level-2 table whose 512 entries all name the same full level-1 table, and so on: the most that validation can meet. */
enum { LEVELS = 3 };
static char *levels[LEVELS];

static void build_levels(void)
{
    unsigned long below = virt_to_mfn(list);

    for (unsigned int level = 0; level < LEVELS; level++) {
        pte_t *table = pages_alloc(1);

        for (unsigned int i = 0; i < 512; i++)
            table[i] = pte_make(level == 0 ? virt_to_mfn(list + (i % 512) * PAGE_SIZE) : below, PTE_P | PTE_US);
        pages_protect(table, 1, false);
        below = virt_to_mfn(table);
        levels[level] = (char *)table;
    }
}

static long call_pins(void)
{
    struct mmuext_op op = {.cmd = MMUEXT_PIN_L2_TABLE, .arg1.mfn = virt_to_mfn(levels[1])};
    long result = 0;

    for (unsigned int i = 0; i < 40 && result == 0; i++) {
        op.cmd = MMUEXT_PIN_L2_TABLE;
        result = HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF);
        op.cmd = MMUEXT_UNPIN_TABLE;
        if (result == 0)
            result = HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF);
    }
    return result;
}

static long call_versions(void)
{
    struct gnttab_set_version op = {.version = 2};
    long result = HYPERVISOR_grant_table_op(GNTTABOP_set_version, &op, 1);

    op.version = 1;
    return result | HYPERVISOR_grant_table_op(GNTTABOP_set_version, &op, 1);
}

static void grow_grants(void)
{
    struct gnttab_query_size size = {.dom = DOMID_SELF};
    struct gnttab_setup_table setup = {.dom = DOMID_SELF};

    HYPERVISOR_grant_table_op(GNTTABOP_query_size, &size, 1);
    setup.nr_frames = size.max_nr_frames;
    set_xen_guest_handle(setup.frame_list, extents());
    HYPERVISOR_grant_table_op(GNTTABOP_setup_table, &setup, 1);
    printf("latency: %u grant frames\n", (unsigned int)setup.nr_frames);
}

/* FIFO form, so that the domain's own limit is the only one; everything comes back with the reset at the end. */
static unsigned int open_ports(void)
{
    struct evtchn_init_control init = {.control_gfn = virt_to_mfn(pages_alloc(1))};
    struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF, .remote_dom = DOMID_SELF};
    struct evtchn_expand_array expand;
    unsigned int count = 0;

    irq_disable();
    HYPERVISOR_event_channel_op(EVTCHNOP_init_control, &init);
    for (unsigned int i = 0; i < 128; i++) {
        expand.array_gfn = virt_to_mfn(pages_alloc(1));
        HYPERVISOR_event_channel_op(EVTCHNOP_expand_array, &expand);
    }
    while (HYPERVISOR_event_channel_op(EVTCHNOP_alloc_unbound, &alloc) == 0)
        count++;
    return count;
}

/* The last, since no events come any more: its longest stretch is its end, which nothing interrupts. */
static void test_reset(void)
{
    struct evtchn_reset reset = {.dom = DOMID_SELF};
    unsigned int ports = open_ports();
    struct evtchn_close close = {0};
    uint64_t start, length;
    long result;

    for (close.port = 1; close.port <= ports + 64; close.port++)
        HYPERVISOR_event_channel_op(EVTCHNOP_close, &close);
    start = time_monotonic_ns();
    result = HYPERVISOR_event_channel_op(EVTCHNOP_reset, &reset);
    length = time_monotonic_ns() - start;
    printf("latency: reset of %u closed ports: result %ld, %lu us\n", ports, result, (unsigned long)(length / 1000));
    CHECK(length <= limit, "what a reset does in one piece is bounded, however many ports there were");
}

int main(int argc, char **argv)
{
    bool counted = pv_option("icount") != NULL;

    for (int i = 1; i < argc; i++)
        counted |= strcmp(argv[i], "icount") == 0;
    limit = counted ? 1000000U : 100000000U;
    list = pages_alloc(LIST_BYTES / PAGE_SIZE + 1);
    take_timer(timer_heard);
    check_group("long lists");
    heavy("TLB flushes without end", prepare_flushes, call_mmuext);
    heavy("pages cleared without end", prepare_copies, call_mmuext);
    heavy("page-table updates without end", prepare_updates, call_mmu_update);
    heavy("a multicall of very many calls", prepare_multicall, call_multicall);
    heavy("a multicall of one call that is a long list", prepare_flushes, call_multicall_of_flushes);
    heavy("grant copies without end", prepare_grant_copies, call_grant_copies);
    heavy("grants mapped that are none", prepare_maps, call_maps);
    heavy("grants unmapped that are not mapped", prepare_unmaps, call_unmaps);
    heavy("grants swapped without end", prepare_swaps, call_swaps);
    heavy("a trap table that has no end", prepare_traps, call_set_trap_table);
    heavy("our own trap table", NULL, call_restore_traps);
    heavy("frames given back that are none", NULL, call_populate_nothing);
    heavy("memory that goes and comes", NULL, call_balloon);
    heavy("extents of the largest size that come and go", NULL, call_largest);
    heavy("extents of the largest size that are traded", NULL, call_exchange);
    heavy("an extent of page tables that goes", prepare_tables, call_tables);
    test_larger();
    build_levels();
    heavy("page tables validated and dismantled", NULL, call_pins);
    grow_grants();
    heavy("a grant table of full size that changes its version", NULL, call_versions);
    test_reset();
    check_summary("contain-latency");
    return 0;
}
