/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * domctl on a domain's shadow page tables and its log of written frames. Switching pauses the domain and asks nothing of
 * it. What asks for the state that already is gets -EINVAL, as from Xen; switching off always succeeds.
 */
#include "control/control.h"

#define PAGES_PER_MB 256

static long switch_on(struct domain *d, bool log)
{
    bool had_shadow = shadow_pages(d) != 0;
    int rc;

    if (log ? log_dirty_is_on(d) : had_shadow)
        return -EINVAL;
    domain_pause_sync(d);
    rc = log ? log_dirty_on(d) : shadow_on(d);
    if (rc && !had_shadow)
        shadow_off(d);
    domain_unpause(d);
    return rc;
}

/* From its first preemption to its end: so that what was done stays done. */
static void pause_for_report(struct domain *d, bool pause)
{
    if (pause && !d->report_pauses)
        domain_pause_sync(d);
    else if (!pause && d->report_pauses)
        domain_unpause(d);
    d->report_pauses = pause;
}

static long report(struct domain *d, struct domctl *c)
{
    struct xen_domctl_shadow_op *op = &c->op.u.shadow_op;
    struct log_report r = {
        .clean = op->op == XEN_DOMCTL_SHADOW_OP_CLEAN,
        .bitmap = (unsigned long)op->dirty_bitmap.p,
        .pages = op->pages,
    };
    int rc = op->mode & ~XEN_DOMCTL_SHADOW_LOGDIRTY_FINAL ? -EINVAL : log_dirty_report(d, &r);

    pause_for_report(d, rc == -ERESTART);
    op->pages = r.pages;
    op->stats.fault_count = r.faults;
    op->stats.dirty_count = r.dirty;
    c->copy_back = !rc;
    return rc;
}

static long set_allocation(struct domain *d, u32 mb)
{
    u32 before = d->mm.shadow_limit;
    int rc = 0;

    if (mb > ~0U / PAGES_PER_MB || (!mb && shadow_pages(d)))
        return -EINVAL;
    d->mm.shadow_limit = mb * PAGES_PER_MB;
    if (!shadow_pages(d))
        return 0;
    domain_pause_sync(d);
    rc = shadow_on(d);
    domain_unpause(d);
    if (rc)
        d->mm.shadow_limit = before;
    return rc;
}

long domctl_shadow_op(struct domain *d, struct domctl *c)
{
    struct xen_domctl_shadow_op *op = &c->op.u.shadow_op;

    if (d == current->domain || d == domain_zero)
        return -EINVAL;
    if (d->dying)
        return 0;
    if (!d->vcpus[0])
        return -EINVAL;
    switch (op->op) {
    case XEN_DOMCTL_SHADOW_OP_OFF:
        domain_pause_sync(d);
        shadow_off(d);
        domain_unpause(d);
        pause_for_report(d, false);
        return 0;
    case XEN_DOMCTL_SHADOW_OP_ENABLE:
        if (op->mode & ~XEN_DOMCTL_SHADOW_ENABLE_LOG_DIRTY)
            return -EINVAL;
        return switch_on(d, op->mode != 0);
    case XEN_DOMCTL_SHADOW_OP_ENABLE_TEST:
        return switch_on(d, false);
    case XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY:
        return switch_on(d, true);
    case XEN_DOMCTL_SHADOW_OP_CLEAN:
    case XEN_DOMCTL_SHADOW_OP_PEEK:
        return report(d, c);
    case XEN_DOMCTL_SHADOW_OP_GET_ALLOCATION:
        op->mb = ((shadow_pages(d) ? shadow_pages(d) : d->mm.shadow_limit) + PAGES_PER_MB - 1) / PAGES_PER_MB;
        c->copy_back = true;
        return 0;
    case XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION:
        return set_allocation(d, op->mb);
    default:
        return -EINVAL;
    }
}
