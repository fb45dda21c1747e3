/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The harness of the guest tests. Each CHECK is one sentence about the hypervisor or the library that must hold; a
 * false one is printed with its place. check_summary prints the line that scripts look for.
 */
#ifndef TESTS_GUESTS_CHECK_H
#define TESTS_GUESTS_CHECK_H

#include <stdbool.h>

#define CHECK(condition, sentence) check_record((condition), (sentence), #condition, __FILE__, __LINE__)

/* The value of a failed comparison is what one wants to see first. */
#define CHECK_EQ(actual, expected, sentence)                                                                           \
    check_equal((long)(actual), (long)(expected), (sentence), #actual, __FILE__, __LINE__)

bool check_record(bool holds, const char *sentence, const char *condition, const char *file, int line);
bool check_equal(long actual, long expected, const char *sentence, const char *what, const char *file, int line);

/* Names the group of checks that follow. */
void check_group(const char *name);

/* Prints "NAME: N passed, N failed"; returns the number of failures. */
int check_summary(const char *name);

#endif
