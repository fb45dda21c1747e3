/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Memory that devices read and write: single pages of ours, with the address a device knows them by.
 */
#ifndef MACHINE_DMA_H
#define MACHINE_DMA_H

#include <stdint.h>

#define DMA_PAGE_BYTES 4096u

/* A zeroed page; NULL when memory is short. */
void *dma_page_alloc(uint64_t *machine);
void dma_page_free(void *page);

#endif
