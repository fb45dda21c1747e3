/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The hardware clocks that are read once, at boot.
 */
#ifndef HYPERVISOR_SCHED_CLOCK_H
#define HYPERVISOR_SCHED_CLOCK_H

#include "types.h"

static inline u64 read_tsc(void)
{
    u32 low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (u64)high << 32 | low;
}

u64 clock_measure_tsc(void); /* Hz */
u64 clock_read_cmos(void);   /* seconds since 1970, UTC */
/* Pure: seconds since 1970 of a civil date. */
u64 seconds_of_date(unsigned year, unsigned month, unsigned day, unsigned hour, unsigned minute, unsigned second);

#endif
