/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Time: system time in ns from the TSC, per-CPU timers, and what guests are told of time.
 */
#ifndef HYPERVISOR_TIME_H
#define HYPERVISOR_TIME_H

#include "lib.h"
#include "sched/heap.h"

struct vcpu;
struct domain;

/* A timer belongs to the CPU that set it last; its function runs there, from a softirq, without any lock held. */
struct timer {
    struct heap_node node; /* the key is the time of expiry */
    void (*function)(void *);
    void *data;
    u32 cpu;
    bool queued;
};

/* ns = (ticks << shift) * mul >> 32, a negative shift being to the right: the form that guests are given too. */
struct time_scale {
    u32 mul;
    s8 shift;
};

struct vcpu_time {
    struct timer periodic, singleshot;
    ns_t period, last_periodic; /* under lock, as is periodic */
    spinlock_t lock;
    unsigned long secondary_area; /* register_vcpu_time_memory_area */
};

struct domain_time {
    u32 tsc_mode, tsc_khz, incarnation;
    struct timer watchdog[2];
    u32 watchdogs_in_use; /* bit per watchdog */
    spinlock_t watchdog_lock;
};

void time_boot(void); /* calibrates the TSC, reads the wall clock */
ns_t time_now(void);
u64 tsc_khz(void);
/* At system_time it was seconds and nanoseconds since 1970. Tells every domain. */
void set_wall_clock(u64 seconds, u32 nanoseconds, ns_t system_time);
void update_domain_wallclock(struct domain *d);
void time_forget_domain(struct domain *d); /* its shared_info goes away */
void update_vcpu_time(struct vcpu *v);     /* pvclock area, called when v starts to run */

void time_scale_set(struct time_scale *scale, u64 ticks_per_second);
static inline u64 time_scale_apply(const struct time_scale *scale, u64 ticks)
{
    ticks = scale->shift < 0 ? ticks >> -scale->shift : ticks << scale->shift;
    return (u64)(((unsigned __int128)ticks * scale->mul) >> 32);
}

static inline void timer_init(struct timer *t, void (*function)(void *), void *data)
{
    t->function = function;
    t->data = data;
    t->queued = false;
}
void timer_set(struct timer *t, ns_t expires); /* on this CPU; may be queued anywhere already */
void timer_stop(struct timer *t);              /* its function may still be running elsewhere */
void timer_kill(struct timer *t);              /* ... and now it is not; not for use inside the function itself */
void timer_interrupt(void);                    /* raises SOFTIRQ_TIMER */
void timer_softirq(void);
/* The LAPIC one-shot timer: dev/apic.c. 0 stops it. */
void apic_timer_arm(ns_t deadline);

/* What a guest sets: sched/guest_timer.c. */
void guest_timers_init_vcpu(struct vcpu *v);
void guest_timers_kill_vcpu(struct vcpu *v);
void guest_timers_init_domain(struct domain *d);
void guest_timers_kill_domain(struct domain *d);
void guest_periodic_enter(struct vcpu *v, ns_t now); /* v starts to run */
void guest_periodic_leave(struct vcpu *v);
void guest_set_period(struct vcpu *v, ns_t period); /* 0 stops it */
long guest_watchdog(struct domain *d, u32 id, u32 timeout_seconds);

#endif
