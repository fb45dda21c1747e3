/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Between volume.c and the kinds of volumes that come into being when they are opened.
 */
#ifndef BLOCK_VOLUME_FILE_H
#define BLOCK_VOLUME_FILE_H

#include "volume.h"

/* A registered volume over a file that open() finds; NULL with errno. `name` fits the volume's. */
struct volume *volume_of_mounted(const char *path, const char *name);

/* Takes a volume out of the list. */
void volume_unregister(struct volume *volume);

#endif
