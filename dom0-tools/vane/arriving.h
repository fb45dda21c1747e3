/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Domains that come to this host over a channel: what the hand-over asks of the receiver.
 */
#ifndef VANE_ARRIVING_H
#define VANE_ARRIVING_H

#include "dom0-tools/migration/handover.h"
#include "moving.h"

/*
 * A receiver for one domain; `done` gets what came of it (once the hand-over is settled, which may be after the
 * conversation) and frees the receiver. False: memory is short.
 */
bool arriving_start(struct handover_receiver *receiver);
void arriving_finish(struct handover_receiver *receiver);

/* The number of the domain that arrived, and when it went on; 0 when none has. */
domid_t arriving_domid(const struct handover_receiver *receiver, uint64_t *running_ns);

/* A domain of this host that is about to go to this host: its copy may have its name and disks beside it. */
void arriving_expect_local(const uint8_t transaction[HANDOVER_ID_SIZE], domid_t source);

#endif
