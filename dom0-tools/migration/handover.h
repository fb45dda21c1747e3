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

/* What the receiver must know before the source stops for anything. */
struct handover_offer {
    uint8_t transaction[16];
    uint64_t memory_kib;
    unsigned int vcpus;
    char name[64];
};

struct handover_sender {
    void *own;
    int (*send)(void *own, const struct byte_sink *sink, struct stream_error *error); /* the stream; ends suspended */
    int (*resume)(void *own);                                                         /* our copy goes on */
    void (*destroy)(void *own);                                                       /* the other copy runs */
};

struct handover_receiver {
    void *own;
    int (*prepare)(void *own, const struct handover_offer *offer, struct stream_error *error); /* memory, name: free? */
    int (*receive)(void *own, const struct byte_source *source, struct stream_error *error);   /* ends paused */
    int (*activate)(void *own, struct stream_error *error);
    void (*discard)(void *own);
};

enum handover_outcome {
    HANDOVER_MOVED,    /* the copy at the receiver runs */
    HANDOVER_KEPT,     /* the copy at the sender runs */
    HANDOVER_IN_DOUBT, /* neither runs: settled when the two talk again (handover_settle) or by the user's word */
};

enum handover_outcome handover_send(struct channel *channel, const struct handover_offer *offer,
                                    const struct handover_sender *sender, struct stream_error *error);
enum handover_outcome handover_receive(struct channel *channel, const struct handover_receiver *receiver,
                                       struct stream_error *error);

#endif
