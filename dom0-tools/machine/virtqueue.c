/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The rings of a virtqueue. Which chains exist is known from arrays of our own: what the device can write is read once
 * and compared with them.
 */
#include <stddef.h>
#include <string.h>

#include "dma.h"
#include "virtqueue.h"

#define DESCRIPTOR_NEXT     1u
#define DESCRIPTOR_WRITE    2u
#define DESCRIPTOR_INDIRECT 4u
#define NO_INTERRUPT        1u
#define NO_NOTIFY           1u

struct virtqueue_descriptor {
    uint64_t address;
    uint32_t bytes;
    uint16_t flags, next;
};

/* At ring[size] of either side (in the low half of `id`) lies the index at which it wants to hear from the other. */
struct virtqueue_available {
    uint16_t flags, index, ring[VIRTQUEUE_SIZE_MAX + 1];
};

struct virtqueue_used {
    uint16_t flags, index;
    struct {
        uint32_t id, bytes;
    } ring[VIRTQUEUE_SIZE_MAX + 1];
};

#define AVAILABLE_OFFSET (VIRTQUEUE_SIZE_MAX * sizeof(struct virtqueue_descriptor))
#define USED_OFFSET      (AVAILABLE_OFFSET + ((sizeof(struct virtqueue_available) + 3) & ~3ul))

_Static_assert(sizeof(struct virtqueue_descriptor) == 16, "the standard's descriptor");
_Static_assert(USED_OFFSET + sizeof(struct virtqueue_used) <= DMA_PAGE_BYTES, "a queue lies in one page");
_Static_assert(VIRTQUEUE_SIZE_MAX * sizeof(struct virtqueue_descriptor) <= DMA_PAGE_BYTES, "so does a table");

static void full_barrier(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

bool virtqueue_init(struct virtqueue *queue, uint16_t size, bool event_index, bool indirect)
{
    uint8_t *page;

    memset(queue, 0, sizeof(*queue));
    page = dma_page_alloc(&queue->machine);
    if (page == NULL)
        return false;
    queue->size = size;
    queue->event_index = event_index;
    queue->indirect = indirect;
    queue->descriptors = (void *)page;
    queue->available = (void *)(page + AVAILABLE_OFFSET);
    queue->used = (void *)(page + USED_OFFSET);
    queue->free_count = size;
    for (uint16_t i = 0; i < size; i++)
        queue->next[i] = (uint16_t)(i + 1);
    return true;
}

uint64_t virtqueue_available_machine(const struct virtqueue *queue)
{
    return queue->machine + AVAILABLE_OFFSET;
}

uint64_t virtqueue_used_machine(const struct virtqueue *queue)
{
    return queue->machine + USED_OFFSET;
}

unsigned int virtqueue_buffers_max(const struct virtqueue *queue)
{
    return queue->size;
}

static uint16_t take_free(struct virtqueue *queue)
{
    uint16_t index = queue->free_head;

    queue->free_head = queue->next[index];
    queue->free_count--;
    return index;
}

/* A table is made when its descriptor first needs one, and kept. */
static bool add_indirect(struct virtqueue *queue, const struct virtqueue_buffer *buffers, unsigned int count,
                         unsigned int out)
{
    uint16_t head = queue->free_head;
    struct virtqueue_descriptor *table = queue->table[head];

    if (table == NULL)
        table = queue->table[head] = dma_page_alloc(&queue->table_machine[head]);
    if (table == NULL)
        return false;
    for (unsigned int i = 0; i < count; i++)
        table[i] = (struct virtqueue_descriptor){
            .address = buffers[i].machine,
            .bytes = buffers[i].bytes,
            .flags = (uint16_t)((i + 1 < count ? DESCRIPTOR_NEXT : 0) | (i >= out ? DESCRIPTOR_WRITE : 0)),
            .next = (uint16_t)(i + 1)};
    head = take_free(queue);
    queue->descriptors[head].address = queue->table_machine[head];
    queue->descriptors[head].bytes = (uint32_t)(count * sizeof(*table));
    queue->descriptors[head].flags = DESCRIPTOR_INDIRECT;
    queue->length[head] = 1;
    return true;
}

static void add_chain(struct virtqueue *queue, const struct virtqueue_buffer *buffers, unsigned int count,
                      unsigned int out)
{
    uint16_t head = queue->free_head;

    for (unsigned int i = 0; i < count; i++) {
        uint16_t index = take_free(queue);
        volatile struct virtqueue_descriptor *descriptor = &queue->descriptors[index];

        descriptor->address = buffers[i].machine;
        descriptor->bytes = buffers[i].bytes;
        descriptor->flags = (uint16_t)((i + 1 < count ? DESCRIPTOR_NEXT : 0) | (i >= out ? DESCRIPTOR_WRITE : 0));
        descriptor->next = queue->next[index];
    }
    queue->length[head] = (uint16_t)count;
}

bool virtqueue_add(struct virtqueue *queue, const struct virtqueue_buffer *buffers, unsigned int out, unsigned int in,
                   void *token)
{
    unsigned int count = out + in;
    uint16_t head = queue->free_head;

    if (queue->broken || count == 0 || count > virtqueue_buffers_max(queue))
        return false;
    if (queue->indirect && count > 1) {
        if (queue->free_count == 0 || !add_indirect(queue, buffers, count, out))
            return false;
    } else if (queue->free_count >= count) {
        add_chain(queue, buffers, count, out);
    } else {
        return false;
    }
    queue->token[head] = token;
    queue->available->ring[queue->available_index % queue->size] = head;
    __atomic_store_n(&queue->available->index, ++queue->available_index, __ATOMIC_RELEASE);
    return true;
}

bool virtqueue_must_notify(struct virtqueue *queue)
{
    uint16_t new = queue->available_index, old = queue->notified_index, event;

    if (new == old)
        return false;
    full_barrier();
    queue->notified_index = new;
    if (!queue->event_index)
        return !(queue->used->flags & NO_NOTIFY);
    event = (uint16_t)queue->used->ring[queue->size].id;
    return (uint16_t)(new - event - 1) < (uint16_t)(new - old);
}

static void release(struct virtqueue *queue, uint16_t head)
{
    uint16_t last = head;

    for (uint16_t i = 1; i < queue->length[head]; i++)
        last = queue->next[last];
    queue->next[last] = queue->free_head;
    queue->free_head = head;
    queue->free_count = (uint16_t)(queue->free_count + queue->length[head]);
    queue->length[head] = 0;
}

void *virtqueue_take(struct virtqueue *queue, uint32_t *bytes)
{
    uint16_t index = __atomic_load_n(&queue->used->index, __ATOMIC_ACQUIRE);
    uint32_t id;

    if (queue->broken || index == queue->used_index)
        return NULL;
    id = queue->used->ring[queue->used_index % queue->size].id;
    *bytes = queue->used->ring[queue->used_index % queue->size].bytes;
    if ((uint16_t)(index - queue->used_index) > queue->size || id >= queue->size || queue->length[id] == 0) {
        queue->broken = true;
        return NULL;
    }
    queue->used_index++;
    release(queue, (uint16_t)id);
    return queue->token[id];
}

void virtqueue_quiet(struct virtqueue *queue)
{
    if (queue->event_index)
        queue->available->ring[queue->size] = (uint16_t)(queue->used_index - 1);
    else
        queue->available->flags = NO_INTERRUPT;
}

bool virtqueue_arm(struct virtqueue *queue)
{
    if (queue->event_index)
        queue->available->ring[queue->size] = queue->used_index;
    else
        queue->available->flags = 0;
    full_barrier();
    return queue->broken || queue->used->index == queue->used_index;
}
