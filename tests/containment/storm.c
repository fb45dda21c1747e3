/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * One kernel that asks for as much of the hypervisor's and dom0's work as it can, in the way its command line names
 * (storm=NAME), for a while, and says from when to when. Beside it meter.c counts what is left for others. Each storm
 * looks for work that is done for one guest in another's time, or that keeps the scheduler from looking.
 */
#include <stdlib.h>
#include <string.h>
#include <abi/event_channel.h>
#include <abi/memory.h>
#include <abi/vcpu.h>
#include <pv/console.h>
#include <pv/event.h>
#include <pv/grant.h>
#include <pv/pv.h>
#include <pv/threads.h>
#include <xenstore.h>
#include "attack.h"

#define LIST_BYTES (256UL << 10)

static char *list;
static uint64_t end;
static evtchn_port_t port;
static volatile unsigned long heard;

static void hear(evtchn_port_t which, void *data)
{
    heard++;
}

/* What everything else is compared with. */
static void compute(void)
{
    for (volatile unsigned int i = 0; i < 1000; i++)
        ;
}

/* Each send is an upcall and an iret. */
static void events(void)
{
    struct evtchn_send send = {.port = port};

    for (unsigned int i = 0; i < 100; i++)
        HYPERVISOR_event_channel_op(EVTCHNOP_send, &send);
}

/* A moment that is over makes the timer fire at once: again and again on the way out of the call that sets it. */
static void past_deadlines(void)
{
    for (unsigned int i = 0; i < 100; i++)
        timer_set(1);
}

/* Sleeps so short that most of the time goes into falling asleep and waking: the interrupt comes while others run. */
static void naps(void)
{
    irq_disable();
    timer_set(time_monotonic_ns() + 3000);
    HYPERVISOR_sched_op(SCHEDOP_block, NULL);
}

/* The same by the timer of a poll. */
static void polls(void)
{
    struct sched_poll poll = {.nr_ports = 1, .timeout = time_monotonic_ns() + 3000};

    set_xen_guest_handle(poll.ports, &port);
    event_test_and_clear(port);
    HYPERVISOR_sched_op(SCHEDOP_poll, &poll);
}

/* Ticks as often as the hypervisor grants them. */
static void ticks(void)
{
    struct vcpu_set_periodic_timer timer = {.period_ns = 1000000};

    HYPERVISOR_vcpu_op(VCPUOP_set_periodic_timer, 0, &timer);
    compute();
}

static void yields(void)
{
    for (unsigned int i = 0; i < 100; i++)
        HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
}

/* One call that is interrupted and started again, and goes on where it was. */
static void restarted(void)
{
    HYPERVISOR_mmuext_op((void *)list, LIST_BYTES / sizeof(struct mmuext_op), NULL, DOMID_SELF);
}

/* Pages cleared: the longest that one element may take. */
static void cleared(void)
{
    mmuext(MMUEXT_CLEAR_PAGE, virt_to_mfn(list + LIST_BYTES));
}

static void copied(void)
{
    struct gnttab_copy op = {
        .source = {.u.gmfn = (xen_pfn_t)virt_to_mfn(list + LIST_BYTES), .domid = DOMID_SELF},
        .dest = {.u.gmfn = (xen_pfn_t)virt_to_mfn(list + LIST_BYTES), .domid = DOMID_SELF},
        .len = PAGE_SIZE,
    };

    HYPERVISOR_grant_table_op(GNTTABOP_copy, &op, 1);
}

/* Page faults that the kernel meets itself, and instructions that are carried out for it. */
static void faults(void)
{
    unsigned int a = 0, b, c = 0, d;

    probe_write((void *)64, 1);
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    __asm__ volatile("wbinvd");
}

/* Tables checked and dismantled. */
static void pinned(void)
{
    static pte_t *table;

    if (table == NULL)
        table = new_table();
    mmuext(MMUEXT_PIN_L1_TABLE, virt_to_mfn(table));
    mmuext(MMUEXT_UNPIN_TABLE, virt_to_mfn(table));
}

/* Memory that goes and comes; the frames that are given back are wiped before anyone gets them. */
static void ballooned(void)
{
    balloon_claim((unsigned int)balloon_release(64));
}

/* Lines for the hypervisor's own log, which a serial line is slow to take. */
static void complaints(void)
{
    static char text[] = "a line that a guest would like to see in the hypervisor's log\n";
    struct gnttab_map_grant_ref op = {.flags = GNTMAP_host_map, .ref = 4000, .dom = 0};

    HYPERVISOR_console_io(CONSOLEIO_write, sizeof(text) - 1, text);
    HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, &op, 1);
}

/* dom0's console service reads and keeps it all. */
static void console(void)
{
    static char text[512];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 2] = '\n';
    console_write(text, sizeof(text) - 1);
}

/* Rings a bell in dom0, with nothing to fetch. */
static void bells(void)
{
    struct evtchn_send send = {.port = start_info->console.domU.evtchn};

    for (unsigned int i = 0; i < 10; i++)
        HYPERVISOR_event_channel_op(EVTCHNOP_send, &send);
}

static void requests(void)
{
    static struct xs_handle *store;

    if (store == NULL)
        store = xs_open(0);
    free(xs_read(store, XBT_NULL, "domid", NULL));
}

static volatile bool second_wanted;

static void answer(void *arg)
{
    struct sched_poll poll = {.nr_ports = 1};
    evtchn_port_t mine = *(evtchn_port_t *)arg;

    set_xen_guest_handle(poll.ports, &mine);
    while (second_wanted) {
        event_test_and_clear(mine);
        HYPERVISOR_sched_op(SCHEDOP_poll, &poll);
    }
}

/* Wakes the other vCPU, which goes back to sleep at once. */
static void wakes(void)
{
    static evtchn_port_t other;
    struct evtchn_send send;

    if (other == 0) {
        other = (evtchn_port_t)event_bind_ipi(1, NULL, NULL);
        second_wanted = true;
        smp_start(1, answer, &other);
    }
    send.port = other;
    HYPERVISOR_event_channel_op(EVTCHNOP_send, &send);
}

/* Whether the machine's other processors belong to somebody else's time, too: vCPUs that come and go. */
static void goes_down(void *arg)
{
}

static void comings(void)
{
    if (smp_start(1, goes_down, NULL) != 0)
        HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
}

static const struct {
    const char *name;
    void (*storm)(void);
} storms[] = {
    {"compute", compute},   {"events", events},         {"deadlines", past_deadlines},
    {"naps", naps},         {"polls", polls},           {"ticks", ticks},
    {"yields", yields},     {"restarts", restarted},    {"clears", cleared},
    {"copies", copied},     {"faults", faults},         {"pins", pinned},
    {"balloon", ballooned}, {"complaints", complaints}, {"console", console},
    {"bells", bells},       {"requests", requests},     {"wakes", wakes},
    {"vcpus", comings},
};

int main(int argc, char **argv)
{
    unsigned long ms = pv_option_number("ms", 0);
    const char *name = pv_option("storm");
    struct mmuext_op op = {.cmd = MMUEXT_TLB_FLUSH_LOCAL};
    unsigned long rounds = 0;
    uint64_t start;
    int bound = event_bind_ipi(0, hear, NULL);

    port = (evtchn_port_t)bound;
    list = pages_alloc(LIST_BYTES / PAGE_SIZE + 1);
    for (size_t at = 0; at + sizeof(op) <= LIST_BYTES; at += sizeof(op))
        memcpy(list + at, &op, sizeof(op));
    for (unsigned int i = 0; name != NULL && i < sizeof(storms) / sizeof(storms[0]); i++) {
        if (strcmp(storms[i].name, name) != 0)
            continue;
        thread_sleep_ns(30000000);
        start = time_monotonic_ns();
        end = start + ms * 1000000ULL;
        for (; time_monotonic_ns() < end; rounds++)
            storms[i].storm();
        end = time_monotonic_ns();
        second_wanted = false;
        irq_enable();
        printf("storm: %s from %llu to %llu: %lu rounds\n", name, (unsigned long long)(start / 1000),
               (unsigned long long)(end / 1000), rounds);
    }
    return 0;
}
