/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Granted pages; see pages.h. A slot (an address and its bookkeeping) is either free, in use by requests, or kept. Only
 * kept pages without users may be unmapped for others, and only then does their slot become free.
 */
#include "pages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <pv/paging.h>

#define CHUNK_PAGES 32u
#define BATCH       64u

/* What blkback of Linux keeps for a ring, and room for the largest request beside it. */
#define KEPT_MAX 1056u
#define POOL_MAX (KEPT_MAX + 512u)
/* All pools together, so that the addresses last for everybody else. */
#define TOTAL_MAX 65536u

struct page_chunk {
    struct page_chunk *next;
    char *addr;
    struct granted_page pages[CHUNK_PAGES];
};

static unsigned int total_pages;

void pool_init(struct page_pool *pool, domid_t domid, bool persistent)
{
    memset(pool, 0, sizeof(*pool));
    pool->domid = domid;
    pool->persistent = persistent;
    pool->limit = POOL_MAX;
    pool->kept_limit = persistent ? KEPT_MAX : 0;
}

static struct granted_page **bucket_of(struct page_pool *pool, grant_ref_t gref)
{
    return &pool->buckets[gref % POOL_BUCKETS];
}

static struct granted_page *find_kept(struct page_pool *pool, grant_ref_t gref)
{
    struct granted_page *page = *bucket_of(pool, gref);

    while (page != NULL && page->mapping.gref != gref)
        page = page->next;
    return page;
}

static void link_newest(struct page_pool *pool, struct granted_page *page)
{
    page->newer = NULL;
    page->older = pool->newest;
    if (pool->newest != NULL)
        pool->newest->newer = page;
    else
        pool->oldest = page;
    pool->newest = page;
}

static void unlink_kept(struct page_pool *pool, struct granted_page *page)
{
    *(page->newer != NULL ? &page->newer->older : &pool->newest) = page->older;
    *(page->older != NULL ? &page->older->newer : &pool->oldest) = page->newer;
}

static void free_slot(struct page_pool *pool, struct granted_page *page)
{
    page->next = pool->free;
    pool->free = page;
}

/* A page whose unmapping failed keeps its slot out of use: the address is not free. */
static void unmap(struct page_pool *pool, struct granted_page **pages, unsigned int count)
{
    grant_unmap_many((struct grant_mapping *const *)pages, count);
    for (unsigned int i = 0; i < count; i++) {
        if (pages[i]->mapping.error == 0)
            free_slot(pool, pages[i]);
        else
            pool->lost = true;
    }
}

static void forget(struct page_pool *pool, struct granted_page *page)
{
    struct granted_page **link = bucket_of(pool, page->mapping.gref);

    while (*link != page)
        link = &(*link)->next;
    *link = page->next;
    unlink_kept(pool, page);
    page->kept = false;
    pool->kept--;
}

/* Unmaps up to `wanted` kept pages that nobody uses, the oldest first. Returns how many. */
static unsigned int evict(struct page_pool *pool, unsigned int wanted)
{
    struct granted_page *batch[BATCH], *page = pool->oldest, *newer;
    unsigned int count = 0;

    if (wanted > BATCH)
        wanted = BATCH;
    for (; page != NULL && count < wanted; page = newer) {
        newer = page->newer;
        if (page->users > 0)
            continue;
        forget(pool, page);
        batch[count++] = page;
    }
    if (count > 0)
        unmap(pool, batch, count);
    return count;
}

static bool grow(struct page_pool *pool)
{
    struct page_chunk *chunk;

    if (pool->pages + CHUNK_PAGES > pool->limit || total_pages + CHUNK_PAGES > TOTAL_MAX)
        return false;
    chunk = calloc(1, sizeof(*chunk));
    if (chunk == NULL)
        return false;
    chunk->addr = vspace_alloc(CHUNK_PAGES);
    if (chunk->addr == NULL) {
        free(chunk);
        return false;
    }
    chunk->next = pool->chunks;
    pool->chunks = chunk;
    pool->pages += CHUNK_PAGES;
    total_pages += CHUNK_PAGES;
    for (unsigned int i = 0; i < CHUNK_PAGES; i++) {
        chunk->pages[i].mapping.addr = chunk->addr + i * PAGE_SIZE;
        free_slot(pool, &chunk->pages[i]);
    }
    return true;
}

static struct granted_page *take_slot(struct page_pool *pool)
{
    struct granted_page *page;

    while (pool->free == NULL)
        if (!grow(pool) && evict(pool, CHUNK_PAGES) == 0)
            return NULL;
    page = pool->free;
    pool->free = page->next;
    return page;
}

static void prepare(struct page_pool *pool, struct granted_page *page, grant_ref_t gref, bool readonly)
{
    page->mapping.gref = gref;
    page->mapping.domid = pool->domid;
    page->mapping.readonly = readonly && !pool->persistent;
    page->users = 1;
    page->kept = false;
}

/* Keeps a page that was just mapped, unless its like is kept already or everything kept is in use. */
static void keep(struct page_pool *pool, struct granted_page *page)
{
    struct granted_page **bucket = bucket_of(pool, page->mapping.gref);

    if (!pool->persistent || find_kept(pool, page->mapping.gref) != NULL)
        return;
    if (pool->kept >= pool->kept_limit && evict(pool, 1) == 0)
        return;
    page->kept = true;
    page->next = *bucket;
    *bucket = page;
    link_newest(pool, page);
    pool->kept++;
}

static void use_again(struct page_pool *pool, struct granted_page *page)
{
    page->users++;
    unlink_kept(pool, page);
    link_newest(pool, page);
}

/* Some could not be mapped: those that were go again, and the kept ones lose their user. */
static int give_up(struct page_pool *pool, struct granted_page **out, unsigned int count)
{
    int error = 0;

    for (unsigned int i = 0; i < count; i++) {
        if (out[i]->kept) {
            out[i]->users--;
        } else if (out[i]->mapping.error != 0) {
            error = error != 0 ? error : out[i]->mapping.error;
            free_slot(pool, out[i]);
        } else {
            unmap(pool, &out[i], 1);
        }
    }
    return error;
}

/* Slots for all, those to be mapped listed in fresh[]. Returns how many, or -1 when there are not enough. */
static int choose(struct page_pool *pool, const grant_ref_t *grefs, unsigned int count, bool readonly,
                  struct granted_page **out, struct granted_page **fresh)
{
    unsigned int mapped = 0, done = 0;

    for (; done < count; done++) {
        out[done] = pool->persistent ? find_kept(pool, grefs[done]) : NULL;
        if (out[done] != NULL) {
            use_again(pool, out[done]);
            continue;
        }
        out[done] = take_slot(pool);
        if (out[done] == NULL)
            break;
        prepare(pool, out[done], grefs[done], readonly);
        fresh[mapped++] = out[done];
    }
    if (done == count)
        return (int)mapped;
    while (done-- > 0) {
        if (out[done]->kept)
            out[done]->users--;
        else
            free_slot(pool, out[done]);
    }
    return -1;
}

int pool_take(struct page_pool *pool, const grant_ref_t *grefs, unsigned int count, bool readonly,
              struct granted_page **out)
{
    struct granted_page *fresh[256];
    int mapped = count <= 256 ? choose(pool, grefs, count, readonly, out, fresh) : -1;
    bool failed = false;

    if (mapped < 0)
        return -EAGAIN;
    if (mapped > 0)
        grant_map_many((struct grant_mapping *const *)fresh, (unsigned int)mapped);
    for (int i = 0; i < mapped; i++)
        failed = failed || fresh[i]->mapping.error != 0;
    if (failed)
        return give_up(pool, out, count);
    for (int i = 0; i < mapped; i++) {
        fresh[i]->machine = (uint64_t)pte_mfn(pte_read(fresh[i]->mapping.addr)) << PAGE_SHIFT;
        keep(pool, fresh[i]);
    }
    return 0;
}

void pool_release(struct page_pool *pool, struct granted_page **pages, unsigned int count)
{
    struct granted_page *batch[BATCH];
    unsigned int used = 0;

    for (unsigned int i = 0; i < count; i++) {
        if (--pages[i]->users > 0 || pages[i]->kept)
            continue;
        batch[used++] = pages[i];
        if (used == BATCH) {
            unmap(pool, batch, used);
            used = 0;
        }
    }
    if (used > 0)
        unmap(pool, batch, used);
}

void pool_destroy(struct page_pool *pool)
{
    struct page_chunk *chunk = pool->chunks, *next;

    while (evict(pool, BATCH) > 0)
        ;
    for (; chunk != NULL; chunk = next) {
        next = chunk->next;
        if (!pool->lost)
            vspace_free(chunk->addr, CHUNK_PAGES);
        total_pages -= CHUNK_PAGES;
        free(chunk);
    }
    memset(pool, 0, sizeof(*pool));
}
