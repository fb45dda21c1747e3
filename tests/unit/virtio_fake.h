/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The other side of a virtqueue: what a device does with it, written from the standard and not from the driver. And the
 * pages that both share, which no test gives back. Included once by each test.
 */
#ifndef TESTS_UNIT_VIRTIO_FAKE_H
#define TESTS_UNIT_VIRTIO_FAKE_H

#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dom0-tools/machine/dma.h"
#include "dom0-tools/machine/virtqueue.h"

/* Devices keep their pages for ever. */
static void *kept[8192];
static unsigned int kept_count;

void *dma_page_alloc(uint64_t *machine)
{
    void *page = kept[kept_count++] = aligned_alloc(DMA_PAGE_BYTES, DMA_PAGE_BYTES);

    ck_assert_uint_lt(kept_count, 8192);
    memset(page, 0, DMA_PAGE_BYTES);
    *machine = (uint64_t)(uintptr_t)page;
    return page;
}

/* The device's view of a queue, as the standard lays it out. */
struct descriptor {
    uint64_t address;
    uint32_t bytes;
    uint16_t flags, next;
};

struct device_side {
    struct virtqueue *queue;
    uint16_t seen, used;
};

static inline uint16_t *available(const struct virtqueue *queue)
{
    return (uint16_t *)(uintptr_t)virtqueue_available_machine(queue);
}

static inline uint16_t *used(const struct virtqueue *queue)
{
    return (uint16_t *)(uintptr_t)virtqueue_used_machine(queue);
}

/* Check's own assertions write to a file even when they hold. */
#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            ck_abort_msg("%s", #condition);                                                                            \
    } while (0)

/* The next chain's head and its buffers; false: there is none. */
static inline bool fetch(struct device_side *d, uint16_t *head, struct descriptor *chain, unsigned int *count)
{
    struct descriptor *table = (struct descriptor *)(uintptr_t)d->queue->machine, *at;
    uint16_t *ring = available(d->queue);

    if (d->seen == ring[1])
        return false;
    *head = ring[2 + d->seen++ % d->queue->size];
    at = &table[*head];
    if (at->flags & 4) {
        *count = at->bytes / 16;
        ck_assert_uint_le(*count, d->queue->size);
        memcpy(chain, (void *)(uintptr_t)at->address, at->bytes);
        return true;
    }
    for (*count = 0;; at = &table[at->next]) {
        REQUIRE(*count < (d->queue->size));
        chain[(*count)++] = *at;
        if (!(at->flags & 1))
            return true;
    }
}

static inline void complete(struct device_side *d, uint32_t head, uint32_t bytes)
{
    uint16_t *ring = used(d->queue);
    uint32_t entry[2] = {head, bytes};

    memcpy(ring + 2 + 4 * (d->used++ % d->queue->size), entry, sizeof(entry));
    ring[1] = d->used;
}

#endif
