/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A pipe with two ends, for two threads of this program that talk as two hosts do.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pv/threads.h>

#include "channel.h"

#define QUEUE_BYTES (256u << 10)

struct queue {
    uint8_t bytes[QUEUE_BYTES];
    size_t first, count;
};

struct pair;

struct end {
    struct channel channel;
    struct pair *pair;
    unsigned int number;
    bool closed;
};

struct pair {
    struct end ends[2];
    struct queue queues[2]; /* what that end has written */
    struct waitq changed;
    char name[HANDOVER_LINK_SIZE];
};

static int end_write(void *own, const void *data, size_t size)
{
    struct end *end = own;
    struct pair *pair = end->pair;
    struct queue *queue = &pair->queues[end->number];

    for (size_t done = 0; done < size;) {
        size_t at, part = size - done;

        wait_event(&pair->changed, queue->count < QUEUE_BYTES || pair->ends[!end->number].closed);
        if (pair->ends[!end->number].closed)
            return -EPIPE;
        at = (queue->first + queue->count) % QUEUE_BYTES;
        part = part < QUEUE_BYTES - queue->count ? part : QUEUE_BYTES - queue->count;
        part = part < QUEUE_BYTES - at ? part : QUEUE_BYTES - at;
        memcpy(queue->bytes + at, (const uint8_t *)data + done, part);
        queue->count += part;
        done += part;
        waitq_wake(&pair->changed);
    }
    return 0;
}

static ssize_t end_read(void *own, void *data, size_t size)
{
    struct end *end = own;
    struct pair *pair = end->pair;
    struct queue *queue = &pair->queues[!end->number];

    wait_event(&pair->changed, queue->count > 0 || pair->ends[!end->number].closed);
    size = size < queue->count ? size : queue->count;
    size = size < QUEUE_BYTES - queue->first ? size : QUEUE_BYTES - queue->first;
    memcpy(data, queue->bytes + queue->first, size);
    queue->first = (queue->first + size) % QUEUE_BYTES;
    queue->count -= size;
    waitq_wake(&pair->changed);
    return (ssize_t)size;
}

/* The second to close frees both. */
static void end_close(struct channel *channel)
{
    struct end *end = (struct end *)channel;
    struct pair *pair = end->pair;

    end->closed = true;
    waitq_wake(&pair->changed);
    if (pair->ends[!end->number].closed)
        free(pair);
}

bool channel_pair(struct channel *ends[2], const char *name)
{
    struct pair *pair = calloc(1, sizeof(*pair));

    if (pair == NULL)
        return false;
    snprintf(pair->name, sizeof(pair->name), "%s", name);
    for (unsigned int i = 0; i < 2; i++) {
        struct end *end = &pair->ends[i];

        end->pair = pair;
        end->number = i;
        end->channel = (struct channel){
            .in = {end, end_read}, .out = {end, end_write, NULL}, .close = end_close, .name = pair->name};
        ends[i] = &end->channel;
    }
    return true;
}
