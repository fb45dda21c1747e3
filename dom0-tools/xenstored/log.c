/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What dom0's daemons have to say, kept for a while: the newest lines, from whole line to whole line. See start.h.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "start.h"

void (*daemon_log_sink)(const char *line);

static struct {
    char bytes[DAEMON_LOG_SIZE];
    size_t end, cleared; /* bytes ever written, and how many of them nobody wants any more */
} history;

static void remember(const char *line)
{
    for (; *line; line++)
        history.bytes[history.end++ % sizeof(history.bytes)] = *line;
    history.bytes[history.end++ % sizeof(history.bytes)] = '\n';
}

void daemon_vlog(const char *who, const char *format, va_list args)
{
    char line[320];
    unsigned long now = (unsigned long)time(NULL) % 86400;
    size_t head =
        (size_t)snprintf(line, sizeof(line), "%02lu:%02lu:%02lu %s: ", now / 3600, now / 60 % 60, now % 60, who);

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

void daemon_log(const char *who, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    daemon_vlog(who, format, args);
    va_end(args);
}

size_t daemon_log_read(char *buf, size_t size)
{
    size_t have = history.end - history.cleared, len, skip = 0;
    bool cut = have > sizeof(history.bytes) || have > size;

    len = have < sizeof(history.bytes) ? have : sizeof(history.bytes);
    len = len < size ? len : size;
    for (size_t i = 0; i < len; i++)
        buf[i] = history.bytes[(history.end - len + i) % sizeof(history.bytes)];
    while (cut && skip < len && buf[skip++] != '\n')
        ;
    memmove(buf, buf + skip, len - skip);
    return len - skip;
}

void daemon_log_clear(void)
{
    history.cleared = history.end;
}
