/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a build with SPECULATION=1 does against CPUs that run ahead of a check: an index that a guest chose is clamped
 * by arithmetic after the comparison that refuses it, and predictors and buffers are flushed between domains. Any other
 * build has nothing of this, not even a byte. docs/caveats.md says what is left open.
 */
#ifndef HYPERVISOR_SPECULATION_H
#define HYPERVISOR_SPECULATION_H

#include "types.h"

struct vcpu;

#ifdef SPECULATION
/* index if it is less than size, else 0; without a branch, so also while the CPU guesses. */
static inline unsigned long nospec_index(unsigned long index, unsigned long size)
{
    unsigned long mask;

    __asm__ volatile("cmp %2, %1; sbb %0, %0" : "=r"(mask) : "r"(index), "r"(size) : "cc");
    return index & mask;
}

void speculation_switch(const struct vcpu *next); /* next is about to run on this CPU, and is not idle */
#else
/* The size is looked at by the compiler, though no code comes of it: what is built seldom must not rot. */
#define nospec_index(index, size) ((void)(false ? (size) : 0), (index))
#define speculation_switch(next)  ((void)0)
#endif

#endif
