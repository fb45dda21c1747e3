/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Transport to the xenstore: a byte stream in each direction. In a domU it is the ring page of the builder; the
 * client library above it speaks the protocol. Threads only.
 */
#ifndef PV_XENBUS_RING_H
#define PV_XENBUS_RING_H

#include <stdbool.h>
#include <sys/types.h>
#include <pv/threads.h>

/* Maps the ring and binds its port; -ENODEV when the builder gave none (dom0). Harmless to repeat. */
int xenbus_ring_init(void);

/* Moves at least one byte, up to size; waits for it if `block`, otherwise -EAGAIN. -EIO on indices that lie. */
ssize_t xenbus_ring_read(void *buffer, size_t size, bool block);

/* Writes all of it, waiting for room; returns size or a negative errno. */
ssize_t xenbus_ring_write(const void *buffer, size_t size);

/* Woken when the other side moved an index. */
extern struct waitq xenbus_ring_waitq;
bool xenbus_ring_readable(void);

#endif
