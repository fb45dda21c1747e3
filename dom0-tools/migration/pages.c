/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Sending pages: up to a thousand at a time are asked for their types, mapped, brought into canonical form and written
 * as one record. While the guest runs, a page may turn into another kind or go away between any two of these steps; it
 * is left for a later round then. Once it stands still, the same is an error.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "canonical.h"
#include "dom0-tools/stream/decode.h"
#include "saving.h"

#define PACE_STEP_NS 100000000u

struct page_batch {
    unsigned int count;
    uint32_t pfns[VIEW_BATCH];
    uint32_t mfns[VIEW_BATCH];
    xen_pfn_t types[VIEW_BATCH];
    int errors[VIEW_BATCH];
    unsigned int mapped; /* those with contents */
    uint32_t mapped_mfns[VIEW_BATCH];
    uint64_t head[1 + VIEW_BATCH]; /* the record's own: count, and a word for each page */
    struct stream_part parts[1 + VIEW_BATCH];
    size_t part_count;
    unsigned int tables;
    uint64_t scratch[VIEW_BATCH][CANONICAL_ENTRIES];
};

struct page_batch *page_batch_new(void)
{
    return malloc(sizeof(struct page_batch));
}

void page_batch_free(struct page_batch *batch)
{
    free(batch);
}

size_t bits_bytes(uint64_t pages)
{
    return (size_t)((pages + 63) / 64 * 8);
}

uint64_t bits_count(const uint8_t *bits, uint64_t pages)
{
    uint64_t count = 0;

    for (size_t i = 0; i < bits_bytes(pages); i++)
        count += (unsigned int)__builtin_popcount(bits[i]);
    return count;
}

static unsigned int page_type(const struct page_batch *batch, unsigned int i)
{
    return (uint32_t)batch->types[i] >> 28;
}

static int ask_types(struct saving *saving)
{
    struct page_batch *batch = saving->batch;

    for (unsigned int i = 0; i < batch->count; i++) {
        batch->mfns[i] = saving->p2m.mfns[batch->pfns[i]];
        batch->types[i] = batch->mfns[i];
    }
    if (ctl_frame_types(saving->view.ctl, saving->view.domid, batch->types, batch->count) != 0)
        return migration_fail(saving->error, "asking for the types of frames failed: %s", strerror(errno));
    batch->mapped = 0;
    for (unsigned int i = 0; i < batch->count; i++)
        if (stream_page_has_data(page_type(batch, i)))
            batch->mapped_mfns[batch->mapped++] = batch->mfns[i];
    return 0;
}

static void add_part(struct page_batch *batch, const void *data)
{
    struct stream_part *last = &batch->parts[batch->part_count - 1];

    if (batch->part_count > 1 && (const char *)last->data + last->size == data)
        last->size += VIEW_PAGE;
    else
        batch->parts[batch->part_count++] = (struct stream_part){data, VIEW_PAGE};
}

static uint64_t pfn_of(void *own, uint64_t mfn)
{
    return p2m_pfn_of(own, mfn);
}

static int bad_table(struct saving *saving, uint32_t pfn, unsigned int level, const struct table_fault *fault)
{
    if (!saving->suspended) {
        bit_set(saving->later, pfn);
        return 0;
    }
    return migration_fail(saving->error,
                          "the page table of level %u at guest frame %#x cannot be saved: entry %u (%#llx) %s", level,
                          pfn, fault->index, (unsigned long long)fault->entry,
                          fault->large ? "maps a large page" : "maps a frame that is not the guest's");
}

/* Adds one page; `contents` is its mapping. A page that cannot be sent now is noted for later. */
static int add_page(struct saving *saving, unsigned int i, const void *contents)
{
    struct page_batch *batch = saving->batch;
    unsigned int type = page_type(batch, i), level = stream_page_level(type);
    struct table_kind kind = {saving->view.bits, level, saving->compat_mark};
    struct frame_map map = {pfn_of, &saving->p2m};
    struct table_fault fault;

    if (level > 0) {
        if (canonical_table(&kind, &map, contents, batch->scratch[batch->tables], &fault) != 0)
            return bad_table(saving, batch->pfns[i], level, &fault);
        contents = batch->scratch[batch->tables++];
    }
    add_part(batch, contents);
    batch->head[++batch->head[0]] = (uint64_t)type << STREAM_PFN_TYPE_SHIFT | batch->pfns[i];
    bit_set(saving->sent, batch->pfns[i]);
    return 0;
}

/* One without contents: gone, or never there. Only of a page that was sent before the other side must know. */
static void add_empty(struct saving *saving, unsigned int i)
{
    struct page_batch *batch = saving->batch;
    unsigned int type = page_type(batch, i);

    if (type == STREAM_PAGE_INVALID && !bit_test(saving->sent, batch->pfns[i]))
        return;
    batch->head[++batch->head[0]] = (uint64_t)type << STREAM_PFN_TYPE_SHIFT | batch->pfns[i];
    if (type == STREAM_PAGE_INVALID)
        bit_clear(saving->sent, batch->pfns[i]);
}

static int add_pages(struct saving *saving, const uint8_t *mapping)
{
    struct page_batch *batch = saving->batch;
    unsigned int at = 0;
    int status = 0;

    batch->head[0] = 0;
    batch->part_count = 1;
    batch->tables = 0;
    for (unsigned int i = 0; i < batch->count && status == 0; i++) {
        if (!stream_page_has_data(page_type(batch, i))) {
            add_empty(saving, i);
            continue;
        }
        if (batch->errors[at] == 0)
            status = add_page(saving, i, mapping + (size_t)at * VIEW_PAGE);
        else if (!saving->suspended)
            bit_set(saving->later, batch->pfns[i]);
        else
            status = migration_fail(saving->error, "guest frame %#x (machine frame %#x) cannot be read: %s",
                                    batch->pfns[i], batch->mfns[i], strerror(batch->errors[at]));
        at++;
    }
    return status;
}

/* Its number is a count of 32 bits and nothing behind it: as one 64-bit number, the count itself. */
static int write_batch(struct saving *saving)
{
    struct page_batch *batch = saving->batch;
    uint64_t count = batch->head[0];

    if (count == 0)
        return 0;
    batch->parts[0] = (struct stream_part){batch->head, (size_t)(1 + count) * 8};
    saving->progress.pages_sent += count;
    saving->totals->pages += count;
    return saving_record(saving, STREAM_PAGE_DATA, batch->parts, batch->part_count);
}

static int send_batch(struct saving *saving)
{
    struct page_batch *batch = saving->batch;
    uint8_t *mapping = NULL;
    int status;

    if (ask_types(saving) != 0)
        return -1;
    if (batch->mapped > 0) {
        mapping = view_map(&saving->view, batch->mapped_mfns, batch->mapped, false, batch->errors);
        if (mapping == NULL)
            return migration_fail(saving->error, "mapping %u pages of domain %u failed: %s", batch->mapped,
                                  saving->view.domid, strerror(errno));
    }
    status = add_pages(saving, mapping);
    if (status == 0)
        status = write_batch(saving);
    if (mapping != NULL)
        view_unmap(&saving->view, mapping, batch->mapped);
    return status;
}

/* The user hears how it gets on, and may have had enough. */
static int tell(struct saving *saving)
{
    if (saving->source->progress != NULL)
        saving->source->progress(saving->source->own, &saving->progress);
    if (saving->source->cancelled != NULL && saving->source->cancelled(saving->source->own))
        return migration_fail(saving->error, "cancelled");
    return 0;
}

/* To the rate that the user allows; not while the guest stands still. */
static int pace(struct saving *saving)
{
    uint64_t now = view_clock_ns(), due, rate = saving->source->limits.bandwidth;
    int status = 0;

    if (rate == 0)
        return 0;
    due = saving->paced_from_ns + (saving->writer->offset - saving->paced_bytes) * 1000000000ull / rate;
    if (due > now)
        saving->round_started_ns += due - now; /* the rate that was measured is that of sending */
    for (; status == 0 && now < due; now = view_clock_ns()) {
        view_pause_ns(due - now < PACE_STEP_NS ? due - now : PACE_STEP_NS);
        status = tell(saving);
    }
    return status;
}

static int after_batch(struct saving *saving)
{
    struct migration_progress *progress = &saving->progress;
    uint64_t count = saving->batch->count;

    progress->pages_left = progress->pages_left > count ? progress->pages_left - count : 0;
    if (progress->round == 0)
        progress->rate = (saving->writer->offset - saving->paced_bytes) * 1000000000ull /
                         (view_clock_ns() - saving->round_started_ns + 1);
    if (saving->suspended)
        return 0;
    if (pace(saving) != 0)
        return -1;
    view_pause_ns(0);
    return tell(saving);
}

static uint64_t next_page(const uint8_t *bits, uint64_t pfn, uint64_t end)
{
    while (pfn < end && !bit_test(bits, pfn))
        pfn += pfn % 8 == 0 && bits[pfn / 8] == 0 ? 8 : 1;
    return pfn < end ? pfn : end;
}

int saving_send_pages(struct saving *saving)
{
    struct page_batch *batch = saving->batch;
    uint64_t pfn = next_page(saving->todo, 0, saving->p2m.pages);

    while (pfn < saving->p2m.pages) {
        batch->count = 0;
        while (batch->count < VIEW_BATCH && pfn < saving->p2m.pages) {
            batch->pfns[batch->count++] = (uint32_t)pfn;
            pfn = next_page(saving->todo, pfn + 1, saving->p2m.pages);
        }
        if (send_batch(saving) != 0 || after_batch(saving) != 0)
            return -1;
    }
    return 0;
}
