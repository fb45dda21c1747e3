/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A file being written in order: buffered, with the error in words and a line of progress when it takes long.
 */
#ifndef VANE_OUTFILE_H
#define VANE_OUTFILE_H

#include <sys/stat.h>

#include "vane.h"

#define OUTFILE_BUFFER (256u * 1024u)

struct outfile {
    struct vane *vane;
    const char *path;
    int fd;
    bool is_new;                /* a regular file: a failure removes it */
    bool holds_old;             /* a regular file that was there: what it held is still in it */
    uint64_t written, expected; /* bytes; expected is for the progress line only */
    uint64_t told_ns;
    bool told;
    size_t buffered, head_size;
    char head[512]; /* of a disk: written last */
    char buffer[OUTFILE_BUFFER];
};

/* Of a file, or of a disk, which may be larger than off_t can say. */
uint64_t file_bytes(const struct stat *st);

/*
 * Whether `size` bytes of `what` fit: what is in /tmp is memory of dom0, with an index page for each 512 or 1024 on top.
 * 0, or 1 with the error printed.
 */
int outfile_check_room(struct vane *vane, const char *path, const char *what, uint64_t size);

/*
 * Creates the file, or opens a file or disk from its start. What a file held stays until OUTFILE_BUFFER bytes were put, or
 * it is closed: whoever fails before has spoilt nothing. 0, or 1 with the error printed.
 */
int outfile_open(struct outfile *file, struct vane *vane, const char *path, uint64_t expected);

/* Appends; 0, or 1 with the error printed: also when Ctrl-C was typed. Only outfile_abandon may follow then. */
int outfile_put(struct outfile *file, const void *data, size_t size);

int outfile_close(struct outfile *file);

/* Closes after a failure; half a file does not stay, an old one does, and a disk has no beginning then. */
void outfile_abandon(struct outfile *file);

#endif
