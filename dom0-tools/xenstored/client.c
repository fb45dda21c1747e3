/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Connections: framing, queues and limits; see client.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "platform.h"
#include "transaction.h"
#include "watch.h"
#include "xenstored.h"

#define DUPLICATES_SEARCHED 64

struct client *client_new(struct xenstored *xenstored, unsigned int domid, bool privileged)
{
    struct client *client = calloc(1, sizeof(*client));

    if (!client)
        return NULL;
    client->xenstored = xenstored;
    client->domid = domid;
    client->privileged = privileged;
    TAILQ_INIT(&client->out);
    LIST_INIT(&client->watches);
    LIST_INIT(&client->transactions);
    TAILQ_INSERT_TAIL(&xenstored->clients, client, link);
    return client;
}

static void drop_queues(struct client *client)
{
    struct message *message;

    while ((message = TAILQ_FIRST(&client->out))) {
        TAILQ_REMOVE(&client->out, message, link);
        free(message);
    }
    client->replies = client->events = 0;
    client->sent = 0;
    free(client->payload);
    client->payload = NULL;
    client->received = 0;
}

void client_reset(struct client *client, bool everything)
{
    struct watch *watch;
    struct transaction *transaction;

    if (everything)
        drop_queues(client);
    while ((watch = LIST_FIRST(&client->watches)))
        watch_remove(watch);
    while ((transaction = LIST_FIRST(&client->transactions)))
        xenstored_end_transaction(client->xenstored, transaction);
}

void client_free(struct client *client)
{
    client_reset(client, true);
    if (client->is_dirty)
        TAILQ_REMOVE(&client->xenstored->dirty, client, dirty);
    TAILQ_REMOVE(&client->xenstored->clients, client, link);
    free(client->spare);
    free(client);
}

unsigned int client_limit(const struct client *client, enum quota quota)
{
    return client->privileged ? 0 : client->xenstored->quotas[quota];
}

/* Logs the first violation, and then each time their number has doubled, so that nobody can flood the log. */
static void report_violation(struct client *client, enum quota quota, unsigned long wanted)
{
    unsigned int times = ++client->violations[quota];

    if (times & (times - 1))
        return;
    platform_log("d%u hit its limit of %u %s: asked for %lu (%u time%s so far)", client->domid,
                 client->xenstored->quotas[quota], quota_describe(quota), wanted, times, times == 1 ? "" : "s");
}

bool client_within(struct client *client, enum quota quota, unsigned long wanted)
{
    unsigned int limit = client_limit(client, quota);

    if (!limit || wanted <= limit)
        return true;
    report_violation(client, quota, wanted);
    return false;
}

struct message *message_new(size_t payload)
{
    struct message *message = malloc(sizeof(*message) + sizeof(struct xsd_sockmsg) + payload);

    if (!message)
        return NULL;
    message->watch = NULL;
    message->len = sizeof(struct xsd_sockmsg) + payload;
    return message;
}

static void enqueue(struct client *client, struct message *message)
{
    TAILQ_INSERT_TAIL(&client->out, message, link);
    if (client->is_dirty)
        return;
    client->is_dirty = true;
    TAILQ_INSERT_TAIL(&client->xenstored->dirty, client, dirty);
}

void client_send(struct client *client, struct message *message, uint32_t type, uint32_t req_id, uint32_t tx_id)
{
    struct xsd_sockmsg header = {type, req_id, tx_id, (uint32_t)(message->len - sizeof(header))};

    memcpy(message->bytes, &header, sizeof(header));
    client->replies++;
    enqueue(client, message);
}

static bool is_waiting(const struct client *client, const struct watch *watch, const char *path)
{
    const struct message *message, *first = TAILQ_FIRST(&client->out);
    unsigned int searched = 0;

    TAILQ_FOREACH_REVERSE(message, &client->out, message_queue, link)
    {
        if (message == first && client->sent)
            return false;
        if (message->watch == watch && !strcmp(message->bytes + sizeof(struct xsd_sockmsg), path))
            return true;
        if (++searched == DUPLICATES_SEARCHED)
            return false;
    }
    return false;
}

/* False if there was no memory. */
static bool queue_event(struct client *client, struct watch *watch, const char *path)
{
    size_t path_size = strlen(path) + 1, token_size = strlen(watch->token) + 1;
    struct message *message = message_new(path_size + token_size);
    struct xsd_sockmsg header = {XS_WATCH_EVENT, 0, 0, (uint32_t)(path_size + token_size)};

    if (!message) {
        client->xenstored->behind = true;
        return false;
    }
    message->watch = watch;
    memcpy(message->bytes, &header, sizeof(header));
    memcpy(message->bytes + sizeof(header), path, path_size);
    memcpy(message->bytes + sizeof(header) + path_size, watch->token, token_size);
    client->events++;
    enqueue(client, message);
    return true;
}

void client_send_event(struct client *client, struct watch *watch, const char *path)
{
    const char *shown = watch_client_path(watch, path);

    if (client->broken || watch->overflowed)
        return;
    if (strlen(shown) + strlen(watch->token) + 2 > XENSTORE_PAYLOAD_MAX)
        shown = watch_client_path(watch, watch->path);
    if (is_waiting(client, watch, shown))
        return;
    if (client_within(client, QUOTA_EVENTS, client->events + 1ul) && queue_event(client, watch, shown))
        return;
    watch->overflowed = true;
    client->nr_overflowed++;
}

/* Lets overflowed watches fire once half of the room is free again. */
static void revive_overflowed(struct client *client)
{
    unsigned int limit = client_limit(client, QUOTA_EVENTS);
    struct watch *watch;

    if (!client->nr_overflowed || (limit && client->events > limit / 2))
        return;
    LIST_FOREACH(watch, &client->watches, link)
    {
        if (!watch->overflowed)
            continue;
        if ((limit && client->events >= limit) || !queue_event(client, watch, watch_client_path(watch, watch->path)))
            return;
        watch->overflowed = false;
        client->nr_overflowed--;
    }
}

void clients_catch_up(struct xenstored *xenstored)
{
    struct client *client;

    TAILQ_FOREACH(client, &xenstored->clients, link)
    {
        revive_overflowed(client);
    }
}

bool client_has_output(const struct client *client)
{
    return !TAILQ_EMPTY(&client->out);
}

static void finish_message(struct client *client, struct message *message)
{
    const struct xsd_sockmsg *header = (const void *)message->bytes;

    if (header->type == XS_WATCH_EVENT)
        client->events--;
    else
        client->replies--;
    TAILQ_REMOVE(&client->out, message, link);
    free(message);
    client->sent = 0;
    revive_overflowed(client);
}

size_t client_output(struct client *client, char *bytes, size_t len)
{
    struct message *message;
    size_t done = 0;

    while (done < len && (message = TAILQ_FIRST(&client->out))) {
        size_t part = message->len - client->sent;

        if (part > len - done)
            part = len - done;
        memcpy(bytes + done, message->bytes + client->sent, part);
        done += part;
        client->sent += part;
        if (client->sent == message->len)
            finish_message(client, message);
    }
    return done;
}

bool client_accepts_input(struct client *client)
{
    unsigned int limit = client_limit(client, QUOTA_OUTSTANDING);

    if (client->broken || (limit && client->replies >= limit))
        return false;
    if (!client->spare)
        client->spare = message_new(SPARE_PAYLOAD);
    client->xenstored->behind |= client->spare == NULL;
    return client->spare != NULL;
}

/* Reserves the payload's memory once the header is there. False: the client must wait, or is broken from now on. */
static bool begin_payload(struct client *client)
{
    if (client->payload)
        return true;
    if (client->header.len > XENSTORE_PAYLOAD_MAX) {
        client->broken = true;
        return false;
    }
    client->payload = malloc(client->header.len + 1u);
    client->xenstored->behind |= client->payload == NULL;
    return client->payload != NULL;
}

static void finish_request(struct client *client)
{
    char *payload = client->payload;

    payload[client->header.len] = '\0';
    client->payload = NULL;
    client->received = 0;
    xenstored_request(client, &client->header, payload);
    free(payload);
}

static size_t take(char *to, size_t have, size_t want, const char *bytes, size_t len)
{
    size_t part = want - have < len ? want - have : len;

    memcpy(to + have, bytes, part);
    return part;
}

size_t client_input(struct client *client, const char *bytes, size_t len)
{
    size_t taken = 0, whole;

    if (!client_accepts_input(client))
        return 0;
    if (client->received < sizeof(client->header)) {
        taken = take((char *)&client->header, client->received, sizeof(client->header), bytes, len);
        client->received += taken;
        if (client->received < sizeof(client->header))
            return taken;
    }
    if (!begin_payload(client))
        return taken;
    whole = sizeof(client->header) + client->header.len;
    if (client->received < whole) {
        size_t part = take(client->payload, client->received - sizeof(client->header), client->header.len,
                           bytes + taken, len - taken);

        client->received += part;
        taken += part;
    }
    if (client->received == whole)
        finish_request(client);
    return taken;
}
