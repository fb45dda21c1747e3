/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The local APIC: end of interrupt, interrupts to other CPUs, the one-shot timer.
 */
#ifndef HYPERVISOR_DEV_APIC_H
#define HYPERVISOR_DEV_APIC_H

#include "lib.h"

#define VECTOR_SPURIOUS   0xFF
#define VECTOR_APIC_ERROR 0xFE
#define VECTOR_TIMER      0xF9
#define AP_TRAMPOLINE     0x8000UL /* conventional memory, never in the heap */

void apic_init(void);     /* the boot CPU, once */
void apic_init_cpu(void); /* each CPU */
void apic_eoi(void);
u32 apic_id(void);
void apic_send_ipi(u32 apic_id, u8 vector);
void apic_start_cpu(u32 apic_id, maddr_t entry);
/* After the TSC's rate is known. */
void apic_timer_calibrate(void);

#endif
