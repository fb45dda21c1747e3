/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A guest that stays: one numbered line per period, until it is told to stop. Ticks are due at fixed moments, so a
 * pause shows as a gap that is caught up with, and a slow console does not make the clock drift.
 *   period=MS   milliseconds between two ticks (1000)      count=N   stop after N ticks (0: never)
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <pv/pv.h>
#include <pv/threads.h>
#include <pv/time.h>

static unsigned long number_option(const char *name, unsigned long otherwise)
{
    const char *text = pv_option(name);
    char *end;
    unsigned long value;

    if (text == NULL)
        return otherwise;
    value = strtoul(text, &end, 10);
    if (*text == '\0' || *end != '\0') {
        printf("ticker: %s=%s is not a number, using %lu\n", name, text, otherwise);
        return otherwise;
    }
    return value;
}

int main(int argc, char **argv)
{
    unsigned long period_ms = number_option("period", 1000), count = number_option("count", 0);
    uint64_t start = time_monotonic_ns();

    if (period_ms == 0)
        period_ms = 1;
    printf("ticker: dom%u, a tick every %lu ms\n", pv_domid(), period_ms);
    for (unsigned long tick = 1; count == 0 || tick <= count; tick++) {
        uint64_t due = start + tick * period_ms * 1000000ULL;
        uint64_t now;

        thread_sleep_until(due);
        now = time_monotonic_ns();
        printf("tick %lu, %" PRIu64 " us late\n", tick, (now - due) / 1000);
    }
    printf("ticker: %lu ticks, powering off\n", count);
    return 0;
}
