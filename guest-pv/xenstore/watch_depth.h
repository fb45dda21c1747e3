/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The depth limit of watches, which the protocol has and libxenstore 4 has no call for.
 */
#ifndef XENSTORE_WATCH_DEPTH_H
#define XENSTORE_WATCH_DEPTH_H

#include <xenstore.h>

/*
 * xs_watch that only hears of changes at most `depth` levels below the path. For "@introduceDomain" and "@releaseDomain"
 * depth must be 1, and the event's path then ends with the domain: "@releaseDomain/7".
 */
bool xs_watch_depth(struct xs_handle *h, const char *path, const char *token, unsigned int depth);

#endif
