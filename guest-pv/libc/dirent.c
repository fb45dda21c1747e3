/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Directory streams. In the RAM disk's flat list an entry belongs to a directory when only one component follows; the
 * root shows the mounts, too. A stream counts entries, so one that is removed meanwhile can hide its neighbour.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "mounts.h"

struct dir_stream {
    struct place place;
    unsigned int next, next_mount;
    struct dirent entry;
};

static int check_directory(const struct place *place)
{
    const struct file *file;
    struct stat st;
    int error;

    if (place->mount != NULL) {
        memset(&st, 0, sizeof(st));
        error = place->mount->describe(place->path, &st);
        return error != 0 ? error : S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
    }
    file = files_find(place->path);
    if (file == NULL) /* a kernel without a RAM disk has a root nevertheless */
        return *place->path == '\0' ? 0 : -ENOENT;
    return file->is_directory ? 0 : -ENOTDIR;
}

DIR *opendir(const char *path)
{
    DIR *dir = calloc(1, sizeof(*dir));
    int error;

    if (dir == NULL)
        return NULL;
    error = place_find(path, &dir->place);
    if (error == 0)
        error = check_directory(&dir->place);
    if (error != 0) {
        free(dir);
        errno = -error;
        return NULL;
    }
    return dir;
}

/* The last component of `path` when it lies directly in `dir`. */
static const char *child_name(const char *dir, const char *path)
{
    size_t length = strlen(dir);

    if (*path == '\0' || strncmp(path, dir, length) != 0)
        return NULL;
    path += length;
    if (length > 0 && *path++ != '/')
        return NULL;
    return *path != '\0' && strchr(path, '/') == NULL ? path : NULL;
}

static struct dirent *give(DIR *dir, const char *name, unsigned char type)
{
    dir->entry.d_ino = (ino_t)(dir->next + dir->next_mount);
    dir->entry.d_type = type;
    if (name != dir->entry.d_name)
        snprintf(dir->entry.d_name, sizeof(dir->entry.d_name), "%s", name);
    return &dir->entry;
}

static struct dirent *read_mount(DIR *dir)
{
    if (dir->place.mount->entry(dir->place.path, dir->next, dir->entry.d_name, sizeof(dir->entry.d_name)) != 0)
        return NULL;
    dir->next++;
    return give(dir, dir->entry.d_name, DT_UNKNOWN);
}

/* Mounts first; one may hide a directory of the RAM disk. */
static struct dirent *read_root_mounts(DIR *dir)
{
    const char *name = *dir->place.path == '\0' ? mount_name(dir->next_mount) : NULL;

    if (name == NULL)
        return NULL;
    dir->next_mount++;
    return give(dir, name, DT_DIR);
}

static bool hidden(const DIR *dir, const char *name)
{
    const char *mount;

    for (unsigned int i = 0; *dir->place.path == '\0' && (mount = mount_name(i)) != NULL; i++)
        if (strcmp(mount, name) == 0)
            return true;
    return false;
}

struct dirent *readdir(DIR *dir)
{
    const struct file *file;
    struct dirent *entry;

    if (dir->place.mount != NULL)
        return read_mount(dir);
    entry = read_root_mounts(dir);
    while (entry == NULL && (file = files_at(dir->next)) != NULL) {
        const char *name = child_name(dir->place.path, file->path);

        dir->next++;
        if (name != NULL && !hidden(dir, name))
            entry = give(dir, name, file->is_directory ? DT_DIR : DT_REG);
    }
    return entry;
}

void rewinddir(DIR *dir)
{
    dir->next = dir->next_mount = 0;
}

int closedir(DIR *dir)
{
    free(dir);
    return 0;
}
