/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The life of a domain: creation, finding it by domid, its end.
 *
 * A domain is found by domid from the moment it is complete until its last reference is gone. Its creation holds one;
 * every frame it owns and every page of ours shared with it hold one together (mm/owner.c). domain_kill gives back all
 * that it has and drops the first; while another domain still maps one of its pages it stays listed as dying.
 */
#include "domain.h"
#include "boot/cmdline.h"
#include "cpu/cpu.h"
#include "domain/lifecycle.h"

#define VCPU_TRAPS 256

struct domain *domain_zero;
struct vcpu *idle_vcpus[MAX_CPUS];
spinlock_t domain_list_lock;

/* Under domain_list_lock: the list by ascending domid; the table by domid is in reference.c. */
static struct domain *first, *last;
static unsigned next_domid = 1;

static struct domain idle_domain; /* filled in with the first idle vCPU: zeroes take no room in the image */
struct vcpu_info dummy_vcpu_info;

struct domain *domain_first(void)
{
    return first;
}

static struct domain *referenced(struct domain *d)
{
    if (d)
        __atomic_fetch_add(&d->refs, 1, __ATOMIC_RELAXED);
    return d;
}

struct domain *domain_get_from(unsigned domid)
{
    struct domain *d;

    spin_lock(&domain_list_lock);
    d = domain_lookup(domid);
    if (!d && last && last->id >= domid)
        for (d = first; d->id < domid; d = d->next)
            ;
    referenced(d);
    spin_unlock(&domain_list_lock);
    return d;
}

struct domain *domain_get_next(struct domain *d)
{
    struct domain *next;

    spin_lock(&domain_list_lock);
    next = referenced(d->next);
    spin_unlock(&domain_list_lock);
    return next;
}

struct domain *domain_get_remote(unsigned domid, int *error)
{
    struct domain *own = current->domain, *d;

    if (domid == DOMID_SELF || domid == own->id)
        return referenced(own);
    d = domain_get(domid);
    if (d && own->privileged)
        return d;
    *error = d ? -EPERM : -ESRCH;
    if (d)
        domain_put(d);
    return NULL;
}

static struct domain *predecessor(unsigned domid)
{
    struct domain *d = first;

    if (last && last->id < domid)
        return last;
    if (!first || first->id > domid)
        return NULL;
    while (d->next && d->next->id < domid)
        d = d->next;
    return d;
}

static void link_domain(struct domain *d)
{
    struct domain *before = predecessor(d->id);

    d->next = before ? before->next : first;
    if (before)
        before->next = d;
    else
        first = d;
    if (!d->next)
        last = d;
    domain_table[d->id / DOMAIN_TABLE_SPAN][d->id % DOMAIN_TABLE_SPAN] = d;
}

static void unlink_domain(struct domain *d)
{
    struct domain *before = predecessor(d->id);

    if (before)
        before->next = d->next;
    else
        first = d->next;
    if (last == d)
        last = before;
    domain_table[d->id / DOMAIN_TABLE_SPAN][d->id % DOMAIN_TABLE_SPAN] = NULL;
}

/* Under the lock: the page of the table that holds domid exists after this. */
static bool table_page(unsigned domid)
{
    struct domain ***page = &domain_table[domid / DOMAIN_TABLE_SPAN];

    if (!*page)
        *page = hv_alloc(DOMAIN_TABLE_SPAN * sizeof(struct domain *));
    return *page != NULL;
}

/* Domids are handed out in ascending order and reused only after all others were. */
static int pick_domid(unsigned *domid)
{
    for (unsigned tried = 0; tried < DOMID_LAST_USABLE; tried++) {
        unsigned candidate = next_domid;

        next_domid = next_domid == DOMID_LAST_USABLE ? 1 : next_domid + 1;
        if (!domain_lookup(candidate)) {
            *domid = candidate;
            return 0;
        }
    }
    return -ENOMEM;
}

static int publish(struct domain *d, unsigned domid)
{
    int rc = 0;

    spin_lock(&domain_list_lock);
    if (domid == DOMID_ANY)
        rc = pick_domid(&domid);
    else if (domain_lookup(domid))
        rc = -EEXIST;
    if (!rc && !table_page(domid))
        rc = -ENOMEM;
    if (!rc) {
        d->id = (u16)domid;
        share_page_with_guest(d->shared_info, d, true);
        link_domain(d);
    }
    spin_unlock(&domain_list_lock);
    return rc;
}

static void release_memory(struct domain *d)
{
    for (u32 i = 0; i < d->max_vcpus; i++)
        if (d->vcpus[i])
            vcpu_free(d->vcpus[i]);
    hv_free(d->vcpus);
    hv_free(d);
}

/* What has to be given back at the latest moment, when nobody can find the domain any more. */
static void destroy(struct domain *d)
{
    guest_timers_kill_domain(d);
    sched_destroy_domain(d);
    grant_free(d);
    evtchn_free(d);
    release_memory(d);
    send_global_virq(VIRQ_DOM_EXC);
}

void domain_put_last(struct domain *d)
{
    bool gone;

    spin_lock(&domain_list_lock);
    gone = __atomic_sub_fetch(&d->refs, 1, __ATOMIC_ACQ_REL) == 0;
    if (gone)
        unlink_domain(d);
    spin_unlock(&domain_list_lock);
    if (gone)
        destroy(d);
}

static struct domain *domain_alloc(unsigned max_vcpus)
{
    struct domain *d = hv_alloc(sizeof(*d));

    if (!d)
        return NULL;
    d->vcpus = hv_alloc(max_vcpus * sizeof(*d->vcpus));
    if (!d->vcpus) {
        hv_free(d);
        return NULL;
    }
    d->max_vcpus = max_vcpus;
    d->refs = 1;
    d->shutdown_code = SHUTDOWN_NONE;
    d->pause_count = d->controller_pauses = 1;
    return d;
}

struct domain *domain_create(unsigned domid, unsigned flags, unsigned max_vcpus, unsigned max_grant_frames,
                             unsigned max_maptrack_frames, unsigned max_evtchn_port, int *error)
{
    struct domain *d = max_vcpus && max_vcpus <= MAX_VCPUS ? domain_alloc(max_vcpus) : NULL;

    *error = max_vcpus && max_vcpus <= MAX_VCPUS ? -ENOMEM : -EINVAL;
    if (!d)
        return NULL;
    d->shared_info = hv_alloc_pages(0);
    if (!d->shared_info)
        goto no_shared_info;
    sched_init_domain(d);
    guest_timers_init_domain(d);
    *error = evtchn_init(d, max_evtchn_port);
    if (*error)
        goto no_evtchn;
    *error = grant_init(d, max_grant_frames, max_maptrack_frames);
    if (*error)
        goto no_grant;
    *error = publish(d, domid);
    if (*error)
        goto no_domid;
    update_domain_wallclock(d);
    return d;

no_domid:
    grant_free(d);
no_grant:
    evtchn_free(d);
no_evtchn:
    hv_free_pages(d->shared_info, 0);
no_shared_info:
    release_memory(d);
    return NULL;
}

static void point_at_shared_info(struct vcpu *v)
{
    v->info = &v->domain->shared_info->vcpu_info[v->id];
}

struct vcpu *vcpu_create(struct domain *d, unsigned id)
{
    struct vcpu *v = id < d->max_vcpus && !d->vcpus[id] ? hv_alloc(sizeof(*v)) : NULL;

    if (!v)
        return NULL;
    v->domain = d;
    v->id = id;
    v->is_32bit = d->is_32bit;
    v->kernel_mode = true;
    v->info_mfn = mfn_of(INVALID_FRAME);
    point_at_shared_info(v);
    vcpu_upcall_mask(v) = 1;
    v->traps = hv_alloc(VCPU_TRAPS * sizeof(*v->traps));
    if (!v->traps || fpu_vcpu_init(v) || vcpu_mm_init(v)) {
        fpu_vcpu_destroy(v);
        hv_free(v->traps);
        hv_free(v);
        return NULL;
    }
    guest_timers_init_vcpu(v);
    sched_init_vcpu(v);
    WRITE_ONCE(d->vcpus[id], v);
    return v;
}

/* The vCPU has stopped for good; mm and event channels have let go of it. */
void vcpu_free(struct vcpu *v)
{
    guest_timers_kill_vcpu(v);
    sched_destroy_vcpu(v);
    evtchn_vcpu_destroy(v);
    vcpu_mm_destroy(v);
    fpu_vcpu_destroy(v);
    hv_free(v->traps);
    hv_free(v);
}

struct vcpu *idle_vcpu_create(unsigned cpu)
{
    struct vcpu *v = hv_alloc(sizeof(*v));

    if (!v)
        return NULL;
    idle_domain.id = DOMID_IDLE;
    idle_domain.refs = 1;
    v->domain = &idle_domain;
    v->id = v->processor = cpu;
    v->idle = v->kernel_mode = true;
    v->info_mfn = v->mm.kernel_table = v->mm.user_table = v->mm.old_table = mfn_of(INVALID_FRAME);
    sched_init_vcpu(v);
    idle_vcpus[cpu] = v;
    return v;
}

static int change_width(struct domain *d, bool is_32bit)
{
    d->is_32bit = is_32bit;
    for (u32 i = 0; i < d->max_vcpus; i++) {
        struct vcpu *v = d->vcpus[i];

        if (!v)
            continue;
        vcpu_mm_destroy(v);
        v->is_32bit = is_32bit;
        if (vcpu_mm_init(v))
            return -ENOMEM;
    }
    evtchn_shared_info_changed(d);
    update_domain_wallclock(d);
    return 0;
}

int domain_set_32bit(struct domain *d)
{
    if (d->is_32bit)
        return 0;
    if (d->mm.tot_pages || d->dying) /* dead it has no shared page, either */
        return -EACCES;
    memset(d->shared_info, 0, PAGE_SIZE);
    for (u32 i = 0; i < d->max_vcpus; i++)
        if (d->vcpus[i])
            vcpu_upcall_mask(d->vcpus[i]) = 1;
    if (!change_width(d, true))
        return 0;
    if (change_width(d, false))
        domain_crash(d, "no memory is left for its vCPUs' address spaces");
    return -ENOMEM;
}

/* A vCPU's hold on guest memory. Repeatable. */
static void vcpu_relinquish(struct vcpu *v)
{
    vcpu_unmap_info(v);
    v->sched.runstate_area = v->time.secondary_area = 0;
    destroy_gdt(v);
    invalidate_ldt(v);
    vcpu_drop_bases(v);
}

static int relinquish(struct domain *d)
{
    int rc = evtchn_destroy(d);

    if (!rc)
        rc = grant_release_mappings(d);
    if (rc)
        return rc;
    for (u32 i = 0; i < d->max_vcpus; i++)
        if (d->vcpus[i])
            vcpu_relinquish(d->vcpus[i]);
    return domain_relinquish_memory(d);
}

/* Timers first: from then on nothing writes to shared_info on the domain's behalf. */
static void drop_shared_info(struct domain *d)
{
    struct shared_info *page = d->shared_info;

    for (u32 i = 0; i < d->max_vcpus; i++)
        if (d->vcpus[i])
            d->vcpus[i]->info = &dummy_vcpu_info;
    time_forget_domain(d);
    unshare_page(page);
}

/* Callers are serialised by the control interface's lock. */
int domain_kill(struct domain *d)
{
    int rc;

    if (d->dying == DOMAIN_DEAD)
        return 0;
    if (d->dying == DOMAIN_ALIVE) {
        domain_pause_sync(d);
        d->dying = DOMAIN_DYING;
        shadow_off(d);
        guest_timers_kill_domain(d);
        for (u32 i = 0; i < d->max_vcpus; i++)
            if (d->vcpus[i])
                guest_timers_kill_vcpu(d->vcpus[i]);
    }
    rc = relinquish(d);
    if (rc)
        return rc;
    d->dying = DOMAIN_DEAD;
    grant_warn_leaks(d);
    drop_shared_info(d);
    domain_put(d);
    if (options.audit_frames)
        frames_audit(false);
    send_global_virq(VIRQ_DOM_EXC);
    return 0;
}

int domain_controller_pause(struct domain *d)
{
    if (d->controller_pauses == 255)
        return -EOVERFLOW;
    d->controller_pauses++;
    domain_pause_sync(d);
    return 0;
}

int domain_controller_unpause(struct domain *d)
{
    if (!d->controller_pauses)
        return -EINVAL;
    d->controller_pauses--;
    d->started = true;
    domain_unpause(d);
    return 0;
}
