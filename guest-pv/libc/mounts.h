/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The tree of paths: the RAM disk at its root, mounts below it.
 */
#ifndef LIBC_MOUNTS_H
#define LIBC_MOUNTS_H

#include <pv/files.h>
#include "files.h"

/* Where a path leads. mount is NULL for the RAM disk; `path` is normalised and counts from the mount on. */
struct place {
    const struct mount *mount;
    char path[FILES_PATH_MAX];
};

/* 0 or -ENAMETOOLONG. */
int place_find(const char *path, struct place *place);

/* The index-th mount's name, NULL past the last. */
const char *mount_name(unsigned int index);

/* What the RAM disk's files can do; `own` is a const struct file. */
extern const struct file_methods ramdisk_methods;
void ramdisk_describe(const struct file *file, struct stat *st);

#endif
