/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The three domains of mm_fixture.h.
 */
#include <check.h>
#include "mm_fixture.h"

struct domain *d, *d32, *other;

void three_domains(void)
{
    fake_start();
    d = fake_domain(1, false, 3000);
    d32 = fake_domain(2, true, 3000);
    other = fake_domain(3, false, 100);
    fake_run(d);
}

void three_domains_end(void)
{
    struct domain *all[] = {d, d32, other};
    for (unsigned i = 0; i < 3; i++)
        while (finish_old_table(all[i]->vcpus[0]) == -ERESTART)
            ;
    ck_assert_uint_eq(frames_audit(true), 0);
}
