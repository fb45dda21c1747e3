/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A virtio network card as a port of the switch. Frames come in pages of ours that go back to the card when the switch
 * has delivered them; frames that leave are copied into pages of ours, from our memory or by grant from a guest's.
 * When the card does not keep up, frames are dropped, as on any wire.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <abi/grant_table.h>
#include <abi/io/netif.h>
#include <pv/hypercall.h>
#include <pv/pv.h>
#include <pv/threads.h>

#include "dom0-tools/network/switch.h"
#include "dma.h"
#include "interrupts.h"
#include "machine.h"
#include "virtio.h"

#define FEATURE_CHECKSUM          (1ull << 0)
#define FEATURE_GUEST_CHECKSUM    (1ull << 1)
#define FEATURE_ADDRESS           (1ull << 5)
#define FEATURE_GUEST_TSO4        (1ull << 7)
#define FEATURE_GUEST_TSO6        (1ull << 8)
#define FEATURE_HOST_TSO4         (1ull << 11)
#define FEATURE_HOST_TSO6         (1ull << 12)
#define FEATURE_MERGEABLE_BUFFERS (1ull << 15)
#define FEATURE_STATUS            (1ull << 16)

#define CONFIG_ADDRESS            0
#define CONFIG_STATUS             6
#define LINK_UP                   1

#define NEEDS_CHECKSUM            1
#define DATA_VALID                2
#define GSO_NONE                  0
#define GSO_TCP4                  1
#define GSO_TCP6                  4
#define GSO_ECN                   0x80

#define RECEIVE                   0
#define SEND                      1
#define SEND_PAGES                ((FRAME_BYTES_MAX + sizeof(struct card_header) + DMA_PAGE_BYTES - 1) / DMA_PAGE_BYTES)
#define RECEIVE_PAGES             SEND_PAGES
#define COPIES_MAX                (FRAME_PIECES_MAX + SEND_PAGES)

#define ETHERNET_BYTES            14u
#define ADDRESS_BYTES             6u

/* In front of every frame, in either direction. */
struct card_header {
    uint8_t flags, gso_type;
    uint16_t header_bytes, gso_size, checksum_start, checksum_offset, buffers;
};

_Static_assert(sizeof(struct card_header) == 12, "the standard's header");
_Static_assert(RECEIVE_PAGES <= FRAME_PIECES_MAX, "a frame of the largest size has a piece for each page");

struct page {
    uint8_t *data;
    uint64_t machine;
};

/* A frame on its way out: as many pages as it needs, kept for the next. */
struct outgoing {
    struct page pages[SEND_PAGES];
    struct outgoing *next;
};

struct card {
    struct switch_port port;
    struct machine_device device;
    struct virtio_device virtio;
    struct virtqueue queue[2];
    volatile uint16_t *doorbell[2];

    struct page received[VIRTQUEUE_SIZE_MAX];
    struct outgoing outgoing[VIRTQUEUE_SIZE_MAX], *free_outgoing;

    struct waitq wake;
    bool interrupted, sent, changed;
};

static bool on_interrupt(void *data)
{
    struct card *card = data;
    uint8_t status = virtio_interrupt_status(&card->virtio);

    if (status == 0)
        return false;
    card->device.interrupts++;
    card->interrupted = true;
    card->changed |= (status & 2) != 0;
    waitq_wake(&card->wake);
    return true;
}

static void notify(struct card *card, unsigned int which)
{
    if (virtqueue_must_notify(&card->queue[which]) && !card->queue[which].broken) {
        card->device.notifications++;
        virtio_notify(card->doorbell[which], (uint16_t)which);
    }
}

static void reclaim(struct card *card)
{
    struct outgoing *outgoing;
    uint32_t bytes;

    while ((outgoing = virtqueue_take(&card->queue[SEND], &bytes)) != NULL) {
        outgoing->next = card->free_outgoing;
        card->free_outgoing = outgoing;
    }
}

/* The copies that the hypervisor does for one frame. */
struct copies {
    struct gnttab_copy ops[COPIES_MAX];
    unsigned int count;
};

/* Where the frame's next byte goes; a place of its own for each page. */
struct cursor {
    struct outgoing *outgoing;
    unsigned int at; /* from the first page's start */
};

static bool have_pages(struct outgoing *outgoing, unsigned int bytes)
{
    for (unsigned int i = 0; i * DMA_PAGE_BYTES < bytes; i++) {
        if (outgoing->pages[i].data == NULL)
            outgoing->pages[i].data = dma_page_alloc(&outgoing->pages[i].machine);
        if (outgoing->pages[i].data == NULL)
            return false;
    }
    return true;
}

static bool add_copy(struct copies *copies, const struct frame_piece *piece, unsigned int done, const struct page *page,
                     unsigned int offset, unsigned int bytes)
{
    struct gnttab_copy *op = &copies->ops[copies->count];

    if (copies->count == COPIES_MAX)
        return false;
    memset(op, 0, sizeof(*op));
    op->source.u.ref = piece->gref;
    op->source.domid = piece->gref_domid;
    op->source.offset = (uint16_t)(piece->offset + done);
    op->dest.u.gmfn = (xen_pfn_t)(page->machine >> PAGE_SHIFT);
    op->dest.domid = DOMID_SELF;
    op->dest.offset = (uint16_t)offset;
    op->len = (uint16_t)bytes;
    op->flags = GNTCOPY_source_gref;
    copies->count++;
    return true;
}

static bool copy_piece(struct cursor *to, const struct frame_piece *piece, struct copies *copies)
{
    for (unsigned int done = 0; done < piece->bytes;) {
        const struct page *page = &to->outgoing->pages[to->at / DMA_PAGE_BYTES];
        unsigned int offset = to->at % DMA_PAGE_BYTES, bytes = piece->bytes - done;

        if (bytes > DMA_PAGE_BYTES - offset)
            bytes = DMA_PAGE_BYTES - offset;
        if (piece->data != NULL)
            memcpy(page->data + offset, (const uint8_t *)piece->data + done, bytes);
        else if (!piece->by_grant || !add_copy(copies, piece, done, page, offset, bytes))
            return false;
        to->at += bytes;
        done += bytes;
    }
    return true;
}

static bool do_copies(struct copies *copies)
{
    if (copies->count != 0 && HYPERVISOR_grant_table_op(GNTTABOP_copy, copies->ops, copies->count) != 0)
        return false;
    for (unsigned int i = 0; i < copies->count; i++)
        if (copies->ops[i].status != GNTST_okay)
            return false;
    return true;
}

/* What was decided from the copy of the header is what leaves, whatever the guest has written since. */
static void put_header_again(struct outgoing *outgoing, const struct frame *frame)
{
    memcpy(outgoing->pages[0].data + sizeof(struct card_header), frame->header, frame->header_bytes);
}

static bool copy_frame(struct outgoing *outgoing, const struct frame *frame)
{
    static struct copies copies;
    struct cursor to = {outgoing, sizeof(struct card_header)};

    copies.count = 0;
    for (unsigned int i = 0; i < frame->piece_count; i++)
        if (!copy_piece(&to, &frame->pieces[i], &copies))
            return false;
    if (!do_copies(&copies))
        return false;
    put_header_again(outgoing, frame);
    return true;
}

/* Offsets of the network and transport headers; 0 for what is neither TCP nor UDP over IP. */
struct headers {
    unsigned int network, transport;
    uint8_t protocol;
    bool six;
};

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd
#define ETHERTYPE_VLAN 0x8100
#define PROTOCOL_TCP   6
#define PROTOCOL_UDP   17

static unsigned int big16(const uint8_t *at)
{
    return (unsigned int)at[0] << 8 | at[1];
}

static struct headers parse_headers(const struct frame *frame)
{
    const uint8_t *bytes = frame->header;
    struct headers headers = {.network = ETHERNET_BYTES};
    unsigned int type = big16(bytes + 12);

    if (type == ETHERTYPE_VLAN && frame->header_bytes >= ETHERNET_BYTES + 4) {
        type = big16(bytes + 16);
        headers.network += 4;
    }
    headers.six = type == ETHERTYPE_IPV6;
    if ((type != ETHERTYPE_IPV4 && !headers.six) || headers.network + 40 > frame->header_bytes)
        return headers;
    headers.protocol = bytes[headers.network + (headers.six ? 6 : 9)];
    if (headers.protocol == PROTOCOL_TCP || headers.protocol == PROTOCOL_UDP)
        headers.transport = headers.network + (headers.six ? 40 : (bytes[headers.network] & 0xfu) * 4);
    return headers;
}

/* What the card still has to do; false: the frame is none that it can do this for. */
static bool describe_work(struct card_header *header, const struct frame *frame)
{
    struct headers headers;
    bool tcp;

    memset(header, 0, sizeof(*header));
    if (!frame->checksum_blank && frame->gso_type == 0)
        return true;
    headers = parse_headers(frame);
    tcp = headers.protocol == PROTOCOL_TCP;
    if (headers.transport == 0 || headers.transport + (tcp ? 20u : 8u) > frame->header_bytes)
        return false;
    header->flags = NEEDS_CHECKSUM;
    header->checksum_start = (uint16_t)headers.transport;
    header->checksum_offset = tcp ? 16 : 6;
    if (frame->gso_type == 0)
        return true;
    header->gso_type = headers.six ? GSO_TCP6 : GSO_TCP4;
    header->gso_size = frame->gso_size;
    header->header_bytes = (uint16_t)headers.transport;
    if (tcp)
        header->header_bytes = (uint16_t)(headers.transport + (frame->header[headers.transport + 12] >> 4) * 4u);
    return tcp && frame->gso_size != 0;
}

/* Hands a filled frame to the card. */
static bool send(struct card *card, struct outgoing *outgoing, unsigned int bytes)
{
    struct virtqueue_buffer buffers[SEND_PAGES];
    unsigned int count = 0;

    for (; bytes > 0; count++) {
        unsigned int size = bytes < DMA_PAGE_BYTES ? bytes : DMA_PAGE_BYTES;

        buffers[count] = (struct virtqueue_buffer){outgoing->pages[count].machine, size};
        bytes -= size;
    }
    return virtqueue_add(&card->queue[SEND], buffers, count, 0, outgoing);
}

static bool accept(struct card *card, const struct frame *frame)
{
    unsigned int bytes = frame->bytes + (unsigned int)sizeof(struct card_header);
    struct outgoing *outgoing;

    if (!card->device.link || card->device.problem[0] != '\0' || frame->bytes > FRAME_BYTES_MAX)
        return false;
    reclaim(card);
    outgoing = card->free_outgoing;
    if (outgoing == NULL || !have_pages(outgoing, bytes) || !copy_frame(outgoing, frame) ||
        !describe_work((struct card_header *)outgoing->pages[0].data, frame) || !send(card, outgoing, bytes))
        return false;
    card->free_outgoing = outgoing->next;
    return true;
}

static void deliver(struct switch_port *port, const struct frame *frame)
{
    struct card *card = (struct card *)port;

    if (!accept(card, frame)) {
        port->dropped++;
        card->device.drops++;
        return;
    }
    port->delivered++;
    card->device.out_requests++;
    card->device.out_bytes += frame->bytes;
    card->sent = true;
    waitq_wake(&card->wake);
}

/* A frame that came, in `count` pieces. false: the card says of it what cannot be. */
static bool describe_frame(struct frame *frame, const struct card_header *header, const struct frame_piece *pieces,
                           unsigned int count)
{
    frame->piece_count = count;
    frame->bytes = 0;
    for (unsigned int i = 0; i < count; i++) {
        frame->pieces[i] = pieces[i];
        frame->bytes += pieces[i].bytes;
    }
    frame->header_bytes = pieces[0].bytes < sizeof(frame->header) ? pieces[0].bytes : sizeof(frame->header);
    memcpy(frame->header, pieces[0].data, frame->header_bytes);
    frame->checksum_blank = (header->flags & NEEDS_CHECKSUM) != 0;
    frame->data_validated = frame->checksum_blank || (header->flags & DATA_VALID) != 0;
    frame->gso_type = header->gso_type == GSO_TCP4   ? XEN_NETIF_GSO_TYPE_TCPV4
                      : header->gso_type == GSO_TCP6 ? XEN_NETIF_GSO_TYPE_TCPV6
                                                     : XEN_NETIF_GSO_TYPE_NONE;
    frame->gso_size = frame->gso_type != XEN_NETIF_GSO_TYPE_NONE ? header->gso_size : 0;
    return frame->header_bytes >= ETHERNET_BYTES && frame->bytes <= FRAME_BYTES_MAX &&
           (header->gso_type == GSO_NONE || (frame->gso_size != 0 && frame->checksum_blank));
}

static bool give_page(struct card *card, struct page *page)
{
    struct virtqueue_buffer buffer = {page->machine, DMA_PAGE_BYTES};

    return virtqueue_add(&card->queue[RECEIVE], &buffer, 0, 1, page);
}

/* One frame: its pages are taken, shown to the switch and given back. false: there is none, or the card broke a rule. */
static bool receive(struct card *card)
{
    static struct frame frame;
    struct frame_piece pieces[RECEIVE_PAGES] = {{0}};
    struct page *pages[RECEIVE_PAGES];
    struct card_header header = {.buffers = 1};
    unsigned int wanted = 1, count = 0;
    uint32_t bytes;

    for (; count < wanted; count++) {
        unsigned int offset = count == 0 ? sizeof(header) : 0;

        pages[count] = virtqueue_take(&card->queue[RECEIVE], &bytes);
        if (pages[count] == NULL && count == 0)
            return false;
        if (pages[count] == NULL || bytes < offset || bytes > DMA_PAGE_BYTES) {
            card->queue[RECEIVE].broken = true;
            return false;
        }
        if (count == 0)
            memcpy(&header, pages[0]->data, sizeof(header));
        if (count == 0 && (card->virtio.features & FEATURE_MERGEABLE_BUFFERS))
            wanted = header.buffers;
        if (wanted == 0 || wanted > RECEIVE_PAGES) {
            card->queue[RECEIVE].broken = true;
            return false;
        }
        pieces[count] = (struct frame_piece){.data = pages[count]->data + offset, .bytes = bytes - offset};
    }
    if (describe_frame(&frame, &header, pieces, count)) {
        card->device.in_requests++;
        card->device.in_bytes += frame.bytes;
        switch_frame(&card->port, &frame);
    } else {
        card->device.errors++;
    }
    while (count > 0)
        (void)give_page(card, pages[--count]);
    return true;
}

static void read_link(struct card *card)
{
    card->device.link =
        !(card->virtio.features & FEATURE_STATUS) || (virtio_config(&card->virtio, CONFIG_STATUS, 2) & LINK_UP);
}

static void abandon(struct card *card)
{
    if (card->device.problem[0] != '\0' || !(card->queue[RECEIVE].broken || card->queue[SEND].broken))
        return;
    virtio_give_up(&card->virtio);
    snprintf(card->device.problem, sizeof(card->device.problem),
             "it broke the rules of its queues and was switched off");
    fprintf(stderr, "%s: %s\n", card->device.name, card->device.problem);
}

/* What goes out is reclaimed when the next frame leaves: no interrupt is wanted for it. */
static void serve(void *data)
{
    struct card *card = data;

    virtqueue_quiet(&card->queue[SEND]);
    while (card->device.problem[0] == '\0') {
        virtqueue_quiet(&card->queue[RECEIVE]);
        do {
            card->interrupted = card->sent = false;
            while (receive(card))
                ;
            notify(card, RECEIVE);
            notify(card, SEND);
            virtqueue_quiet(&card->queue[SEND]);
        } while (!virtqueue_arm(&card->queue[RECEIVE]));
        if (card->changed) {
            card->changed = false;
            read_link(card);
        }
        abandon(card);
        wait_event(&card->wake, card->interrupted || card->sent || card->device.problem[0] != '\0');
    }
}

static bool trouble(struct card *card, const char *text)
{
    snprintf(card->virtio.problem, sizeof(card->virtio.problem), "%s", text);
    return false;
}

static bool set_up_pages(struct card *card)
{
    for (unsigned int i = 0; i < VIRTQUEUE_SIZE_MAX; i++) {
        card->outgoing[i].next = card->free_outgoing;
        card->free_outgoing = &card->outgoing[i];
    }
    for (unsigned int i = 0; i < card->queue[RECEIVE].size; i++) {
        card->received[i].data = dma_page_alloc(&card->received[i].machine);
        if (card->received[i].data == NULL || !give_page(card, &card->received[i]))
            return false;
    }
    return true;
}

/* Large frames come only where they can be spread over our pages, and only when their checksum may be left open. */
static bool negotiate(struct card *card)
{
    struct virtio_device *virtio = &card->virtio;
    uint64_t wanted = FEATURE_CHECKSUM | FEATURE_ADDRESS | FEATURE_STATUS | FEATURE_HOST_TSO4 | FEATURE_HOST_TSO6 |
                      FEATURE_MERGEABLE_BUFFERS | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX;
    uint64_t offered = virtio_offered(virtio);

    if ((offered & FEATURE_MERGEABLE_BUFFERS) && (offered & FEATURE_GUEST_CHECKSUM))
        wanted |= FEATURE_GUEST_CHECKSUM | FEATURE_GUEST_TSO4 | FEATURE_GUEST_TSO6;
    if (!(offered & FEATURE_CHECKSUM))
        wanted &= ~(FEATURE_HOST_TSO4 | FEATURE_HOST_TSO6);
    return virtio_negotiate(virtio, wanted);
}

static void read_properties(struct card *card)
{
    const uint64_t tso = FEATURE_HOST_TSO4 | FEATURE_HOST_TSO6;

    for (unsigned int i = 0; i < ADDRESS_BYTES; i++)
        card->device.address[i] = (uint8_t)virtio_config(&card->virtio, CONFIG_ADDRESS + i, 1);
    card->port.takes_checksum_blank = (card->virtio.features & FEATURE_CHECKSUM) != 0;
    card->port.takes_gso = (card->virtio.features & tso) == tso;
    read_link(card);
}

static bool set_up(struct card *card, const struct pci_function *pci)
{
    struct virtio_device *virtio = &card->virtio;
    int rc;

    if (!virtio_open(virtio, pci) || !negotiate(card) ||
        !virtio_queue_start(virtio, RECEIVE, &card->queue[RECEIVE], &card->doorbell[RECEIVE]) ||
        !virtio_queue_start(virtio, SEND, &card->queue[SEND], &card->doorbell[SEND]))
        return false;
    if (virtqueue_buffers_max(&card->queue[SEND]) < SEND_PAGES || card->queue[RECEIVE].size < RECEIVE_PAGES)
        return trouble(card, "its queues are too short for a frame");
    if (!set_up_pages(card))
        return trouble(card, "there is no memory for its frames");
    rc = pci->interrupt_line == 0 || pci->interrupt_line == 255
             ? -1
             : interrupt_attach(pci->interrupt_line, on_interrupt, card);
    if (rc != 0)
        return trouble(card, "it has no interrupt that reaches us");
    if (!virtio_start(virtio))
        return false;
    read_properties(card);
    card->sent = true;
    return thread_create(card->device.name, serve, card) != NULL || trouble(card, "there is no memory for its thread");
}

struct machine_device *virtio_card_start(const struct pci_function *pci, unsigned int number)
{
    struct card *card = calloc(1, sizeof(*card));

    if (card == NULL)
        return NULL;
    card->device.kind = "network card";
    card->device.pci = *pci;
    card->port.deliver = deliver;
    snprintf(card->device.name, sizeof(card->device.name), "eth%u", number);
    snprintf(card->port.name, sizeof(card->port.name), "%s", card->device.name);
    if (set_up(card, pci)) {
        switch_attach(&card->port);
    } else {
        virtio_give_up(&card->virtio);
        memcpy(card->device.problem, card->virtio.problem, sizeof(card->device.problem));
    }
    return &card->device;
}
