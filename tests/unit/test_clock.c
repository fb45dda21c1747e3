/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Dates, the scale from TSC ticks to nanoseconds that guests compute with too, and how both are learned from a machine
 * whose timer stalls, is dead, or whose clock is being updated.
 */
#include "sched/clock.h"
#include "time.h"
#include "tests/unit/run_suite.h"

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

#define NS_PER_S 1000000000ULL

/* The simulated machine. Every access to a port takes a microsecond, a look at the TSC ten nanoseconds. */
static struct {
    u64 now, hz;
    u64 stall_every, stall; /* ns; the emulator is not scheduled for `stall` ns whenever `stall_every` have gone by */
    u64 next_stall;
    bool pit_dead;
    u16 latch;
    bool high_byte;
    u8 gate;
    u8 cmos[16], cmos_index;
    unsigned updating;     /* so many more looks see the update in progress */
    unsigned seconds_read; /* how often register 0 was read */
    u32 leaf0, leaf15[4];
} m;

static void pass(u64 ns)
{
    m.now += ns;
    if (m.stall_every && m.now >= m.next_stall) {
        m.now += m.stall;
        m.next_stall = m.now + m.stall_every;
    }
}

u64 read_tsc(void)
{
    pass(10);
    return m.now * (m.hz / 1000) / 1000000;
}

void cpuid(u32 leaf, u32 subleaf, u32 out[4])
{
    ck_assert(leaf == 0 || leaf == 0x15);
    ck_assert_uint_le(leaf, m.leaf0);
    memset(out, 0, 16);
    if (leaf == 0)
        out[0] = m.leaf0;
    else
        memcpy(out, m.leaf15, 16);
}

void outb(u16 port, u8 value)
{
    pass(1000);
    if (port == 0x61)
        m.gate = value;
    else if (port == 0x70)
        m.cmos_index = value;
    else if (port == 0x43 && value == 0x80) {
        m.latch = m.pit_dead ? 0xFFFF : (u16)(0 - m.now * 1193182 / NS_PER_S);
        m.high_byte = false;
    }
}

static u8 cmos_register(void)
{
    if (m.cmos_index == 0x0A)
        return m.updating && m.updating-- ? 0x80 : 0;
    if (m.cmos_index == 0 && m.seconds_read++ == 0)
        return (u8)(m.cmos[0] - 1); /* the second ends during the first sample */
    return m.cmos[m.cmos_index];
}

u8 inb(u16 port)
{
    pass(1000);
    if (port == 0x61)
        return m.gate;
    if (port == 0x71)
        return cmos_register();
    ck_assert_uint_eq(port, 0x42);
    m.high_byte = !m.high_byte;
    return (u8)(m.high_byte ? m.latch : m.latch >> 8);
}

static void machine(u64 hz)
{
    memset(&m, 0, sizeof(m));
    m.now = 123456789;
    m.hz = hz;
    m.leaf0 = 0x0D;
    m.gate = 0x5E;
    m.next_stall = m.now + 2000000;
}

static void measured_is(u64 hz)
{
    u64 found = clock_measure_tsc();

    ck_assert_msg(found > hz - hz / 500 && found < hz + hz / 500, "%lu instead of %lu", found, hz);
    ck_assert_uint_eq(m.gate, 0x5E); /* or the speaker hums from now on */
}

/* A rate that is off by one in a hundred makes every guest's clock lose a quarter of an hour a day. */
START_TEST(the_pit_tells_the_rate)
{
    static const u64 rates[] = {30000000, 1000000000, 2399999000, 5100000000};

    machine(rates[_i]);
    measured_is(rates[_i]);
}
END_TEST

/* The count wraps after 55 ms. A machine that stood still for that long looks as if its TSC ran many times too fast. */
START_TEST(a_stall_is_not_believed)
{
    machine(2000000000);
    m.stall = 56000000;
    m.stall_every = 1000 * NS_PER_S;
    measured_is(2000000000);
}
END_TEST

/* When no two stretches agree, the slowest is the one that missed least. It has to come to an end. */
START_TEST(stalls_without_end_still_give_an_answer)
{
    machine(2000000000);
    m.stall = 55300000;
    m.stall_every = 4700000;
    ck_assert_uint_ge(clock_measure_tsc(), 1990000000);
    ck_assert_uint_lt(m.now, 100 * NS_PER_S);
}
END_TEST

/* Without a PIT the wait for its ticks must not be for ever: the machine would never start. */
START_TEST(a_dead_pit_ends_in_a_guess)
{
    machine(2000000000);
    m.pit_dead = true;
    ck_assert_uint_eq(clock_measure_tsc(), 1000000000);
}
END_TEST

/* The leaf that names the crystal is exact, but only if all three of its numbers are there. */
START_TEST(cpuid_is_believed_if_complete)
{
    machine(2000000000);
    m.leaf0 = 0x16;
    memcpy(m.leaf15, (u32[]){2, 166, 24000000, 0}, 16);
    ck_assert_uint_eq(clock_measure_tsc(), 1992000000);
    for (unsigned missing = 0; missing < 3; missing++) {
        memcpy(m.leaf15, (u32[]){2, 166, 24000000, 0}, 16);
        m.leaf15[missing] = 0;
        measured_is(2000000000);
    }
}
END_TEST

static void set_cmos(u8 year, u8 month, u8 day, u8 hour, u8 minute, u8 second, u8 status_b)
{
    machine(1000000000);
    m.cmos[9] = year;
    m.cmos[8] = month;
    m.cmos[7] = day;
    m.cmos[4] = hour;
    m.cmos[2] = minute;
    m.cmos[0] = second;
    m.cmos[0x0B] = status_b;
}

/* Read while it counts on, a clock says 10:59:00 between 10:59:59 and 11:00:00: two samples have to agree. */
START_TEST(a_clock_that_moves_is_read_again)
{
    set_cmos(0x26, 0x11, 0x21, 0x19, 0x57, 0x30, 2);
    m.updating = 3;
    ck_assert_uint_eq(clock_read_cmos(), seconds_of_date(2026, 11, 21, 19, 57, 30));
    ck_assert_uint_eq(m.updating, 0);
    ck_assert_uint_ge(m.seconds_read, 3);
}
END_TEST

START_TEST(an_update_without_end_is_not_waited_for)
{
    set_cmos(0x26, 0x11, 0x21, 0x19, 0x57, 0x30, 2);
    m.updating = ~0U;
    ck_assert_uint_eq(clock_read_cmos(), seconds_of_date(2026, 11, 21, 19, 57, 30));
}
END_TEST

/* Four forms: BCD or binary, 24 hours or twice 12, of which the twelfth is the first. */
START_TEST(every_form_of_the_clock)
{
    set_cmos(99, 12, 31, 23, 59, 58, 2 | 4);
    ck_assert_uint_eq(clock_read_cmos(), seconds_of_date(1999, 12, 31, 23, 59, 58));
    set_cmos(0x70, 1, 1, 0x12, 0, 9, 0);
    ck_assert_uint_eq(clock_read_cmos(), seconds_of_date(1970, 1, 1, 0, 0, 9));
    set_cmos(0x69, 1, 1, 0x80 | 0x12, 0, 9, 0);
    ck_assert_uint_eq(clock_read_cmos(), seconds_of_date(2069, 1, 1, 12, 0, 9));
    set_cmos(0x30, 1, 1, 0x80 | 0x11, 0, 9, 0);
    ck_assert_uint_eq(clock_read_cmos(), seconds_of_date(2030, 1, 1, 23, 0, 9));
}
END_TEST

void logf(enum log_level level, const char *format, ...)
{
}

int main(void)
{
    Suite *suite = suite_create("clock");
    TCase *tc = tcase_create("clock");

    tcase_set_timeout(tc, 60); /* a dead timer is looked at two million times */
    tcase_add_test(tc, dates_are_those_of_the_calendar);
    tcase_add_loop_test(tc, a_day_is_a_day, 0, 10);
    tcase_add_test(tc, time_never_goes_back);
    tcase_add_loop_test(tc, the_pit_tells_the_rate, 0, 4);
    tcase_add_test(tc, a_stall_is_not_believed);
    tcase_add_test(tc, stalls_without_end_still_give_an_answer);
    tcase_add_test(tc, a_dead_pit_ends_in_a_guess);
    tcase_add_test(tc, cpuid_is_believed_if_complete);
    tcase_add_test(tc, a_clock_that_moves_is_read_again);
    tcase_add_test(tc, an_update_without_end_is_not_waited_for);
    tcase_add_test(tc, every_form_of_the_clock);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
