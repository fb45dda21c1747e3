/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Fuzzing the hand-over with a peer that says what it likes: some conversations one after the other, whose kinds the
 * first octets choose. A copy is made, run and destroyed only in that order, and once; the outcome says what became of it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dom0-tools/migration/message.h"
#include "tests/stream/sample.h"

#define CONVERSATIONS 4u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum state { NONE, MAKING, WHOLE, RUNS, SUSPENDED, GONE };

struct copy {
    enum state state;
    bool will_fail;
};

static uint8_t next_random;

void handover_random(uint8_t id[HANDOVER_ID_SIZE])
{
    memset(id, ++next_random, HANDOVER_ID_SIZE);
}

static void must(bool condition)
{
    if (!condition)
        abort();
}

static int prepare(void *own, const struct handover_offer *offer, struct stream_error *error)
{
    struct copy *copy = own;

    must(copy->state == NONE && memchr(offer->name, '\0', sizeof(offer->name)) != NULL);
    if (offer->memory_kib == 0xBAD) {
        strcpy(error->text, "no memory");
        return -1;
    }
    copy->state = offer->asked ? NONE : MAKING;
    return 0;
}

static int receive(void *own, const struct byte_source *source, struct stream_error *error)
{
    struct copy *copy = own;
    uint8_t bytes[64] = {0};
    ssize_t got;

    must(copy->state == MAKING);
    do {
        got = source->read(source->own, bytes, sizeof(bytes));
        must(got <= (ssize_t)sizeof(bytes));
    } while (got > 0 && bytes[0] != 'E'); /* the end of the domain, perhaps before that of the stream */
    copy->will_fail = bytes[1] == 'F';
    if (got >= 0) {
        copy->state = WHOLE;
        return 0;
    }
    strcpy(error->text, "no stream");
    return -1;
}

static int activate(void *own, struct stream_error *error)
{
    struct copy *copy = own;

    must(copy->state == WHOLE);
    if (copy->will_fail) {
        strcpy(error->text, "no device");
        return -1;
    }
    copy->state = RUNS;
    return 0;
}

static void discard(void *own)
{
    struct copy *copy = own;

    must(copy->state == MAKING || copy->state == WHOLE);
    copy->state = GONE;
}

static int send(void *own, const struct byte_sink *sink, struct stream_error *error)
{
    struct copy *copy = own;

    must(copy->state == RUNS);
    copy->state = SUSPENDED;
    return sink->write(sink->own, "a domain", 8);
}

static int resume(void *own)
{
    struct copy *copy = own;

    must(copy->state == RUNS || copy->state == SUSPENDED);
    copy->state = RUNS;
    return 0;
}

static void destroy(void *own)
{
    struct copy *copy = own;

    must(copy->state == SUSPENDED);
    copy->state = GONE;
}

static void settled(void *own, enum handover_outcome outcome)
{
    struct copy *copy = own;

    must(outcome == HANDOVER_MOVED || outcome == HANDOVER_KEPT);
    must(copy->state == RUNS || copy->state == GONE);
}

static void send_one(struct handover_host *host, struct channel *channel, struct copy *copy)
{
    struct handover_sender sender = {copy, send, resume, destroy, settled};
    struct handover_offer offer = {.memory_kib = 4096, .vcpus = 1, .name = "sent"};
    struct stream_error error = {""};
    enum handover_outcome outcome;

    copy->state = RUNS;
    handover_random(offer.transaction);
    outcome = handover_send(host, channel, &offer, &sender, &error);
    must(outcome != HANDOVER_MOVED || copy->state == GONE);
    must(outcome != HANDOVER_KEPT || copy->state == RUNS);
    must(outcome != HANDOVER_IN_DOUBT || copy->state == SUSPENDED);
    must(outcome == HANDOVER_MOVED || error.text[0] != '\0');
}

static void receive_one(struct handover_host *host, struct channel *channel, struct copy *copy)
{
    struct handover_receiver receiver = {copy, prepare, receive, activate, discard, settled};
    struct stream_error error = {""};
    enum handover_outcome outcome = handover_receive(host, channel, &receiver, &error);

    must(outcome != HANDOVER_MOVED || copy->state == RUNS);
    must(outcome != HANDOVER_KEPT || copy->state == NONE || copy->state == GONE);
    must(outcome != HANDOVER_IN_DOUBT || copy->state == WHOLE);
    must(outcome != HANDOVER_TALKED || copy->state == NONE);
}

static void forget_all(struct handover_host *host)
{
    while (host->records != NULL) {
        struct handover_record *record = host->records;

        must(!record->busy);
        host->records = record->next;
        free(record);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct copy copies[CONVERSATIONS] = {{NONE, false}};
    struct handover_host host;
    struct stream_error error;

    next_random = 0;
    handover_host_start(&host);
    for (unsigned int i = 0; i < CONVERSATIONS && size >= 3; i++) {
        size_t length = (size_t)data[1] | (size_t)data[2] << 8;
        struct memory said = {.size = 4096, .data = malloc(4096)}, heard = {.data = (uint8_t *)data + 3};
        struct channel channel = {.name = "link0", .out = memory_sink(&said), .in = memory_source(&heard)};

        heard.used = length < size - 3 ? length : size - 3;
        if (data[0] % 4 == 0)
            receive_one(&host, &channel, &copies[i]);
        else if (data[0] % 4 == 1)
            send_one(&host, &channel, &copies[i]);
        else if (data[0] % 4 == 2)
            (void)handover_settle(&host, &channel);
        else
            (void)handover_decide(&host, data[0] & 4 ? "sent" : "offered", (data[0] & 8) != 0, &error);
        memory_free(&said);
        data += 3 + heard.used;
        size -= 3 + heard.used;
    }
    forget_all(&host);
    return 0;
}
