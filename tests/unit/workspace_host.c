/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Workspace on the host: from malloc, so that the sanitizer sees the byte behind it.
 */
#include "dom0-tools/builder/workspace.h"

#include <stdlib.h>

void *workspace_get(size_t size)
{
    return malloc(size);
}

void workspace_put(void *memory, size_t size)
{
    (void)size;
    free(memory);
}
