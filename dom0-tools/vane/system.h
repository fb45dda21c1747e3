/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the command line needs of the system below it and C does not have: a thread and a terminal.
 * One implementation for the embedded dom0 (system_pv.c).
 */
#ifndef VANE_SYSTEM_H
#define VANE_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Runs fn(arg) in a thread of its own; 0, or a negative errno. */
int spawn(const char *name, void (*fn)(void *arg), void *arg);

/* Raw bytes typed; waits for the first until then (UINT64_MAX: for ever), 0 when that moment passed or someone woke. */
size_t terminal_read(char *buffer, size_t size, uint64_t deadline_ns);
void terminal_write(const char *text, size_t size);

/* Bytes of a guest, as they are: no carriage return is added to a newline. */
void terminal_write_raw(const char *bytes, size_t size);

/* Waits that long; true at once when Ctrl-C was typed. Other bytes typed meanwhile are kept for terminal_read. */
bool terminal_interrupted(uint64_t ns);

/* Makes a terminal_read that waits return. Any thread may call it. */
void terminal_wake(void);

#endif
