/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The parts of the kernel that tests emulated instructions, and what they share.
 */
#ifndef GUESTS_EMULATION_H
#define GUESTS_EMULATION_H

#include <stdbool.h>
#include <pv/traps.h>

extern struct fault fault; /* what the last call of faults() saw */

bool faults(void (*fn)(void *arg), void *arg, unsigned int vector);
void do_load(void *addr);
unsigned long read_cr(int which);

void test_debug_registers(void);
void test_single_step(void);
void test_page_table_writes(void);
void test_bad_page_table_writes(void);
#ifndef __x86_64__
void test_call_gates(void);
#endif

#endif
