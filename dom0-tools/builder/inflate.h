/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * DEFLATE (RFC 1951), from memory to memory.
 */
#ifndef BUILDER_INFLATE_H
#define BUILDER_INFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Fills exactly out_size bytes; false when the data are damaged, end early or give another number of bytes. */
bool inflate_all(const uint8_t *in, size_t in_size, uint8_t *out, size_t out_size);

#endif
