/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What saving and restoring a domain asks beyond what running one needs: dirty pages, the whole state of a vCPU, the
 * clock and the CPU policy. The hypervisor copies to buffers of the caller; they must be memory that is mapped.
 */
#include "ctl_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int ctl_shadow_op(struct ctl *ctl, domid_t domid, unsigned int operation, unsigned int mode, void *bitmap,
                  uint64_t pages, struct xen_domctl_shadow_op_stats *stats)
{
    struct xen_domctl *domctl;
    int status;

    do {
        domctl = ctl_start(ctl, XEN_DOMCTL_shadow_op, domid);
        domctl->u.shadow_op.op = operation;
        domctl->u.shadow_op.mode = mode;
        domctl->u.shadow_op.pages = pages;
        set_xen_guest_handle_raw(domctl->u.shadow_op.dirty_bitmap, bitmap);
        status = ctl_perform(ctl);
    } while (status != 0 && errno == EAGAIN);
    if (status == 0 && stats != NULL)
        *stats = domctl->u.shadow_op.stats;
    return status;
}

int ctl_vcpu_get_extended(struct ctl *ctl, domid_t domid, unsigned int vcpu,
                          struct xen_domctl_ext_vcpucontext *extended)
{
    struct xen_domctl *domctl = ctl_start(ctl, XEN_DOMCTL_get_ext_vcpucontext, domid);

    domctl->u.ext_vcpucontext.vcpu = vcpu;
    if (ctl_perform(ctl) != 0)
        return -1;
    *extended = domctl->u.ext_vcpucontext;
    return 0;
}

int ctl_vcpu_set_extended(struct ctl *ctl, domid_t domid, unsigned int vcpu, const void *extended, size_t size)
{
    struct xen_domctl *domctl = ctl_start(ctl, XEN_DOMCTL_set_ext_vcpucontext, domid);

    if (size > sizeof(domctl->u)) {
        errno = E2BIG;
        return -1;
    }
    memcpy(&domctl->u, extended, size);
    domctl->u.ext_vcpucontext.vcpu = vcpu;
    return ctl_perform(ctl);
}

int ctl_vcpu_get_xsave(struct ctl *ctl, domid_t domid, unsigned int vcpu, void *buffer, size_t *size)
{
    struct xen_domctl *domctl = ctl_start(ctl, XEN_DOMCTL_getvcpuextstate, domid);
    uint64_t needed, mask;

    domctl->u.vcpuextstate.vcpu = vcpu;
    if (ctl_perform(ctl) != 0)
        return -1;
    needed = domctl->u.vcpuextstate.size;
    mask = domctl->u.vcpuextstate.xfeature_mask;
    if (needed > *size) {
        errno = ENOBUFS;
        return -1;
    }
    *size = (size_t)needed;
    if (needed == 0)
        return 0;
    domctl = ctl_start(ctl, XEN_DOMCTL_getvcpuextstate, domid);
    domctl->u.vcpuextstate.vcpu = vcpu;
    domctl->u.vcpuextstate.size = needed;
    domctl->u.vcpuextstate.xfeature_mask = mask;
    set_xen_guest_handle_raw(domctl->u.vcpuextstate.buffer, buffer);
    return ctl_perform(ctl);
}

int ctl_vcpu_set_xsave(struct ctl *ctl, domid_t domid, unsigned int vcpu, const void *buffer, size_t size)
{
    struct xen_domctl *domctl = ctl_start(ctl, XEN_DOMCTL_setvcpuextstate, domid);

    domctl->u.vcpuextstate.vcpu = vcpu;
    domctl->u.vcpuextstate.size = size;
    set_xen_guest_handle_raw(domctl->u.vcpuextstate.buffer, (void *)buffer);
    return ctl_perform(ctl);
}

static int vcpu_msrs(struct ctl *ctl, unsigned int command, domid_t domid, unsigned int vcpu, const void *msrs,
                     unsigned int *count)
{
    struct xen_domctl *domctl = ctl_start(ctl, command, domid);

    domctl->u.vcpu_msrs.vcpu = vcpu;
    domctl->u.vcpu_msrs.msr_count = *count;
    set_xen_guest_handle_raw(domctl->u.vcpu_msrs.msrs, (void *)msrs);
    if (ctl_perform(ctl) != 0)
        return -1;
    *count = domctl->u.vcpu_msrs.msr_count;
    return 0;
}

int ctl_vcpu_get_msrs(struct ctl *ctl, domid_t domid, unsigned int vcpu, struct xen_domctl_vcpu_msr *msrs,
                      unsigned int *count)
{
    return vcpu_msrs(ctl, XEN_DOMCTL_get_vcpu_msrs, domid, vcpu, msrs, count);
}

int ctl_vcpu_set_msrs(struct ctl *ctl, domid_t domid, unsigned int vcpu, const void *msrs, unsigned int count)
{
    return vcpu_msrs(ctl, XEN_DOMCTL_set_vcpu_msrs, domid, vcpu, msrs, &count);
}

int ctl_domain_get_tsc(struct ctl *ctl, domid_t domid, struct xen_domctl_tsc_info *tsc)
{
    struct xen_domctl *domctl = ctl_start(ctl, XEN_DOMCTL_gettscinfo, domid);

    if (ctl_perform(ctl) != 0)
        return -1;
    *tsc = domctl->u.tsc_info;
    return 0;
}

int ctl_domain_set_tsc(struct ctl *ctl, domid_t domid, const struct xen_domctl_tsc_info *tsc)
{
    ctl_start(ctl, XEN_DOMCTL_settscinfo, domid)->u.tsc_info = *tsc;
    return ctl_perform(ctl);
}

static struct xen_domctl_cpu_policy *policy(struct ctl *ctl, unsigned int command, domid_t domid,
                                            struct ctl_policy *parts)
{
    struct xen_domctl_cpu_policy *request = &ctl_start(ctl, command, domid)->u.cpu_policy;

    request->nr_leaves = parts->leaf_count;
    request->nr_msrs = parts->msr_count;
    set_xen_guest_handle_raw(request->leaves, parts->leaves);
    set_xen_guest_handle_raw(request->msrs, parts->msrs);
    return request;
}

int ctl_policy_get(struct ctl *ctl, domid_t domid, struct ctl_policy *parts)
{
    struct xen_domctl_cpu_policy *request = policy(ctl, XEN_DOMCTL_get_cpu_policy, domid, parts);

    if (ctl_perform(ctl) != 0)
        return -1;
    parts->leaf_count = request->nr_leaves;
    parts->msr_count = request->nr_msrs;
    return 0;
}

int ctl_policy_set(struct ctl *ctl, domid_t domid, struct ctl_policy *parts)
{
    struct xen_domctl_cpu_policy *request = policy(ctl, XEN_DOMCTL_set_cpu_policy, domid, parts);
    int status = ctl_perform(ctl);

    parts->bad_leaf = request->err_leaf;
    parts->bad_subleaf = request->err_subleaf;
    parts->bad_msr = request->err_msr;
    return status;
}

int ctl_pin_tables(struct ctl *ctl, domid_t domid, const struct mmuext_op *pins, unsigned int count, unsigned int *done)
{
    *done = 0;
    if (count == 0)
        return 0;
    return xencall4(ctl->call, __HYPERVISOR_mmuext_op, (uintptr_t)pins, count, (uintptr_t)done, domid) < 0 ? -1 : 0;
}

int ctl_compat_m2p_frame(struct ctl *ctl, xen_pfn_t *mfn)
{
    struct xen_machphys_mfn_list *list = (void *)ctl->bytes;
    xen_pfn_t *first = (void *)(ctl->bytes + 1024);

    memset(list, 0, sizeof(*list));
    list->max_extents = 1;
    set_xen_guest_handle_raw(list->extent_start, first);
    if (xencall2L(ctl->call, __HYPERVISOR_memory_op, XENMEM_machphys_compat_mfn_list, (uintptr_t)list) < 0)
        return -1;
    *mfn = *first;
    return 0;
}
