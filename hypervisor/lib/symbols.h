/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Names of our own functions for backtraces. The table is generated from the first link.
 */
#ifndef HYPERVISOR_LIB_SYMBOLS_H
#define HYPERVISOR_LIB_SYMBOLS_H

#include "types.h"

struct cpu_regs;

#define SYMBOL_NAME_MAX 64 /* bytes of the longest name, its zero included: scripts/symbols.py keeps to it */

/* For each function in ascending order: u16 distance from the one before (the first: from the image's start), the codes
 * of its name, 0. A code below 128 is a character; code 128 + n stands for the two codes symbol_pairs[n], which are
 * lower than itself. */
extern const u32 symbol_count;
extern const u8 symbol_pairs[][2];
extern const u8 symbol_table[];

/* False, and an empty name, when the address is in no function of ours. */
bool symbol_name(unsigned long address, char name[SYMBOL_NAME_MAX], unsigned long *offset);
void print_backtrace(unsigned long from); /* from: where on this CPU's stack to begin */
void print_registers(const struct cpu_regs *regs);

#endif
