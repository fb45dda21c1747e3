/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The switch; see switch.h. A frame never goes back to where it came from, nor to another bridge. What a receiver cannot
 * take as it is gets finished here, in a copy of ours, one receiver after the other.
 */
#include "switch.h"

#include <string.h>

#include <abi/io/netif.h>

#include "addresses.h"
#include "copy.h"
#include "packet.h"
#include "platform.h"

#define HEADER_BYTES 14u
#define VLAN_BYTES   4u

static struct switch_port *ports;
static unsigned int depth;
static _Alignas(COPY_PAGE_BYTES) uint8_t linear[FRAME_BYTES_MAX];

void switch_attach(struct switch_port *port)
{
    static const uint8_t none[6];
    struct switch_port **link = &ports;

    if (port->bridge[0] == '\0')
        strcpy(port->bridge, SWITCH_BRIDGE);
    if (port->mtu == 0)
        port->mtu = SWITCH_MTU;
    while (*link != NULL)
        link = &(*link)->next;
    port->next = NULL;
    port->pending = false;
    *link = port;
    if (memcmp(port->address, none, 6) != 0 && !port->claims)
        (void)address_fix(port, port->address);
}

bool switch_claim(struct switch_port *port)
{
    return address_fix(port, port->address);
}

void switch_detach(struct switch_port *port)
{
    struct switch_port **link = &ports;

    while (*link != NULL && *link != port)
        link = &(*link)->next;
    if (*link == NULL)
        return;
    *link = port->next;
    addresses_forget(port);
}

struct switch_port *switch_next(struct switch_port *after)
{
    return after == NULL ? ports : after->next;
}

struct switch_port *switch_lookup(const char *bridge, const uint8_t address[6])
{
    return address_find(bridge, address, network_now_ns());
}

bool switch_learned(const struct switch_port *port, unsigned int index, uint8_t address[6], uint64_t *age_ns)
{
    uint64_t seen = 0;

    if (!address_of_port(port, index, address, &seen))
        return false;
    *age_ns = seen != 0 ? network_now_ns() - seen : 0;
    return true;
}

void switch_begin(void)
{
    depth++;
}

void switch_end(void)
{
    if (--depth > 0)
        return;
    for (struct switch_port *port = ports; port != NULL; port = port->next) {
        if (port->pending && port->flush != NULL)
            port->flush(port);
        port->pending = false;
    }
}

static void hand_over(struct switch_port *to, const struct frame *frame)
{
    to->pending = true;
    to->deliver(to, frame);
}

/* With room for a VLAN tag. */
static bool fits(const struct switch_port *to, uint32_t bytes)
{
    return bytes <= to->mtu + HEADER_BYTES + VLAN_BYTES;
}

/* A frame like `like`, with nothing left to do, that lies in our memory. Delivered at once: the memory is used again. */
static void hand_over_linear(struct switch_port *to, const struct frame *like, const uint8_t *data, uint32_t bytes)
{
    static struct frame frame;
    uint32_t done = 0;

    memset(&frame, 0, sizeof(frame));
    frame.bytes = bytes;
    frame.header_bytes = bytes < sizeof(frame.header) ? bytes : sizeof(frame.header);
    memcpy(frame.header, data, frame.header_bytes);
    frame.data_validated = like->data_validated || like->checksum_blank;
    while (done < bytes && frame.piece_count < FRAME_PIECES_MAX) {
        uint32_t part = COPY_PAGE_BYTES - (uint32_t)((uintptr_t)(data + done) % COPY_PAGE_BYTES);

        if (part > bytes - done)
            part = bytes - done;
        frame.pieces[frame.piece_count++] = (struct frame_piece){.data = data + done, .bytes = part};
        done += part;
    }
    hand_over(to, &frame);
    copy_flush();
}

struct segment_target {
    struct switch_port *to;
    const struct frame *like;
};

static void emit_segment(void *arg, const uint8_t *data, uint32_t bytes)
{
    const struct segment_target *target = arg;

    if (fits(target->to, bytes))
        hand_over_linear(target->to, target->like, data, bytes);
    else
        target->to->dropped++;
}

static void finish_and_hand_over(struct switch_port *to, const struct frame *frame, bool segment)
{
    struct segment_target target = {to, frame};
    bool good = frame_copy(frame, linear);

    if (good && segment) {
        good = packet_segment(linear, frame->bytes, frame->gso_size, emit_segment, &target);
    } else if (good) {
        good = packet_finish_checksum(linear, frame->bytes);
        if (good)
            hand_over_linear(to, frame, linear, frame->bytes);
    }
    if (!good)
        to->dropped++;
}

static bool is_ipv6(const struct frame *frame)
{
    struct packet packet;

    return packet_parse(frame->header, frame->header_bytes, frame->bytes, &packet) && packet.six;
}

static void send_to(struct switch_port *to, const struct frame *frame)
{
    bool segment = (frame->gso_type == XEN_NETIF_GSO_TYPE_TCPV4 && !to->takes_gso) ||
                   (frame->gso_type == XEN_NETIF_GSO_TYPE_TCPV6 && !to->takes_gso6);
    bool blank = frame->checksum_blank && !(to->takes_checksum_blank && to->takes_checksum_blank6) &&
                 !(is_ipv6(frame) ? to->takes_checksum_blank6 : to->takes_checksum_blank);

    if (frame->gso_type == 0 && !fits(to, frame->bytes))
        to->dropped++;
    else if (segment || blank)
        finish_and_hand_over(to, frame, segment);
    else
        hand_over(to, frame);
}

static void flood(const struct switch_port *from, const struct frame *frame)
{
    for (struct switch_port *port = ports; port != NULL; port = port->next)
        if (port != from && strcmp(port->bridge, from->bridge) == 0)
            send_to(port, frame);
}

/* Malformed: shorter than its header, from a group, from nobody, or contradicting itself. */
static bool is_frame(const struct frame *frame)
{
    static const uint8_t nobody[6];
    const uint8_t *source = frame->header + 6;

    return frame->bytes >= HEADER_BYTES && frame->header_bytes >= HEADER_BYTES && frame->bytes <= FRAME_BYTES_MAX &&
           frame->piece_count > 0 && frame->piece_count <= FRAME_PIECES_MAX && (source[0] & 1) == 0 &&
           memcmp(source, nobody, 6) != 0 && frame->gso_type <= XEN_NETIF_GSO_TYPE_TCPV6 &&
           (frame->gso_type == 0 || frame->gso_size != 0);
}

void switch_frame(struct switch_port *from, const struct frame *frame)
{
    uint64_t now = network_now_ns();
    struct switch_port *to;

    if (!is_frame(frame)) {
        from->refused++;
        return;
    }
    from->received++;
    from->received_bytes += frame->bytes;
    (void)address_learn(from, frame->header + 6, now);
    switch_begin();
    to = (frame->header[0] & 1) != 0 ? NULL : address_find(from->bridge, frame->header, now);
    if (to == NULL)
        flood(from, frame);
    else if (to != from)
        send_to(to, frame);
    switch_end();
}
