/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Pages that a guest granted, mapped for the requests that name them. With persistent grants a page stays mapped after
 * its request, up to a limit; the one not used for longest makes room. Without, it goes when its request ends.
 */
#ifndef BLOCK_PAGES_H
#define BLOCK_PAGES_H

#include <stdbool.h>
#include <stdint.h>

#include <pv/grant.h>

#define POOL_BUCKETS 256u

struct granted_page {
    struct grant_mapping mapping; /* first: arrays of either are passed on */
    uint64_t machine;             /* address of the page */
    unsigned int users;
    bool kept;                 /* found by its gref, and in the list of kept ones */
    struct granted_page *next; /* of the same bucket, or of the free ones */
    struct granted_page *newer, *older;
};

struct page_pool {
    domid_t domid;
    bool persistent;
    unsigned int pages, limit; /* slots there are and may be, mapped or not */
    unsigned int kept, kept_limit;
    bool lost; /* a page could not be unmapped: its addresses are never used again */
    struct granted_page *free;
    struct granted_page *buckets[POOL_BUCKETS];
    struct granted_page *newest, *oldest;
    struct page_chunk *chunks;
};

void pool_init(struct page_pool *pool, domid_t domid, bool persistent);

/* Nothing may be in use any more. */
void pool_destroy(struct page_pool *pool);

/*
 * Pages for `count` references. `readonly` holds for those that are not kept. 0, and out[] is filled; -EAGAIN when
 * others must be released first; else a negative errno. Nothing is taken when it fails.
 */
int pool_take(struct page_pool *pool, const grant_ref_t *grefs, unsigned int count, bool readonly,
              struct granted_page **out);
void pool_release(struct page_pool *pool, struct granted_page **pages, unsigned int count);

#endif
