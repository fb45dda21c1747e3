/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The network card's driver: frames leave exactly as the switch decided, with the offload work described rightly, at one
 * notification for a batch; frames that come in pieces are put together; and a card that lies about them, or a guest
 * that did not really grant its pages, harms nobody.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <abi/io/netif.h>
#include <pv/threads.h>

#include "dom0-tools/machine/card.h"
#include "dom0-tools/network/platform.h"
#include "driver_fake.h"
#include "virtio_fake.h"
#include "tests/unit/run_suite.h"

#define NO_GRANT 666u
#define ALL                                                                                                            \
    (VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | CARD_FEATURE_CHECKSUM | CARD_FEATURE_GUEST_CHECKSUM |               \
     CARD_FEATURE_ADDRESS | CARD_FEATURE_GUEST_TSO4 | CARD_FEATURE_HOST_TSO4 | CARD_FEATURE_HOST_TSO6 |                \
     CARD_FEATURE_MERGEABLE | CARD_FEATURE_STATUS)

static uint8_t link_status;
static uint16_t bells[CARD_QUEUES];
static struct device_side sides[CARD_QUEUES];
static struct switch_port *port;

uint64_t virtio_offered(const struct virtio_device *device)
{
    return transport.features;
}

bool virtio_queue_start(struct virtio_device *device, uint16_t index, struct virtqueue *queue,
                        volatile uint16_t **doorbell)
{
    *doorbell = &bells[index];
    sides[index] = (struct device_side){.queue = queue};
    return virtqueue_init(queue, 128, device->features & VIRTIO_F_EVENT_IDX, device->features & VIRTIO_F_INDIRECT_DESC);
}

uint64_t virtio_config(const struct virtio_device *device, unsigned int offset, unsigned int bytes)
{
    return offset == 6 ? link_status : offset + 0x50;
}

/* Grants: reference n is n pages of the byte n and its offset. */
void network_copy(struct gnttab_copy *copies, unsigned int count)
{
    for (unsigned int i = 0; i < count; i++) {
        uint8_t *to = (uint8_t *)(uintptr_t)(copies[i].dest.u.gmfn * 4096) + copies[i].dest.offset;

        ck_assert_uint_le(copies[i].source.offset + copies[i].len, 4096u);
        ck_assert_uint_le(copies[i].dest.offset + copies[i].len, 4096u);
        copies[i].status = copies[i].source.u.ref == NO_GRANT ? GNTST_bad_gntref : GNTST_okay;
        for (unsigned int j = 0; copies[i].status == GNTST_okay && j < copies[i].len; j++)
            to[j] = (uint8_t)(copies[i].source.u.ref + copies[i].source.offset + j);
    }
}

void switch_attach(struct switch_port *attached)
{
    port = attached;
}

void switch_begin(void)
{
}

/* What the switch got, with all its bytes; the pieces are read at the end of the batch, as receivers may. */
static struct {
    struct frame frame;
    uint8_t bytes[FRAME_BYTES_MAX];
} came[64];
static unsigned int came_count;

void switch_frame(struct switch_port *from, const struct frame *frame)
{
    ck_assert_ptr_eq(from, port);
    ck_assert_uint_lt(came_count, 64);
    came[came_count++].frame = *frame;
}

void switch_end(void)
{
    for (unsigned int i = 0; i < came_count; i++) {
        uint8_t *at = came[i].bytes;

        for (unsigned int p = 0; p < came[i].frame.piece_count; at += came[i].frame.pieces[p++].bytes)
            memcpy(at, came[i].frame.pieces[p].data, came[i].frame.pieces[p].bytes);
    }
}

/* What happens while others have their turn. */
static void (*meanwhile)(void);

void thread_yield(void)
{
    if (meanwhile != NULL)
        meanwhile();
}

static struct machine_device *start(uint64_t offered)
{
    static const struct pci_function pci = {.interrupt_line = 10};
    static struct machine_device *all[16]; /* for good */
    static unsigned int count;
    struct machine_device *started;

    transport = (struct driver_fake){.features = offered};
    link_status = 1;
    came_count = 0;
    started = all[count++] = virtio_card_start(&pci, 0);
    ck_assert_str_eq(started->problem, "");
    driver_run();
    return started;
}

/* One frame as the device sees it leave; its length with the card's header, 0: none. */
static unsigned int leaves(uint8_t *bytes)
{
    struct descriptor chain[VIRTQUEUE_SIZE_MAX];
    unsigned int count, used = 0;
    uint16_t head;

    if (!fetch(&sides[CARD_SEND], &head, chain, &count))
        return 0;
    for (unsigned int i = 0; i < count; i++) {
        ck_assert_uint_eq(chain[i].flags & 2, 0);
        memcpy(bytes + used, (void *)(uintptr_t)chain[i].address, chain[i].bytes);
        used += chain[i].bytes;
    }
    complete(&sides[CARD_SEND], head, 0);
    return used;
}

static struct frame frame_of(const uint8_t *data, uint32_t bytes)
{
    struct frame frame = {.piece_count = 1, .bytes = bytes, .header_bytes = bytes < 128 ? bytes : 128};

    frame.pieces[0] = (struct frame_piece){.data = data, .bytes = bytes};
    memcpy(frame.header, data, frame.header_bytes);
    return frame;
}

static void add_grant(struct frame *frame, uint32_t gref, uint16_t offset, uint32_t bytes)
{
    frame->pieces[frame->piece_count++] =
        (struct frame_piece){.by_grant = true, .gref = gref, .offset = offset, .bytes = bytes};
    frame->bytes += bytes;
}

static uint8_t seen[FRAME_BYTES_MAX + 64], text[2048];

/* Pieces of any size over page borders: every byte at its place, the header as it was when the switch read it. */
START_TEST(test_pieces)
{
    struct frame frame;
    const uint8_t *at = seen + 12;

    start(ALL);
    for (unsigned int i = 0; i < sizeof(text); i++)
        text[i] = (uint8_t)(i * 7);
    frame = frame_of(text, 300);
    add_grant(&frame, 1, 100, 3996);
    add_grant(&frame, 2, 0, 4096);
    add_grant(&frame, 3, 4095, 1);
    add_grant(&frame, 4, 1, 50);
    memset(text, 0xee, 100); /* the guest changes its mind */
    port->deliver(port, &frame);
    port->flush(port);
    ck_assert_uint_eq(leaves(seen), 12 + frame.bytes);
    for (unsigned int i = 0; i < 12; i++)
        ck_assert_uint_eq(seen[i], 0);
    for (unsigned int i = 0; i < 300; i++)
        ck_assert_uint_eq(at[i], (uint8_t)(i * 7));
    ck_assert_uint_eq(at[300], 1 + 100);
    ck_assert_uint_eq(at[300 + 3996], 2);
    ck_assert_uint_eq(at[300 + 3996 + 4095], (uint8_t)(2 + 4095));
    ck_assert_uint_eq(at[300 + 3996 + 4096], (uint8_t)(3 + 4095));
    ck_assert_uint_eq(at[300 + 3996 + 4096 + 1], 4 + 1);
    ck_assert_uint_eq(port->delivered, 1);
}
END_TEST

/* The header may be longer than the first piece. */
START_TEST(test_short_first_piece)
{
    struct frame frame = {.header_bytes = 60};

    start(ALL);
    frame.piece_count = 1;
    frame.bytes = 14;
    frame.pieces[0] = (struct frame_piece){.data = text, .bytes = 14};
    add_grant(&frame, 9, 0, 100);
    for (unsigned int i = 0; i < 60; i++)
        frame.header[i] = (uint8_t)(200 - i);
    port->deliver(port, &frame);
    port->flush(port);
    ck_assert_uint_eq(leaves(seen), 12 + 114);
    ck_assert_mem_eq(seen + 12, frame.header, 60);
    ck_assert_uint_eq(seen[12 + 60], 9 + 46);
}
END_TEST

/* A sender's page that is not granted: that frame is dropped and its sender told, its neighbours leave in order. */
START_TEST(test_bad_grant)
{
    struct frame good = frame_of(text, 100), bad = frame_of(text, 100);
    struct machine_device *device = start(ALL);
    bool unreadable = false;

    add_grant(&bad, NO_GRANT, 0, 100);
    bad.unreadable = &unreadable;
    port->deliver(port, &good);
    port->deliver(port, &bad);
    add_grant(&good, 5, 0, 10);
    port->deliver(port, &good);
    ck_assert_uint_eq(leaves(seen), 0);
    port->flush(port);
    ck_assert_uint_eq(device->notifications, 2); /* the first gave the card its pages */
    ck_assert_uint_eq(leaves(seen), 112);
    ck_assert_uint_eq(leaves(seen), 122);
    ck_assert_uint_eq(leaves(seen), 0);
    ck_assert(unreadable);
    ck_assert_uint_eq(port->dropped, 1);
}
END_TEST

/* More copies than are carried out at once, and more frames than the queue holds: the rest is dropped and counted. */
START_TEST(test_card_does_not_keep_up)
{
    struct machine_device *device = start(ALL);
    struct frame frame = frame_of(text, 60);

    for (unsigned int i = 0; i < 5; i++)
        add_grant(&frame, 10 + i, 0, 4000);
    for (unsigned int round = 1; round <= 3; round++) {
        for (unsigned int i = 0; i < 150; i++)
            port->deliver(port, &frame);
        port->flush(port);
        ck_assert_uint_eq(device->out_requests, round * 128);
        ck_assert_uint_eq(device->drops, round * 22);
        for (unsigned int i = 0; i < 128; i++) {
            ck_assert_uint_eq(leaves(seen), 12 + 60 + 20000);
            ck_assert_uint_eq(seen[12 + 60 + 16000], 14);
        }
    }
    link_status = 0;
    driver_interrupt(2);
    driver_run();
    port->deliver(port, &frame);
    port->flush(port);
    ck_assert_uint_eq(leaves(seen), 0);
    ck_assert_uint_eq(device->drops, 3 * 22 + 1);
}
END_TEST

/* A TCP or UDP packet over IPv4 in `data`, behind an optional VLAN tag. */
static uint32_t packet(uint8_t *data, uint8_t protocol, bool vlan, uint32_t payload)
{
    unsigned int ip = vlan ? 18 : 14, header = protocol == 6 ? 32 : 8;

    memset(data, 0, ip + 20 + header + payload);
    data[12] = vlan ? 0x81 : 0x08;
    if (vlan)
        data[16] = 0x08;
    data[ip] = 0x45;
    data[ip + 2] = (uint8_t)((20 + header + payload) >> 8);
    data[ip + 3] = (uint8_t)(20 + header + payload);
    data[ip + 9] = protocol;
    if (protocol == 6)
        data[ip + 20 + 12] = 8 << 4;
    return ip + 20 + header + payload;
}

/* What is left to do: where the checksum starts and lies, how the card is to cut. */
START_TEST(test_offload)
{
    static const struct {
        uint8_t protocol;
        bool vlan;
        uint16_t gso_size, start, offset, header;
    } cases[] = {{6, false, 0, 34, 16, 0},
                 {6, true, 0, 38, 16, 0},
                 {17, false, 0, 34, 6, 0},
                 {6, false, 500, 34, 16, 66},
                 {6, true, 1448, 38, 16, 70}};

    start(ALL);
    ck_assert(port->takes_gso && port->takes_gso6 && port->takes_checksum_blank && port->takes_checksum_blank6);
    for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct frame frame = frame_of(text, packet(text, cases[i].protocol, cases[i].vlan, 1500));
        struct card_header header;

        frame.checksum_blank = true;
        frame.gso_size = cases[i].gso_size;
        frame.gso_type = cases[i].gso_size != 0 ? XEN_NETIF_GSO_TYPE_TCPV4 : 0;
        port->deliver(port, &frame);
        port->flush(port);
        ck_assert_uint_eq(leaves(seen), 12 + frame.bytes);
        memcpy(&header, seen, 12);
        ck_assert_uint_eq(header.flags, CARD_NEEDS_CHECKSUM);
        ck_assert_uint_eq(header.checksum_start, cases[i].start);
        ck_assert_uint_eq(header.checksum_offset, cases[i].offset);
        ck_assert_uint_eq(header.gso_type, cases[i].gso_size != 0 ? CARD_GSO_TCP4 : 0);
        ck_assert_uint_eq(header.gso_size, cases[i].gso_size);
        ck_assert_uint_eq(header.header_bytes, cases[i].header);
    }
}
END_TEST

/* Offload work that no card can do on such a frame: dropped, rather than sent with offsets that lie. */
START_TEST(test_absurd_offload)
{
    struct machine_device *device = start(ALL);
    struct frame frame = frame_of(text, packet(text, 17, false, 100));

    frame.checksum_blank = true;
    frame.gso_type = XEN_NETIF_GSO_TYPE_TCPV4;
    frame.gso_size = 500;
    port->deliver(port, &frame); /* UDP is not cut */
    frame = frame_of(text, packet(text, 6, false, 100));
    frame.checksum_blank = true;
    frame.gso_type = XEN_NETIF_GSO_TYPE_TCPV4;
    port->deliver(port, &frame); /* into segments of nothing */
    frame = frame_of(text, packet(text, 1, false, 100));
    frame.checksum_blank = true;
    port->deliver(port, &frame); /* ICMP has no blank checksum */
    packet(text, 17, false, 100);
    text[14 + 3] = 20 + 7;
    frame = frame_of(text, 60);
    frame.checksum_blank = true;
    port->deliver(port, &frame); /* the checksum would lie behind the packet's end */
    text[12] = 0x88;
    frame = frame_of(text, 60);
    frame.checksum_blank = true;
    port->deliver(port, &frame); /* nor has what is no IP */
    port->flush(port);
    ck_assert_uint_eq(leaves(seen), 0);
    ck_assert_uint_eq(device->drops, 5);
    ck_assert_uint_eq(device->out_requests, 0);
}
END_TEST

/* Without the card's help the switch has to do the work. */
START_TEST(test_plain_card)
{
    start(VIRTIO_F_INDIRECT_DESC | CARD_FEATURE_HOST_TSO4 | CARD_FEATURE_HOST_TSO6);
    ck_assert(!port->takes_gso && !port->takes_gso6 && !port->takes_checksum_blank && !port->takes_checksum_blank6);
}
END_TEST

/* The card fills the next page with so many bytes, in front a header if one is given. */
static void fill(const struct card_header *header, uint32_t bytes, uint8_t value)
{
    struct descriptor chain[VIRTQUEUE_SIZE_MAX];
    unsigned int count;
    uint16_t head;

    ck_assert(fetch(&sides[CARD_RECEIVE], &head, chain, &count));
    ck_assert_uint_eq(count, 1);
    ck_assert_uint_eq(chain[0].flags & 2, 2);
    memset((void *)(uintptr_t)chain[0].address, value, chain[0].bytes);
    if (header != NULL)
        memcpy((void *)(uintptr_t)chain[0].address, header, sizeof(*header));
    complete(&sides[CARD_RECEIVE], head, bytes);
}

START_TEST(test_receive)
{
    struct card_header plain = {.buffers = 1};
    struct card_header large = {
        .flags = CARD_NEEDS_CHECKSUM, .gso_type = CARD_GSO_TCP4, .gso_size = 1448, .buffers = 3};
    struct machine_device *device = start(ALL);

    for (unsigned int round = 0; round < 100; round++) {
        came_count = 0;
        fill(&plain, 12 + 60, 7);
        fill(&large, 4096, 8);
        fill(NULL, 4096, 9);
        fill(NULL, 10, 10);
        driver_run();
        ck_assert_uint_eq(came_count, 2);
        ck_assert_uint_eq(came[0].frame.bytes, 60);
        ck_assert(!came[0].frame.checksum_blank && came[0].frame.gso_type == 0);
        ck_assert_uint_eq(came[1].frame.bytes, 4084 + 4096 + 10);
        ck_assert_uint_eq(came[1].frame.piece_count, 3);
        ck_assert_uint_eq(came[1].frame.header_bytes, 128);
        ck_assert(came[1].frame.checksum_blank && came[1].frame.data_validated);
        ck_assert_uint_eq(came[1].frame.gso_type, XEN_NETIF_GSO_TYPE_TCPV4);
        ck_assert_uint_eq(came[1].frame.gso_size, 1448);
        ck_assert_uint_eq(came[0].bytes[59], 7);
        ck_assert_uint_eq(came[1].bytes[4083], 8);
        ck_assert_uint_eq(came[1].bytes[4084], 9);
        ck_assert_uint_eq(came[1].bytes[4084 + 4096], 10);
    }
    ck_assert_uint_eq(device->in_requests, 200);
    ck_assert(!transport.given_up);
}
END_TEST

static unsigned int turns_of_others;

static void flood(void)
{
    static const struct card_header plain = {.buffers = 1};

    if (++turns_of_others < 5)
        fill(&plain, 12 + 60, 3);
    came_count = 0;
}

/* Frames that never stop coming leave the other threads their turns: the driver would keep the processor for itself. */
START_TEST(test_flood)
{
    struct machine_device *device = start(ALL);

    turns_of_others = 0;
    meanwhile = flood;
    driver_run();
    meanwhile = NULL;
    ck_assert_uint_eq(turns_of_others, 5);
    ck_assert_uint_eq(device->in_requests, 4);
}
END_TEST

/* Frames that contradict themselves are dropped, and the next one is taken. */
START_TEST(test_odd_frames)
{
    static const struct card_header odd[] = {{.buffers = 1, .gso_type = 77, .gso_size = 100, .flags = 1},
                                             {.buffers = 1, .gso_type = CARD_GSO_TCP4, .flags = 1},
                                             {.buffers = 1, .gso_type = CARD_GSO_TCP4, .gso_size = 100}};
    struct card_header plain = {.buffers = 1};
    struct machine_device *device = start(ALL);

    for (unsigned int i = 0; i < 3; i++)
        fill(&odd[i], 12 + 60, 1);
    fill(&plain, 12 + 13, 1); /* no room for an Ethernet header */
    fill(&plain, 12, 1);
    fill(&plain, 12 + 60, 2);
    driver_run();
    ck_assert_uint_eq(came_count, 1);
    ck_assert_uint_eq(device->errors, 5);
    ck_assert(!transport.given_up);
}
END_TEST

/* A card that breaks the rules of its queue is switched off: more than a page, less than the header, pages that are not there. */
START_TEST(test_card_lies)
{
    static const struct {
        uint16_t buffers;
        uint32_t bytes;
    } lies[] = {{1, 4097}, {1, 0xffffffff}, {1, 11}, {2, 100}, {18, 4096}, {65535, 4096}};

    for (unsigned int i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        struct card_header header = {.buffers = lies[i].buffers};
        struct machine_device *device = start(ALL);
        struct frame frame = frame_of(text, 60);

        fill(&header, lies[i].bytes, 1);
        driver_run();
        ck_assert_uint_eq(came_count, 0);
        ck_assert(transport.given_up);
        ck_assert_str_ne(device->problem, "");
        port->deliver(port, &frame);
        port->flush(port);
        ck_assert_uint_eq(leaves(seen), 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("virtio_card");
    TCase *out = tcase_create("send"), *in = tcase_create("receive");

    tcase_add_test(out, test_pieces);
    tcase_add_test(out, test_short_first_piece);
    tcase_add_test(out, test_bad_grant);
    tcase_add_test(out, test_card_does_not_keep_up);
    tcase_add_test(out, test_offload);
    tcase_add_test(out, test_absurd_offload);
    tcase_add_test(out, test_plain_card);
    tcase_add_test(in, test_receive);
    tcase_add_test(in, test_flood);
    tcase_add_test(in, test_odd_frames);
    tcase_add_test(in, test_card_lies);
    suite_add_tcase(suite, out);
    suite_add_tcase(suite, in);
    return run_suite(suite);
}
