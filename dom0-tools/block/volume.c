/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Which volumes there are and who uses them. A disk of the machine stays; a file of the RAM disk becomes a volume when
 * it is opened first, by its normalised path, and stops being one with its last user. What is written to it stays in
 * the file's own memory until the machine ends. Files elsewhere: volume_file.c.
 */
#include "volume.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "guest-pv/libc/files.h"
#include "volume_file.h"

#define WRITE_BITS 0222u

struct file_volume {
    struct volume volume;
    char *data;
};

static struct volume *volumes;

static void copy_sectors(char *data, const struct volume_request *request)
{
    data += request->sector * VOLUME_SECTOR_SIZE;
    for (unsigned int i = 0; i < request->segment_count; i++) {
        const struct volume_segment *segment = &request->segments[i];

        if (request->operation == VOLUME_WRITE)
            memcpy(data, segment->data, segment->bytes);
        else
            memcpy(segment->data, data, segment->bytes);
        data += segment->bytes;
    }
}

static void file_submit(struct volume *volume, struct volume_request *request)
{
    if (request->operation != VOLUME_FLUSH)
        copy_sectors(((struct file_volume *)volume)->data, request);
    request->done(request, 0);
}

void volume_unregister(struct volume *volume)
{
    struct volume **link = &volumes;

    while (*link != volume)
        link = &(*link)->next;
    *link = volume->next;
}

static void file_close(struct volume *volume)
{
    volume_unregister(volume);
    free(volume);
}

static const struct volume_operations file_operations = {file_submit, file_close};

static struct volume *find(const char *name)
{
    struct volume *volume = volumes;

    while (volume != NULL && strcmp(volume->name, name) != 0)
        volume = volume->next;
    return volume;
}

int volume_register(struct volume *volume)
{
    struct volume **link = &volumes;

    if (find(volume->name) != NULL)
        return -EEXIST;
    while (*link != NULL)
        link = &(*link)->next;
    volume->next = NULL;
    *link = volume;
    return 0;
}

struct volume *volume_next(struct volume *after)
{
    return after != NULL ? after->next : volumes;
}

static struct volume *fail(int error)
{
    errno = error;
    return NULL;
}

static struct volume *volume_of_file(const char *path, const char *name)
{
    const struct file *file = files_find(path);
    struct file_volume *made;

    if (file == NULL)
        return volume_of_mounted(path, name);
    if (file->is_directory)
        return fail(EISDIR);
    if (file->size == 0 || file->size % VOLUME_SECTOR_SIZE != 0)
        return fail(EINVAL);
    made = calloc(1, sizeof(*made));
    if (made == NULL)
        return NULL;
    made->volume.operations = &file_operations;
    made->volume.sectors = file->size / VOLUME_SECTOR_SIZE;
    made->volume.read_only = (file->mode & WRITE_BITS) == 0;
    made->data = (char *)(uintptr_t)file->data; /* the archive is ours, and this is how its files are written */
    strcpy(made->volume.name, name);
    (void)volume_register(&made->volume);
    return &made->volume;
}

static int may_open(const struct volume *volume, bool writable, bool shared)
{
    if (writable && volume->read_only)
        return EROFS;
    if (!shared && (volume->writers > 0 || (writable && volume->readers > 0)))
        return EBUSY;
    return 0;
}

static void forget_unused(struct volume *volume)
{
    if (volume->readers == 0 && volume->writers == 0 && volume->operations->close != NULL)
        volume->operations->close(volume);
}

struct volume *volume_open(const char *path, bool writable, bool shared)
{
    char name[FILES_PATH_MAX + 1] = "/";
    struct volume *volume;
    int error;

    if (!files_normalise(path, name + 1) || strlen(name) >= sizeof(volume->name))
        return fail(ENAMETOOLONG);
    volume = find(name);
    if (volume == NULL)
        volume = volume_of_file(path, name);
    if (volume == NULL)
        return NULL;
    error = may_open(volume, writable, shared);
    if (error != 0) {
        forget_unused(volume);
        return fail(error);
    }
    if (writable)
        volume->writers++;
    else
        volume->readers++;
    return volume;
}

void volume_close(struct volume *volume, bool writable)
{
    if (writable)
        volume->writers--;
    else
        volume->readers--;
    forget_unused(volume);
}

/* The sum of the segments in bytes; 0 when one of them is no part of a page. */
static uint64_t total_bytes(const struct volume_request *request)
{
    uint64_t bytes = 0;

    for (unsigned int i = 0; i < request->segment_count; i++) {
        uint32_t part = request->segments[i].bytes;

        if (part == 0 || part > 4096 || part % VOLUME_SECTOR_SIZE != 0)
            return 0;
        bytes += part;
    }
    return bytes;
}

static int check(const struct volume *volume, const struct volume_request *request)
{
    uint64_t sectors;

    if (request->operation == VOLUME_FLUSH)
        return request->segment_count == 0 ? 0 : -EINVAL;
    if (request->operation == VOLUME_WRITE && volume->read_only)
        return -EROFS;
    if (request->segment_count == 0 || request->segment_count > VOLUME_SEGMENTS_MAX)
        return -EINVAL;
    sectors = total_bytes(request) / VOLUME_SECTOR_SIZE;
    if (sectors == 0)
        return -EINVAL;
    if (request->sector >= volume->sectors || sectors > volume->sectors - request->sector)
        return -EIO;
    return 0;
}

void volume_submit(struct volume *volume, struct volume_request *request)
{
    int status = check(volume, request);

    if (status != 0)
        request->done(request, status);
    else
        volume->operations->submit(volume, request);
}
