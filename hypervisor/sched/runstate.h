/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The account of a vCPU's time by state. Under the scheduler's lock.
 */
#ifndef HYPERVISOR_SCHED_RUNSTATE_H
#define HYPERVISOR_SCHED_RUNSTATE_H

#include "domain.h"

static inline void runstate_change(struct vcpu *v, int state, ns_t now)
{
    struct vcpu_runstate_info *r = &v->sched.runstate;

    if (now > r->state_entry_time) {
        r->time[r->state] += now - r->state_entry_time;
        r->state_entry_time = now;
    }
    r->state = state;
}

/* Of a vCPU that is on no CPU. */
static inline int runstate_waiting(const struct vcpu *v)
{
    if (v->sched.blocked_by & (PAUSE_BLOCKED | PAUSE_POLL))
        return RUNSTATE_blocked;
    return v->sched.blocked_by & (PAUSE_DOWN | PAUSE_CONTROL) ? RUNSTATE_offline : RUNSTATE_runnable;
}

/* Areas that a kernel registers by virtual address are in its own tables: while a 64-bit guest is in user mode they are
 * borrowed. v is current. */
static inline bool borrow_kernel_table(struct vcpu *v)
{
    if (v->is_32bit || v->kernel_mode)
        return false;
    v->kernel_mode = true;
    vcpu_update_cr3(v);
    mm_load_cr3(v);
    return true;
}

static inline void return_kernel_table(struct vcpu *v, bool borrowed)
{
    if (!borrowed)
        return;
    v->kernel_mode = false;
    vcpu_update_cr3(v);
    mm_load_cr3(v);
}

#endif
