/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The hash of all tables here: FNV-1a, which can be continued byte by byte along a path.
 */
#ifndef XENSTORED_HASH_H
#define XENSTORED_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_START 2166136261u

static inline uint32_t hash_bytes(uint32_t hash, const void *bytes, size_t len)
{
    const unsigned char *at = bytes;

    while (len--)
        hash = (hash ^ *at++) * 16777619u;
    return hash;
}

#endif
