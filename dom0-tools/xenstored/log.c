/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What dom0's daemons have to say: shown at once, and kept for a while. See start.h.
 */
#include <stdio.h>
#include <string.h>

#include "start.h"

void (*daemon_log_sink)(const char *line);

static struct {
    char bytes[8192];
    size_t end; /* bytes ever written */
} history;

static void remember(const char *line)
{
    for (; *line; line++)
        history.bytes[history.end++ % sizeof(history.bytes)] = *line;
    history.bytes[history.end++ % sizeof(history.bytes)] = '\n';
}

void daemon_vlog(const char *who, const char *format, va_list args)
{
    char line[256];
    size_t head = (size_t)snprintf(line, sizeof(line), "%s: ", who);

    vsnprintf(line + head, sizeof(line) - head, format, args);
    for (char *at = line; *at; at++)
        if (*at < ' ' || *at > '~')
            *at = '?';
    remember(line);
    if (daemon_log_sink)
        daemon_log_sink(line);
    else
        fprintf(stderr, "%s\n", line);
}

size_t daemon_log_read(char *buf, size_t size)
{
    size_t have = history.end < sizeof(history.bytes) ? history.end : sizeof(history.bytes);
    size_t len = have < size ? have : size;

    for (size_t i = 0; i < len; i++)
        buf[i] = history.bytes[(history.end - len + i) % sizeof(history.bytes)];
    return len;
}
