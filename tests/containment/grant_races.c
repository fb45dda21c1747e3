/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Grants misused by several vCPUs at once: one handle unmapped by two, a version that changes under a mapping, an entry
 * or an argument that changes between the look and the use, a page that becomes a page table while it is being mapped,
 * a frame given back while it is being mapped. A race that is lost now and then must be lost with an error and without
 * a trace: at the end no count is off and every page can be anything again.
 */
#include <abi/memory.h>
#include <pv/event.h>
#include <pv/grant.h>
#include "attack.h"
#include "../../guest-pv/core/internal.h"

enum { CPUS = 4, ROUND_NS = 150000000, REF = 40 };

static struct grant_entry_v1 *table;
static char *windows[CPUS], *target, *other, *guard;
static unsigned long target_mfn, other_mfn, secret_mfn;
static volatile bool running;
static volatile unsigned long rounds[CPUS], successes[CPUS], violations;
static domid_t self;

static void (*attackers[CPUS])(unsigned int me);

static void attack_on(void *arg)
{
    unsigned int me = (unsigned int)(unsigned long)arg;

    while (running) {
        attackers[me](me);
        rounds[me]++;
        smp_safe_point();
    }
    __atomic_store_n(&rounds[me], rounds[me] | 1UL << 31, __ATOMIC_SEQ_CST);
}

/* first on this vCPU, second and, if there are more vCPUs, first and second again. */
static void race(const char *name, void (*one)(unsigned int), void (*two)(unsigned int))
{
    unsigned int cpus = smp_cpu_count() < CPUS ? smp_cpu_count() : CPUS;
    uint64_t end = time_monotonic_ns() + ROUND_NS;
    unsigned long total = 0, good = 0;

    running = true;
    irq_disable();
    for (unsigned int i = 0; i < CPUS; i++) {
        attackers[i] = i % 2 ? two : one;
        rounds[i] = successes[i] = 0;
    }
    for (unsigned int i = 1; i < cpus; i++)
        smp_start(i, attack_on, (void *)(unsigned long)i);
    do {
        one(0);
        if (cpus == 1)
            two(0);
        rounds[0]++;
    } while (time_monotonic_ns() < end);
    running = false;
    for (unsigned int i = 1; i < cpus; i++)
        while (smp_is_up(i))
            ;
    irq_enable();
    for (unsigned int i = 0; i < cpus; i++) {
        total += rounds[i] & ~(1UL << 31);
        good += successes[i];
    }
    printf("races: %s: %lu rounds, %lu went through\n", name, total, good);
}

static void offer(unsigned int ref, unsigned long mfn, uint16_t flags)
{
    table[ref].flags = 0;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    table[ref].domid = self;
    table[ref].frame = (uint32_t)mfn;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    table[ref].flags = flags;
}

static bool map(unsigned int me, unsigned int ref, uint32_t flags, grant_handle_t *handle)
{
    struct gnttab_map_grant_ref op = {
        .host_addr = (unsigned long)windows[me], .flags = GNTMAP_host_map | flags, .ref = ref, .dom = self};

    HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, &op, 1);
    *handle = op.handle;
    return op.status == GNTST_okay;
}

static bool unmap(void *at, grant_handle_t handle)
{
    struct gnttab_unmap_grant_ref op = {.host_addr = (unsigned long)at, .handle = handle};

    return HYPERVISOR_grant_table_op(GNTTABOP_unmap_grant_ref, &op, 1) == 0 && op.status == GNTST_okay;
}

/* No mapping, no use, no type is left. */
static bool all_free(char *page, unsigned long mfn)
{
    struct mmuext_op pin = {.cmd = MMUEXT_PIN_L1_TABLE, .arg1.mfn = mfn};
    bool good;

    if (table[REF].flags & (GTF_reading | GTF_writing))
        return false;
    memset(page, 0, PAGE_SIZE);
    pages_protect(page, 1, false);
    good = HYPERVISOR_mmuext_op(&pin, 1, NULL, DOMID_SELF) == 0;
    pin.cmd = MMUEXT_UNPIN_TABLE;
    if (good)
        HYPERVISOR_mmuext_op(&pin, 1, NULL, DOMID_SELF);
    pages_protect(page, 1, true);
    return good;
}

/* One handle, shared: whoever comes second must find it gone. */
static volatile grant_handle_t shared_handle;
static char *volatile shared_window;

static void map_shared(unsigned int me)
{
    grant_handle_t handle;

    if (!map(me, REF, 0, &handle))
        return;
    shared_handle = handle;
    shared_window = windows[me];
    successes[me]++;
    if (!unmap(windows[me], handle))
        set_pte(windows[me], 0); /* another did, or its entry is in use */
    unmap(windows[me], handle);
}

static void unmap_shared(unsigned int me)
{
    char *at = shared_window;

    if (at != NULL && unmap(at, shared_handle))
        successes[me]++;
}

static void test_double_unmap(void)
{
    check_group("one handle unmapped by two");
    offer(REF, target_mfn, GTF_permit_access);
    race("unmap against unmap", map_shared, unmap_shared);
    for (grant_handle_t handle = 0; handle < 2048; handle++) /* entries may have been overwritten by the others */
        for (unsigned int i = 0; i < CPUS; i++)
            unmap(windows[i], handle);
    /* A handle whose entry was cleared while another was about to unmap it is ours still: an entry like its own ends it. */
    for (grant_handle_t handle = 0; handle < 2048; handle++) {
        set_pte(windows[0], pte_make(target_mfn, PTE_KERNEL_RW));
        unmap(windows[0], handle);
    }
    set_pte(windows[0], 0);
    CHECK(all_free(target, target_mfn), "a reference dropped twice would free a page that somebody still maps");
}

static void map_and_write(unsigned int me)
{
    grant_handle_t handle;

    if (!map(me, REF, 0, &handle))
        return;
    *(volatile uint32_t *)(windows[me] + 64 * me) += 8; /* never the bit that says present */
    successes[me]++;
    unmap(windows[me], handle);
}

/* While it is a page table nobody but the hypervisor writes to it. */
static void become_table(unsigned int me)
{
    struct mmuext_op op = {.cmd = MMUEXT_PIN_L1_TABLE, .arg1.mfn = target_mfn};
    uint32_t before[CPUS];

    if (HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF) != 0)
        return;
    for (unsigned int i = 0; i < CPUS; i++)
        before[i] = *(volatile uint32_t *)(target + 64 * i);
    time_spin_ns(20000);
    for (unsigned int i = 0; i < CPUS; i++)
        if (before[i] != *(volatile uint32_t *)(target + 64 * i))
            violations++;
    op.cmd = MMUEXT_UNPIN_TABLE;
    HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF);
    successes[me]++;
}

static void test_type_change(void)
{
    check_group("mapped writable, and a page table");
    offer(REF, target_mfn, GTF_permit_access);
    memset(target, 0, PAGE_SIZE);
    pages_protect(target, 1, false);
    violations = 0;
    race("map against pin", map_and_write, become_table);
    pages_protect(target, 1, true);
    CHECK_EQ(violations, 0, "no write through a stale translation reaches a page that became a table");
    CHECK(all_free(target, target_mfn), "and no reference is left");
}

static void switch_version(unsigned int me)
{
    struct gnttab_set_version op = {.version = 1 + (rounds[me] & 1)};

    if (HYPERVISOR_grant_table_op(GNTTABOP_set_version, &op, 1) == 0)
        successes[me]++;
}

/* In either version the entry may read as something else: the frame it names then need not be ours. */
static void use_whatever(unsigned int me)
{
    static char sinks[CPUS][PAGE_SIZE] __attribute__((aligned(4096)));
    struct gnttab_copy op = {
        .source = {.u.ref = REF + (rounds[me] & 7), .domid = self},
        .dest = {.u.gmfn = (xen_pfn_t)virt_to_mfn(sinks[me]), .domid = DOMID_SELF},
        .len = 64,
        .flags = GNTCOPY_source_gref,
    };
    grant_handle_t handle;

    for (unsigned int i = 0; i < 8; i++)
        offer(REF + i, target_mfn, GTF_permit_access);
    HYPERVISOR_grant_table_op(GNTTABOP_copy, &op, 1);
    if (map(me, REF + (rounds[me] & 7), GNTMAP_readonly, &handle)) {
        successes[me]++;
        unmap(windows[me], handle);
    }
}

static void test_version_change(void)
{
    struct gnttab_set_version op = {.version = 1};

    check_group("a version that changes in the middle");
    race("set_version against map and copy", use_whatever, switch_version);
    CHECK_EQ(HYPERVISOR_grant_table_op(GNTTABOP_set_version, &op, 1), 0, "no mapping is left that keeps the version");
    for (unsigned int i = 0; i < 8; i++)
        offer(REF + i, 0, 0);
    CHECK(all_free(target, target_mfn), "nor one that keeps the page");
}

/* The entry names a page of ours and one that is not, in turn. */
static void flip_entry(unsigned int me)
{
    for (unsigned int i = 0; i < 64; i++) {
        table[REF].frame = (uint32_t)(i & 1 ? target_mfn : secret_mfn);
        table[REF].domid = i % 13 == 5 ? 0x7001 : self;
        table[REF].flags = GTF_permit_access | (i & 2 ? GTF_readonly : 0);
    }
}

static void copy_from_entry(unsigned int me)
{
    static uint32_t sinks[CPUS][PAGE_SIZE / 4] __attribute__((aligned(4096)));
    struct gnttab_copy op = {
        .source = {.u.ref = REF, .domid = self},
        .dest = {.u.gmfn = (xen_pfn_t)virt_to_mfn(sinks[me]), .domid = DOMID_SELF},
        .len = PAGE_SIZE,
        .flags = GNTCOPY_source_gref,
    };

    HYPERVISOR_grant_table_op(GNTTABOP_copy, &op, 1);
    for (unsigned int i = 0; i < PAGE_SIZE / 4; i++)
        if (sinks[me][i] != 0 && sinks[me][i] != 0x7e57ed00 + i)
            violations++;
    successes[me] += op.status == GNTST_okay;
}

static void test_entry_fetched_twice(void)
{
    check_group("an entry that changes while it is put to use");
    for (unsigned int i = 0; i < PAGE_SIZE / 4; i++)
        ((uint32_t *)target)[i] = 0x7e57ed00 + i;
    offer(REF, target_mfn, GTF_permit_access);
    violations = 0;
    race("copy against the entry", copy_from_entry, flip_entry);
    CHECK_EQ(violations, 0, "the frame that was checked is the frame that is read, never another's");
    offer(REF, 0, 0);
    CHECK(all_free(target, target_mfn), "no use is left over");
}

/* Arguments in memory that another vCPU writes: checked as one thing, used as another. */
static struct gnttab_copy shared_copies[64];

static void flip_arguments(unsigned int me)
{
    for (unsigned int i = 0; i < 64; i++) {
        shared_copies[i].len = (uint16_t)(rounds[me] & 1 ? 16 : 4096);
        shared_copies[i].dest.offset = (uint16_t)(rounds[me] & 1 ? 4080 : 0);
        shared_copies[i].dest.u.gmfn = (xen_pfn_t)(rounds[me] & 2 ? secret_mfn : other_mfn);
        shared_copies[i].dest.domid = rounds[me] & 8 ? 0 : DOMID_SELF;
    }
}

static void copy_by_arguments(unsigned int me)
{
    if (HYPERVISOR_grant_table_op(GNTTABOP_copy, shared_copies, 64) == 0)
        successes[me]++;
}

static void test_arguments_fetched_twice(void)
{
    bool whole = true;

    check_group("arguments that change while they are checked");
    memset(target, 0x11, PAGE_SIZE);
    memset(guard, 0x22, 2 * PAGE_SIZE);
    for (unsigned int i = 0; i < 64; i++)
        shared_copies[i] = (struct gnttab_copy){
            .source = {.u.gmfn = (xen_pfn_t)target_mfn, .domid = DOMID_SELF},
            .dest = {.u.gmfn = (xen_pfn_t)other_mfn, .domid = DOMID_SELF},
            .len = 16,
        };
    race("copy against its arguments", copy_by_arguments, flip_arguments);
    for (unsigned long i = 0; i < 2 * PAGE_SIZE; i++)
        whole = whole && guard[i] == 0x22;
    CHECK(whole, "length and offset that were fine apart never meet: the next frame is untouched");
    CHECK(all_free(other, other_mfn), "no reference is left over");
}

static void give_and_take(unsigned int me)
{
    xen_pfn_t frame = (xen_pfn_t)target_mfn;
    struct xen_memory_reservation r = {.nr_extents = 1, .domid = DOMID_SELF};

    set_xen_guest_handle(r.extent_start, &frame);
    if (me > 1)
        return;
    if (HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r) != 1)
        return;
    successes[me]++;
    frame = (xen_pfn_t)virt_to_pfn(target);
    if (HYPERVISOR_memory_op(XENMEM_populate_physmap, &r) == 1) {
        target_mfn = (unsigned long)frame;
        table[REF].frame = (uint32_t)frame;
    }
}

static void map_and_look(unsigned int me)
{
    grant_handle_t handle;

    if (!map(me, REF, 0, &handle))
        return;
    memset(windows[me], 0x33, 64);
    successes[me]++;
    unmap(windows[me], handle);
}

static void test_frame_given_back(void)
{
    check_group("a frame given back while it is being mapped");
    offer(REF, target_mfn, GTF_permit_access);
    pte_write(target, 0);
    race("map against decrease_reservation", map_and_look, give_and_take);
    p2m_set(virt_to_pfn(target), target_mfn);
    CHECK_EQ(pte_write(target, pte_make(target_mfn, PTE_KERNEL_RW)), 0, "the page that is ours now is ours");
    CHECK(all_free(target, target_mfn), "and nobody else's");
    memset(target, 0, PAGE_SIZE);
}

static void swap(unsigned int me)
{
    struct gnttab_swap_grant_ref op = {.ref_a = REF, .ref_b = REF + 1};

    HYPERVISOR_grant_table_op(GNTTABOP_swap_grant_ref, &op, 1);
    successes[me] += op.status == GNTST_okay;
}

static void test_swap(void)
{
    check_group("entries that change places");
    offer(REF, target_mfn, GTF_permit_access);
    offer(REF + 1, other_mfn, GTF_permit_access | GTF_readonly);
    race("swap against map", map_and_look, swap);
    CHECK((table[REF].flags | table[REF + 1].flags) == (GTF_permit_access | GTF_readonly) &&
              table[REF].frame + table[REF + 1].frame == (uint32_t)(target_mfn + other_mfn),
          "two entries are left, neither in use, neither lost or doubled");
    offer(REF, 0, 0);
    offer(REF + 1, 0, 0);
    CHECK(all_free(target, target_mfn) && all_free(other, other_mfn), "and both pages are free");
}

/* The same window: each mapping replaces the other's, whose references go with the entry. */
static void map_same_window(unsigned int me)
{
    struct gnttab_map_grant_ref op = {.host_addr = (unsigned long)windows[0],
                                      .flags = GNTMAP_host_map | (me & 1 ? GNTMAP_readonly : 0),
                                      .ref = REF,
                                      .dom = self};

    HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, &op, 1);
    if (op.status != GNTST_okay)
        return;
    successes[me]++;
    for (unsigned int i = 0; i < 4 && !unmap(windows[0], op.handle); i++) {
        /* Another's mapping is there, or none: put one of our kind there, so that the handle can be given back. */
        set_pte(windows[0], pte_make(target_mfn, me & 1 ? PTE_KERNEL_RO : PTE_KERNEL_RW));
    }
}

static void test_same_window(void)
{
    check_group("two mappings at one address");
    offer(REF, target_mfn, GTF_permit_access);
    race("map against map", map_same_window, map_same_window);
    for (grant_handle_t handle = 0; handle < 20000; handle++)
        for (unsigned int kind = 0; kind < 2; kind++) {
            set_pte(windows[0], pte_make(target_mfn, kind ? PTE_KERNEL_RO : PTE_KERNEL_RW));
            unmap(windows[0], handle);
        }
    set_pte(windows[0], 0);
    CHECK(all_free(target, target_mfn), "every handle can be given back, and no reference is left");
}

int main(int argc, char **argv)
{
    unsigned int entries;

    self = pv_domid();
    table = grant_table(&entries);
    target = pages_alloc(1);
    other = pages_alloc(1);
    guard = pages_alloc(2);
    target_mfn = virt_to_mfn(target);
    other_mfn = virt_to_mfn(other);
    secret_mfn = pv_is_dom0() ? 0x100 : foreign_mfn();
    for (unsigned int i = 0; i < CPUS; i++) {
        windows[i] = vspace_alloc(1);
        tables_build((unsigned long)windows[i], 1);
        pte_write(windows[i], 0);
    }
    test_double_unmap();
    test_type_change();
    test_version_change();
    test_entry_fetched_twice();
    test_arguments_fetched_twice();
    test_frame_given_back();
    test_swap();
    test_same_window();
    check_summary("contain-grant_races");
    return 0;
}
