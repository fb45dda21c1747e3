/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Event channels misused: numbers that are no ports, vCPUs that do not exist, frames that may not be written; ports
 * closed while others send through them; the FIFO form's words, heads and links scribbled over while events are linked,
 * and a reset in the middle of all that. At the end every port is free and every frame is the guest's again.
 */
#include <abi/event_channel.h>
#include <abi/memory.h>
#include <pv/event.h>
#include "attack.h"

enum { CPUS = 4, SLOTS = 8, ROUND_NS = 250000000, PAGES = 4 };

static volatile evtchn_port_t slots[SLOTS];
static char *control[CPUS], *array[PAGES];
static volatile bool running;
static volatile unsigned long rounds[CPUS];
static domid_t self;

static long op(unsigned int command, void *argument)
{
    return HYPERVISOR_event_channel_op(command, argument);
}

static long close_port(evtchn_port_t port)
{
    struct evtchn_close close = {.port = port};

    return op(EVTCHNOP_close, &close);
}

static unsigned int ports_in_use(void)
{
    struct evtchn_status status = {.dom = DOMID_SELF};
    unsigned int count = 0;

    for (status.port = 0; op(EVTCHNOP_status, &status) == 0; status.port++)
        count += status.status != EVTCHNSTAT_closed;
    return count;
}

static bool becomes_table(void *page)
{
    bool good;

    memset(page, 0, PAGE_SIZE);
    pages_protect(page, 1, false);
    good = mmuext(MMUEXT_PIN_L1_TABLE, virt_to_mfn(page)) == 0;
    if (good)
        mmuext(MMUEXT_UNPIN_TABLE, virt_to_mfn(page));
    pages_protect(page, 1, true);
    return good;
}

/* A number is an index into tables of the hypervisor's: whatever it is, it stays within them. */
static void test_wild_ports(void)
{
    static const uint32_t wild[] = {0, 4095, 4096, 131071, 131072, 0x7fffffff, 0x80000000, 0xffffffff};
    bool refused = true, send_refused = true;

    check_group("ports that do not exist");
    for (unsigned int i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {
        struct evtchn_send send = {.port = wild[i]};
        struct evtchn_bind_vcpu bind = {.port = wild[i], .vcpu = 0};
        struct evtchn_set_priority priority = {.port = wild[i], .priority = 3};
        struct evtchn_bind_interdomain join = {.remote_dom = DOMID_SELF, .remote_port = wild[i]};
        struct evtchn_unmask unmask = {.port = wild[i]};

        send_refused = send_refused && op(EVTCHNOP_send, &send) != 0;
        op(EVTCHNOP_unmask, &unmask);
        refused = refused && close_port(wild[i]) != 0 && op(EVTCHNOP_bind_vcpu, &bind) != 0 &&
                  op(EVTCHNOP_set_priority, &priority) != 0 && op(EVTCHNOP_bind_interdomain, &join) != 0;
    }
    CHECK(send_refused, "nothing is sent through them");
    CHECK(refused, "they are not closed, bound, joined or given a priority");
}

static void test_wild_binds(void)
{
    static const uint32_t vcpus[] = {64, 8192, 0x7fffffff, 0xffffffff};
    struct evtchn_bind_virq virq = {.virq = VIRQ_CONSOLE};
    struct evtchn_bind_ipi ipi;
    struct evtchn_bind_vcpu bind;
    struct sched_poll poll = {.nr_ports = 1};
    evtchn_port_t polled[128];
    unsigned int tries = 100;
    long rc;
    bool refused = true;

    check_group("binding to what is not there");
    CHECK(op(EVTCHNOP_bind_ipi, &(struct evtchn_bind_ipi){.vcpu = 0}) == 0, "a port can be had");
    for (unsigned int i = 0; i < 4; i++) {
        ipi.vcpu = vcpus[i];
        bind = (struct evtchn_bind_vcpu){.port = 1, .vcpu = vcpus[i]};
        virq = (struct evtchn_bind_virq){.virq = VIRQ_DEBUG, .vcpu = vcpus[i]};
        refused = refused && op(EVTCHNOP_bind_ipi, &ipi) != 0 && op(EVTCHNOP_bind_vcpu, &bind) != 0 &&
                  op(EVTCHNOP_bind_virq, &virq) != 0;
        virq = (struct evtchn_bind_virq){.virq = vcpus[i], .vcpu = 0};
        refused = refused && op(EVTCHNOP_bind_virq, &virq) != 0;
    }
    CHECK(refused, "vCPUs and interrupts past the last");
    virq = (struct evtchn_bind_virq){.virq = VIRQ_ARCH_0, .vcpu = 1};
    CHECK_EQ(op(EVTCHNOP_bind_virq, &virq), -XEN_EINVAL, "a global interrupt belongs to vCPU 0");
    virq.vcpu = 0;
    CHECK_EQ(op(EVTCHNOP_bind_virq, &virq), 0, "where it can be bound");
    bind.port = virq.port;
    CHECK_EQ(op(EVTCHNOP_bind_virq, &virq), -XEN_EEXIST, "once: a second port would outlive the first's record");
    CHECK_EQ(close_port(bind.port), 0, "the first is closed");
    CHECK_EQ(op(EVTCHNOP_bind_virq, &virq), 0, "then another can have it");
    CHECK_EQ(close_port(virq.port), 0, "and is closed");
    memset(polled, 0xff, sizeof(polled));
    set_xen_guest_handle(poll.ports, polled);
    poll.timeout = 1;
    do /* an event that comes while the list is read ends the sleep: 0 */
        rc = HYPERVISOR_sched_op(SCHEDOP_poll, &poll);
    while (rc == 0 && --tries != 0);
    CHECK_EQ(rc, -XEN_EINVAL, "waiting for a port that does not exist");
    poll.nr_ports = ~0U;
    CHECK(HYPERVISOR_sched_op(SCHEDOP_poll, &poll) != 0, "or for four billion of them");
    set_xen_guest_handle(poll.ports, (evtchn_port_t *)~0xfffUL);
    poll.nr_ports = 128;
    CHECK(HYPERVISOR_sched_op(SCHEDOP_poll, &poll) != 0, "that are listed where we may not look");
}

/* Both ends of a channel may be closed at once, by two vCPUs. */
static uint32_t draw(unsigned int me)
{
    static uint64_t state[CPUS] = {11, 22, 33, 44};

    state[me] = state[me] * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(state[me] >> 33);
}

static void open_some(unsigned int me)
{
    struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF, .remote_dom = self};
    struct evtchn_bind_interdomain join = {.remote_dom = self, .remote_port = slots[draw(me) % SLOTS]};
    struct evtchn_bind_ipi ipi = {.vcpu = draw(me) % 5};
    unsigned int slot = draw(me) % SLOTS;
    evtchn_port_t port = 0;

    if (draw(me) % 2 && op(EVTCHNOP_alloc_unbound, &alloc) == 0)
        port = alloc.port;
    else if (draw(me) % 2 && join.remote_port && op(EVTCHNOP_bind_interdomain, &join) == 0)
        port = join.local_port;
    else if (op(EVTCHNOP_bind_ipi, &ipi) == 0)
        port = ipi.port;
    port = __atomic_exchange_n(&slots[slot], port, __ATOMIC_SEQ_CST);
    if (port)
        close_port(port);
}

static void use_some(unsigned int me)
{
    struct evtchn_send send = {.port = slots[draw(me) % SLOTS]};
    struct evtchn_unmask unmask = {.port = slots[draw(me) % SLOTS]};
    struct evtchn_bind_vcpu bind = {.port = slots[draw(me) % SLOTS], .vcpu = draw(me) % 5};
    struct evtchn_set_priority priority = {.port = slots[draw(me) % SLOTS], .priority = draw(me) % 20};

    if (send.port)
        op(EVTCHNOP_send, &send);
    if (unmask.port)
        op(EVTCHNOP_unmask, &unmask);
    if (bind.port)
        op(EVTCHNOP_bind_vcpu, &bind);
    if (priority.port)
        op(EVTCHNOP_set_priority, &priority);
}

static void scribble(unsigned int me)
{
    for (unsigned int i = 0; i < 16; i++) {
        if (control[0] != NULL)
            ((volatile uint32_t *)control[draw(me) % CPUS])[draw(me) % 20] = draw(me);
        if (array[0] != NULL)
            ((volatile uint32_t *)array[0])[draw(me) % 64] = draw(me) << (draw(me) % 28);
    }
}

static void (*second_attack)(unsigned int);

static void attack_on(void *arg)
{
    unsigned int me = (unsigned int)(unsigned long)arg;

    while (running) {
        (me == 1 ? second_attack : me == 2 ? use_some : open_some)(me);
        rounds[me]++;
        smp_safe_point();
    }
}

static void race(const char *name, void (*first)(unsigned int), void (*second)(unsigned int))
{
    unsigned int cpus = smp_cpu_count() < CPUS ? smp_cpu_count() : CPUS;
    uint64_t end = time_monotonic_ns() + ROUND_NS;
    unsigned long total = 0;

    running = true;
    second_attack = second;
    rounds[0] = 0;
    for (unsigned int i = 1; i < cpus; i++) {
        rounds[i] = 0;
        smp_start(i, attack_on, (void *)(unsigned long)i);
    }
    do {
        first(0);
        if (cpus == 1)
            second(0);
        rounds[0]++;
    } while (time_monotonic_ns() < end);
    running = false;
    for (unsigned int i = 1; i < cpus; i++)
        while (smp_is_up(i))
            ;
    for (unsigned int i = 0; i < SLOTS; i++) {
        if (slots[i])
            close_port(slots[i]);
        slots[i] = 0;
    }
    for (unsigned int i = 0; i < cpus; i++)
        total += rounds[i];
    printf("events: %s: %lu rounds\n", name, total);
}

static void test_close_races(void)
{
    unsigned int before = ports_in_use();

    check_group("ports closed while they are used");
    race("open and close against send", open_some, use_some);
    race("open and close against each other", open_some, open_some);
    CHECK_EQ(ports_in_use(), before, "as many ports are in use as before: none is lost, none counted twice");
}

/* A frame that the hypervisor is to write to must be ours and must not be a table. */
static void test_fifo_frames(void)
{
    char *table = (char *)new_table(), *page = pages_alloc(1);
    struct evtchn_init_control init = {.control_gfn = virt_to_mfn(page)};
    struct evtchn_expand_array expand = {.array_gfn = virt_to_mfn(page)};
    static const uint32_t offsets[] = {1, 4, 4096 - 64, 4096, 0xfffffff8, 0xffffffff};
    bool refused = true;

    check_group("frames for the FIFO form");
    CHECK(op(EVTCHNOP_expand_array, &expand) != 0, "words before there is a control block");
    CHECK(becomes_table(page), "leave no reference behind");
    init.vcpu = ~0U;
    CHECK_EQ(op(EVTCHNOP_init_control, &init), -XEN_ENOENT, "a control block for a vCPU that does not exist");
    init.vcpu = 0;
    for (unsigned int i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
        init.offset = offsets[i];
        refused = refused && op(EVTCHNOP_init_control, &init) != 0;
    }
    CHECK(refused, "one that is not aligned or crosses the end of its page");
    CHECK(becomes_table(page), "leaves no reference either");
    mmuext(MMUEXT_PIN_L1_TABLE, virt_to_mfn(table));
    init = (struct evtchn_init_control){.control_gfn = virt_to_mfn(table)};
    CHECK(op(EVTCHNOP_init_control, &init) != 0, "a page table would be written to by every event");
    init.control_gfn = foreign_mfn();
    CHECK(pv_is_dom0() || op(EVTCHNOP_init_control, &init) != 0, "so would another domain's frame");
    init.control_gfn = ~0ULL;
    CHECK(op(EVTCHNOP_init_control, &init) != 0, "or one past all memory");
    expand.array_gfn = virt_to_mfn(table);
    CHECK(op(EVTCHNOP_expand_array, &expand) != 0, "the same for the words");
    mmuext(MMUEXT_UNPIN_TABLE, virt_to_mfn(table));
    drop_table((pte_t *)table);
}

static bool start_fifo(void)
{
    struct evtchn_init_control init = {0};
    struct evtchn_expand_array expand;
    bool good = true;

    for (unsigned int i = 0; i < smp_cpu_count() && i < CPUS; i++) {
        init.vcpu = i;
        init.control_gfn = virt_to_mfn(control[i]);
        good = good && op(EVTCHNOP_init_control, &init) == 0;
    }
    for (unsigned int i = 0; i < PAGES; i++) {
        expand.array_gfn = virt_to_mfn(array[i]);
        good = good && op(EVTCHNOP_expand_array, &expand) == 0;
    }
    return good;
}

/* Every port is closed and the form changes, while others open, send and scribble. */
static void reset_again(unsigned int me)
{
    struct evtchn_reset reset = {.dom = DOMID_SELF};

    scribble(me);
    use_some(me);
    if (rounds[me] % 16 == 0) {
        op(EVTCHNOP_reset, &reset);
        start_fifo();
    }
}

static void test_fifo(void)
{
    struct evtchn_reset reset = {.dom = DOMID_SELF};
    struct evtchn_init_control init = {.control_gfn = virt_to_mfn(pages_alloc(1))};
    char *table = (char *)array[0];
    bool all_back = true;

    CHECK_EQ(op(EVTCHNOP_reset, &reset), 0, "a reset closes all ports");
    CHECK(start_fifo(), "the FIFO form begins");
    CHECK(op(EVTCHNOP_init_control, &init) != 0, "a vCPU's control block is named once");
    pages_protect(table, 1, false);
    CHECK(mmuext(MMUEXT_PIN_L1_TABLE, virt_to_mfn(table)) != 0, "a page of event words cannot become a page table");
    pages_protect(table, 1, true);
    race("events against scribbled words", open_some, scribble);
    CHECK_EQ(ports_in_use(), 0, "whatever the words said, all ports could be closed");
    race("events against resets", open_some, reset_again);
    CHECK_EQ(op(EVTCHNOP_reset, &reset), 0, "the last reset");
    CHECK_EQ(ports_in_use(), 0, "no port is left");
    for (unsigned int i = 0; i < CPUS; i++)
        all_back = all_back && becomes_table(control[i]);
    for (unsigned int i = 0; i < PAGES; i++)
        all_back = all_back && becomes_table(array[i]);
    CHECK(all_back, "no frame is held by the hypervisor any more: each may become a page table");
}

/* Ports are the hypervisor's memory: there is a last one. */
static void test_limit(void)
{
    struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF, .remote_dom = self};
    struct evtchn_reset reset = {.dom = DOMID_SELF};
    unsigned int count = 0;
    long result;

    check_group("as many ports as there are");
    while ((result = op(EVTCHNOP_alloc_unbound, &alloc)) == 0 && count < 200000)
        count++;
    CHECK_EQ(result, -XEN_ENOSPC, "their number ends, with an error");
    CHECK(count < 131072, "before the table does");
    CHECK_EQ(op(EVTCHNOP_reset, &reset), 0, "all are closed");
    CHECK(op(EVTCHNOP_alloc_unbound, &alloc) == 0 && alloc.port == 1, "and the first is the first again");
    printf("events: %u ports\n", count);
}

static struct evtchn_status at_start[8];

/* The toolstack's channels (store and console are the first ports) wait unbound where their other ends closed them. */
static void remember_channels(void)
{
    for (unsigned int i = 0; i < 8; i++) {
        at_start[i] = (struct evtchn_status){.dom = DOMID_SELF, .port = i + 1};
        op(EVTCHNOP_status, &at_start[i]);
    }
}

static void join_channels(void)
{
    struct evtchn_reset reset = {.dom = DOMID_SELF};

    op(EVTCHNOP_reset, &reset);
    for (unsigned int i = 0; i < 8 && at_start[i].status == EVTCHNSTAT_interdomain; i++) {
        struct evtchn_bind_interdomain join = {.remote_dom = at_start[i].u.interdomain.dom,
                                               .remote_port = at_start[i].u.interdomain.port};

        CHECK(op(EVTCHNOP_bind_interdomain, &join) == 0 && join.local_port == i + 1,
              "a channel that was closed is joined again");
    }
}

int main(int argc, char **argv)
{
    self = pv_domid();
    remember_channels();
    test_wild_ports();
    test_wild_binds();
    test_close_races();
    test_fifo_frames();
    for (unsigned int i = 0; i < CPUS; i++)
        control[i] = pages_alloc(1);
    for (unsigned int i = 0; i < PAGES; i++)
        array[i] = pages_alloc(1);
    printf("events: no upcall comes from here on\n");
    irq_disable();
    check_group("the FIFO form under attack");
    test_fifo();
    test_limit();
    join_channels();
    check_summary("contain-event_races");
    return 0;
}
