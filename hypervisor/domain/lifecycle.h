/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the files about a domain's and a vCPU's life share among themselves.
 */
#ifndef HYPERVISOR_DOMAIN_LIFECYCLE_H
#define HYPERVISOR_DOMAIN_LIFECYCLE_H

#include "domain.h"

extern struct vcpu_info dummy_vcpu_info; /* where a vCPU's info points when it has lost its own */

/* By domid, under domain_list_lock; the pages come as needed. */
#define DOMAIN_TABLE_SPAN 512 /* domids a page of the table covers */
extern struct domain **domain_table[0x8000 / DOMAIN_TABLE_SPAN];

IN_PLACE struct domain *domain_lookup(unsigned domid)
{
    struct domain **page = domid < 0x8000 ? domain_table[domid / DOMAIN_TABLE_SPAN] : NULL;

    return page ? page[domid % DOMAIN_TABLE_SPAN] : NULL;
}

void domain_put_last(struct domain *d); /* drops a reference that may be the last */

void vcpu_free(struct vcpu *v);
int vcpu_map_info(struct vcpu *v, mfn_t mfn, unsigned offset);
void vcpu_unmap_info(struct vcpu *v);
/* Copies a guest context of the width of v's domain from or to guest memory. -EFAULT, -ENOMEM, -EEXIST (it has one and
 * must not, fresh), -ERESTART (repeat the hypercall) or what vcpu_set_context says. */
int vcpu_load_context(struct vcpu *v, unsigned long from, bool fresh);
int vcpu_store_context(struct vcpu *v, unsigned long to);

#endif
