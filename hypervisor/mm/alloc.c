/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Our own memory: whole pages from the heap, smaller objects from slabs. A slab is one page with a header and objects
 * of one size; so an object is never page-aligned, and hv_free tells the two apart by that.
 */
#include "internal.h"

unsigned long total_frames, hypervisor_frames;

unsigned long address_limit(unsigned address_bits)
{
    return address_bits == 0 || address_bits >= 52 ? max_frame : MIN(max_frame, (1UL << address_bits) >> PAGE_SHIFT);
}

/* A call of another domain does not use up what is claimed, either, by having us need memory; of dom0, which builds the
 * domain that it is claimed for, it may. */
mfn_t frame_alloc(unsigned order, unsigned address_bits)
{
    bool dirty;
    unsigned long none = 0;
    bool free = current == NULL || current->domain->privileged;
    mfn_t mfn = take_unclaimed(free ? NULL : &none, order, address_limit(address_bits), &dirty);
    if (mfn.value != INVALID_FRAME) {
        flush_stale(); /* no guest may still reach what becomes ours */
        __atomic_add_fetch(&hypervisor_frames, 1UL << order, __ATOMIC_RELAXED);
    }
    return mfn;
}

void frame_free(mfn_t mfn, unsigned order)
{
    __atomic_sub_fetch(&hypervisor_frames, 1UL << order, __ATOMIC_RELAXED);
    for (unsigned long i = 0; i < 1UL << order; i++)
        *frame_mark(mfn_add(mfn, i)) = 0;
    heap_give(mfn, order, true);
}

void *hv_alloc_pages(unsigned order)
{
    mfn_t mfn = frame_alloc(order, 0);
    if (mfn.value == INVALID_FRAME)
        return NULL;
    return clear_pages(mfn_to_virt(mfn), order);
}

void hv_free_pages(void *p, unsigned order)
{
    if (p)
        frame_free(virt_to_mfn(p), order);
}

#define IDLE_SCRUB_ORDER 4

bool mm_idle_work(void)
{
    mfn_t mfn;
    int order = heap_take_dirty(IDLE_SCRUB_ORDER, WORD_OURS, &mfn);
    if (order < 0)
        return false;
    flush_stale(); /* who had it last may still reach it: it would not stay clean */
    clear_pages(mfn_to_virt(mfn), order);
    heap_give_cleaned(mfn, (unsigned)order);
    return true;
}

struct slab {
    struct list link; /* slabs of this size that have a free object */
    void *free;
    u16 size_index, used;
};

#define SLAB_HEADER 64

/* Chosen so that 126, 63, 31, ... 2 objects fill a page behind the header. From 64 on all are aligned to a cache line,
 * as a vector state area must be. */
static const u16 sizes[] = {32, 64, 128, 192, 256, 320, 448, 576, 640, 768, 960, 1344, 1984};
static struct list partial_slabs[ARRAY_SIZE(sizes)];
static spinlock_t slab_lock;

static struct slab *slab_create(unsigned index)
{
    struct slab *slab = hv_alloc_pages(0);
    if (slab == NULL)
        return NULL;
    slab->size_index = (u16)index;
    for (unsigned at = SLAB_HEADER; at + sizes[index] <= PAGE_SIZE; at += sizes[index]) {
        void **object = (void **)((char *)slab + at);
        *object = slab->free;
        slab->free = object;
    }
    list_add_tail(&slab->link, &partial_slabs[index]);
    return slab;
}

static void *slab_take(unsigned index)
{
    struct list *head = &partial_slabs[index];
    struct slab *slab;
    if (head->next == NULL)
        list_init(head);
    slab = list_empty(head) ? slab_create(index) : list_entry(head->next, struct slab, link);
    if (slab == NULL)
        return NULL;
    void **object = slab->free;
    slab->free = *object;
    slab->used++;
    if (slab->free == NULL)
        list_del(&slab->link);
    return object;
}

void *hv_alloc(size_t size)
{
    unsigned index = 0;
    if (size > sizes[ARRAY_SIZE(sizes) - 1])
        return size <= PAGE_SIZE ? hv_alloc_pages(0) : NULL;
    while (sizes[index] < size)
        index++;
    spin_lock(&slab_lock);
    void *object = slab_take(index);
    spin_unlock(&slab_lock);
    return object ? memset(object, 0, sizes[index]) : NULL;
}

void hv_free(void *p)
{
    if (p == NULL)
        return;
    struct slab *slab = (struct slab *)((unsigned long)p & PAGE_MASK);
    if ((void *)slab == p) {
        hv_free_pages(p, 0);
        return;
    }
    spin_lock(&slab_lock);
    if (slab->free == NULL)
        list_add_tail(&slab->link, &partial_slabs[slab->size_index]);
    *(void **)p = slab->free;
    slab->free = p;
    bool empty = --slab->used == 0;
    if (empty)
        list_del(&slab->link);
    spin_unlock(&slab_lock);
    if (empty)
        hv_free_pages(slab, 0);
}
