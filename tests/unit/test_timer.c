/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Timers: order, moving between CPUs, stopping, and that the CPU's interrupt is armed for the first one only.
 */
#include <stdlib.h>
#include "sched_fake.h"
#include "tests/unit/run_suite.h"

static unsigned fired[64], count;
static struct timer timers[64];

static void record(void *data)
{
    fired[count++] = (unsigned)(unsigned long)data;
}

static void again(void *data)
{
    record(data);
    timer_set(&timers[(unsigned long)data], fake_now + MS);
}

static void setup(unsigned cpus)
{
    fake_machine(cpus);
    count = 0;
    for (unsigned long i = 0; i < 64; i++)
        timer_init(&timers[i], record, (void *)i);
}

START_TEST(they_fire_in_order_of_time)
{
    setup(1);
    for (unsigned i = 0; i < 64; i++)
        timer_set(&timers[i], fake_now + 1 + (i * 37 % 64) * MS);
    ck_assert_uint_eq(fake_cpus[0].deadline, fake_now + 1);
    fake_run(100 * MS);
    ck_assert_uint_eq(count, 64);
    for (unsigned i = 0; i < 64; i++)
        ck_assert_uint_eq(fired[i] * 37 % 64, i);
    ck_assert_uint_eq(fake_cpus[0].deadline, 0);
    fake_free();
}
END_TEST

START_TEST(one_set_again_fires_once_at_the_new_time)
{
    setup(1);
    timer_set(&timers[0], fake_now + 10 * MS);
    timer_set(&timers[0], fake_now + 20 * MS);
    fake_run(15 * MS);
    ck_assert_uint_eq(count, 0);
    fake_run(15 * MS);
    ck_assert_uint_eq(count, 1);
    fake_free();
}
END_TEST

START_TEST(one_in_the_past_fires_at_once)
{
    setup(1);
    timer_set(&timers[0], 1);
    fake_run(1);
    ck_assert_uint_eq(count, 1);
    timer_set(&timers[0], 0);
    fake_run(1);
    ck_assert_uint_eq(count, 2);
    fake_free();
}
END_TEST

START_TEST(stopped_is_silent_and_can_be_set_again)
{
    setup(1);
    timer_set(&timers[0], fake_now + MS);
    timer_stop(&timers[0]);
    timer_stop(&timers[0]);
    fake_run(5 * MS);
    ck_assert_uint_eq(count, 0);
    timer_set(&timers[0], fake_now + MS);
    timer_kill(&timers[0]);
    fake_run(5 * MS);
    ck_assert_uint_eq(count, 0);
    fake_free();
}
END_TEST

START_TEST(it_moves_to_the_cpu_that_sets_it)
{
    setup(2);
    timer_set(&timers[0], fake_now + 10 * MS);
    fake_this = 1;
    timer_set(&timers[0], fake_now + 5 * MS);
    ck_assert_uint_eq(timers[0].cpu, 1);
    ck_assert_uint_eq(fake_cpus[1].deadline, fake_now + 5 * MS);
    fake_run(20 * MS);
    ck_assert_uint_eq(count, 1);
    fake_free();
}
END_TEST

START_TEST(a_function_may_set_its_own_timer)
{
    setup(1);
    timer_init(&timers[0], again, (void *)0);
    timer_set(&timers[0], fake_now + MS);
    fake_run(10 * MS);
    ck_assert_uint_eq(count, 10);
    timer_kill(&timers[0]);
    fake_free();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("timer");
    TCase *tc = tcase_create("timer");

    tcase_add_test(tc, they_fire_in_order_of_time);
    tcase_add_test(tc, one_set_again_fires_once_at_the_new_time);
    tcase_add_test(tc, one_in_the_past_fires_at_once);
    tcase_add_test(tc, stopped_is_silent_and_can_be_set_again);
    tcase_add_test(tc, it_moves_to_the_cpu_that_sets_it);
    tcase_add_test(tc, a_function_may_set_its_own_timer);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
