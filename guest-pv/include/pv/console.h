/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The console: the ring to dom0's console daemon in a domU, the hypervisor's own console in dom0, and the
 * hypervisor's (where it allows it) until either is up. File descriptors 0, 1 and 2 lead here.
 */
#ifndef PV_CONSOLE_H
#define PV_CONSOLE_H

#include <stdint.h>
#include <pv/pv.h>
#include <pv/threads.h>

/* Output with each '\n' sent as "\r\n". Waits while the ring is full, other threads run meanwhile. */
void console_write(const char *text, size_t length);

/* Output as it is. Threads only. */
void console_write_raw(const char *bytes, size_t length);

/* The first form without waiting for other threads: spins a bounded time for room, then drops. For handlers and panics. */
void console_write_now(const char *text, size_t length);

/* Bytes that came, raw ('\r' stays '\r'). console_read waits for the first until the deadline; 0 when it passed. */
size_t console_read(char *buffer, size_t size, uint64_t deadline_ns);
size_t console_read_now(char *buffer, size_t size);

/* Woken whenever input arrives. */
extern struct waitq console_input_waitq;
bool console_input_pending(void);

/* Waits until the other end has taken everything. */
void console_flush(void);

#endif
