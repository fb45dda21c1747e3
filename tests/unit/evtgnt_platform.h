/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Included before everything else in the unit tests of event channels and grants. It takes the place of percpu.h and
 * layout.h: "this CPU" is the test's thread, and the direct map is a buffer.
 */
#ifndef TESTS_UNIT_EVTGNT_PLATFORM_H
#define TESTS_UNIT_EVTGNT_PLATFORM_H

#include <check.h>
#define logf hv_logf /* math.h has another */

#define HYPERVISOR_PERCPU_H
#define HYPERVISOR_LAYOUT_H
#include "regs.h"

extern char *fake_ram;
#define DIRECTMAP_START ((unsigned long)fake_ram)
#define HV_VIRT_START   0xFFFF800000000000UL
#define HV_VIRT_END     0xFFFF880000000000UL

struct vcpu;
#define SOFTIRQ_TRACE 31 /* never raised here */

struct percpu {
    struct cpu_regs regs;
    struct vcpu *vcpu;
    u32 cpu;
    u32 softirq_pending;
};
extern _Thread_local struct percpu fake_cpu;
#define this_cpu()   (&fake_cpu)
#define current      (this_cpu()->vcpu)
#define guest_regs() (&this_cpu()->regs)
#define let_interrupts_in()

#endif
