/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A printf without state, for code that may run in a handler, on a secondary vCPU or before newlib is usable.
 */
#ifndef CORE_FORMAT_H
#define CORE_FORMAT_H

#include <stdarg.h>
#include <stddef.h>

/* Knows %c %s %d %i %u %x %p %%, widths with a leading 0, and h, l, ll, z. Returns the length written, without the 0. */
size_t format_text(char *out, size_t size, const char *format, va_list args);

#endif
