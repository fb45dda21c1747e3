/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Other files than those of the RAM disk: whoever has some mounts them at a directory, and open(), read() and the rest
 * of the C library reach them. Functions return 0 or a count, or a negative errno; offsets and sizes are in bytes. All
 * of it runs in threads and may wait.
 */
#ifndef PV_FILES_H
#define PV_FILES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/* What can be done with a file that is open. `own` is what open() of its mount gave. NULL: not possible (EINVAL). */
struct file_methods {
    ssize_t (*read)(void *own, uint64_t offset, void *buffer, size_t size);
    ssize_t (*write)(void *own, uint64_t offset, const void *buffer, size_t size);
    int (*resize)(void *own, uint64_t size);
    int (*sync)(void *own); /* NULL: written is safe */
    void (*describe)(void *own, struct stat *st);
    uint64_t (*size)(void *own);
    void (*close)(void *own);
};

/*
 * Files below one directory of the root. Paths come normalised and without the mount's name: "" is the mount itself,
 * "a/b" lies two below it. NULL: not possible (EROFS).
 */
struct mount {
    const char *name;
    int (*open)(const char *path, int flags, mode_t mode, const struct file_methods **methods, void **own);
    int (*describe)(const char *path, struct stat *st);
    /* The index-th name in a directory, copied to name[size]; -ENOENT past the last. */
    int (*entry)(const char *path, unsigned int index, char *name, size_t size);
    int (*unlink)(const char *path); /* also of an empty directory */
    int (*rename)(const char *from, const char *to);
    int (*make_directory)(const char *path, mode_t mode);
    struct mount *next;
};

void mount_add(struct mount *mount);

#endif
