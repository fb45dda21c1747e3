/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Timers: a heap per CPU. A timer's cpu and queued fields change only under the lock of the heap it is in; a timer that
 * is in none may be claimed by whoever sets it, which its user serialises (a vCPU's timers are set by that vCPU). A
 * moment before the beginning of time, as a guest may name one, is over.
 */
#include "time.h"
#include "percpu.h"
#include "sched.h"

struct timer_base {
    spinlock_t lock;
    struct heap heap;
    struct timer *running; /* whose function is being called */
    ns_t armed;            /* what the CPU's interrupt is set to; 0: to nothing */
} __attribute__((aligned(64)));

static struct timer_base bases[MAX_CPUS];

static struct timer *timer_of(struct heap_node *node)
{
    return container_of(node, struct timer, node);
}

static void rearm(struct timer_base *base)
{
    ns_t first = base->heap.top ? (ns_t)MAX((s64)base->heap.top->key, 1) : 0;

    if (first == base->armed)
        return;
    base->armed = first;
    apic_timer_arm(first);
}

/* Takes t out of whatever heap it is in. The interrupt of another CPU stays armed and finds nothing to do. */
static void take_out(struct timer *t)
{
    while (READ_ONCE(t->queued)) {
        unsigned cpu = READ_ONCE(t->cpu);
        struct timer_base *base = &bases[cpu];
        bool done = false;

        spin_lock(&base->lock);
        if (t->queued && t->cpu == cpu) {
            heap_remove(&base->heap, &t->node);
            t->queued = false;
            done = true;
        }
        spin_unlock(&base->lock);
        if (done)
            return;
    }
}

void timer_set(struct timer *t, ns_t expires)
{
    unsigned cpu = this_cpu()->cpu;
    struct timer_base *base = &bases[cpu];

    if (t->queued && t->cpu != cpu)
        take_out(t);
    spin_lock(&base->lock);
    if (t->queued)
        heap_remove(&base->heap, &t->node);
    t->node.key = expires;
    t->cpu = cpu;
    t->queued = true;
    heap_insert(&base->heap, &t->node);
    if (!base->running)
        rearm(base);
    spin_unlock(&base->lock);
}

void timer_stop(struct timer *t)
{
    take_out(t);
}

void timer_kill(struct timer *t)
{
    take_out(t);
    for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
        while (READ_ONCE(bases[cpu].running) == t && cpu != this_cpu()->cpu)
            sched_relax();
    take_out(t);
}

void timer_interrupt(void)
{
    struct timer_base *base = &bases[this_cpu()->cpu];

    base->armed = 0;
    raise_softirq(this_cpu()->cpu, SOFTIRQ_TIMER);
}

static struct timer *pop_expired(struct timer_base *base, ns_t now)
{
    struct timer *t = NULL;

    spin_lock(&base->lock);
    if (base->heap.top && (s64)base->heap.top->key <= (s64)now) {
        t = timer_of(base->heap.top);
        heap_remove(&base->heap, &t->node);
    } else {
        rearm(base);
    }
    WRITE_ONCE(base->running, t); /* first: timer_kill looks here when it is in no heap any more */
    if (t)
        WRITE_ONCE(t->queued, false);
    spin_unlock(&base->lock);
    return t;
}

/* Everything that was due when we began, so that a timer that sets itself again at once cannot hold us here. */
void timer_softirq(void)
{
    struct timer_base *base = &bases[this_cpu()->cpu];
    ns_t now = time_now();
    struct timer *t;

    while ((t = pop_expired(base, now)))
        t->function(t->data);
}
