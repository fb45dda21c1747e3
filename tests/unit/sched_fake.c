/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See sched_fake.h.
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include "sched_fake.h"
#include "sched/policy.h"
#include "trace.h"

struct percpu fake_cpus[MAX_CPUS];
unsigned fake_this, cpu_count, fake_switches;
ns_t fake_now;
u32 fake_ran_on[FAKE_DOMAINS];
void (*fake_check)(void), (*fake_relax)(void);
int fake_events_after = -1;
char fake_log[4096];
spinlock_t domain_list_lock;

static struct domain *domains[FAKE_DOMAINS];
static struct vcpu *idle[MAX_CPUS];
static struct workload {
    ns_t run, sleep, left, wake_at, woken_at, worst, counted;
} work[FAKE_DOMAINS];
static jmp_buf switched;

void spin_wait(void)
{
    fprintf(stderr, "a lock is taken twice\n");
    abort();
}

void smp_serve_requests(void)
{
    unsigned cpu = fake_this;

    if (fake_relax)
        fake_relax();
    fake_this = cpu;
}

void logf(enum log_level level, const char *format, ...)
{
    size_t used = strlen(fake_log);
    va_list args;

    va_start(args, format);
    vsnprintf(fake_log + used, sizeof(fake_log) - used, format, args);
    va_end(args);
}

void guest_logf(enum log_level level, const char *format, ...)
{
}

ns_t time_now(void)
{
    return fake_now;
}

void apic_timer_arm(ns_t deadline)
{
    this_cpu()->deadline = deadline;
}

void raise_softirq(unsigned cpu, enum softirq which)
{
    fake_cpus[cpu].softirq_pending |= 1U << which;
}

bool vcpu_events_deliverable(struct vcpu *v)
{
    return fake_events_after >= 0 && fake_events_after-- == 0;
}

void guest_periodic_enter(struct vcpu *v, ns_t now)
{
}

void guest_periodic_leave(struct vcpu *v)
{
}

struct domain *domain_first(void)
{
    struct domain *first = NULL;

    for (unsigned id = FAKE_DOMAINS; id-- > 0;)
        if (domains[id]) {
            domains[id]->next = first;
            first = domains[id];
        }
    return first;
}

void context_switch(struct vcpu *prev, struct vcpu *next)
{
    struct workload *w = next->idle ? NULL : &work[next->domain->id];

    ck_assert_ptr_eq(current, prev);
    if (!next->idle) {
        ck_assert(next->sched.on_cpu && !next->sched.queued && !next->sched.blocked_by);
        ck_assert_uint_eq(next->processor, fake_this);
        for (unsigned cpu = 0; cpu < cpu_count; cpu++)
            ck_assert_ptr_ne(fake_cpus[cpu].vcpu, next);
        fake_ran_on[next->domain->id] |= 1U << fake_this;
        if (w->woken_at && fake_now - w->woken_at > w->worst)
            w->worst = fake_now - w->woken_at;
        w->woken_at = 0;
    }
    fake_switches++;
    this_cpu()->vcpu = next;
    sched_context_saved(prev);
    longjmp(switched, 1);
}

struct trace_calls trace_calls = {.context_switch = context_switch, .enqueue = policy_enqueue};

void fake_machine(unsigned cpus)
{
    cpu_count = cpus;
    fake_now = 1000 * MS;
    fake_switches = 0;
    fake_check = fake_relax = NULL;
    fake_events_after = -1;
    fake_log[0] = 0;
    sched_rate_limit = MS;
    sched_init();
    for (unsigned cpu = 0; cpu < cpus; cpu++) {
        idle[cpu] = calloc(1, sizeof(struct vcpu));
        idle[cpu]->idle = true;
        idle[cpu]->id = idle[cpu]->processor = cpu;
        fake_this = cpu;
        fake_cpus[cpu] = (struct percpu){.cpu = cpu, .vcpu = idle[cpu], .idle = idle[cpu]};
        sched_init_cpu(cpu);
        sched_init_vcpu(idle[cpu]);
    }
    fake_this = 0;
}

struct domain *fake_domain(unsigned id, unsigned vcpus)
{
    struct domain *d = calloc(1, sizeof(*d));

    d->id = (u16)id;
    d->max_vcpus = vcpus;
    d->vcpus = calloc(vcpus, sizeof(*d->vcpus));
    sched_init_domain(d);
    domains[id] = d;
    work[id] = (struct workload){0};
    fake_ran_on[id] = 0;
    for (unsigned i = 0; i < vcpus; i++) {
        struct vcpu *v = calloc(1, sizeof(*v));

        v->domain = d;
        v->id = i;
        d->vcpus[i] = v;
        sched_init_vcpu(v);
        vcpu_clear_blocked(v, PAUSE_DOWN);
    }
    return d;
}

void fake_sleeper(struct domain *d, ns_t run, ns_t sleep)
{
    work[d->id].run = work[d->id].left = run;
    work[d->id].sleep = sleep;
}

ns_t fake_worst_wait(struct domain *d)
{
    ns_t worst = work[d->id].worst;

    work[d->id].worst = 0;
    return worst;
}

static void softirqs(unsigned cpu)
{
    u32 pending;

    fake_this = cpu;
    if (setjmp(switched))
        return;
    pending = fake_cpus[cpu].softirq_pending;
    fake_cpus[cpu].softirq_pending = 0;
    if (pending & 1U << SOFTIRQ_TIMER)
        timer_softirq();
    if (pending & 1U << SOFTIRQ_SCHEDULE)
        schedule();
}

void fake_settle(void)
{
    for (unsigned rounds = 0;; rounds++) {
        bool again = false;

        ck_assert_uint_lt(rounds, 1000); /* CPUs that call each other for ever */
        for (unsigned cpu = 0; cpu < cpu_count; cpu++)
            if (fake_cpus[cpu].softirq_pending) {
                softirqs(cpu);
                again = true;
            }
        if (!again)
            break;
    }
    fake_this = 0;
    if (fake_check)
        fake_check();
}

static ns_t next_event(ns_t until)
{
    ns_t next = until;

    for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
        struct vcpu *v = fake_cpus[cpu].vcpu;
        struct workload *w = v->idle ? NULL : &work[v->domain->id];

        if (fake_cpus[cpu].deadline)
            next = MIN(next, MAX(fake_cpus[cpu].deadline, fake_now));
        if (w && w->run)
            next = MIN(next, fake_now + w->left);
    }
    for (unsigned id = 0; id < FAKE_DOMAINS; id++)
        if (domains[id] && work[id].wake_at)
            next = MIN(next, MAX(work[id].wake_at, fake_now));
    return next;
}

static void advance(ns_t to)
{
    ns_t step = to - fake_now;

    fake_now = to;
    for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
        struct vcpu *v = fake_cpus[cpu].vcpu;
        struct workload *w = v->idle ? NULL : &work[v->domain->id];

        fake_this = cpu;
        if (fake_cpus[cpu].deadline && fake_cpus[cpu].deadline <= fake_now) {
            fake_cpus[cpu].deadline = 0;
            timer_interrupt();
        }
        if (!w || !w->run || v->id)
            continue;
        w->left -= step;
        if (!w->left) {
            w->left = w->run;
            w->wake_at = fake_now + w->sleep;
            vcpu_set_blocked(v, PAUSE_BLOCKED);
        }
    }
    fake_this = 0;
    for (unsigned id = 0; id < FAKE_DOMAINS; id++)
        if (domains[id] && work[id].wake_at && work[id].wake_at <= fake_now) {
            work[id].wake_at = 0;
            work[id].woken_at = fake_now;
            vcpu_wake(domains[id]->vcpus[0]);
        }
}

void fake_run(ns_t duration)
{
    ns_t until = fake_now + duration;

    fake_settle();
    while (fake_now < until) {
        advance(next_event(until));
        fake_settle();
    }
}

unsigned fake_share(struct domain *d, ns_t duration)
{
    struct workload *w = &work[d->id];
    ns_t total = 0, since;

    for (unsigned i = 0; i < d->max_vcpus; i++) {
        struct vcpu_runstate_info r = d->vcpus[i]->sched.runstate;

        total += r.time[RUNSTATE_running] + (r.state == RUNSTATE_running ? fake_now - r.state_entry_time : 0);
    }
    since = total - w->counted;
    w->counted = total;
    return (unsigned)(since * 1000 / duration);
}

void fake_free(void)
{
    for (unsigned id = 0; id < FAKE_DOMAINS; id++) {
        struct domain *d = domains[id];

        if (!d)
            continue;
        sched_destroy_domain(d);
        for (unsigned i = 0; i < d->max_vcpus; i++) {
            sched_destroy_vcpu(d->vcpus[i]);
            free(d->vcpus[i]);
        }
        free(d->vcpus);
        free(d);
        domains[id] = NULL;
    }
    for (unsigned cpu = 0; cpu < cpu_count; cpu++)
        free(idle[cpu]);
}
