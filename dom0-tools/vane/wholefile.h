/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The bytes of a file in memory: the RAM disk's own copy where there is one (wholefile_ramdisk.c).
 */
#ifndef VANE_WHOLEFILE_H
#define VANE_WHOLEFILE_H

#include <stddef.h>

struct whole_file {
    const void *data;
    size_t size;
    void *copy; /* of ours; NULL: the bytes are where they always were */
};

/* 0, or -1 with errno. The bytes live until whole_file_close. */
int whole_file_open(const char *path, struct whole_file *file);
void whole_file_close(struct whole_file *file);

#endif
