/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Foreign frames in the embedded dom0; see view.h.
 */
#include "view.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <pv/paging.h>
#include <pv/threads.h>
#include <pv/time.h>

void *view_map(const struct view *view, const uint32_t *mfns, size_t count, bool writable, int *errors)
{
    xen_pfn_t frames[VIEW_BATCH];

    if (count == 0 || count > VIEW_BATCH) {
        errno = E2BIG;
        return NULL;
    }
    for (size_t i = 0; i < count; i++)
        frames[i] = mfns[i];
    return xenforeignmemory_map(view->memory, view->domid, writable ? PROT_READ | PROT_WRITE : PROT_READ, count, frames,
                                errors);
}

void view_unmap(const struct view *view, void *pages, size_t count)
{
    (void)xenforeignmemory_unmap(view->memory, pages, count);
}

int view_read(const struct view *view, const uint32_t *mfns, size_t count, void *pages)
{
    char *to = pages;

    while (count > 0) {
        size_t part = count < VIEW_BATCH ? count : VIEW_BATCH;
        void *mapped = view_map(view, mfns, part, false, NULL);

        if (mapped == NULL)
            return -1;
        memcpy(to, mapped, part * VIEW_PAGE);
        view_unmap(view, mapped, part);
        to += part * VIEW_PAGE;
        mfns += part;
        count -= part;
    }
    return 0;
}

int view_write(const struct view *view, uint32_t mfn, const void *page)
{
    void *mapped = view_map(view, &mfn, 1, true, NULL);

    if (mapped == NULL)
        return -1;
    memcpy(mapped, page, VIEW_PAGE);
    view_unmap(view, mapped, 1);
    return 0;
}

/*
 * The hypervisor's table may have holes where the machine has no memory. A part of it that was there once stays, so each
 * of its pages is tried once; from then on reading it costs no more than a load.
 */
uint64_t view_pfn_of(uint64_t mfn)
{
    static unsigned char *known;
    unsigned long pfn, page = (unsigned long)(mfn * sizeof(long) / VIEW_PAGE);

    if (mfn >= machine_frame_limit())
        return UINT64_MAX;
    if (known == NULL)
        known = calloc(1, machine_frame_limit() * sizeof(long) / VIEW_PAGE + 1);
    if (known != NULL && known[page])
        pfn = machine_to_guest_frame_known((unsigned long)mfn);
    else
        pfn = machine_to_guest_frame((unsigned long)mfn);
    if (known != NULL && pfn != INVALID_P2M)
        known[page] = 1;
    return pfn == INVALID_P2M ? UINT64_MAX : pfn;
}

uint64_t view_clock_ns(void)
{
    return time_monotonic_ns();
}

void view_pause_ns(uint64_t ns)
{
    if (ns == 0)
        thread_yield();
    else
        thread_sleep_ns(ns);
}

int migration_fail(struct stream_error *error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(error->text, sizeof(error->text), format, args);
    va_end(args);
    return -1;
}
