/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Threads, clock and terminal of the embedded dom0.
 */
#include "system.h"
#include "vane.h"

#include <errno.h>
#include <time.h>

#include <pv/console.h>
#include <pv/threads.h>
#include <pv/time.h>

static bool woken;

int spawn(const char *name, void (*fn)(void *arg), void *arg)
{
    struct thread *thread = thread_create(name, fn, arg);

    if (thread == NULL)
        return -ENOMEM;
    thread_detach(thread);
    return 0;
}

size_t terminal_read(char *buffer, size_t size, uint64_t deadline_ns)
{
    (void)wait_event_until(&console_input_waitq, console_input_pending() || woken, deadline_ns);
    woken = false;
    return console_read_now(buffer, size);
}

void terminal_write(const char *text, size_t size)
{
    console_write(text, size);
}

void terminal_wake(void)
{
    woken = true;
    waitq_wake(&console_input_waitq);
}

uint64_t clock_ns(void)
{
    return time_monotonic_ns();
}

uint64_t clock_seconds(void)
{
    struct timespec now;

    time_wallclock(&now);
    return (uint64_t)now.tv_sec;
}

void sleep_ns(uint64_t ns)
{
    thread_sleep_ns(ns);
}
