/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * newlib's break: one growing range of addresses, with pages mapped in steps. Freed memory stays with malloc.
 */
#include <errno.h>
#include <unistd.h>
#include <pv/paging.h>
#include "../core/internal.h"

#define STEP 64UL

static unsigned long heap_break = HEAP_BASE, heap_mapped = HEAP_BASE;

/* Maps up to STEP pages at the end of the heap. */
static bool heap_extend(unsigned long pages)
{
    xen_pfn_t frames[STEP];
    void *page[STEP];
    unsigned long got = 0;

    for (; got < pages; got++) {
        page[got] = pages_alloc(1);
        if (page[got] == NULL)
            break;
        frames[got] = pfn_to_mfn(virt_to_pfn(page[got]));
    }
    if (got == pages && map_frames_at((void *)heap_mapped, frames, pages, DOMID_SELF, PTE_KERNEL_RW, NULL) == 0) {
        heap_mapped += pages << PAGE_SHIFT;
        return true;
    }
    while (got > 0)
        pages_free(page[--got], 1);
    return false;
}

/* Room for the pages and the tables that map them twice, with something left for others. */
static bool affordable(unsigned long pages)
{
    return pages + pages / 128 + 2 * STEP < pages_free_count();
}

void *sbrk(ptrdiff_t increment)
{
    unsigned long before = heap_break, wanted = heap_break + (unsigned long)increment;

    if (wanted < HEAP_BASE || wanted > HEAP_END || (increment > 0 && wanted < before)) {
        errno = ENOMEM;
        return (void *)-1;
    }
    if (wanted > heap_mapped && !affordable((wanted - heap_mapped) >> PAGE_SHIFT)) {
        errno = ENOMEM;
        return (void *)-1;
    }
    while (heap_mapped < wanted) {
        unsigned long pages = (wanted - heap_mapped + PAGE_SIZE - 1) >> PAGE_SHIFT;

        if (!heap_extend(pages < STEP ? STEP / 2 : STEP) && !heap_extend(1)) {
            errno = ENOMEM;
            return (void *)-1;
        }
    }
    heap_break = wanted;
    return (void *)before;
}
