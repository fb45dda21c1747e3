/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A file system in memory that can be written. A file's pages come when they are first written, and go back when it is
 * cut or when it is removed and nobody has it open any more; what was never written reads as zeros.
 */
#ifndef LIBC_RAMFS_H
#define LIBC_RAMFS_H

#include <pv/files.h>

#define RAMFS_PAGE     4096u
#define RAMFS_NAME_MAX 128u
#define RAMFS_FILE_MAX (1ull << 34)

extern struct mount ramfs; /* mount_add(&ramfs) makes it /tmp */

/* Bytes in pages that files hold, and that they may hold together. */
uint64_t ramfs_used(void);
uint64_t ramfs_limit(void);
void ramfs_set_limit(uint64_t bytes);

/* Whole zeroed pages from below; NULL when none can be spared. */
void *ramfs_page_get(void);
void ramfs_page_put(void *page);

#endif
