/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The old forms of calls that have a newer one: kernels from the first years of the ABI still use them.
 */
#include <stdio.h>
#include <string.h>
#include <abi/errno.h>
#include <pv/event.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/time.h>
#include <pv/traps.h>
#include "../../guest-pv/core/internal.h"
#include "check.h"

static long old_event_op(struct evtchn_op *op)
{
    return pv_hypercall1(__HYPERVISOR_event_channel_op_compat, (unsigned long)op);
}

static long old_sched_op(unsigned int command, unsigned long argument)
{
    return pv_hypercall2(__HYPERVISOR_sched_op_compat, command, argument);
}

static unsigned int arrived;

static void on_event(evtchn_port_t port, void *data)
{
    arrived++;
}

static void test_events(void)
{
    struct evtchn_op op = {.cmd = EVTCHNOP_alloc_unbound};
    evtchn_port_t ours, theirs;

    check_group("event_channel_op");
    op.u.alloc_unbound.dom = DOMID_SELF;
    op.u.alloc_unbound.remote_dom = pv_domid();
    CHECK_EQ(old_event_op(&op), 0, "a port can be allocated");
    ours = op.u.alloc_unbound.port;
    CHECK(ours > 0 && ours < 4096, "and is named");
    memset(&op, 0, sizeof(op));
    op.cmd = EVTCHNOP_bind_interdomain;
    op.u.bind_interdomain.remote_dom = pv_domid();
    op.u.bind_interdomain.remote_port = ours;
    CHECK_EQ(old_event_op(&op), 0, "and bound");
    theirs = op.u.bind_interdomain.local_port;
    CHECK(theirs > 0 && theirs != ours, "to another");
    event_set_handler(ours, on_event, NULL);
    arrived = 0;
    memset(&op, 0, sizeof(op));
    op.cmd = EVTCHNOP_send;
    op.u.send.port = theirs;
    CHECK_EQ(old_event_op(&op), 0, "sent to");
    CHECK_EQ(arrived, 1, "it arrives");
    memset(&op, 0, sizeof(op));
    op.cmd = EVTCHNOP_status;
    op.u.status.dom = DOMID_SELF;
    op.u.status.port = theirs;
    CHECK_EQ(old_event_op(&op), 0, "its status");
    CHECK(op.u.status.status == EVTCHNSTAT_interdomain && op.u.status.u.interdomain.port == ours, "is the true one");
    event_clear_handler(ours);
    for (int i = 0; i < 2; i++) {
        memset(&op, 0, sizeof(op));
        op.cmd = EVTCHNOP_close;
        op.u.close.port = i == 0 ? ours : theirs;
        CHECK_EQ(old_event_op(&op), 0, "both ends close");
    }
    CHECK_EQ(old_event_op(&op), -XEN_EINVAL, "once");
    op.cmd = 99;
    CHECK_EQ(old_event_op(&op), -XEN_ENOSYS, "an unknown operation is ENOSYS");
    CHECK_EQ(old_event_op((struct evtchn_op *)~0xfffUL), -XEN_EFAULT, "an unreadable one EFAULT");
}

static long nap(uint64_t until)
{
    timer_set(until);
    return old_sched_op(SCHEDOP_block, 0);
}

static void test_scheduling(void)
{
    uint64_t until;

    check_group("sched_op");
    CHECK_EQ(old_sched_op(SCHEDOP_yield, 0), 0, "yield");
    CHECK_EQ(check_sleep(nap, &until), 0, "block");
    CHECK(time_monotonic_ns() >= until, "lasts until the timer");
    CHECK_EQ(shared_info->vcpu_info[0].evtchn_upcall_mask, 0, "and opens the upcall mask");
    CHECK_EQ(old_sched_op(99, 0), -XEN_ENOSYS, "an unknown operation is ENOSYS");
}

static long set_callbacks(void (*event)(void), void (*failsafe)(void))
{
#ifdef __x86_64__
    return pv_hypercall3(__HYPERVISOR_set_callbacks, (unsigned long)event, (unsigned long)failsafe, 0);
#else
    return pv_hypercall4(__HYPERVISOR_set_callbacks, FLAT_KERNEL_CS, (unsigned long)event, FLAT_KERNEL_CS,
                         (unsigned long)failsafe);
#endif
}

static void test_callbacks(void)
{
    int port = event_bind_ipi(0, on_event, NULL);

    check_group("set_callbacks");
    CHECK_EQ(set_callbacks(upcall_entry, failsafe_entry), 0, "all in one call");
    arrived = 0;
    event_notify((evtchn_port_t)port);
    CHECK_EQ(arrived, 1, "and events come");
    event_close((evtchn_port_t)port);
}

static void test_physdev(void)
{
    struct physdev_op op = {.cmd = PHYSDEVOP_SET_IOPL};

    check_group("physdev_op");
    op.u.set_iopl.iopl = 1;
    CHECK_EQ(pv_hypercall1(__HYPERVISOR_physdev_op_compat, (unsigned long)&op), 0, "the I/O privilege can be set");
    op.u.set_iopl.iopl = 0;
    CHECK_EQ(pv_hypercall1(__HYPERVISOR_physdev_op_compat, (unsigned long)&op), 0, "and back");
    op.cmd = 99;
    CHECK_EQ(pv_hypercall1(__HYPERVISOR_physdev_op_compat, (unsigned long)&op), -XEN_ENOSYS,
             "an unknown operation is ENOSYS");
}

int main(int argc, char **argv)
{
    test_events();
    test_scheduling();
    test_callbacks();
    test_physdev();
    check_summary("compat");
    return 0;
}
