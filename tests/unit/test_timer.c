/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Timers: order, moving between CPUs, stopping, and that the CPU's interrupt is armed for the first one only.
 */
#include <setjmp.h>
#include <signal.h>
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

START_TEST(one_before_the_beginning_of_time_fires_first)
{
    setup(1);
    timer_set(&timers[0], fake_now);
    timer_set(&timers[1], ~0UL);
    timer_set(&timers[2], 1UL << 62);
    ck_assert_uint_le(fake_cpus[0].deadline, fake_now);
    fake_run(MS);
    ck_assert_uint_eq(count, 2);
    ck_assert_uint_eq(fired[0], 1);
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

/* Before every instruction of ours, and not only where our files call others, CPU 1 may act. */
static volatile bool begun, killed;
static sigjmp_buf it_waits;

static void wait_elsewhere(void)
{
    siglongjmp(it_waits, 1);
}

static void other_cpu_kills(int signal)
{
    if (begun || killed || timers[0].queued)
        return;
    fake_relax = wait_elsewhere;
    fake_this = 1;
    if (!sigsetjmp(it_waits, 0)) {
        timer_kill(&timers[0]);
        killed = true;
    }
    fake_relax = NULL;
    fake_this = 0;
}

static void begin(void *data)
{
    begun = true;
}

static void single_steps(bool on)
{
    __asm__ volatile("lea -128(%%rsp), %%rsp\n" /* below the red zone */
                     "pushf; andl $~0x100, (%%rsp); orl %0, (%%rsp); popf\n"
                     "lea 128(%%rsp), %%rsp"
                     :
                     : "r"(on ? 0x100 : 0)
                     : "memory", "cc");
}

/* Whoever frees what a timer belongs to kills the timer first. If that found it neither in a heap nor running in the
 * moment between the two, its function would work on freed memory. */
START_TEST(a_killed_timer_does_not_fire_afterwards)
{
    struct sigaction action = {.sa_handler = other_cpu_kills};

    setup(2);
    timer_init(&timers[0], begin, NULL);
    timer_set(&timers[0], fake_now);
    ck_assert_int_eq(sigaction(SIGTRAP, &action, NULL), 0);
    single_steps(true);
    timer_softirq();
    single_steps(false);
    ck_assert(begun && !killed);
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
    tcase_add_test(tc, one_before_the_beginning_of_time_fires_first);
    tcase_add_test(tc, stopped_is_silent_and_can_be_set_again);
    tcase_add_test(tc, it_moves_to_the_cpu_that_sets_it);
    tcase_add_test(tc, a_function_may_set_its_own_timer);
    tcase_add_test(tc, a_killed_timer_does_not_fire_afterwards);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
