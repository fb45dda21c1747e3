/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * CPU and node masks as toolstacks pass them, and what a toolstack is told of a domain.
 */
#include "control/control.h"
#include "emulate.h"
#include "guest_access.h"

int read_ctl_bitmap(const struct xenctl_bitmap *map, u32 *bits)
{
    u32 bytes = MIN(ROUND_UP((u64)map->nr_bits, 8) / 8, sizeof(*bits));

    *bits = 0;
    if (copy_from_guest(bits, (unsigned long)map->bitmap.p, bytes))
        return -EFAULT;
    if (map->nr_bits < 32)
        *bits &= (1U << map->nr_bits) - 1;
    return 0;
}

/* Bits that we do not have are written as zero. */
int write_ctl_bitmap(const struct xenctl_bitmap *map, u32 bits)
{
    u64 bytes = ROUND_UP((u64)map->nr_bits, 8) / 8;
    u32 own = MIN(bytes, sizeof(bits));

    if (map->nr_bits < 32)
        bits &= (1U << map->nr_bits) - 1;
    if (copy_to_guest((unsigned long)map->bitmap.p, &bits, own))
        return -EFAULT;
    if (bytes > PAGE_SIZE)
        return -EINVAL;
    return clear_guest((unsigned long)map->bitmap.p + own, bytes - own);
}

u32 online_cpu_mask(void)
{
    return (1U << cpu_count) - 1;
}

static void count_vcpu(struct vcpu *v, struct xen_domctl_getdomaininfo *info, u32 *flags)
{
    u32 blocked_by = READ_ONCE(v->sched.blocked_by);

    info->max_vcpu_id = v->id;
    info->cpu_time += vcpu_run_time(v);
    if (blocked_by & PAUSE_DOWN)
        return;
    info->nr_online_vcpus++;
    if (!(blocked_by & (PAUSE_BLOCKED | PAUSE_POLL)))
        *flags &= ~XEN_DOMINF_blocked;
    if (v->sched.runstate.state == RUNSTATE_running)
        *flags |= XEN_DOMINF_running;
}

void fill_domain_info(struct domain *d, struct xen_domctl_getdomaininfo *info)
{
    struct shared_info *shared = READ_ONCE(d->shared_info);
    u32 flags = XEN_DOMINF_blocked;

    memset(info, 0, sizeof(*info));
    info->domain = d->id;
    info->max_vcpu_id = XEN_INVALID_MAX_VCPU_ID;
    for (u32 i = 0; i < d->max_vcpus; i++)
        if (d->vcpus[i])
            count_vcpu(d->vcpus[i], info, &flags);
    info->flags = (info->nr_online_vcpus ? flags : 0) | (d->dying == DOMAIN_DEAD ? XEN_DOMINF_dying : 0) |
                  (d->shut_down ? XEN_DOMINF_shutdown : 0) | (d->controller_pauses ? XEN_DOMINF_paused : 0) |
                  (d->debugger ? XEN_DOMINF_debugged : 0) | (d->xs_domain ? XEN_DOMINF_xs_domain : 0) |
                  (d->shutdown_code == SHUTDOWN_NONE ? 0xFFFFU : d->shutdown_code) << XEN_DOMINF_shutdownshift;
    info->tot_pages = d->mm.tot_pages;
    info->max_pages = d->mm.max_pages;
    info->outstanding_pages = d->mm.outstanding_claim;
    info->shared_info_frame = shared ? virt_to_mfn(shared).value : INVALID_FRAME;
    info->ssidref = d->ssidref;
    memcpy(info->handle, d->handle, sizeof(info->handle));
    info->gpaddr_bits = (u8)cpu_features.physical_bits;
}
