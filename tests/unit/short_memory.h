/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * An allocator that fails when the test says so, for a program linked with $(SHORT_MEMORY) (tests/unit/tools_memory.mk).
 */
#ifndef TESTS_UNIT_SHORT_MEMORY_H
#define TESTS_UNIT_SHORT_MEMORY_H

#include <stdbool.h>

/* The number-th allocation from now on fails, alone. */
void memory_fails_at(unsigned int number);

/* From now on one allocation of so many fails, by rand(). */
void memory_fails_often(unsigned int one_in);

/* Whether one has failed since either was called; none fails from now on. */
bool memory_failed(void);

#endif
