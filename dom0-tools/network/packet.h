/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a network card does to packets on their way out, for receivers that cannot do without: filling in TCP and UDP
 * checksums and cutting large TCP packets into segments. Works on a frame in one piece of memory; trusts no length in it.
 */
#ifndef NETWORK_PACKET_H
#define NETWORK_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACKET_SEGMENTS_MAX 256u

/* Where the headers of a frame lie; offsets from its first byte. */
struct packet {
    uint32_t network, transport, end; /* end: of the IP packet */
    uint8_t protocol;                 /* 6: TCP, 17: UDP, 0: another, or a fragment without its header */
    bool six;                         /* IPv6 */
};

/* false: it is no IP packet, or its lengths contradict each other. Needs only the headers to be in `bytes`. */
bool packet_parse(const uint8_t *data, uint32_t bytes, uint32_t frame_bytes, struct packet *packet);

/* Fills in the TCP or UDP checksum. false: there is none to fill in. */
bool packet_finish_checksum(uint8_t *data, uint32_t bytes);

/*
 * Cuts a TCP packet into segments of `size` payload bytes at most, each with its headers and checksums, and hands them to
 * `emit` one by one. false, before the first, for what is no TCP packet or would be too many segments.
 */
bool packet_segment(const uint8_t *data, uint32_t bytes, uint32_t size,
                    void (*emit)(void *arg, const uint8_t *data, uint32_t bytes), void *arg);

#endif
