/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the files that run the daemon on guest-pv share.
 */
#ifndef XENSTORED_DAEMON_H
#define XENSTORED_DAEMON_H

#include "xenstored.h"

extern struct xenstored daemon_instance;
extern bool daemon_running;

/* Output was made, or a domain became runnable, outside of the daemon's own thread. */
void daemon_kick(void);

/* Opens what platform.c needs: 0 or a negative errno value. */
int platform_start(void);

struct xenevtchn_handle;
extern struct xenevtchn_handle *platform_evtchn;

#endif
