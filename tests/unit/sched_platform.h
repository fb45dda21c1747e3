/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Included before everything else in the scheduler's unit tests: "this CPU" is whichever of the simulated ones the test
 * lets act.
 */
#ifndef TESTS_UNIT_SCHED_PLATFORM_H
#define TESTS_UNIT_SCHED_PLATFORM_H

#include <check.h>
#define logf hv_logf /* math.h has another */

#define HYPERVISOR_PERCPU_H
#include "layout.h"
#include "regs.h"

enum softirq { SOFTIRQ_TIMER, SOFTIRQ_SCHEDULE, SOFTIRQ_NMI_CALLBACK, SOFTIRQ_TASKLET, SOFTIRQ_TRACE, SOFTIRQ_COUNT };

struct vcpu;
struct percpu {
    struct cpu_regs regs;
    struct vcpu *vcpu, *idle;
    u32 cpu;
    u32 softirq_pending;
    u64 deadline; /* of the simulated timer; 0: off */
};
extern struct percpu fake_cpus[];
extern unsigned fake_this;
extern unsigned cpu_count;
void raise_softirq(unsigned cpu, enum softirq which);
#define this_cpu()   (&fake_cpus[fake_this])
#define current      (this_cpu()->vcpu)
#define guest_regs() (&this_cpu()->regs)

#endif
