/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * sysctl and xen_version: the machine and the hypervisor as a whole.
 */
#include "ctl_internal.h"

#include <errno.h>
#include <string.h>

#include <abi/sched.h>

static struct xen_sysctl *start(struct ctl *ctl, unsigned int command)
{
    memset(ctl->sysctl, 0, sizeof(*ctl->sysctl));
    ctl->sysctl->cmd = command;
    ctl->sysctl->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    return ctl->sysctl;
}

static int perform(struct ctl *ctl)
{
    return xencall1(ctl->call, __HYPERVISOR_sysctl, (uintptr_t)ctl->sysctl) < 0 ? -1 : 0;
}

int ctl_domain_list(struct ctl *ctl, domid_t first_domain, struct xen_domctl_getdomaininfo *infos, unsigned int max)
{
    unsigned int chunk = CTL_SCRATCH / sizeof(*infos), done = 0;

    while (done < max) {
        struct xen_sysctl *sysctl = start(ctl, XEN_SYSCTL_getdomaininfolist);
        unsigned int want = max - done < chunk ? max - done : chunk, got;

        sysctl->u.getdomaininfolist.first_domain = first_domain;
        sysctl->u.getdomaininfolist.max_domains = want;
        set_xen_guest_handle_raw(sysctl->u.getdomaininfolist.buffer, (void *)ctl->bytes);
        if (perform(ctl) != 0)
            return -1;
        got = sysctl->u.getdomaininfolist.num_domains;
        if (got > want)
            got = want;
        memcpy(infos + done, ctl->bytes, got * sizeof(*infos));
        done += got;
        if (got < want)
            break;
        first_domain = (domid_t)(infos[done - 1].domain + 1);
    }
    return (int)done;
}

int ctl_physinfo(struct ctl *ctl, struct xen_sysctl_physinfo *info)
{
    struct xen_sysctl *sysctl = start(ctl, XEN_SYSCTL_physinfo);

    if (perform(ctl) != 0)
        return -1;
    *info = sysctl->u.physinfo;
    return 0;
}

int ctl_scheduler(struct ctl *ctl, unsigned int *id)
{
    struct xen_sysctl *sysctl = start(ctl, XEN_SYSCTL_sched_id);

    if (perform(ctl) != 0)
        return -1;
    *id = sysctl->u.sched_id.sched_id;
    return 0;
}

int ctl_sched_ratelimit(struct ctl *ctl, unsigned int *microseconds)
{
    struct xen_sysctl *sysctl = start(ctl, XEN_SYSCTL_scheduler_op);

    sysctl->u.scheduler_op.sched_id = XEN_SCHEDULER_CREDIT2;
    sysctl->u.scheduler_op.cmd = XEN_SYSCTL_SCHEDOP_getinfo;
    if (perform(ctl) != 0)
        return -1;
    *microseconds = sysctl->u.scheduler_op.u.sched_credit2.ratelimit_us;
    return 0;
}

long ctl_console_read(struct ctl *ctl, char *buffer, size_t size, uint32_t *index, bool clear)
{
    struct xen_sysctl *sysctl = start(ctl, XEN_SYSCTL_readconsole);
    size_t count = size < CTL_SCRATCH ? size : CTL_SCRATCH;

    sysctl->u.readconsole.clear = clear;
    sysctl->u.readconsole.incremental = index != NULL;
    sysctl->u.readconsole.index = index != NULL ? *index : 0;
    sysctl->u.readconsole.count = (uint32_t)count;
    set_xen_guest_handle_raw(sysctl->u.readconsole.buffer, (char *)ctl->bytes);
    if (perform(ctl) != 0)
        return -1;
    if (index != NULL)
        *index = sysctl->u.readconsole.index;
    if (sysctl->u.readconsole.count < count)
        count = sysctl->u.readconsole.count;
    memcpy(buffer, ctl->bytes, count);
    return (long)count;
}

int ctl_debug_keys(struct ctl *ctl, const char *keys)
{
    struct xen_sysctl *sysctl = start(ctl, XEN_SYSCTL_debug_keys);
    size_t length = strlen(keys);

    if (length > CTL_SCRATCH) {
        errno = E2BIG;
        return -1;
    }
    memcpy(ctl->bytes, keys, length);
    sysctl->u.debug_keys.nr_keys = (uint32_t)length;
    set_xen_guest_handle_raw(sysctl->u.debug_keys.keys, (const char *)ctl->bytes);
    return perform(ctl);
}

int ctl_trace(struct ctl *ctl, unsigned int command, uint32_t argument)
{
    struct xen_sysctl *sysctl = start(ctl, XEN_SYSCTL_tbuf_op);

    sysctl->u.tbuf_op.cmd = command;
    if (command == XEN_SYSCTL_TBUFOP_set_evt_mask)
        sysctl->u.tbuf_op.evt_mask = argument;
    else
        sysctl->u.tbuf_op.size = argument;
    return perform(ctl);
}

int ctl_trace_info(struct ctl *ctl, xen_pfn_t *mfn, uint32_t *bytes)
{
    struct xen_sysctl *sysctl = start(ctl, XEN_SYSCTL_tbuf_op);

    sysctl->u.tbuf_op.cmd = XEN_SYSCTL_TBUFOP_get_info;
    if (perform(ctl) != 0)
        return -1;
    *mfn = (xen_pfn_t)sysctl->u.tbuf_op.buffer_mfn;
    *bytes = sysctl->u.tbuf_op.size;
    return 0;
}

int ctl_version(struct ctl *ctl, unsigned int command, void *buffer, size_t size)
{
    int result;

    memset(ctl->bytes, 0, size);
    if (size > 0)
        memcpy(ctl->bytes, buffer, size);
    result = xencall2(ctl->call, __HYPERVISOR_xen_version, command, size > 0 ? (uintptr_t)ctl->bytes : 0);
    if (size > 0)
        memcpy(buffer, ctl->bytes, size);
    return result;
}

int ctl_domain_shut_down(struct ctl *ctl, domid_t domid, unsigned int reason)
{
    struct sched_remote_shutdown *shutdown = (void *)ctl->bytes;

    memset(shutdown, 0, sizeof(*shutdown));
    shutdown->domain_id = domid;
    shutdown->reason = reason;
    return xencall2(ctl->call, __HYPERVISOR_sched_op, SCHEDOP_remote_shutdown, (uintptr_t)shutdown);
}

int ctl_host_shutdown(struct ctl *ctl, unsigned int reason)
{
    struct sched_shutdown *shutdown = (void *)ctl->bytes;

    memset(shutdown, 0, sizeof(*shutdown));
    shutdown->reason = reason;
    return xencall2(ctl->call, __HYPERVISOR_sched_op, SCHEDOP_shutdown, (uintptr_t)shutdown);
}
