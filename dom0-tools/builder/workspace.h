/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Large memory for a short time. It does not come from the C library, whose heap never gives back what it once grew by.
 */
#ifndef BUILDER_WORKSPACE_H
#define BUILDER_WORKSPACE_H

#include <stddef.h>

/* Page-aligned, contents undefined; NULL when there is not enough. */
void *workspace_get(size_t size);

/* With the size it was asked for; NULL is allowed. */
void workspace_put(void *memory, size_t size);

#endif
