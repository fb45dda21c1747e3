/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The control interface: what dom0 manages the machine with. Each call reads its whole structure once, checks it, does
 * its work under one lock, and writes the structure back if it has results.
 */
#ifndef HYPERVISOR_CONTROL_CONTROL_H
#define HYPERVISOR_CONTROL_CONTROL_H

#include "domain.h"
#include "abi/domctl.h"
#include "abi/sysctl.h"

/* Fills a page with the entry points of all hypercalls, 32 bytes each. */
void hypercall_page_fill(void *page, bool is_32bit);

/* A domctl in hand. */
struct domctl {
    struct xen_domctl op;
    unsigned long arg; /* where it came from, for continuations */
    bool copy_back;
};

/* Under the domctl lock; d is the domain it names and referenced. */
typedef long domctl_handler(struct domain *d, struct domctl *c);
domctl_handler domctl_createdomain, domctl_destroydomain, domctl_pausedomain, domctl_unpausedomain, domctl_resumedomain,
    domctl_getdomaininfo, domctl_max_mem, domctl_max_vcpus, domctl_setdomainhandle, domctl_setdebugging,
    domctl_settimeoffset, domctl_subscribe, domctl_set_address_size, domctl_get_address_size, domctl_gettscinfo,
    domctl_settscinfo, domctl_scheduler_op, domctl_setnodeaffinity, domctl_getnodeaffinity;
domctl_handler domctl_setvcpucontext, domctl_getvcpucontext, domctl_getvcpuinfo, domctl_setvcpuaffinity,
    domctl_getvcpuaffinity, domctl_set_ext_vcpucontext, domctl_get_ext_vcpucontext, domctl_setvcpuextstate,
    domctl_getvcpuextstate, domctl_set_vcpu_msrs, domctl_get_vcpu_msrs, domctl_sendtrigger;
domctl_handler domctl_hypercall_init, domctl_getpageframeinfo3, domctl_shadow_op, domctl_iomem_permission,
    domctl_ioport_permission, domctl_irq_permission, domctl_get_cpu_policy, domctl_set_cpu_policy;

/* The vCPU that a domctl names; NULL if there is none. */
static inline struct vcpu *domctl_vcpu(struct domain *d, u32 id)
{
    return id < d->max_vcpus ? d->vcpus[id] : NULL;
}

/* Bitmaps of a toolstack, at most 32 bits of which mean anything here. */
int read_ctl_bitmap(const struct xenctl_bitmap *map, u32 *bits) MUST_CHECK;
int write_ctl_bitmap(const struct xenctl_bitmap *map, u32 bits) MUST_CHECK;
u32 online_cpu_mask(void);

void fill_domain_info(struct domain *d, struct xen_domctl_getdomaininfo *info);

/* policy.c: CPU policies of the machine in the toolstack's form. */
long sysctl_cpu_featureset(struct xen_sysctl_cpu_featureset *set);
long sysctl_cpu_policy(struct xen_sysctl_cpu_policy *policy);
void host_features(u32 words[8]);

#endif
