/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A domain with all rights that errs. Whoever may ask for anything may also ask for nonsense: a number that is no vCPU, a
 * list without end, an answer to be written where nothing is, the same domain changed by two callers at once. dom0 may
 * stop itself that way, but not the machine, and what it tears down must leave no page behind. Every control call with
 * every kind of word in every place, by each vCPU at the same time; runs as dom0.
 */
#include <abi/domctl.h>
#include <abi/grant_table.h>
#include <abi/memory.h>
#include <abi/physdev.h>
#include <abi/platform.h>
#include <abi/sysctl.h>
#include "attack.h"

#define MS           1000000ULL
#define DOMCTLS      90U
#define SYSCTLS      32U
#define PLATFORM_OPS 68U
#define PHYSDEV_OPS  36U
#define ROUNDS       24U
#define ROOM         (64 * PAGE_SIZE) /* longer than any answer */
#define NOT_PRESENT  0x7ffff000U
#define NOBODY       0x1f0U
#define VCPUS        2U
#define CALLERS      4U

/* One caller's own memory and chance. */
struct caller {
    union {
        struct xen_domctl domctl;
        struct xen_sysctl sysctl;
        struct xen_platform_op platform;
        uint32_t words[64];
    } op;
    uint32_t chance;
    char *room;
    domid_t victim;
    unsigned long calls, taken;
};

static struct caller callers[CALLERS];
static unsigned long own_pages;
static char *hole;

static uint32_t next(struct caller *c)
{
    c->chance = c->chance * 1664525u + 1013904223u;
    return c->chance >> 8;
}

/* What an argument may be taken for: a small number, a count, an address of ours, of nobody's, of the hypervisor's. None
 * of them is by chance the address of anything else of ours, for answers are written to where they say. */
static uint64_t pick(struct caller *c)
{
    const uint64_t choice[] = {0,
                               1,
                               next(c) % 16,
                               next(c) % 1024,
                               0xffffffff,
                               0x7fffffff,
                               0x80000000,
                               ~0ULL,
                               1ULL << 32,
                               1ULL << 63,
                               (unsigned long)c->room,
                               (unsigned long)c->room,
                               (unsigned long)c->room,
                               (unsigned long)hole,
                               (unsigned long)hole - 4,
                               HV_DATA,
                               HV_START - 4,
                               (uint64_t)HV_DATA << 4,
                               NOT_PRESENT,
                               c->victim};

    return choice[next(c) % (sizeof(choice) / sizeof(choice[0]))];
}

/* From one word on, in halves or whole. */
static void fill(struct caller *c, unsigned int from)
{
    for (unsigned int i = from; i + 2 <= sizeof(c->op.words) / sizeof(c->op.words[0]); i += 2) {
        uint64_t word = next(c) % 3 ? pick(c) : (uint32_t)pick(c) | pick(c) << 32;

        c->op.words[i] = (uint32_t)word;
        c->op.words[i + 1] = (uint32_t)(word >> 32);
    }
}

static long domctl(struct caller *c, unsigned int cmd, unsigned int domid)
{
    long rc;

    c->op.domctl.cmd = cmd;
    c->op.domctl.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    c->op.domctl.domain = (domid_t)domid;
    rc = pv_hypercall1(__HYPERVISOR_domctl, (unsigned long)&c->op);
    c->calls++;
    c->taken += rc == 0;
    return rc;
}

static long sysctl(struct caller *c, unsigned int cmd)
{
    long rc;

    c->op.sysctl.cmd = cmd;
    c->op.sysctl.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    rc = pv_hypercall1(__HYPERVISOR_sysctl, (unsigned long)&c->op);
    c->calls++;
    c->taken += rc == 0;
    return rc;
}

static void destroy(struct caller *c, domid_t domid)
{
    memset(&c->op, 0, sizeof(c->op));
    domctl(c, XEN_DOMCTL_destroydomain, domid);
}

/* A domain to be mistreated: two vCPUs and some memory, never run but by a mistake that this test makes. */
static void new_victim(struct caller *c, bool narrow)
{
    struct xen_memory_reservation r = {.nr_extents = 8};
    xen_pfn_t frames[8] = {0, 1, 2, 3, 4, 5, 6, 7};

    memset(&c->op, 0, sizeof(c->op));
    c->op.domctl.u.createdomain.max_vcpus = VCPUS;
    c->op.domctl.u.createdomain.max_evtchn_port = 1023;
    c->op.domctl.u.createdomain.max_grant_frames = 4;
    c->op.domctl.u.createdomain.max_maptrack_frames = 4;
    c->op.domctl.u.createdomain.grant_opts = XEN_DOMCTL_GRANT_version(1);
    if (domctl(c, XEN_DOMCTL_createdomain, 0))
        return;
    c->victim = c->op.domctl.domain;
    c->op.domctl.u.max_mem.max_memkb = 64;
    domctl(c, XEN_DOMCTL_max_mem, c->victim);
    c->op.domctl.u.max_vcpus.max = VCPUS;
    domctl(c, XEN_DOMCTL_max_vcpus, c->victim);
    if (narrow) {
        c->op.domctl.u.address_size.size = 32;
        domctl(c, XEN_DOMCTL_set_address_size, c->victim);
    }
    r.domid = c->victim;
    set_xen_guest_handle(r.extent_start, frames);
    HYPERVISOR_memory_op(XENMEM_populate_physmap, &r);
}

static bool victim_lives(struct caller *c)
{
    memset(&c->op, 0, sizeof(c->op));
    return domctl(c, XEN_DOMCTL_getdomaininfo, c->victim) == 0 && c->op.domctl.domain == c->victim &&
           !(c->op.domctl.u.getdomaininfo.flags & XEN_DOMINF_dying);
}

/* A domain may be given a share of the processors that is next to nothing: not we. */
static bool would_stop_us(unsigned int cmd, unsigned int domid)
{
    return domid == 0 && (cmd == XEN_DOMCTL_scheduler_op || cmd == XEN_DOMCTL_hypercall_init);
}

static void domctl_of(struct caller *c, unsigned int cmd, unsigned int domid)
{
    for (unsigned int round = 0; round < ROUNDS; round++) {
        memset(c->room, round & 1 ? 0xff : 0, PAGE_SIZE);
        if (round & 2)
            for (unsigned int i = 0; i < PAGE_SIZE; i += 8)
                *(uint64_t *)(c->room + i) = pick(c);
        fill(c, offsetof(struct xen_domctl, u) / 4);
        if (would_stop_us(cmd, domid))
            continue;
        if (domctl(c, cmd, domid) == 0 && cmd == XEN_DOMCTL_createdomain)
            destroy(c, c->op.domctl.domain);
    }
}

/* The commands that make a configuration with nearly all right: a domain is made, with limits that cannot be. */
static void limits(struct caller *c)
{
    for (unsigned int round = 0; round < ROUNDS; round++) {
        memset(&c->op, 0, sizeof(c->op));
        c->op.domctl.u.createdomain.max_vcpus = next(c) % 4 ? 1 : (uint32_t)pick(c);
        c->op.domctl.u.createdomain.max_evtchn_port = (uint32_t)pick(c);
        c->op.domctl.u.createdomain.max_grant_frames = (int32_t)pick(c);
        c->op.domctl.u.createdomain.max_maptrack_frames = (int32_t)pick(c);
        c->op.domctl.u.createdomain.grant_opts = XEN_DOMCTL_GRANT_version(1 + next(c) % 2);
        if (domctl(c, XEN_DOMCTL_createdomain, next(c) % 512) == 0)
            destroy(c, c->op.domctl.domain);
    }
}

static void all_domctls(void *caller)
{
    struct caller *c = caller;

    for (unsigned int cmd = 0; cmd < DOMCTLS; cmd++) {
        if (!victim_lives(c))
            new_victim(c, next(c) % 2);
        domctl_of(c, cmd, c->victim);
        domctl_of(c, cmd, next(c) % 2 ? callers[0].victim : callers[1].victim);
        domctl_of(c, cmd, 0);
        domctl_of(c, cmd, NOBODY);
    }
    limits(c);
    destroy(c, c->victim);
}

static void all_others(void *caller)
{
    struct caller *c = caller;

    for (unsigned int round = 0; round < ROUNDS * SYSCTLS; round++) {
        memset(c->room, 0, PAGE_SIZE);
        fill(c, 2);
        sysctl(c, round % SYSCTLS);
    }
    for (unsigned int round = 0; round < ROUNDS * PLATFORM_OPS; round++) {
        fill(c, 2);
        c->op.platform.cmd = round % PLATFORM_OPS;
        c->op.platform.interface_version = XENPF_INTERFACE_VERSION;
        if (c->op.platform.cmd != XENPF_enter_acpi_sleep)
            pv_hypercall1(__HYPERVISOR_platform_op, (unsigned long)&c->op);
    }
    for (unsigned int round = 0; round < ROUNDS * PHYSDEV_OPS; round++) {
        fill(c, 0);
        HYPERVISOR_physdev_op(round % PHYSDEV_OPS, &c->op);
    }
}

/* Calls of others than the control interface, which begin with the domid. */
static void queries(domid_t domid)
{
    static const unsigned int ops[] = {XENMEM_current_reservation, XENMEM_maximum_reservation, XENMEM_maximum_gpfn,
                                       XENMEM_get_vnumainfo};
    static const unsigned int grant_ops[] = {GNTTABOP_setup_table, GNTTABOP_query_size, GNTTABOP_get_version};

    for (unsigned int i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        domid_t words[32] = {domid};

        HYPERVISOR_memory_op(ops[i], words);
    }
    for (unsigned int i = 0; i < sizeof(grant_ops) / sizeof(grant_ops[0]); i++) {
        domid_t words[32] = {domid};

        HYPERVISOR_grant_table_op(grant_ops[i], words, 1);
    }
}

/* A dead domain stays listed while somebody maps a page of it. Not even the page that it shared with the hypervisor is
 * its own then: a call about the domain that still looks for it reads and writes at the beginning of memory. */
static void dead_but_listed(struct caller *c)
{
    xen_pfn_t frame;
    void *held;

    check_group("a dead domain that somebody holds");
    new_victim(c, false);
    CHECK(victim_lives(c), "there is a domain");
    frame = (xen_pfn_t)c->op.domctl.u.getdomaininfo.shared_info_frame;
    held = map_frames(&frame, 1, c->victim, PTE_KERNEL_RO, NULL);
    CHECK(held != NULL, "we map a page of it");
    destroy(c, c->victim);
    queries(c->victim);
    c->op.domctl.u.address_size.size = 32;
    CHECK(domctl(c, XEN_DOMCTL_set_address_size, c->victim) != 0, "its width does not change any more");
    for (unsigned int cmd = 0; cmd < DOMCTLS; cmd++)
        domctl_of(c, cmd, c->victim);
    memset(&c->op, 0, sizeof(c->op));
    CHECK(domctl(c, XEN_DOMCTL_getdomaininfo, c->victim) == 0 && c->op.domctl.domain == c->victim,
          "it outlives all calls about it");
    unmap_frames(held, 1);
    memset(&c->op, 0, sizeof(c->op));
    CHECK(domctl(c, XEN_DOMCTL_getdomaininfo, c->victim) != 0 || c->op.domctl.domain != c->victim,
          "and goes when nobody holds it");
}

/* On every vCPU at once. */
static void err(void (*with)(void *caller))
{
    for (unsigned int cpu = 1; cpu < smp_cpu_count() && cpu < CALLERS; cpu++)
        smp_start(cpu, with, &callers[cpu]);
    with(&callers[0]);
    for (unsigned int cpu = 1; cpu < smp_cpu_count() && cpu < CALLERS; cpu++)
        while (smp_is_up(cpu))
            time_spin_ns(MS);
}

static uint64_t free_bytes(void)
{
    struct caller *c = &callers[0];

    memset(&c->op, 0, sizeof(c->op));
    c->op.sysctl.u.availheap.node = -1;
    return sysctl(c, XEN_SYSCTL_availheap) ? 0 : c->op.sysctl.u.availheap.avail_bytes;
}

/* Idle processors clean pages before they are free. */
static uint64_t most_free(uint64_t enough)
{
    uint64_t most = 0;

    for (unsigned int i = 0; i < 30000 && most < enough; i++, time_spin_ns(MS)) {
        uint64_t now = free_bytes();

        most = now > most ? now : most;
        if (enough == ~0ULL && i == 50)
            break;
    }
    return most;
}

/* What an error of ours left switched on, and how much we may have. */
static void settle(struct caller *c)
{
    struct physdev_set_iopl iopl = {.iopl = 0};
    struct physdev_set_iobitmap bitmap = {.nr_ports = 0};

    memset(&c->op, 0, sizeof(c->op));
    c->op.sysctl.u.tbuf_op.cmd = XEN_SYSCTL_TBUFOP_disable;
    sysctl(c, XEN_SYSCTL_tbuf_op);
    memset(&c->op, 0, sizeof(c->op));
    c->op.domctl.u.max_mem.max_memkb = own_pages * 4;
    domctl(c, XEN_DOMCTL_max_mem, 0);
    HYPERVISOR_physdev_op(PHYSDEVOP_set_iopl, &iopl);
    HYPERVISOR_physdev_op(PHYSDEVOP_set_iobitmap, &bitmap);
}

/* The last line of the log that begins so. */
static const char *logged(struct caller *c, const char *begin)
{
    char *found = NULL;

    memset(c->room, 0, ROOM);
    memset(&c->op, 0, sizeof(c->op));
    c->op.sysctl.u.readconsole.count = ROOM - 1;
    c->op.sysctl.u.readconsole.buffer.p = (void *)c->room;
    if (sysctl(c, XEN_SYSCTL_readconsole))
        return "";
    for (char *at = c->room; (at = strstr(at, begin)) != NULL; at++)
        found = at;
    return found ? found : "";
}

static void audit(struct caller *c)
{
    memset(&c->op, 0, sizeof(c->op));
    c->room[0] = 'f';
    c->op.sysctl.u.debug_keys.keys.p = c->room;
    c->op.sysctl.u.debug_keys.nr_keys = 1;
    CHECK_EQ(sysctl(c, XEN_SYSCTL_debug_keys), 0, "the frame table can be audited");
    CHECK(strstr(logged(c, "frame audit:"), " 0 wrong, 0 held by nobody known"), "and every count in it is right");
}

int main(int argc, char **argv)
{
    unsigned long calls = 0, taken = 0;
    uint64_t before, after;

    check_group("control calls with nonsense");
    hole = (char *)vspace_alloc(2) + PAGE_SIZE;
    for (unsigned int i = 0; i < CALLERS; i++)
        callers[i] = (struct caller){.chance = 77 + i, .room = pages_alloc(ROOM / PAGE_SIZE), .victim = NOBODY};
    memset(&callers[0].op, 0, sizeof(callers[0].op));
    domctl(&callers[0], XEN_DOMCTL_getdomaininfo, 0);
    own_pages = (unsigned long)callers[0].op.domctl.u.getdomaininfo.max_pages;
    err(all_others); /* what these take for good, trace buffers, is not what is asked for */
    settle(&callers[0]);
    before = most_free(~0ULL);
    err(all_domctls);
    dead_but_listed(&callers[0]);
    settle(&callers[0]);
    for (unsigned int i = 0; i < CALLERS; i++) {
        calls += callers[i].calls;
        taken += callers[i].taken;
    }
    after = most_free(before);
    printf("    %lu calls, %lu of them carried out; %lu pages free before, %lu now\n", calls, taken,
           (unsigned long)(before / PAGE_SIZE), (unsigned long)(after / PAGE_SIZE));
    CHECK(taken > 500, "many make sense by chance");
    CHECK(after >= before, "no page is lost");
    audit(&callers[0]);
    return check_summary("trusted");
}
