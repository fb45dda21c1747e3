/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Kernels as they are shipped: packed with gzip or, as Linux's build does it, with LZ4's older frame and the unpacked
 * size behind it; or either of these as the payload of a Linux bzImage. Nothing in them is trusted: every read is inside
 * the file and every write inside the buffer, whose size the file claims and `limit` bounds.
 */
#ifndef BUILDER_UNPACK_H
#define BUILDER_UNPACK_H

#include <stdbool.h>
#include <stddef.h>

/* What a packed kernel may become at most. */
#define UNPACK_LIMIT (512u << 20)

bool unpack_needed(const void *data, size_t size);

/* Workspace (workspace.h) to be put back, and its size. NULL with *why = what is wrong, a sentence without a full stop. */
void *unpack(const void *data, size_t size, size_t limit, size_t *out_size, const char **why);

#endif
