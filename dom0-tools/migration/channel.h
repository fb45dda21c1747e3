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
 * Who takes domains that arrive by a channel of this name. `start` gives a receiver for one domain; false: this host takes
 * none by it now. `finish` takes it back after the conversation, unless that left it in doubt: then it hears so, and the
 * receiver's `settled` is the last call.
 */
struct channel_acceptor {
    bool (*start)(const char *name, struct handover_receiver *receiver, struct stream_error *error);
    void (*finish)(const char *name, struct handover_receiver *receiver, enum handover_outcome outcome,
                   const struct stream_error *error);
};

/* Where domains that arrive go; before this is called they are refused. */
void channel_accept(const struct channel_acceptor *acceptor);

/*
 * A conversation with the host at the other end of a link of the machine ("link0"). NULL with the error: there is no such
 * link, nobody answers, or it became `unwanted` (which the channel keeps). To be closed with channel->close.
 */
struct channel *channel_open(const char *name, bool (*unwanted)(void), struct stream_error *error);

/* Whether there is such a link, or comes to be within a second of the machine's start. */
bool channel_known(const char *name);

/* Begins to answer at the machine's links, and to settle what is in doubt whenever one opens. */
void channel_start(void);

/* Serves one conversation that the peer began: what a host does at each of its channels. */
void channel_serve(struct channel *channel);

/* Two ends of a pipe in this program, each for one thread. False: memory is short. channel_pair.c */
bool channel_pair(struct channel *ends[2], const char *name);

/* A port of the machine as a link; it stays one for ever. channel_link.c */
struct serial_port;
struct link;
struct link *link_new(struct serial_port *port);
const char *link_name(const struct link *link);
struct channel *link_open(struct link *link, bool (*unwanted)(void), struct stream_error *error);
/* For the link's own thread: waits for a conversation that the peer began; NULL: the deadline (in ns) came first. */
struct channel *link_await(struct link *link, uint64_t deadline_ns);
bool link_is_up(const struct link *link);

#endif
