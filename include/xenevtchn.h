/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Event channels from programs: source-compatible with the Xen project's libxenevtchn 1.2. Every function answers -1
 * (or NULL) and sets errno on failure. A port that fired stays masked from xenevtchn_pending to xenevtchn_unmask.
 */
#ifndef XENEVTCHN_H
#define XENEVTCHN_H

#include <stdint.h>
#include <abi/event_channel.h>

#ifdef __cplusplus
extern "C" {
#endif

struct xentoollog_logger;

typedef int xenevtchn_port_or_error_t;
typedef struct xenevtchn_handle xenevtchn_handle;

/* Open flag; accepted and without meaning here, where nothing is ever executed. */
#define XENEVTCHN_NO_CLOEXEC (1 << 0)

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger, unsigned int flags);

/* Takes over a descriptor of xenevtchn_fd; EINVAL for any other number. */
xenevtchn_handle *xenevtchn_fdopen(struct xentoollog_logger *logger, int fd, unsigned open_flags);

/* Unbinds every port of the handle. */
int xenevtchn_close(xenevtchn_handle *xce);

/* A number that names the handle; it waits through pv/evtchn_wait.h, not poll(). */
int xenevtchn_fd(xenevtchn_handle *xce);

int xenevtchn_notify(xenevtchn_handle *xce, evtchn_port_t port);
xenevtchn_port_or_error_t xenevtchn_bind_unbound_port(xenevtchn_handle *xce, uint32_t domid);
xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *xce, uint32_t domid, evtchn_port_t remote_port);
xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle *xce, unsigned int virq);
int xenevtchn_unbind(xenevtchn_handle *xce, evtchn_port_t port);

/* Waits for the next port of this handle to fire and returns it, masked. */
xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *xce);
int xenevtchn_unmask(xenevtchn_handle *xce, evtchn_port_t port);

/* From now on only this remote domain may be bound to. */
int xenevtchn_restrict(xenevtchn_handle *xce, domid_t domid);

#ifdef __cplusplus
}
#endif
#endif
