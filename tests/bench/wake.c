/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The row of an idle CPU that is woken: from vCPU 0's send to the first instruction of vCPU 1 behind its poll, all that
 * both CPUs execute meanwhile. `pause` lets the emulator turn to the other CPU at once.
 */
#include <pv/event.h>
#include <pv/smp.h>
#include "bench.h"

#define ROUNDS 64
#define CALM   20000 /* turns until the other CPU surely idles */

static evtchn_port_t port;
static volatile unsigned turn, answered;

static void sleeper(void *arg)
{
    struct sched_poll poll = {.nr_ports = 1};

    set_xen_guest_handle(poll.ports, &port);
    for (;;) {
        HYPERVISOR_sched_op(SCHEDOP_poll, &poll);
        answered = turn;
        event_test_and_clear(port);
    }
}

static uint64_t wake(void)
{
    struct evtchn_send send = {.port = port};
    uint64_t start;

    for (int i = 0; i < CALM; i++)
        __asm__ volatile("pause");
    turn++;
    start = bench_ticks();
    HYPERVISOR_event_channel_op(EVTCHNOP_send, &send);
    while (answered != turn)
        __asm__ volatile("pause");
    return bench_ticks() - start;
}

void bench_wake(void)
{
    uint64_t least = ~0ull;
    int bound = event_bind_ipi(1, NULL, NULL);

    port = (evtchn_port_t)bound;
    if (bound < 0 || smp_start(1, sleeper, NULL) != 0) {
        printf("failed: the second vCPU\n");
        return;
    }
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t ticks = wake();

        least = ticks < least ? ticks : least;
    }
    bench_result("idle_wakeup(2 CPUs)", (unsigned long)least);
}
