/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the tests of grant tables begin with: domain 1 grants a page, domain 0 (or 2) uses it.
 */
#ifndef TESTS_UNIT_GRANT_FIXTURE_H
#define TESTS_UNIT_GRANT_FIXTURE_H

#include "evtgnt_fake.h"
#include "domain/grant_internal.h"

#define ADDRESS 0x700000UL /* where domain 0 maps what is granted: entry n at page n from here */

extern struct domain *granter;
extern mfn_t page; /* of the granter */

void grant_setup(void); /* three domains, and one frame of the granter's table */
struct gnttab_setup_table set_up_table(unsigned dom, unsigned frames, u64 *list);
void set_version(unsigned domid, unsigned version);

/* Write an entry as the granter does; the second one in version 2. */
struct grant_entry_v1 *offer(unsigned ref, mfn_t mfn, unsigned to, unsigned flags);
union grant_entry_v2 *offer_v2(struct domain *d, unsigned ref, mfn_t mfn, unsigned to, unsigned flags);

struct gnttab_map_grant_ref map(unsigned ref, unsigned flags);
int unmap(const struct gnttab_map_grant_ref *m);
void assert_unused(unsigned ref, mfn_t mfn);

#endif
