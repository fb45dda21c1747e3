/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A channel within this program: two pipes of bounded size between two cooperative threads. Closing one end lets the
 * other read what was written before, and then the end; writing to a closed end fails.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <pv/threads.h>

#include "channel.h"

#define PIPE_SIZE (512u * 1024u)

struct pipe {
    char *bytes;
    size_t at, filled;
    bool written_off; /* the writer closed, or the reader did */
    struct waitq changed;
};

struct ends {
    struct pipe pipes[2];
    struct channel channels[2];
    unsigned int open;
};

static void copy_in(struct pipe *pipe, const char *from, size_t size)
{
    size_t to = (pipe->at + pipe->filled) % PIPE_SIZE, first = PIPE_SIZE - to < size ? PIPE_SIZE - to : size;

    memcpy(pipe->bytes + to, from, first);
    memcpy(pipe->bytes, from + first, size - first);
    pipe->filled += size;
}

static int pipe_write(void *own, const void *data, size_t size)
{
    struct pipe *pipe = own;
    const char *from = data;

    while (size > 0) {
        size_t part;

        wait_event(&pipe->changed, pipe->filled < PIPE_SIZE || pipe->written_off);
        if (pipe->written_off)
            return -EPIPE;
        part = PIPE_SIZE - pipe->filled < size ? PIPE_SIZE - pipe->filled : size;
        copy_in(pipe, from, part);
        from += part;
        size -= part;
        waitq_wake(&pipe->changed);
    }
    return 0;
}

static ssize_t pipe_read(void *own, void *data, size_t size)
{
    struct pipe *pipe = own;
    size_t part;

    wait_event(&pipe->changed, pipe->filled > 0 || pipe->written_off);
    part = PIPE_SIZE - pipe->at < pipe->filled ? PIPE_SIZE - pipe->at : pipe->filled;
    part = part < size ? part : size;
    memcpy(data, pipe->bytes + pipe->at, part);
    pipe->at = (pipe->at + part) % PIPE_SIZE;
    pipe->filled -= part;
    waitq_wake(&pipe->changed);
    return (ssize_t)part;
}

static void free_ends(struct ends *ends)
{
    free(ends->pipes[0].bytes);
    free(ends->pipes[1].bytes);
    free(ends);
}

static void close_end(struct ends *ends)
{
    for (unsigned int i = 0; i < 2; i++) {
        ends->pipes[i].written_off = true;
        waitq_wake(&ends->pipes[i].changed);
    }
    if (--ends->open == 0)
        free_ends(ends);
}

static void close_first(struct channel *channel)
{
    close_end((struct ends *)((char *)channel - offsetof(struct ends, channels[0])));
}

static void close_second(struct channel *channel)
{
    close_end((struct ends *)((char *)channel - offsetof(struct ends, channels[1])));
}

bool channel_pair(struct channel *channels[2], const char *name)
{
    struct ends *ends = calloc(1, sizeof(*ends));

    if (ends == NULL)
        return false;
    ends->open = 2;
    for (unsigned int i = 0; i < 2; i++) {
        ends->pipes[i].bytes = malloc(PIPE_SIZE);
        ends->channels[i] = (struct channel){
            .in = {&ends->pipes[i], pipe_read},
            .out = {&ends->pipes[1 - i], pipe_write, NULL},
            .close = i == 0 ? close_first : close_second,
            .name = name,
        };
        channels[i] = &ends->channels[i];
    }
    if (ends->pipes[0].bytes != NULL && ends->pipes[1].bytes != NULL)
        return true;
    free_ends(ends);
    return false;
}
