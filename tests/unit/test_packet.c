/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Checksums and segmentation: known packets, and packets whose lengths lie.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../../dom0-tools/network/packet.h"
#include "tests/unit/run_suite.h"

static uint8_t segments[PACKET_SEGMENTS_MAX][2000];
static uint32_t segment_bytes[PACKET_SEGMENTS_MAX];
static unsigned int segment_count;

static void emit(void *arg, const uint8_t *data, uint32_t bytes)
{
    ck_assert_uint_le(bytes, sizeof(segments[0]));
    memcpy(segments[segment_count], data, bytes);
    segment_bytes[segment_count++] = bytes;
}

static void put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static uint32_t get16(const uint8_t *at)
{
    return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t ones(const uint8_t *data, uint32_t bytes, uint32_t total)
{
    for (uint32_t i = 0; i < bytes; i++)
        total += i % 2 ? data[i] : (uint32_t)data[i] << 8;
    while (total >> 16)
        total = (total & 0xffff) + (total >> 16);
    return total;
}

/* A frame with TCP or UDP and a payload that counts; the checksum field holds rubbish. Its length. */
static uint32_t make(uint8_t *frame, bool six, uint8_t protocol, uint32_t payload, bool vlan)
{
    uint32_t network = vlan ? 18 : 14, header = six ? 40 : 20, upper = protocol == 6 ? 20 : 8;
    uint8_t *ip = frame + network, *transport = ip + header;

    memset(frame, 0, network + header + upper);
    put16(frame + 12, vlan ? 0x8100 : six ? 0x86dd : 0x0800);
    if (vlan)
        put16(frame + 16, six ? 0x86dd : 0x0800);
    for (unsigned int i = 0; i < 32; i++)
        ip[(six ? 8u : 12u) + i % (six ? 32u : 8u)] = (uint8_t)(i * 37 + 1);
    if (six) {
        ip[0] = 0x60;
        put16(ip + 4, upper + payload);
        ip[6] = protocol;
    } else {
        ip[0] = 0x45;
        put16(ip + 2, header + upper + payload);
        put16(ip + 4, 0xfffe); /* its identification wraps in the third segment */
        ip[9] = protocol;
    }
    if (protocol == 6) {
        transport[12] = 5 << 4;
        transport[13] = 0x80 | 0x10 | 0x08 | 0x01; /* CWR, ACK, PSH, FIN */
        put16(transport + 4, 0xffff);              /* sequence number near its wrap */
        put16(transport + 6, 0xff00);
    } else {
        put16(transport + 4, upper + payload);
    }
    put16(transport + (protocol == 6 ? 16 : 6), 0x1234);
    for (uint32_t i = 0; i < payload; i++)
        transport[upper + i] = (uint8_t)(i * 7 + i / 256);
    return network + header + upper + payload;
}

/* A receiver's view: the sum over everything, its checksum included, is all ones. */
static bool sums_up(const uint8_t *frame, uint32_t network)
{
    bool six = frame[network] >> 4 == 6;
    const uint8_t *ip = frame + network;
    uint32_t header = six ? 40 : (ip[0] & 15u) * 4, length = six ? get16(ip + 4) : get16(ip + 2) - header;
    uint32_t pseudo = ones(ip + (six ? 8 : 12), six ? 32 : 8, ip[six ? 6 : 9] + length);

    return ones(ip + header, length, pseudo) == 0xffff &&
           (six || ip[10] + ip[11] == 0 || ones(ip, header, 0) == 0xffff);
}

/* Whatever the protocol and however odd the payload: the checksum is right. */
START_TEST(test_checksum)
{
    static uint8_t frame[4096];
    bool six = _i & 1, vlan = _i & 2;
    uint8_t protocol = _i & 4 ? 6 : 17;

    for (uint32_t payload = 0; payload < 70; payload++) {
        uint32_t bytes = make(frame, six, protocol, payload, vlan);

        ck_assert(packet_finish_checksum(frame, bytes));
        ck_assert(sums_up(frame, vlan ? 18 : 14));
        memset(frame + bytes, 0xff, 64); /* padding behind the packet does not count */
        ck_assert(packet_finish_checksum(frame, bytes + 46));
        ck_assert(sums_up(frame, vlan ? 18 : 14));
    }
}
END_TEST

/* A UDP checksum that computes to zero is sent as all ones: zero means that there is none. */
START_TEST(test_udp_zero)
{
    static uint8_t frame[64];
    uint32_t bytes = make(frame, false, 17, 2, false), sum;

    put16(frame + 42, 0);
    ck_assert(packet_finish_checksum(frame, bytes));
    sum = get16(frame + 40);
    put16(frame + 42, sum); /* makes the rest sum up to all ones */
    ck_assert(packet_finish_checksum(frame, bytes));
    ck_assert_uint_eq(get16(frame + 40), 0xffff);
}
END_TEST

/* The segments are the packet again: payload, sequence numbers, flags where they belong, good checksums. */
START_TEST(test_segments)
{
    static uint8_t frame[65536];
    bool six = _i & 1, vlan = _i & 2;
    uint32_t payload = 60001, size = 1448, network = vlan ? 18 : 14, header = network + (six ? 40 : 20) + 20;
    uint32_t bytes = make(frame, six, 6, payload, vlan), done = 0;

    segment_count = 0;
    ck_assert(packet_segment(frame, bytes, size, emit, NULL));
    ck_assert_uint_eq(segment_count, (payload + size - 1) / size);
    for (unsigned int i = 0; i < segment_count; i++) {
        const uint8_t *tcp = segments[i] + header - 20;
        bool last = i == segment_count - 1;
        uint32_t part = segment_bytes[i] - header;

        ck_assert_uint_eq(part, last ? payload - done : size);
        ck_assert(!memcmp(segments[i] + header, frame + header + done, part));
        ck_assert_uint_eq((get16(tcp + 4) << 16 | get16(tcp + 6)), 0xffffff00u + done);
        ck_assert_uint_eq(tcp[13], 0x10 | (last ? 0x09 : 0) | (i == 0 ? 0x80 : 0));
        ck_assert(sums_up(segments[i], network));
        if (!six)
            ck_assert_uint_eq(get16(segments[i] + network + 4), (0xfffe + i) & 0xffff);
        done += part;
    }
    ck_assert_uint_eq(done, payload);
}
END_TEST

/* A sender may claim any segment size: one that would keep dom0 busy for ever, or divides by nothing, is refused. */
START_TEST(test_absurd_sizes)
{
    static uint8_t frame[65536];
    uint32_t bytes = make(frame, false, 6, 60000, false);

    segment_count = 0;
    ck_assert(!packet_segment(frame, bytes, 0, emit, NULL));
    ck_assert(!packet_segment(frame, bytes, 1, emit, NULL));
    ck_assert(!packet_segment(frame, bytes, 234, emit, NULL));
    ck_assert(!packet_segment(frame, bytes, 65535, emit, NULL));
    ck_assert_uint_eq(segment_count, 0);
    bytes = make(frame, false, 17, 3000, false);
    ck_assert(!packet_segment(frame, bytes, 1000, emit, NULL));
    bytes = make(frame, false, 6, 0, false);
    ck_assert(packet_segment(frame, bytes, 1000, emit, NULL));
    ck_assert_uint_eq(segment_count, 1);
}
END_TEST

/* Every byte of the headers wrong in turn, and every cut: no access outside the frame (the sanitizer looks). */
START_TEST(test_lies)
{
    uint8_t good[512];
    uint32_t bytes = make(good, _i & 1, _i & 2 ? 6 : 17, 60, _i & 4);

    for (uint32_t cut = 0; cut <= bytes; cut++) {
        uint8_t *frame = malloc(cut + 1);

        for (uint32_t at = 12; at < cut && at < 80; at++) {
            static const uint8_t values[] = {0, 1, 0x0f, 0x40, 0x4f, 0x60, 0x7f, 0x80, 0xf0, 0xff};

            for (unsigned int i = 0; i < sizeof(values); i++) {
                memcpy(frame, good, cut);
                frame[at] = values[i];
                (void)packet_finish_checksum(frame, cut);
                segment_count = 0;
                (void)packet_segment(frame, cut, 30, emit, NULL);
            }
        }
        free(frame);
    }
}
END_TEST

/* IPv6 extension headers: a chain is followed for a while, one without end is not. */
START_TEST(test_extensions)
{
    uint8_t frame[512], moved[600];
    uint32_t bytes = make(frame, true, 6, 100, false);

    memcpy(moved, frame, 54);
    memcpy(moved + 54 + 16, frame + 54, bytes - 54);
    moved[20] = 0; /* hop-by-hop, then destination options, then TCP */
    memset(moved + 54, 0, 16);
    moved[54] = 60;
    moved[62] = 6;
    put16(moved + 18, bytes - 54 + 16);
    ck_assert(packet_finish_checksum(moved, bytes + 16));
    ck_assert_uint_eq(moved[62], 6);
    moved[62] = 60;
    memset(moved + 70, 60, 200);
    (void)packet_finish_checksum(moved, bytes + 16);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("packet");
    TCase *tests = tcase_create("packet");

    tcase_add_loop_test(tests, test_checksum, 0, 8);
    tcase_add_test(tests, test_udp_zero);
    tcase_add_loop_test(tests, test_segments, 0, 4);
    tcase_add_test(tests, test_absurd_sizes);
    tcase_add_loop_test(tests, test_lies, 0, 8);
    tcase_add_test(tests, test_extensions);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
