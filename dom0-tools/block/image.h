/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Does an image hold all that its own contents claim? A file that was cut short in copying is found here and not by a
 * guest half an hour later.
 */
#ifndef BLOCK_IMAGE_H
#define BLOCK_IMAGE_H

#include <stddef.h>
#include <stdint.h>

/* The bytes that are looked at: from the beginning, or less when the image ends before. */
#define IMAGE_HEAD_BYTES (34u * 1024)

/*
 * How many sectors of 512 bytes the image says it has: by the partition table, ext2/3/4 or ISO 9660 found in its head;
 * 0 when none of them is there. *what names it.
 */
uint64_t image_claimed_sectors(const void *head, size_t bytes, const char **what);

#endif
