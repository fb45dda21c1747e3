/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The block backend, and what the toolstack asks about a disk before it makes one.
 */
#ifndef BLOCK_VBD_H
#define BLOCK_VBD_H

#include <stdbool.h>
#include <stddef.h>

#include "dom0-tools/config/disk.h"
#include "volume.h"

#define VBD_KIND       "vbd"
#define VBD_REASON_MAX 240

/* Starts serving virtual disks. 0 or a negative errno. */
int vbd_start(void);

/* Opens what a disk's target names, or says in a sentence what hinders. Reads nothing. */
struct volume *vbd_open(const char *target, bool read_only, bool shared, char reason[VBD_REASON_MAX]);

/* Whether vbd_open would succeed now, and the image is as long as its contents say: waits for the disk. */
bool vbd_check(const struct disk *disk, char reason[VBD_REASON_MAX]);

#endif
