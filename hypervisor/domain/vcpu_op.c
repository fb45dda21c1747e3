/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a guest does with its own vCPUs: start and stop them, say where their state is to be written, set their timers.
 */
#include "domain.h"
#include "guest_access.h"
#include "hypercall_prototypes.h"
#include "domain/lifecycle.h"
#include "abi/sched.h"

#define PERIOD_MIN 1000000ULL
#define PERIOD_MAX (~0ULL >> 2)

static long initialise(struct vcpu *v, unsigned long arg)
{
    struct domain *d = v->domain;
    int rc;

    spin_lock(&d->vcpu_lock);
    rc = vcpu_load_context(v, arg, true);
    spin_unlock(&d->vcpu_lock);
    if (rc == -ERESTART)
        return hypercall_continue(__HYPERVISOR_vcpu_op, 3, (unsigned long)VCPUOP_initialise, (unsigned long)v->id, arg);
    return rc;
}

static long bring_up(struct vcpu *v)
{
    if (!v->initialised)
        return -EINVAL;
    vcpu_clear_blocked(v, PAUSE_DOWN);
    return 0;
}

/* The last one that goes down switches the domain off. */
static long take_down(struct vcpu *v)
{
    struct domain *d = v->domain;

    for (u32 i = 0; i < d->max_vcpus; i++) {
        struct vcpu *other = d->vcpus[i];

        if (other && other != v && !(READ_ONCE(other->sched.blocked_by) & PAUSE_DOWN)) {
            vcpu_set_blocked(v, PAUSE_DOWN);
            return 0;
        }
    }
    domain_shutdown(d, SHUTDOWN_poweroff);
    return 0;
}

/* Into the caller's memory. */
static long get_runstate(struct vcpu *v, unsigned long arg)
{
    struct vcpu_runstate_info info;
    struct compat_vcpu_runstate_info compat;

    runstate_get(v, &info);
    if (!current->is_32bit)
        return copy_to_guest(arg, &info, sizeof(info));
    compat.state = info.state;
    compat.state_entry_time = info.state_entry_time;
    memcpy(compat.time, info.time, sizeof(compat.time));
    return copy_to_guest(arg, &compat, sizeof(compat));
}

/* An area is 8 bytes in the argument, of which a 32-bit guest means, and needs to have, the first four. */
static int read_area(unsigned long arg, size_t size, unsigned long *area)
{
    if (read_guest_long(area, arg, 0))
        return -EFAULT;
    return guest_range_ok(*area, size) ? 0 : -EFAULT;
}

static long register_runstate(struct vcpu *v, unsigned long arg)
{
    unsigned long area;

    if (read_area(arg, sizeof(struct vcpu_runstate_info), &area))
        return -EFAULT;
    v->sched.runstate_area = area;
    /* The caller's address space is the vCPU's; the area need not be writable yet. */
    if (v == current)
        update_runstate_area(v);
    else
        get_runstate(v, area);
    return 0;
}

static long register_time(struct vcpu *v, unsigned long arg)
{
    unsigned long area;

    if (read_area(arg, sizeof(struct vcpu_time_info), &area))
        return -EFAULT;
    v->time.secondary_area = area;
    if (v == current)
        update_vcpu_time(v);
    return 0;
}

static long set_periodic(struct vcpu *v, unsigned long arg)
{
    struct vcpu_set_periodic_timer set;

    if (copy_from_guest(&set, arg, sizeof(set)))
        return -EFAULT;
    if (set.period_ns < PERIOD_MIN || set.period_ns > PERIOD_MAX)
        return -EINVAL;
    guest_set_period(v, set.period_ns);
    return 0;
}

static long set_singleshot(struct vcpu *v, unsigned long arg)
{
    struct {
        u64 timeout;
        u32 flags;
        /* No flag is heeded: a time that is over is told at once. The 32-bit form has no padding at its end. */
    } __attribute__((packed)) set;

    /* Which error comes first depends on the width, as on Xen. */
    if (v != current && !v->is_32bit)
        return -EINVAL;
    if (copy_from_guest(&set, arg, sizeof(set)))
        return -EFAULT;
    if (v != current)
        return -EINVAL;
    /* VCPU_SSHOTTMR_future is accepted and means nothing, as on Xen: a moment in the past fires at once. */
    timer_set(&v->time.singleshot, set.timeout);
    return 0;
}

static long stop_singleshot(struct vcpu *v)
{
    if (v != current)
        return -EINVAL;
    timer_stop(&v->time.singleshot);
    return 0;
}

/* Everything counts as pending afterwards, so that no event is lost between the two places. */
static void mark_all_pending(struct vcpu *v)
{
    if (v->is_32bit)
        WRITE_ONCE(v->compat_info->evtchn_pending_sel, ~0U);
    else
        WRITE_ONCE(v->info->evtchn_pending_sel, ~0UL);
    vcpu_mark_events_pending(v);
}

/* v is the caller, or down. One that is on its way out, or up again meanwhile, finds the page of before or the new one:
 * both stay. It must not be waited for, since it may wait for the lock that is held here. */
int vcpu_map_info(struct vcpu *v, mfn_t mfn, unsigned offset)
{
    struct vcpu_info *info;

    if (offset > PAGE_SIZE - sizeof(struct vcpu_info) || (offset & (v->is_32bit ? 3 : 7)))
        return -ENXIO;
    if (v->info_mfn.value != INVALID_FRAME)
        return -EINVAL;
    if (v != current && !(READ_ONCE(v->sched.blocked_by) & PAUSE_DOWN))
        return -EINVAL;
    if (page_get_and_type(mfn, v->domain, FRAME_WRITABLE, false))
        return -EINVAL;
    info = (struct vcpu_info *)((u8 *)mfn_to_virt(mfn) + offset);
    memcpy(info, v->info, sizeof(*info));
    v->info = info;
    v->info_mfn = mfn;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    mark_all_pending(v);
    return 0;
}

void vcpu_unmap_info(struct vcpu *v)
{
    mfn_t mfn = v->info_mfn;

    if (mfn.value == INVALID_FRAME)
        return;
    v->info = &dummy_vcpu_info;
    v->info_mfn = mfn_of(INVALID_FRAME);
    page_put_and_type(mfn);
}

static long register_info(struct vcpu *v, unsigned long arg)
{
    struct vcpu_register_vcpu_info info;
    long rc;

    if (copy_from_guest(&info, arg, sizeof(info)))
        return -EFAULT;
    spin_lock(&v->domain->vcpu_lock);
    rc = vcpu_map_info(v, mfn_of(info.mfn), info.offset);
    spin_unlock(&v->domain->vcpu_lock);
    if (!rc && v == current)
        update_vcpu_time(v);
    return rc;
}

static long send_nmi(struct vcpu *v, unsigned long arg)
{
    if (arg)
        return -EINVAL;
    v->nmi_pending = true;
    if (v == current)
        raise_softirq(this_cpu()->cpu, SOFTIRQ_NMI_CALLBACK);
    else
        vcpu_kick(v);
    return 0;
}

long do_vcpu_op(unsigned long cmd, unsigned long id, unsigned long arg)
{
    struct domain *d = current->domain;
    struct vcpu *v = (u32)id < d->max_vcpus ? READ_ONCE(d->vcpus[nospec_index((u32)id, d->max_vcpus)]) : NULL;

    if (!v)
        return -ENOENT;
    switch ((int)cmd) {
    case VCPUOP_is_up:
        return !(v->sched.blocked_by & PAUSE_DOWN);
    case VCPUOP_initialise:
        return initialise(v, arg);
    case VCPUOP_up:
        return bring_up(v);
    case VCPUOP_down:
        return take_down(v);
    case VCPUOP_get_runstate_info:
        return get_runstate(v, arg);
    case VCPUOP_register_runstate_memory_area:
        return register_runstate(v, arg);
    case VCPUOP_set_periodic_timer:
        return set_periodic(v, arg);
    case VCPUOP_stop_periodic_timer:
        guest_set_period(v, 0);
        return 0;
    case VCPUOP_set_singleshot_timer:
        return set_singleshot(v, arg);
    case VCPUOP_stop_singleshot_timer:
        return stop_singleshot(v);
    case VCPUOP_register_vcpu_info:
        return register_info(v, arg);
    case VCPUOP_send_nmi:
        return send_nmi(v, arg);
    case VCPUOP_get_physid:
        return -EINVAL; /* no vCPU is tied to one CPU for good */
    case VCPUOP_register_vcpu_time_memory_area:
        return register_time(v, arg);
    default:
        return -ENOSYS;
    }
}
