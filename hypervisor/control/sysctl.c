/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * sysctl: what dom0 asks about the whole machine.
 */
#include "control/control.h"
#include "dev/console.h"
#include "guest_access.h"
#include "hypercall_prototypes.h"
#include "sched/policy.h"
#include "trace.h"

#define DEBUG_KEYS_MAX 64
#define CPUPOOL        0 /* the only pool */
#define DISTANCE_LOCAL 10

static long readconsole(struct xen_sysctl_readconsole *r)
{
    unsigned long to = (unsigned long)r->buffer.p;
    bool incremental = r->incremental != 0;
    u32 room = r->count, done = 0, got;
    char part[512];

    while (done < room) {
        got = console_ring_read(part, MIN(room - done, (u32)sizeof(part)), &r->index, incremental);
        if (!got)
            break;
        if (copy_to_guest(to + done, part, got))
            return -EFAULT;
        done += got;
        incremental = true;
    }
    r->count = done;
    if (r->clear)
        console_ring_clear();
    return 0;
}

static long physinfo(struct xen_sysctl_physinfo *p)
{
    memset(p, 0, sizeof(*p));
    p->threads_per_core = 1;
    p->cores_per_socket = cpu_count;
    p->nr_cpus = cpu_count;
    p->max_cpu_id = cpu_count - 1;
    p->nr_nodes = 1;
    p->cpu_khz = (u32)tsc_khz();
    p->capabilities = XEN_SYSCTL_PHYSCAP_pv | XEN_SYSCTL_PHYSCAP_gnttab_v1 | XEN_SYSCTL_PHYSCAP_gnttab_v2;
    p->total_pages = total_frames;
    p->free_pages = free_frames();
    p->max_mfn = max_frame - 1;
    spin_lock(&domain_list_lock);
    for (struct domain *d = domain_first(); d; d = d->next)
        p->outstanding_pages += d->mm.outstanding_claim;
    spin_unlock(&domain_list_lock);
    host_features(p->hw_cap);
    return 0;
}

/* The domain stays in the list while we hold it, so its successor can be asked for. */
static long getdomaininfolist(struct xen_sysctl_getdomaininfolist *l)
{
    struct domain *d = domain_get_from(l->first_domain), *next;
    unsigned long to = (unsigned long)l->buffer.p;
    struct xen_domctl_getdomaininfo info;

    l->num_domains = 0;
    while (d && l->num_domains < l->max_domains) {
        fill_domain_info(d, &info);
        if (copy_to_guest(to + l->num_domains * sizeof(info), &info, sizeof(info))) {
            domain_put(d);
            return -EFAULT;
        }
        l->num_domains++;
        next = domain_get_next(d);
        domain_put(d);
        d = next;
    }
    if (d)
        domain_put(d);
    return 0;
}

static long debug_keys(const struct xen_sysctl_debug_keys *k)
{
    char keys[DEBUG_KEYS_MAX];

    if (k->nr_keys > sizeof(keys))
        return -E2BIG;
    if (copy_from_guest(keys, (unsigned long)k->keys.p, k->nr_keys))
        return -EFAULT;
    for (u32 i = 0; i < k->nr_keys; i++)
        debug_key(keys[i]);
    return 0;
}

static long getcpuinfo(struct xen_sysctl_getcpuinfo *g)
{
    unsigned long to = (unsigned long)g->info.p;

    g->nr_cpus = MIN(cpu_count, g->max_cpus);
    for (u32 cpu = 0; cpu < g->nr_cpus; cpu++) {
        struct xen_sysctl_cpuinfo info = {.idletime = cpu_idle_time(cpu)};

        if (copy_to_guest(to + cpu * sizeof(info), &info, sizeof(info)))
            return -EFAULT;
    }
    return 0;
}

/* Free memory is not kept by address: a limit below the machine's end is answered with what lies below it at most. */
static long availheap(struct xen_sysctl_availheap *a)
{
    u64 limit = a->max_bitwidth && a->max_bitwidth < 52 ? 1ULL << a->max_bitwidth : ~0ULL;

    a->avail_bytes = a->node == -1 || a->node == 0 ? MIN((u64)free_frames() << PAGE_SHIFT, limit) : 0;
    return 0;
}

static long cputopoinfo(struct xen_sysctl_cputopoinfo *t)
{
    unsigned long to = (unsigned long)t->cputopo.p;
    u32 room = to ? t->num_cpus : 0;

    t->num_cpus = cpu_count;
    for (u32 cpu = 0; cpu < MIN(room, cpu_count); cpu++) {
        struct xen_sysctl_cputopo topo = {.core = cpu};

        if (copy_to_guest(to + cpu * sizeof(topo), &topo, sizeof(topo)))
            return -EFAULT;
    }
    return 0;
}

static long numainfo(struct xen_sysctl_numainfo *n)
{
    struct xen_sysctl_meminfo memory = {(u64)total_frames << PAGE_SHIFT, (u64)free_frames() << PAGE_SHIFT};
    unsigned long to = (unsigned long)n->meminfo.p, distance = (unsigned long)n->distance.p;
    u32 local = DISTANCE_LOCAL, room = n->num_nodes;

    n->num_nodes = 1;
    if (!room)
        return 0;
    if ((to && copy_to_guest(to, &memory, sizeof(memory))) ||
        (distance && copy_to_guest(distance, &local, sizeof(local))))
        return -EFAULT;
    return 0;
}

static long cpupool_op(struct xen_sysctl_cpupool_op *p)
{
    struct domain *d;

    switch (p->op) {
    case XEN_SYSCTL_CPUPOOL_OP_INFO:
        if (p->cpupool_id > CPUPOOL && p->cpupool_id != XEN_SYSCTL_CPUPOOL_PAR_ANY)
            return -ENOENT;
        p->cpupool_id = CPUPOOL;
        p->sched_id = XEN_SCHEDULER_CREDIT2;
        p->n_dom = 0;
        spin_lock(&domain_list_lock);
        for (d = domain_first(); d; d = d->next)
            p->n_dom++;
        spin_unlock(&domain_list_lock);
        return write_ctl_bitmap(&p->cpumap, online_cpu_mask());
    case XEN_SYSCTL_CPUPOOL_OP_FREEINFO:
        return write_ctl_bitmap(&p->cpumap, 0);
    case XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN:
        d = domain_get((u16)p->domid);
        if (!d)
            return -ESRCH;
        domain_put(d);
        if (!p->domid)
            return -EPERM;
        return p->cpupool_id == CPUPOOL ? 0 : -ENOENT;
    case XEN_SYSCTL_CPUPOOL_OP_CREATE:
        return p->cpupool_id == CPUPOOL ? -EEXIST : -ENOSPC;
    case XEN_SYSCTL_CPUPOOL_OP_DESTROY:
        return p->cpupool_id == CPUPOOL ? -EBUSY : -ENOENT;
    case XEN_SYSCTL_CPUPOOL_OP_ADDCPU:
    case XEN_SYSCTL_CPUPOOL_OP_RMCPU:
        return -EINVAL;
    default:
        return -ENOSYS;
    }
}

static long scheduler_op(struct xen_sysctl_scheduler_op *s)
{
    u32 *limit = &s->u.sched_credit2.ratelimit_us;

    if (s->cpupool_id != CPUPOOL)
        return -ESRCH;
    if (s->sched_id != XEN_SCHEDULER_CREDIT2)
        return -EINVAL;
    switch (s->cmd) {
    case XEN_SYSCTL_SCHEDOP_putinfo:
        if (*limit && (*limit > XEN_SYSCTL_SCHED_RATELIMIT_MAX || *limit < XEN_SYSCTL_SCHED_RATELIMIT_MIN))
            return -EINVAL;
        WRITE_ONCE(sched_rate_limit, *limit * 1000ULL);
        return 0;
    case XEN_SYSCTL_SCHEDOP_getinfo:
        *limit = (u32)(sched_rate_limit / 1000);
        return 0;
    default:
        return -EINVAL;
    }
}

static long run(struct xen_sysctl *op)
{
    switch (op->cmd) {
    case XEN_SYSCTL_readconsole:
        return readconsole(&op->u.readconsole);
    case XEN_SYSCTL_tbuf_op:
        return trace_control(&op->u.tbuf_op);
    case XEN_SYSCTL_physinfo:
        return physinfo(&op->u.physinfo);
    case XEN_SYSCTL_sched_id:
        op->u.sched_id.sched_id = XEN_SCHEDULER_CREDIT2;
        return 0;
    case XEN_SYSCTL_getdomaininfolist:
        return getdomaininfolist(&op->u.getdomaininfolist);
    case XEN_SYSCTL_debug_keys:
        return debug_keys(&op->u.debug_keys);
    case XEN_SYSCTL_getcpuinfo:
        return getcpuinfo(&op->u.getcpuinfo);
    case XEN_SYSCTL_availheap:
        return availheap(&op->u.availheap);
    case XEN_SYSCTL_cputopoinfo:
        return cputopoinfo(&op->u.cputopoinfo);
    case XEN_SYSCTL_numainfo:
        return numainfo(&op->u.numainfo);
    case XEN_SYSCTL_cpupool_op:
        return cpupool_op(&op->u.cpupool_op);
    case XEN_SYSCTL_scheduler_op:
        return scheduler_op(&op->u.scheduler_op);
    case XEN_SYSCTL_get_cpu_levelling_caps:
        op->u.cpu_levelling_caps.caps = 0;
        return 0;
    case XEN_SYSCTL_get_cpu_featureset:
        return sysctl_cpu_featureset(&op->u.cpu_featureset);
    case XEN_SYSCTL_get_cpu_policy:
        return sysctl_cpu_policy(&op->u.cpu_policy);
    default:
        return -ENOSYS;
    }
}

long do_sysctl(unsigned long arg)
{
    struct xen_sysctl op;
    long rc;

    if (copy_from_guest(&op, arg, sizeof(op)))
        return -EFAULT;
    if (op.interface_version != XEN_SYSCTL_INTERFACE_VERSION)
        return -EACCES;
    if (!current->domain->privileged)
        return -EPERM;
    rc = run(&op);
    if ((rc == 0 || rc == -ENOBUFS) && copy_to_guest(arg, &op, sizeof(op)))
        return -EFAULT;
    return rc;
}
