/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The messages of a hand-over on a channel: a header of two little-endian words, type and length, then the body. The
 * saved domain travels in DATA messages, so that the sender can break off between any two. What the peer says is checked
 * against the limits here before it is used.
 */
#ifndef MIGRATION_MESSAGE_H
#define MIGRATION_MESSAGE_H

#include "handover.h"

#define MESSAGE_VERSION  1u
#define MESSAGE_MAGIC    0x56505648u /* "HVPV" in memory: another program at the other end is found out at once */
#define MESSAGE_BODY_MAX 512u
#define MESSAGE_DATA_MAX (1u << 20)

enum message_type {
    MESSAGE_HELLO = 1, /* magic, version, incarnation: both sides, the one who opened the channel first */
    MESSAGE_OFFER,     /* sender: a domain of this size */
    MESSAGE_ACCEPTED,  /* receiver: there is room */
    MESSAGE_REFUSED,   /* receiver: words */
    MESSAGE_DATA,      /* sender: a piece of the stream */
    MESSAGE_SENT,      /* sender: that was all of it, ours is suspended */
    MESSAGE_ABORTED,   /* sender: words; ours goes on */
    MESSAGE_COMPLETE,  /* receiver: ours is whole and paused */
    MESSAGE_FAILED,    /* receiver: words; we have none */
    MESSAGE_COMMIT,    /* sender: it is yours */
    MESSAGE_RUNNING,   /* receiver: ours runs */
    MESSAGE_DONE,      /* sender: ours is destroyed, forget it */
    MESSAGE_REPORT,    /* either, about an earlier hand-over: what we have, what do you? */
    MESSAGE_DISCARD,   /* sender, about an earlier one: we take ours back, destroy yours */
    MESSAGE_DISCARDED, /* receiver: we have none any more */
    MESSAGE_TYPES
};

/* The state in a REPORT. */
enum report {
    REPORT_NOTHING,  /* this incarnation has no copy */
    REPORT_BUSY,     /* another thread is at it: ask again */
    REPORT_DOUBT,    /* sender: suspended */
    REPORT_GIVEN,    /* sender: destroyed, it is yours */
    REPORT_COMPLETE, /* receiver: paused */
    REPORT_RUNNING,  /* receiver: runs */
    REPORTS
};

struct message_hello {
    uint32_t magic, version;
    uint8_t incarnation[HANDOVER_ID_SIZE];
};

/* The flags of an offer; others are refused. */
#define OFFER_PAUSED 1u
#define OFFER_ASKED  2u /* the conversation ends with the answer */

struct message_offer {
    uint8_t transaction[HANDOVER_ID_SIZE];
    uint64_t memory_kib;
    uint32_t vcpus, flags;
    char name[HANDOVER_NAME_SIZE];
};

struct message_about {
    uint8_t transaction[HANDOVER_ID_SIZE];
    uint32_t report, reserved;
};

struct message {
    uint32_t type, length;
    union {
        struct message_hello hello;
        struct message_offer offer;
        struct message_about about;
        char words[MESSAGE_BODY_MAX + 1]; /* printable, with a NUL behind */
        uint8_t bytes[MESSAGE_BODY_MAX + 1];
    };
};

const char *message_name(uint32_t type);

/* 0, or a negative errno: -EPIPE when the channel ended, -EPROTO when the peer breaks the rules above. */
int message_read(const struct byte_source *source, struct message *message);
int message_write(const struct byte_sink *sink, enum message_type type, const void *body, size_t size);
int message_say(const struct byte_sink *sink, enum message_type type, const char *words);

/* The stream as DATA messages, gathered into large ones; data_sink_end sends the rest and SENT. */
struct data_sink {
    const struct byte_sink *channel;
    uint8_t *buffer;
    size_t used;
    int failed;
    struct byte_sink sink;
};

bool data_sink_start(struct data_sink *data, const struct byte_sink *channel);
int data_sink_end(struct data_sink *data);
void data_sink_free(struct data_sink *data);

/* Reads as ended after SENT; -ECANCELED after ABORTED, whose words are then in `last`. */
struct data_source {
    const struct byte_source *channel;
    uint32_t left;
    bool ended;
    int failed;
    struct message last;
    struct byte_source source;
};

void data_source_start(struct data_source *data, const struct byte_source *channel);
/* Reads over what is left up to SENT: 0 and how much it was, or a negative errno. */
int data_source_drain(struct data_source *data, uint64_t *bytes);

#endif
