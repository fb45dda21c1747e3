/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Writing a domain's core file, by command or because it crashed.
 */
#ifndef VANE_DUMPING_H
#define VANE_DUMPING_H

#include "vane.h"

#define DUMP_DIRECTORY "/tmp/dump"

/*
 * Pauses the domain meanwhile unless `live`. 0 with the file's size in *bytes, or 1 with the error printed and no file
 * left. A file in /tmp that would not fit is refused before the first byte.
 */
int dump_domain(struct vane *vane, domid_t domid, const char *path, bool live, uint64_t *bytes);

/* Of a domain that crashed, into DUMP_DIRECTORY and without a word: what came of it, to be freed; NULL: out of memory. */
char *dump_crashed(const struct vane *vane, domid_t domid, const char *name);

#endif
