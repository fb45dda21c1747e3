/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * How a test kernel makes the calls that manage domains.
 */
#include <string.h>
#include <pv/hypercall.h>
#include "dom0_calls.h"

struct xen_domctl domctl;
struct xen_sysctl sysctl;

long call(unsigned int cmd, unsigned int domid)
{
    domctl.cmd = cmd;
    domctl.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    domctl.domain = (domid_t)domid;
    return pv_hypercall1(__HYPERVISOR_domctl, (unsigned long)&domctl);
}

long system_call(unsigned int cmd)
{
    sysctl.cmd = cmd;
    sysctl.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    return pv_hypercall1(__HYPERVISOR_sysctl, (unsigned long)&sysctl);
}

uint64_t free_bytes(void)
{
    memset(&sysctl, 0, sizeof(sysctl));
    sysctl.u.availheap.node = -1;
    return system_call(XEN_SYSCTL_availheap) ? 0 : sysctl.u.availheap.avail_bytes;
}

void want_domain(unsigned int vcpus)
{
    memset(&domctl, 0, sizeof(domctl));
    domctl.u.createdomain.max_vcpus = vcpus;
    domctl.u.createdomain.max_evtchn_port = 1023;
    domctl.u.createdomain.max_grant_frames = 4;
    domctl.u.createdomain.max_maptrack_frames = 4;
    domctl.u.createdomain.grant_opts = XEN_DOMCTL_GRANT_version(1);
}
