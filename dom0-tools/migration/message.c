/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Messages to and from bytes. Nothing of a message is believed before its type and length fit together.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"

#define HEADER_SIZE 8u
#define GATHER_SIZE ((64u << 10) - 32 - HEADER_SIZE) /* with a link's header in front, one of its largest frames */

static const struct {
    const char *name;
    uint32_t least, most; /* of the body */
} kinds[MESSAGE_TYPES] = {
    [MESSAGE_HELLO] = {"hello", sizeof(struct message_hello), sizeof(struct message_hello)},
    [MESSAGE_OFFER] = {"offer", sizeof(struct message_offer), sizeof(struct message_offer)},
    [MESSAGE_ACCEPTED] = {"accepted", sizeof(struct message_about), sizeof(struct message_about)},
    [MESSAGE_REFUSED] = {"refused", 1, MESSAGE_BODY_MAX},
    [MESSAGE_DATA] = {"data", 1, MESSAGE_DATA_MAX},
    [MESSAGE_SENT] = {"sent", sizeof(struct message_about), sizeof(struct message_about)},
    [MESSAGE_ABORTED] = {"aborted", 1, MESSAGE_BODY_MAX},
    [MESSAGE_COMPLETE] = {"complete", sizeof(struct message_about), sizeof(struct message_about)},
    [MESSAGE_FAILED] = {"failed", 1, MESSAGE_BODY_MAX},
    [MESSAGE_COMMIT] = {"commit", sizeof(struct message_about), sizeof(struct message_about)},
    [MESSAGE_RUNNING] = {"running", sizeof(struct message_about), sizeof(struct message_about)},
    [MESSAGE_DONE] = {"done", sizeof(struct message_about), sizeof(struct message_about)},
    [MESSAGE_REPORT] = {"report", sizeof(struct message_about), sizeof(struct message_about)},
    [MESSAGE_DISCARD] = {"discard", sizeof(struct message_about), sizeof(struct message_about)},
    [MESSAGE_DISCARDED] = {"discarded", sizeof(struct message_about), sizeof(struct message_about)},
};

const char *message_name(uint32_t type)
{
    return type < MESSAGE_TYPES && kinds[type].name != NULL ? kinds[type].name : "unknown";
}

static int read_all(const struct byte_source *source, void *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = source->read(source->own, (uint8_t *)data + done, size - done);

        if (got <= 0)
            return got < 0 ? (int)got : -EPIPE;
        done += (size_t)got;
    }
    return 0;
}

static int read_header(const struct byte_source *source, struct message *message)
{
    uint32_t header[2];
    int rc = read_all(source, header, sizeof(header));

    if (rc != 0)
        return rc;
    message->type = header[0];
    message->length = header[1];
    if (message->type >= MESSAGE_TYPES || kinds[message->type].name == NULL ||
        message->length < kinds[message->type].least || message->length > kinds[message->type].most)
        return -EPROTO;
    return 0;
}

static int read_body(const struct byte_source *source, struct message *message)
{
    int rc = read_all(source, message->bytes, message->length);

    message->bytes[message->length] = '\0';
    if (rc == 0 && kinds[message->type].least == 1)
        for (uint32_t i = 0; i < message->length; i++)
            if (message->bytes[i] < ' ' || message->bytes[i] > '~')
                message->bytes[i] = '?';
    return rc;
}

int message_read(const struct byte_source *source, struct message *message)
{
    int rc = read_header(source, message);

    if (rc == 0 && message->type == MESSAGE_DATA)
        rc = -EPROTO;
    return rc == 0 ? read_body(source, message) : rc;
}

/* One write for header and body: on a link, one transfer. */
int message_write(const struct byte_sink *sink, enum message_type type, const void *body, size_t size)
{
    uint8_t whole[HEADER_SIZE + MESSAGE_BODY_MAX];
    uint32_t header[2] = {type, (uint32_t)size};
    int rc;

    if (size > MESSAGE_BODY_MAX)
        return -EMSGSIZE;
    memcpy(whole, header, sizeof(header));
    memcpy(whole + HEADER_SIZE, body, size);
    rc = sink->write(sink->own, whole, HEADER_SIZE + size);
    return rc == 0 && sink->flush != NULL ? sink->flush(sink->own) : rc;
}

int message_say(const struct byte_sink *sink, enum message_type type, const char *words)
{
    size_t size = strlen(words);

    if (size == 0)
        return message_say(sink, type, "no reason was given");
    return message_write(sink, type, words, size < MESSAGE_BODY_MAX ? size : MESSAGE_BODY_MAX);
}

static int send_gathered(struct data_sink *data)
{
    uint32_t header[2] = {MESSAGE_DATA, (uint32_t)data->used};

    if (data->failed != 0 || data->used == 0)
        return data->failed;
    memcpy(data->buffer, header, sizeof(header));
    data->failed = data->channel->write(data->channel->own, data->buffer, HEADER_SIZE + data->used);
    data->used = 0;
    return data->failed;
}

static int data_write(void *own, const void *bytes, size_t size)
{
    struct data_sink *data = own;

    for (size_t done = 0; done < size && data->failed == 0;) {
        size_t room = GATHER_SIZE - data->used, part = size - done < room ? size - done : room;

        memcpy(data->buffer + HEADER_SIZE + data->used, (const uint8_t *)bytes + done, part);
        data->used += part;
        done += part;
        if (data->used == GATHER_SIZE)
            (void)send_gathered(data);
    }
    return data->failed;
}

static int data_flush(void *own)
{
    struct data_sink *data = own;

    if (send_gathered(data) == 0 && data->channel->flush != NULL)
        data->failed = data->channel->flush(data->channel->own);
    return data->failed;
}

bool data_sink_start(struct data_sink *data, const struct byte_sink *channel)
{
    *data = (struct data_sink){.channel = channel, .buffer = malloc(HEADER_SIZE + GATHER_SIZE)};
    data->sink = (struct byte_sink){.own = data, .write = data_write, .flush = data_flush};
    return data->buffer != NULL;
}

int data_sink_end(struct data_sink *data)
{
    static const struct message_about nothing;

    if (send_gathered(data) == 0)
        data->failed = message_write(data->channel, MESSAGE_SENT, &nothing, sizeof(nothing));
    return data->failed;
}

void data_sink_free(struct data_sink *data)
{
    free(data->buffer);
    data->buffer = NULL;
}

/* The next DATA message's length in data->left, or the end. */
static int next_data(struct data_source *data)
{
    int rc = read_header(data->channel, &data->last);

    if (rc == 0 && data->last.type == MESSAGE_DATA) {
        data->left = data->last.length;
        return 0;
    }
    if (rc == 0)
        rc = read_body(data->channel, &data->last);
    if (rc == 0 && data->last.type == MESSAGE_SENT)
        data->ended = true;
    else if (rc == 0)
        rc = data->last.type == MESSAGE_ABORTED ? -ECANCELED : -EPROTO;
    return rc;
}

static ssize_t data_read(void *own, void *bytes, size_t size)
{
    struct data_source *data = own;
    ssize_t got;

    if (data->failed == 0 && !data->ended && data->left == 0)
        data->failed = next_data(data);
    if (data->failed != 0 || data->ended)
        return data->failed;
    got = data->channel->read(data->channel->own, bytes, size < data->left ? size : data->left);
    if (got <= 0)
        return data->failed = got < 0 ? (int)got : -EPIPE;
    data->left -= (uint32_t)got;
    return got;
}

void data_source_start(struct data_source *data, const struct byte_source *channel)
{
    *data = (struct data_source){.channel = channel};
    data->source = (struct byte_source){.own = data, .read = data_read};
}

int data_source_drain(struct data_source *data, uint64_t *bytes)
{
    uint8_t scrap[1024];
    ssize_t got;

    *bytes = 0;
    while ((got = data_read(data, scrap, sizeof(scrap))) > 0)
        *bytes += (uint64_t)got;
    return (int)got;
}
