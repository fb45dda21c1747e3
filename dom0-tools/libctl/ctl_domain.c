/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * domctl: operations on one domain and its vCPUs.
 */
#include "ctl_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <pv/event.h>
#include <pv/threads.h>

struct ctl *ctl_open(void)
{
    struct ctl *ctl = calloc(1, sizeof(*ctl));

    if (ctl == NULL)
        return NULL;
    ctl->call = xencall_open(NULL, 0);
    if (ctl->call != NULL) {
        ctl->domctl = xencall_alloc_buffer(ctl->call, sizeof(*ctl->domctl));
        ctl->sysctl = xencall_alloc_buffer(ctl->call, sizeof(*ctl->sysctl));
        ctl->bytes = xencall_alloc_buffer(ctl->call, CTL_SCRATCH);
    }
    if (ctl->call == NULL || ctl->domctl == NULL || ctl->sysctl == NULL || ctl->bytes == NULL) {
        ctl_close(ctl);
        return NULL;
    }
    return ctl;
}

void ctl_close(struct ctl *ctl)
{
    if (ctl->call != NULL) {
        if (ctl->domctl != NULL)
            xencall_free_buffer(ctl->call, ctl->domctl);
        if (ctl->sysctl != NULL)
            xencall_free_buffer(ctl->call, ctl->sysctl);
        if (ctl->bytes != NULL)
            xencall_free_buffer(ctl->call, ctl->bytes);
        xencall_close(ctl->call);
    }
    free(ctl);
}

struct xen_domctl *ctl_start(struct ctl *ctl, unsigned int command, domid_t domid)
{
    memset(ctl->domctl, 0, sizeof(*ctl->domctl));
    ctl->domctl->cmd = command;
    ctl->domctl->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    ctl->domctl->domain = domid;
    return ctl->domctl;
}

int ctl_perform(struct ctl *ctl)
{
    return xencall1(ctl->call, __HYPERVISOR_domctl, (uintptr_t)ctl->domctl) < 0 ? -1 : 0;
}

#define start   ctl_start
#define perform ctl_perform

int ctl_domain_create(struct ctl *ctl, const struct xen_domctl_createdomain *create, domid_t *domid)
{
    struct xen_domctl *domctl = start(ctl, XEN_DOMCTL_createdomain, 0);

    domctl->u.createdomain = *create;
    if (perform(ctl) != 0)
        return -1;
    *domid = domctl->domain;
    return 0;
}

/* The hypervisor gives up a large domain in steps: whatever happens between them has a turn, and the threads it is for. */
int ctl_domain_destroy(struct ctl *ctl, domid_t domid)
{
    int status;

    for (;;) {
        start(ctl, XEN_DOMCTL_destroydomain, domid);
        event_breaks_hypercall(true);
        status = perform(ctl);
        event_breaks_hypercall(false);
        if (status == 0 || errno != EAGAIN)
            return status;
        thread_yield();
    }
}

int ctl_domain_pause(struct ctl *ctl, domid_t domid)
{
    start(ctl, XEN_DOMCTL_pausedomain, domid);
    return perform(ctl);
}

int ctl_domain_unpause(struct ctl *ctl, domid_t domid)
{
    start(ctl, XEN_DOMCTL_unpausedomain, domid);
    return perform(ctl);
}

int ctl_domain_max_vcpus(struct ctl *ctl, domid_t domid, unsigned int count)
{
    start(ctl, XEN_DOMCTL_max_vcpus, domid)->u.max_vcpus.max = count;
    return perform(ctl);
}

int ctl_domain_max_mem(struct ctl *ctl, domid_t domid, uint64_t kib)
{
    start(ctl, XEN_DOMCTL_max_mem, domid)->u.max_mem.max_memkb = kib;
    return perform(ctl);
}

int ctl_domain_address_size(struct ctl *ctl, domid_t domid, unsigned int bits)
{
    start(ctl, XEN_DOMCTL_set_address_size, domid)->u.address_size.size = bits;
    return perform(ctl);
}

int ctl_domain_get_address_size(struct ctl *ctl, domid_t domid, unsigned int *bits)
{
    struct xen_domctl *domctl = start(ctl, XEN_DOMCTL_get_address_size, domid);

    if (perform(ctl) != 0)
        return -1;
    *bits = domctl->u.address_size.size;
    return 0;
}

int ctl_domain_hypercall_page(struct ctl *ctl, domid_t domid, xen_pfn_t mfn)
{
    start(ctl, XEN_DOMCTL_hypercall_init, domid)->u.hypercall_init.gmfn = mfn;
    return perform(ctl);
}

int ctl_domain_info(struct ctl *ctl, domid_t domid, struct xen_domctl_getdomaininfo *info)
{
    struct xen_domctl *domctl = start(ctl, XEN_DOMCTL_getdomaininfo, domid);

    if (perform(ctl) != 0)
        return -1;
    if (domctl->domain != domid) { /* the next one that exists */
        errno = ESRCH;
        return -1;
    }
    *info = domctl->u.getdomaininfo;
    return 0;
}

int ctl_vcpu_set_context(struct ctl *ctl, domid_t domid, unsigned int vcpu, const void *context, size_t size)
{
    struct xen_domctl *domctl = start(ctl, XEN_DOMCTL_setvcpucontext, domid);

    /* The hypervisor reads the larger layout's size at most. */
    memset(ctl->bytes, 0, CTL_SCRATCH);
    memcpy(ctl->bytes, context, size);
    domctl->u.vcpucontext.vcpu = vcpu;
    set_xen_guest_handle_raw(domctl->u.vcpucontext.ctxt, (void *)ctl->bytes);
    return perform(ctl);
}

int ctl_vcpu_get_context(struct ctl *ctl, domid_t domid, unsigned int vcpu, void *context, size_t size)
{
    struct xen_domctl *domctl = start(ctl, XEN_DOMCTL_getvcpucontext, domid);

    memset(ctl->bytes, 0, CTL_SCRATCH);
    domctl->u.vcpucontext.vcpu = vcpu;
    set_xen_guest_handle_raw(domctl->u.vcpucontext.ctxt, (void *)ctl->bytes);
    if (perform(ctl) != 0)
        return -1;
    memcpy(context, ctl->bytes, size);
    return 0;
}

/* The registers lie behind the FPU's 512 bytes and the flags, each width's in its own order. */
#define EAX_32 (512 + 4 + 6 * 4)
#define RAX_64 (512 + 8 + 10 * 8)

static int set_result(struct ctl *ctl, domid_t domid, uint64_t value)
{
    struct xen_domctl *domctl;
    unsigned int bits;

    if (ctl_domain_get_address_size(ctl, domid, &bits) != 0)
        return -1;
    memset(ctl->bytes, 0, CTL_SCRATCH);
    domctl = start(ctl, XEN_DOMCTL_getvcpucontext, domid);
    set_xen_guest_handle_raw(domctl->u.vcpucontext.ctxt, (void *)ctl->bytes);
    if (perform(ctl) != 0)
        return -1;
    memcpy((char *)ctl->bytes + (bits == 64 ? RAX_64 : EAX_32), &value, bits / 8);
    domctl = start(ctl, XEN_DOMCTL_setvcpucontext, domid);
    set_xen_guest_handle_raw(domctl->u.vcpucontext.ctxt, (void *)ctl->bytes);
    return perform(ctl);
}

int ctl_domain_resume(struct ctl *ctl, domid_t domid, bool cancelled)
{
    if (cancelled && set_result(ctl, domid, 1) != 0)
        return -1;
    start(ctl, XEN_DOMCTL_resumedomain, domid);
    return perform(ctl);
}

int ctl_vcpu_trigger(struct ctl *ctl, domid_t domid, unsigned int vcpu, unsigned int trigger)
{
    struct xen_domctl *domctl = start(ctl, XEN_DOMCTL_sendtrigger, domid);

    domctl->u.sendtrigger.trigger = trigger;
    domctl->u.sendtrigger.vcpu = vcpu;
    return perform(ctl);
}

int ctl_frame_types(struct ctl *ctl, domid_t domid, xen_pfn_t *frames, size_t count)
{
    struct xen_domctl *domctl = start(ctl, XEN_DOMCTL_getpageframeinfo3, domid);

    if (count * sizeof(*frames) > CTL_SCRATCH) {
        errno = E2BIG;
        return -1;
    }
    memcpy(ctl->bytes, frames, count * sizeof(*frames));
    domctl->u.getpageframeinfo3.num = count;
    set_xen_guest_handle_raw(domctl->u.getpageframeinfo3.array, (void *)ctl->bytes);
    if (perform(ctl) != 0)
        return -1;
    memcpy(frames, ctl->bytes, count * sizeof(*frames));
    return 0;
}

int ctl_vcpu_info(struct ctl *ctl, domid_t domid, unsigned int vcpu, struct xen_domctl_getvcpuinfo *info)
{
    struct xen_domctl *domctl = start(ctl, XEN_DOMCTL_getvcpuinfo, domid);

    domctl->u.getvcpuinfo.vcpu = vcpu;
    if (perform(ctl) != 0)
        return -1;
    *info = domctl->u.getvcpuinfo;
    return 0;
}

static void set_bitmap(struct xenctl_bitmap *bitmap, uint8_t *bytes)
{
    set_xen_guest_handle_raw(bitmap->bitmap, bytes);
    bitmap->nr_bits = CTL_CPU_BYTES * 8;
}

static int affinity(struct ctl *ctl, unsigned int command, domid_t domid, unsigned int vcpu, unsigned int flags)
{
    struct xen_domctl *domctl = start(ctl, command, domid);

    domctl->u.vcpuaffinity.vcpu = vcpu;
    domctl->u.vcpuaffinity.flags = flags;
    if (flags & XEN_VCPUAFFINITY_HARD)
        set_bitmap(&domctl->u.vcpuaffinity.cpumap_hard, ctl->bytes);
    if (flags & XEN_VCPUAFFINITY_SOFT)
        set_bitmap(&domctl->u.vcpuaffinity.cpumap_soft, ctl->bytes + CTL_CPU_BYTES);
    return perform(ctl);
}

int ctl_vcpu_get_affinity(struct ctl *ctl, domid_t domid, unsigned int vcpu, uint8_t hard[CTL_CPU_BYTES],
                          uint8_t soft[CTL_CPU_BYTES])
{
    memset(ctl->bytes, 0, 2 * CTL_CPU_BYTES);
    if (affinity(ctl, XEN_DOMCTL_getvcpuaffinity, domid, vcpu, XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT) != 0)
        return -1;
    memcpy(hard, ctl->bytes, CTL_CPU_BYTES);
    memcpy(soft, ctl->bytes + CTL_CPU_BYTES, CTL_CPU_BYTES);
    return 0;
}

int ctl_vcpu_set_affinity(struct ctl *ctl, domid_t domid, unsigned int vcpu, uint8_t *hard, uint8_t *soft, bool force)
{
    unsigned int flags =
        (hard ? XEN_VCPUAFFINITY_HARD : 0) | (soft ? XEN_VCPUAFFINITY_SOFT : 0) | (force ? XEN_VCPUAFFINITY_FORCE : 0);

    if (hard)
        memcpy(ctl->bytes, hard, CTL_CPU_BYTES);
    if (soft)
        memcpy(ctl->bytes + CTL_CPU_BYTES, soft, CTL_CPU_BYTES);
    if (affinity(ctl, XEN_DOMCTL_setvcpuaffinity, domid, vcpu, flags) != 0)
        return -1;
    if (hard)
        memcpy(hard, ctl->bytes, CTL_CPU_BYTES);
    if (soft)
        memcpy(soft, ctl->bytes + CTL_CPU_BYTES, CTL_CPU_BYTES);
    return 0;
}

static int scheduler_op(struct ctl *ctl, domid_t domid, unsigned int command,
                        struct xen_domctl_sched_credit2 *parameters)
{
    struct xen_domctl_scheduler_op *op = &start(ctl, XEN_DOMCTL_scheduler_op, domid)->u.scheduler_op;

    op->sched_id = XEN_SCHEDULER_CREDIT2;
    op->cmd = command;
    op->u.credit2 = *parameters;
    if (perform(ctl) != 0)
        return -1;
    *parameters = op->u.credit2;
    return 0;
}

int ctl_sched_get(struct ctl *ctl, domid_t domid, struct xen_domctl_sched_credit2 *parameters)
{
    memset(parameters, 0, sizeof(*parameters));
    return scheduler_op(ctl, domid, XEN_DOMCTL_SCHEDOP_getinfo, parameters);
}

int ctl_sched_set(struct ctl *ctl, domid_t domid, const struct xen_domctl_sched_credit2 *parameters)
{
    struct xen_domctl_sched_credit2 copy = *parameters;

    return scheduler_op(ctl, domid, XEN_DOMCTL_SCHEDOP_putinfo, &copy);
}
