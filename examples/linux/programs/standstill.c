/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * standstill [-n COUNT] [MILLISECONDS]: looks at the clock all the time and tells of every span in which it could not, if it
 * was at least so long (30 ms by default): what a suspended and restored guest has missed, by its own clocks. BOOTTIME
 * and REALTIME count the time in which the guest did not exist, MONOTONIC does not. Ends after COUNT of them. One line
 * for each: its number, then the three clocks' milliseconds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { MONOTONIC, BOOTTIME, REALTIME, CLOCKS };
static const clockid_t ids[CLOCKS] = {CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_REALTIME};

static double now_ms(int clock)
{
    struct timespec time;

    clock_gettime(ids[clock], &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static void tell(unsigned long number, const double before[CLOCKS], const double after[CLOCKS])
{
    printf("standstill %lu: boottime %.1f ms, realtime %.1f ms, monotonic %.1f ms\n", number,
           after[BOOTTIME] - before[BOOTTIME], after[REALTIME] - before[REALTIME],
           after[MONOTONIC] - before[MONOTONIC]);
    fflush(stdout);
}

static void read_all(double time[CLOCKS])
{
    for (int i = 0; i < CLOCKS; i++)
        time[i] = now_ms(i);
}

int main(int argc, char **argv)
{
    unsigned long found = 0, wanted = 0;
    double before[CLOCKS], after[CLOCKS], least = 30;
    int letter;

    while ((letter = getopt(argc, argv, "n:")) != -1) {
        if (letter != 'n')
            return 2;
        wanted = strtoul(optarg, NULL, 10);
    }
    if (optind < argc)
        least = strtod(argv[optind], NULL);
    read_all(before);
    while (wanted == 0 || found < wanted) {
        read_all(after);
        if (after[BOOTTIME] - before[BOOTTIME] >= least) {
            tell(++found, before, after);
            read_all(after);
        }
        for (int i = 0; i < CLOCKS; i++)
            before[i] = after[i];
    }
    return 0;
}
