/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Domains coming and going: making one from its configuration, ending one, and what happens when one ends by itself
 * (on_poweroff, on_reboot, on_crash, on_watchdog), which a thread of its own watches over.
 */
#ifndef VANE_LIFECYCLE_H
#define VANE_LIFECYCLE_H

#include "domains.h"

/*
 * Makes and starts (or leaves paused) a domain. The configuration is taken over when it succeeds. NULL with the error
 * set, and nothing left behind, when it does not.
 */
struct domain_record *create_domain(struct vane *vane, struct domain_config *config, bool paused,
                                    struct build_error *error);

/* What its configuration says about shadow page tables, before it runs. 0, or -1 with the error. */
int shadow_domain(struct vane *vane, domid_t domid, const struct domain_config *config, struct build_error *error);

/* Ends a domain at once and takes away everything that belonged to it. 0, or -1 with errno. */
int destroy_domain(struct vane *vane, domid_t domid);

/* Checks a configuration and its files without making anything. 0, or -1 with the error. */
int plan_domain(struct vane *vane, const struct domain_config *config, struct build_plan *plan,
                struct build_error *error);

/* A random UUID. */
void make_uuid(uint8_t uuid[16]);

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
