/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Finding a guest's P2M. Linux gives its virtual address and the page tables to read it by (p2m_cr3, p2m_vaddr); older
 * and smaller kernels a tree of frame lists (pfn_to_mfn_frame_list_list). The number of frames follows from max_pfn,
 * so every step has a bound before it is made.
 */
#include "p2m.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shared_info.h"

#define SPARE_PAGES      (1u << 22) /* a guest may be made for far more memory than it has now */
#define PER_PAGE         4u
#define ENTRY_PRESENT    1u
#define ENTRY_LARGE      0x80u
#define ENTRY_FRAME_MASK 0x000FFFFFFFFFF000ull
#define RANGE_END_32     0xF5800000ull /* where the hypervisor's addresses begin for 32-bit guests */
#define HALF_64          (1ull << 47)
#define RANGE_START_64   0xFFFF880000000000ull /* and where they end for 64-bit ones */

uint64_t p2m_limit(uint64_t max_pages)
{
    uint64_t limit = max_pages * PER_PAGE + SPARE_PAGES;

    return max_pages < UINT32_MAX && limit < UINT32_MAX ? limit : UINT32_MAX;
}

uint64_t p2m_cr3_frame(unsigned int bits, uint64_t cr3)
{
    if (bits == 64)
        return (cr3 & ENTRY_FRAME_MASK) >> 12;
    return (uint32_t)cr3 >> 12 | (uint32_t)cr3 << 20;
}

uint64_t p2m_frame_cr3(unsigned int bits, uint64_t frame)
{
    if (bits == 64)
        return frame << 12;
    return (uint32_t)frame << 12 | (uint32_t)frame >> 20;
}

uint64_t p2m_pfn_of(const struct p2m *p2m, uint64_t mfn)
{
    uint64_t pfn = mfn < VIEW_NO_FRAME ? view_pfn_of(mfn) : UINT64_MAX;

    return pfn < p2m->pages && p2m->mfns[pfn] == mfn ? pfn : UINT64_MAX;
}

void p2m_free(struct p2m *p2m)
{
    free(p2m->mfns);
    free(p2m->frames);
    memset(p2m, 0, sizeof(*p2m));
}

/* Frame numbers out of longs of the guest's width; one that no machine has becomes VIEW_NO_FRAME. */
static void take_frames(const struct p2m *p2m, const void *longs, size_t count, uint32_t *mfns)
{
    const volatile uint32_t *half = longs; /* read once each: the guest may be writing */

    if (p2m->bits == 64)
        for (size_t i = 0; i < count; i++, half += 2) {
            uint32_t low = half[0];

            mfns[i] = half[1] == 0 ? low : VIEW_NO_FRAME;
        }
    else
        for (size_t i = 0; i < count; i++)
            mfns[i] = half[i];
}

/* `count` longs from pages at these frames, one table after the other: of the tree, and of the P2M itself. */
static int read_longs(const struct view *view, const struct p2m *p2m, const uint32_t *frames, size_t count,
                      uint32_t *mfns)
{
    size_t per_page = VIEW_PAGE / (p2m->bits / 8);

    while (count > 0) {
        size_t pages = (count + per_page - 1) / per_page, part;
        const void *mapped;

        pages = pages < VIEW_BATCH ? pages : VIEW_BATCH;
        part = count < pages * per_page ? count : pages * per_page;
        mapped = view_map(view, frames, pages, false, NULL);
        if (mapped == NULL)
            return -1;
        take_frames(p2m, mapped, part, mfns);
        view_unmap(view, (void *)mapped, pages);
        frames += pages;
        mfns += part;
        count -= part;
    }
    return 0;
}

static int fail_reading(const struct view *view, struct stream_error *error, const char *what)
{
    return migration_fail(error, "reading %s of domain %u failed: %s; its kernel may be changing them", what,
                          view->domid, strerror(errno));
}

static int read_tree(const struct view *view, struct p2m *p2m, uint64_t root, struct stream_error *error)
{
    size_t per_page = VIEW_PAGE / (p2m->bits / 8), list_count = (p2m->frame_count + per_page - 1) / per_page;
    uint32_t top = root < VIEW_NO_FRAME ? (uint32_t)root : VIEW_NO_FRAME, *lists;
    int status;

    if (list_count > per_page)
        return migration_fail(error, "domain %u says it has %llu frames: more than its tree of frame lists can hold",
                              view->domid, (unsigned long long)p2m->pages);
    lists = calloc(list_count, sizeof(*lists));
    if (lists == NULL)
        return fail_reading(view, error, "the frame lists");
    status = read_longs(view, p2m, &top, list_count, lists);
    if (status == 0)
        status = read_longs(view, p2m, lists, p2m->frame_count, p2m->frames);
    free(lists);
    return status == 0 ? 0 : fail_reading(view, error, "the frame lists");
}

static bool address_fits(unsigned int bits, uint64_t start, uint64_t size)
{
    uint64_t end = start + size;

    if (start % VIEW_PAGE != 0 || end < start)
        return false;
    if (bits == 32)
        return end <= RANGE_END_32;
    return end <= HALF_64 || start >= RANGE_START_64;
}

/* One table's entries for the addresses start to end: frames of the next level. */
static int take_entries(const uint64_t *entries, unsigned int shift, uint64_t start, uint64_t end, uint32_t *frames,
                        size_t *count)
{
    unsigned int first = (unsigned int)(start >> shift & 511), last = (unsigned int)(end >> shift & 511);

    for (unsigned int i = first; i <= last; i++) {
        uint64_t frame = (entries[i] & ENTRY_FRAME_MASK) >> 12;

        if ((entries[i] & ENTRY_PRESENT) == 0 || (shift > 12 && (entries[i] & ENTRY_LARGE) != 0) ||
            frame >= VIEW_NO_FRAME) {
            errno = EFAULT;
            return -1;
        }
        frames[(*count)++] = (uint32_t)frame;
    }
    return 0;
}

/* All tables of one level to all frames of the next. `below` has room for one frame per table of this range. */
static int walk_level(const struct view *view, unsigned int shift, uint64_t start, uint64_t end, const uint32_t *tables,
                      uint32_t *below)
{
    uint64_t *entries = malloc(VIEW_PAGE), span = 1ull << (shift + 9);
    size_t count = 0;
    int status = entries != NULL ? 0 : -1;

    for (uint64_t at = start; at <= end && status == 0; at = (at | (span - 1)) + 1) {
        uint64_t stop = (at | (span - 1)) < end ? at | (span - 1) : end;

        status = view_read(view, tables++, 1, entries);
        if (status == 0)
            status = take_entries(entries, shift, at, stop, below, &count);
        if (stop == end)
            break;
    }
    free(entries);
    return status;
}

static size_t tables_at(unsigned int shift, uint64_t start, uint64_t end)
{
    return (size_t)((end >> shift) - (start >> shift) + 1);
}

static int walk(const struct view *view, struct p2m *p2m, uint64_t cr3, uint64_t start)
{
    uint64_t end = start + p2m->frame_count * VIEW_PAGE - 1, root = p2m_cr3_frame(p2m->bits, cr3);
    uint32_t *tables = malloc(sizeof(*tables)), *below;
    int status = 0;

    if (tables == NULL)
        return -1;
    tables[0] = root < VIEW_NO_FRAME ? (uint32_t)root : VIEW_NO_FRAME;
    for (unsigned int shift = p2m->bits == 64 ? 39 : 30; shift >= 12 && status == 0; shift -= 9) {
        below = calloc(tables_at(shift, start, end), sizeof(*below));
        status = below != NULL ? walk_level(view, shift, start, end, tables, below) : -1;
        free(tables);
        tables = below;
    }
    if (status == 0)
        memcpy(p2m->frames, tables, p2m->frame_count * sizeof(*tables));
    free(tables);
    return status;
}

static int read_linear(const struct view *view, struct p2m *p2m, uint64_t cr3, uint64_t start,
                       struct stream_error *error)
{
    if (!address_fits(p2m->bits, start, (uint64_t)p2m->frame_count * VIEW_PAGE))
        return migration_fail(error, "domain %u says its P2M is at %#llx: that is no address for it", view->domid,
                              (unsigned long long)start);
    if (walk(view, p2m, cr3, start) != 0)
        return fail_reading(view, error, "the page tables of the P2M");
    return 0;
}

static int find(const struct view *view, const uint8_t *shared_info, struct p2m *p2m, struct stream_error *error)
{
    const struct shared_info_layout *at = shared_info_layout(p2m->bits);
    uint64_t root = guest_long(shared_info, at->frame_list_list, at->width);
    uint64_t cr3 = guest_long(shared_info, at->p2m_cr3, at->width);

    if (cr3 != 0)
        return read_linear(view, p2m, cr3, guest_long(shared_info, at->p2m_vaddr, at->width), error);
    if (root != 0)
        return read_tree(view, p2m, root, error);
    return migration_fail(
        error, "domain %u has not said where its P2M is: its kernel cannot be saved, or has not got that far",
        view->domid);
}

static int allocate(struct p2m *p2m)
{
    size_t per_page = VIEW_PAGE / (p2m->bits / 8);

    p2m->frame_count = (size_t)((p2m->pages + per_page - 1) / per_page);
    p2m->mfns = malloc((size_t)p2m->pages * sizeof(*p2m->mfns));
    p2m->frames = calloc(p2m->frame_count, sizeof(*p2m->frames));
    return p2m->mfns != NULL && p2m->frames != NULL ? 0 : -1;
}

int p2m_read(const struct view *view, const uint8_t *shared_info, uint64_t limit, struct p2m *p2m,
             struct stream_error *error)
{
    const struct shared_info_layout *at = shared_info_layout(view->bits);
    int status;

    memset(p2m, 0, sizeof(*p2m));
    p2m->bits = view->bits;
    p2m->pages = guest_long(shared_info, at->max_pfn, at->width);
    if (p2m->pages == 0)
        return migration_fail(error,
                              "domain %u has not said how many frames it has: its kernel cannot be saved, or has "
                              "not got that far",
                              view->domid);
    if (p2m->pages > limit)
        return migration_fail(error, "domain %u says it has %llu frames: at most %llu are believed", view->domid,
                              (unsigned long long)p2m->pages, (unsigned long long)limit);
    if (allocate(p2m) != 0)
        status = migration_fail(error, "out of memory for a table of %llu frames", (unsigned long long)p2m->pages);
    else
        status = find(view, shared_info, p2m, error);
    if (status == 0 && read_longs(view, p2m, p2m->frames, (size_t)p2m->pages, p2m->mfns) != 0)
        status = fail_reading(view, error, "the P2M");
    if (status != 0)
        p2m_free(p2m);
    return status;
}
