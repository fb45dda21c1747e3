/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Event channels seen from inside: what each operation answers, when events arrive, between vCPUs too, and the FIFO
 * form. Written for a kernel that may be dom0 or domU; what needs another domain is not here. The last part leaves the
 * domain without ports.
 */
#include <stdio.h>
#include <string.h>
#include <abi/errno.h>
#include <abi/event_channel.h>
#include <pv/event.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/smp.h>
#include <pv/time.h>
#include "check.h"

#define MS   1000000ULL
#define MOST 4096 /* ports of a 64-bit kernel, without the FIFO form */

static long op(int cmd, void *arg)
{
    return HYPERVISOR_event_channel_op(cmd, arg);
}

static long status(evtchn_port_t port, struct evtchn_status *out)
{
    memset(out, 0, sizeof(*out));
    out->dom = DOMID_SELF;
    out->port = port;
    return op(EVTCHNOP_status, out);
}

static long close_port(evtchn_port_t port)
{
    struct evtchn_close arg = {.port = port};
    return op(EVTCHNOP_close, &arg);
}

static long send(evtchn_port_t port)
{
    struct evtchn_send arg = {.port = port};
    return op(EVTCHNOP_send, &arg);
}

static volatile unsigned int arrived;

static void count(evtchn_port_t port, void *data)
{
    arrived++;
}

static void test_errors(void)
{
    struct evtchn_alloc_unbound alloc = {.dom = 0x7000, .remote_dom = 0};
    struct evtchn_bind_interdomain bind = {.remote_dom = 0x7000, .remote_port = 1};
    struct evtchn_bind_virq virq = {.virq = VIRQ_DEBUG, .vcpu = 0};
    struct evtchn_bind_ipi ipi = {.vcpu = 4000};
    struct evtchn_bind_vcpu vcpu = {.port = 0, .vcpu = 4000};
    struct evtchn_unmask unmask = {.port = 1u << 30};
    struct evtchn_set_priority priority = {.port = 1, .priority = 0};
    struct evtchn_expand_array expand = {.array_gfn = 0};
    struct evtchn_init_control control = {.control_gfn = 0, .offset = 4, .vcpu = 0};
    struct evtchn_status state;
    evtchn_port_t port;

    check_group("errors");
    CHECK_EQ(op(EVTCHNOP_alloc_unbound, &alloc), -XEN_ESRCH, "a port of a domain that does not exist");
    CHECK_EQ(op(EVTCHNOP_bind_interdomain, &bind), -XEN_ESRCH, "binding to a domain that does not exist");
    bind = (struct evtchn_bind_interdomain){.remote_dom = DOMID_SELF, .remote_port = 1u << 30};
    CHECK_EQ(op(EVTCHNOP_bind_interdomain, &bind), -XEN_EINVAL, "binding to a port that cannot exist");
    CHECK_EQ(op(EVTCHNOP_bind_ipi, &ipi), -XEN_ENOENT, "an IPI for a vCPU that does not exist");
    CHECK_EQ(op(EVTCHNOP_bind_vcpu, &vcpu), -XEN_ENOENT, "moving a port to a vCPU that does not exist");
    vcpu.vcpu = 0;
    CHECK_EQ(op(EVTCHNOP_bind_vcpu, &vcpu), -XEN_EINVAL, "moving port 0");
    CHECK_EQ(op(EVTCHNOP_unmask, &unmask), -XEN_EINVAL, "unmasking a port that cannot exist");
    CHECK_EQ(send(0), -XEN_EINVAL, "sending on port 0");
    CHECK_EQ(send(1u << 30), -XEN_EINVAL, "sending on a port that cannot exist");
    CHECK_EQ(close_port(0), -XEN_EINVAL, "closing port 0");
    CHECK_EQ(close_port(1u << 30), -XEN_EINVAL, "closing a port that cannot exist");
    CHECK_EQ(status(1u << 30, &state), -XEN_EINVAL, "asking about a port that cannot exist");
    CHECK_EQ(status(0, &state), 0, "port 0 exists");
    CHECK_EQ(state.status, EVTCHNSTAT_closed, "and is never open");
    CHECK_EQ(op(EVTCHNOP_set_priority, &priority), -XEN_ENOSYS, "priorities are for the FIFO form");
    CHECK_EQ(op(EVTCHNOP_expand_array, &expand), -XEN_EOPNOTSUPP, "so are event arrays");
    CHECK_EQ(op(EVTCHNOP_init_control, &control), -XEN_EINVAL, "a control block that is not aligned");
    control.offset = 0;
    control.vcpu = 4000;
    CHECK_EQ(op(EVTCHNOP_init_control, &control), -XEN_ENOENT, "a control block of a vCPU that does not exist");
    CHECK_EQ(op(99, &state), -XEN_ENOSYS, "an operation that does not exist");
    CHECK_EQ(op(EVTCHNOP_send, NULL), -XEN_EFAULT, "arguments that are not mapped");

    CHECK_EQ(op(EVTCHNOP_bind_virq, &virq), 0, "the debug interrupt can be bound");
    port = virq.port;
    CHECK_EQ(op(EVTCHNOP_bind_virq, &virq), -XEN_EEXIST, "but once a vCPU");
    CHECK_EQ(send(port), -XEN_EINVAL, "nobody sends a virtual interrupt");
    vcpu = (struct evtchn_bind_vcpu){.port = port, .vcpu = 0};
    CHECK_EQ(op(EVTCHNOP_bind_vcpu, &vcpu), -XEN_EINVAL, "a per-vCPU interrupt does not move");
    CHECK_EQ(status(port, &state), 0, "its state can be asked for");
    CHECK(state.status == EVTCHNSTAT_virq && state.u.virq == VIRQ_DEBUG && state.vcpu == 0, "and is right");
    CHECK_EQ(close_port(port), 0, "it can be closed");
    CHECK_EQ(close_port(port), -XEN_EINVAL, "once");
    virq = (struct evtchn_bind_virq){.virq = NR_VIRQS, .vcpu = 0};
    CHECK_EQ(op(EVTCHNOP_bind_virq, &virq), -XEN_EINVAL, "a virtual interrupt that does not exist");
    virq = (struct evtchn_bind_virq){.virq = VIRQ_DOM_EXC, .vcpu = 1};
    CHECK_EQ(op(EVTCHNOP_bind_virq, &virq), -XEN_EINVAL, "a global interrupt is bound at vCPU 0");
    virq = (struct evtchn_bind_virq){.virq = VIRQ_DEBUG, .vcpu = 4000};
    CHECK_EQ(op(EVTCHNOP_bind_virq, &virq), -XEN_ENOENT, "a virtual interrupt of a vCPU that does not exist");
}

static void test_states(void)
{
    struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF, .remote_dom = DOMID_SELF};
    struct evtchn_bind_interdomain bind = {.remote_dom = DOMID_SELF};
    struct evtchn_bind_vcpu vcpu = {.vcpu = 0};
    struct evtchn_status state;

    check_group("states");
    CHECK_EQ(op(EVTCHNOP_alloc_unbound, &alloc), 0, "a port for oneself");
    CHECK(status(alloc.port, &state) == 0 && state.status == EVTCHNSTAT_unbound && state.u.unbound.dom == pv_domid(),
          "is unbound and names the real domain number");
    CHECK_EQ(send(alloc.port), 0, "an event on it is lost without an error");
    bind.remote_port = alloc.port;
    CHECK_EQ(op(EVTCHNOP_bind_interdomain, &bind), 0, "the other end can be bound");
    CHECK_EQ(op(EVTCHNOP_bind_interdomain, &bind), -XEN_EINVAL, "once");
    bind.local_port = 0;
    CHECK(status(alloc.port, &state) == 0 && state.status == EVTCHNSTAT_interdomain, "now it is interdomain");
    bind.local_port = state.u.interdomain.port;
    CHECK(state.u.interdomain.dom == pv_domid() && bind.local_port != alloc.port, "with both ends known");
    vcpu.port = alloc.port;
    CHECK_EQ(op(EVTCHNOP_bind_vcpu, &vcpu), 0, "an interdomain port can be moved");
    CHECK_EQ(close_port(bind.local_port), 0, "closing one end");
    CHECK(status(alloc.port, &state) == 0 && state.status == EVTCHNSTAT_unbound, "leaves the other unbound");
    CHECK(status(bind.local_port, &state) == 0 && state.status == EVTCHNSTAT_closed, "and itself closed");
    CHECK_EQ(op(EVTCHNOP_bind_interdomain, &bind), 0, "and it can be bound again");
    CHECK_EQ(close_port(alloc.port), 0, "closing the far end");
    CHECK_EQ(close_port(bind.local_port), 0, "and the near one");
}

static void test_delivery(void)
{
    int port = event_bind_ipi(0, count, NULL), second;
    unsigned long upcalls;

    check_group("delivery");
    arrived = 0;
    upcalls = event_upcalls();
    for (int i = 0; i < 100; i++)
        send((evtchn_port_t)port);
    CHECK_EQ(arrived, 100, "every event arrives before its hypercall returns");
    CHECK(event_upcalls() - upcalls >= 100, "each with an upcall of its own");
    irq_disable();
    send((evtchn_port_t)port);
    send((evtchn_port_t)port);
    second = event_bind_ipi(0, count, NULL);
    send((evtchn_port_t)second);
    CHECK(shared_info->vcpu_info[0].evtchn_upcall_pending != 0, "masked upcalls wait");
    irq_enable();
    CHECK_EQ(arrived, 102, "two ports, one event each: a pending port is pending once");
    event_mask((evtchn_port_t)port);
    send((evtchn_port_t)port);
    event_close((evtchn_port_t)port);
    CHECK(!(shared_info->evtchn_pending[0] >> port & 1), "closing takes the pending bit away");
    event_close((evtchn_port_t)second);
    CHECK_EQ(arrived, 102, "and nothing more arrives");
}

static void test_ports(void)
{
    struct evtchn_bind_ipi bind = {.vcpu = 0};
    evtchn_port_t first = 0, last = 0, ports = 0, middle;

    check_group("ports");
    while (op(EVTCHNOP_bind_ipi, &bind) == 0) {
        if (first == 0)
            first = bind.port;
        if (bind.port != last + 1 && last != 0)
            break; /* a gap of ports already in use */
        last = bind.port;
        if (++ports == 300)
            break;
    }
    CHECK(ports >= 100, "hundreds of ports can be open");
    middle = first + ports / 2;
    close_port(middle);
    CHECK(op(EVTCHNOP_bind_ipi, &bind) == 0 && bind.port == middle, "the lowest free port is used first");
    for (evtchn_port_t port = first; port <= last; port++)
        close_port(port);
}

static evtchn_port_t ping, pong;
static volatile unsigned int turns;
static volatile bool stop;

static void second_cpu(void *arg)
{
    while (!stop) {
        struct sched_poll poll;

        memset(&poll, 0, sizeof(poll));
        set_xen_guest_handle(poll.ports, &ping);
        poll.nr_ports = 1;
        HYPERVISOR_sched_op(SCHEDOP_poll, &poll);
        if (event_test_and_clear(ping)) {
            turns++;
            send(pong);
        }
    }
}

static void test_between_vcpus(void)
{
    struct evtchn_bind_ipi bind = {.vcpu = 1};
    unsigned int rounds;
    uint64_t limit;

    check_group("between vCPUs");
    if (smp_cpu_count() < 2)
        return;
    CHECK_EQ(op(EVTCHNOP_bind_ipi, &bind), 0, "an IPI for vCPU 1");
    ping = bind.port;
    event_mask(ping);
    arrived = 0;
    pong = (evtchn_port_t)event_bind_ipi(0, count, NULL);
    CHECK_EQ(smp_start(1, second_cpu, NULL), 0, "vCPU 1 starts");
    limit = time_monotonic_ns() + 30000 * MS;
    for (rounds = 0; rounds < 300 && time_monotonic_ns() < limit; rounds++) {
        unsigned int before = arrived;
        send(ping);
        while (arrived == before && time_monotonic_ns() < limit)
            ;
    }
    CHECK_EQ(rounds, 300, "three hundred events to a polling vCPU");
    CHECK_EQ(arrived, 300, "and as many back");
    CHECK_EQ(turns, 300, "none lost, none twice");
    stop = true;
    send(ping);
    while (smp_is_up(1) && time_monotonic_ns() < limit)
        ;
    close_port(ping);
    event_close(pong);
}

/* FIFO: upcalls stay masked, the queues are read by hand. */

static uint32_t *words;
static struct evtchn_fifo_control_block *block;

static evtchn_port_t take_head(unsigned int queue)
{
    evtchn_port_t port = block->head[queue];
    uint32_t word;

    if (!(block->ready >> queue & 1))
        return 0;
    word = __atomic_fetch_and(&words[port], ~((1u << EVTCHN_FIFO_LINKED) | EVTCHN_FIFO_LINK_MASK), __ATOMIC_SEQ_CST);
    block->head[queue] = word & EVTCHN_FIFO_LINK_MASK;
    if (block->head[queue] == 0)
        __atomic_fetch_and(&block->ready, ~(1u << queue), __ATOMIC_SEQ_CST);
    __atomic_fetch_and(&words[port], ~(1u << EVTCHN_FIFO_PENDING), __ATOMIC_SEQ_CST);
    return port;
}

static evtchn_port_t open_ipi(void)
{
    struct evtchn_bind_ipi bind = {.vcpu = 0};
    return op(EVTCHNOP_bind_ipi, &bind) == 0 ? bind.port : 0;
}

/* A guest's library goes on sending on the port that its console had: nobody's event may come of it. */
static void keep_first_ports(void)
{
    struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF, .remote_dom = DOMID_SELF};

    do
        HYPERVISOR_event_channel_op(EVTCHNOP_alloc_unbound, &alloc);
    while (alloc.port < 4);
}

static bool fifo_start(void)
{
    struct evtchn_init_control control = {.vcpu = 0, .offset = 64};
    struct evtchn_expand_array expand;
    char *page = pages_alloc(1);

    words = pages_alloc(1);
    block = (void *)(page + 64);
    control.control_gfn = virt_to_mfn(page);
    expand.array_gfn = virt_to_mfn(words);
    CHECK_EQ(op(EVTCHNOP_init_control, &control), 0, "the FIFO form can be started");
    CHECK_EQ(control.link_bits, EVTCHN_FIFO_LINK_BITS, "with 17 bits of port number");
    CHECK_EQ(op(EVTCHNOP_init_control, &control), -XEN_EINVAL, "once a vCPU");
    return CHECK_EQ(op(EVTCHNOP_expand_array, &expand), 0, "the event array grows by a page");
}

static void test_fifo(void)
{
    struct evtchn_reset reset = {.dom = DOMID_SELF};
    struct evtchn_set_priority priority;
    struct evtchn_unmask unmask;
    evtchn_port_t a, b, c, early;

    check_group("FIFO");
    irq_disable();
    CHECK_EQ(op(EVTCHNOP_reset, &reset), 0, "all ports can be closed at once");
    keep_first_ports();
    early = open_ipi();
    send(early);
    if (!fifo_start())
        return;
    CHECK_EQ(take_head(EVTCHN_FIFO_PRIORITY_DEFAULT), early, "what was pending before is delivered");
    a = open_ipi();
    b = open_ipi();
    c = open_ipi();
    send(b);
    send(a);
    send(c);
    send(b);
    CHECK_EQ(take_head(EVTCHN_FIFO_PRIORITY_DEFAULT), b, "events come out");
    CHECK_EQ(take_head(EVTCHN_FIFO_PRIORITY_DEFAULT), a, "in the order");
    CHECK_EQ(take_head(EVTCHN_FIFO_PRIORITY_DEFAULT), c, "they were sent");
    CHECK_EQ(take_head(EVTCHN_FIFO_PRIORITY_DEFAULT), 0, "each once");
    priority = (struct evtchn_set_priority){.port = a, .priority = EVTCHN_FIFO_PRIORITY_MIN + 1};
    CHECK_EQ(op(EVTCHNOP_set_priority, &priority), -XEN_EINVAL, "a priority that does not exist");
    priority.priority = 2;
    CHECK_EQ(op(EVTCHNOP_set_priority, &priority), 0, "a port can be made more urgent");
    send(b);
    send(a);
    CHECK_EQ(take_head(2), a, "then it has another queue");
    CHECK_EQ(take_head(EVTCHN_FIFO_PRIORITY_DEFAULT), b, "than the rest");
    words[c] |= 1u << EVTCHN_FIFO_MASKED;
    send(c);
    CHECK_EQ(take_head(EVTCHN_FIFO_PRIORITY_DEFAULT), 0, "a masked port is not queued");
    unmask.port = c;
    CHECK_EQ(op(EVTCHNOP_unmask, &unmask), 0, "until it is unmasked");
    CHECK_EQ(take_head(EVTCHN_FIFO_PRIORITY_DEFAULT), c, "by the hypervisor");
    send(c);
    close_port(c);
    CHECK(open_ipi() != c, "a closed port is not given out while a queue links it");
    take_head(EVTCHN_FIFO_PRIORITY_DEFAULT);
    CHECK_EQ(open_ipi(), c, "but afterwards");
    memset(words, 0xff, PAGE_SIZE);
    send(a);
    send(b);
    memset(block, 0xff, sizeof(*block));
    memset(words, 0, PAGE_SIZE);
    send(a);
    send(b);
    CHECK_EQ(send(c), 0, "words full of rubbish harm nobody but their owner");
    CHECK_EQ(op(EVTCHNOP_reset, &reset), 0, "a reset ends the FIFO form");
    CHECK_EQ(op(EVTCHNOP_set_priority, &priority), -XEN_ENOSYS, "and its operations");
    pages_free(words, 1);
}

/* A kernel that leaks ports learns it from this answer, and what it closes then is to be had again. */
static void test_all_ports(void)
{
    struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF, .remote_dom = DOMID_SELF};
    static evtchn_port_t ports[MOST];
    unsigned int opened = 0;

    check_group("every port");
    while (opened < MOST && op(EVTCHNOP_alloc_unbound, &alloc) == 0)
        ports[opened++] = alloc.port;
    CHECK(opened > 900, "there are many");
    CHECK_EQ(op(EVTCHNOP_alloc_unbound, &alloc), -XEN_ENOSPC, "then none is left");
    CHECK_EQ(close_port(ports[opened / 2]), 0, "one is closed");
    CHECK_EQ(op(EVTCHNOP_alloc_unbound, &alloc), 0, "and is there for the next");
    CHECK_EQ(alloc.port, ports[opened / 2], "under its number");
    while (opened > 0)
        close_port(ports[--opened]);
}

int main(int argc, char **argv)
{
    test_errors();
    test_states();
    test_delivery();
    test_ports();
    test_between_vcpus();
    test_all_ports();
    test_fifo();
    return check_summary("evtchn") != 0;
}
