/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Forced in front of sched/clock.c in its unit test: ports, cpuid and the TSC are those of a simulated machine.
 */
#ifndef TESTS_UNIT_CLOCK_MACHINE_H
#define TESTS_UNIT_CLOCK_MACHINE_H

#include "sched_platform.h"

#define HYPERVISOR_DEV_IO_H
#define read_tsc tsc_of_the_host
#include "sched/clock.h"
#undef read_tsc

u64 read_tsc(void);
u8 inb(u16 port);
void outb(u16 port, u8 value);

#endif
