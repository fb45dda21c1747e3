/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the parts of the network card's driver share.
 */
#ifndef MACHINE_CARD_H
#define MACHINE_CARD_H

#include <pv/threads.h>

#include "dom0-tools/network/switch.h"
#include "dma.h"
#include "machine.h"
#include "virtio.h"

#define CARD_FEATURE_CHECKSUM       (1ull << 0)
#define CARD_FEATURE_GUEST_CHECKSUM (1ull << 1)
#define CARD_FEATURE_ADDRESS        (1ull << 5)
#define CARD_FEATURE_GUEST_TSO4     (1ull << 7)
#define CARD_FEATURE_GUEST_TSO6     (1ull << 8)
#define CARD_FEATURE_HOST_TSO4      (1ull << 11)
#define CARD_FEATURE_HOST_TSO6      (1ull << 12)
#define CARD_FEATURE_MERGEABLE      (1ull << 15)
#define CARD_FEATURE_STATUS         (1ull << 16)

#define CARD_NEEDS_CHECKSUM         1
#define CARD_DATA_VALID             2
#define CARD_GSO_NONE               0
#define CARD_GSO_TCP4               1
#define CARD_GSO_TCP6               4

/* In front of every frame, in either direction. */
struct card_header {
    uint8_t flags, gso_type;
    uint16_t header_bytes, gso_size, checksum_start, checksum_offset, buffers;
};

_Static_assert(sizeof(struct card_header) == 12, "the standard's header");

enum card_queue { CARD_RECEIVE, CARD_SEND, CARD_QUEUES };

#define CARD_FRAME_PAGES ((FRAME_BYTES_MAX + sizeof(struct card_header) + DMA_PAGE_BYTES - 1) / DMA_PAGE_BYTES)

_Static_assert(CARD_FRAME_PAGES <= FRAME_PIECES_MAX, "a frame of the largest size has a piece for each page");

struct card_page {
    uint8_t *data;
    uint64_t machine;
};

/* A frame on its way out: as many pages as it ever needed, kept for the next. */
struct outgoing {
    struct card_page pages[CARD_FRAME_PAGES];
    unsigned int bytes; /* with the card's header */
    bool failed, *unreadable;
    struct outgoing *next;
};

struct card {
    struct switch_port port;
    struct machine_device device;
    struct virtio_device virtio;
    struct virtqueue queue[CARD_QUEUES];
    volatile uint16_t *doorbell[CARD_QUEUES];

    struct card_page received[VIRTQUEUE_SIZE_MAX];
    struct outgoing outgoing[VIRTQUEUE_SIZE_MAX];
    struct outgoing *free_outgoing, *gathered, **gathered_end;

    struct waitq wake;
    bool interrupted, changed;
};

void card_notify(struct card *card, enum card_queue which);

/* Gives the card all pages to receive into; false: memory is short. */
bool card_receive_start(struct card *card);

/* Hands the switch all frames that came. */
void card_receive(struct card *card);

void card_send_start(struct card *card);

/* The port's: what it does with a frame, and at the end of a batch. */
void card_deliver(struct switch_port *port, const struct frame *frame);
void card_flush(struct switch_port *port);

#endif
