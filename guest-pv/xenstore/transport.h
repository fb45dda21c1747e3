/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * How the store client's bytes travel. Exactly one implementation is linked: transport_ring.c by default, or dom0's,
 * which reaches the daemon in the same image.
 */
#ifndef XENSTORE_TRANSPORT_H
#define XENSTORE_TRANSPORT_H

#include <stdbool.h>
#include <sys/types.h>

#include <pv/threads.h>

/* 0, or a negative errno value. Harmless to repeat. */
int xs_transport_open(void);

/* Moves at least one byte, up to size; -EAGAIN when there is none yet. Other errors are final. Never waits. */
ssize_t xs_transport_read(void *buffer, size_t size);

/* Whether a read would not answer -EAGAIN, and the queue that is woken when that becomes true. */
bool xs_transport_readable(void);
struct waitq *xs_transport_waitq(void);

/* Writes all of it; returns size or a negative errno value. -ENOMEM: nothing was written. Other errors are final. */
ssize_t xs_transport_write(const void *buffer, size_t size);

#endif
