/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Registers of devices in memory, as frames that belong to nobody.
 */
#include <pv/paging.h>

#include "mmio.h"

volatile uint8_t *mmio_map(uint64_t machine, uint64_t bytes)
{
    unsigned long offset = (unsigned long)(machine & (PAGE_SIZE - 1));
    uint8_t *mapped;

    if (bytes == 0 || bytes > MMIO_BYTES_MAX || machine + bytes > PTE_ADDR_MASK)
        return NULL;
    mapped =
        map_range((unsigned long)(machine >> PAGE_SHIFT), (offset + (unsigned long)bytes + PAGE_SIZE - 1) >> PAGE_SHIFT,
                  DOMID_IO, PTE_KERNEL_RW | PTE_PCD | PTE_PWT);
    return mapped != NULL ? mapped + offset : NULL;
}
