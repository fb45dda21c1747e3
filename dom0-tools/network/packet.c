/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Checksums and segmentation; see packet.h. Every offset is checked against what is there before a byte is read.
 */
#include "packet.h"

#include <string.h>

#define ETHERTYPE_IPV4     0x0800
#define ETHERTYPE_VLAN     0x8100
#define ETHERTYPE_IPV6     0x86dd
#define IPV6_HEADER        40u
#define IPV6_EXTENSIONS    8u
#define PROTOCOL_TCP       6
#define PROTOCOL_UDP       17
#define TCP_HEADER         20u
#define TCP_FIN            0x01
#define TCP_PSH            0x08
#define TCP_CWR            0x80
#define SEGMENT_BYTES_MAX  (2048u + 16384u)
#define SEGMENT_HEADER_MAX 256u

static uint32_t get16(const uint8_t *at)
{
    return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t get32(const uint8_t *at)
{
    return get16(at) << 16 | get16(at + 2);
}

static void put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
    put16(at, value >> 16);
    put16(at + 2, value & 0xffff);
}

static bool parse_ipv4(const uint8_t *data, uint32_t bytes, uint32_t frame_bytes, struct packet *packet)
{
    const uint8_t *ip = data + packet->network;
    uint32_t header, total;

    if (bytes - packet->network < 20 || ip[0] >> 4 != 4)
        return false;
    header = (ip[0] & 0xfu) * 4;
    total = get16(ip + 2);
    if (header < 20 || total < header || total > frame_bytes - packet->network)
        return false;
    packet->transport = packet->network + header;
    packet->end = packet->network + total;
    packet->protocol = (get16(ip + 6) & 0x3fff) == 0 ? ip[9] : 0;
    return true;
}

/* Over the extension headers that may stand before the transport's. */
static bool parse_ipv6(const uint8_t *data, uint32_t bytes, uint32_t frame_bytes, struct packet *packet)
{
    const uint8_t *ip = data + packet->network;
    uint8_t next;

    if (bytes - packet->network < IPV6_HEADER || ip[0] >> 4 != 6 ||
        get16(ip + 4) > frame_bytes - packet->network - IPV6_HEADER)
        return false;
    packet->transport = packet->network + IPV6_HEADER;
    packet->end = packet->transport + get16(ip + 4);
    next = ip[6];
    for (unsigned int i = 0; i < IPV6_EXTENSIONS && (next == 0 || next == 43 || next == 60); i++) {
        if (packet->transport + 8 > packet->end || packet->transport + 8 > bytes)
            return false;
        next = data[packet->transport];
        packet->transport += (data[packet->transport + 1] + 1u) * 8;
    }
    packet->protocol = next == PROTOCOL_TCP || next == PROTOCOL_UDP ? next : 0;
    return packet->transport <= packet->end;
}

bool packet_parse(const uint8_t *data, uint32_t bytes, uint32_t frame_bytes, struct packet *packet)
{
    uint32_t type;

    memset(packet, 0, sizeof(*packet));
    if (bytes < 18 || bytes > frame_bytes)
        return false;
    packet->network = 14;
    type = get16(data + 12);
    if (type == ETHERTYPE_VLAN) {
        type = get16(data + 16);
        packet->network = 18;
    }
    packet->six = type == ETHERTYPE_IPV6;
    if (packet->six)
        return parse_ipv6(data, bytes, frame_bytes, packet);
    return type == ETHERTYPE_IPV4 && parse_ipv4(data, bytes, frame_bytes, packet);
}

static uint32_t sum(const uint8_t *data, uint32_t bytes, uint32_t start)
{
    uint64_t total = start;

    for (; bytes >= 2; bytes -= 2, data += 2)
        total += get16(data);
    if (bytes > 0)
        total += (uint32_t)data[0] << 8;
    while (total >> 16 != 0)
        total = (total & 0xffff) + (total >> 16);
    return (uint32_t)total;
}

/* Over addresses, protocol, length and the transport's bytes, whose checksum field is zero. */
static uint32_t transport_checksum(const uint8_t *data, const struct packet *packet)
{
    uint32_t length = packet->end - packet->transport;
    uint32_t value = sum(data + packet->network + (packet->six ? 8 : 12), packet->six ? 32 : 8, 0);

    value = sum(data + packet->transport, length, value + packet->protocol + (length >> 16) + (length & 0xffff));
    value = ~value & 0xffff;
    return value == 0 && packet->protocol == PROTOCOL_UDP ? 0xffff : value;
}

static bool fill_in(uint8_t *data, const struct packet *packet)
{
    uint32_t length = packet->end - packet->transport;
    uint8_t *field = data + packet->transport + (packet->protocol == PROTOCOL_TCP ? 16 : 6);

    if (packet->protocol == PROTOCOL_TCP ? length < TCP_HEADER : packet->protocol != PROTOCOL_UDP || length < 8)
        return false;
    put16(field, 0);
    put16(field, transport_checksum(data, packet));
    return true;
}

bool packet_finish_checksum(uint8_t *data, uint32_t bytes)
{
    struct packet packet;

    return packet_parse(data, bytes, bytes, &packet) && fill_in(data, &packet);
}

/* The headers of segment `index`, which carries `payload` bytes from `from` on and is the last or not. */
static void adapt_headers(uint8_t *data, const struct packet *packet, uint32_t index, uint32_t from, bool last)
{
    uint8_t *ip = data + packet->network, *tcp = data + packet->transport;

    if (packet->six) {
        put16(ip + 4, packet->end - packet->network - IPV6_HEADER);
    } else {
        put16(ip + 2, packet->end - packet->network);
        put16(ip + 4, get16(ip + 4) + index);
        put16(ip + 10, 0);
        put16(ip + 10, ~sum(ip, packet->transport - packet->network, 0) & 0xffff);
    }
    put32(tcp + 4, get32(tcp + 4) + from);
    if (!last)
        tcp[13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
    if (index > 0)
        tcp[13] &= (uint8_t)~TCP_CWR;
    (void)fill_in(data, packet);
}

bool packet_segment(const uint8_t *data, uint32_t bytes, uint32_t size,
                    void (*emit)(void *arg, const uint8_t *data, uint32_t bytes), void *arg)
{
    static uint8_t segment[SEGMENT_BYTES_MAX];
    struct packet packet;
    uint32_t headers, payload;

    if (!packet_parse(data, bytes, bytes, &packet) || packet.protocol != PROTOCOL_TCP ||
        packet.end - packet.transport < TCP_HEADER)
        return false;
    headers = packet.transport + (data[packet.transport + 12] >> 4) * 4u;
    if (headers < packet.transport + TCP_HEADER || headers > packet.end || headers > SEGMENT_HEADER_MAX || size == 0 ||
        size > sizeof(segment) - SEGMENT_HEADER_MAX)
        return false;
    payload = packet.end - headers;
    if (payload > size * PACKET_SEGMENTS_MAX)
        return false;
    for (uint32_t from = 0, index = 0; from < payload || index == 0; from += size, index++) {
        uint32_t part = payload - from < size ? payload - from : size;
        struct packet one = packet;

        one.end = headers + part;
        memcpy(segment, data, headers);
        memcpy(segment + headers, data + headers + from, part);
        adapt_headers(segment, &one, index, from, from + part == payload);
        emit(arg, segment, one.end);
    }
    return true;
}
