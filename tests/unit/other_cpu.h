/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Another CPU at the worst moment. Forced in front of the files under test: just before each of their
 * compare-exchanges, after the look that it builds on, the test's own function may change the word, or anything else.
 * So what two racing threads reach by luck is reached each time.
 */
#ifndef TESTS_UNIT_OTHER_CPU_H
#define TESTS_UNIT_OTHER_CPU_H

/* Called with the address of the word until it is NULL again. Each thread has its own. */
extern _Thread_local void (*other_cpu)(void *word);
void other_cpu_acts(void *word); /* a call of its own, so that the files under test gain no branch */

#define __atomic_compare_exchange_n(word, ...)                                                                         \
    (other_cpu_acts((void *)(word)), __atomic_compare_exchange_n(word, __VA_ARGS__))

#endif
