/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Names of our own functions for backtraces. The table is generated from the first link.
 */
#ifndef HYPERVISOR_LIB_SYMBOLS_H
#define HYPERVISOR_LIB_SYMBOLS_H

#include "types.h"

struct cpu_regs;

/* For each function in ascending order: u16 distance from the one before (the first: from the image's start), name. */
extern const u32 symbol_count;
extern const u8 symbol_table[];

/* NULL when the address is in no function of ours. */
const char *symbol_name(unsigned long address, unsigned long *offset);
void print_backtrace(unsigned long from); /* from: where on this CPU's stack to begin */
void print_registers(const struct cpu_regs *regs);

#endif
