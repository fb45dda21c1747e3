/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The scheduling policy: see policy.h for the rules. Every entry point runs under the scheduler's lock.
 */
#include "sched/policy.h"
#include "domain.h"

#define HARD_CLASSES (1 << MAX_CPUS)
#define SOFT_CLASSES 64
#define FLOOR_START  (1ULL << 40) /* so that no difference of virtual times is ever negative */

static struct sched_class classes[HARD_CLASSES + SOFT_CLASSES];
static struct policy_cpu cpus[MAX_CPUS];
static struct list active;
static u32 online;
static u32 idle; /* CPUs that run nobody */
ns_t sched_rate_limit = 1000000;
static u64 floor_; /* no credit reaches further back than this vruntime */

void policy_init(unsigned count)
{
    list_init(&active);
    online = idle = 0;
    floor_ = FLOOR_START;
    memset(classes, 0, sizeof(classes));
    memset(cpus, 0, sizeof(cpus));
    for (unsigned i = 0; i < HARD_CLASSES; i++)
        classes[i].hard = classes[i].soft = i;
    for (unsigned cpu = 0; cpu < count; cpu++)
        policy_add_cpu(cpu);
}

void policy_add_cpu(unsigned cpu)
{
    online |= 1U << cpu;
    idle |= 1U << cpu;
}

u32 policy_online(void)
{
    return online;
}

struct policy_cpu *policy_cpu(unsigned cpu)
{
    return &cpus[cpu];
}

/* The class of these masks. When all classes with a soft preference are taken, the preference has to be forgotten. */
static struct sched_class *find_class(u32 hard, u32 soft)
{
    struct sched_class *free = NULL;

    hard &= HARD_CLASSES - 1;
    soft &= hard;
    if (!soft || soft == hard)
        return &classes[hard];
    for (unsigned i = HARD_CLASSES; i < ARRAY_SIZE(classes); i++) {
        if (!classes[i].users)
            free = &classes[i];
        else if (classes[i].hard == hard && classes[i].soft == soft)
            return &classes[i];
    }
    if (!free)
        return &classes[hard];
    free->hard = hard;
    free->soft = soft;
    return free;
}

static void set_class(struct vcpu *v, struct sched_class *class)
{
    if (v->sched.class)
        v->sched.class->users--;
    v->sched.class = class;
    if (class)
        class->users++;
}

void policy_init_vcpu(struct vcpu *v)
{
    v->sched.hard_affinity = v->sched.soft_affinity = ~0U;
    v->sched.vruntime = floor_;
    set_class(v, find_class(~0U, ~0U));
}

void policy_destroy_vcpu(struct vcpu *v)
{
    policy_dequeue(v);
    set_class(v, NULL);
}

/* What v ran when nobody else, or fewer than elsewhere, wanted its CPU is no debt. */
static void forgive(struct vcpu *v)
{
    v->sched.vruntime = MIN(v->sched.vruntime, floor_ + CREDIT_PERIOD);
}

int policy_set_affinity(struct vcpu *v, u32 hard, u32 soft)
{
    bool queued = v->sched.queued;

    if (!(hard & online))
        return -EINVAL;
    policy_dequeue(v);
    forgive(v);
    v->sched.hard_affinity = hard;
    v->sched.soft_affinity = soft;
    set_class(v, find_class(hard, soft));
    return queued;
}

/* The virtual time by which a waiting vCPU is compared with others. One that has just woken up is favoured over those
 * that compute: by a bounded amount, and it pays for what it runs as they do. */
static u64 claim_of(const struct vcpu *v)
{
    return v->sched.vruntime - (v->sched.woken ? WAKE_FAVOUR : 0);
}

static void lift_to_floor(struct vcpu *v)
{
    v->sched.vruntime = MAX(v->sched.vruntime, floor_);
}

static void enqueue_node(struct vcpu *v)
{
    struct sched_class *class = v->sched.class;

    v->sched.node.key = claim_of(v);
    if (!class->heap.top)
        list_add_tail(&class->active, &active);
    heap_insert(&class->heap, &v->sched.node);
    v->sched.queued = true;
}

void policy_dequeue(struct vcpu *v)
{
    struct sched_class *class = v->sched.class;

    if (!v->sched.queued)
        return;
    heap_remove(&class->heap, &v->sched.node);
    if (!class->heap.top)
        list_del(&class->active);
    v->sched.queued = false;
}

static struct vcpu *class_top(const struct sched_class *class)
{
    return container_of(class->heap.top, struct vcpu, sched.node);
}

void policy_charge(struct vcpu *v, ns_t now)
{
    struct domain *d = v->domain;
    ns_t ran = now > v->sched.charged_until ? now - v->sched.charged_until : 0;

    v->sched.charged_until = now;
    v->sched.vruntime += ran * WEIGHT_DEFAULT / d->sched.weight;
    if (d->sched.cap)
        d->sched.budget -= (s64)ran;
}

static bool over_budget(const struct vcpu *v)
{
    return v->domain->sched.cap && v->domain->sched.budget <= 0;
}

/* What was used beyond the budget is owed in the next period. */
bool policy_refill(struct domain *d)
{
    s64 full = (s64)(CAP_PERIOD * d->sched.cap / 100);

    d->sched.budget = MIN(d->sched.budget + full, full);
    return d->sched.budget == full;
}

static u32 first_cpu(u32 mask)
{
    return (u32)__builtin_ctz(mask);
}

/* An idle CPU for v: where it was, else one it prefers, else any it may use. */
static int idle_cpu_for(const struct vcpu *v)
{
    const struct sched_class *class = v->sched.class;
    u32 free = idle & class->hard;

    for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
        if ((free & 1U << cpu) && cpus[cpu].called)
            free &= ~(1U << cpu);
    if (!free)
        return -1;
    if (free & class->soft)
        free &= class->soft;
    return free & 1U << v->processor ? (int)v->processor : (int)first_cpu(free);
}

/* What the vCPU on this CPU has run up to now, in its own weight. */
static u64 running_vruntime(const struct policy_cpu *cpu, ns_t now)
{
    const struct vcpu *v = cpu->running;
    ns_t ran = now > v->sched.charged_until ? now - v->sched.charged_until : 0;

    return v->sched.vruntime + ran * WEIGHT_DEFAULT / v->domain->sched.weight;
}

/* The least claim of those who wait, on whatever CPU, and this one. */
static u64 least_claim(u64 least)
{
    struct list *pos;

    list_for_each(pos, &active) least =
        MIN(least, class_top(list_entry(pos, struct sched_class, active))->sched.node.key);
    return least;
}

/* A new helping for all, as often as it takes for v to have some credit; but what those who wait have left of theirs is
 * not lost by it, whoever was preferred to them as one that woke up, or has a CPU for himself. */
static __attribute__((noinline)) void refill_credit(const struct vcpu *v, u64 vruntime)
{
    u64 least = least_claim(vruntime - (v->sched.woken ? WAKE_FAVOUR : 0));

    if (least >= floor_ + CREDIT_PERIOD)
        floor_ += (least - floor_) / CREDIT_PERIOD * CREDIT_PERIOD;
}

/* A vCPU that has its CPU for itself is not looked at for a long time: what it ran meanwhile counts before anybody
 * else's claim is measured. */
static void catch_up(ns_t now)
{
    for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
        if (cpus[cpu].running && !cpus[cpu].slice_armed)
            refill_credit(cpus[cpu].running, running_vruntime(&cpus[cpu], now));
}

/* All CPUs that v may use are busy: one whose vCPU has less credit than v, or one that would never look again. */
static int busy_cpu_for(const struct vcpu *v, ns_t now)
{
    const struct sched_class *class = v->sched.class;
    u64 worst = claim_of(v);
    int found = -1, unarmed = -1;

    for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++) {
        u64 vruntime;

        if (!(class->hard & online & 1U << cpu) || !cpus[cpu].running || cpus[cpu].called)
            continue;
        if (!cpus[cpu].slice_armed)
            unarmed = (int)cpu;
        vruntime = running_vruntime(&cpus[cpu], now);
        if (vruntime > worst + (class->soft & 1U << cpu ? 0 : SOFT_RESISTANCE)) {
            worst = vruntime;
            found = (int)cpu;
        }
    }
    return found >= 0 ? found : unarmed;
}

int policy_enqueue(struct vcpu *v, ns_t now, bool fresh)
{
    int cpu;

    if (v->sched.queued)
        return -1;
    if (fresh) {
        catch_up(now);
        lift_to_floor(v);
    }
    enqueue_node(v);
    cpu = idle_cpu_for(v);
    if (cpu < 0)
        cpu = busy_cpu_for(v, now);
    if (cpu >= 0)
        cpus[cpu].called = true;
    return cpu;
}

/* The price of taking v to this CPU. */
static u64 resistance(const struct vcpu *v, unsigned cpu)
{
    return (v->sched.class->soft & 1U << cpu ? 0 : SOFT_RESISTANCE) + (v->processor == cpu ? 0 : MOVE_RESISTANCE);
}

static struct vcpu *best_in_queue(unsigned cpu, u64 *key)
{
    struct vcpu *best = NULL;
    struct list *pos;

    list_for_each(pos, &active)
    {
        struct sched_class *class = list_entry(pos, struct sched_class, active);
        struct vcpu *v;
        u64 cost;

        if (!(class->hard & 1U << cpu))
            continue;
        v = class_top(class);
        cost = claim_of(v) + resistance(v, cpu);
        if (!best || cost < *key) {
            best = v;
            *key = cost;
        }
    }
    return best;
}

/* Those whose domain has used up its cap are parked when their turn comes. */
static struct vcpu *best_waiting(unsigned cpu, u64 *key)
{
    struct vcpu *v;

    while ((v = best_in_queue(cpu, key)) && over_budget(v)) {
        policy_dequeue(v);
        v->sched.blocked_by |= PAUSE_PARKED;
    }
    return v;
}

/* Until the next one in line has more credit, within bounds; of a capped domain, no longer than its budget lasts if all
 * of its vCPUs run. */
static ns_t slice_of(const struct vcpu *v, bool others, u64 other_key)
{
    u32 weight = v->domain->sched.weight;
    ns_t slice = others ? SLICE_MAX : 0;

    if (others && other_key > v->sched.vruntime) {
        u64 lead = (other_key - v->sched.vruntime) * weight / WEIGHT_DEFAULT;

        slice = MIN(MAX(lead, SLICE_TURN), SLICE_MAX);
    } else if (others) {
        slice = MAX(sched_rate_limit, SLICE_MIN);
    }
    if (v->domain->sched.cap) {
        ns_t left = v->domain->sched.budget > 0 ? (ns_t)v->domain->sched.budget / v->domain->max_vcpus : 0;

        left = MAX(left, SLICE_MIN);
        slice = slice ? MIN(slice, left) : left;
    }
    return slice;
}

/* prev goes on unless it gives way, or another has the better claim and prev has had its least time. */
static bool stays(unsigned cpu, const struct vcpu *prev, const struct vcpu *waiting, u64 key, ns_t now)
{
    u64 own = prev->sched.vruntime + (prev->sched.class->soft & 1U << cpu ? 0 : SOFT_RESISTANCE);

    if (!waiting)
        return true;
    return !prev->sched.yielding && (own <= key || now - prev->sched.slice_start < sched_rate_limit);
}

static bool may_stay(unsigned cpu, struct vcpu *prev)
{
    if (!(prev->sched.class->hard & 1U << cpu))
        return false;
    if (!over_budget(prev))
        return true;
    prev->sched.blocked_by |= PAUSE_PARKED;
    return false;
}

/* v is what cpu runs from now on; `others` wait, the first of them with this key. */
static ns_t put_on_cpu(unsigned cpu, struct vcpu *v, bool continues, bool others, u64 key, ns_t now)
{
    ns_t slice;

    idle &= ~(1U << cpu);
    if (v->sched.vruntime >= floor_ + CREDIT_PERIOD)
        refill_credit(v, v->sched.vruntime);
    lift_to_floor(v);
    v->sched.woken = false;
    if (!continues)
        v->sched.slice_start = v->sched.charged_until = now;
    slice = slice_of(v, others, key);
    cpus[cpu].slice_armed = slice != 0;
    return slice;
}

struct policy_choice policy_pick(unsigned cpu, struct vcpu *prev, bool prev_runnable, ns_t now)
{
    struct policy_choice choice = {NULL, 0};
    u64 key = 0;
    struct vcpu *waiting = best_waiting(cpu, &key);
    bool candidate = prev && prev_runnable && may_stay(cpu, prev);

    cpus[cpu].called = false;
    if (candidate && stays(cpu, prev, waiting, key, now)) {
        choice.next = prev;
    } else if (waiting) {
        choice.next = waiting;
        policy_dequeue(waiting);
        waiting = best_waiting(cpu, &key);
        if (candidate && (!waiting || prev->sched.vruntime < key)) {
            waiting = prev;
            key = prev->sched.vruntime;
        }
    }
    if (prev) {
        prev->sched.yielding = false;
        if (choice.next != prev && !cpus[cpu].slice_armed)
            forgive(prev);
    }
    cpus[cpu].running = choice.next;
    if (choice.next) {
        choice.slice = put_on_cpu(cpu, choice.next, choice.next == prev, waiting != NULL, key, now);
    } else {
        idle |= 1U << cpu;
        cpus[cpu].slice_armed = false;
    }
    return choice;
}
