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

/* Pages that lie together for us, each wherever it is for devices; kept for ever. NULL when memory is short. */
void *dma_run_alloc(unsigned int pages);
uint64_t dma_machine(const void *page);

#endif
