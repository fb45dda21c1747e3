/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A virtual disk of the domain: front end of the block protocol over one ring page. Offsets and lengths are whole
 * sectors of 512 bytes, buffers lie on 512-byte boundaries anywhere in mapped memory. Threads only; several may
 * transfer at once.
 */
#ifndef PV_BLKFRONT_H
#define PV_BLKFRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLKFRONT_SECTOR 512u
#define BLKFRONT_XVDA   51712u /* the number of the first disk; the next is 16 on */

struct blkfront;

struct blkfront_info {
    uint64_t sectors;
    bool read_only;
    bool can_flush;
};

/*
 * Connects to the disk of this number under device/vbd. NULL with errno: ENOENT (no such disk), ETIMEDOUT (the other
 * end did not answer by the deadline, in time_monotonic_ns), EPROTO (it wrote nonsense), ENOMEM.
 */
struct blkfront *blkfront_open(unsigned int number, uint64_t deadline_ns);

/* Lets the device go; transfers under way must have ended. */
void blkfront_close(struct blkfront *disk);

struct blkfront_info blkfront_info(const struct blkfront *disk);

/*
 * Each waits until everything is done. 0, or -EINVAL (not whole sectors), -ERANGE (past the end), -EROFS, -EOPNOTSUPP,
 * -EIO (the other end failed it), -EPROTO (the other end broke the protocol; every later call fails the same way).
 */
int blkfront_read(struct blkfront *disk, uint64_t sector, void *data, size_t bytes);
int blkfront_write(struct blkfront *disk, uint64_t sector, const void *data, size_t bytes);
int blkfront_flush(struct blkfront *disk);

#endif
