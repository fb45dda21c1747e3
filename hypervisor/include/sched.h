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
struct sched_class;

/* Why a vCPU is not runnable: bits of vcpu_sched.blocked_by. */
#define PAUSE_BLOCKED 1U  /* SCHEDOP_block */
#define PAUSE_DOWN    2U  /* not up */
#define PAUSE_CONTROL 4U  /* vcpu_sched.pause_count > 0 */
#define PAUSE_POLL    8U  /* SCHEDOP_poll */
#define PAUSE_PARKED  32U /* its domain has used up its cap for this period */

struct vcpu_sched {
    u32 blocked_by;
    u32 pause_count; /* pauses of this vCPU, of its domain, and for the domain's shutdown */
    bool on_cpu;     /* a CPU holds its registers, or is about to load them */
    bool queued, yielding;
    bool woken; /* waits since it woke up, not since it was preempted */
    bool paused_for_shutdown;
    u32 hard_affinity, soft_affinity; /* CPU masks as set; the effective ones are in class */
    u32 saved_hard_affinity;          /* while SCHEDOP_pin_override is on; 0: it is not */
    u64 vruntime;                     /* weighted ns; what it runs ahead of the floor has been used of its credit */
    struct heap_node node;            /* in class's heap while queued */
    struct sched_class *class;
    ns_t slice_start; /* when it was last put on a CPU */
    ns_t charged_until;
    struct vcpu_runstate_info runstate;
    unsigned long runstate_area; /* guest vaddr, 0 if none */
    u32 poll_port;               /* the one polled port, 0 if several */
    struct timer poll_timer;
};

struct domain_sched {
    u32 weight, cap; /* 256 by default; cap in percent of one CPU, 0 = none */
    s64 budget;      /* of a capped domain: ns left in this period */
    struct timer refill;
};

void sched_init(void); /* on the boot CPU, once */
void sched_init_cpu(unsigned cpu);
void sched_init_domain(struct domain *d);
void sched_destroy_domain(struct domain *d);
void sched_init_vcpu(struct vcpu *v);
void sched_destroy_vcpu(struct vcpu *v);
/* Runs on the way out to a guest or in the idle loop, never deeper: may not return to its caller. */
void schedule(void);
/* context_switch has saved all of prev's registers: another CPU may take it from now on. */
void sched_context_saved(struct vcpu *prev);
void vcpu_block(struct vcpu *v); /* current only: marks it; takes effect on the way out */
void vcpu_wake(struct vcpu *v);  /* drops PAUSE_BLOCKED and PAUSE_POLL */
void vcpu_kick(struct vcpu *v);  /* makes it notice pending events soon, wherever it runs */
void vcpu_yield(struct vcpu *v); /* current only */
void vcpu_set_blocked(struct vcpu *v, u32 bit);
void vcpu_clear_blocked(struct vcpu *v, u32 bit);
/* Nestable. _sync waits until no vCPU of d is on a CPU, save the caller itself. */
void domain_pause(struct domain *d);
void domain_pause_sync(struct domain *d);
void domain_unpause(struct domain *d);
void vcpu_pause(struct vcpu *v);
void vcpu_pause_sync(struct vcpu *v);
void vcpu_unpause(struct vcpu *v);
/* Masks as set, cut to the CPUs there are; NULL leaves one as it is. -EINVAL when none is left to run on. */
int vcpu_set_affinity(struct vcpu *v, const u32 *hard, const u32 *soft);
int vcpu_pin_override(struct vcpu *v, int cpu); /* -1 ends it */
void domain_set_weight(struct domain *d, u32 weight);
void domain_set_cap(struct domain *d, u32 cap);
void update_runstate_area(struct vcpu *v);
void runstate_get(struct vcpu *v, struct vcpu_runstate_info *out);
u64 vcpu_run_time(struct vcpu *v);
u64 cpu_idle_time(unsigned cpu);
void sched_dump(void);
/* Implemented by cpu/switch.c: swaps register, FPU, address-space state, then continues next. Does not return. */
void context_switch(struct vcpu *prev, struct vcpu *next) NORETURN;
void smp_serve_requests(void); /* cpu/smp.c */

/* One turn of a loop that waits for another CPU. */
static inline void sched_relax(void)
{
    smp_serve_requests();
    __asm__ volatile("pause" ::: "memory");
}

#endif
