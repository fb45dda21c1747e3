/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Probing the CPU.
 */
#ifndef HYPERVISOR_CPU_FEATURES_H
#define HYPERVISOR_CPU_FEATURES_H

#include "types.h"

void features_init(void);                      /* the boot CPU, once: fills cpu_features */
void features_init_cpu(void);                  /* each CPU: control registers and XCR0 */
void cpuid(u32 leaf, u32 subleaf, u32 out[4]); /* eax, ebx, ecx, edx of the hardware */

#endif
