/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Forced in front of every file of an mm unit test: the CPU's own block as a plain variable, and RAM at an address that
 * the host has free. Everything else is the product's own header.
 */
#ifndef TESTS_UNIT_MM_HOST_H
#define TESTS_UNIT_MM_HOST_H

#include <math.h>
#include <stdlib.h>
#define logf            hv_logf /* the C library has one too */

#define DIRECTMAP_START 0x200000000000UL

#include "layout.h"
#undef M2P_WRITABLE
#undef M2P_COMPAT_WRITABLE
extern unsigned long host_m2p[];
extern unsigned host_m2p_compat[];
#define M2P_WRITABLE        ((unsigned long)host_m2p)
#define M2P_COMPAT_WRITABLE ((unsigned long)host_m2p_compat)

#define HYPERVISOR_PERCPU_H
struct vcpu;
struct percpu {
    struct vcpu *running;
    unsigned cpu;
    unsigned softirq_pending;
    unsigned long cr3_loaded;
};
#define SOFTIRQ_TRACE       31 /* never raised here */
#define let_interrupts_in() ((void)0)
extern struct percpu host_cpu;
extern unsigned cpu_count;
#define this_cpu()     (&host_cpu)
#define percpu_of(cpu) (&host_cpu)
#define current        (host_cpu.running)

#endif
