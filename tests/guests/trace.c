/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The trace rings as dom0's tools use them: what XEN_SYSCTL_tbuf_op answers to sense and nonsense, who may map what, and
 * that what this kernel does stands in the ring of its CPU. It runs under genuine Xen as well, which keeps its rings for
 * ever; "own" marks what only this hypervisor promises.
 */
#include <stdio.h>
#include <string.h>
#include <abi/errno.h>
#include <abi/event_channel.h>
#include <abi/memory.h>
#include <abi/sched.h>
#include <abi/sysctl.h>
#include <abi/trace.h>
#include <abi/version.h>
#include <pv/event.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/time.h>
#include <pv/traps.h>
#include "check.h"

#define RING_PAGES 4
#define CPUS_MAX   8

static struct xen_sysctl sysctl;
static struct t_buf *rings[CPUS_MAX];
static uint32_t ring_size; /* bytes of records */
static unsigned int cpus;
static bool own; /* Paravane, not Xen */
static volatile unsigned int told;

static long tbuf(unsigned int cmd)
{
    sysctl.cmd = XEN_SYSCTL_tbuf_op;
    sysctl.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    sysctl.u.tbuf_op.cmd = cmd;
    return pv_hypercall1(__HYPERVISOR_sysctl, (unsigned long)&sysctl);
}

static long with_size(uint32_t pages)
{
    sysctl.u.tbuf_op.size = pages;
    return tbuf(XEN_SYSCTL_TBUFOP_set_size);
}

static long with_events(uint32_t mask)
{
    sysctl.u.tbuf_op.evt_mask = mask;
    return tbuf(XEN_SYSCTL_TBUFOP_set_evt_mask);
}

static long with_cpus(uint8_t *mask)
{
    sysctl.u.tbuf_op.cpu_mask.nr_bits = 8;
    set_xen_guest_handle_raw(sysctl.u.tbuf_op.cpu_mask.bitmap, mask);
    return tbuf(XEN_SYSCTL_TBUFOP_set_cpu_mask);
}

static uint64_t free_bytes(void)
{
    memset(&sysctl, 0, sizeof(sysctl));
    sysctl.cmd = XEN_SYSCTL_availheap;
    sysctl.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    sysctl.u.availheap.node = -1;
    return pv_hypercall1(__HYPERVISOR_sysctl, (unsigned long)&sysctl) ? 0 : sysctl.u.availheap.avail_bytes;
}

static unsigned int count_cpus(void)
{
    memset(&sysctl, 0, sizeof(sysctl));
    sysctl.cmd = XEN_SYSCTL_physinfo;
    sysctl.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    return pv_hypercall1(__HYPERVISOR_sysctl, (unsigned long)&sysctl) ? 0 : sysctl.u.physinfo.nr_cpus;
}

static void test_before(void)
{
    check_group("no rings yet");
    CHECK_EQ(tbuf(99), -XEN_EINVAL, "an operation that does not exist is refused");
    CHECK_EQ(tbuf(XEN_SYSCTL_TBUFOP_get_info), 0, "one may always ask");
    CHECK_EQ(sysctl.u.tbuf_op.buffer_mfn, 0, "and learns that there are no rings");
    CHECK_EQ(sysctl.u.tbuf_op.size, 0, "of no size");
    CHECK_EQ(tbuf(XEN_SYSCTL_TBUFOP_enable), -XEN_EINVAL, "tracing into no ring is refused, not done into frame 0");
    CHECK_EQ(tbuf(XEN_SYSCTL_TBUFOP_disable), 0, "switching off what is off is fine");
    CHECK_EQ(with_size(0), -XEN_EINVAL, "a ring has at least a page");
    CHECK_EQ(with_cpus((uint8_t *)0x10), -XEN_EFAULT, "a mask that is not there");
}

/* The first page of what buffer_mfn says, read-only; it lists the frames of all rings. */
static const struct t_info *map_info(unsigned int *pages)
{
    xen_pfn_t frames[32];

    if (tbuf(XEN_SYSCTL_TBUFOP_get_info) != 0)
        return NULL;
    *pages = sysctl.u.tbuf_op.size / PAGE_SIZE;
    for (unsigned int i = 0; i < *pages && i < 32; i++)
        frames[i] = (xen_pfn_t)sysctl.u.tbuf_op.buffer_mfn + i;
    return *pages > 32 ? NULL : map_frames(frames, *pages, DOMID_XEN, PTE_KERNEL_RO, NULL);
}

static void map_ring(const struct t_info *info, unsigned int cpu)
{
    const uint32_t *list = (const uint32_t *)info + info->mfn_offset[cpu];
    xen_pfn_t frames[RING_PAGES];

    for (unsigned int i = 0; i < RING_PAGES; i++)
        frames[i] = list[i];
    rings[cpu] = map_frames(frames, RING_PAGES, DOMID_XEN, PTE_KERNEL_RW, NULL);
}

static void test_mapping(void)
{
    unsigned int pages = 0, mapped = 0;
    const struct t_info *info;
    xen_pfn_t first;

    check_group("mapping");
    CHECK_EQ(with_size(RING_PAGES), 0, "rings of four pages");
    CHECK_EQ(with_size(RING_PAGES), -XEN_EBUSY, "are made once");
    CHECK_EQ(with_size(2 * RING_PAGES), -XEN_EINVAL, "and do not grow");
    info = map_info(&pages);
    if (!CHECK(info != NULL, "what lists the rings can be read"))
        return;
    CHECK_EQ(info->tbuf_size, RING_PAGES, "it says how large they are");
    first = (xen_pfn_t)sysctl.u.tbuf_op.buffer_mfn;
    CHECK(map_frames(&first, 1, DOMID_XEN, PTE_KERNEL_RW, NULL) == NULL,
          "but not written: a tool that could would make the others map anything");
    ring_size = RING_PAGES * PAGE_SIZE - (uint32_t)sizeof(struct t_buf);
    for (unsigned int cpu = 0; cpu < cpus; cpu++) {
        map_ring(info, cpu);
        mapped += rings[cpu] != NULL;
    }
    CHECK_EQ(mapped, cpus, "each CPU's ring can be read and written: the reader moves its own mark");
    unmap_frames((void *)info, pages);
}

/* One record at a position; the words behind its head and its time. Its length, or 0 when it cannot be right. */
static uint32_t record_at(const struct t_buf *ring, uint32_t position, uint32_t *event, uint32_t *extra)
{
    const uint32_t *words = (const uint32_t *)((const char *)(ring + 1) + position % ring_size);
    uint32_t count = TRC_HD_EXTRA(*words), skip = TRC_HD_INCLUDES_CYCLE_COUNT(*words) ? 3 : 1;

    *event = TRC_HD_TO_EVENT(*words);
    if (position % ring_size + (skip + count) * 4 > ring_size)
        return 0;
    memcpy(extra, words + skip, count * 4);
    return (skip + count) * 4;
}

struct tally {
    unsigned int records, broken, hypercalls, subcalls, traps, faults, returns, switches, lost, wraps;
    uint32_t fault_address;
};

static void count_record(struct tally *t, uint32_t event, const uint32_t *extra)
{
    uint32_t op = extra[0] & ~TRC_PV_HYPERCALL_V2_ARG_MASK;

    t->records++;
    if (event == TRC_PV_HYPERCALL_V2)
        t->hypercalls += op == __HYPERVISOR_xen_version;
    else if (event == TRC_PV_HYPERCALL_SUBCALL)
        t->subcalls += op == __HYPERVISOR_xen_version;
    else if ((event & ~TRC_64_FLAG) == TRC_PV_TRAP)
        t->traps += (extra[event & TRC_64_FLAG ? 2 : 1] & 0x7FFF) == 3;
    else if ((event & ~TRC_64_FLAG) == TRC_PV_PAGE_FAULT)
        t->faults += extra[event & TRC_64_FLAG ? 2 : 1] == t->fault_address;
    else if (event == PARAVANE_ABI_TRC_RETURN)
        t->returns += extra[0] >> 16 == 0;
    else if (event == TRC_SCHED_SWITCH)
        t->switches++;
    else if (event == TRC_LOST_RECORDS)
        t->lost += extra[0];
    else if (event == TRC_TRACE_WRAP_BUFFER)
        t->wraps++;
}

static void drain(struct tally *t)
{
    for (unsigned int cpu = 0; cpu < cpus; cpu++) {
        uint32_t cons = rings[cpu]->cons, prod = *(volatile uint32_t *)&rings[cpu]->prod, event, extra[7];

        while (cons != prod) {
            uint32_t length = record_at(rings[cpu], cons, &event, extra);

            if (length == 0) {
                t->broken++;
                cons = prod;
                break;
            }
            count_record(t, event, extra);
            cons = (cons + length) % (2 * ring_size);
        }
        *(volatile uint32_t *)&rings[cpu]->cons = cons;
    }
}

static void versions(unsigned int count)
{
    for (unsigned int i = 0; i < count; i++)
        (void)pv_hypercall2(__HYPERVISOR_xen_version, XENVER_version, 0);
}

static void test_hypercalls(void)
{
    static struct multicall_entry calls[3];
    struct tally t = {0};

    check_group("hypercalls");
    for (unsigned int i = 0; i < 3; i++)
        calls[i] = (struct multicall_entry){.op = __HYPERVISOR_xen_version, .args = {XENVER_version}};
    CHECK_EQ(tbuf(XEN_SYSCTL_TBUFOP_enable), 0, "tracing is on");
    versions(7);
    (void)pv_hypercall2(__HYPERVISOR_multicall, (unsigned long)calls, 3);
    CHECK_EQ(tbuf(XEN_SYSCTL_TBUFOP_disable), 0, "and off");
    versions(5);
    drain(&t);
    CHECK_EQ(t.broken, 0, "every record lies whole in its ring");
    CHECK_EQ(t.hypercalls, 7, "each call is there once, and none after tracing went off");
    CHECK_EQ(t.subcalls, 3, "what a multicall does is told, too");
    if (own)
        CHECK(t.returns >= 8, "so are the ways back");
}

static void break_in(void *unused)
{
    (void)unused;
    __asm__ volatile("int3");
}

static void write_to(void *at)
{
    *(volatile char *)at = 1;
}

static void test_traps(void)
{
    static char page[2 * PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
    struct tally t = {.fault_address = (uint32_t)(uintptr_t)page};
    struct fault fault;

    check_group("traps");
    CHECK_EQ(pages_protect(page, 1, false), 0, "a page that is read-only");
    (void)tbuf(XEN_SYSCTL_TBUFOP_enable);
    (void)fault_catch(break_in, NULL, &fault);
    (void)fault_catch(write_to, page, &fault);
    (void)tbuf(XEN_SYSCTL_TBUFOP_disable);
    drain(&t);
    CHECK_EQ(t.traps, 1, "a breakpoint is a trap of vector 3");
    CHECK_EQ(t.faults, 1, "a page fault tells its address");
    (void)pages_protect(page, 1, true);
}

static void test_filters(void)
{
    uint8_t none = 0, all = 0xFF;
    struct tally t = {0}, u = {0};

    check_group("filters");
    CHECK_EQ(with_events(TRC_SCHED), 0, "only the scheduler's events");
    (void)tbuf(XEN_SYSCTL_TBUFOP_enable);
    versions(3);
    (void)tbuf(XEN_SYSCTL_TBUFOP_disable);
    drain(&t);
    CHECK_EQ(t.hypercalls, 0, "leave hypercalls out");
    CHECK_EQ(tbuf(XEN_SYSCTL_TBUFOP_get_info), 0, "the mask");
    CHECK_EQ(sysctl.u.tbuf_op.evt_mask, TRC_SCHED, "is remembered");
    (void)with_events(TRC_PV);
    CHECK_EQ(with_cpus(&none), 0, "no CPU at all");
    (void)tbuf(XEN_SYSCTL_TBUFOP_enable);
    versions(3);
    (void)tbuf(XEN_SYSCTL_TBUFOP_disable);
    drain(&u);
    CHECK_EQ(u.records, 0, "nothing is written");
    CHECK_EQ(with_cpus(&all), 0, "all CPUs again");
    (void)with_events(TRC_ALL);
}

static void heard(evtchn_port_t port, void *data)
{
    (void)port;
    (void)data;
    told++;
}

/* More than the ring holds, without reading; then room for the next record, which is preceded by the loss. */
static void test_lost(void)
{
    struct tally t = {0}, u = {0};
    int port = event_bind_virq(VIRQ_TBUF, 0, heard, NULL);

    check_group("a full ring");
    CHECK(port > 0, "dom0 can ask to be told");
    (void)with_events(TRC_PV);
    (void)tbuf(XEN_SYSCTL_TBUFOP_enable);
    versions(2000);
    drain(&t);
    versions(10);
    drain(&u);
    (void)tbuf(XEN_SYSCTL_TBUFOP_disable);
    (void)with_events(TRC_ALL);
    CHECK(told > 0, "is told when a ring is half full");
    CHECK_EQ(t.broken + u.broken, 0, "no record is torn where the ring is full");
    CHECK(t.hypercalls > 100 && t.hypercalls < 1500, "a full ring takes no more");
    CHECK(u.lost > 0, "the next record says how many were lost");
    CHECK(t.hypercalls + u.hypercalls + t.lost + u.lost >= 2010, "and with those none is missing");
    event_close((evtchn_port_t)port);
}

/* The reader's mark is dom0's to write; whatever stands there, the hypervisor writes inside the ring only. */
static void test_bad_marks(void)
{
    static const uint32_t marks[] = {0xFFFFFFFF, 0x80000000, 1, 3, 0x7FFC};

    check_group("a mark that cannot be");
    for (unsigned int i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        *(volatile uint32_t *)&rings[0]->cons = marks[i];
        (void)tbuf(XEN_SYSCTL_TBUFOP_enable);
        versions(1000);
        (void)tbuf(XEN_SYSCTL_TBUFOP_disable);
    }
    CHECK(rings[0]->prod < 2 * ring_size, "the writer's mark stays where it can be");
    *(volatile uint32_t *)&rings[0]->prod = 0x12345678;
    rings[0]->cons = 0;
    (void)tbuf(XEN_SYSCTL_TBUFOP_enable);
    versions(10);
    (void)tbuf(XEN_SYSCTL_TBUFOP_disable);
    CHECK(rings[0]->prod < 2 * ring_size, "which is not read back from the page");
}

static void test_giving_back(uint64_t before)
{
    check_group("giving back");
    (void)tbuf(XEN_SYSCTL_TBUFOP_enable);
    CHECK_EQ(with_size(0), -XEN_EBUSY, "rings in use stay");
    (void)tbuf(XEN_SYSCTL_TBUFOP_disable);
    CHECK_EQ(with_size(0), 0, "unused ones go");
    CHECK_EQ(tbuf(XEN_SYSCTL_TBUFOP_get_info), 0, "asked again");
    CHECK_EQ(sysctl.u.tbuf_op.buffer_mfn, 0, "there are none");
    for (unsigned int cpu = 0; cpu < cpus; cpu++)
        unmap_frames(rings[cpu], RING_PAGES);
    for (int i = 0; i < 1000 && free_bytes() < before; i++)
        time_spin_ns(1000000);
    CHECK(free_bytes() >= before, "and all their memory is free again, once nobody maps it");
    CHECK_EQ(with_size(0x7FFFFFFF), 0, "a size without sense is cut down");
    CHECK_EQ(with_size(0), 0, "and goes as well");
}

static bool is_own(void)
{
    static xen_extraversion_t text;

    return pv_hypercall2(__HYPERVISOR_xen_version, XENVER_extraversion, (unsigned long)text) == 0 &&
           strstr(text, "paravane") != NULL;
}

int main(int argc, char **argv)
{
    uint64_t before = free_bytes();

    (void)argc;
    (void)argv;

    own = is_own();
    cpus = count_cpus();
    if (cpus > CPUS_MAX)
        cpus = CPUS_MAX;
    test_before();
    test_mapping();
    test_hypercalls();
    test_traps();
    test_filters();
    test_lost();
    if (own) {
        test_bad_marks();
        test_giving_back(before);
    }
    return check_summary("trace");
}
