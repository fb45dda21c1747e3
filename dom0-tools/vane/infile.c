/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Reading a file in order; see infile.h. A disk is read in pieces as large as the buffer, which are whole sectors.
 */
#include "infile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int infile_open(struct infile *file, const char *path)
{
    file->at = file->filled = 0;
    file->bytes = 0;
    file->fd = open(path, O_RDONLY);
    return file->fd < 0 ? -1 : 0;
}

void infile_close(struct infile *file)
{
    (void)close(file->fd);
}

static ssize_t fill(struct infile *file)
{
    ssize_t got = read(file->fd, file->buffer, sizeof(file->buffer));

    file->at = 0;
    file->filled = got > 0 ? (size_t)got : 0;
    return got < 0 ? -errno : got;
}

ssize_t infile_read(void *own, void *data, size_t size)
{
    struct infile *file = own;
    size_t part;

    if (file->at == file->filled) {
        ssize_t got = fill(file);

        if (got <= 0)
            return got;
    }
    part = file->filled - file->at < size ? file->filled - file->at : size;
    memcpy(data, file->buffer + file->at, part);
    file->at += part;
    file->bytes += part;
    return (ssize_t)part;
}
