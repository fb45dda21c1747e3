/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Two hosts that were cut off talk again. Whoever opens the channel reports what it has of each unsettled hand-over, the
 * other what it has; then the sender decides and the receiver obeys. A sender in doubt takes its copy back unless the
 * receiver's runs, and only after the receiver has destroyed its own. A receiver whose sender has no record left obeys
 * what that means: in the same incarnation the sender's copy went on; in a later one it is lost, and ours goes live.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "records.h"

static bool same_id(const uint8_t *one, const uint8_t *other)
{
    return memcmp(one, other, HANDOVER_ID_SIZE) == 0;
}

static enum report report_of(const struct handover_record *record)
{
    if (record == NULL)
        return REPORT_NOTHING;
    if (record->busy)
        return REPORT_BUSY;
    switch (record->state) {
    case HANDOVER_DOUBT:
        return REPORT_DOUBT;
    case HANDOVER_GIVEN:
        return REPORT_GIVEN;
    case HANDOVER_COMPLETE:
        return REPORT_COMPLETE;
    case HANDOVER_LIVE:
        return REPORT_RUNNING;
    default:
        return REPORT_BUSY;
    }
}

static void take_back(struct handover_host *host, struct handover_record *record)
{
    (void)record->sender.resume(record->sender.own);
    record_settled(host, record, HANDOVER_KEPT);
}

static void let_go(struct handover_host *host, struct handover_record *record, struct channel *channel)
{
    if (record->state == HANDOVER_DOUBT)
        record->sender.destroy(record->sender.own);
    (void)record_say(record, channel, MESSAGE_DONE);
    if (record->state == HANDOVER_DOUBT)
        record_settled(host, record, HANDOVER_MOVED);
    else
        record_forget(host, record);
}

/* The receiver has a whole copy that does not run. */
static void decide_paused(struct handover_host *host, struct handover_record *record, struct channel *channel)
{
    bool give = record->state == HANDOVER_GIVEN;
    int rc = record_say(record, channel, give ? MESSAGE_COMMIT : MESSAGE_DISCARD);

    if (rc == 0)
        rc = record_hear(record, channel, give ? MESSAGE_RUNNING : MESSAGE_DISCARDED);
    if (rc != 0)
        record->busy = false;
    else if (give)
        let_go(host, record, channel);
    else
        take_back(host, record);
}

static void sender_decides(struct handover_host *host, struct handover_record *record, struct channel *channel,
                           uint32_t report)
{
    if (report == REPORT_RUNNING)
        let_go(host, record, channel);
    else if (report == REPORT_COMPLETE)
        decide_paused(host, record, channel);
    else if (report == REPORT_NOTHING && record->state == HANDOVER_DOUBT)
        take_back(host, record);
    else if (report == REPORT_NOTHING)
        record_forget(host, record);
    else
        record->busy = false;
}

static void give_up(struct handover_host *host, struct handover_record *record)
{
    record->receiver.discard(record->receiver.own);
    record_settled(host, record, HANDOVER_KEPT);
}

/* True: it runs, and the record is that of a live one. Otherwise it was discarded, with the record. */
static bool go_live(struct handover_host *host, struct handover_record *record, struct stream_error *error)
{
    if (record->receiver.activate(record->receiver.own, error) != 0) {
        give_up(host, record);
        return false;
    }
    record->state = HANDOVER_LIVE;
    if (record->receiver.settled != NULL)
        record->receiver.settled(record->receiver.own, HANDOVER_MOVED);
    record->receiver.settled = NULL;
    return true;
}

static void go_live_and_tell(struct handover_host *host, struct handover_record *record, struct channel *channel)
{
    struct stream_error error = {.text = ""};

    if (!go_live(host, record, &error))
        (void)message_say(&channel->out, MESSAGE_FAILED, error.text);
    else if (record_say(record, channel, MESSAGE_RUNNING) == 0 && record_hear(record, channel, MESSAGE_DONE) == 0)
        record_forget(host, record);
    else
        record->busy = false;
}

/* The sender knows nothing of it. */
static void sender_has_nothing(struct handover_host *host, struct handover_record *record, const uint8_t *peer)
{
    struct stream_error error;

    if (record->state == HANDOVER_LIVE)
        record_forget(host, record);
    else if (same_id(record->peer, peer))
        give_up(host, record);
    else if (go_live(host, record, &error))
        record_forget(host, record);
}

static void receiver_obeys(struct handover_host *host, struct handover_record *record, struct channel *channel,
                           const uint8_t *peer)
{
    struct message order;
    bool paused = record->state == HANDOVER_COMPLETE;

    if (message_read(&channel->in, &order) != 0 || !record_meant(record, &order)) {
        record->busy = false;
    } else if (order.type == MESSAGE_DISCARD && paused) {
        record->receiver.discard(record->receiver.own);
        (void)record_say(record, channel, MESSAGE_DISCARDED);
        record_settled(host, record, HANDOVER_KEPT);
    } else if (order.type == MESSAGE_COMMIT && paused) {
        go_live_and_tell(host, record, channel);
    } else if (order.type == MESSAGE_DONE && !paused) {
        record_forget(host, record);
    } else if (order.type == MESSAGE_REPORT && order.about.report == REPORT_NOTHING) {
        sender_has_nothing(host, record, peer);
    } else {
        record->busy = false;
    }
}

static bool is_report_of_sender(uint32_t report)
{
    return report == REPORT_DOUBT || report == REPORT_GIVEN;
}

void settle_as_responder(struct handover_host *host, struct channel *channel, const struct message *report,
                         const uint8_t *peer)
{
    bool we_send = !is_report_of_sender(report->about.report);
    struct handover_record *record = record_of(host, report->about.transaction, we_send);
    enum report ours = report_of(record);

    if (ours == REPORT_NOTHING || ours == REPORT_BUSY) {
        (void)record_report(report->about.transaction, channel, ours);
        return;
    }
    record->busy = true;
    if (we_send)
        sender_decides(host, record, channel, report->about.report);
    else if (record_report(record->transaction, channel, ours) == 0)
        receiver_obeys(host, record, channel, peer);
    else
        record->busy = false;
}

static void ask(struct handover_host *host, struct handover_record *record, struct channel *channel,
                const uint8_t *peer)
{
    enum report ours = report_of(record);
    struct message answer;

    record->busy = true;
    if (record_report(record->transaction, channel, ours) != 0) {
        record->busy = false;
    } else if (!record_sends(record)) {
        receiver_obeys(host, record, channel, peer);
    } else if (message_read(&channel->in, &answer) == 0 && answer.type == MESSAGE_REPORT &&
               record_meant(record, &answer)) {
        sender_decides(host, record, channel, answer.about.report);
    } else {
        record->busy = false;
    }
}

unsigned int handover_settle(struct handover_host *host, struct channel *channel)
{
    uint8_t done[RECORDS_MAX][HANDOVER_ID_SIZE], peer[HANDOVER_ID_SIZE];
    unsigned int count = 0;
    struct handover_record *record;

    if (handover_unsettled(host, channel->name) == 0 || hello_ask(host, channel, peer) != 0)
        return handover_unsettled(host, channel->name);
    while (count < RECORDS_MAX) {
        for (record = host->records; record != NULL; record = record->next) {
            unsigned int i = 0;

            while (i < count && !same_id(done[i], record->transaction))
                i++;
            if (i == count && record_unsettled(record) && !record->busy && strcmp(record->link, channel->name) == 0)
                break;
        }
        if (record == NULL)
            break;
        memcpy(done[count++], record->transaction, HANDOVER_ID_SIZE);
        ask(host, record, channel, peer);
    }
    return handover_unsettled(host, channel->name);
}

static int refuse_word(struct stream_error *error, const char *name, const char *why)
{
    snprintf(error->text, sizeof(error->text), "%s: %s", name, why);
    return -1;
}

static int decide_ours(struct handover_host *host, struct handover_record *record, bool keep)
{
    if (keep) {
        take_back(host, record);
        return 0;
    }
    record->sender.destroy(record->sender.own);
    record->state = HANDOVER_GIVEN;
    record->busy = false;
    if (record->sender.settled != NULL)
        record->sender.settled(record->sender.own, HANDOVER_MOVED);
    record->sender = (struct handover_sender){.own = NULL};
    return 0;
}

int handover_decide(struct handover_host *host, const char *name, bool keep, struct stream_error *error)
{
    struct handover_record *record = host->records;

    while (record != NULL &&
           (strcmp(record->name, name) != 0 || (record->state != HANDOVER_DOUBT && record->state != HANDOVER_COMPLETE)))
        record = record->next;
    if (record == NULL)
        return refuse_word(error, name, "no hand-over of such a domain is in doubt here");
    if (record->busy)
        return refuse_word(error, name, "the other host is being asked at this moment; look again in a few seconds");
    record->busy = true;
    if (record_sends(record))
        return decide_ours(host, record, keep);
    if (!keep) {
        give_up(host, record);
        return 0;
    }
    if (!go_live(host, record, error))
        return -1;
    record->busy = false;
    return 0;
}
