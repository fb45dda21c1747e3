/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Who runs next: pure bookkeeping over vCPUs and a clock that the caller supplies. One lock, the caller's, covers it.
 *
 * Fair share by credit, as the credit2 scheduler means it. Every vCPU may run CREDIT_PERIOD ns (times its weight over
 * 256) until all that wait have done so; then everybody gets a new helping, and unused credit beyond one helping is
 * lost. Both rules are one number: vruntime grows with weighted run time, `floor` grows by CREDIT_PERIOD when the best
 * candidate has none left, credit = floor + CREDIT_PERIOD - vruntime, and a vruntime below the floor is lifted to it
 * when its owner gets a CPU or wakes up. Those who wait keep theirs, so a heap by vruntime is enough.
 *
 * vCPUs with the same affinity wait in one heap. A CPU looks at the top of each heap that it may serve: there are as
 * many as there are different affinities in use by runnable vCPUs, most often one.
 */
#ifndef HYPERVISOR_SCHED_POLICY_H
#define HYPERVISOR_SCHED_POLICY_H

#include "sched.h"

#define CREDIT_PERIOD   10000000ULL /* 10 ms, ns of run time at weight 256 */
#define WEIGHT_DEFAULT  256
#define SLICE_MAX       10000000ULL
#define SLICE_TURN      3000000ULL /* the least that equals run in turn */
#define SLICE_MIN       500000ULL
#define CAP_PERIOD      10000000ULL
#define SOFT_RESISTANCE 2000000ULL /* how much more credit pulls a vCPU off its soft affinity */
#define WAKE_FAVOUR     3000000ULL
#define MOVE_RESISTANCE 500000ULL /* ... and off the CPU it ran on last */

extern ns_t sched_rate_limit; /* a vCPU runs that long before another takes its CPU by preemption; 1 ms at first */

struct sched_class {
    u32 hard, soft; /* soft lies in hard; equal to it when there is no preference */
    u32 users;
    struct heap heap;
    struct list active; /* in policy's list while the heap is not empty */
};

struct policy_cpu {
    struct vcpu *running; /* NULL: idle */
    bool called;          /* asked to reschedule, and has not yet */
    bool slice_armed;     /* it will look at the queue by itself in a slice's time */
};

struct policy_choice {
    struct vcpu *next; /* NULL: idle */
    ns_t slice;        /* 0: until something happens */
};

void policy_init(unsigned cpus);
void policy_add_cpu(unsigned cpu);
u32 policy_online(void);
void policy_init_vcpu(struct vcpu *v);
void policy_destroy_vcpu(struct vcpu *v);
int policy_set_affinity(struct vcpu *v, u32 hard, u32 soft);
/* v waits for a CPU from now on; fresh: it did not want one before. The CPU that should look at once, or -1. */
int policy_enqueue(struct vcpu *v, ns_t now, bool fresh);
void policy_dequeue(struct vcpu *v);
/* Charges what a running vCPU ran since it was last charged. */
void policy_charge(struct vcpu *v, ns_t now);
/* A new period: true when that leaves a full budget, so that no further period need be timed. */
bool policy_refill(struct domain *d);
/* Whom cpu runs next; prev (not NULL, unless idle) may go on when prev_runnable. The choice is recorded as running. */
struct policy_choice policy_pick(unsigned cpu, struct vcpu *prev, bool prev_runnable, ns_t now);
struct policy_cpu *policy_cpu(unsigned cpu);

#endif
