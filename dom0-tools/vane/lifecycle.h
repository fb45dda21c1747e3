/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What happens when a domain ends by itself (on_poweroff, on_reboot, on_crash, on_watchdog), which a thread of its own
 * watches over, and what the user is told of it.
 */
#ifndef VANE_LIFECYCLE_H
#define VANE_LIFECYCLE_H

#include "domains.h"

/* Starts the thread that acts when domains end. */
int lifecycle_start(void);

/*
 * Looks at once whether some domain ended, without waiting for the thread. True: another thread is still acting on an
 * end, so what follows from it is not there yet.
 */
bool lifecycle_check(struct vane *vane);

/* What the thread did since the last call, one line each, for the user to read; NULL at the end. To be freed. */
char *lifecycle_notice(void);

/* Adds such a line: something happened behind the user's back. */
void lifecycle_tell(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
