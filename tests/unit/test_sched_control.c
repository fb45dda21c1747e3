/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Stopping and starting single vCPUs: blocking without missing an event, kicks, pauses that wait until the vCPU is off
 * its CPU, and what the scheduler tells an operator.
 */
#include "sched_fake.h"
#include "sched/policy.h"
#include "tests/unit/run_suite.h"

static struct domain *d;
static struct vcpu *v;

static void setup(void)
{
    fake_machine(2);
    d = fake_domain(1, 2);
    v = d->vcpus[0];
    static struct vcpu_info info[2];
    for (unsigned i = 0; i < 2; i++)
        d->vcpus[i]->info = &info[i];
    fake_settle();
}

/* The event comes between the guest's look and ours: a vCPU that slept now would sleep for ever. */
START_TEST(an_event_just_before_sleep_is_not_missed)
{
    static const struct {
        int looks; /* how many find nothing yet */
        u32 blocked;
    } cases[] = {{0, 0}, {1, 0}, {2, PAUSE_BLOCKED}};

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        fake_events_after = cases[i].looks;
        vcpu_upcall_mask(v) = 1;
        vcpu_block(v);
        ck_assert_uint_eq(vcpu_upcall_mask(v), 0);
        ck_assert_uint_eq(v->sched.blocked_by, cases[i].blocked);
    }
    vcpu_kick(v);
    ck_assert_uint_eq(v->sched.blocked_by, 0);
}
END_TEST

/* Only a vCPU that runs elsewhere has to be interrupted: a kick of oneself or of a sleeper costs nothing. */
START_TEST(a_kick_interrupts_another_cpu_only)
{
    unsigned cpu = v->processor;

    ck_assert(v->sched.on_cpu);
    fake_this = !cpu;
    vcpu_kick(v);
    ck_assert_uint_eq(fake_cpus[cpu].softirq_pending, 1U << SOFTIRQ_NMI_CALLBACK);
    fake_cpus[cpu].softirq_pending = 0;
    fake_this = cpu;
    vcpu_kick(v);
    ck_assert_uint_eq(fake_cpus[cpu].softirq_pending, 0);
    vcpu_pause(v);
    fake_settle();
    fake_this = !cpu;
    vcpu_kick(v);
    ck_assert_uint_eq(fake_cpus[cpu].softirq_pending & 1U << SOFTIRQ_NMI_CALLBACK, 0);
    ck_assert(!v->sched.on_cpu); /* a kick is no unpause */
}
END_TEST

static unsigned relaxed;

static void other_cpus_go_on(void)
{
    relaxed++;
    fake_settle();
}

/* Who reads a paused vCPU's registers must not do so while it still runs. */
START_TEST(a_pause_waits_until_it_stands)
{
    for (unsigned whole = 0; whole < 2; whole++) {
        relaxed = 0;
        fake_relax = other_cpus_go_on;
        ck_assert(v->sched.on_cpu);
        fake_this = !v->processor;
        if (whole)
            domain_pause_sync(d);
        else
            vcpu_pause_sync(v);
        ck_assert(!v->sched.on_cpu);
        ck_assert_uint_gt(relaxed, 0);
        fake_relax = NULL;
        if (whole)
            domain_unpause(d);
        else
            vcpu_unpause(v);
        fake_settle();
        ck_assert(v->sched.on_cpu);
    }
}
END_TEST

/* A domain that pauses itself would wait for itself for ever. */
START_TEST(who_pauses_itself_does_not_wait)
{
    fake_this = v->processor;
    vcpu_pause_sync(v);
    ck_assert(v->sched.on_cpu);
    ck_assert_uint_eq(v->sched.pause_count, 1);
    vcpu_unpause(v);
    vcpu_unpause(v); /* one too many changes nothing */
    ck_assert_uint_eq(v->sched.pause_count | v->sched.blocked_by, 0);
}
END_TEST

/* The sum of what ran and what idled is the time: no tick is counted twice or not at all. */
START_TEST(idle_time_is_what_is_left)
{
    u64 start[2] = {cpu_idle_time(0), cpu_idle_time(1)};

    fake_run(100 * MS);
    ck_assert_uint_eq(cpu_idle_time(0) - start[0] + cpu_idle_time(1) - start[1], 0);
    vcpu_pause(v);
    fake_settle();
    fake_run(50 * MS);
    ck_assert_uint_eq(cpu_idle_time(0) - start[0] + cpu_idle_time(1) - start[1], 50 * MS);
    vcpu_unpause(v);
    fake_settle();
    fake_run(50 * MS);
    ck_assert_uint_eq(cpu_idle_time(0) - start[0] + cpu_idle_time(1) - start[1], 50 * MS);
}
END_TEST

START_TEST(the_dump_shows_who_runs_and_who_waits)
{
    struct domain *more = fake_domain(2, 2);

    fake_settle();
    domain_set_weight(more, 512);
    sched_dump();
    ck_assert_msg(strstr(fake_log, "d1 weight 256 cap 0"), "%s", fake_log);
    ck_assert_ptr_nonnull(strstr(fake_log, "d2 weight 512 cap 0"));
    ck_assert_ptr_nonnull(strstr(fake_log, " running blocked_by 0"));
    ck_assert_ptr_nonnull(strstr(fake_log, " waiting blocked_by 0"));
}
END_TEST

/* A vCPU that is destroyed while it waits in the queue must be out of it: the next look would find freed memory. */
START_TEST(a_missing_vcpu_is_passed_over)
{
    struct vcpu *second = d->vcpus[1];

    d->vcpus[1] = NULL; /* not made yet */
    domain_pause(d);
    domain_set_cap(d, 50);
    domain_set_weight(d, 300);
    sched_dump();
    domain_pause_sync(d);
    domain_unpause(d);
    domain_unpause(d);
    domain_set_cap(d, 0);
    d->vcpus[1] = second;
    fake_settle();
    ck_assert_uint_eq(v->sched.pause_count, 0);
    ck_assert_uint_eq(second->sched.pause_count, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scheduler's controls");
    TCase *tc = tcase_create("control");

    tcase_add_checked_fixture(tc, setup, fake_free);
    tcase_add_test(tc, an_event_just_before_sleep_is_not_missed);
    tcase_add_test(tc, a_kick_interrupts_another_cpu_only);
    tcase_add_test(tc, a_pause_waits_until_it_stands);
    tcase_add_test(tc, who_pauses_itself_does_not_wait);
    tcase_add_test(tc, idle_time_is_what_is_left);
    tcase_add_test(tc, the_dump_shows_who_runs_and_who_waits);
    tcase_add_test(tc, a_missing_vcpu_is_passed_over);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
