/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Volumes over files outside the RAM disk, such as those of /tmp: read and written through the C library, at once. The
 * descriptor keeps a file that is removed meanwhile.
 */
#include "volume_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct mounted_volume {
    struct volume volume;
    int fd;
};

static int move(int fd, enum volume_operation operation, const struct volume_segment *segment)
{
    char *at = segment->data;
    size_t left = segment->bytes;

    while (left > 0) {
        ssize_t moved = operation == VOLUME_WRITE ? write(fd, at, left) : read(fd, at, left);

        if (moved < 0)
            return -errno;
        if (moved == 0) /* the file became shorter */
            return -EIO;
        at += moved;
        left -= (size_t)moved;
    }
    return 0;
}

static void submit(struct volume *volume, struct volume_request *request)
{
    int fd = ((struct mounted_volume *)volume)->fd, status = 0;

    if (request->operation == VOLUME_FLUSH)
        status = fsync(fd) == 0 ? 0 : -errno;
    else if (lseek(fd, (off_t)(request->sector * VOLUME_SECTOR_SIZE), SEEK_SET) < 0)
        status = -errno;
    for (unsigned int i = 0; status == 0 && i < request->segment_count; i++)
        status = move(fd, request->operation, &request->segments[i]);
    request->done(request, status);
}

static void close_volume(struct volume *volume)
{
    (void)close(((struct mounted_volume *)volume)->fd);
    volume_unregister(volume);
    free(volume);
}

static const struct volume_operations operations = {submit, close_volume};

static struct volume *make(int fd, const struct stat *st, const char *name)
{
    struct mounted_volume *made = NULL;

    if (!S_ISREG(st->st_mode))
        errno = S_ISDIR(st->st_mode) ? EISDIR : EINVAL;
    else if (st->st_size <= 0 || st->st_size % VOLUME_SECTOR_SIZE != 0)
        errno = EINVAL;
    else
        made = calloc(1, sizeof(*made));
    if (made == NULL)
        return NULL;
    made->volume.operations = &operations;
    made->volume.sectors = (uint64_t)st->st_size / VOLUME_SECTOR_SIZE;
    strcpy(made->volume.name, name);
    made->fd = fd;
    (void)volume_register(&made->volume);
    return &made->volume;
}

struct volume *volume_of_mounted(const char *path, const char *name)
{
    int fd = open(path, O_RDWR), error;
    bool read_only = fd < 0 && (errno == EROFS || errno == EACCES);
    struct volume *volume;
    struct stat st;

    if (read_only)
        fd = open(path, O_RDONLY);
    if (fd < 0)
        return NULL;
    volume = fstat(fd, &st) == 0 ? make(fd, &st, name) : NULL;
    if (volume != NULL) {
        volume->read_only = read_only;
        return volume;
    }
    error = errno;
    (void)close(fd);
    errno = error;
    return NULL;
}
