/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The timers that guests own: per vCPU a periodic one, which ticks only while the vCPU runs, and a single-shot one, both
 * telling by VIRQ_TIMER; per domain two watchdogs.
 */
#include "domain.h"
#include "abi/sched.h"

#define PERIOD_DEFAULT 10000000ULL /* 100 Hz, as PV guests expect at their start */

static void tick(struct vcpu *v)
{
    send_guest_vcpu_virq(v, VIRQ_TIMER);
}

static void singleshot_expired(void *data)
{
    tick(data);
}

/* Ticks that are already over count as one. v->time.lock is held; true when the guest is to be told. */
static bool advance(struct vcpu *v, ns_t now)
{
    ns_t period = v->time.period;
    bool due = period && now >= v->time.last_periodic + period;

    if (due)
        v->time.last_periodic = now;
    if (period)
        timer_set(&v->time.periodic, v->time.last_periodic + period);
    return due;
}

static void periodic_work(struct vcpu *v, ns_t now)
{
    bool due;

    spin_lock(&v->time.lock);
    due = advance(v, now);
    spin_unlock(&v->time.lock);
    if (due)
        tick(v);
}

static void periodic_expired(void *data)
{
    struct vcpu *v = data;

    if (READ_ONCE(v->sched.on_cpu))
        periodic_work(v, time_now());
}

void guest_periodic_enter(struct vcpu *v, ns_t now)
{
    if (v->time.period)
        periodic_work(v, now);
}

void guest_periodic_leave(struct vcpu *v)
{
    if (!v->time.periodic.queued)
        return;
    spin_lock(&v->time.lock);
    timer_stop(&v->time.periodic);
    spin_unlock(&v->time.lock);
}

void guest_set_period(struct vcpu *v, ns_t period)
{
    spin_lock(&v->time.lock);
    timer_stop(&v->time.periodic);
    v->time.period = period;
    spin_unlock(&v->time.lock);
    if (period)
        periodic_work(v, time_now());
}

void guest_timers_init_vcpu(struct vcpu *v)
{
    timer_init(&v->time.periodic, periodic_expired, v);
    timer_init(&v->time.singleshot, singleshot_expired, v);
    v->time.period = PERIOD_DEFAULT;
}

void guest_timers_kill_vcpu(struct vcpu *v)
{
    v->time.period = 0;
    timer_kill(&v->time.periodic);
    timer_kill(&v->time.singleshot);
}

static void watchdog_expired(void *data)
{
    struct domain *d = data;

    guest_logf(LOG_WARNING, "d%u watchdog expired: it is shut down\n", d->id);
    domain_shutdown(d, SHUTDOWN_watchdog);
}

void guest_timers_init_domain(struct domain *d)
{
    for (unsigned i = 0; i < ARRAY_SIZE(d->time.watchdog); i++)
        timer_init(&d->time.watchdog[i], watchdog_expired, d);
}

void guest_timers_kill_domain(struct domain *d)
{
    for (unsigned i = 0; i < ARRAY_SIZE(d->time.watchdog); i++)
        timer_kill(&d->time.watchdog[i]);
}

/* Its id, from 1 on. That none is free is said in 32 bits: to a 64-bit guest it is a large positive number, as ever. */
static long start_watchdog(struct domain *d, ns_t expires)
{
    for (u32 i = 0; i < ARRAY_SIZE(d->time.watchdog); i++) {
        if (d->time.watchdogs_in_use & 1U << i)
            continue;
        d->time.watchdogs_in_use |= 1U << i;
        timer_set(&d->time.watchdog[i], expires);
        return i + 1;
    }
    return (u32)-ENOSPC;
}

/* id 0 starts a new one; a timeout of 0 stops one that runs. */
long guest_watchdog(struct domain *d, u32 id, u32 timeout_seconds)
{
    ns_t expires = time_now() + timeout_seconds * 1000000000ULL;
    long rc = 0;

    if (id > ARRAY_SIZE(d->time.watchdog))
        return -EINVAL;
    spin_lock(&d->time.watchdog_lock);
    if (!id) {
        rc = start_watchdog(d, expires);
    } else if (!(d->time.watchdogs_in_use & 1U << (id - 1))) {
        rc = -EINVAL;
    } else if (timeout_seconds) {
        timer_set(&d->time.watchdog[id - 1], expires);
    } else {
        d->time.watchdogs_in_use &= ~(1U << (id - 1));
        timer_stop(&d->time.watchdog[id - 1]);
    }
    spin_unlock(&d->time.watchdog_lock);
    return rc;
}
