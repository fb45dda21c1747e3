/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The read-only file system: a ustar archive in memory, as a flat list of entries with normalised paths ("boot/x",
 * "" for the root). Entries are found by path; directories that the archive only implies exist too.
 */
#ifndef LIBC_FILES_H
#define LIBC_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FILES_PATH_MAX   256
#define FILES_SPARSE_MAX (512u << 20) /* of a file with holes, which are memory once it is read */

struct file {
    char path[FILES_PATH_MAX];
    const char *data;
    size_t size;
    uint32_t mode;
    uint32_t mtime;
    bool is_directory;
};

/* Takes every entry that lies wholly inside the archive; returns how many. */
unsigned int files_load(const void *archive, size_t size);

/* The i-th entry, NULL past the end. */
const struct file *files_at(unsigned int index);

/* Looks a path up, relative or absolute, with "." , ".." and repeated slashes; NULL: no such entry. */
const struct file *files_find(const char *path);

/* Normalises a path into out[FILES_PATH_MAX]; false when it is too long. */
bool files_normalise(const char *path, char *out);

#endif
