/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Workspace from the kernel library's pages: adjoining ones where there are, else single ones mapped side by side.
 */
#include "workspace.h"

#include <stdint.h>
#include <stdlib.h>

#include <pv/paging.h>

#define PAGES_KEPT 512u /* stay for everybody else, beside the tables of a mapping */

static unsigned long pages_of(size_t size)
{
    return (unsigned long)((size + PAGE_SIZE - 1) / PAGE_SIZE);
}

static bool is_mapped(const void *memory)
{
    return (uintptr_t)memory >= pfn_limit() << PAGE_SHIFT;
}

static void *page_behind(const char *addr)
{
    return pfn_to_virt(mfn_to_pfn(virt_to_mfn(addr)));
}

static void *map_singles(unsigned long pages)
{
    xen_pfn_t *frames = malloc(pages * sizeof(*frames));
    void *memory = NULL, *page = NULL;
    unsigned long got = 0;

    for (; frames != NULL && got < pages && (page = pages_alloc(1)) != NULL; got++)
        frames[got] = pfn_to_mfn(virt_to_pfn(page));
    if (frames != NULL && got == pages)
        memory = map_frames(frames, pages, DOMID_SELF, PTE_KERNEL_RW, NULL);
    while (memory == NULL && got > 0)
        pages_free(pfn_to_virt(mfn_to_pfn(frames[--got])), 1);
    free(frames);
    return memory;
}

void *workspace_get(size_t size)
{
    unsigned long pages = pages_of(size);
    void *memory;

    if (pages == 0 || pages + pages / 128 + PAGES_KEPT > pages_free_count())
        return NULL;
    memory = pages_alloc(pages);
    return memory != NULL ? memory : map_singles(pages);
}

void workspace_put(void *memory, size_t size)
{
    unsigned long pages = pages_of(size);
    char *addr = memory;
    void *page;

    if (memory == NULL)
        return;
    if (!is_mapped(memory)) {
        pages_free(memory, pages);
        return;
    }
    for (unsigned long i = 0; i < pages; i++) {
        page = page_behind(addr + i * PAGE_SIZE);
        unmap_frames_keep(addr + i * PAGE_SIZE, 1);
        pages_free(page, 1);
    }
    vspace_free(memory, pages);
}
