/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The harness of the guest tests. Each CHECK is one sentence about the hypervisor or the library that must hold; a
 * false one is printed with its place. check_summary prints the line that scripts look for.
 *
 * With the word "verdicts" among the kernel's arguments each check is printed, for comparison between hypervisors. With
 * "covers" the calls and answers that checks have covered are, at the end: an answer counts when it is the value of a
 * CHECK_EQ whose last hypercall gave it.
 */
#ifndef TESTS_GUESTS_CHECK_H
#define TESTS_GUESTS_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#define CHECK(condition, sentence) check_record((condition), (sentence), #condition, __FILE__, __LINE__)

/* The value of a failed comparison is what one wants to see first. */
#define CHECK_EQ(actual, expected, sentence)                                                                           \
    (check_begin(), check_equal((long)(actual), (long)(expected), (sentence), #actual, __FILE__, __LINE__))

/* Judged by comparison alone: what genuine Xen answers is right. */
#define CHECK_SAME(value, sentence) check_same((unsigned long long)(value), (sentence))

bool check_record(bool holds, const char *sentence, const char *condition, const char *file, int line);
void check_begin(void);
bool check_equal(long actual, long expected, const char *sentence, const char *what, const char *file, int line);
void check_same(unsigned long long value, const char *sentence);

/* Opens the kernel's image to ring 3, for tests that run code of programs there: a 32-bit kernel starts with all its
 * pages closed to them. In 64-bit mode, where kernels are in ring 3 too, nothing is to be done. */
void check_open_to_programs(void);

/* Lets `nap` wait for a moment 20 ms away, which is in `until` then; its answer. Upcalls are masked when it is called.
 * An event of the console or the store ends any wait early, and comes at any time if dom0 is busy: all begins anew.
 * A wait that ends early for no reason is not repeated. */
long check_sleep(long (*nap)(uint64_t until), uint64_t *until);

/* Names the group of checks that follow. */
void check_group(const char *name);

/* Prints "NAME: N passed, N failed"; returns the number of failures. */
int check_summary(const char *name);

#endif
