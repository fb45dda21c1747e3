/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the test kernels share that manage domains: each has one domctl and one sysctl, whose fields it fills before.
 */
#ifndef GUESTS_CONTROLS_H
#define GUESTS_CONTROLS_H

#include <stdint.h>
#include <string.h>
#include <abi/domctl.h>
#include <abi/sysctl.h>
#include <pv/hypercall.h>

static struct xen_domctl domctl;
static struct xen_sysctl sysctl;

static inline long call(unsigned int cmd, unsigned int domid)
{
    domctl.cmd = cmd;
    domctl.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    domctl.domain = (domid_t)domid;
    return pv_hypercall1(__HYPERVISOR_domctl, (unsigned long)&domctl);
}

static inline long system_call(unsigned int cmd)
{
    sysctl.cmd = cmd;
    sysctl.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    return pv_hypercall1(__HYPERVISOR_sysctl, (unsigned long)&sysctl);
}

static inline uint64_t free_bytes(void)
{
    memset(&sysctl, 0, sizeof(sysctl));
    sysctl.u.availheap.node = -1;
    return system_call(XEN_SYSCTL_availheap) ? 0 : sysctl.u.availheap.avail_bytes;
}

/* The smallest domain that there can be; then XEN_DOMCTL_createdomain. */
static inline void want_domain(unsigned int vcpus)
{
    memset(&domctl, 0, sizeof(domctl));
    domctl.u.createdomain.max_vcpus = vcpus;
    domctl.u.createdomain.max_evtchn_port = 1023;
    domctl.u.createdomain.max_grant_frames = 4;
    domctl.u.createdomain.max_maptrack_frames = 4;
    domctl.u.createdomain.grant_opts = XEN_DOMCTL_GRANT_version(1);
}

#endif
