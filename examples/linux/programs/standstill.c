/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * standstill [-n COUNT] [MILLISECONDS]: looks at the clock all the time and tells of every span in which it could not,
 * if that was at least so long (30 ms by default): what a suspended and restored guest has missed, by its own clocks.
 * Ends after COUNT of them. Each line has the whole of it, the part in which the guest did not exist as Linux counts it,
 * and by how much the time of day was set meanwhile.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define TRIES 5

static double now_ms(clockid_t clock)
{
    struct timespec time;

    clock_gettime(clock, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

/* By how much a clock is ahead of BOOTTIME: of several readings the one that took least. */
static double ahead_ms(clockid_t clock)
{
    double ahead = 0, least = 1e9;

    for (int i = 0; i < TRIES; i++) {
        double before = now_ms(CLOCK_BOOTTIME), value = now_ms(clock), after = now_ms(CLOCK_BOOTTIME);

        if (after - before < least) {
            least = after - before;
            ahead = value - (before + after) / 2;
        }
    }
    return ahead;
}

int main(int argc, char **argv)
{
    unsigned long found = 0, wanted = 0;
    double before, after, least = 30, monotonic = ahead_ms(CLOCK_MONOTONIC), day = ahead_ms(CLOCK_REALTIME);
    int letter;

    while ((letter = getopt(argc, argv, "n:")) != -1) {
        if (letter != 'n')
            return 2;
        wanted = strtoul(optarg, NULL, 10);
    }
    if (optind < argc)
        least = strtod(argv[optind], NULL);
    for (before = now_ms(CLOCK_BOOTTIME); wanted == 0 || found < wanted; before = after) {
        after = now_ms(CLOCK_BOOTTIME);
        if (after - before < least)
            continue;
        double monotonic_now = ahead_ms(CLOCK_MONOTONIC), day_now = ahead_ms(CLOCK_REALTIME);

        printf("standstill %lu: %.1f ms, suspended %.1f ms, time of day set by %+.1f ms\n", ++found, after - before,
               monotonic - monotonic_now, day_now - day);
        fflush(stdout);
        monotonic = monotonic_now;
        day = day_now;
        after = now_ms(CLOCK_BOOTTIME);
    }
    return 0;
}
