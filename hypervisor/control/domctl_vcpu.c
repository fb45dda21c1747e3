/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * domctl on one vCPU: its context in all its parts, where it may run, what it is doing. A context is read and written
 * only while its vCPU is off every CPU, so a caller cannot ask for its own.
 */
#include "control/control.h"
#include "guest_access.h"
#include "emulate.h"
#include "domain/context_fpu.h"
#include "domain/lifecycle.h"

#define XSTATE_HEADER 16 /* XCR0 now and over all time, before the save area itself */

/* Its domain stands still: another of its vCPUs might be initialising this one. */
static int reset_vcpu(struct vcpu *v)
{
    vcpu_set_blocked(v, PAUSE_DOWN);
    vcpu_clear_blocked(v, PAUSE_BLOCKED | PAUSE_POLL);
    vcpu_unmap_info(v);
    if (v->domain->shared_info)
        v->info = &v->domain->shared_info->vcpu_info[v->id];
    v->sched.runstate_area = v->time.secondary_area = 0;
    destroy_gdt(v);
    invalidate_ldt(v);
    v->ldt_entries = 0;
    vcpu_drop_bases(v);
    fpu_set_legacy(v, NULL);
    v->nmi_pending = v->nmi_masked = false;
    v->initialised = false;
    return 0;
}

long domctl_setvcpucontext(struct domain *d, struct domctl *c)
{
    struct vcpu *v = domctl_vcpu(d, c->op.u.vcpucontext.vcpu);
    unsigned long from = (unsigned long)c->op.u.vcpucontext.ctxt.p;
    int rc;

    if (d == current->domain || !v || d->dying)
        return -EINVAL;
    domain_pause_sync(d);
    rc = from ? vcpu_load_context(v, from, false) : reset_vcpu(v);
    domain_unpause(d);
    return rc;
}

long domctl_getvcpucontext(struct domain *d, struct domctl *c)
{
    struct vcpu *v = domctl_vcpu(d, c->op.u.vcpucontext.vcpu);
    int rc;

    if (!v || v == current)
        return -EINVAL;
    if (!v->initialised)
        return -ENODATA;
    vcpu_pause_sync(v);
    rc = vcpu_store_context(v, (unsigned long)c->op.u.vcpucontext.ctxt.p);
    vcpu_unpause(v);
    return rc;
}

long domctl_getvcpuinfo(struct domain *d, struct domctl *c)
{
    struct xen_domctl_getvcpuinfo *info = &c->op.u.getvcpuinfo;
    struct vcpu *v = domctl_vcpu(d, info->vcpu);
    u32 blocked_by;

    if (!v)
        return info->vcpu < d->max_vcpus ? -ESRCH : -EINVAL;
    blocked_by = READ_ONCE(v->sched.blocked_by);
    info->online = !(blocked_by & PAUSE_DOWN);
    info->blocked = (blocked_by & (PAUSE_BLOCKED | PAUSE_POLL)) != 0;
    info->running = v->sched.runstate.state == RUNSTATE_running;
    info->cpu_time = vcpu_run_time(v);
    info->cpu = v->processor;
    c->copy_back = true;
    return 0;
}

/* The effective masks. */
static u32 hard_mask(const struct vcpu *v)
{
    return v->sched.hard_affinity;
}

static int write_masks(const struct xen_domctl_vcpuaffinity *a, const struct vcpu *v)
{
    int rc = 0;

    if (a->flags & XEN_VCPUAFFINITY_HARD)
        rc = write_ctl_bitmap(&a->cpumap_hard, hard_mask(v));
    if (!rc && (a->flags & XEN_VCPUAFFINITY_SOFT))
        rc = write_ctl_bitmap(&a->cpumap_soft, v->sched.soft_affinity);
    return rc;
}

static bool affinity_flags_ok(u32 flags)
{
    return flags & (XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT);
}

long domctl_setvcpuaffinity(struct domain *d, struct domctl *c)
{
    const struct xen_domctl_vcpuaffinity *a = &c->op.u.vcpuaffinity;
    struct vcpu *v = domctl_vcpu(d, a->vcpu);
    u32 hard, soft;
    int rc;

    if (a->vcpu >= d->max_vcpus)
        return -EINVAL;
    if (!v)
        return -ESRCH;
    if (!affinity_flags_ok(a->flags))
        return -EINVAL;
    if ((a->flags & XEN_VCPUAFFINITY_HARD) && read_ctl_bitmap(&a->cpumap_hard, &hard))
        return -EFAULT;
    if ((a->flags & XEN_VCPUAFFINITY_SOFT) && read_ctl_bitmap(&a->cpumap_soft, &soft))
        return -EFAULT;
    if (a->flags & XEN_VCPUAFFINITY_FORCE)
        vcpu_pin_override(v, -1);
    rc = vcpu_set_affinity(v, a->flags & XEN_VCPUAFFINITY_HARD ? &hard : NULL,
                           a->flags & XEN_VCPUAFFINITY_SOFT ? &soft : NULL);
    if (rc)
        return rc;
    /* What is reported back is what will be used. */
    if (a->flags & XEN_VCPUAFFINITY_HARD)
        rc = write_ctl_bitmap(&a->cpumap_hard, v->sched.hard_affinity & online_cpu_mask());
    if (!rc && (a->flags & XEN_VCPUAFFINITY_SOFT))
        rc = write_ctl_bitmap(&a->cpumap_soft, v->sched.soft_affinity & v->sched.hard_affinity & online_cpu_mask());
    return rc;
}

long domctl_getvcpuaffinity(struct domain *d, struct domctl *c)
{
    const struct xen_domctl_vcpuaffinity *a = &c->op.u.vcpuaffinity;
    struct vcpu *v = domctl_vcpu(d, a->vcpu);

    if (a->vcpu >= d->max_vcpus)
        return -EINVAL;
    if (!v)
        return -ESRCH;
    return affinity_flags_ok(a->flags) ? write_masks(a, v) : -EINVAL;
}

static bool canonical(u64 address)
{
    return (u64)((s64)(address << 16) >> 16) == address;
}

long domctl_get_ext_vcpucontext(struct domain *d, struct domctl *c)
{
    struct xen_domctl_ext_vcpucontext *e = &c->op.u.ext_vcpucontext;
    struct vcpu *v = domctl_vcpu(d, e->vcpu);
    u32 id = e->vcpu;

    if (!v || v == current)
        return -ESRCH;
    vcpu_pause_sync(v);
    memset(e, 0, sizeof(*e));
    e->vcpu = id;
    e->size = sizeof(*e);
    e->syscall32_callback_eip = v->syscall32_callback.address;
    e->syscall32_callback_cs = v->syscall32_callback.cs;
    e->syscall32_disables_events = v->syscall32_callback.mask_events;
    e->sysenter_callback_eip = v->sysenter_callback.address;
    e->sysenter_callback_cs = v->sysenter_callback.cs;
    e->sysenter_disables_events = v->sysenter_callback.mask_events;
    vcpu_unpause(v);
    c->copy_back = true;
    return 0;
}

long domctl_set_ext_vcpucontext(struct domain *d, struct domctl *c)
{
    const struct xen_domctl_ext_vcpucontext *e = &c->op.u.ext_vcpucontext;
    struct vcpu *v = domctl_vcpu(d, e->vcpu);
    u16 ring = d->is_32bit ? 1 : 3;

    if (!v)
        return -ESRCH;
    if (v == current || e->size < offsetof(struct xen_domctl_ext_vcpucontext, vmce) ||
        !canonical(e->sysenter_callback_eip) || !canonical(e->syscall32_callback_eip))
        return -EINVAL;
    vcpu_pause_sync(v);
    v->syscall32_callback = (struct guest_entry){
        .address = e->syscall32_callback_eip,
        .cs = (u16)MAX(e->syscall32_callback_cs, (e->syscall32_callback_cs & ~3) | ring),
        .mask_events = e->syscall32_disables_events != 0,
    };
    v->sysenter_callback = (struct guest_entry){
        .address = e->sysenter_callback_eip,
        .cs = (u16)MAX(e->sysenter_callback_cs, (e->sysenter_callback_cs & ~3) | ring),
        .mask_events = e->sysenter_disables_events != 0,
    };
    vcpu_unpause(v);
    return 0;
}

long domctl_getvcpuextstate(struct domain *d, struct domctl *c)
{
    struct xen_domctl_vcpuextstate *e = &c->op.u.vcpuextstate;
    struct vcpu *v = domctl_vcpu(d, e->vcpu);
    unsigned long to = (unsigned long)e->buffer.p;
    u64 header[2] = {0, cpu_features.xcr0}, size;
    long rc = 0;

    if (!v)
        return -ESRCH;
    if (v == current)
        return -EINVAL;
    size = fpu_state_size() ? XSTATE_HEADER + fpu_state_size() : 0;
    c->copy_back = true;
    if ((!e->size && !e->xfeature_mask) || !to) {
        e->size = size;
        e->xfeature_mask = cpu_features.xcr0;
        return 0;
    }
    if (e->size != size || e->xfeature_mask != cpu_features.xcr0)
        return -EINVAL;
    vcpu_pause_sync(v);
    header[0] = v->xcr0;
    if (copy_to_guest(to, header, sizeof(header)) || copy_to_guest(to + sizeof(header), fpu_state(v), fpu_state_size()))
        rc = -EFAULT;
    vcpu_unpause(v);
    return rc;
}

long domctl_setvcpuextstate(struct domain *d, struct domctl *c)
{
    const struct xen_domctl_vcpuextstate *e = &c->op.u.vcpuextstate;
    struct vcpu *v = domctl_vcpu(d, e->vcpu);
    unsigned long from = (unsigned long)e->buffer.p;
    u64 header[2];
    u8 *image;
    int rc = 0;

    if (!v)
        return -ESRCH;
    if (v == current || e->size < XSTATE_HEADER || e->size > XSTATE_HEADER + fpu_state_size())
        return -EINVAL;
    if (copy_from_guest(header, from, sizeof(header)))
        return -EFAULT;
    if (((header[0] | header[1]) & ~cpu_features.xcr0) || (header[0] && !guest_xcr0_ok(header[0])))
        return -EINVAL;
    if (e->size == XSTATE_HEADER)
        return 0;
    image = hv_alloc_pages(1);
    if (!image)
        return -ENOMEM;
    if (copy_from_guest(image, from + XSTATE_HEADER, e->size - XSTATE_HEADER))
        rc = -EFAULT;
    if (!rc) {
        vcpu_pause_sync(v);
        rc = fpu_set_state(v, image, e->size - XSTATE_HEADER);
        if (!rc && header[0])
            v->xcr0 = header[0];
        vcpu_unpause(v);
    }
    hv_free_pages(image, 1);
    return rc;
}

/* No MSR of a PV guest carries state that the context has not. */
long domctl_get_vcpu_msrs(struct domain *d, struct domctl *c)
{
    struct xen_domctl_vcpu_msrs *m = &c->op.u.vcpu_msrs;
    struct vcpu *v = domctl_vcpu(d, m->vcpu);

    if (!v)
        return -ESRCH;
    if (v == current)
        return -EINVAL;
    m->msr_count = 0;
    c->copy_back = true;
    return 0;
}

long domctl_set_vcpu_msrs(struct domain *d, struct domctl *c)
{
    const struct xen_domctl_vcpu_msrs *m = &c->op.u.vcpu_msrs;
    struct vcpu *v = domctl_vcpu(d, m->vcpu);

    if (!v)
        return -ESRCH;
    return v != current && !m->msr_count ? 0 : -EINVAL;
}

/* A guest without an NMI handler keeps it pending. */
long domctl_sendtrigger(struct domain *d, struct domctl *c)
{
    struct vcpu *v = domctl_vcpu(d, c->op.u.sendtrigger.vcpu);

    if (!v)
        return -ESRCH;
    switch (c->op.u.sendtrigger.trigger) {
    case XEN_DOMCTL_SENDTRIGGER_NMI:
        v->nmi_pending = true;
        vcpu_kick(v);
        return 0;
    case XEN_DOMCTL_SENDTRIGGER_POWER:
    case XEN_DOMCTL_SENDTRIGGER_SLEEP:
        return -EINVAL;
    default:
        return -ENOSYS;
    }
}
