/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The parts of the kernel that tests the control interface.
 */
#ifndef GUESTS_CONTROL_H
#define GUESTS_CONTROL_H

#include <stdbool.h>

extern void *nowhere; /* an address without a page */

void test_lives(bool narrow);
void test_held(void);
void test_claims_of_the_dead(void);
void test_many(void);
void test_generations(void);

void test_context(void);
void test_reply(void);
void test_broken_list(void);
void test_nmi_while_away(void);
void test_scheduling(void);

void test_system(void);
void test_platform(void);

#endif
