/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The scheduler in simulated time: shares, caps, affinities, wake-ups, pauses, at 1 to 8 CPUs.
 */
#include <stdlib.h>
#include "sched_fake.h"
#include "sched/policy.h"
#include "tests/unit/run_suite.h"

#define LONG (3000 * MS)

static struct domain *d[FAKE_DOMAINS];

static void hogs(unsigned count)
{
    for (unsigned i = 1; i <= count; i++)
        d[i] = fake_domain(i, 1);
}

static void assert_near(unsigned got, unsigned expected, unsigned tolerance)
{
    ck_assert_msg(got + tolerance >= expected && got <= expected + tolerance, "%u per mille instead of %u", got,
                  expected);
}

/* Guards against favouring whoever came first, or whoever sits on the CPU that is looked at first. */
START_TEST(equals_share_equally)
{
    unsigned cpus = 1U << (_i % 4), count = (unsigned[]){2, 3, 5, 7, 13, 30, 3, 9, 17}[_i / 4];

    fake_machine(cpus);
    hogs(count);
    fake_run(LONG);
    for (unsigned i = 1; i <= count; i++)
        assert_near(fake_share(d[i], LONG), MIN(1000, cpus * 1000 / count), 12);
    fake_free();
}
END_TEST

START_TEST(weight_divides_one_cpu)
{
    fake_machine(1);
    hogs(3);
    domain_set_weight(d[2], 512);
    domain_set_weight(d[3], 1024);
    fake_run(LONG);
    assert_near(fake_share(d[1], LONG), 1000 * 1 / 7, 10);
    assert_near(fake_share(d[2], LONG), 1000 * 2 / 7, 10);
    assert_near(fake_share(d[3], LONG), 1000 * 4 / 7, 10);
    fake_free();
}
END_TEST

START_TEST(extreme_weights_starve_nobody)
{
    fake_machine(1);
    hogs(2);
    domain_set_weight(d[1], 1);
    domain_set_weight(d[2], 65535);
    fake_run(LONG);
    ck_assert_uint_gt(fake_share(d[2], LONG), 900);
    domain_set_weight(d[1], 65535);
    domain_set_weight(d[2], 1);
    fake_share(d[1], LONG);
    fake_run(2 * LONG);
    ck_assert_uint_gt(fake_share(d[1], 2 * LONG), 900);
    fake_free();
}
END_TEST

/* One vCPU cannot use more than one CPU however heavy it is: what it leaves goes to the others, and it keeps no claim. */
START_TEST(a_weight_past_one_cpu_is_not_saved_up)
{
    fake_machine(2);
    hogs(3);
    domain_set_weight(d[1], 65535);
    fake_run(LONG);
    assert_near(fake_share(d[1], LONG), 1000, 5);
    assert_near(fake_share(d[2], LONG), 500, 10);
    assert_near(fake_share(d[3], LONG), 500, 10);
    domain_set_weight(d[1], 256);
    fake_run(LONG);
    for (unsigned i = 1; i <= 3; i++)
        assert_near(fake_share(d[i], LONG), 667, 12);
    fake_free();
}
END_TEST

START_TEST(a_cap_holds_on_an_idle_machine)
{
    static const unsigned caps[] = {1, 10, 25, 50, 99, 150, 300};
    unsigned cap = caps[_i];

    fake_machine(4);
    d[1] = fake_domain(1, 4);
    domain_set_cap(d[1], cap);
    fake_run(LONG);
    assert_near(fake_share(d[1], LONG), cap * 10, MAX(cap / 2, 10));
    domain_set_cap(d[1], 0);
    fake_run(LONG);
    assert_near(fake_share(d[1], LONG), 4000, 10);
    fake_free();
}
END_TEST

START_TEST(what_a_capped_domain_leaves_goes_to_others)
{
    fake_machine(1);
    hogs(2);
    domain_set_cap(d[1], 20);
    fake_run(LONG);
    assert_near(fake_share(d[1], LONG), 200, 10);
    assert_near(fake_share(d[2], LONG), 800, 10);
    fake_free();
}
END_TEST

START_TEST(hard_affinity_is_kept)
{
    u32 one = 2, three = 8;

    fake_machine(4);
    hogs(6);
    ck_assert_int_eq(vcpu_set_affinity(d[1]->vcpus[0], &one, NULL), 0);
    ck_assert_int_eq(vcpu_set_affinity(d[2]->vcpus[0], &one, NULL), 0);
    ck_assert_int_eq(vcpu_set_affinity(d[3]->vcpus[0], &three, NULL), 0);
    fake_run(10 * MS);
    fake_ran_on[1] = fake_ran_on[2] = fake_ran_on[3] = 0;
    for (unsigned i = 1; i <= 6; i++)
        fake_share(d[i], 1);
    fake_run(LONG);
    ck_assert_uint_eq(fake_ran_on[1] & ~one, 0);
    ck_assert_uint_eq(fake_ran_on[2] & ~one, 0);
    ck_assert_uint_eq(fake_ran_on[3] & ~three, 0);
    /* Six on four CPUs, all can be served alike but for those two that share one CPU. */
    assert_near(fake_share(d[1], LONG), 500, 20);
    assert_near(fake_share(d[2], LONG), 500, 20);
    fake_free();
}
END_TEST

START_TEST(an_affinity_without_a_cpu_is_refused)
{
    u32 none = 0, absent = 0x70, cpu0 = 1;

    fake_machine(2);
    hogs(1);
    ck_assert_int_eq(vcpu_set_affinity(d[1]->vcpus[0], &none, NULL), -EINVAL);
    ck_assert_int_eq(vcpu_set_affinity(d[1]->vcpus[0], &absent, NULL), -EINVAL);
    ck_assert_int_eq(vcpu_set_affinity(d[1]->vcpus[0], NULL, &absent), -EINVAL);
    ck_assert_int_eq(vcpu_pin_override(d[1]->vcpus[0], 5), -EINVAL);
    ck_assert_int_eq(vcpu_pin_override(d[1]->vcpus[0], -1), -EINVAL);
    ck_assert_int_eq(vcpu_pin_override(d[1]->vcpus[0], 1), 0);
    ck_assert_int_eq(vcpu_pin_override(d[1]->vcpus[0], 0), -EBUSY);
    ck_assert_int_eq(vcpu_set_affinity(d[1]->vcpus[0], &cpu0, NULL), -EBUSY);
    fake_run(10 * MS);
    ck_assert_uint_eq(d[1]->vcpus[0]->processor, 1);
    ck_assert_int_eq(vcpu_pin_override(d[1]->vcpus[0], -1), 0);
    ck_assert_int_eq(vcpu_set_affinity(d[1]->vcpus[0], &cpu0, NULL), 0);
    fake_run(10 * MS);
    ck_assert_uint_eq(d[1]->vcpus[0]->processor, 0);
    fake_free();
}
END_TEST

START_TEST(soft_affinity_is_a_wish)
{
    u32 third = 4;

    fake_machine(4);
    hogs(1);
    fake_sleeper(d[1], 2 * MS, 3 * MS);
    ck_assert_int_eq(vcpu_set_affinity(d[1]->vcpus[0], NULL, &third), 0);
    fake_run(20 * MS);
    fake_ran_on[1] = 0;
    fake_run(LONG);
    ck_assert_uint_eq(fake_ran_on[1], third);
    /* When everybody wishes for the same CPU the others are used all the same. */
    for (unsigned i = 2; i <= 4; i++) {
        d[i] = fake_domain(i, 1);
        vcpu_set_affinity(d[i]->vcpus[0], NULL, &third);
    }
    fake_share(d[2], 1);
    fake_run(LONG);
    ck_assert_uint_gt(fake_share(d[2], LONG) + fake_share(d[3], LONG) + fake_share(d[4], LONG), 2500);
    fake_free();
}
END_TEST

/* One that sleeps most of the time must not queue behind those that compute: it preempts them. */
START_TEST(a_waking_vcpu_waits_at_most_the_rate_limit)
{
    unsigned cpus = 1U << _i;

    fake_machine(cpus);
    hogs(8 * cpus);
    for (unsigned i = 0; i < cpus; i++)
        fake_sleeper(d[i + 1], 100000, 5 * MS);
    fake_run(100 * MS);
    for (unsigned i = 0; i < cpus; i++)
        fake_worst_wait(d[i + 1]);
    fake_run(LONG);
    for (unsigned i = 0; i < cpus; i++)
        ck_assert_uint_le(fake_worst_wait(d[i + 1]), sched_rate_limit + 100000 * cpus);
    fake_free();
}
END_TEST

/*
 * Guards against a storm of wake-ups: guests that nap again and again are preferred each time, and must not be given a
 * new helping before whoever only computes has used up his.
 */
START_TEST(naps_take_nothing_from_who_computes)
{
    unsigned sleepers = (unsigned)_i % 4 + 1;
    ns_t run = (ns_t[]){10000, 100000, 2 * MS, 7 * MS}[_i / 4];

    fake_machine(1);
    hogs(1 + sleepers);
    for (unsigned i = 0; i < sleepers; i++)
        fake_sleeper(d[i + 2], run, 10000 + run / 2);
    fake_run(100 * MS);
    fake_share(d[1], 100 * MS);
    fake_run(LONG);
    ck_assert_uint_ge(fake_share(d[1], LONG), 990 / (1 + sleepers));
    fake_free();
}
END_TEST

/* What one earns on a CPU of his own is no measure for those who share another by weight. */
START_TEST(a_busy_neighbour_leaves_weights_alone)
{
    static const u32 first = 1, second = 2;

    fake_machine(2);
    hogs(3);
    vcpu_set_affinity(d[1]->vcpus[0], &first, NULL);
    vcpu_set_affinity(d[2]->vcpus[0], &second, NULL);
    vcpu_set_affinity(d[3]->vcpus[0], &second, NULL);
    domain_set_weight(d[3], 768);
    if (_i)
        fake_sleeper(d[1], 900000, 100000);
    fake_run(LONG);
    assert_near(fake_share(d[2], LONG), 250, 20);
    assert_near(fake_share(d[3], LONG), 750, 20);
    fake_free();
}
END_TEST

/* What one ran on a CPU that few wanted is no debt to those who crowd another: whoever is moved there has his turn. */
START_TEST(whoever_is_moved_owes_nothing)
{
    static const u32 first = 1, second = 2;

    fake_machine(2);
    hogs(6);
    for (unsigned i = 1; i <= 6; i++)
        vcpu_set_affinity(d[i]->vcpus[0], i <= 4 ? &first : &second, NULL);
    fake_run(LONG);
    ck_assert_int_eq(vcpu_set_affinity(d[5 + _i]->vcpus[0], &first, NULL), 0);
    fake_share(d[5 + _i], 1);
    fake_run(500 * MS);
    ck_assert_uint_ge(fake_share(d[5 + _i], 500 * MS), 150);
    fake_free();
}
END_TEST

static void assert_no_cpu_idles_in_vain(void)
{
    unsigned running = 0, runnable = 0;

    for (unsigned cpu = 0; cpu < cpu_count; cpu++)
        running += !fake_cpus[cpu].vcpu->idle;
    for (unsigned i = 1; i < FAKE_DOMAINS; i++)
        if (d[i])
            runnable += !d[i]->vcpus[0]->sched.blocked_by;
    ck_assert_uint_eq(running, MIN(cpu_count, runnable));
}

START_TEST(no_cpu_idles_while_someone_waits)
{
    memset(d, 0, sizeof(d));
    fake_machine(1U << _i);
    hogs(12);
    for (unsigned i = 1; i <= 12; i++)
        fake_sleeper(d[i], i * 700000, 13 * MS - i * 800000);
    fake_settle();
    fake_check = assert_no_cpu_idles_in_vain;
    fake_run(LONG);
    fake_free();
    memset(d, 0, sizeof(d));
}
END_TEST

START_TEST(a_yield_lets_the_next_run)
{
    fake_machine(1);
    hogs(2);
    fake_settle();
    for (unsigned i = 0; i < 10; i++) {
        struct vcpu *before = fake_cpus[0].vcpu;

        fake_now += 1000;
        vcpu_yield(before);
        fake_settle();
        ck_assert_ptr_ne(fake_cpus[0].vcpu, before);
    }
    fake_free();
}
END_TEST

START_TEST(a_paused_domain_stands_still)
{
    fake_machine(2);
    d[1] = fake_domain(1, 3);
    fake_run(10 * MS);
    domain_pause(d[1]);
    domain_pause(d[1]);
    fake_settle();
    fake_share(d[1], 1);
    fake_run(100 * MS);
    domain_unpause(d[1]);
    vcpu_wake(d[1]->vcpus[0]);
    fake_run(100 * MS);
    ck_assert_uint_eq(fake_share(d[1], 1), 0);
    domain_unpause(d[1]);
    fake_run(100 * MS);
    assert_near(fake_share(d[1], 100 * MS), 2000, 1);
    fake_free();
}
END_TEST

/* Sleeping earns no credit beyond one helping: whoever comes back cannot hold the CPU to make up for an hour. */
START_TEST(a_long_sleep_earns_nothing)
{
    fake_machine(1);
    hogs(2);
    vcpu_set_blocked(d[1]->vcpus[0], PAUSE_BLOCKED);
    fake_run(20 * LONG);
    vcpu_wake(d[1]->vcpus[0]);
    fake_share(d[2], 1);
    fake_run(100 * MS);
    ck_assert_uint_gt(fake_share(d[2], 100 * MS), 350);
    fake_free();
}
END_TEST

START_TEST(run_states_add_up_to_the_time)
{
    ns_t start;

    fake_machine(2);
    start = fake_now;
    hogs(5);
    for (unsigned i = 1; i <= 3; i++)
        fake_sleeper(d[i], i * 3 * MS, 4 * MS);
    fake_run(LONG);
    domain_pause(d[4]);
    fake_run(LONG);
    for (unsigned i = 1; i <= 5; i++) {
        struct vcpu_runstate_info r = d[i]->vcpus[0]->sched.runstate;

        r.time[r.state] += fake_now - r.state_entry_time;
        ck_assert_uint_eq(r.time[0] + r.time[1] + r.time[2] + r.time[3], fake_now - start);
    }
    ck_assert_int_eq(d[4]->vcpus[0]->sched.runstate.state, RUNSTATE_offline);
    fake_free();
}
END_TEST

START_TEST(two_hundred_on_eight_cpus)
{
    fake_machine(8);
    hogs(200);
    fake_run(10000 * MS);
    for (unsigned i = 1; i <= 200; i++)
        assert_near(fake_share(d[i], 10000 * MS), 40, 6);
    fake_free();
}
END_TEST

START_TEST(a_poll_ends_with_its_time)
{
    fake_machine(1);
    hogs(1);
    fake_settle();
    d[1]->evtchn.poll_mask = 1;
    timer_set(&d[1]->vcpus[0]->sched.poll_timer, fake_now + 5 * MS);
    vcpu_set_blocked(d[1]->vcpus[0], PAUSE_POLL);
    fake_settle();
    ck_assert(fake_cpus[0].vcpu->idle);
    fake_run(4 * MS);
    ck_assert(fake_cpus[0].vcpu->idle);
    fake_run(2 * MS);
    ck_assert_ptr_eq(fake_cpus[0].vcpu, d[1]->vcpus[0]);
    ck_assert_uint_eq(d[1]->evtchn.poll_mask, 0);
    fake_free();
}
END_TEST

/* Alone on its CPU a vCPU is left in peace: no slice timer, no switches. */
START_TEST(nobody_else_no_interruption)
{
    fake_machine(2);
    hogs(2);
    fake_run(10 * MS);
    fake_switches = 0;
    fake_run(LONG);
    ck_assert_uint_eq(fake_switches, 0);
    ck_assert_uint_eq(fake_cpus[0].deadline, 0);
    fake_free();
}
END_TEST

/* Arbitrary sequences of everything at once: the assertions are in the fake context switch and the idle accounts. */
START_TEST(anything_goes)
{
    srand((unsigned)_i + 1);
    fake_machine(1 + (unsigned)_i % 4);
    hogs(9);
    for (unsigned step = 0; step < 3000; step++) {
        struct domain *x = d[1 + rand() % 9];
        struct vcpu *v = x->vcpus[0];
        u32 mask = 1 + (u32)rand() % ((1U << cpu_count) - 1 + (cpu_count == 1));

        switch (rand() % 9) {
        case 0:
            vcpu_set_blocked(v, PAUSE_BLOCKED);
            break;
        case 1:
            vcpu_wake(v);
            break;
        case 2:
            domain_pause(x);
            fake_settle();
            domain_unpause(x);
            break;
        case 3:
            vcpu_set_affinity(v, &mask, NULL);
            break;
        case 4:
            vcpu_set_affinity(v, NULL, &mask);
            break;
        case 5:
            domain_set_cap(x, (u32)rand() % 120);
            break;
        case 6:
            domain_set_weight(x, 1 + (u32)rand() % 2000);
            break;
        default:
            break;
        }
        fake_run((u64)rand() % (4 * MS));
        if (rand() % 4 == 0)
            fake_settle();
    }
    for (unsigned i = 1; i <= 9; i++) {
        u32 all = ~0U;

        vcpu_wake(d[i]->vcpus[0]);
        domain_set_cap(d[i], 0);
        domain_set_weight(d[i], 256);
        vcpu_set_affinity(d[i]->vcpus[0], &all, &all);
    }
    fake_run(LONG);
    for (unsigned i = 1; i <= 9; i++)
        fake_share(d[i], 1);
    fake_run(LONG);
    for (unsigned i = 1; i <= 9; i++)
        assert_near(fake_share(d[i], LONG), cpu_count * 1000 / 9, 20);
    fake_free();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scheduler");
    TCase *tc = tcase_create("policy");

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, equals_share_equally, 0, 36);
    tcase_add_test(tc, weight_divides_one_cpu);
    tcase_add_loop_test(tc, naps_take_nothing_from_who_computes, 0, 16);
    tcase_add_loop_test(tc, a_busy_neighbour_leaves_weights_alone, 0, 2);
    tcase_add_loop_test(tc, whoever_is_moved_owes_nothing, 0, 2);
    tcase_add_test(tc, extreme_weights_starve_nobody);
    tcase_add_test(tc, a_weight_past_one_cpu_is_not_saved_up);
    tcase_add_loop_test(tc, a_cap_holds_on_an_idle_machine, 0, 7);
    tcase_add_test(tc, what_a_capped_domain_leaves_goes_to_others);
    tcase_add_test(tc, hard_affinity_is_kept);
    tcase_add_test(tc, an_affinity_without_a_cpu_is_refused);
    tcase_add_test(tc, soft_affinity_is_a_wish);
    tcase_add_loop_test(tc, a_waking_vcpu_waits_at_most_the_rate_limit, 0, 4);
    tcase_add_loop_test(tc, no_cpu_idles_while_someone_waits, 0, 4);
    tcase_add_test(tc, a_yield_lets_the_next_run);
    tcase_add_test(tc, a_paused_domain_stands_still);
    tcase_add_test(tc, a_long_sleep_earns_nothing);
    tcase_add_test(tc, run_states_add_up_to_the_time);
    tcase_add_test(tc, two_hundred_on_eight_cpus);
    tcase_add_test(tc, a_poll_ends_with_its_time);
    tcase_add_test(tc, nobody_else_no_interruption);
    tcase_add_loop_test(tc, anything_goes, 0, 12);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
