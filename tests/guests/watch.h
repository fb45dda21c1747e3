/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Included before everything else in a guest test: tells the harness of each hypercall and its answer, from which it
 * knows what a check has covered.
 */
#ifndef TESTS_GUESTS_WATCH_H
#define TESTS_GUESTS_WATCH_H

#ifndef __ASSEMBLER__
long check_watch(unsigned long number, unsigned long first, long result);

#define PV_HYPERCALL_WATCH(number, first, result) check_watch((number), (first), (result))
#endif

#endif
