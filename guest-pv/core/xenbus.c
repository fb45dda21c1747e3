/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * States of split drivers in the xenstore.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xenstore.h>
#include <pv/threads.h>
#include <pv/time.h>
#include <pv/xenbus.h>
#include "internal.h"

#define PATH_MAX_LENGTH 512
#define POLL_NS         1000000ULL

static bool join(char *path, const char *dir, const char *node)
{
    return snprintf(path, PATH_MAX_LENGTH, "%s/%s", dir, node) < PATH_MAX_LENGTH;
}

int xenbus_printf(struct xs_handle *xs, const char *dir, const char *node, const char *format, ...)
{
    char path[PATH_MAX_LENGTH], value[512];
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(value, sizeof(value), format, args);
    va_end(args);
    if (length < 0 || (size_t)length >= sizeof(value) || !join(path, dir, node))
        return -ENAMETOOLONG;
    return xs_write(xs, XBT_NULL, path, value, (unsigned int)length) ? 0 : -errno;
}

int xenbus_read_long(struct xs_handle *xs, const char *dir, const char *node, long *value)
{
    char path[PATH_MAX_LENGTH], *text, *end;
    unsigned int length;
    int rc = 0;

    if (!join(path, dir, node))
        return -ENAMETOOLONG;
    text = xs_read(xs, XBT_NULL, path, &length);
    if (text == NULL)
        return -errno;
    errno = 0;
    *value = strtol(text, &end, 0);
    if (end == text || *end != '\0' || errno != 0)
        rc = -EINVAL;
    free(text);
    return rc;
}

enum xenbus_state xenbus_read_state(struct xs_handle *xs, const char *dir)
{
    long state;

    if (xenbus_read_long(xs, dir, "state", &state) != 0 || state < 0 || state > XenbusStateReconfigured)
        return XenbusStateUnknown;
    return (enum xenbus_state)state;
}

int xenbus_switch_state(struct xs_handle *xs, const char *dir, enum xenbus_state state)
{
    return xenbus_printf(xs, dir, "state", "%d", (int)state);
}

int xenbus_wait_state(struct xs_handle *xs, const char *dir, enum xenbus_state state, uint64_t deadline_ns)
{
    enum xenbus_state seen;

    while ((seen = xenbus_read_state(xs, dir)) < state) {
        if (time_monotonic_ns() >= deadline_ns)
            return -ETIMEDOUT;
        thread_sleep_ns(POLL_NS);
    }
    return (int)seen;
}

const char *xenbus_state_name(enum xenbus_state state)
{
    static const char *const names[] = {"unknown",     "initialising",  "waiting for initialisation",
                                        "initialised", "connected",     "closing",
                                        "closed",      "reconfiguring", "reconfigured"};

    return (unsigned int)state < ARRAY_SIZE(names) ? names[state] : "out of range";
}
