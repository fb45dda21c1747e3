/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Time: nanoseconds since the hypervisor started (monotonic, per-vCPU scaled TSC), the wall clock, and the one-shot
 * timer of each vCPU. Threads should sleep with threads.h; the timer here is for code without threads.
 */
#ifndef PV_TIME_H
#define PV_TIME_H

#include <stdint.h>
#include <time.h>

uint64_t time_monotonic_ns(void);

/* How long the domain was suspended so far, by the wall clock: time that time_monotonic_ns() left out. */
uint64_t time_suspended_ns(void);

void time_wallclock(struct timespec *now);

/* Busy waiting, for the shortest delays and for secondary vCPUs. */
void time_spin_ns(uint64_t ns);

static inline uint64_t time_tsc(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return ((uint64_t)high << 32) | low;
}

/* Asks for VIRQ_TIMER on this vCPU at the absolute time; 0 cancels. A moment already past fires at once. */
int timer_set(uint64_t deadline_ns);

#endif
