/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Frames that come. A large one is spread over several pages. The pages of a batch go back to the card when the switch
 * is done with all of it. What the card says of a frame is read once and checked.
 */
#include <string.h>
#include <abi/io/netif.h>

#include "card.h"

#define ETHERNET_BYTES 14u

static bool give_page(struct card *card, struct card_page *page)
{
    struct virtqueue_buffer buffer = {page->machine, DMA_PAGE_BYTES};

    return virtqueue_add(&card->queue[CARD_RECEIVE], &buffer, 0, 1, page);
}

/* The pages of one batch. */
struct batch {
    struct card_page *pages[VIRTQUEUE_SIZE_MAX];
    unsigned int count;
};

static bool take_page(struct card *card, struct batch *batch, unsigned int offset, struct frame_piece *piece)
{
    uint32_t bytes;
    struct card_page *page = virtqueue_take(&card->queue[CARD_RECEIVE], &bytes);

    if (page == NULL)
        return false;
    batch->pages[batch->count++] = page;
    if (bytes < offset || bytes > DMA_PAGE_BYTES) {
        card->queue[CARD_RECEIVE].broken = true;
        return false;
    }
    *piece = (struct frame_piece){.data = page->data + offset, .bytes = bytes - offset};
    return true;
}

/* Collects one frame's pieces; false: there is no frame, or the card broke a rule. */
static bool take_frame(struct card *card, struct batch *batch, struct card_header *header, struct frame *frame)
{
    unsigned int wanted = 1;

    if (batch->count == VIRTQUEUE_SIZE_MAX || !take_page(card, batch, sizeof(*header), &frame->pieces[0]))
        return false;
    memcpy(header, batch->pages[batch->count - 1]->data, sizeof(*header));
    if (card->virtio.features & CARD_FEATURE_MERGEABLE)
        wanted = header->buffers;
    frame->bytes = frame->pieces[0].bytes;
    for (frame->piece_count = 1; frame->piece_count < wanted; frame->piece_count++) {
        if (wanted > CARD_FRAME_PAGES || batch->count == VIRTQUEUE_SIZE_MAX ||
            !take_page(card, batch, 0, &frame->pieces[frame->piece_count])) {
            card->queue[CARD_RECEIVE].broken = true;
            return false;
        }
        frame->bytes += frame->pieces[frame->piece_count].bytes;
    }
    return true;
}

/* false: the card says of the frame what cannot be. */
static bool describe_frame(struct frame *frame, const struct card_header *header)
{
    uint32_t first = frame->pieces[0].bytes;

    frame->header_bytes = first < sizeof(frame->header) ? first : sizeof(frame->header);
    memcpy(frame->header, frame->pieces[0].data, frame->header_bytes);
    frame->unreadable = NULL;
    frame->checksum_blank = (header->flags & CARD_NEEDS_CHECKSUM) != 0;
    frame->data_validated = frame->checksum_blank || (header->flags & CARD_DATA_VALID) != 0;
    frame->gso_type = header->gso_type == CARD_GSO_TCP4   ? XEN_NETIF_GSO_TYPE_TCPV4
                      : header->gso_type == CARD_GSO_TCP6 ? XEN_NETIF_GSO_TYPE_TCPV6
                                                          : XEN_NETIF_GSO_TYPE_NONE;
    frame->gso_size = frame->gso_type != XEN_NETIF_GSO_TYPE_NONE ? header->gso_size : 0;
    return frame->header_bytes >= ETHERNET_BYTES && frame->bytes <= FRAME_BYTES_MAX &&
           (header->gso_type == CARD_GSO_NONE || (frame->gso_size != 0 && frame->checksum_blank));
}

void card_receive(struct card *card)
{
    static struct frame frame;
    struct card_header header;
    struct batch batch = {.count = 0};

    switch_begin();
    while (take_frame(card, &batch, &header, &frame)) {
        if (describe_frame(&frame, &header)) {
            card->device.in_requests++;
            card->device.in_bytes += frame.bytes;
            switch_frame(&card->port, &frame);
        } else {
            card->device.errors++;
        }
    }
    switch_end();
    while (batch.count > 0)
        (void)give_page(card, batch.pages[--batch.count]);
    card_notify(card, CARD_RECEIVE);
}

bool card_receive_start(struct card *card)
{
    for (unsigned int i = 0; i < card->queue[CARD_RECEIVE].size; i++) {
        struct card_page *page = &card->received[i];

        page->data = dma_page_alloc(&page->machine);
        if (page->data == NULL || !give_page(card, page))
            return false;
    }
    return true;
}
