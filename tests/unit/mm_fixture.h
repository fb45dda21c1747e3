/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the tests of frames begin and end with: a domain of each width and a third party, of which the first runs.
 */
#ifndef TESTS_UNIT_MM_FIXTURE_H
#define TESTS_UNIT_MM_FIXTURE_H

#include "mm_fake.h"

extern struct domain *d, *d32, *other;

void three_domains(void);
void three_domains_end(void); /* lets go of old base tables; then the audit must find every count right */

#endif
