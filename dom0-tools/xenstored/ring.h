/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A guest's ring page. The guest can write anything to it at any time, so each index is read exactly once, checked, and
 * used from the copy.
 */
#ifndef XENSTORED_RING_H
#define XENSTORED_RING_H

#include <stdbool.h>
#include <stdint.h>

#include <abi/io/xs_wire.h>

struct client;

/* A ring as the server finds or leaves it at the start: features announced, no error. */
void ring_open(struct xenstore_domain_interface *ring);

/* True once if the guest asks to begin anew: the ring is empty then and the client's state is to be dropped. */
bool ring_wants_reconnect(const struct xenstore_domain_interface *ring);
void ring_reconnect(struct xenstore_domain_interface *ring);

/* Tells the guest why nobody answers any more. */
void ring_shut(struct xenstore_domain_interface *ring, uint32_t error);

/*
 * Moves requests from the ring to the client, at most `limit` whole ones, or output from the client to the ring.
 * Returns an XENSTORE_ERROR_* code; `*moved` is set when an index changed and the guest is to be notified. `*more` is
 * set when the limit cut off further work.
 */
uint32_t ring_pull(struct xenstore_domain_interface *ring, struct client *client, unsigned int limit, bool *moved,
                   bool *more);
uint32_t ring_push(struct xenstore_domain_interface *ring, struct client *client, bool *moved);

#endif
