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

/* 0, or a negative errno value. Harmless to repeat. */
int xs_transport_open(void);

/* Moves at least one byte, up to size; waits for it if `block`, otherwise -EAGAIN. Other errors are final. */
ssize_t xs_transport_read(void *buffer, size_t size, bool block);

/* Writes all of it; returns size or a negative errno value. */
ssize_t xs_transport_write(const void *buffer, size_t size);

#endif
