/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Zeroed memory for tables whose size a domain's limits decide: of the slab up to a page, whole pages above.
 */
#ifndef HYPERVISOR_DOMAIN_TABLE_H
#define HYPERVISOR_DOMAIN_TABLE_H

#include "mm.h"

static inline unsigned table_order(size_t size)
{
    unsigned order = 0;

    while ((PAGE_SIZE << order) < size)
        order++;
    return order;
}

static inline void *table_alloc(size_t size)
{
    return size <= PAGE_SIZE ? hv_alloc(size) : hv_alloc_pages(table_order(size));
}

static inline void table_free(void *table, size_t size)
{
    if (!table)
        return;
    if (size <= PAGE_SIZE)
        hv_free(table);
    else
        hv_free_pages(table, table_order(size));
}

#endif
