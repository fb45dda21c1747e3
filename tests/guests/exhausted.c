/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A machine without a free page. dom0 gives all there is to a domain that never runs, and then asks for more in every
 * way that takes memory of the hypervisor's: each must be told so, half of nothing may stay behind, and when the memory
 * is back all is as before. A hypervisor that forgets one such answer crashes the day the machine is full.
 */
#include <stdio.h>
#include <string.h>
#include <abi/domctl.h>
#include <abi/errno.h>
#include <abi/event_channel.h>
#include <abi/grant_table.h>
#include <abi/memory.h>
#include <abi/sysctl.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/time.h>
#include "check.h"
#include "dom0_calls.h"

#define MS     1000000ULL
#define PORTS  1000
#define ROUNDS 100 /* idle CPUs hold pages while they clean them, long ones where the machine is shared */

static int holder; /* the domain that has it all */

static bool free_again(uint64_t before)
{
    for (int i = 0; i < 5000 && free_bytes() < before; i++)
        time_spin_ns(MS);
    return free_bytes() >= before;
}

static long create(void)
{
    want_domain(1);
    return call(XEN_DOMCTL_createdomain, 0);
}

static long more(unsigned int order, unsigned long count)
{
    struct xen_memory_reservation r = {.nr_extents = count, .extent_order = order, .domid = (domid_t)holder};

    return HYPERVISOR_memory_op(XENMEM_increase_reservation, &r);
}

/* Large pieces first; the rest page by page, until for some time there is none. */
static void take_all(void)
{
    while (more(9, 64) > 0)
        ;
    for (unsigned int none = 0; none < ROUNDS; none++) {
        if (more(0, 4096) > 0)
            none = 0;
        time_spin_ns(MS);
    }
}

/* Takes what came to be free meanwhile. */
static void take_rest(void)
{
    while (more(0, 4096) > 0)
        ;
}

static void test_take(void)
{
    check_group("all memory in one domain");
    CHECK_EQ(create(), 0, "a domain");
    holder = domctl.domain;
    domctl.u.max_mem.max_memkb = 1ULL << 32;
    CHECK_EQ(call(XEN_DOMCTL_max_mem, holder), 0, "that may have any amount");
    take_all();
    CHECK_EQ(more(0, 1), 0, "takes until there is no more: none is done, which is no error");
}

static long trade(void)
{
    static xen_pfn_t old, fresh;
    struct xen_memory_exchange exchange = {.in = {.nr_extents = 1, .domid = DOMID_SELF},
                                           .out = {.nr_extents = 1, .domid = DOMID_SELF}};
    char *page = pages_alloc(1);

    old = virt_to_mfn(page);
    fresh = virt_to_pfn(page);
    pte_write(page, 0);
    set_xen_guest_handle(exchange.in.extent_start, &old);
    set_xen_guest_handle(exchange.out.extent_start, &fresh);
    return HYPERVISOR_memory_op(XENMEM_exchange, &exchange);
}

/* They go with their domain. What the hypervisor had left of a page begun is enough for some. */
static void test_ports(int domid)
{
    struct evtchn_alloc_unbound alloc = {.dom = (domid_t)domid, .remote_dom = DOMID_SELF};
    unsigned int opened = 0;

    take_rest();
    while (opened < PORTS && HYPERVISOR_event_channel_op(EVTCHNOP_alloc_unbound, &alloc) == 0)
        opened++;
    CHECK_EQ(HYPERVISOR_event_channel_op(EVTCHNOP_alloc_unbound, &alloc), -XEN_ENOMEM, "no port comes into being");
}

static void test_answers(int empty)
{
    static xen_pfn_t frames[4];
    struct gnttab_setup_table grants = {.dom = (domid_t)empty, .nr_frames = 4};

    set_xen_guest_handle(grants.frame_list, frames);
    check_group("what is answered then");
    take_rest();
    CHECK_EQ(create(), -XEN_ENOMEM, "no domain comes into being");
    domctl.u.max_vcpus.max = 1;
    take_rest();
    CHECK_EQ(call(XEN_DOMCTL_max_vcpus, empty), -XEN_ENOMEM, "none that is there gets its vCPU");
    take_rest();
    CHECK_EQ(trade(), -XEN_ENOMEM, "no page is traded for another");
    memset(&sysctl, 0, sizeof(sysctl));
    sysctl.u.tbuf_op.cmd = XEN_SYSCTL_TBUFOP_set_size;
    sysctl.u.tbuf_op.size = 16;
    take_rest();
    CHECK_EQ(system_call(XEN_SYSCTL_tbuf_op), -XEN_ENOMEM, "nothing is traced");
    take_rest();
    CHECK_EQ(HYPERVISOR_grant_table_op(GNTTABOP_setup_table, &grants, 1), 0, "no grant table grows");
    CHECK_EQ(grants.status, GNTST_general_error, "which its status says");
    test_ports(empty);
}

static void test_after(int empty)
{
    check_group("the same with memory");
    CHECK_EQ(call(XEN_DOMCTL_destroydomain, holder), 0, "the domain that has it all goes");
    domctl.u.max_vcpus.max = 1;
    CHECK_EQ(call(XEN_DOMCTL_max_vcpus, empty), 0, "the other gets its vCPU after all");
    CHECK_EQ(call(XEN_DOMCTL_destroydomain, empty), 0, "and goes, too");
    CHECK_EQ(create(), 0, "another comes into being");
    CHECK_EQ(call(XEN_DOMCTL_destroydomain, domctl.domain), 0, "and goes");
}

int main(int argc, char **argv)
{
    uint64_t before = free_bytes();
    int empty;

    if (pv_is_dom0()) {
        CHECK_EQ(create(), 0, "a domain that is begun while there is memory");
        empty = domctl.domain;
        test_take();
        test_answers(empty);
        test_after(empty);
        CHECK(free_again(before), "no page is lost");
    } else {
        CHECK_EQ(create(), -XEN_EPERM, "a guest cannot fill the machine with domains");
    }
    return check_summary("exhausted") != 0;
}
