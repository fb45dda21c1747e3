/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The store daemon in the embedded dom0.
 */
#ifndef XENSTORED_START_H
#define XENSTORED_START_H

#include <stddef.h>

/* Starts the daemon: 0 or a negative errno value. From then on xs_open() works in this image. */
int xenstored_start(void);

/* Whoever owns the screen may take the daemon's messages, one line each without newline; otherwise they go to stderr. */
extern void (*xenstored_log_sink)(const char *line);

/* The newest messages, one per line; returns the number of bytes. */
size_t xenstored_log_read(char *buf, size_t size);

#endif
