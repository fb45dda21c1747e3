/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The state of a balloon, told from samples: an operator must never read "moving" of a guest that does not move, nor
 * "stuck" of one that does, and every reason must name the right limit.
 */
#include <check.h>
#include <string.h>

#include "dom0-tools/vane/balloon.h"
#include "tests/unit/run_suite.h"

#define MIB     1024u
#define STEP_MS 250u

static struct balloon balloon;
static struct balloon_sample sample;
static char text[BALLOON_TEXT];

/* A running guest of 256 MiB that listens, on a machine with 1 GiB to spare. */
static void setup(void)
{
    memset(&balloon, 0, sizeof(balloon));
    sample = (struct balloon_sample){
        .at_ns = 1000000000000ull,
        .current = 256 * MIB,
        .target = 256 * MIB,
        .max = 512 * MIB,
        .boot_max = 512 * MIB,
        .free = 1024 * MIB,
        .listens = true,
    };
    balloon_feed(&balloon, &sample);
}

/* Lets time pass, a sample each step, the size changing by so much in each. */
static void pass(unsigned int ms, int kib_per_step)
{
    for (unsigned int done = 0; done < ms; done += STEP_MS) {
        sample.at_ns += STEP_MS * 1000000ull;
        sample.current = (uint64_t)((int64_t)sample.current + kib_per_step);
        balloon_feed(&balloon, &sample);
    }
}

static void set_target(uint64_t kib)
{
    sample.target = kib;
    balloon_feed(&balloon, &sample);
}

static const char *described(void)
{
    balloon_describe(&balloon, text);
    return text;
}

static void expect_stuck(enum balloon_reason reason, const char *words)
{
    ck_assert_int_eq(balloon.state, BALLOON_STUCK);
    ck_assert_int_eq(balloon.reason, reason);
    ck_assert_ptr_nonnull(strstr(described(), words));
}

/* At its target a balloon is idle for ever, and a difference below what drivers can do is none. */
START_TEST(test_idle)
{
    pass(60000, 0);
    ck_assert_str_eq(described(), "idle");
    set_target(256 * MIB - BALLOON_TOLERANCE);
    pass(60000, 0);
    ck_assert_str_eq(described(), "idle");
    ck_assert(balloon_settled(&balloon));
}
END_TEST

/* The rate is that of the last seconds, with its sign; the time to go follows from it; the end is noticed. */
START_TEST(test_moving_down)
{
    set_target(128 * MIB);
    ck_assert_str_eq(described(), "moving");
    pass(2000, -4 * (int)MIB);
    ck_assert_int_eq(balloon.state, BALLOON_MOVING);
    ck_assert(!balloon_settled(&balloon));
    ck_assert_int_le(balloon.rate, -15 * (int)MIB);
    ck_assert_int_ge(balloon.rate, -16 * (int)MIB);
    ck_assert_ptr_nonnull(strstr(described(), "moving, -15.9 MiB/s, 7 s to go"));
    pass(6000, -4 * (int)MIB);
    ck_assert_str_eq(described(), "idle");
    ck_assert_uint_eq(balloon.took_ns, 8000000000ull);
}
END_TEST

/* A slow guest is not a stuck one: each step nearer renews our patience. */
START_TEST(test_slow_is_not_stuck)
{
    set_target(300 * MIB);
    for (int i = 0; i < 20; i++) {
        pass(4000, 0);
        ck_assert_int_eq(balloon.state, BALLOON_MOVING);
        pass(STEP_MS, 128);
    }
}
END_TEST

/* A guest that gives some memory and then no more has reached what it can live with. */
START_TEST(test_gives_no_more)
{
    set_target(32 * MIB);
    pass(3000, -8 * (int)MIB);
    pass(4000, 0);
    ck_assert_int_eq(balloon.state, BALLOON_MOVING);
    pass(3000, 0);
    expect_stuck(BALLOON_GIVES_NO_MORE, "nothing more for 7 s: the target is below");
    ck_assert(!balloon_settled(&balloon));
    pass(60000, 0);
    ck_assert(balloon_settled(&balloon));
}
END_TEST

/* A driver that listens and does nothing: for how long is said. */
START_TEST(test_not_moved)
{
    set_target(200 * MIB);
    pass(12000, 0);
    expect_stuck(BALLOON_NOT_MOVED, "has not moved for 12 s");
    pass(STEP_MS, -100);
    ck_assert_int_eq(balloon.state, BALLOON_MOVING);
}
END_TEST

/* A balloon that goes up and down for ever comes no nearer: that is no movement. */
START_TEST(test_loop_is_stuck)
{
    set_target(128 * MIB);
    for (int i = 0; i < 30; i++) {
        pass(STEP_MS, -1024);
        pass(STEP_MS, 1024);
    }
    ck_assert_int_eq(balloon.state, BALLOON_STUCK);
}
END_TEST

/* Nobody listens: known at once, without any waiting, and not called stuck when there is nothing to do. */
START_TEST(test_no_driver)
{
    sample.listens = false;
    pass(1000, 0);
    ck_assert_int_eq(balloon.state, BALLOON_IDLE);
    set_target(128 * MIB);
    expect_stuck(BALLOON_NO_DRIVER, "no balloon driver");
    ck_assert(balloon_settled(&balloon));
}
END_TEST

/* A paused or ended domain cannot move, whatever its driver would do; the pause does not count as its laziness. */
START_TEST(test_paused_and_ended)
{
    set_target(128 * MIB);
    sample.paused = true;
    pass(STEP_MS, 0);
    expect_stuck(BALLOON_PAUSED, "unpause");
    sample.paused = false;
    sample.ended = true;
    pass(STEP_MS, 0);
    expect_stuck(BALLOON_ENDED, "ended");
    ck_assert(balloon_settled(&balloon));
}
END_TEST

/* Growing into memory that nobody has: the machine is named, with what it has, and not the guest. */
START_TEST(test_host_full)
{
    sample.free = 3 * MIB;
    set_target(300 * MIB);
    pass(750, 0);
    ck_assert_int_eq(balloon.state, BALLOON_MOVING);
    pass(500, 0);
    expect_stuck(BALLOON_HOST_FULL, "has only 3 MiB free");
    sample.free = 1024 * MIB;
    pass(STEP_MS, 1024);
    ck_assert_int_eq(balloon.state, BALLOON_MOVING);
}
END_TEST

/* Shrinking needs no memory of the machine, however full it is. */
START_TEST(test_full_host_does_not_hold_a_shrinking_guest)
{
    sample.free = 0;
    set_target(128 * MIB);
    pass(6000, 0);
    expect_stuck(BALLOON_NOT_MOVED, "has not moved");
}
END_TEST

/* Beyond the size that the kernel booted with, memory has to be put online first; up to it, the guest just stops. */
START_TEST(test_takes_no_more)
{
    set_target(400 * MIB);
    pass(STEP_MS, 1024);
    pass(6000, 0);
    expect_stuck(BALLOON_TAKES_NO_MORE, "taken nothing more");
    sample.boot_max = 256 * MIB;
    pass(STEP_MS, 0);
    expect_stuck(BALLOON_NOT_ONLINE, "memhp_default_state=online");
}
END_TEST

/* A refused request is shown with both numbers while the balloon rests, and forgotten with the next good one. */
START_TEST(test_refused)
{
    balloon_refuse(&balloon, BALLOON_ABOVE_MAX, 600 * MIB, 512 * MIB);
    ck_assert_str_eq(described(), "refused: 600 MiB asked for, 512 MiB is the maximum; mem-max raises that");
    pass(1000, 0);
    ck_assert_int_eq(balloon.state, BALLOON_REFUSED);
    balloon_refuse(&balloon, BALLOON_ABOVE_FREE, 500 * MIB, 300 * MIB);
    ck_assert_ptr_nonnull(strstr(described(), "500 MiB asked for, 300 MiB could be had"));
    balloon_refuse(&balloon, BALLOON_BELOW_LEAST, 2 * MIB, 16 * MIB);
    ck_assert_ptr_nonnull(strstr(described(), "2 MiB asked for, 16 MiB is the least"));
    balloon_accept(&balloon);
    ck_assert_str_eq(described(), "idle");
}
END_TEST

/* What a refused request did not stop goes on, and is what is shown. */
START_TEST(test_refused_on_the_way)
{
    set_target(400 * MIB);
    pass(1000, 1024);
    balloon_refuse(&balloon, BALLOON_ABOVE_MAX, 600 * MIB, 512 * MIB);
    ck_assert_int_eq(balloon.state, BALLOON_MOVING);
}
END_TEST

/* A target beyond the maximum, written past mem-set: the guest goes as far as it may, then the limit is named. */
START_TEST(test_target_above_max)
{
    set_target(600 * MIB);
    pass(2000, 32 * (int)MIB);
    pass(6000, 0);
    ck_assert_int_eq(balloon.state, BALLOON_REFUSED);
    ck_assert_ptr_nonnull(strstr(described(), "600 MiB asked for, 512 MiB is the maximum"));
}
END_TEST

/* A new target begins a new count of time, way and rate. */
START_TEST(test_new_target)
{
    set_target(128 * MIB);
    pass(6000, 0);
    ck_assert_int_eq(balloon.state, BALLOON_STUCK);
    set_target(300 * MIB);
    ck_assert_str_eq(described(), "moving");
    pass(2000, 0);
    ck_assert_int_eq(balloon.state, BALLOON_MOVING);
}
END_TEST

/* Numbers at the ends of their range must not overflow into nonsense: a guest can write any target it can reach. */
START_TEST(test_extremes)
{
    sample.target = UINT64_MAX;
    pass(8000, 0);
    ck_assert_int_eq(balloon.state, BALLOON_REFUSED);
    sample.target = 0;
    pass(1000, -1024);
    ck_assert_int_eq(balloon.state, BALLOON_MOVING);
    described();
    sample.current = 0;
    pass(STEP_MS, 0);
    ck_assert_int_eq(balloon.state, BALLOON_IDLE);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_idle,
        test_moving_down,
        test_slow_is_not_stuck,
        test_gives_no_more,
        test_not_moved,
        test_loop_is_stuck,
        test_no_driver,
        test_paused_and_ended,
        test_host_full,
        test_full_host_does_not_hold_a_shrinking_guest,
        test_takes_no_more,
        test_refused,
        test_refused_on_the_way,
        test_target_above_max,
        test_new_target,
        test_extremes,
    };
    Suite *suite = suite_create("balloon");
    TCase *tcase = tcase_create("states");

    tcase_add_checked_fixture(tcase, setup, NULL);
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
        tcase_add_test(tcase, tests[i]);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
