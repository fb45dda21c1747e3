/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * domctl on a domain as a whole: its life, its limits, its share of the machine. dom0 may not do to itself what would
 * stop it.
 */
#include "control/control.h"
#include "guest_access.h"

#define GRANT_FRAMES_DEFAULT    64
#define MAPTRACK_FRAMES_DEFAULT 1024
#define GRANT_VERSION_MAX       2
#define FLAGS_POSSIBLE          (XEN_DOMCTL_CDF_xs_domain | XEN_DOMCTL_CDF_oos_off)

/* A PV domain without devices of ours: what else could be asked for does not exist here. */
static int check_config(const struct xen_domctl_createdomain *config)
{
    u32 grant_version = config->grant_opts & XEN_DOMCTL_GRANT_version_mask;

    if (config->flags & XEN_DOMCTL_CDF_hvm)
        return -EOPNOTSUPP;
    if ((config->flags & ~FLAGS_POSSIBLE) || config->iommu_opts || config->vmtrace_size)
        return -EINVAL;
    if (config->grant_opts & ~XEN_DOMCTL_GRANT_version_mask || !grant_version || grant_version > GRANT_VERSION_MAX)
        return -EINVAL;
    if (config->max_vcpus < 1 || config->max_vcpus > MAX_VCPUS)
        return -EINVAL;
    if (config->arch.misc_flags & ~XEN_X86_MISC_FLAGS_MAX || config->arch.emulation_flags & ~XEN_X86_EMU_ALL)
        return -EINVAL;
    if (config->cpupool_id)
        return -ESRCH;
    return config->arch.emulation_flags ? -EOPNOTSUPP : 0;
}

long domctl_createdomain(struct domain *none, struct domctl *c)
{
    const struct xen_domctl_createdomain *config = &c->op.u.createdomain;
    unsigned grant = config->max_grant_frames < 0 ? GRANT_FRAMES_DEFAULT : (unsigned)config->max_grant_frames;
    unsigned maptrack =
        config->max_maptrack_frames < 0 ? MAPTRACK_FRAMES_DEFAULT : (unsigned)config->max_maptrack_frames;
    bool chosen = c->op.domain > 0 && c->op.domain < DOMID_FIRST_RESERVED;
    struct domain *d;
    int rc = check_config(config);

    if (rc)
        return rc;
    d = domain_create(chosen ? c->op.domain : DOMID_ANY, config->flags, config->max_vcpus, grant, maptrack,
                      config->max_evtchn_port, &rc);
    if (!d)
        return rc;
    memcpy(d->handle, config->handle, sizeof(d->handle));
    d->ssidref = config->ssidref;
    d->xs_domain = (config->flags & XEN_DOMCTL_CDF_xs_domain) != 0;
    c->op.domain = d->id;
    if (!copy_to_guest(c->arg, &c->op, sizeof(c->op)))
        return 0;
    /* Nobody would know of it. */
    while (domain_kill(d) == -ERESTART)
        ;
    return -EFAULT;
}

long domctl_destroydomain(struct domain *d, struct domctl *c)
{
    return d == current->domain ? -EINVAL : domain_kill(d);
}

long domctl_pausedomain(struct domain *d, struct domctl *c)
{
    return d == current->domain ? -EINVAL : domain_controller_pause(d);
}

long domctl_unpausedomain(struct domain *d, struct domctl *c)
{
    return domain_controller_unpause(d);
}

long domctl_resumedomain(struct domain *d, struct domctl *c)
{
    if (d == current->domain)
        return -EINVAL;
    domain_resume(d);
    return 0;
}

long domctl_getdomaininfo(struct domain *d, struct domctl *c)
{
    fill_domain_info(d, &c->op.u.getdomaininfo);
    c->op.domain = d->id;
    c->copy_back = true;
    return 0;
}

long domctl_max_mem(struct domain *d, struct domctl *c)
{
    u64 pages = c->op.u.max_mem.max_memkb >> (PAGE_SHIFT - 10);

    spin_lock(&d->mm.lock);
    d->mm.max_pages = MIN(pages, 0xFFFFFFFFUL);
    spin_unlock(&d->mm.lock);
    return 0;
}

/* All vCPUs or none of the new ones: what exists is freed with the domain. */
long domctl_max_vcpus(struct domain *d, struct domctl *c)
{
    long rc = 0;

    if (d == current->domain || c->op.u.max_vcpus.max != d->max_vcpus || d->dying)
        return -EINVAL;
    for (u32 i = 0; i < d->max_vcpus && !rc; i++)
        if (!d->vcpus[i] && !vcpu_create(d, i))
            rc = -ENOMEM;
    return rc;
}

long domctl_setdomainhandle(struct domain *d, struct domctl *c)
{
    memcpy(d->handle, c->op.u.setdomainhandle.handle, sizeof(d->handle));
    return 0;
}

long domctl_setdebugging(struct domain *d, struct domctl *c)
{
    if (d == current->domain)
        return -EINVAL;
    domain_pause_sync(d);
    d->debugger = c->op.u.setdebugging.enable != 0;
    domain_unpause(d);
    return 0;
}

long domctl_settimeoffset(struct domain *d, struct domctl *c)
{
    d->time_offset_seconds = c->op.u.settimeoffset.time_offset_seconds;
    update_domain_wallclock(d);
    return 0;
}

long domctl_subscribe(struct domain *d, struct domctl *c)
{
    d->suspend_port = c->op.u.subscribe.port;
    return 0;
}

long domctl_set_address_size(struct domain *d, struct domctl *c)
{
    u32 size = c->op.u.address_size.size;

    if (size == (d->is_32bit ? 32 : 64))
        return 0;
    return size == 32 ? domain_set_32bit(d) : -EINVAL;
}

long domctl_get_address_size(struct domain *d, struct domctl *c)
{
    c->op.u.address_size.size = d->is_32bit ? 32 : 64;
    c->copy_back = true;
    return 0;
}

long domctl_gettscinfo(struct domain *d, struct domctl *c)
{
    struct xen_domctl_tsc_info *info = &c->op.u.tsc_info;

    if (d == current->domain)
        return -EINVAL;
    *info = (struct xen_domctl_tsc_info){
        .tsc_mode = d->time.tsc_mode,
        .gtsc_khz = d->time.tsc_khz ? d->time.tsc_khz : (u32)tsc_khz(),
        .incarnation = d->time.incarnation,
        .elapsed_nsec = time_now(),
    };
    c->copy_back = true;
    return 0;
}

/* Guests read the TSC itself: a rate that is not this machine's cannot be given. */
long domctl_settscinfo(struct domain *d, struct domctl *c)
{
    const struct xen_domctl_tsc_info *info = &c->op.u.tsc_info;

    if (d == current->domain || info->tsc_mode > 2)
        return -EINVAL;
    d->time.tsc_mode = info->tsc_mode;
    d->time.tsc_khz = info->gtsc_khz;
    d->time.incarnation = info->incarnation;
    return 0;
}

long domctl_scheduler_op(struct domain *d, struct domctl *c)
{
    struct xen_domctl_scheduler_op *op = &c->op.u.scheduler_op;

    if (op->sched_id != XEN_SCHEDULER_CREDIT2)
        return -EINVAL;
    switch (op->cmd) {
    case XEN_DOMCTL_SCHEDOP_putinfo:
        if (op->u.credit2.weight)
            domain_set_weight(d, op->u.credit2.weight);
        domain_set_cap(d, op->u.credit2.cap);
        break;
    case XEN_DOMCTL_SCHEDOP_getinfo:
        op->u.credit2.weight = (u16)d->sched.weight;
        op->u.credit2.cap = (u16)d->sched.cap;
        break;
    default:
        return -EINVAL;
    }
    c->copy_back = true;
    return 0;
}

/* One node. */
long domctl_setnodeaffinity(struct domain *d, struct domctl *c)
{
    u32 nodes;

    if (read_ctl_bitmap(&c->op.u.nodeaffinity.nodemap, &nodes))
        return -EFAULT;
    return nodes & 1 ? 0 : -EINVAL;
}

long domctl_getnodeaffinity(struct domain *d, struct domctl *c)
{
    return write_ctl_bitmap(&c->op.u.nodeaffinity.nodemap, 1);
}
