/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Dates, and the scale from TSC ticks to nanoseconds that guests compute with too.
 */
#include <stdlib.h>
#include "sched/clock.h"
#include "time.h"

/* Against a calendar that is counted day by day. */
START_TEST(dates_are_those_of_the_calendar)
{
    static const unsigned lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    u64 days = 0;

    for (unsigned year = 1970; year < 2200; year++)
        for (unsigned month = 1; month <= 12; month++) {
            bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

            for (unsigned day = 1; day <= lengths[month - 1] + (month == 2 && leap); day++, days++)
                ck_assert_uint_eq(seconds_of_date(year, month, day, 23, 59, 58), days * 86400 + 86398);
        }
    ck_assert_uint_eq(seconds_of_date(2026, 11, 21, 0, 0, 0), 1795219200);
}
END_TEST

/* A day of ticks at any rate that a CPU may have is a day, to the microsecond. */
START_TEST(a_day_is_a_day)
{
    static const u64 rates[] = {1000000,    33333333,   999999999,  1000000000, 1000000001,
                                2000000000, 2300000000, 3999999999, 5200000000, 7900000000};
    struct time_scale scale;
    u64 hz = rates[_i], ns;

    time_scale_set(&scale, hz);
    ck_assert_uint_ge(scale.mul, 1U << 30);
    ns = time_scale_apply(&scale, hz * 86400);
    ck_assert_uint_le(ns, 86400000000000ULL + 1000 * 1000);
    ck_assert_uint_ge(ns, 86400000000000ULL - 1000 * 1000);
    ck_assert_uint_eq(time_scale_apply(&scale, 0), 0);
}
END_TEST

START_TEST(time_never_goes_back)
{
    struct time_scale scale;
    u64 last = 0;

    time_scale_set(&scale, 2299998000);
    for (u64 ticks = 1ULL << 60; ticks < (1ULL << 60) + 10000; ticks++) {
        u64 now = time_scale_apply(&scale, ticks);

        ck_assert_uint_ge(now, last);
        last = now;
    }
}
END_TEST

void logf(enum log_level level, const char *format, ...)
{
}

int main(void)
{
    Suite *suite = suite_create("clock");
    TCase *tc = tcase_create("clock");
    SRunner *runner;

    tcase_add_test(tc, dates_are_those_of_the_calendar);
    tcase_add_loop_test(tc, a_day_is_a_day, 0, 10);
    tcase_add_test(tc, time_never_goes_back);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
