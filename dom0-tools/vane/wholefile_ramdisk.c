/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Files of the embedded dom0 lie in its RAM disk, which is in memory already: nothing is copied.
 */
#include "wholefile.h"

#include <errno.h>

#include "guest-pv/libc/files.h"

int whole_file_open(const char *path, struct whole_file *file)
{
    const struct file *entry = files_find(path);

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
    file->data = NULL;
    file->size = 0;
}
