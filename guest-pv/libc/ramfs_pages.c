/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Pages for files in memory, straight from the kernel's allocator. Some always stay for everybody else.
 */
#include <string.h>
#include <pv/paging.h>
#include "ramfs.h"

#define PAGES_KEPT 2048u /* 8 MiB for the heap, stacks and page tables */

void *ramfs_page_get(void)
{
    return pages_free_count() > PAGES_KEPT ? pages_alloc(1) : NULL;
}

void ramfs_page_put(void *page)
{
    pages_free(page, 1);
}
