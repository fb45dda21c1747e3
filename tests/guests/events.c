/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Event channels (2-level): the life of a port, what each misuse is called, how pending, mask and selector bits move,
 * and waiting for events by block and poll.
 */
#include <stdio.h>
#include <string.h>
#include <abi/errno.h>
#include <pv/event.h>
#include <pv/hypercall.h>
#include <pv/threads.h>
#include <pv/time.h>
#include "check.h"

#define WORD_BITS (8 * sizeof(xen_ulong_t))
#define MS        1000000ULL
#define NOWHERE   3999U

static long alloc(domid_t dom, domid_t remote, evtchn_port_t *port)
{
    struct evtchn_alloc_unbound op = {.dom = dom, .remote_dom = remote};
    long rc = HYPERVISOR_event_channel_op(EVTCHNOP_alloc_unbound, &op);

    *port = op.port;
    return rc;
}

static long close_port(evtchn_port_t port)
{
    struct evtchn_close op = {.port = port};

    return HYPERVISOR_event_channel_op(EVTCHNOP_close, &op);
}

static long bind(domid_t remote, evtchn_port_t remote_port, evtchn_port_t *port)
{
    struct evtchn_bind_interdomain op = {.remote_dom = remote, .remote_port = remote_port};
    long rc = HYPERVISOR_event_channel_op(EVTCHNOP_bind_interdomain, &op);

    *port = op.local_port;
    return rc;
}

static long send(evtchn_port_t port)
{
    struct evtchn_send op = {.port = port};

    return HYPERVISOR_event_channel_op(EVTCHNOP_send, &op);
}

static long unmask(evtchn_port_t port)
{
    struct evtchn_unmask op = {.port = port};

    return HYPERVISOR_event_channel_op(EVTCHNOP_unmask, &op);
}

static long status(domid_t dom, evtchn_port_t port, struct evtchn_status *op)
{
    *op = (struct evtchn_status){.dom = dom, .port = port};
    return HYPERVISOR_event_channel_op(EVTCHNOP_status, op);
}

static bool pending(evtchn_port_t port)
{
    return ((volatile struct shared_info *)shared_info)->evtchn_pending[port / WORD_BITS] >> (port % WORD_BITS) & 1;
}

static bool masked(evtchn_port_t port)
{
    return ((volatile struct shared_info *)shared_info)->evtchn_mask[port / WORD_BITS] >> (port % WORD_BITS) & 1;
}

static bool selected(evtchn_port_t port)
{
    return ((volatile struct vcpu_info *)&shared_info->vcpu_info[0])->evtchn_pending_sel >> (port / WORD_BITS) & 1;
}

static bool upcall_pending(void)
{
    return ((volatile struct vcpu_info *)&shared_info->vcpu_info[0])->evtchn_upcall_pending;
}

static void test_life(void)
{
    domid_t self = pv_domid();
    struct evtchn_status st;
    evtchn_port_t a, b, c;

    check_group("life of a port");
    CHECK_EQ(alloc(DOMID_SELF, self, &a), 0, "a port for a partner can be allocated");
    CHECK(a > 0 && a < 4096, "port 0 is never given");
    CHECK_EQ(status(DOMID_SELF, a, &st), 0, "its status can be asked for");
    CHECK_EQ(st.status, EVTCHNSTAT_unbound, "it waits for its partner");
    CHECK_EQ(st.u.unbound.dom, self, "who is named");
    CHECK_EQ(send(a), 0, "sending to nobody yet is no error");
    CHECK(!pending(a), "and has no effect");
    CHECK_EQ(bind(self, a, &b), 0, "the partner binds");
    CHECK_EQ(status(DOMID_SELF, a, &st), 0, "status again");
    CHECK(st.status == EVTCHNSTAT_interdomain && st.u.interdomain.dom == self && st.u.interdomain.port == b,
          "both ends know each other");
    CHECK_EQ(bind(self, a, &c), -XEN_EINVAL, "only one partner per port");
    CHECK(pending(b), "a fresh end is pending: something may have happened before");
    CHECK_EQ(close_port(b), 0, "one end closes");
    CHECK_EQ(status(DOMID_SELF, b, &st), 0, "the status of a closed port is not an error");
    CHECK_EQ(st.status, EVTCHNSTAT_closed, "closed");
    status(DOMID_SELF, a, &st);
    CHECK_EQ(st.status, EVTCHNSTAT_unbound, "the other end waits for a partner again");
    CHECK_EQ(close_port(a), 0, "and closes");
    CHECK_EQ(close_port(a), -XEN_EINVAL, "once");
    event_test_and_clear(a);
    event_test_and_clear(b);
}

static void test_misuse(void)
{
    domid_t self = pv_domid();
    struct evtchn_status st;
    struct evtchn_bind_virq virq = {.virq = VIRQ_DEBUG};
    struct evtchn_bind_ipi ipi = {.vcpu = 77};
    struct evtchn_bind_vcpu vcpu;
    evtchn_port_t port;

    check_group("misuse");
    CHECK_EQ(send(NOWHERE), -XEN_EINVAL, "sending to a port that is not open");
    CHECK_EQ(send(0), -XEN_EINVAL, "to port 0");
    CHECK_EQ(send(~0U), -XEN_EINVAL, "far out of range");
    CHECK_EQ(close_port(0), -XEN_EINVAL, "closing port 0");
    CHECK_EQ(unmask(~0U), -XEN_EINVAL, "unmasking out of range");
    CHECK_EQ(status(DOMID_SELF, ~0U, &st), -XEN_EINVAL, "the status of a port out of range");
    CHECK_EQ(status(0x7123, 1, &st), -XEN_ESRCH, "of a domain that does not exist");
    CHECK_EQ(bind(0x7123, 1, &port), -XEN_ESRCH, "a partner that does not exist");
    CHECK_EQ(bind(self, NOWHERE, &port), -XEN_EINVAL, "a partner's port that is not open");
    CHECK_EQ(alloc(0x7123, self, &port), -XEN_ESRCH, "a port for a domain that does not exist");
    CHECK_EQ(HYPERVISOR_event_channel_op(EVTCHNOP_bind_virq, &virq), 0, "a virtual interrupt can be bound");
    port = virq.port;
    CHECK_EQ(HYPERVISOR_event_channel_op(EVTCHNOP_bind_virq, &virq), -XEN_EEXIST, "once");
    CHECK_EQ(send(port), -XEN_EINVAL, "and cannot be sent to");
    vcpu = (struct evtchn_bind_vcpu){.port = port, .vcpu = 0};
    CHECK_EQ(HYPERVISOR_event_channel_op(EVTCHNOP_bind_vcpu, &vcpu), -XEN_EINVAL,
             "one that belongs to a vCPU does not move");
    close_port(port);
    virq.virq = 99;
    CHECK_EQ(HYPERVISOR_event_channel_op(EVTCHNOP_bind_virq, &virq), -XEN_EINVAL,
             "a virtual interrupt that does not exist");
    virq = (struct evtchn_bind_virq){.virq = VIRQ_DEBUG, .vcpu = 77};
    CHECK_EQ(HYPERVISOR_event_channel_op(EVTCHNOP_bind_virq, &virq), -XEN_ENOENT, "on a vCPU that does not exist");
    CHECK_EQ(HYPERVISOR_event_channel_op(EVTCHNOP_bind_ipi, &ipi), -XEN_ENOENT, "an IPI there");
    CHECK_EQ(HYPERVISOR_event_channel_op(99, &ipi), -XEN_ENOSYS, "an operation that does not exist");
    CHECK_EQ(HYPERVISOR_event_channel_op(EVTCHNOP_send, (void *)~7UL), -XEN_EFAULT, "an argument that cannot be read");
}

static void test_bits(void)
{
    struct evtchn_bind_ipi ipi = {.vcpu = 0};
    struct evtchn_status st;
    evtchn_port_t port;

    check_group("pending, mask and selector");
    irq_disable();
    CHECK_EQ(HYPERVISOR_event_channel_op(EVTCHNOP_bind_ipi, &ipi), 0, "an IPI port");
    port = ipi.port;
    status(DOMID_SELF, port, &st);
    CHECK(st.status == EVTCHNSTAT_ipi && st.vcpu == 0, "is reported as such");
    event_mask(port);
    /* The selector's bit stands for a whole word of ports: the others in it must be silent meanwhile. */
    xen_ulong_t *mask = &shared_info->evtchn_mask[port / WORD_BITS], others = *mask;
    *mask = ~(xen_ulong_t)0;
    __atomic_fetch_and(&shared_info->vcpu_info[0].evtchn_pending_sel, ~((xen_ulong_t)1 << (port / WORD_BITS)),
                       __ATOMIC_SEQ_CST);
    CHECK_EQ(send(port), 0, "sent to while masked");
    CHECK(pending(port), "it is pending");
    CHECK(!selected(port), "but not selected");
    *mask = others;
    CHECK_EQ(unmask(port), 0, "unmasked");
    CHECK(!masked(port), "the mask bit goes");
    CHECK(selected(port) && upcall_pending(), "and the event is announced");
    event_test_and_clear(port);
    others = *mask;
    *mask = ~((xen_ulong_t)1 << (port % WORD_BITS));
    __atomic_fetch_and(&shared_info->vcpu_info[0].evtchn_pending_sel, ~((xen_ulong_t)1 << (port / WORD_BITS)),
                       __ATOMIC_SEQ_CST);
    CHECK_EQ(unmask(port), 0, "unmasking an open port");
    CHECK(!selected(port), "announces nothing");
    *mask = others; /* what came for the others is found with the next event of the word */
    CHECK_EQ(send(port), 0, "sent to while open");
    CHECK(pending(port) && selected(port) && upcall_pending(), "it is announced at once");
    event_test_and_clear(port);
    CHECK_EQ(close_port(port), 0, "closing");
    CHECK(!pending(port), "leaves nothing pending");
    irq_enable();
}

static long poll(evtchn_port_t *ports, unsigned int count, uint64_t timeout)
{
    struct sched_poll op = {.nr_ports = count, .timeout = timeout};

    set_xen_guest_handle(op.ports, ports);
    return HYPERVISOR_sched_op(SCHEDOP_poll, &op);
}

static evtchn_port_t polled;

static long poll_until(uint64_t until)
{
    return poll(&polled, 1, until);
}

static long block_until(uint64_t until)
{
    timer_set(until);
    return HYPERVISOR_sched_op(SCHEDOP_block, NULL);
}

/* Lets the events of console and store arrive first. */
static void quiet(void)
{
    fflush(stdout);
    thread_sleep_ns(100 * MS);
}

static void test_waiting(void)
{
    struct evtchn_bind_ipi ipi = {.vcpu = 0};
    evtchn_port_t port, bad = ~0U;
    uint64_t start, until;

    check_group("waiting");
    HYPERVISOR_event_channel_op(EVTCHNOP_bind_ipi, &ipi);
    port = polled = ipi.port;
    event_mask(port);
    quiet();
    CHECK_EQ(check_sleep(poll_until, &until), 0, "a poll with a deadline");
    CHECK(time_monotonic_ns() >= until, "lasts until then");
    send(port);
    start = time_monotonic_ns();
    CHECK_EQ(poll(&port, 1, start + 20000 * MS), 0, "when a port is pending, masked or not");
    CHECK(time_monotonic_ns() < start + 10000 * MS, "it returns at once");
    CHECK(pending(port), "and the port stays pending");
    event_test_and_clear(port);
    timer_set(start + 20000 * MS);
    CHECK_EQ(poll(&port, 1, ~0ULL), 0, "a deadline before the first moment is no endless one");
    CHECK(time_monotonic_ns() < start + 10000 * MS, "it is over");
    timer_set(0);
    CHECK_EQ(poll(&bad, 1, start), -XEN_EINVAL, "a port out of range is an error");
    CHECK_EQ(poll(&port, 1000, start), -XEN_EINVAL, "so are too many");
    event_test_and_clear(port);
    irq_enable();
    quiet();
    CHECK_EQ(check_sleep(block_until, &until), 0, "block");
    CHECK(time_monotonic_ns() >= until, "lasts until the timer");
    CHECK_EQ(shared_info->vcpu_info[0].evtchn_upcall_mask, 0, "and opens the upcall mask");
    CHECK_EQ(HYPERVISOR_sched_op(SCHEDOP_yield, NULL), 0, "yield");
    CHECK_EQ(HYPERVISOR_sched_op(99, NULL), -XEN_ENOSYS, "an operation that does not exist");
    close_port(port);
}

static unsigned int order[4], seen;

static void note(evtchn_port_t port, void *data)
{
    if (seen < 4)
        order[seen++] = (unsigned int)(uintptr_t)data;
}

/* Both ports are pending when upcalls are let in: how many that takes. */
static unsigned long upcalls_for(evtchn_port_t a, evtchn_port_t b)
{
    unsigned long upcalls;

    irq_disable();
    seen = 0;
    send(b);
    send(a);
    send(a);
    upcalls = event_upcalls();
    irq_enable();
    return event_upcalls() - upcalls;
}

static void test_delivery(void)
{
    int a = event_bind_ipi(0, note, (void *)1), b = event_bind_ipi(0, note, (void *)2);
    unsigned long upcalls = 0;

    check_group("delivery");
    CHECK(a > 0 && b > 0, "two ports");
    for (unsigned int tries = 0; tries < 20 && upcalls != 1; tries++) /* the console may have one of its own */
        upcalls = upcalls_for((evtchn_port_t)a, (evtchn_port_t)b);
    CHECK_EQ(upcalls, 1, "one upcall for all that is pending");
    CHECK_EQ(seen, 2, "each port once, however often it was sent to");
    event_close((evtchn_port_t)a);
    event_close((evtchn_port_t)b);
}

static void test_many(void)
{
    static evtchn_port_t ports[300];
    unsigned int got = 0;
    bool distinct = true;

    check_group("many ports");
    while (got < 300 && alloc(DOMID_SELF, pv_domid(), &ports[got]) == 0)
        got++;
    CHECK_EQ(got, 300, "300 ports can be open");
    for (unsigned int i = 1; i < got; i++)
        distinct = distinct && ports[i] != ports[i - 1];
    CHECK(distinct, "all different");
    for (unsigned int i = 0; i < got; i++)
        close_port(ports[i]);
    CHECK_EQ(alloc(DOMID_SELF, pv_domid(), &ports[0]), 0, "and are free for use again");
    CHECK(ports[0] < 100, "the lowest first");
    close_port(ports[0]);
}

int main(int argc, char **argv)
{
    test_life();
    test_misuse();
    test_bits();
    test_waiting();
    test_delivery();
    test_many();
    check_summary("events");
    return 0;
}
