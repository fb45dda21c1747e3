/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Waiting for event channels taken through include/xenevtchn.h: what poll() on xenevtchn_fd() is on other systems.
 */
#ifndef PV_EVTCHN_WAIT_H
#define PV_EVTCHN_WAIT_H

#include <stdbool.h>
#include <stdint.h>
#include <xenevtchn.h>
#include <pv/threads.h>

/* True when xenevtchn_pending would return a port without waiting. */
bool xenevtchn_is_pending(xenevtchn_handle *xce);

/* Waits until then; false when the deadline (time_monotonic_ns) passed first. */
bool xenevtchn_wait_until(xenevtchn_handle *xce, uint64_t deadline_ns);

/* The queue woken on each new event of the handle, to wait on several things. */
struct waitq *xenevtchn_waitq(xenevtchn_handle *xce);

#endif
