/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The scheduler: who runs where, pausing, blocking, waking.
 */
#ifndef HYPERVISOR_SCHED_H
#define HYPERVISOR_SCHED_H

#include "lib.h"
#include "time.h"
#include "abi/vcpu.h"

struct vcpu;
struct domain;

/* Why a vCPU is not runnable: bits of vcpu_sched.blocked_by. */
#define PAUSE_BLOCKED    1U  /* SCHEDOP_block */
#define PAUSE_DOWN       2U  /* not up */
#define PAUSE_CONTROL    4U  /* its domain is paused by pause_count > 0 or shut down */
#define PAUSE_POLL       8U  /* SCHEDOP_poll */
#define PAUSE_MIGRATING  16U

struct vcpu_sched {
    u32 blocked_by;
    u32 pause_count;
    bool on_cpu, queued, yielding;
    s64 credit;
    u64 vruntime;
    u32 hard_affinity, soft_affinity; /* CPU masks */
    ns_t slice_start, run_total;
    struct list link;
    struct vcpu_runstate_info runstate;
    unsigned long runstate_area; /* guest vaddr, 0 if none */
    u32 poll_port;               /* the one polled port, 0 if several */
    struct timer poll_timer;
};

struct domain_sched {
    u32 weight, cap; /* 256 by default; cap in percent of one CPU, 0 = none */
    ns_t cap_used, cap_period_start;
    bool parked;
};

void sched_init(void);          /* on the boot CPU, once */
void sched_init_cpu(unsigned cpu);
void sched_init_vcpu(struct vcpu *v);
void sched_destroy_vcpu(struct vcpu *v);
/* Runs on the way out to a guest or in the idle loop, never deeper: may not return to its caller. */
void schedule(void);
void vcpu_block(struct vcpu *v); /* current only: marks it; takes effect on the way out */
void vcpu_wake(struct vcpu *v);  /* drops PAUSE_BLOCKED and PAUSE_POLL */
void vcpu_kick(struct vcpu *v);  /* makes it notice pending events soon, wherever it runs */
void vcpu_set_blocked(struct vcpu *v, u32 bit);
void vcpu_clear_blocked(struct vcpu *v, u32 bit);
/* Nestable. _sync waits until no vCPU of d is on a CPU. */
void domain_pause(struct domain *d);
void domain_pause_sync(struct domain *d);
void domain_unpause(struct domain *d);
void vcpu_pause_sync(struct vcpu *v);
void vcpu_unpause(struct vcpu *v);
int vcpu_set_affinity(struct vcpu *v, const u32 *hard, const u32 *soft);
void update_runstate_area(struct vcpu *v);
/* Implemented by cpu/switch.c: swaps register, FPU, address-space state, then continues next. Does not return. */
void context_switch(struct vcpu *prev, struct vcpu *next) NORETURN;
void continue_running(struct vcpu *same) NORETURN;
void runstate_get(struct vcpu *v, struct vcpu_runstate_info *out);

#endif
