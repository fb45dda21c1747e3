/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The console: the serial line, a ring of what was said on it, and whose input it is.
 */
#ifndef HYPERVISOR_DEV_CONSOLE_H
#define HYPERVISOR_DEV_CONSOLE_H

#include "lib.h"

#define CONSOLE_RING_SIZE 32768

void console_init(void);
/* Text of ours, to the line and the ring. */
void console_write(const char *text, size_t length);
/* Tells dom0 that the ring grew. Apart from console_write, whose callers may hold any lock, an event channel's too. */
void console_softirq(void);
/* After a panic: no locks. */
void console_force(void);
/* Characters that the serial line received; called by its interrupt and by the timer of CPU 0. */
void console_poll_input(void);
/* Up to size bytes of the ring from *index on (incremental) or from its oldest; *index moves behind them. */
u32 console_ring_read(char *to, u32 size, u32 *index, bool incremental);
void console_ring_clear(void);
void debug_key(char key);

#endif
