/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A split virtqueue of virtio 1.0: buffers go to the device, come back used. Everything the device writes is checked;
 * a device that breaks the queue's rules finds it `broken`, and nothing of it is believed any more.
 */
#ifndef MACHINE_VIRTQUEUE_H
#define MACHINE_VIRTQUEUE_H

#include <stdbool.h>
#include <stdint.h>

#define VIRTQUEUE_SIZE_MAX 128u /* so that a queue lies in one page, and an indirect table, too */

struct virtqueue_descriptor;
struct virtqueue_available;
struct virtqueue_used;

/* A run of machine memory. */
struct virtqueue_buffer {
    uint64_t machine;
    uint32_t bytes;
};

struct virtqueue {
    uint16_t size;
    bool event_index, indirect, broken;
    volatile struct virtqueue_descriptor *descriptors;
    volatile struct virtqueue_available *available;
    volatile struct virtqueue_used *used;
    uint64_t machine; /* of the descriptors, at a page's start */

    uint16_t free_head, free_count;
    uint16_t next[VIRTQUEUE_SIZE_MAX];   /* of a chain or of the free ones; ours, the device cannot reach it */
    uint16_t length[VIRTQUEUE_SIZE_MAX]; /* descriptors of the chain that starts here, 0: none does */
    void *token[VIRTQUEUE_SIZE_MAX];
    struct virtqueue_descriptor *table[VIRTQUEUE_SIZE_MAX]; /* the indirect tables made so far */
    uint64_t table_machine[VIRTQUEUE_SIZE_MAX];
    uint16_t available_index, notified_index, used_index;
};

/* Size: a power of 2 up to VIRTQUEUE_SIZE_MAX. false: memory is short. */
bool virtqueue_init(struct virtqueue *queue, uint16_t size, bool event_index, bool indirect);

uint64_t virtqueue_available_machine(const struct virtqueue *queue);
uint64_t virtqueue_used_machine(const struct virtqueue *queue);

/* How many buffers one virtqueue_add takes at most: the standard allows no chain that is longer than its queue. */
unsigned int virtqueue_buffers_max(const struct virtqueue *queue);

/*
 * Hands a chain to the device: first `out` buffers it reads, then `in` buffers it writes. false: the queue is full (or
 * memory short); nothing has changed. The token (not NULL) comes back with virtqueue_take.
 */
bool virtqueue_add(struct virtqueue *queue, const struct virtqueue_buffer *buffers, unsigned int out, unsigned int in,
                   void *token);

/* After one or more additions: whether the device wants to be told. */
bool virtqueue_must_notify(struct virtqueue *queue);

/* The token of a chain the device is done with and how many bytes it wrote; NULL: none. */
void *virtqueue_take(struct virtqueue *queue, uint32_t *bytes);

/* No interrupt, please (the device may still send one); and one for the next chain used: false if there is one already. */
void virtqueue_quiet(struct virtqueue *queue);
bool virtqueue_arm(struct virtqueue *queue);

#endif
