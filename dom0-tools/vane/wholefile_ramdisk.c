/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Files of the embedded dom0's RAM disk are in memory already and are not copied; others are read.
 */
#include "wholefile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest-pv/libc/mounts.h"

#define CHUNK (64 * 1024)

static int read_all(int fd, char *data, size_t size)
{
    size_t done = 0;

    while (done < size) {
        long got = read(fd, data + done, size - done < CHUNK ? size - done : CHUNK);

        if (got <= 0) {
            if (got == 0)
                errno = EIO; /* it became shorter meanwhile */
            return -1;
        }
        done += (size_t)got;
    }
    return 0;
}

static int copy_in(const char *path, struct whole_file *file)
{
    int fd = open(path, O_RDONLY), status = -1;
    struct stat st;

    if (fd < 0)
        return -1;
    if (fstat(fd, &st) != 0 || S_ISDIR(st.st_mode)) {
        errno = EISDIR;
    } else {
        file->size = (size_t)st.st_size;
        file->copy = malloc(file->size + 1);
        if (file->copy != NULL)
            status = read_all(fd, file->copy, file->size);
    }
    if (status != 0) {
        free(file->copy);
        file->copy = NULL;
    }
    file->data = file->copy;
    close(fd);
    return status;
}

int whole_file_open(const char *path, struct whole_file *file)
{
    const struct file *entry;
    struct place place;

    file->copy = NULL;
    if (place_find(path, &place) == 0 && place.mount != NULL)
        return copy_in(path, file);
    entry = files_find(path);
    if (entry == NULL || entry->is_directory) {
        errno = entry == NULL ? ENOENT : EISDIR;
        return -1;
    }
    file->data = entry->data;
    file->size = entry->size;
    return 0;
}

void whole_file_close(struct whole_file *file)
{
    free(file->copy);
    file->copy = NULL;
    file->data = NULL;
    file->size = 0;
}
