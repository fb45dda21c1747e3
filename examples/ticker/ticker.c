/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A guest that stays: one numbered line per period, until it is told to stop. Ticks are due at fixed moments, so a
 * pause shows as a gap that is caught up with, and a slow console does not make the clock drift.
 *   period=MS   milliseconds between two ticks (1000)      count=N   stop after N ticks (0: never)
 * Saved and restored, or migrated, it goes on with the next number. The schedule moves by the time that the domain was
 * away, and the tick that was awaited meanwhile reports that time as lateness: nothing is hidden.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <pv/console.h>
#include <pv/pv.h>
#include <pv/suspend.h>
#include <pv/threads.h>
#include <pv/time.h>

static unsigned long ticks;
static uint64_t last_ns, longest_gap_ns, latest_ns;

/* The library's clock stands still while the domain is suspended; this one goes on. */
static uint64_t now_with_suspensions(void)
{
    return time_monotonic_ns() + time_suspended_ns();
}

static void summary(void)
{
    printf("ticker: %lu ticks, longest gap %" PRIu64 " us, latest %" PRIu64 " us late, %u suspensions\n", ticks,
           longest_gap_ns / 1000, latest_ns / 1000, suspend_times()->count);
}

/* Enter at the console asks for the numbers. */
static void answer_keys(void *unused)
{
    char keys[16];

    for (;;) {
        size_t count = console_read(keys, sizeof(keys), WAIT_FOREVER);
        bool enter = false;

        for (size_t i = 0; i < count; i++)
            enter = enter || keys[i] == '\r' || keys[i] == '\n';
        if (enter)
            summary();
    }
}

static void tell_suspension(void *unused, bool cancelled)
{
    const struct suspend_times *times = suspend_times();

    printf("ticker: %s dom%u, stood still for %" PRIu64 " us\n", cancelled ? "goes on as" : "restored as", pv_domid(),
           (times->stopping + times->away + times->starting) / 1000);
}

/* False: the library acts on the request. */
static bool tell_end(const char *request)
{
    if (strcmp(request, "suspend") != 0)
        summary();
    return false;
}

static void tick(uint64_t due, uint64_t suspended_before)
{
    uint64_t now = now_with_suspensions(), late = now - due - suspended_before;

    if (last_ns != 0 && now - last_ns > longest_gap_ns)
        longest_gap_ns = now - last_ns;
    if (late > latest_ns)
        latest_ns = late;
    last_ns = now;
    printf("tick %lu, %" PRIu64 " us late\n", ++ticks, late / 1000);
}

int main(int argc, char **argv)
{
    static struct suspend_hook hook = {.after = tell_suspension};
    unsigned long period_ms = pv_option_number("period", 1000), count = pv_option_number("count", 0);
    uint64_t start = time_monotonic_ns();

    if (period_ms == 0)
        period_ms = 1;
    suspend_hook_add(&hook);
    pv_set_shutdown_hook(tell_end);
    printf("ticker: dom%u, a tick every %lu ms\n", pv_domid(), period_ms);
    thread_create("keys", answer_keys, NULL);
    while (count == 0 || ticks < count) {
        uint64_t due = start + (ticks + 1) * period_ms * 1000000ULL, suspended_before = time_suspended_ns();

        thread_sleep_until(due);
        tick(due, suspended_before);
    }
    printf("ticker: %lu ticks, powering off\n", count);
    return 0;
}
