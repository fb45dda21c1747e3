/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Probing the CPU.
 */
#ifndef HYPERVISOR_CPU_FEATURES_H
#define HYPERVISOR_CPU_FEATURES_H

#include "types.h"

/* Components of the extended state: bits of XCR0. */
#define XCR0_X87    0x1UL
#define XCR0_SSE    0x2UL
#define XCR0_AVX    0x4UL
#define XCR0_AVX512 0xE0UL /* all three of its components */

void features_init(void);                      /* the boot CPU, once: fills cpu_features */
void features_init_cpu(void);                  /* each CPU: control registers and XCR0 */
void cpuid(u32 leaf, u32 subleaf, u32 out[4]); /* eax, ebx, ecx, edx of the hardware */

#endif
