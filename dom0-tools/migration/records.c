/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The list of a host's unsettled hand-overs, and small talk about them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "records.h"

void handover_host_start(struct handover_host *host)
{
    *host = (struct handover_host){.records = NULL};
    handover_random(host->incarnation);
}

struct handover_record *record_new(struct handover_host *host, const struct handover_offer *offer, const char *link,
                                   enum handover_state state)
{
    struct handover_record *record;
    unsigned int count = 0;

    for (record = host->records; record != NULL; record = record->next)
        count++;
    record = count < RECORDS_MAX ? calloc(1, sizeof(*record)) : NULL;
    if (record == NULL)
        return NULL;
    memcpy(record->transaction, offer->transaction, sizeof(record->transaction));
    memcpy(record->name, offer->name, sizeof(record->name));
    strncpy(record->link, link, sizeof(record->link) - 1);
    record->state = state;
    record->busy = true;
    record->next = host->records;
    host->records = record;
    return record;
}

void record_forget(struct handover_host *host, struct handover_record *record)
{
    struct handover_record **at = &host->records;

    while (*at != record)
        at = &(*at)->next;
    *at = record->next;
    free(record);
}

struct handover_record *record_of(const struct handover_host *host, const uint8_t *transaction, bool sends)
{
    struct handover_record *record = host->records;

    while (record != NULL && (record_sends(record) != sends ||
                              memcmp(record->transaction, transaction, sizeof(record->transaction)) != 0))
        record = record->next;
    return record;
}

bool record_unsettled(const struct handover_record *record)
{
    return record->state != HANDOVER_SENDING && record->state != HANDOVER_RECEIVING;
}

unsigned int handover_unsettled(const struct handover_host *host, const char *link)
{
    unsigned int count = 0;

    for (const struct handover_record *record = host->records; record != NULL; record = record->next)
        count += record_unsettled(record) && strcmp(record->link, link) == 0;
    return count;
}

const struct handover_record *handover_in_doubt(const struct handover_host *host, const char *name)
{
    const struct handover_record *record = host->records;

    while (record != NULL &&
           (strcmp(record->name, name) != 0 || (record->state != HANDOVER_DOUBT && record->state != HANDOVER_COMPLETE)))
        record = record->next;
    return record;
}

void record_settled(struct handover_host *host, struct handover_record *record, enum handover_outcome outcome)
{
    bool sends = record_sends(record);
    void (*settled)(void *, enum handover_outcome) = sends ? record->sender.settled : record->receiver.settled;
    void *own = sends ? record->sender.own : record->receiver.own;

    record_forget(host, record);
    if (settled != NULL)
        settled(own, outcome);
}

int record_say(const struct handover_record *record, struct channel *channel, enum message_type type)
{
    struct message_about about = {.report = REPORT_NOTHING};

    memcpy(about.transaction, record->transaction, sizeof(about.transaction));
    return message_write(&channel->out, type, &about, sizeof(about));
}

int record_report(const uint8_t *transaction, struct channel *channel, enum report report)
{
    struct message_about about = {.report = report};

    memcpy(about.transaction, transaction, sizeof(about.transaction));
    return message_write(&channel->out, MESSAGE_REPORT, &about, sizeof(about));
}

bool record_meant(const struct handover_record *record, const struct message *message)
{
    return message->length == sizeof(message->about) &&
           memcmp(message->about.transaction, record->transaction, sizeof(record->transaction)) == 0;
}

int record_hear(const struct handover_record *record, struct channel *channel, enum message_type type)
{
    struct message message;
    int rc = message_read(&channel->in, &message);

    if (rc != 0)
        return rc;
    return message.type == type && record_meant(record, &message) ? 0 : -EPROTO;
}
