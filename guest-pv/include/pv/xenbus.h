/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * States of split drivers in the xenstore, on top of include/xenstore.h.
 */
#ifndef PV_XENBUS_H
#define PV_XENBUS_H

#include <abi/io/xenbus.h>
#include <pv/pv.h>

struct xs_handle;

/* printf-formatted write of one node below dir. */
int xenbus_printf(struct xs_handle *xs, const char *dir, const char *node, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Reads a number; -ENOENT when there is no such node, -EINVAL when it is not a number. */
int xenbus_read_long(struct xs_handle *xs, const char *dir, const char *node, long *value);

enum xenbus_state xenbus_read_state(struct xs_handle *xs, const char *dir);
int xenbus_switch_state(struct xs_handle *xs, const char *dir, enum xenbus_state state);

/* Waits until the state below dir is at least `state`; returns the state seen, -ETIMEDOUT at the deadline. */
int xenbus_wait_state(struct xs_handle *xs, const char *dir, enum xenbus_state state, uint64_t deadline_ns);

const char *xenbus_state_name(enum xenbus_state state);

#endif
