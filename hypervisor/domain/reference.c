/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * References to domains: taken by domid under the lock of their list, so that none is taken of a domain that is going;
 * dropped without it while others remain.
 */
#include "domain.h"
#include "domain/lifecycle.h"

struct domain **domain_table[0x8000 / DOMAIN_TABLE_SPAN];

struct domain *domain_get(unsigned domid)
{
    struct domain *d;

    spin_lock(&domain_list_lock);
    d = domain_lookup(domid);
    if (d)
        __atomic_fetch_add(&d->refs, 1, __ATOMIC_RELAXED);
    spin_unlock(&domain_list_lock);
    return d;
}

void domain_put(struct domain *d)
{
    u32 refs = READ_ONCE(d->refs);

    while (likely(refs > 1))
        if (likely(__atomic_compare_exchange_n(&d->refs, &refs, refs - 1, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)))
            return;
    domain_put_last(d);
}
