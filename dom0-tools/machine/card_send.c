/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Frames that leave. Each is copied into pages of ours: its header as the switch saw it, the rest from our memory or,
 * by grant, from the guest's; the hypervisor's copies of a batch are one hypercall. When the card does not keep up,
 * frames are dropped, as on any wire. The card need not say when it is done: that is seen when the next frame leaves.
 */
#include <string.h>
#include <abi/grant_table.h>

#include "card.h"
#include "dom0-tools/network/packet.h"
#include "dom0-tools/network/platform.h"

#define COPIES_MAX           128u
#define TCP_CHECKSUM         16
#define UDP_CHECKSUM         6
#define PROTOCOL_TCP         6
#define PROTOCOL_UDP         17
#define TCP_HEADER_BYTES_MIN 20u

/* The copies gathered; the first card whose batch ends has them all carried out. */
static struct {
    struct gnttab_copy ops[COPIES_MAX];
    struct outgoing *of[COPIES_MAX];
    unsigned int count;
} copies;

static void reclaim(struct card *card)
{
    struct outgoing *outgoing;
    uint32_t bytes;

    while ((outgoing = virtqueue_take(&card->queue[CARD_SEND], &bytes)) != NULL) {
        outgoing->next = card->free_outgoing;
        card->free_outgoing = outgoing;
    }
    virtqueue_quiet(&card->queue[CARD_SEND]);
}

static bool have_pages(struct outgoing *outgoing)
{
    for (unsigned int i = 0; i * DMA_PAGE_BYTES < outgoing->bytes; i++) {
        if (outgoing->pages[i].data == NULL)
            outgoing->pages[i].data = dma_page_alloc(&outgoing->pages[i].machine);
        if (outgoing->pages[i].data == NULL)
            return false;
    }
    return true;
}

static void carry_out(void)
{
    if (copies.count == 0)
        return;
    network_copy(copies.ops, copies.count);
    for (unsigned int i = 0; i < copies.count; i++) {
        if (copies.ops[i].status == GNTST_okay)
            continue;
        copies.of[i]->failed = true;
        if (copies.of[i]->unreadable != NULL)
            *copies.of[i]->unreadable = true;
    }
    copies.count = 0;
}

static void gather(const struct frame_piece *piece, unsigned int from, unsigned int bytes, struct outgoing *outgoing,
                   unsigned int at)
{
    struct gnttab_copy *op = &copies.ops[copies.count];

    memset(op, 0, sizeof(*op));
    op->source.u.ref = piece->gref;
    op->source.domid = piece->gref_domid;
    op->source.offset = (uint16_t)(piece->offset + from);
    op->dest.u.gmfn = (xen_pfn_t)(outgoing->pages[at / DMA_PAGE_BYTES].machine / DMA_PAGE_BYTES);
    op->dest.domid = DOMID_SELF;
    op->dest.offset = (uint16_t)(at % DMA_PAGE_BYTES);
    op->len = (uint16_t)bytes;
    op->flags = GNTCOPY_source_gref;
    copies.of[copies.count] = outgoing;
    if (++copies.count == COPIES_MAX)
        carry_out();
}

/* One piece from its byte `from` on, to the frame's byte `at`, counted from the first page's start. */
static bool copy_piece(struct outgoing *outgoing, const struct frame_piece *piece, unsigned int from, unsigned int at)
{
    while (from < piece->bytes) {
        unsigned int bytes = piece->bytes - from, room = DMA_PAGE_BYTES - at % DMA_PAGE_BYTES;

        if (bytes > room)
            bytes = room;
        if (piece->data != NULL)
            memcpy(outgoing->pages[at / DMA_PAGE_BYTES].data + at % DMA_PAGE_BYTES, (const uint8_t *)piece->data + from,
                   bytes);
        else if (piece->by_grant)
            gather(piece, from, bytes, outgoing, at);
        else
            return false;
        from += bytes;
        at += bytes;
    }
    return true;
}

/* The header is the copy that the switch decided by, whatever the guest has written since. */
static bool copy_frame(struct outgoing *outgoing, const struct frame *frame)
{
    unsigned int at = sizeof(struct card_header), skip = frame->header_bytes;

    memcpy(outgoing->pages[0].data + at, frame->header, frame->header_bytes);
    for (unsigned int i = 0; i < frame->piece_count; i++) {
        const struct frame_piece *piece = &frame->pieces[i];
        unsigned int from = skip < piece->bytes ? skip : piece->bytes;

        if (!copy_piece(outgoing, piece, from, at + from))
            return false;
        skip -= from;
        at += piece->bytes;
    }
    return true;
}

/* What the card still has to do; false: the frame is none that it can do this for. */
static bool describe_work(struct card_header *header, const struct frame *frame)
{
    struct packet packet;
    bool tcp;

    memset(header, 0, sizeof(*header));
    if (!frame->checksum_blank && frame->gso_type == 0)
        return true;
    if (!packet_parse(frame->header, frame->header_bytes, frame->bytes, &packet))
        return false;
    tcp = packet.protocol == PROTOCOL_TCP;
    if (!tcp && (packet.protocol != PROTOCOL_UDP || frame->gso_type != 0))
        return false;
    header->flags = CARD_NEEDS_CHECKSUM;
    header->checksum_start = (uint16_t)packet.transport;
    header->checksum_offset = tcp ? TCP_CHECKSUM : UDP_CHECKSUM;
    if (packet.transport + header->checksum_offset + 2u > packet.end)
        return false;
    if (frame->gso_type == 0)
        return true;
    if (frame->gso_size == 0 || packet.transport + TCP_HEADER_BYTES_MIN > frame->header_bytes)
        return false;
    header->gso_type = packet.six ? CARD_GSO_TCP6 : CARD_GSO_TCP4;
    header->gso_size = frame->gso_size;
    header->header_bytes = (uint16_t)(packet.transport + (frame->header[packet.transport + 12] >> 4) * 4u);
    return true;
}

static bool accept(struct card *card, const struct frame *frame)
{
    struct outgoing *outgoing;

    if (!card->device.link || card->device.problem[0] != '\0' || frame->bytes > FRAME_BYTES_MAX)
        return false;
    reclaim(card);
    outgoing = card->free_outgoing;
    if (outgoing == NULL)
        return false;
    outgoing->bytes = frame->bytes + (unsigned int)sizeof(struct card_header);
    outgoing->failed = false;
    outgoing->unreadable = frame->unreadable;
    if (!have_pages(outgoing) || !describe_work((struct card_header *)outgoing->pages[0].data, frame))
        return false;
    if (!copy_frame(outgoing, frame)) {
        carry_out(); /* what was gathered must not land in the next frame's pages */
        return false;
    }
    card->free_outgoing = outgoing->next;
    outgoing->next = NULL;
    *card->gathered_end = outgoing;
    card->gathered_end = &outgoing->next;
    return true;
}

static void drop(struct card *card)
{
    card->port.dropped++;
    card->device.drops++;
}

void card_deliver(struct switch_port *port, const struct frame *frame)
{
    if (!accept((struct card *)port, frame))
        drop((struct card *)port);
}

static bool hand_over(struct card *card, struct outgoing *outgoing)
{
    struct virtqueue_buffer buffers[CARD_FRAME_PAGES];
    unsigned int count = 0;

    for (unsigned int left = outgoing->bytes; left > 0; count++) {
        unsigned int size = left < DMA_PAGE_BYTES ? left : DMA_PAGE_BYTES;

        buffers[count] = (struct virtqueue_buffer){outgoing->pages[count].machine, size};
        left -= size;
    }
    return !outgoing->failed && virtqueue_add(&card->queue[CARD_SEND], buffers, count, 0, outgoing);
}

void card_flush(struct switch_port *port)
{
    struct card *card = (struct card *)port;
    struct outgoing *outgoing;

    carry_out();
    while ((outgoing = card->gathered) != NULL) {
        card->gathered = outgoing->next;
        if (hand_over(card, outgoing)) {
            port->delivered++;
            port->delivered_bytes += outgoing->bytes - sizeof(struct card_header);
            card->device.out_requests++;
            card->device.out_bytes += outgoing->bytes - sizeof(struct card_header);
        } else {
            drop(card);
            outgoing->next = card->free_outgoing;
            card->free_outgoing = outgoing;
        }
    }
    card->gathered_end = &card->gathered;
    card_notify(card, CARD_SEND);
}

void card_send_start(struct card *card)
{
    card->gathered_end = &card->gathered;
    for (unsigned int i = 0; i < VIRTQUEUE_SIZE_MAX; i++) {
        card->outgoing[i].next = card->free_outgoing;
        card->free_outgoing = &card->outgoing[i];
    }
    virtqueue_quiet(&card->queue[CARD_SEND]);
}
