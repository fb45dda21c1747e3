/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * One hand-over, from the offer on. The sender's copy is the domain until it says COMMIT. From there until it hears
 * RUNNING or FAILED it does not know, and its copy stays suspended. The receiver's copy is whole from COMPLETE on and
 * stays paused until it hears COMMIT. Whoever is cut off while it does not know keeps its copy and a record:
 * handover_settle.c. Each change of state comes before the message that tells of it.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "records.h"

static void explain(struct stream_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void explain(struct stream_error *error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(error->text, sizeof(error->text), format, arguments);
    va_end(arguments);
}

/* Why nothing came of a message: the peer's words if it had some. */
static void explain_answer(struct stream_error *error, const struct channel *channel, int rc,
                           const struct message *answer, const char *wanted)
{
    if (rc == -EINTR)
        explain(error, "cancelled");
    else if (rc == -EPROTO)
        explain(error, "%s: the other host broke the protocol where \"%s\" was due", channel->name, wanted);
    else if (rc != 0)
        explain(error, "%s: the connection was lost where \"%s\" was due (%s)", channel->name, wanted, strerror(-rc));
    else if (answer->type == MESSAGE_REFUSED || answer->type == MESSAGE_FAILED || answer->type == MESSAGE_ABORTED)
        snprintf(error->text, sizeof(error->text), "%s: the other host says: %.200s", channel->name, answer->words);
    else
        explain(error, "%s: the other host said \"%s\" where \"%s\" was due", channel->name, message_name(answer->type),
                wanted);
}

static int say_hello(const struct handover_host *host, struct channel *channel)
{
    struct message_hello hello = {.magic = MESSAGE_MAGIC, .version = MESSAGE_VERSION};

    memcpy(hello.incarnation, host->incarnation, sizeof(hello.incarnation));
    return message_write(&channel->out, MESSAGE_HELLO, &hello, sizeof(hello));
}

static bool hello_fits(const struct message *message)
{
    return message->type == MESSAGE_HELLO && message->hello.magic == MESSAGE_MAGIC &&
           message->hello.version == MESSAGE_VERSION;
}

static bool hello(const struct handover_host *host, struct channel *channel, uint8_t *peer, struct stream_error *error)
{
    struct message answer = {.type = 0};
    int rc = say_hello(host, channel);

    if (rc == 0)
        rc = message_read(&channel->in, &answer);
    if (rc != 0 || !hello_fits(&answer)) {
        explain_answer(error, channel, rc, &answer, "hello");
        return false;
    }
    memcpy(peer, answer.hello.incarnation, HANDOVER_ID_SIZE);
    return true;
}

int hello_ask(struct handover_host *host, struct channel *channel, uint8_t *peer)
{
    struct stream_error error;

    return hello(host, channel, peer, &error) ? 0 : -EPROTO;
}

/* The next message. A peer that is not waited for any longer is told so. */
static int hear(struct channel *channel, struct message *answer)
{
    int rc = message_read(&channel->in, answer);

    if (rc == -EINTR)
        (void)message_say(&channel->out, MESSAGE_ABORTED, "cancelled");
    return rc;
}

static bool offer_accepted(const struct handover_record *record, struct channel *channel,
                           const struct handover_offer *offer, struct stream_error *error)
{
    struct message_offer body = {.memory_kib = offer->memory_kib,
                                 .vcpus = offer->vcpus,
                                 .flags = (offer->paused ? OFFER_PAUSED : 0) | (offer->asked ? OFFER_ASKED : 0)};
    struct message answer = {.type = 0};
    int rc;

    memcpy(body.transaction, offer->transaction, sizeof(body.transaction));
    memcpy(body.name, offer->name, sizeof(body.name));
    rc = message_write(&channel->out, MESSAGE_OFFER, &body, sizeof(body));
    if (rc == 0)
        rc = hear(channel, &answer);
    if (rc == 0 && answer.type == MESSAGE_ACCEPTED && record_meant(record, &answer))
        return true;
    explain_answer(error, channel, rc, &answer, "accepted");
    return false;
}

/* The stream and SENT. On failure the receiver is told, if it can be. */
static bool stream_sent(struct handover_record *record, struct channel *channel, struct stream_error *error)
{
    struct data_sink data;
    bool good = data_sink_start(&data, &channel->out);
    int rc;

    if (!good)
        explain(error, "%s: there is no memory for its buffer", channel->name);
    else
        good = record->sender.send(record->sender.own, &data.sink, error) == 0;
    if (good && (rc = data_sink_end(&data)) != 0) {
        explain(error, "%s: the connection was lost at the end of the stream (%s)", channel->name, strerror(-rc));
        good = false;
    }
    if (data.failed == -EINTR)
        explain(error, "cancelled");
    if (!good && data.failed == 0)
        (void)message_say(&channel->out, MESSAGE_ABORTED, error->text);
    data_sink_free(&data);
    return good;
}

static bool heard_complete(struct handover_record *record, struct channel *channel, struct stream_error *error)
{
    struct message answer = {.type = 0};
    int rc = hear(channel, &answer);

    if (rc == 0 && answer.type == MESSAGE_COMPLETE && record_meant(record, &answer))
        return true;
    explain_answer(error, channel, rc, &answer, "complete");
    return false;
}

/* The domain is the receiver's, if it hears this. */
static enum handover_outcome commit(struct handover_record *record, struct channel *channel, struct stream_error *error)
{
    struct message answer = {.type = 0};
    int rc;

    record->state = HANDOVER_DOUBT;
    channel->unwanted = NULL; /* who stops waiting now only comes to be in doubt */
    rc = record_say(record, channel, MESSAGE_COMMIT);
    if (rc == 0)
        rc = message_read(&channel->in, &answer);
    if (rc == 0 && answer.type == MESSAGE_RUNNING && record_meant(record, &answer)) {
        record->sender.destroy(record->sender.own);
        (void)record_say(record, channel, MESSAGE_DONE);
        return HANDOVER_MOVED;
    }
    explain_answer(error, channel, rc, &answer, "running");
    return rc == 0 && answer.type == MESSAGE_FAILED ? HANDOVER_KEPT : HANDOVER_IN_DOUBT;
}

static enum handover_outcome transfer(struct handover_record *record, struct channel *channel,
                                      struct stream_error *error)
{
    enum handover_outcome outcome = HANDOVER_KEPT;

    if (stream_sent(record, channel, error) && heard_complete(record, channel, error))
        outcome = commit(record, channel, error);
    if (outcome == HANDOVER_KEPT)
        (void)record->sender.resume(record->sender.own);
    return outcome;
}

enum handover_outcome handover_send(struct handover_host *host, struct channel *channel,
                                    const struct handover_offer *offer, const struct handover_sender *sender,
                                    struct stream_error *error)
{
    struct handover_record *record = record_new(host, offer, channel->name, HANDOVER_SENDING);
    enum handover_outcome outcome = HANDOVER_KEPT;

    if (record == NULL) {
        explain(error, "%s: there is no room for one more hand-over; %u may be unsettled", channel->name, RECORDS_MAX);
        return HANDOVER_KEPT;
    }
    record->sender = *sender;
    if (hello(host, channel, record->peer, error) && offer_accepted(record, channel, offer, error))
        outcome = transfer(record, channel, error);
    if (outcome == HANDOVER_IN_DOUBT)
        record->busy = false;
    else
        record_forget(host, record);
    return outcome;
}

int handover_ask(const struct handover_host *host, struct channel *channel, const struct handover_offer *offer,
                 struct stream_error *error)
{
    struct handover_record question = {.state = HANDOVER_SENDING}; /* which nobody remembers */

    memcpy(question.transaction, offer->transaction, sizeof(question.transaction));
    return hello(host, channel, question.peer, error) && offer_accepted(&question, channel, offer, error) ? 0 : -1;
}

/* The words for a stream that ended well for its reader and yet not as it must. */
static int end_of_stream(struct data_source *data, struct channel *channel, struct stream_error *error)
{
    uint64_t more;
    int rc = data_source_drain(data, &more);

    if (rc != 0)
        explain_answer(error, channel, rc == -ECANCELED ? 0 : rc, &data->last, "sent");
    else if (more != 0)
        explain(error, "%s: %llu bytes follow the end of the saved domain", channel->name, (unsigned long long)more);
    return rc != 0 || more != 0 ? -1 : 0;
}

/* What is left after a failure is read over, so that the sender comes to hear of it. */
static bool stream_received(struct handover_record *record, struct channel *channel, struct stream_error *error)
{
    struct data_source data;
    uint64_t more;

    data_source_start(&data, &channel->in);
    if (record->receiver.receive(record->receiver.own, &data.source, error) == 0 &&
        end_of_stream(&data, channel, error) == 0)
        return true;
    if (data.failed == -ECANCELED)
        explain_answer(error, channel, 0, &data.last, "sent");
    record->receiver.discard(record->receiver.own);
    if (data_source_drain(&data, &more) == 0)
        (void)message_say(&channel->out, MESSAGE_FAILED, error->text);
    return false;
}

/* COMMIT was heard. */
static enum handover_outcome go_live(struct handover_host *host, struct handover_record *record,
                                     struct channel *channel, struct stream_error *error)
{
    if (record->receiver.activate(record->receiver.own, error) != 0) {
        record->receiver.discard(record->receiver.own);
        record_forget(host, record);
        (void)message_say(&channel->out, MESSAGE_FAILED, error->text);
        return HANDOVER_KEPT;
    }
    record->state = HANDOVER_LIVE;
    if (record_say(record, channel, MESSAGE_RUNNING) == 0 && record_hear(record, channel, MESSAGE_DONE) == 0)
        record_forget(host, record);
    else
        record->busy = false;
    return HANDOVER_MOVED;
}

/* Whole and paused; only the sender knows whether it is ours. */
static enum handover_outcome await_commit(struct handover_host *host, struct handover_record *record,
                                          struct channel *channel, struct stream_error *error)
{
    struct message answer = {.type = 0};
    int rc;

    record->state = HANDOVER_COMPLETE;
    rc = record_say(record, channel, MESSAGE_COMPLETE);
    if (rc == 0)
        rc = message_read(&channel->in, &answer);
    if (rc == 0 && answer.type == MESSAGE_COMMIT && record_meant(record, &answer))
        return go_live(host, record, channel, error);
    explain_answer(error, channel, rc, &answer, "commit");
    if (rc != 0 || answer.type != MESSAGE_ABORTED) {
        record->busy = false;
        return HANDOVER_IN_DOUBT;
    }
    record->receiver.discard(record->receiver.own);
    record_forget(host, record);
    return HANDOVER_KEPT;
}

static bool read_offer(const struct message *message, struct handover_offer *offer)
{
    *offer = (struct handover_offer){.memory_kib = message->offer.memory_kib,
                                     .vcpus = message->offer.vcpus,
                                     .paused = (message->offer.flags & OFFER_PAUSED) != 0,
                                     .asked = (message->offer.flags & OFFER_ASKED) != 0};
    memcpy(offer->transaction, message->offer.transaction, sizeof(offer->transaction));
    memcpy(offer->name, message->offer.name, sizeof(offer->name));
    for (size_t i = 0; i < sizeof(offer->name) && offer->name[i] != '\0'; i++)
        if (offer->name[i] <= ' ' || offer->name[i] > '~')
            return false;
    return memchr(offer->name, '\0', sizeof(offer->name)) != NULL && offer->name[0] != '\0' &&
           (message->offer.flags & ~(OFFER_PAUSED | OFFER_ASKED)) == 0;
}

static enum handover_outcome refuse(struct channel *channel, const struct stream_error *error)
{
    (void)message_say(&channel->out, MESSAGE_REFUSED, error->text);
    return HANDOVER_KEPT;
}

static bool prepared(struct handover_record *record, const struct handover_receiver *receiver,
                     const struct handover_offer *offer, struct stream_error *error)
{
    if (record == NULL) {
        explain(error, "there is no room for one more hand-over; %u may be unsettled", RECORDS_MAX);
        return false;
    }
    record->receiver = *receiver;
    return receiver->prepare(receiver->own, offer, error) == 0;
}

static enum handover_outcome take_offer(struct handover_host *host, struct channel *channel,
                                        const struct message *message, const uint8_t *peer,
                                        const struct handover_receiver *receiver, struct stream_error *error)
{
    struct handover_record *record;
    struct handover_offer offer;

    if (!read_offer(message, &offer) || record_of(host, offer.transaction, false) != NULL) {
        explain(error, "%s: the offer has no proper name, or is one that was made before", channel->name);
        return refuse(channel, error);
    }
    if (receiver == NULL) {
        explain(error, "no domain is expected here; migrate-receive expects one");
        return refuse(channel, error);
    }
    record = record_new(host, &offer, channel->name, HANDOVER_RECEIVING);
    if (!prepared(record, receiver, &offer, error)) {
        if (record != NULL)
            record_forget(host, record);
        return refuse(channel, error);
    }
    memcpy(record->peer, peer, sizeof(record->peer));
    if (record_say(record, channel, MESSAGE_ACCEPTED) == 0 && !offer.asked && stream_received(record, channel, error))
        return await_commit(host, record, channel, error);
    record_forget(host, record);
    return offer.asked ? HANDOVER_TALKED : HANDOVER_KEPT;
}

enum handover_outcome handover_receive(struct handover_host *host, struct channel *channel,
                                       const struct handover_receiver *receiver, struct stream_error *error)
{
    struct message message = {.type = 0};
    uint8_t peer[HANDOVER_ID_SIZE];
    int rc = message_read(&channel->in, &message);

    if (rc != 0 || !hello_fits(&message) || say_hello(host, channel) != 0) {
        explain_answer(error, channel, rc, &message, "hello");
        return HANDOVER_TALKED;
    }
    memcpy(peer, message.hello.incarnation, sizeof(peer));
    while ((rc = message_read(&channel->in, &message)) == 0) {
        if (message.type == MESSAGE_OFFER)
            return take_offer(host, channel, &message, peer, receiver, error);
        if (message.type != MESSAGE_REPORT)
            break;
        settle_as_responder(host, channel, &message, peer);
    }
    explain_answer(error, channel, rc, &message, "offer");
    return HANDOVER_TALKED;
}
