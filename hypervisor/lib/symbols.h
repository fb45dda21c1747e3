/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Names of our own functions for backtraces. The table is generated from the first link.
 */
#ifndef HYPERVISOR_LIB_SYMBOLS_H
#define HYPERVISOR_LIB_SYMBOLS_H

#include "types.h"

struct cpu_regs;

struct symbol {
    u32 address; /* from the image's start */
    u32 name;    /* offset into the names behind the table */
};

extern const u32 symbol_count;
extern const struct symbol symbol_offsets[];

/* NULL when the address is in no function of ours. */
const char *symbol_name(unsigned long address, unsigned long *offset);
void print_backtrace(unsigned long rbp);
void print_registers(const struct cpu_regs *regs);

#endif
