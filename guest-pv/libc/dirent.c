/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Directory streams over the flat list of files: an entry belongs to a directory when only one component follows.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "files.h"

struct dir_stream {
    char path[FILES_PATH_MAX];
    unsigned int next;
    struct dirent entry;
};

DIR *opendir(const char *path)
{
    const struct file *file = files_find(path);
    DIR *dir;

    if (file == NULL || !file->is_directory) {
        errno = file == NULL ? ENOENT : ENOTDIR;
        return NULL;
    }
    dir = calloc(1, sizeof(*dir));
    if (dir != NULL)
        memcpy(dir->path, file->path, FILES_PATH_MAX);
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

struct dirent *readdir(DIR *dir)
{
    const struct file *file;

    while ((file = files_at(dir->next)) != NULL) {
        const char *name = child_name(dir->path, file->path);

        dir->next++;
        if (name == NULL)
            continue;
        dir->entry.d_ino = (ino_t)dir->next;
        dir->entry.d_type = file->is_directory ? DT_DIR : DT_REG;
        strncpy(dir->entry.d_name, name, sizeof(dir->entry.d_name) - 1);
        return &dir->entry;
    }
    return NULL;
}

void rewinddir(DIR *dir)
{
    dir->next = 0;
}

int closedir(DIR *dir)
{
    free(dir);
    return 0;
}
