/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The scheduler's mechanism: when to look at the queue (policy.c says whom to take), blocking, waking, pausing, and the
 * account of run states.
 *
 * One lock orders all of it; nothing else is taken inside but a timer heap's. A vCPU is in the queue only while it is
 * runnable and no CPU holds its registers: on_cpu is set when it is picked and cleared once context_switch has saved it.
 */
#include "sched/policy.h"
#include "sched/runstate.h"
#include "domain.h"
#include "evtchn.h"
#include "trace.h"

static spinlock_t lock;
static struct timer slices[MAX_CPUS];
static ns_t idle_since[MAX_CPUS], idle_total[MAX_CPUS];

static void slice_over(void *unused)
{
    raise_softirq(this_cpu()->cpu, SOFTIRQ_SCHEDULE);
}

void sched_init(void)
{
    policy_init(0);
}

void sched_init_cpu(unsigned cpu)
{
    timer_init(&slices[cpu], slice_over, NULL);
    spin_lock(&lock);
    idle_since[cpu] = time_now();
    policy_add_cpu(cpu);
    spin_unlock(&lock);
}

static bool runnable(const struct vcpu *v)
{
    return !v->sched.blocked_by;
}

/* v may have become runnable: lets it wait for a CPU and calls one to look. */
static void consider(struct vcpu *v, ns_t now, bool fresh)
{
    int cpu;

    if (!runnable(v) || v->sched.on_cpu || v->sched.queued)
        return;
    cpu = trace_calls.enqueue(v, now, fresh);
    runstate_change(v, RUNSTATE_runnable, now);
    if (cpu >= 0)
        raise_softirq((unsigned)cpu, SOFTIRQ_SCHEDULE);
}

static void unpark(struct domain *d, ns_t now)
{
    for (u32 i = 0; i < d->max_vcpus; i++) {
        struct vcpu *v = d->vcpus[i];

        if (!v || !(v->sched.blocked_by & PAUSE_PARKED))
            continue;
        v->sched.blocked_by &= ~PAUSE_PARKED;
        consider(v, now, false);
    }
}

/* Charges what runs; whether any does. */
static bool charge_running(struct domain *d, ns_t now)
{
    bool running = false;

    for (u32 i = 0; i < d->max_vcpus; i++) {
        if (d->vcpus[i] && d->vcpus[i]->sched.runstate.state == RUNSTATE_running) {
            policy_charge(d->vcpus[i], now);
            running = true;
        }
    }
    return running;
}

/* A period pays for itself. The timer goes on while a capped domain runs or owes: one that parks without it stays
 * parked for ever. */
static void refill(void *data)
{
    struct domain *d = data;
    ns_t now = time_now();
    bool running, full;

    spin_lock(&lock);
    running = charge_running(d, now);
    full = !d->sched.cap || policy_refill(d);
    if (!d->sched.cap || d->sched.budget > 0)
        unpark(d, now);
    if (!full || (running && d->sched.cap))
        timer_set(&d->sched.refill, MAX(d->sched.refill.node.key + CAP_PERIOD, now + SLICE_MIN));
    spin_unlock(&lock);
}

void sched_init_domain(struct domain *d)
{
    d->sched.weight = WEIGHT_DEFAULT;
    timer_init(&d->sched.refill, refill, d);
}

void sched_destroy_domain(struct domain *d)
{
    timer_kill(&d->sched.refill);
}

static void poll_timed_out(void *data)
{
    vcpu_clear_blocked(data, PAUSE_POLL);
}

void sched_init_vcpu(struct vcpu *v)
{
    timer_init(&v->sched.poll_timer, poll_timed_out, v);
    spin_lock(&lock);
    if (v->idle) {
        v->sched.runstate.state = RUNSTATE_running;
    } else {
        v->sched.pause_count = v->domain->pause_count;
        v->sched.blocked_by = PAUSE_DOWN | (v->sched.pause_count ? PAUSE_CONTROL : 0);
        v->sched.runstate.state = RUNSTATE_offline;
        v->processor = v->id % MAX(cpu_count, 1U);
        policy_init_vcpu(v);
    }
    v->sched.runstate.state_entry_time = time_now();
    spin_unlock(&lock);
}

void sched_destroy_vcpu(struct vcpu *v)
{
    timer_kill(&v->sched.poll_timer);
    spin_lock(&lock);
    policy_destroy_vcpu(v);
    spin_unlock(&lock);
}

static void arm_slice(unsigned cpu, ns_t slice, ns_t now)
{
    if (slice)
        timer_set(&slices[cpu], now + slice);
    else if (slices[cpu].queued)
        timer_stop(&slices[cpu]);
}

static void account_idle(unsigned cpu, bool was_idle, bool is_idle, ns_t now)
{
    if (was_idle && !is_idle)
        idle_total[cpu] += now - idle_since[cpu];
    if (!was_idle && is_idle)
        idle_since[cpu] = now;
}

/* The lock is held. prev leaves for next (or for the idle vCPU). */
static void hand_over(struct vcpu *prev, struct vcpu *next, unsigned cpu, ns_t now)
{
    account_idle(cpu, prev->idle, next->idle, now);
    if (!prev->idle) {
        runstate_change(prev, runstate_waiting(prev), now);
        guest_periodic_leave(prev);
    }
    if (next->idle)
        return;
    next->sched.on_cpu = true;
    next->processor = cpu;
    runstate_change(next, RUNSTATE_running, now);
}

void schedule(void)
{
    struct vcpu *prev = current, *next;
    unsigned cpu = this_cpu()->cpu;
    ns_t now = time_now();
    struct policy_choice choice;

    spin_lock(&lock);
    if (!prev->idle)
        policy_charge(prev, now);
    choice = policy_pick(cpu, prev->idle ? NULL : prev, runnable(prev), now);
    next = choice.next ? choice.next : this_cpu()->idle;
    if (choice.next && next->domain->sched.cap && !next->domain->sched.refill.queued)
        timer_set(&next->domain->sched.refill, now + CAP_PERIOD);
    arm_slice(cpu, choice.slice, now);
    if (next != prev)
        hand_over(prev, next, cpu, now);
    spin_unlock(&lock);
    if (next == prev)
        return;
    if (!next->idle)
        guest_periodic_enter(next, now);
    trace_calls.context_switch(prev, next);
}

void sched_context_saved(struct vcpu *prev)
{
    if (prev->idle)
        return;
    spin_lock(&lock);
    __atomic_store_n(&prev->sched.on_cpu, false, __ATOMIC_RELEASE);
    if (runnable(prev))
        consider(prev, time_now(), false);
    spin_unlock(&lock);
}

static void reschedule_if_running(struct vcpu *v)
{
    if (v->sched.on_cpu)
        raise_softirq(v->processor, SOFTIRQ_SCHEDULE);
}

static void set_bits(struct vcpu *v, u32 bits, ns_t now)
{
    v->sched.blocked_by |= bits;
    policy_dequeue(v);
    if (!v->sched.on_cpu)
        runstate_change(v, runstate_waiting(v), now);
    reschedule_if_running(v);
}

static void clear_bits(struct vcpu *v, u32 bits, ns_t now)
{
    if (v->sched.blocked_by & bits & PAUSE_POLL)
        __atomic_fetch_and(&v->domain->evtchn.poll_mask, ~(1U << v->id), __ATOMIC_SEQ_CST);
    v->sched.woken |= (v->sched.blocked_by & bits & (PAUSE_BLOCKED | PAUSE_POLL)) != 0;
    v->sched.blocked_by &= ~bits;
    if (runnable(v))
        consider(v, now, true);
    else if (!v->sched.on_cpu)
        runstate_change(v, runstate_waiting(v), now);
}

void vcpu_set_blocked(struct vcpu *v, u32 bit)
{
    spin_lock(&lock);
    set_bits(v, bit, time_now());
    spin_unlock(&lock);
}

void vcpu_clear_blocked(struct vcpu *v, u32 bit)
{
    if (!(READ_ONCE(v->sched.blocked_by) & bit))
        return;
    spin_lock(&lock);
    if (v->sched.blocked_by & bit)
        clear_bits(v, bit, time_now());
    spin_unlock(&lock);
}

/* An event that arrives between the guest's last look and here must not be slept through: whoever sends one sets the
 * pending flag first and then clears PAUSE_BLOCKED, and here it is set first and the flag read then. */
void vcpu_block(struct vcpu *v)
{
    vcpu_upcall_mask(v) = 0;
    if (vcpu_events_deliverable(v))
        return;
    vcpu_set_blocked(v, PAUSE_BLOCKED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (vcpu_events_deliverable(v))
        vcpu_clear_blocked(v, PAUSE_BLOCKED);
}

void vcpu_wake(struct vcpu *v)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    vcpu_clear_blocked(v, PAUSE_BLOCKED | PAUSE_POLL);
}

/* Pending events are looked at on every way out to a guest: an interrupt is all that a vCPU on another CPU needs. */
void vcpu_kick(struct vcpu *v)
{
    vcpu_wake(v);
    if (READ_ONCE(v->sched.on_cpu) && v->processor != this_cpu()->cpu)
        raise_softirq(v->processor, SOFTIRQ_NMI_CALLBACK);
}

void vcpu_yield(struct vcpu *v)
{
    v->sched.yielding = true;
    raise_softirq(this_cpu()->cpu, SOFTIRQ_SCHEDULE);
}

void vcpu_pause(struct vcpu *v)
{
    spin_lock(&lock);
    if (!v->sched.pause_count++)
        set_bits(v, PAUSE_CONTROL, time_now());
    spin_unlock(&lock);
}

void vcpu_unpause(struct vcpu *v)
{
    spin_lock(&lock);
    if (v->sched.pause_count && !--v->sched.pause_count)
        clear_bits(v, PAUSE_CONTROL, time_now());
    spin_unlock(&lock);
}

static void wait_off_cpu(struct vcpu *v)
{
    while (v != current && __atomic_load_n(&v->sched.on_cpu, __ATOMIC_ACQUIRE))
        sched_relax();
}

void vcpu_pause_sync(struct vcpu *v)
{
    vcpu_pause(v);
    wait_off_cpu(v);
}

void domain_pause(struct domain *d)
{
    __atomic_fetch_add(&d->pause_count, 1, __ATOMIC_SEQ_CST);
    for (u32 i = 0; i < d->max_vcpus; i++)
        if (d->vcpus[i])
            vcpu_pause(d->vcpus[i]);
}

void domain_pause_sync(struct domain *d)
{
    domain_pause(d);
    for (u32 i = 0; i < d->max_vcpus; i++)
        if (d->vcpus[i])
            wait_off_cpu(d->vcpus[i]);
}

void domain_unpause(struct domain *d)
{
    for (u32 i = 0; i < d->max_vcpus; i++)
        if (d->vcpus[i])
            vcpu_unpause(d->vcpus[i]);
    __atomic_fetch_sub(&d->pause_count, 1, __ATOMIC_SEQ_CST);
}

static int change_affinity(struct vcpu *v, u32 hard, u32 soft)
{
    int queued = policy_set_affinity(v, hard, soft);

    if (queued < 0)
        return queued;
    if (queued)
        consider(v, time_now(), false);
    reschedule_if_running(v);
    return 0;
}

int vcpu_set_affinity(struct vcpu *v, const u32 *hard, const u32 *soft)
{
    u32 new_soft;
    int rc;

    spin_lock(&lock);
    new_soft = soft ? *soft : v->sched.soft_affinity;
    if (hard && v->sched.saved_hard_affinity)
        rc = -EBUSY;
    else if (soft && !(*soft & policy_online()))
        rc = -EINVAL;
    else
        rc = change_affinity(v, hard ? *hard : v->sched.hard_affinity, new_soft);
    spin_unlock(&lock);
    return rc;
}

int vcpu_pin_override(struct vcpu *v, int cpu)
{
    int rc = -EINVAL;

    spin_lock(&lock);
    if (cpu < 0 && v->sched.saved_hard_affinity) {
        rc = change_affinity(v, v->sched.saved_hard_affinity, v->sched.soft_affinity);
        v->sched.saved_hard_affinity = 0;
    } else if (cpu >= 0 && v->sched.saved_hard_affinity) {
        rc = -EBUSY;
    } else if (cpu >= 0 && cpu < MAX_CPUS) {
        u32 saved = v->sched.hard_affinity;

        rc = change_affinity(v, 1U << cpu, v->sched.soft_affinity);
        if (!rc)
            v->sched.saved_hard_affinity = saved;
    }
    spin_unlock(&lock);
    return rc;
}

void runstate_get(struct vcpu *v, struct vcpu_runstate_info *out)
{
    ns_t now;

    spin_lock(&lock); /* v may change its state on another CPU */
    *out = v->sched.runstate;
    now = time_now();
    spin_unlock(&lock);
    if (now > out->state_entry_time)
        out->time[out->state] += now - out->state_entry_time;
}

void domain_set_weight(struct domain *d, u32 weight)
{
    spin_lock(&lock);
    d->sched.weight = weight;
    spin_unlock(&lock);
}

void domain_set_cap(struct domain *d, u32 cap)
{
    ns_t now = time_now();

    spin_lock(&lock);
    (void)charge_running(d, now); /* what ran before does not count */
    d->sched.cap = cap;
    d->sched.budget = (s64)(CAP_PERIOD * cap / 100);
    unpark(d, now);
    if (cap && !d->sched.refill.queued)
        timer_set(&d->sched.refill, now + CAP_PERIOD);
    for (u32 i = 0; i < d->max_vcpus; i++)
        if (d->vcpus[i])
            reschedule_if_running(d->vcpus[i]);
    spin_unlock(&lock);
}

u64 cpu_idle_time(unsigned cpu)
{
    u64 total;

    spin_lock(&lock);
    total = idle_total[cpu];
    if (!policy_cpu(cpu)->running)
        total += time_now() - idle_since[cpu];
    spin_unlock(&lock);
    return total;
}

static void dump_vcpu(const struct vcpu *v)
{
    logf(LOG_INFO, "  d%uv%u cpu %u%s%s blocked_by %x pauses %u vruntime %lu hard %x soft %x ran %lu ns\n",
         v->domain->id, v->id, v->processor, v->sched.on_cpu ? " running" : "", v->sched.queued ? " waiting" : "",
         v->sched.blocked_by, v->sched.pause_count, v->sched.vruntime, v->sched.hard_affinity, v->sched.soft_affinity,
         v->sched.runstate.time[RUNSTATE_running]);
}

void sched_dump(void)
{
    spin_lock(&domain_list_lock);
    for (struct domain *d = domain_first(); d; d = d->next) {
        logf(LOG_INFO, "d%u weight %u cap %u\n", d->id, d->sched.weight, d->sched.cap);
        for (u32 i = 0; i < d->max_vcpus; i++)
            if (d->vcpus[i])
                dump_vcpu(d->vcpus[i]);
    }
    spin_unlock(&domain_list_lock);
}
