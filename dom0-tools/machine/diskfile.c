/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Disks as files. Whole sectors go straight between the caller's memory and the volume; a sector that is written in
 * part is read first. A file that is open for writing has its volume alone, so nothing changes in between.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pv/files.h>

#include "dom0-tools/block/volume.h"
#include "diskfile.h"

#define DIRECTORY    "/dev/"
#define TRANSFER_MAX (512u << 10)

struct disk_file {
    struct volume *volume;
    bool writable;
    uint8_t sector[VOLUME_SECTOR_SIZE];
};

static uint64_t volume_bytes(const struct volume *volume)
{
    return volume->sectors * VOLUME_SECTOR_SIZE;
}

/* Whole sectors from `offset` on, as many as one transfer takes; 0 when it lies inside a sector or too few are left. */
static size_t whole_sectors(uint64_t offset, size_t size)
{
    if (offset % VOLUME_SECTOR_SIZE != 0)
        return 0;
    return (size < TRANSFER_MAX ? size : TRANSFER_MAX) / VOLUME_SECTOR_SIZE * VOLUME_SECTOR_SIZE;
}

static size_t rest_of_sector(uint64_t offset, size_t size)
{
    size_t rest = VOLUME_SECTOR_SIZE - (size_t)(offset % VOLUME_SECTOR_SIZE);

    return size < rest ? size : rest;
}

/* Moves the start of the range; a count or a negative errno. */
static ssize_t read_some(struct disk_file *file, uint64_t offset, void *buffer, size_t size)
{
    uint64_t sector = offset / VOLUME_SECTOR_SIZE;
    size_t whole = whole_sectors(offset, size), part = rest_of_sector(offset, size);
    int rc;

    if (whole > 0) {
        rc = volume_transfer(file->volume, VOLUME_READ, sector, buffer, whole);
        return rc != 0 ? rc : (ssize_t)whole;
    }
    rc = volume_transfer(file->volume, VOLUME_READ, sector, file->sector, VOLUME_SECTOR_SIZE);
    if (rc != 0)
        return rc;
    memcpy(buffer, file->sector + offset % VOLUME_SECTOR_SIZE, part);
    return (ssize_t)part;
}

static ssize_t write_some(struct disk_file *file, uint64_t offset, const void *buffer, size_t size)
{
    uint64_t sector = offset / VOLUME_SECTOR_SIZE;
    size_t whole = whole_sectors(offset, size), part = rest_of_sector(offset, size);
    int rc;

    if (whole > 0) {
        /* The volume only reads it. */
        rc = volume_transfer(file->volume, VOLUME_WRITE, sector, (void *)(uintptr_t)buffer, whole);
        return rc != 0 ? rc : (ssize_t)whole;
    }
    rc = volume_transfer(file->volume, VOLUME_READ, sector, file->sector, VOLUME_SECTOR_SIZE);
    if (rc != 0)
        return rc;
    memcpy(file->sector + offset % VOLUME_SECTOR_SIZE, buffer, part);
    rc = volume_transfer(file->volume, VOLUME_WRITE, sector, file->sector, VOLUME_SECTOR_SIZE);
    return rc != 0 ? rc : (ssize_t)part;
}

static ssize_t disk_read(void *own, uint64_t offset, void *buffer, size_t size)
{
    struct disk_file *file = own;
    uint64_t end = volume_bytes(file->volume);
    size_t done = 0;

    if (offset >= end)
        return 0;
    if (size > end - offset)
        size = (size_t)(end - offset);
    while (done < size) {
        ssize_t some = read_some(file, offset + done, (char *)buffer + done, size - done);

        if (some < 0)
            return done > 0 ? (ssize_t)done : some;
        done += (size_t)some;
    }
    return (ssize_t)done;
}

static ssize_t disk_write(void *own, uint64_t offset, const void *buffer, size_t size)
{
    struct disk_file *file = own;
    uint64_t end = volume_bytes(file->volume);
    size_t done = 0;

    if (offset >= end)
        return size == 0 ? 0 : -ENOSPC;
    if (size > end - offset)
        size = (size_t)(end - offset);
    while (done < size) {
        ssize_t some = write_some(file, offset + done, (const char *)buffer + done, size - done);

        if (some < 0)
            return done > 0 ? (ssize_t)done : some;
        done += (size_t)some;
    }
    return (ssize_t)done;
}

static int disk_sync(void *own)
{
    struct disk_file *file = own;

    return file->writable ? volume_transfer(file->volume, VOLUME_FLUSH, 0, NULL, 0) : 0;
}

static void describe_volume(const struct volume *volume, struct stat *st)
{
    uint64_t bytes = volume_bytes(volume);

    st->st_mode = S_IFBLK | (volume->read_only ? 0440 : 0660);
    st->st_size = bytes > LONG_MAX ? (off_t)LONG_MAX : (off_t)bytes;
    st->st_blocks = volume->sectors > LONG_MAX ? LONG_MAX : (blkcnt_t)volume->sectors;
}

static void disk_describe(void *own, struct stat *st)
{
    describe_volume(((struct disk_file *)own)->volume, st);
}

static uint64_t disk_size(void *own)
{
    return volume_bytes(((struct disk_file *)own)->volume);
}

static void disk_close(void *own)
{
    struct disk_file *file = own;

    (void)disk_sync(file);
    volume_close(file->volume, file->writable);
    free(file);
}

static const struct file_methods methods = {.read = disk_read,
                                            .write = disk_write,
                                            .sync = disk_sync,
                                            .describe = disk_describe,
                                            .size = disk_size,
                                            .close = disk_close};

/* A volume of the directory by its name there. */
static const struct volume *find(const char *path)
{
    struct volume *volume = NULL;

    while ((volume = volume_next(volume)) != NULL)
        if (strncmp(volume->name, DIRECTORY, strlen(DIRECTORY)) == 0 &&
            strcmp(volume->name + strlen(DIRECTORY), path) == 0)
            return volume;
    return NULL;
}

/* O_TRUNC means nothing to a disk, which keeps its size. */
static int dev_open(const char *path, int flags, mode_t mode, const struct file_methods **found, void **own)
{
    const struct volume *volume = find(path);
    struct disk_file *file;

    if (*path == '\0')
        return -EISDIR;
    if (volume == NULL)
        return flags & O_CREAT ? -EROFS : -ENOENT;
    if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
        return -EEXIST;
    file = malloc(sizeof(*file));
    if (file == NULL)
        return -ENOMEM;
    file->writable = (flags & O_ACCMODE) != O_RDONLY;
    file->volume = volume_open(volume->name, file->writable, false);
    if (file->volume == NULL) {
        int error = errno;

        free(file);
        return -error;
    }
    *found = &methods;
    *own = file;
    return 0;
}

static int dev_describe(const char *path, struct stat *st)
{
    const struct volume *volume = find(path);

    if (*path == '\0')
        st->st_mode = S_IFDIR | 0555;
    else if (volume == NULL)
        return -ENOENT;
    else
        describe_volume(volume, st);
    return 0;
}

static int dev_entry(const char *path, unsigned int index, char *name, size_t size)
{
    struct volume *volume = NULL;

    while ((volume = volume_next(volume)) != NULL) {
        if (strncmp(volume->name, DIRECTORY, strlen(DIRECTORY)) != 0 || index-- > 0)
            continue;
        snprintf(name, size, "%s", volume->name + strlen(DIRECTORY));
        return 0;
    }
    return -ENOENT;
}

void diskfile_mount(void)
{
    static struct mount mount = {.name = "dev", .open = dev_open, .describe = dev_describe, .entry = dev_entry};

    mount_add(&mount);
}
