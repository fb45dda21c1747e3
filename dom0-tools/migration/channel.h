/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Channels to other hosts and to this one, by name, and the threads that answer what comes in by them.
 */
#ifndef MIGRATION_CHANNEL_H
#define MIGRATION_CHANNEL_H

#include "handover.h"

/* This host, as the peers know it. */
extern struct handover_host handover_self;

/*
 * Who takes domains that arrive. `start` gives a receiver for one domain, which `finish` takes back after the
 * conversation unless it was left in doubt (then the receiver's `settled` is the last call). False with the error: this
 * host takes none now.
 */
struct channel_acceptor {
    bool (*start)(struct handover_receiver *receiver, struct stream_error *error);
    void (*finish)(struct handover_receiver *receiver, enum handover_outcome outcome, const struct stream_error *error);
};

/* Where domains that arrive go; before this is called they are refused. */
void channel_accept(const struct channel_acceptor *acceptor);

/*
 * A conversation with the host behind "localhost" (this one), or a link of the machine ("link0"). NULL with the error:
 * there is no such link, or nobody answers. To be closed with channel->close.
 */
struct channel *channel_open(const char *name, struct stream_error *error);

/* Starts the thread of each link that answers it and settles what is in doubt. 0 or a negative errno. */
int channel_start(void);

/* Two ends of a pipe in this program, each for one thread. False: memory is short. */
bool channel_pair(struct channel *ends[2], const char *name);

#endif
