/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a host remembers of hand-overs, for the files that talk about them. A record that is busy belongs to the thread
 * that made it so; nobody else touches or removes it.
 */
#ifndef MIGRATION_RECORDS_H
#define MIGRATION_RECORDS_H

#include "message.h"

#define RECORDS_MAX 64u

/* Takes part in the conversation as what? Both may exist for one transaction: on a host that migrates to itself. */
static inline bool record_sends(const struct handover_record *record)
{
    return record->state <= HANDOVER_GIVEN;
}

/* Busy from the start. NULL: RECORDS_MAX are unsettled, or memory is short. */
struct handover_record *record_new(struct handover_host *host, const struct handover_offer *offer, const char *link,
                                   enum handover_state state);
void record_forget(struct handover_host *host, struct handover_record *record);
struct handover_record *record_of(const struct handover_host *host, const uint8_t *transaction, bool sends);
bool record_unsettled(const struct handover_record *record);

/* A copy that was in doubt no longer is. Tells its owner and forgets the record. */
void record_settled(struct handover_host *host, struct handover_record *record, enum handover_outcome outcome);

/* Says a message about the record's transaction. */
int record_say(const struct handover_record *record, struct channel *channel, enum message_type type);
int record_report(const uint8_t *transaction, struct channel *channel, enum report report);

/* The next message, which must be of this type and about this record. */
int record_hear(const struct handover_record *record, struct channel *channel, enum message_type type);
bool record_meant(const struct handover_record *record, const struct message *message);

/* What the parts of a settling do, after one side has reported; the record is busy. handover_settle.c */
void settle_as_responder(struct handover_host *host, struct channel *channel, const struct message *report,
                         const uint8_t *peer);
int hello_ask(struct handover_host *host, struct channel *channel, uint8_t *peer);

#endif
