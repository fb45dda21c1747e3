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

/* For each function in ascending order: its distance from the one before (the first: from the image's start), 7 bits in
 * a byte or, if that has bit 7 set, 15 in two; then the codes of its name and its closing zero. A code below
 * symbol_letter_count is symbol_letters[code]; one that lies n above stands for the two codes symbol_pairs[n], which are
 * lower than itself. */
extern const u32 symbol_count, symbol_letter_count;
extern const char symbol_letters[];
extern const u8 symbol_pairs[][2];
extern const u8 symbol_table[];

/* False, and an empty name, when the address is in no function of ours. */
bool symbol_name(unsigned long address, char name[SYMBOL_NAME_MAX], unsigned long *offset);
void print_backtrace(unsigned long from); /* from: where on this CPU's stack to begin */
void print_registers(const struct cpu_regs *regs, unsigned count);

#endif
