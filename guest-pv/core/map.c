/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Address ranges for everything that is not in the direct mapping: frames of others, stacks, devices. A page behind
 * each range stays unmapped; the range before it gives the guard in front.
 */
#include <errno.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include "internal.h"

#define WORD_BITS    (8 * sizeof(unsigned long))
#define UPDATE_BATCH 128U

static unsigned long used_map[VSPACE_PAGES / WORD_BITS];
static unsigned long rover = 1;

static bool is_used(unsigned long page)
{
    return used_map[page / WORD_BITS] >> (page % WORD_BITS) & 1;
}

static void mark_range(unsigned long page, unsigned long count, bool used)
{
    for (; count > 0; page++, count--) {
        unsigned long bit = 1UL << (page % WORD_BITS);

        if (used)
            used_map[page / WORD_BITS] |= bit;
        else
            used_map[page / WORD_BITS] &= ~bit;
    }
}

/* First run of `count` unused pages in [from, to), or `to`. */
static unsigned long find_run(unsigned long from, unsigned long to, unsigned long count)
{
    unsigned long run = 0;

    for (unsigned long page = from; page < to; page++) {
        if (page % WORD_BITS == 0 && used_map[page / WORD_BITS] == ~0UL) {
            run = 0;
            page += WORD_BITS - 1;
            continue;
        }
        run = is_used(page) ? 0 : run + 1;
        if (run == count)
            return page + 1 - count;
    }
    return to;
}

void *vspace_alloc(unsigned long pages)
{
    unsigned long page;

    if (pages == 0 || pages >= VSPACE_PAGES - 2)
        return NULL;
    page = find_run(rover, VSPACE_PAGES, pages + 1);
    if (page == VSPACE_PAGES)
        page = find_run(1, VSPACE_PAGES, pages + 1);
    if (page == VSPACE_PAGES)
        return NULL;
    mark_range(page, pages + 1, true);
    rover = page + pages + 1;
    return (void *)(VSPACE_BASE + (page << PAGE_SHIFT));
}

void vspace_free(void *addr, unsigned long pages)
{
    unsigned long page = ((unsigned long)addr - VSPACE_BASE) >> PAGE_SHIFT;

    mark_range(page, pages + 1, false);
    /* Low addresses first: they have page tables already. */
    if (page < rover)
        rover = page;
}

/* One batch within one page table. Returns how many frames were mapped before the first failure, whose code is *rc. */
static unsigned int map_batch(unsigned long va, const xen_pfn_t *frames, unsigned int count, domid_t domid,
                              uint64_t flags, long *rc)
{
    struct mmu_update updates[UPDATE_BATCH];
    uint64_t slot = pte_slot((void *)va);
    unsigned int done = 0;

    for (unsigned int i = 0; i < count; i++) {
        updates[i].ptr = (slot + i * sizeof(pte_t)) | MMU_NORMAL_PT_UPDATE;
        updates[i].val = frames != NULL ? pte_make(frames[i], flags) : 0;
    }
    *rc = HYPERVISOR_mmu_update(updates, count, &done, domid);
    if (*rc == 0)
        return count;
    *rc = pv_error(*rc);
    return done < count ? done : count - 1;
}

/* As many pages from va on as fit one batch and one page table. */
static unsigned int batch_size(unsigned long va, unsigned long count)
{
    unsigned long in_table = 512 - ((va >> PAGE_SHIFT) & 511);

    if (count > in_table)
        count = in_table;
    return count < UPDATE_BATCH ? (unsigned int)count : UPDATE_BATCH;
}

int map_frames_at(void *addr, const xen_pfn_t *frames, unsigned long count, domid_t domid, uint64_t flags, int *errors)
{
    unsigned long va = (unsigned long)addr, i = 0;

    while (i < count) {
        unsigned int batch = batch_size(va + i * PAGE_SIZE, count - i), mapped;
        long rc = tables_build(va + i * PAGE_SIZE, 1);

        if (rc != 0)
            return (int)rc;
        mapped = map_batch(va + i * PAGE_SIZE, frames + i, batch, domid, flags, &rc);
        for (unsigned int j = 0; errors != NULL && j < mapped; j++)
            errors[i + j] = 0;
        i += mapped;
        if (rc == 0)
            continue;
        if (errors == NULL) {
            unmap_frames_keep(addr, i);
            return (int)rc;
        }
        errors[i++] = (int)-rc;
    }
    return 0;
}

void unmap_frames_keep(void *addr, unsigned long count)
{
    unsigned long va = (unsigned long)addr;

    for (unsigned long i = 0; i < count;) {
        unsigned int batch = batch_size(va + i * PAGE_SIZE, count - i);
        long rc;

        if (table_present(va + i * PAGE_SIZE, 1)) {
            map_batch(va + i * PAGE_SIZE, NULL, batch, DOMID_SELF, 0, &rc);
            if (rc != 0)
                pv_panic("unmapping %lx refused: %ld\n", va + i * PAGE_SIZE, rc);
        }
        i += batch;
    }
    if (count != 0)
        tlb_flush_range(va, count);
}

void *map_frames(const xen_pfn_t *frames, unsigned long count, domid_t domid, uint64_t flags, int *errors)
{
    void *addr = vspace_alloc(count);
    int rc;

    if (addr == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    rc = map_frames_at(addr, frames, count, domid, flags, errors);
    if (rc != 0) {
        vspace_free(addr, count);
        errno = -rc;
        return NULL;
    }
    return addr;
}

void unmap_frames(void *addr, unsigned long count)
{
    unmap_frames_keep(addr, count);
    vspace_free(addr, count);
}

void *map_range(unsigned long first_mfn, unsigned long count, domid_t domid, uint64_t flags)
{
    char *addr = vspace_alloc(count);

    if (addr == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    for (unsigned long i = 0; i < count; i++) {
        xen_pfn_t frame = first_mfn + i;
        int rc = map_frames_at(addr + i * PAGE_SIZE, &frame, 1, domid, flags, NULL);

        if (rc != 0) {
            unmap_frames(addr, i);
            mark_range(((unsigned long)addr - VSPACE_BASE) >> PAGE_SHIFT, count + 1, false);
            errno = -rc;
            return NULL;
        }
    }
    return addr;
}
