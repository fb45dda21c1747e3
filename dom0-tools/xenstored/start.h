/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The store daemon in the embedded dom0.
 */
#ifndef XENSTORED_START_H
#define XENSTORED_START_H

#include <stdarg.h>
#include <stddef.h>

/* Starts the daemon: 0 or a negative errno value. From then on xs_open() works in this image. */
int xenstored_start(void);

/*
 * Messages of dom0's daemons and backends about what guests do, one line each, with the time of day: `who` is the
 * daemon's name. They are kept for `vane dmesg`. Whoever owns the screen may take them, too; with no sink they go to
 * stderr. Guests choose some of the text, so only printable characters pass, and long lines are cut.
 */
extern void (*daemon_log_sink)(const char *line);
void daemon_log(const char *who, const char *format, ...) __attribute__((format(printf, 2, 3)));
void daemon_vlog(const char *who, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

#define DAEMON_LOG_SIZE 65536u

/* The newest messages, one per line, that were not cleared; returns the number of bytes. */
size_t daemon_log_read(char *buf, size_t size);
void daemon_log_clear(void);

#endif
