/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Pages for devices, from the kernel's allocator. There is no IOMMU: a device's address is the machine's.
 */
#include <pv/paging.h>

#include "dma.h"

void *dma_page_alloc(uint64_t *machine)
{
    void *page = pages_alloc(1);

    if (page != NULL)
        *machine = (uint64_t)pfn_to_mfn(virt_to_pfn(page)) << PAGE_SHIFT;
    return page;
}

void *dma_run_alloc(unsigned int pages)
{
    return pages_alloc(pages);
}

uint64_t dma_machine(const void *page)
{
    return (uint64_t)pfn_to_mfn(virt_to_pfn(page)) << PAGE_SHIFT;
}
