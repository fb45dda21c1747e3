/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the parts of the pattern guest share. All vCPUs work at once, each on the pages whose index is its number modulo
 * the number of vCPUs; mappings are changed on vCPU 0 only.
 */
#ifndef EXAMPLES_PATTERN_H
#define EXAMPLES_PATTERN_H

#include <stdbool.h>
#include <stdint.h>

extern unsigned int vcpu_count;
extern unsigned long page_count;

/* Where the page of this index is in the direct mapping. */
void *page_at(unsigned long index);

/* Stops the domain if the page, seen at the address, does not hold what was last written to it. */
void page_check(unsigned long index, const void *where);
/* Writes the next generation. */
void page_rewrite(unsigned long index, void *where);

unsigned int random_below(unsigned int limit);

/* Says what is wrong and crashes the domain. */
_Noreturn void broken(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* churn.c: some pages unmapped, read-only or mapped elsewhere; page tables that nobody walks. Once per round. */
bool churn_start(void);
void churn(void);
/* Those that are not mapped as usual until the next call: nobody else touches them. */
bool churn_holds(unsigned long index);

/* surroundings.c: clock, event channels, a grant. */
void surroundings_start(void);
void surroundings_check(void);
void clock_check(void); /* on any vCPU */

#endif
