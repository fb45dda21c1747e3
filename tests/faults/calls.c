/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Hypercalls that make the hypervisor allocate, each with its first, its second, ... allocation failing, until none
 * does. A refused call must say that memory lacks, and the same call must work right afterwards.
 *
 * Who lets allocations fail is outside (tests/system/faulty.py): xen_version with the command ARM + n asks for the n-th
 * from now, ARM alone how many failed since. Without anyone there the hypervisor knows no such command.
 */
#include <stdio.h>
#include <string.h>
#include <abi/errno.h>
#include <abi/event_channel.h>
#include <abi/memory.h>
#include <pv/event.h>
#include <pv/grant.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/smp.h>
#include <pv/threads.h>
#include "../../guest-pv/core/internal.h"
#include "../guests/check.h"

#define ARM   0x7FA00000
#define LIMIT 200

static long arm(unsigned int number)
{
    return HYPERVISOR_xen_version((int)(ARM + number), NULL);
}

/* One of these: start does it, 0 or a negative error number; end undoes what was done, half of it too. */
struct call {
    const char *name;
    long (*start)(void);
    void (*end)(void);
};

#define PORTS 700
static evtchn_port_t ports[PORTS];
static unsigned int port_count;

static long open_ports(void)
{
    for (port_count = 0; port_count < PORTS; port_count++) {
        struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF, .remote_dom = DOMID_SELF};
        long rc = HYPERVISOR_event_channel_op(EVTCHNOP_alloc_unbound, &alloc);
        if (rc != 0)
            return rc;
        ports[port_count] = alloc.port;
    }
    return 0;
}

static void close_ports(void)
{
    while (port_count > 0) {
        struct evtchn_close close = {.port = ports[--port_count]};
        CHECK_EQ(HYPERVISOR_event_channel_op(EVTCHNOP_close, &close), 0, "a port that was opened can be closed");
    }
}

static long grant_status(long rc, int status)
{
    if (rc != 0)
        return rc;
    return status == GNTST_okay                                               ? 0
           : status == GNTST_general_error || status == GNTST_no_device_space ? -XEN_ENOMEM
                                                                              : -XEN_EINVAL;
}

/* The second version has a table more, of the state of each entry. */
static long change_version(unsigned int version)
{
    struct gnttab_set_version op = {.version = version};

    return HYPERVISOR_grant_table_op(GNTTABOP_set_version, &op, 1);
}

static long second_version(void)
{
    return change_version(2);
}

static void first_version(void)
{
    CHECK_EQ(change_version(1), 0, "back to the first version");
}

static void nothing(void)
{
}

#define MAPPINGS 600
static char *page, *window;
static int gref;
static grant_handle_t handles[MAPPINGS];
static unsigned int mapped;

/* More handles than one page of them has room for; each at the same place, of the same grant, read-only. */
static long map_many(void)
{
    for (mapped = 0; mapped < MAPPINGS; mapped++) {
        struct gnttab_map_grant_ref op = {.host_addr = (unsigned long)(window + mapped * PAGE_SIZE),
                                          .flags = GNTMAP_host_map | GNTMAP_readonly,
                                          .ref = (grant_ref_t)gref,
                                          .dom = pv_domid()};
        long rc = HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, &op, 1);
        rc = grant_status(rc, op.status);
        if (rc != 0)
            return rc;
        handles[mapped] = op.handle;
    }
    return 0;
}

static void unmap_many(void)
{
    while (mapped > 0) {
        struct gnttab_unmap_grant_ref op = {.host_addr = (unsigned long)(window + --mapped * PAGE_SIZE),
                                            .handle = handles[mapped]};
        CHECK(HYPERVISOR_grant_table_op(GNTTABOP_unmap_grant_ref, &op, 1) == 0 && op.status == GNTST_okay,
              "a mapping that was made can be undone");
    }
}

#define BALLOON 24
static xen_pfn_t out[BALLOON];
static unsigned long released, claimed;

static long balloon(void)
{
    released = balloon_release(BALLOON);
    claimed = balloon_claim(released);
    return claimed == released ? 0 : -XEN_ENOMEM;
}

static void balloon_rest(void)
{
    if (claimed < released)
        CHECK_EQ(balloon_claim(released - claimed), released - claimed, "what was refused can be had afterwards");
}

static long exchange(void)
{
    xen_pfn_t in = virt_to_mfn(page + PAGE_SIZE), pfn = virt_to_pfn(page + PAGE_SIZE);
    struct xen_memory_exchange x = {.in = {.nr_extents = 1, .domid = DOMID_SELF},
                                    .out = {.nr_extents = 1, .domid = DOMID_SELF}};
    long rc;

    out[0] = pfn;
    set_xen_guest_handle(x.in.extent_start, &in);
    set_xen_guest_handle(x.out.extent_start, out);
    pte_write(page + PAGE_SIZE, 0);
    rc = HYPERVISOR_memory_op(XENMEM_exchange, &x);
    if (rc == 0 && x.nr_exchanged == 1)
        in = out[0];
    CHECK_EQ(pte_write(page + PAGE_SIZE, pte_make(in, PTE_KERNEL_RW)), 0,
             "the frame is ours: the new one, or the old one when the exchange was refused");
    p2m_set(pfn, in);
    return rc;
}

static long fifo(void)
{
    struct evtchn_init_control control = {.control_gfn = virt_to_mfn(page)};
    struct evtchn_expand_array expand = {.array_gfn = virt_to_mfn(page + 2 * PAGE_SIZE)};
    long rc = HYPERVISOR_event_channel_op(EVTCHNOP_init_control, &control);

    return rc != 0 ? rc : HYPERVISOR_event_channel_op(EVTCHNOP_expand_array, &expand);
}

static long pin_tables(void)
{
    struct mmuext_op op = {.cmd = MMUEXT_PIN_L1_TABLE, .arg1.mfn = virt_to_mfn(page + 3 * PAGE_SIZE)};
    long rc = HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF);

    if (rc == 0) {
        op.cmd = MMUEXT_UNPIN_TABLE;
        rc = HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF);
    }
    return rc;
}

static unsigned int started;

static void do_nothing(void *arg)
{
}

/* Each attempt that worked used a vCPU up: the next one is another that has never run. */
static long start_vcpu(void)
{
    int rc = smp_start(started + 1, do_nothing, NULL);

    started += rc == 0;
    return rc;
}

static void await_vcpu(void)
{
    while (started > 0 && smp_is_up(started))
        thread_sleep_ns(1000000);
}

static const struct call calls[] = {
    {"event channels", open_ports, close_ports},
    {"grant mappings", map_many, unmap_many},
    {"balloon", balloon, balloon_rest},
    {"exchange", exchange, nothing},
    {"pin", pin_tables, nothing},
    {"vCPU up", start_vcpu, await_vcpu},
    {"grant version", second_version, first_version}, /* ends all grants */
    {"FIFO", fifo, nothing},                          /* last: the library knows the other form alone */
};

static void fail_each(const struct call *call)
{
    long rc = 0, met = 0;

    check_group(call->name);
    for (unsigned int n = 1; n < LIMIT; n++) {
        arm(n);
        rc = call->start();
        if (arm(0) == 0)
            break;
        met++;
        CHECK(rc == 0 || rc == -XEN_ENOMEM, "what lacks is memory, and the caller is told so");
        call->end();
    }
    CHECK_EQ(rc, 0, "after all refusals the call works");
    call->end();
    printf("%s: %ld failures\n", call->name, met);
}

int main(int argc, char **argv)
{
    page = pages_alloc(4);
    window = vspace_alloc(MAPPINGS);
    for (unsigned int i = 0; i < MAPPINGS; i++)
        tables_build((unsigned long)(window + i * PAGE_SIZE), 1);
    gref = grant_access(pv_domid(), virt_to_mfn(page), true);
    memset(page, 0, 4 * PAGE_SIZE);
    pages_protect(page + 3 * PAGE_SIZE, 1, false);
    CHECK_EQ(arm(0), 0, "someone lets allocations fail");
    for (unsigned int i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        fail_each(&calls[i]);
    check_summary("faults");
    return 0;
}
