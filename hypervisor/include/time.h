/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Time: system time in ns from the TSC, per-CPU timers, and what guests are told of time.
 */
#ifndef HYPERVISOR_TIME_H
#define HYPERVISOR_TIME_H

#include "lib.h"

struct vcpu;
struct domain;

struct timer {
    ns_t expires;
    void (*function)(void *);
    void *data;
    u32 cpu, heap_index; /* heap_index 0: not queued */
};

struct vcpu_time {
    struct timer periodic, singleshot;
    ns_t period, last_periodic;
    unsigned long secondary_area; /* register_vcpu_time_memory_area */
    u64 stamp;
};

struct domain_time {
    s64 offset_ns;
    u32 tsc_mode, tsc_khz, incarnation;
    struct timer watchdog[2];
};

void time_boot(void);            /* calibrates the TSC, reads the wall clock */
void time_init_cpu(unsigned cpu);
ns_t time_now(void);
u64 tsc_khz(void);
u64 wall_clock_ns(void);         /* ns since 1970 now */
void set_wall_clock(u64 seconds, u64 nanoseconds, u64 system_time);
void timer_set(struct timer *t, ns_t expires); /* on this CPU */
void timer_stop(struct timer *t);
void timer_interrupt(void);      /* raises SOFTIRQ_TIMER */
void timer_softirq(void);
void update_vcpu_time(struct vcpu *v); /* pvclock area, called when v starts to run */
void update_domain_wallclock(struct domain *d);
/* The LAPIC one-shot timer: dev/apic.c. 0 stops it. */
void apic_timer_arm(ns_t deadline);

#endif
