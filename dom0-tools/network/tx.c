/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Decoding of the transmit ring; see tx.h. The guest may write to the ring at any time: a slot is copied out before
 * anything in it is looked at, and the number of slots that are there is asked once for a packet.
 */
#include "tx.h"

#include <stdio.h>
#include <string.h>

#define PAGE_BYTES     4096u
#define ETHERNET_BYTES 14u

/* A packet in the making. */
struct reading {
    struct netif_tx_back_ring *ring;
    struct tx_packet *packet;
    unsigned int left; /* slots that are there and not taken yet */
    char *why;
};

#define REASON_SIZE       96
#define lie(reading, ...) (snprintf((reading)->why, REASON_SIZE, __VA_ARGS__), TX_LIE)

static enum tx_outcome read_extras(struct reading *reading)
{
    struct tx_packet *packet = reading->packet;
    struct netif_extra_info extra;

    do {
        const volatile void *slot = RING_GET_REQUEST(reading->ring, reading->ring->req_cons);

        if (reading->left == 0)
            return lie(reading, "a slot of extra information is missing");
        if (packet->extra_count == TX_EXTRAS_LIMIT)
            return lie(reading, "more than %u slots of extra information", TX_EXTRAS_LIMIT);
        extra = *(const volatile struct netif_extra_info *)slot;
        reading->ring->req_cons++;
        reading->left--;
        packet->extra_count++;
        if (extra.type == XEN_NETIF_EXTRA_TYPE_NONE || extra.type >= XEN_NETIF_EXTRA_TYPE_MAX)
            return lie(reading, "extra information of unknown type %u", extra.type);
        packet->extras[extra.type] = extra;
    } while ((extra.flags & XEN_NETIF_EXTRA_FLAG_MORE) != 0);
    return TX_PACKET;
}

static enum tx_outcome read_slot(struct reading *reading)
{
    struct tx_packet *packet = reading->packet;
    struct netif_tx_request *slot = &packet->slots[packet->slot_count];

    if (reading->left == 0)
        return lie(reading, "the packet goes on after its %u slots, but the ring ends", packet->slot_count);
    if (packet->slot_count == TX_SLOTS_LIMIT)
        return lie(reading, "a packet of more than %u slots", TX_SLOTS_LIMIT);
    RING_COPY_REQUEST(reading->ring, reading->ring->req_cons, slot);
    reading->ring->req_cons++;
    reading->left--;
    packet->slot_count++;
    if ((uint32_t)slot->offset + slot->size > PAGE_BYTES && packet->slot_count > 1)
        return lie(reading, "a piece crosses its page's end: offset %u, size %u", slot->offset, slot->size);
    return TX_PACKET;
}

/* The first slot says how much the whole packet has; its own piece is what the others leave. */
static enum tx_outcome read_pieces(struct reading *reading)
{
    struct tx_packet *packet = reading->packet;
    uint32_t first = packet->slots[0].size;

    packet->bytes = first;
    while ((packet->slots[packet->slot_count - 1].flags & NETTXF_more_data) != 0) {
        enum tx_outcome outcome = read_slot(reading);
        uint32_t size = packet->slots[packet->slot_count - 1].size;

        if (outcome != TX_PACKET)
            return outcome;
        if (size > first)
            return lie(reading, "the packet's pieces have more bytes than the %u it claims", packet->bytes);
        first -= size;
    }
    if (packet->slots[0].offset + first > PAGE_BYTES)
        return lie(reading, "the first piece crosses its page's end: offset %u, size %u", packet->slots[0].offset,
                   first);
    packet->slots[0].size = (uint16_t)first;
    return TX_PACKET;
}

static enum tx_outcome judge(struct reading *reading)
{
    const struct tx_packet *packet = reading->packet;
    const struct netif_extra_info *gso = &packet->extras[XEN_NETIF_EXTRA_TYPE_GSO];

    if (gso->type != 0 && gso->u.gso.size == 0)
        return lie(reading, "a segment size of zero");
    if (gso->type != 0 && gso->u.gso.type != XEN_NETIF_GSO_TYPE_TCPV4 && gso->u.gso.type != XEN_NETIF_GSO_TYPE_TCPV6)
        return lie(reading, "segmentation of unknown type %u", gso->u.gso.type);
    if (packet->extras[XEN_NETIF_EXTRA_TYPE_MCAST_ADD].type != 0 ||
        packet->extras[XEN_NETIF_EXTRA_TYPE_MCAST_DEL].type != 0)
        return TX_NOTICE;
    if (packet->slot_count > TX_SLOTS_MAX) {
        snprintf(reading->why, REASON_SIZE, "a packet of %u slots: at most %u are possible", packet->slot_count,
                 TX_SLOTS_MAX);
        return TX_BAD;
    }
    if (packet->bytes < ETHERNET_BYTES) {
        snprintf(reading->why, REASON_SIZE, "a packet of %u bytes is shorter than its header", packet->bytes);
        return TX_BAD;
    }
    return TX_PACKET;
}

enum tx_outcome tx_next(struct netif_tx_back_ring *ring, struct tx_packet *packet, char why[REASON_SIZE])
{
    struct reading reading = {.ring = ring, .packet = packet, .why = why};
    RING_IDX produced = *(volatile RING_IDX *)&ring->sring->req_prod;
    enum tx_outcome outcome;

    memset(packet, 0, sizeof(*packet));
    if (RING_REQUEST_PROD_OVERFLOW(ring, produced) || produced - ring->req_cons > RING_SIZE(ring))
        return lie(&reading, "its transmit ring claims %u requests: at most %u are possible", produced - ring->req_cons,
                   RING_SIZE(ring));
    reading.left = produced - ring->req_cons;
    if (reading.left == 0)
        return TX_NONE;
    xen_rmb();
    outcome = read_slot(&reading);
    if (outcome == TX_PACKET && (packet->slots[0].flags & NETTXF_extra_info) != 0)
        outcome = read_extras(&reading);
    if (outcome == TX_PACKET)
        outcome = read_pieces(&reading);
    return outcome == TX_PACKET ? judge(&reading) : outcome;
}

static void put_answer(struct netif_tx_back_ring *ring, uint16_t id, int16_t status)
{
    struct netif_tx_response *response = RING_GET_RESPONSE(ring, ring->rsp_prod_pvt);

    response->id = id;
    response->status = status;
    ring->rsp_prod_pvt++;
}

void tx_answer(struct netif_tx_back_ring *ring, const struct tx_packet *packet, int16_t status)
{
    put_answer(ring, packet->slots[0].id, status);
    for (unsigned int i = 0; i < packet->extra_count; i++)
        put_answer(ring, 0, NETIF_RSP_NULL);
    for (unsigned int i = 1; i < packet->slot_count; i++)
        put_answer(ring, packet->slots[i].id, status);
}

bool tx_push(struct netif_tx_back_ring *ring)
{
    bool notify;

    RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(ring, notify);
    return notify;
}

bool tx_rest(struct netif_tx_back_ring *ring)
{
    bool work;

    RING_FINAL_CHECK_FOR_REQUESTS(ring, work);
    return work;
}
