/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The switch: who gets a frame, what it learns, and what a port can do to the others.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <abi/io/netif.h>

#include "../../dom0-tools/network/addresses.h"
#include "../../dom0-tools/network/copy.h"
#include "network_fake.h"
#include "tests/unit/run_suite.h"

#define PORTS 4u

struct port {
    struct switch_port port;
    unsigned int frames, flushes;
    struct frame last;
    uint8_t bytes[70000];
};

static struct port ports[PORTS];

static void deliver(struct switch_port *port, const struct frame *frame)
{
    struct port *own = (struct port *)port;

    own->frames++;
    own->last = *frame;
    ck_assert(frame_copy(frame, own->bytes));
    port->delivered++;
}

static void flush(struct switch_port *port)
{
    ((struct port *)port)->flushes++;
}

static void setup(void)
{
    fake_reset();
    memset(ports, 0, sizeof(ports));
    for (unsigned int i = 0; i < PORTS; i++) {
        ports[i].port.deliver = deliver;
        ports[i].port.flush = flush;
        ports[i].port.name[0] = (char)('a' + i);
        ports[i].port.takes_gso = ports[i].port.takes_gso6 = true;
        ports[i].port.takes_checksum_blank = ports[i].port.takes_checksum_blank6 = true;
        switch_attach(&ports[i].port);
    }
}

static void teardown(void)
{
    for (unsigned int i = 0; i < PORTS; i++)
        switch_detach(&ports[i].port);
    ck_assert_ptr_null(switch_next(NULL));
}

static struct frame frame_of(const uint8_t *data, uint32_t bytes)
{
    struct frame frame = {.bytes = bytes, .header_bytes = bytes < 128 ? bytes : 128};

    for (uint32_t done = 0; done < bytes; done += 4096)
        frame.pieces[frame.piece_count++] =
            (struct frame_piece){.data = data + done, .bytes = bytes - done < 4096 ? bytes - done : 4096};
    memcpy(frame.header, data, frame.header_bytes);
    return frame;
}

static void send(unsigned int from, uint8_t destination, uint8_t source)
{
    uint8_t data[64] = {2, 0, 0, 0, 0, destination, 2, 0, 0, 0, 0, source};
    struct frame frame;

    if (destination == 0xff)
        memset(data, 0xff, 6);
    frame = frame_of(data, sizeof(data));
    switch_frame(&ports[from].port, &frame);
}

static void expect(unsigned int a, unsigned int b, unsigned int c, unsigned int d)
{
    ck_assert_uint_eq(ports[0].frames, a);
    ck_assert_uint_eq(ports[1].frames, b);
    ck_assert_uint_eq(ports[2].frames, c);
    ck_assert_uint_eq(ports[3].frames, d);
    for (unsigned int i = 0; i < PORTS; i++)
        ports[i].frames = 0;
}

/* Unknown goes everywhere but back; what was seen goes there alone; broadcast always goes everywhere. */
START_TEST(test_learning)
{
    send(0, 2, 1);
    expect(0, 1, 1, 1);
    send(1, 1, 2);
    expect(1, 0, 0, 0);
    send(0, 2, 1);
    expect(0, 1, 0, 0);
    send(1, 0xff, 2);
    expect(1, 0, 1, 1);
    send(1, 2, 3); /* to itself, as seen from the switch */
    expect(0, 0, 0, 0);
    send(3, 4, 2); /* the address moves */
    expect(1, 1, 1, 0);
    send(0, 2, 1);
    expect(0, 0, 0, 1);
    ck_assert_uint_eq(ports[0].port.received, 3);
}
END_TEST

/* What was not seen for a while is forgotten, and so is all that was seen on a port that goes. */
START_TEST(test_ageing)
{
    send(0, 9, 1);
    expect(0, 1, 1, 1);
    fake_now_ns += ADDRESS_AGE_NS;
    send(1, 1, 2);
    expect(1, 0, 0, 0);
    fake_now_ns += 1;
    send(1, 1, 2);
    expect(1, 0, 1, 1);
    ck_assert_uint_eq(ports[0].port.learned, 0);
    switch_detach(&ports[1].port);
    ck_assert_ptr_null(switch_lookup(SWITCH_BRIDGE, (uint8_t[6]){2, 0, 0, 0, 0, 2}));
    send(0, 2, 1);
    expect(0, 0, 1, 1);
    switch_attach(&ports[1].port);
}
END_TEST

/* Bridges are apart, even when the same address is on both. */
START_TEST(test_bridges)
{
    for (unsigned int i = 2; i < 4; i++) {
        switch_detach(&ports[i].port);
        strcpy(ports[i].port.bridge, "other");
        switch_attach(&ports[i].port);
    }
    send(0, 0xff, 1);
    expect(0, 1, 0, 0);
    send(2, 0xff, 1);
    expect(0, 0, 0, 1);
    send(1, 1, 2);
    expect(1, 0, 0, 0);
    send(3, 1, 2);
    expect(0, 0, 1, 0);
}
END_TEST

/* One that sends from a thousand addresses loses its own oldest, and nobody else's. */
START_TEST(test_spraying)
{
    uint8_t data[64] = {2, 0, 0, 0, 0, 9, 2}, address[6];
    struct frame frame;
    uint64_t age;

    send(1, 9, 2);
    for (unsigned int i = 0; i < 1000; i++) {
        data[9] = (uint8_t)(i >> 8);
        data[10] = (uint8_t)i;
        data[11] = 0x55;
        frame = frame_of(data, sizeof(data));
        switch_frame(&ports[0].port, &frame);
        ck_assert_uint_le(ports[0].port.learned, ADDRESSES_PER_PORT);
    }
    ck_assert_uint_eq(ports[0].port.learned, ADDRESSES_PER_PORT);
    ck_assert_ptr_eq(switch_lookup(SWITCH_BRIDGE, (uint8_t[6]){2, 0, 0, 0, 0, 2}), &ports[1].port);
    ck_assert_ptr_eq(switch_lookup(SWITCH_BRIDGE, data + 6), &ports[0].port);
    ck_assert(switch_learned(&ports[0].port, 0, address, &age) && memcmp(address, data + 6, 6) == 0);
    ck_assert(!switch_learned(&ports[0].port, ADDRESSES_PER_PORT, address, &age));
    ck_assert_ptr_null(switch_lookup(SWITCH_BRIDGE, (uint8_t[6]){2, 0, 0, 0, 5, 0x55}));
    for (unsigned int i = 900; i < 1000; i++) { /* another takes them over, beyond its own room */
        data[9] = (uint8_t)(i >> 8);
        data[10] = (uint8_t)i;
        frame = frame_of(data, sizeof(data));
        switch_frame(&ports[2].port, &frame);
    }
    ck_assert_uint_eq(ports[2].port.learned, 100);
    ck_assert_uint_eq(ports[0].port.learned, ADDRESSES_PER_PORT - 100);
}
END_TEST

/* An address that the toolstack gave to a port cannot be taken over by another that sends from it. */
START_TEST(test_stealing)
{
    switch_detach(&ports[1].port);
    memcpy(ports[1].port.address, (uint8_t[6]){2, 0, 0, 0, 0, 2}, 6);
    switch_attach(&ports[1].port);
    send(3, 9, 2);
    expect(1, 1, 1, 0);
    fake_now_ns += 10 * ADDRESS_AGE_NS;
    send(0, 2, 1);
    expect(0, 1, 0, 0);
}
END_TEST

/* Malformed frames go nowhere and are counted where they came from. */
START_TEST(test_malformed)
{
    uint8_t data[2000] = {2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1};
    struct frame frame = frame_of(data, 13);

    switch_frame(&ports[0].port, &frame);
    frame = frame_of(data, 64);
    frame.header[6] |= 1; /* from a group */
    switch_frame(&ports[0].port, &frame);
    memset(frame.header + 6, 0, 6);
    switch_frame(&ports[0].port, &frame);
    frame = frame_of(data, 64);
    frame.gso_type = 3;
    frame.gso_size = 1000;
    switch_frame(&ports[0].port, &frame);
    frame.gso_type = XEN_NETIF_GSO_TYPE_TCPV4;
    frame.gso_size = 0;
    switch_frame(&ports[0].port, &frame);
    expect(0, 0, 0, 0);
    ck_assert_uint_eq(ports[0].port.refused, 5);
    ck_assert_uint_eq(ports[0].port.received, 0);
    frame = frame_of(data, 1519); /* longer than a receiver's network carries */
    switch_frame(&ports[0].port, &frame);
    expect(0, 0, 0, 0);
    ck_assert_uint_eq(ports[1].port.dropped, 1);
    ports[1].port.mtu = 9000;
    switch_frame(&ports[0].port, &frame);
    expect(0, 1, 0, 0);
}
END_TEST

/* A broadcast of TCP over IPv4, to be cut into segments of that size. */
static struct frame segments_for_all(uint8_t *data, unsigned int ip_bytes, uint16_t segment)
{
    uint8_t *ip = data + 14, *tcp = ip + 20;
    struct frame frame;

    memset(data, 0xff, 6);
    memcpy(data + 6, (uint8_t[]){2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, (uint8_t)(ip_bytes >> 8), (uint8_t)ip_bytes}, 12);
    ip[9] = 6;
    tcp[12] = 5 << 4;
    frame = frame_of(data, 14 + ip_bytes);
    frame.gso_type = XEN_NETIF_GSO_TYPE_TCPV4;
    frame.gso_size = segment;
    return frame;
}

/* A packet left unfinished by its sender: whoever can takes it as it is, the others get it finished. */
START_TEST(test_finishing)
{
    static _Alignas(4096) uint8_t data[4096 * 2];
    struct frame frame = segments_for_all(data, 3040, 1000);

    frame.checksum_blank = true;
    ports[1].port.takes_gso = false;
    ports[2].port.takes_gso = ports[2].port.takes_checksum_blank = false;
    switch_frame(&ports[0].port, &frame);
    ck_assert(ports[3].last.checksum_blank && ports[3].last.gso_size == 1000);
    ck_assert(!ports[1].last.checksum_blank && ports[1].last.gso_type == 0 && ports[1].last.data_validated);
    ck_assert_uint_eq(ports[1].last.bytes, 1054);
    expect(0, 3, 3, 1);
    frame = frame_of(data, 1054);
    data[16] = 1040 >> 8;
    data[17] = 1040 & 255;
    memcpy(frame.header, data, 128);
    frame.checksum_blank = true;
    switch_frame(&ports[0].port, &frame);
    ck_assert(ports[1].last.checksum_blank);
    ck_assert(!ports[2].last.checksum_blank);
    ck_assert(ports[2].bytes[50] != 0 || ports[2].bytes[51] != 0);
    expect(0, 1, 1, 1);
    frame.header[14] = data[14] = 0x41; /* no packet that could be finished */
    switch_frame(&ports[0].port, &frame);
    expect(0, 1, 0, 1);
    ck_assert_uint_eq(ports[2].port.dropped, 1);
}
END_TEST

/* A sender that names segments larger than a receiver's network carries: those that are too long are dropped there. */
START_TEST(test_long_segments)
{
    static _Alignas(4096) uint8_t data[4096 * 2];
    struct frame frame = segments_for_all(data, 5040, 4000);

    ports[1].port.takes_gso = ports[2].port.takes_gso = false;
    ports[2].port.mtu = 9000;
    switch_frame(&ports[0].port, &frame);
    expect(0, 1, 2, 1); /* the second segment has 1000 bytes */
    ck_assert_uint_eq(ports[1].last.bytes, 1054);
    ck_assert_uint_eq(ports[1].port.dropped, 1);
}
END_TEST

/* A batch is flushed once, at its outermost end, and only where something came. */
START_TEST(test_batches)
{
    switch_begin();
    send(0, 0xff, 1);
    send(0, 0xff, 1);
    ck_assert_uint_eq(ports[1].flushes, 0);
    switch_end();
    ck_assert_uint_eq(ports[0].flushes, 0);
    ck_assert_uint_eq(ports[1].flushes, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("switch");
    TCase *tests = tcase_create("switch");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_learning);
    tcase_add_test(tests, test_ageing);
    tcase_add_test(tests, test_bridges);
    tcase_add_test(tests, test_spraying);
    tcase_add_test(tests, test_stealing);
    tcase_add_test(tests, test_malformed);
    tcase_add_test(tests, test_finishing);
    tcase_add_test(tests, test_long_segments);
    tcase_add_test(tests, test_batches);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
