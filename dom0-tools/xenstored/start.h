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
 * Messages of dom0's daemons about what guests do, one line each. Whoever owns the screen may take them; otherwise they
 * go to stderr. Guests choose some of the text, so only printable characters pass.
 */
extern void (*daemon_log_sink)(const char *line);
void daemon_vlog(const char *who, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

/* The newest messages, one per line; returns the number of bytes. */
size_t daemon_log_read(char *buf, size_t size);

#endif
