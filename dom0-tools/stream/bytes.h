/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Where a saved domain goes and comes from: a file, a disk, a pipe, a link to another machine. Readers and writers know
 * nothing but these. A negative errno stays: every later call on the same end fails too.
 */
#ifndef STREAM_BYTES_H
#define STREAM_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct byte_sink {
    void *own;
    int (*write)(void *own, const void *data, size_t size); /* all of it: 0 or a negative errno */
    int (*flush)(void *own);                                /* what was written is on its way; NULL: it always is */
};

struct byte_source {
    void *own;
    ssize_t (*read)(void *own, void *data, size_t size); /* 1 to size bytes, 0 at the end, or a negative errno */
};

/* Both directions of a connection between two hosts, or between two threads of one. */
struct channel {
    struct byte_source in;
    struct byte_sink out;
    void (*close)(struct channel *channel); /* the other end reads the end of the stream */
    const char *name;                       /* "link0", "localhost": for messages */

    /* Asked now and then while the other end is silent. True, and from then on: in and out end with -EINTR. Or NULL. */
    bool (*unwanted)(void);
};

#endif
