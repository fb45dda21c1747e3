/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Which of the file systems a path belongs to: a mount whose name is the first component, or the RAM disk.
 */
#include <errno.h>
#include <string.h>
#include "mounts.h"

static struct mount *mounts;

void mount_add(struct mount *mount)
{
    struct mount **at = &mounts;

    while (*at != NULL)
        at = &(*at)->next;
    mount->next = NULL;
    *at = mount;
}

const char *mount_name(unsigned int index)
{
    const struct mount *mount = mounts;

    for (; mount != NULL && index > 0; index--)
        mount = mount->next;
    return mount != NULL ? mount->name : NULL;
}

int place_find(const char *path, struct place *place)
{
    size_t first;

    place->mount = NULL;
    if (!files_normalise(path, place->path))
        return -ENAMETOOLONG;
    first = strcspn(place->path, "/");
    for (const struct mount *mount = mounts; mount != NULL; mount = mount->next) {
        if (strlen(mount->name) != first || memcmp(mount->name, place->path, first) != 0)
            continue;
        place->mount = mount;
        first += place->path[first] == '/';
        memmove(place->path, place->path + first, strlen(place->path + first) + 1);
        break;
    }
    return 0;
}

void ramdisk_describe(const struct file *file, struct stat *st)
{
    st->st_mode = (mode_t)(file->mode | (file->is_directory ? S_IFDIR : S_IFREG));
    st->st_size = (off_t)file->size;
    st->st_mtime = (time_t)file->mtime;
}

static void describe(void *own, struct stat *st)
{
    ramdisk_describe(own, st);
}

static ssize_t read_file(void *own, uint64_t offset, void *buffer, size_t size)
{
    const struct file *file = own;
    size_t left = offset < file->size ? file->size - (size_t)offset : 0;

    if (file->is_directory)
        return -EISDIR;
    if (size > left)
        size = left;
    if (size > 0)
        memcpy(buffer, file->data + (size_t)offset, size);
    return (ssize_t)size;
}

static uint64_t file_size(void *own)
{
    return ((const struct file *)own)->size;
}

const struct file_methods ramdisk_methods = {.read = read_file, .describe = describe, .size = file_size};
