/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A file or disk being read in order, as the source of a stream.
 */
#ifndef VANE_INFILE_H
#define VANE_INFILE_H

#include "dom0-tools/stream/bytes.h"

#define INFILE_BUFFER (256u * 1024u)

struct infile {
    int fd;
    size_t at, filled;
    uint64_t bytes; /* given out */
    char buffer[INFILE_BUFFER];
};

/* 0, or -1 with errno. */
int infile_open(struct infile *file, const char *path);
void infile_close(struct infile *file);

/* For struct byte_source; own is the infile. */
ssize_t infile_read(void *own, void *data, size_t size);

#endif
