/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The rows of two domains. The kernel that runs as dom0 builds a second domain of the same program, which it got as its
 * module, by the domain builder that is the embedded dom0's, under either hypervisor. The two meet in the unused end of
 * the new domain's console page. One CPU: what the other domain does is part of a row as much as the way there.
 */
#include <stdlib.h>
#include <string.h>
#include <abi/sched.h>
#include <pv/event.h>
#include <pv/grant.h>
#include <pv/paging.h>
#include <pv/time.h>
#include <xenforeignmemory.h>
#include "dom0-tools/builder/builder.h"
#include "../../guest-pv/core/internal.h"
#include "bench.h"

#define MEETING_OFFSET 3584
#define MEMORY_KIB     8192
#define CROWD_KIB      2048
#define FAR_NS         3600000000000ull
#define REST_NS        300000000ull
#define LIVES          5

enum { MODE_ECHO, MODE_YIELD };

struct meeting {
    uint32_t ready, mode, port, gref, yields;
};

static struct ctl *ctl;
static xenforeignmemory_handle *memory;
static volatile struct meeting *meeting;
static char echo[] = "partner=echo", timer[] = "partner=timer";
struct evtchn_send bench_echo; /* what the echo handler sends */

/* Until then, off the CPU. */
static void rest(uint64_t ns)
{
    struct sched_poll poll = {.nr_ports = 0, .timeout = time_monotonic_ns() + ns};

    HYPERVISOR_sched_op(SCHEDOP_poll, &poll);
}

static volatile struct meeting *meeting_of(domid_t domid, xen_pfn_t frame)
{
    char *page = map_frames(&frame, 1, domid, PTE_KERNEL_RW, NULL);

    if (page == NULL) {
        printf("failed: mapping the console page of domain %u\n", domid);
        pv_shutdown(SHUTDOWN_crash);
    }
    return (volatile struct meeting *)(page + MEETING_OFFSET);
}

/* One of a crowd: a timer that is far off, and sleep. */
static _Noreturn void wait_for_ever(void)
{
    HYPERVISOR_set_timer_op(time_monotonic_ns() + FAR_NS);
    for (;;)
        HYPERVISOR_sched_op(SCHEDOP_block, NULL);
}

_Noreturn void bench_partner(const char *role)
{
    if (strcmp(role, "timer") == 0)
        wait_for_ever();
    xen_pfn_t frame = start_info->console.domU.mfn;
    int port = event_alloc_unbound(0, NULL, NULL);
    char *page = pages_alloc(1);

    meeting = meeting_of(DOMID_SELF, frame);
    bench_echo.port = (evtchn_port_t)port;
    meeting->gref = (uint32_t)grant_access(0, virt_to_mfn(page), false);
    meeting->port = (uint32_t)port;
    event_unmask((evtchn_port_t)port);
    bench_set_upcall(bench_echo_handler);
    __asm__ volatile("" ::: "memory");
    meeting->ready = 1;
    for (;;) {
        while (meeting->mode == MODE_YIELD) {
            meeting->yields++;
            HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
        }
        HYPERVISOR_sched_op(SCHEDOP_block, NULL);
    }
}

static bool build(struct built_domain *built, uint64_t memory_kib, char *command_line)
{
    static struct build_error error;
    static struct build_plan plan;
    static char name[] = "partner";
    struct domain_config config = {.name = name,
                                   .kernel = name,
                                   .command_line = command_line,
                                   .memory_kib = memory_kib,
                                   .max_memory_kib = memory_kib,
                                   .vcpus = 1,
                                   .max_vcpus = 1,
                                   .max_grant_frames = 4,
                                   .max_maptrack_frames = 4,
                                   .max_grant_version = 1,
                                   .max_event_channels = 127};
    struct build_input input = {
        .config = &config, .kernel = (void *)start_info->mod_start, .kernel_size = start_info->mod_len};

    memset(built, 0, sizeof(*built));
    if (build_plan(ctl, &input, &plan, &error) == 0 && build_domain(ctl, memory, &input, &plan, built, &error) == 0)
        return true;
    printf("failed: %s\n", error.text);
    return false;
}

/* An idle hypervisor may clean pages meanwhile, so that neither pays for what happened before. */
static bool life(unsigned long *birth, unsigned long *death)
{
    struct built_domain built;
    uint64_t start, born;

    rest(REST_NS);
    start = bench_ticks();
    if (!build(&built, MEMORY_KIB, echo))
        return false;
    born = bench_ticks();
    if (ctl_domain_destroy(ctl, built.domid) != 0)
        return false;
    *death = (unsigned long)(bench_ticks() - born);
    *birth = (unsigned long)(born - start);
    return true;
}

static unsigned long empty_life(void)
{
    struct xen_domctl_createdomain create = {.max_vcpus = 1,
                                             .max_evtchn_port = 127,
                                             .max_grant_frames = 4,
                                             .max_maptrack_frames = 4,
                                             .grant_opts = XEN_DOMCTL_GRANT_version(1)};
    uint64_t start = bench_ticks();
    domid_t domid;

    if (ctl_domain_create(ctl, &create, &domid) != 0 || ctl_domain_max_vcpus(ctl, domid, 1) != 0 ||
        ctl_domain_destroy(ctl, domid) != 0)
        printf("failed: an empty domain\n");
    return (unsigned long)(bench_ticks() - start);
}

static unsigned long smaller(unsigned long a, unsigned long b)
{
    return a < b ? a : b;
}

static void life_rows(void)
{
    unsigned long birth, death, least_birth = ~0ul, least_death = ~0ul, least_empty = ~0ul;

    for (int i = 0; i < LIVES; i++) {
        if (!life(&birth, &death))
            return;
        least_birth = smaller(least_birth, birth);
        least_death = smaller(least_death, death);
        rest(REST_NS);
        least_empty = smaller(least_empty, empty_life());
    }
    bench_result("domain.create(8 MiB)", least_birth);
    bench_result("domain.destroy(8 MiB)", least_death);
    bench_result("domctl.create+max_vcpus+destroy(empty)", least_empty);
}

static void other_rows(domid_t other)
{
    char *to = pages_alloc(1), *va = vspace_alloc(1);
    struct gnttab_copy copy;
    struct gnttab_map_grant_ref map = {.host_addr = (unsigned long)va, .flags = GNTMAP_host_map, .dom = other};
    struct gnttab_unmap_grant_ref unmap = {.host_addr = (unsigned long)va};

    pte_write(va, 0);
    memset(&copy, 0, sizeof(copy));
    copy.source.u.ref = map.ref = meeting->gref;
    copy.source.domid = other;
    copy.dest.u.gmfn = virt_to_mfn(to);
    copy.dest.domid = DOMID_SELF;
    copy.flags = GNTCOPY_source_gref;
    copy.len = PAGE_SIZE;
    ROW("domains.gnttab_copy.4096.gref->gmfn",
        pv_hypercall3(__HYPERVISOR_grant_table_op, GNTTABOP_copy, (unsigned long)&copy, 1));
    copy.len = 64;
    ROW("domains.gnttab_copy.64.gref->gmfn",
        pv_hypercall3(__HYPERVISOR_grant_table_op, GNTTABOP_copy, (unsigned long)&copy, 1));
    ROW("domains.gnttab_map+unmap",
        (pv_hypercall3(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, (unsigned long)&map, 1),
         unmap.handle = map.handle,
         pv_hypercall3(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, (unsigned long)&unmap, 1)));
    if (copy.status || map.status || unmap.status)
        printf("failed: grants between domains: %d %d %d\n", copy.status, map.status, unmap.status);
}

static volatile uint8_t *upcall_mask(void)
{
    return &shared_info->vcpu_info[0].evtchn_upcall_mask;
}

/* There: send, switch, upcall. Back: the same. Masked until the block, so that an early answer is not lost. */
static void round_trip_row(struct evtchn_send *send)
{
    ROW("domains.event_round_trip",
        (*upcall_mask() = 1, pv_hypercall2(__HYPERVISOR_event_channel_op, EVTCHNOP_send, (unsigned long)send),
         pv_hypercall2(__HYPERVISOR_sched_op, SCHEDOP_block, 0)));
}

/* Both yield to each other; counted by both, so that a yield that did not switch shows. */
static void switch_row(struct evtchn_send *send)
{
    const unsigned rounds = 2000;
    uint64_t start;
    uint32_t before;

    meeting->mode = MODE_YIELD;
    HYPERVISOR_event_channel_op(EVTCHNOP_send, send);
    rest(1000000);
    before = meeting->yields;
    start = bench_ticks();
    for (unsigned i = 0; i < rounds; i++)
        HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
    start = bench_ticks() - start;
    before = meeting->yields - before;
    meeting->mode = MODE_ECHO;
    printf("yields %u of ours, %u of the other\n", rounds, before);
    if (before > rounds / 2 && before < rounds * 2)
        bench_result("domains.context_switch", (unsigned long)(start / (rounds + before)));
}

/* Waits for the other domain and binds its port: 0 when there is none. */
static evtchn_port_t meet(struct built_domain *built)
{
    int port;

    meeting = meeting_of(built->domid, built->console_frame);
    ctl_domain_unpause(ctl, built->domid);
    for (int i = 0; i < 1000 && !meeting->ready; i++)
        rest(1000000);
    if (!meeting->ready) {
        printf("failed: the other domain did not come\n");
        return 0;
    }
    port = event_bind_interdomain(built->domid, meeting->port, NULL, NULL);
    if (port < 0 || port >= (int)sizeof(long) * 8) {
        printf("failed: binding port %u: %d\n", (unsigned)meeting->port, port);
        return 0;
    }
    return (evtchn_port_t)port;
}

static void meeting_rows(struct built_domain *built)
{
    struct evtchn_send send = {.port = meet(built)};

    if (send.port == 0)
        return;
    other_rows(built->domid);
    bench_set_upcall(bench_upcall_handler); /* the library would mask a port without a handler again */
    event_unmask(send.port);
    round_trip_row(&send);
    switch_row(&send);
    bench_set_upcall(upcall_entry);
}

static bool open_tools(void)
{
    ctl = ctl_open();
    memory = xenforeignmemory_open(NULL, 0);
    if (ctl != NULL && memory != NULL && start_info->mod_len != 0)
        return true;
    printf("failed: no memory or no module\n");
    return false;
}

/* What timers, the scheduler and event channels cost while so many other domains sleep until their timers. */
static void crowd_rows(struct evtchn_send *send, unsigned count)
{
    static const char format[] = "crowd %u %s %lu\n";
    struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF, .remote_dom = DOMID_SELF};
    struct evtchn_close closing;
    struct xen_domctl_getdomaininfo info;
    unsigned long at;

    printf(format, count, "set_timer", BENCH_LEAST(250, HYPERVISOR_set_timer_op(FAR_NS / 2 + count)));
    HYPERVISOR_set_timer_op(0);
    printf(format, count, "event_round_trip",
           BENCH_LEAST(100, (*upcall_mask() = 1, HYPERVISOR_event_channel_op(EVTCHNOP_send, send),
                             HYPERVISOR_sched_op(SCHEDOP_block, NULL))));
    printf(format, count, "alloc_unbound+close",
           BENCH_LEAST(250, (HYPERVISOR_event_channel_op(EVTCHNOP_alloc_unbound, &alloc), closing.port = alloc.port,
                             HYPERVISOR_event_channel_op(EVTCHNOP_close, &closing))));
    at = BENCH_LEAST(50, ctl_domain_info(ctl, (domid_t)(count + 1), &info));
    printf(format, count, "getdomaininfo", at);
}

/* Ports of ours grow with the crowd. */
void bench_crowd(void)
{
    struct built_domain first, other;
    struct evtchn_send send;

    if (!open_tools() || !build(&first, MEMORY_KIB, echo))
        return;
    send.port = meet(&first);
    bench_set_upcall(bench_upcall_handler);
    event_unmask(send.port);
    for (unsigned count = 0, next = 1; count < 1000 && send.port != 0; next *= 10) {
        for (; count < next; count++) {
            if (!build(&other, CROWD_KIB, timer) || ctl_domain_unpause(ctl, other.domid) != 0)
                return;
            (void)event_alloc_unbound(other.domid, NULL, NULL);
        }
        rest(REST_NS);
        crowd_rows(&send, count);
    }
}

void bench_domains(void)
{
    struct built_domain built;

    if (!open_tools())
        return;
    life_rows();
    if (build(&built, MEMORY_KIB, echo)) {
        meeting_rows(&built);
        ctl_domain_destroy(ctl, built.domid);
    }
}
