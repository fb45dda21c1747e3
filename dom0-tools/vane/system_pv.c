/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Threads, clock and terminal of the embedded dom0.
 */
#include "system.h"
#include "vane.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include <pv/console.h>
#include <pv/threads.h>
#include <pv/time.h>

#define CTRL_C    3
#define AHEAD_MAX 4096

static bool woken;

/* Bytes that came while a command was waiting for something else. */
static char ahead[AHEAD_MAX];
static size_t ahead_count;

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
    size_t kept = ahead_count < size ? ahead_count : size;

    if (kept > 0) {
        memcpy(buffer, ahead, kept);
        memmove(ahead, ahead + kept, ahead_count - kept);
        ahead_count -= kept;
        return kept;
    }
    (void)wait_event_until(&console_input_waitq, console_input_pending() || woken, deadline_ns);
    woken = false;
    return console_read_now(buffer, size);
}

bool terminal_interrupted(uint64_t ns)
{
    uint64_t deadline = time_monotonic_ns() + ns;
    char byte;

    for (;;) {
        while (ahead_count < AHEAD_MAX && console_read_now(&byte, 1) == 1) {
            if (byte == CTRL_C)
                return true;
            ahead[ahead_count++] = byte;
        }
        if (!wait_event_until(&console_input_waitq, ahead_count < AHEAD_MAX && console_input_pending(), deadline))
            return false;
    }
}

void terminal_write(const char *text, size_t size)
{
    console_write(text, size);
}

void terminal_write_raw(const char *bytes, size_t size)
{
    console_write_raw(bytes, size);
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
