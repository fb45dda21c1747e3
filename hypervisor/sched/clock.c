/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * How fast the TSC counts, and what time of day it is. Neither waits longer than it must: twice 4 ms for the TSC, measured
 * against the PIT's second channel; for the day's time at most the moment in which the
 * CMOS clock is being updated.
 */
#include "sched/clock.h"
#include "cpu/features.h"
#include "dev/io.h"
#include "time.h"

#define PIT_HZ        1193182
#define PIT_CHANNEL2  0x42
#define PIT_COMMAND   0x43
#define PIT_GATE      0x61
#define MEASURE_TICKS (PIT_HZ / 250) /* 4 ms */
#define TRIES         16
#define LOOKS         16
#define PATIENCE      1000000 /* port reads after which the PIT is taken for dead */
#define TSC_FALLBACK  1000000000ULL

/* One look at the channel, which counts down and wraps at 65536: its count was latched at tsc, give or take width / 2. */
struct pit_sample {
    u16 count;
    u64 tsc, width;
};

static struct pit_sample pit_look(void)
{
    struct pit_sample s;
    u64 before = read_tsc();
    u8 low;

    outb(PIT_COMMAND, 0x80); /* latch channel 2 */
    s.width = read_tsc() - before;
    s.tsc = before + s.width / 2;
    low = inb(PIT_CHANNEL2);
    s.count = (u16)(inb(PIT_CHANNEL2) << 8 | low);
    return s;
}

/* The most exact of several looks: one during which nothing else held the CPU up. */
static struct pit_sample pit_sample(void)
{
    struct pit_sample best = pit_look();

    for (unsigned i = 0; i < LOOKS; i++) {
        struct pit_sample s = pit_look();

        if (s.width <= best.width)
            best = s;
    }
    return best;
}

/* Waits for MEASURE_TICKS from `from` on; how many it were, 0 when the PIT is dead. */
static u64 measure_ticks(const struct pit_sample *from, struct pit_sample *to)
{
    for (unsigned i = 0; i < PATIENCE; i++) {
        *to = pit_look();
        if ((u16)(from->count - to->count) < MEASURE_TICKS)
            continue;
        *to = pit_sample();
        return (u16)(from->count - to->count);
    }
    return 0;
}

static u64 rate(u64 cycles, u64 ticks)
{
    return ticks ? cycles * PIT_HZ / ticks : 0;
}

/*
 * Two stretches in a row have to agree. An emulator that is not scheduled for 55 ms misses a whole round of the count, and
 * one stretch alone would make the TSC many times too fast.
 */
static u64 measure_stretches(void)
{
    struct pit_sample start = pit_sample(), middle, end;
    u64 first, second, ticks, least = ~0UL;

    for (unsigned i = 0; i < TRIES; i++) {
        u64 half = measure_ticks(&start, &middle);

        ticks = half + measure_ticks(&middle, &end);
        first = rate(middle.tsc - start.tsc, half);
        second = rate(end.tsc - middle.tsc, ticks - half);
        if (!first || !second)
            return 0;
        if (MAX(first, second) - MIN(first, second) <= first / 64)
            return rate(end.tsc - start.tsc, ticks);
        least = MIN(least, MIN(first, second));
        start = end;
    }
    return least;
}

static u64 measure_by_pit(void)
{
    u8 gate = inb(PIT_GATE);
    u64 result;

    outb(PIT_GATE, (u8)((gate & ~2) | 1)); /* count, speaker off */
    outb(PIT_COMMAND, 0xB4);               /* channel 2, both bytes, rate generator */
    outb(PIT_CHANNEL2, 0);
    outb(PIT_CHANNEL2, 0);
    result = measure_stretches();
    outb(PIT_GATE, gate);
    return result;
}

/* CPUs that know their crystal's frequency say the TSC's exactly. */
static u64 tsc_by_cpuid(void)
{
    u32 r[4];

    cpuid(0, 0, r);
    if (r[0] < 0x15)
        return 0;
    cpuid(0x15, 0, r);
    return r[0] && r[1] && r[2] ? (u64)r[2] * r[1] / r[0] : 0;
}

u64 clock_measure_tsc(void)
{
    u64 hz = tsc_by_cpuid();

    if (!hz)
        hz = measure_by_pit();
    if (hz < 1000000) {
        logf(LOG_WARNING, "The TSC's rate cannot be measured: taken to be %llu MHz\n", TSC_FALLBACK / 1000000);
        hz = TSC_FALLBACK;
    }
    return hz;
}

void time_scale_set(struct time_scale *s, u64 ticks_per_second)
{
    u64 ticks = ticks_per_second;

    s->shift = 0;
    while (ticks > 2000000000) {
        ticks >>= 1;
        s->shift--;
    }
    while (ticks <= 1000000000) {
        ticks <<= 1;
        s->shift++;
    }
    /* Recomputed from the exact rate: halving may have dropped bits. 10^9 << 34 still fits, so rates below 8 GHz do. */
    s->mul = (u32)(((1000000000UL << 32 << (s->shift < 0 ? -s->shift : 0)) / ticks_per_second) >>
                   (s->shift > 0 ? s->shift : 0));
}

u64 seconds_of_date(unsigned year, unsigned month, unsigned day, unsigned hour, unsigned minute, unsigned second)
{
    /* Years that begin in March put the leap day at their end. */
    u64 y = month > 2 ? year : year - 1;
    u64 m = month > 2 ? month - 3 : month + 9;
    u64 days = y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719468;

    return ((days * 24 + hour) * 60 + minute) * 60 + second;
}

static u8 cmos_read(u8 index)
{
    outb(0x70, index);
    return inb(0x71);
}

struct cmos_date {
    u8 second, minute, hour, day, month, year, status_b;
};

static struct cmos_date cmos_sample(void)
{
    struct cmos_date date;

    for (unsigned i = 0; i < PATIENCE / 10 && (cmos_read(0x0A) & 0x80); i++)
        ;
    date.second = cmos_read(0);
    date.minute = cmos_read(2);
    date.hour = cmos_read(4);
    date.day = cmos_read(7);
    date.month = cmos_read(8);
    date.year = cmos_read(9);
    date.status_b = cmos_read(0x0B);
    return date;
}

static unsigned from_bcd(const struct cmos_date *date, u8 value)
{
    return date->status_b & 4 ? value : (value >> 4) * 10U + (value & 15);
}

u64 clock_read_cmos(void)
{
    struct cmos_date date = cmos_sample(), again;
    unsigned year, hour;

    for (unsigned i = 0; i < 5; i++) {
        again = cmos_sample();
        if (!memcmp(&date, &again, sizeof(date)))
            break;
        date = again;
    }
    year = from_bcd(&date, date.year);
    hour = from_bcd(&date, date.hour & 0x7F);
    if (!(date.status_b & 2)) /* 12-hour clock, the top bit says p.m. */
        hour = hour % 12 + (date.hour & 0x80 ? 12 : 0);
    return seconds_of_date(year + (year < 70 ? 2000 : 1900), from_bcd(&date, date.month), from_bcd(&date, date.day),
                           hour, from_bcd(&date, date.minute), from_bcd(&date, date.second));
}
