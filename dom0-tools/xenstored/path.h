/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Names of nodes: which are allowed, and how a client's relative name becomes an absolute one.
 */
#ifndef XENSTORED_PATH_H
#define XENSTORED_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include <abi/io/xs_wire.h>

#define PATH_BUFFER (XENSTORE_ABS_PATH_MAX + 1)

/* Absolute and canonical: allowed characters only, no doubled slash, none at the end except in "/". */
bool path_is_valid(const char *path);

/*
 * Writes the absolute form of `name` as the domain means it to `out` (PATH_BUFFER bytes). False if it is no valid name.
 * `*relative` tells whether it was a relative one.
 */
bool path_resolve(unsigned int domid, const char *name, char *out, bool *relative);

/* Length of "/local/domain/<domid>/", which relative names leave out. */
size_t path_home_len(unsigned int domid);

/* Length of the parent's path within `path`; 1 for children of the root. */
size_t path_parent_len(const char *path);

/* How many levels the first path lies below the second, which is one of its ancestors or itself. */
unsigned int path_levels_below(const char *child, const char *ancestor);

/* Parses a decimal number that fills the whole string; false if it does not or exceeds the maximum. */
bool parse_number(const char *string, unsigned long max, unsigned long *out);

#endif
