/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Which of two hosts has the domain: the messages around the stream, for both sides of a channel. At most one copy runs at
 * any time; after every cut of the channel, and after the loss of either host, exactly one is left once the two have
 * talked again or one of them is known to have lost its memory. The model is tests/model/handover.pml.
 */
#ifndef MIGRATION_HANDOVER_H
#define MIGRATION_HANDOVER_H

#include "dom0-tools/stream/stream.h"

#define HANDOVER_ID_SIZE   16
#define HANDOVER_NAME_SIZE 64
#define HANDOVER_LINK_SIZE 32

/* What the receiver must know before the source stops for anything. */
struct handover_offer {
    uint8_t transaction[HANDOVER_ID_SIZE]; /* random: handover_random makes one */
    uint64_t memory_kib;
    unsigned int vcpus;
    bool paused; /* it is not to run there until somebody says so */
    bool asked;  /* only whether it could come */
    char name[HANDOVER_NAME_SIZE];
};

enum handover_outcome {
    HANDOVER_MOVED,    /* the copy at the receiver runs */
    HANDOVER_KEPT,     /* the copy at the sender runs */
    HANDOVER_IN_DOUBT, /* neither runs: settled when the two talk again (handover_settle) or by the user's word */
    HANDOVER_TALKED,   /* of handover_receive: the peer only asked, about earlier ones or one that might come */
};

/*
 * What a side does with its copy. Any thread that talks to the peer may call these, one at a time. A side that was left in
 * doubt hears `settled` when it no longer is, as the last call with this `own`; it may be NULL.
 */
struct handover_sender {
    void *own;
    int (*send)(void *own, const struct byte_sink *sink, struct stream_error *error); /* the stream; ends suspended */
    int (*resume)(void *own);   /* our copy goes on; also when send failed before it had suspended anything */
    void (*destroy)(void *own); /* the other copy runs */
    void (*settled)(void *own, enum handover_outcome outcome);
};

struct handover_receiver {
    void *own;
    int (*prepare)(void *own, const struct handover_offer *offer,
                   struct stream_error *error); /* memory and name: free? Keeps nothing */
    int (*receive)(void *own, const struct byte_source *source, struct stream_error *error); /* ends paused */
    int (*activate)(void *own, struct stream_error *error); /* on failure, discard is called */
    void (*discard)(void *own);                             /* also after receive failed; not after prepare failed */
    void (*settled)(void *own, enum handover_outcome outcome);
};

/* What this host remembers of a hand-over that is under way or in doubt. */
enum handover_state {
    HANDOVER_SENDING,   /* ours runs or will again */
    HANDOVER_DOUBT,     /* ours is suspended, "yours" was said and no answer seen */
    HANDOVER_GIVEN,     /* ours was destroyed by the user's word */
    HANDOVER_RECEIVING, /* ours is in the making */
    HANDOVER_COMPLETE,  /* ours is whole and paused, "yours" was not heard */
    HANDOVER_LIVE,      /* ours runs, and the sender may not know it yet */
};

struct handover_record {
    struct handover_record *next;
    uint8_t transaction[HANDOVER_ID_SIZE], peer[HANDOVER_ID_SIZE]; /* of the peer: its incarnation */
    char name[HANDOVER_NAME_SIZE], link[HANDOVER_LINK_SIZE];
    enum handover_state state;
    bool busy; /* a thread is talking about it */
    struct handover_sender sender;
    struct handover_receiver receiver;
};

/* One boot of one host. */
struct handover_host {
    uint8_t incarnation[HANDOVER_ID_SIZE];
    struct handover_record *records;
};

void handover_host_start(struct handover_host *host);
void handover_random(uint8_t id[HANDOVER_ID_SIZE]);

/* Neither closes the channel. A sender in doubt keeps its copy suspended until it hears `settled`. */
enum handover_outcome handover_send(struct handover_host *host, struct channel *channel,
                                    const struct handover_offer *offer, const struct handover_sender *sender,
                                    struct stream_error *error);

/* Whether the peer would take it; nothing is sent. 0, or -1 with the error. */
int handover_ask(const struct handover_host *host, struct channel *channel, const struct handover_offer *offer,
                 struct stream_error *error);

/* Answers one conversation that the peer began. Without a receiver, offers are refused and questions answered. */
enum handover_outcome handover_receive(struct handover_host *host, struct channel *channel,
                                       const struct handover_receiver *receiver, struct stream_error *error);

/* Asks the peer about everything that is unsettled on a channel of this name; how much still is. */
unsigned int handover_settle(struct handover_host *host, struct channel *channel);
unsigned int handover_unsettled(const struct handover_host *host, const char *link);

/* Whether this domain is in doubt here; NULL: it is not. */
const struct handover_record *handover_in_doubt(const struct handover_host *host, const char *name);

/* The user's word for a peer that never comes back: our copy runs, or goes. 0, or -1 with the error. */
int handover_decide(struct handover_host *host, const char *name, bool keep, struct stream_error *error);

#endif
