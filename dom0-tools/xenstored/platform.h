/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the store daemon needs from below. Exactly one implementation is linked: the embedded dom0's, or a test's.
 */
#ifndef XENSTORED_PLATFORM_H
#define XENSTORED_PLATFORM_H

#include <stdbool.h>
#include <stdint.h>

#include <abi/io/xs_wire.h>

enum domain_state { DOMAIN_GONE, DOMAIN_RUNNING, DOMAIN_SHUTDOWN, DOMAIN_DYING };

void platform_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The state may be remembered until the next call of platform_domains_changed. */
enum domain_state platform_domain_state(unsigned int domid);
void platform_domains_changed(void);

/*
 * The domain's ring page, mapped writable: by its reserved grant, or else by frame number. NULL with errno set. What
 * comes back in `*how` is for unmapping.
 */
struct xenstore_domain_interface *platform_map_ring(unsigned int domid, unsigned long mfn, unsigned int *how);
void platform_unmap_ring(unsigned int domid, struct xenstore_domain_interface *ring, unsigned int how);

/* The local port of a fresh channel to a port that the domain left unbound for us; or a negative errno value. */
int platform_bind_port(unsigned int domid, unsigned int remote_port);
void platform_unbind_port(unsigned int port);
void platform_notify(unsigned int port);

#endif
