/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Code that may fault anywhere: a fault in it returns from the routine at once.
 */
#ifndef TESTS_FUZZ_GUEST_RISKY_H
#define TESTS_FUZZ_GUEST_RISKY_H

extern char risky_begin[], risky_end[], risky_landing[];
void risky_return(void);

/* Copies until the first byte that is not there. */
void risky_copy(char *to, const char *from, unsigned long size);

/* Calls one of the instructions with values in the registers a, c and d. */
extern void (*const risky_instructions[])(void);
extern const unsigned long risky_instruction_count;
void risky_run(void (*instruction)(void), unsigned long a, unsigned long c, unsigned long d);

#endif
