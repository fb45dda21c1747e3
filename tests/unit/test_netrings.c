/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Interfaces and their rings: packets from one guest's pages to another's, and front ends that lie in every field.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../dom0-tools/network/copy.h"
#include "../../dom0-tools/network/vif.h"
#include "network_fake.h"
#include "tests/unit/run_suite.h"

#define TX_PAGE 300u /* pages from here on hold what a guest sends; those below what it receives */

struct guest {
    struct vif vif;
    _Alignas(4096) uint8_t tx_page[4096];
    _Alignas(4096) uint8_t rx_page[4096];
    struct netif_tx_sring *tx;
    struct netif_rx_sring *rx;
    RING_IDX tx_produced, rx_produced, tx_seen, rx_seen;
};

static struct guest *guests[2];
static const RING_IDX start_at = 0xfffffff0u; /* so that every test crosses the wrap of the indices */

static struct guest *new_guest(unsigned int domid)
{
    struct guest *guest = aligned_alloc(4096, (sizeof(*guest) + 4095) / 4096 * 4096);

    memset(guest, 0, sizeof(*guest));
    guest->tx = (struct netif_tx_sring *)guest->tx_page;
    guest->rx = (struct netif_rx_sring *)guest->rx_page;
    guest->vif.domid = (domid_t)domid;
    snprintf(guest->vif.port.name, sizeof(guest->vif.port.name), "vif%u.0", domid);
    guest->vif.port.address[5] = (uint8_t)domid;
    guest->vif.port.address[0] = 2;
    vif_init(&guest->vif);
    switch_attach(&guest->vif.port);
    guest->vif.port.takes_gso = guest->vif.port.takes_gso6 = true;
    guest->vif.port.takes_checksum_blank = guest->vif.port.takes_checksum_blank6 = true;
    BACK_RING_ATTACH(&guest->vif.tx, guest->tx, 0, 4096);
    rx_init(&guest->vif.rx, guest->rx, guest->vif.domid);
    guest->vif.tx.req_cons = guest->vif.tx.rsp_prod_pvt = start_at;
    guest->vif.rx.ring.req_cons = guest->vif.rx.ring.rsp_prod_pvt = guest->vif.rx.pushed = start_at;
    guest->tx->req_prod = guest->tx->rsp_prod = guest->rx->req_prod = guest->rx->rsp_prod = start_at;
    guest->tx->rsp_event = guest->rx->rsp_event = start_at + 1;
    guest->tx_produced = guest->rx_produced = guest->tx_seen = guest->rx_seen = start_at;
    guest->vif.tx_port = (int)domid;
    guest->vif.rx_port = (int)domid + 4;
    vif_start(&guest->vif);
    return guest;
}

static void setup(void)
{
    fake_reset();
    guests[0] = new_guest(1);
    guests[1] = new_guest(2);
}

static void teardown(void)
{
    for (unsigned int i = 0; i < 2; i++) {
        vif_stop(&guests[i]->vif);
        switch_detach(&guests[i]->vif.port);
        free(guests[i]);
    }
}

static void post(struct guest *guest, unsigned int count)
{
    for (unsigned int i = 0; i < count; i++, guest->rx_produced++) {
        unsigned int slot = guest->rx_produced % 256;

        fake_pages[guest->vif.domid - 1][slot].granted = fake_pages[guest->vif.domid - 1][slot].writable = true;
        guest->rx->ring[slot].req = (struct netif_rx_request){.id = (uint16_t)slot, .gref = slot};
    }
    guest->rx->req_prod = guest->rx_produced;
}

/* A slot whose page holds a pattern and, at the packet's start, the addresses. */
static struct netif_tx_request *put(struct guest *guest, uint16_t offset, uint16_t size, uint16_t flags)
{
    unsigned int slot = guest->tx_produced++ % 256;
    struct fake_page *page = &fake_pages[guest->vif.domid - 1][TX_PAGE + slot];

    page->granted = true;
    for (unsigned int i = 0; i < 4096; i++)
        page->bytes[i] = (uint8_t)(i * 13 + slot);
    guest->tx->ring[slot].req = (struct netif_tx_request){
        .gref = TX_PAGE + slot, .offset = offset, .flags = flags, .id = (uint16_t)(1000 + slot), .size = size};
    return &guest->tx->ring[slot].req;
}

static uint8_t *page_of(const struct guest *guest, const struct netif_tx_request *request)
{
    return fake_pages[guest->vif.domid - 1][request->gref].bytes + request->offset;
}

static void address(uint8_t *packet, unsigned int to, unsigned int from)
{
    memcpy(packet, (uint8_t[]){2, 0, 0, 0, 0, (uint8_t)to, 2, 0, 0, 0, 0, (uint8_t)from, 0x88, 0xb5}, 14);
}

static void put_extra(struct guest *guest, uint8_t type, uint8_t flags, uint16_t size, uint8_t gso_type)
{
    struct netif_extra_info extra = {.type = type, .flags = flags};

    extra.u.gso.size = size;
    extra.u.gso.type = gso_type;
    memcpy(&guest->tx->ring[guest->tx_produced++ % 256], &extra, sizeof(extra));
}

static bool turn(struct guest *guest)
{
    uint64_t deadline = UINT64_MAX;
    bool more;

    guest->tx->req_prod = guest->tx_produced;
    more = vif_turn(&guest->vif, &deadline);
    return more;
}

static int16_t answer(struct guest *guest, uint16_t *id)
{
    struct netif_tx_response *response = &guest->tx->ring[guest->tx_seen++ % 256].rsp;

    ck_assert_uint_le(guest->tx_seen - start_at, guest->tx->rsp_prod - start_at);
    if (id != NULL)
        *id = response->id;
    return response->status;
}

static struct netif_rx_response *received(struct guest *guest)
{
    ck_assert_uint_lt(guest->rx_seen - start_at, guest->rx->rsp_prod - start_at);
    return &guest->rx->ring[guest->rx_seen++ % 256].rsp;
}

static bool broken(const struct guest *guest)
{
    return guest->vif.broken[0] != '\0';
}

/* A packet in one slot: the bytes arrive, both ends are told, and it took two hypercalls. */
START_TEST(test_small)
{
    struct netif_tx_request *request = put(guests[0], 100, 1000, 0);
    struct netif_rx_response *response;
    uint16_t id;

    address(page_of(guests[0], request), 2, 1);
    post(guests[1], 8);
    ck_assert(!turn(guests[0]));
    ck_assert_int_eq(answer(guests[0], &id), NETIF_RSP_OKAY);
    ck_assert_uint_eq(id, 1000 + start_at % 256);
    response = received(guests[1]);
    ck_assert_int_eq(response->status, 1000);
    ck_assert_uint_eq(response->flags, 0);
    ck_assert_uint_eq(response->id, start_at % 256);
    ck_assert(!memcmp(fake_pages[1][start_at % 256].bytes, fake_pages[0][TX_PAGE + start_at % 256].bytes + 100, 1000));
    ck_assert_uint_eq(fake_notified[1], 1);
    ck_assert_uint_eq(fake_notified[6], 1);
    ck_assert_uint_eq(fake_copy_calls, 2);
    ck_assert_uint_eq(guests[1]->rx->rsp_prod, start_at + 1);
}
END_TEST

/* Room in front of each part, as a guest with a program at its interface asks: kept free in every page of a packet. */
START_TEST(test_headroom)
{
    struct netif_tx_request *request = put(guests[0], 0, 4096, NETTXF_more_data);
    uint8_t sent[4196], got[4196];
    struct netif_rx_response *response;

    guests[1]->vif.rx.headroom = RX_HEADROOM_MAX;
    guests[0]->vif.port.mtu = guests[1]->vif.port.mtu = 9000;
    address(page_of(guests[0], request), 2, 1);
    memcpy(sent, page_of(guests[0], request), 4096);
    memcpy(sent + 4096, page_of(guests[0], put(guests[0], 0, 100, 0)), 100);
    request->size = 4196;
    post(guests[1], 8);
    ck_assert(!turn(guests[0]));
    for (uint32_t part = 0, done = 0; part < 2; part++, done += (uint32_t)response->status) {
        response = received(guests[1]);
        ck_assert_int_eq(response->status, part == 0 ? 4096 - RX_HEADROOM_MAX : 100 + RX_HEADROOM_MAX);
        ck_assert_uint_eq(response->offset, RX_HEADROOM_MAX);
        memcpy(got + done, fake_pages[1][response->id].bytes + response->offset, (size_t)response->status);
    }
    ck_assert(!memcmp(sent, got, sizeof(sent)));
}
END_TEST

/* A large packet of many slots with segmentation still to do: in order, whole, and with its extra information. */
START_TEST(test_large)
{
    unsigned int first = guests[0]->tx_produced % 256, sum = 3000;
    struct netif_rx_response *response;
    struct netif_extra_info extra;
    struct netif_tx_request *request = put(guests[0], 5, 0, NETTXF_extra_info | NETTXF_more_data | NETTXF_csum_blank);
    static uint8_t sent[70000], got[70000];
    uint32_t done = 0;

    address(page_of(guests[0], request), 2, 1);
    memcpy(sent, page_of(guests[0], request), 3000);
    put_extra(guests[0], XEN_NETIF_EXTRA_TYPE_GSO, 0, 1448, XEN_NETIF_GSO_TYPE_TCPV4);
    for (unsigned int i = 0; i < 17; i++) {
        struct netif_tx_request *more = put(guests[0], (uint16_t)i, 3500, i < 16 ? NETTXF_more_data : 0);

        memcpy(sent + sum, page_of(guests[0], more), 3500);
        sum += 3500;
    }
    request->size = (uint16_t)sum;
    post(guests[1], 40);
    ck_assert(!turn(guests[0]));
    for (unsigned int i = 0; i < 19; i++)
        ck_assert_int_eq(answer(guests[0], NULL), i == 1 ? NETIF_RSP_NULL : NETIF_RSP_OKAY);
    response = received(guests[1]);
    ck_assert_uint_eq(response->flags,
                      NETRXF_csum_blank | NETRXF_data_validated | NETRXF_extra_info | NETRXF_more_data);
    memcpy(&extra, received(guests[1]), sizeof(extra));
    ck_assert_uint_eq(extra.u.gso.size, 1448);
    ck_assert_uint_eq(extra.type, XEN_NETIF_EXTRA_TYPE_GSO);
    for (;;) {
        memcpy(got + done, fake_pages[1][response->id].bytes, (size_t)response->status);
        done += (uint32_t)response->status;
        if (!(response->flags & NETRXF_more_data))
            break;
        response = received(guests[1]);
    }
    ck_assert_uint_eq(done, sum);
    ck_assert(!memcmp(sent, got, sum));
    ck_assert_uint_eq(fake_pages[0][TX_PAGE + first].granted, true);
}
END_TEST

/* What no working front end does ends the connection, with the reason, and what came before it is still answered. */
START_TEST(test_lies)
{
    static const char *const reasons[] = {"claims",       "page's end",   "page's end",     "more than 20",
                                          "ring ends",    "more bytes",   "is missing",     "unknown type",
                                          "unknown type", "size of zero", "unknown type 9", "slots of extra"};
    struct guest *guest = guests[0];

    address(page_of(guest, put(guest, 0, 60, 0)), 2, 1);
    post(guests[1], 4);
    switch (_i) {
    case 0:
        guest->tx_produced += 300;
        break;
    case 1:
        put(guest, 4090, 60, 0);
        break;
    case 2:
        put(guest, 0, 200, NETTXF_more_data);
        put(guest, 4090, 60, 0);
        break;
    case 3:
        for (unsigned int i = 0; i < 30; i++)
            put(guest, 0, i == 0 ? 3000 : 20, NETTXF_more_data);
        break;
    case 4:
        put(guest, 0, 200, NETTXF_more_data);
        break;
    case 5:
        put(guest, 0, 200, NETTXF_more_data);
        put(guest, 0, 300, 0);
        break;
    case 6:
        put(guest, 0, 200, NETTXF_extra_info);
        break;
    case 7:
    case 8:
        put(guest, 0, 200, NETTXF_extra_info);
        put_extra(guest, _i == 7 ? 0 : 77, 0, 0, 0);
        break;
    case 9:
    case 10:
        put(guest, 0, 200, NETTXF_extra_info);
        put_extra(guest, XEN_NETIF_EXTRA_TYPE_GSO, 0, _i == 9 ? 0 : 5, _i == 9 ? XEN_NETIF_GSO_TYPE_TCPV4 : 9);
        break;
    case 11:
        put(guest, 0, 200, NETTXF_extra_info);
        for (unsigned int i = 0; i < 100; i++)
            put_extra(guest, XEN_NETIF_EXTRA_TYPE_HASH, XEN_NETIF_EXTRA_FLAG_MORE, 0, 0);
        break;
    }
    ck_assert(!turn(guest));
    ck_assert(broken(guest));
    ck_assert_msg(strstr(guest->vif.broken, reasons[_i]) != NULL, "%s", guest->vif.broken);
    ck_assert(!broken(guests[1]));
    ck_assert_uint_eq(guests[1]->rx->rsp_prod - start_at, _i == 0 ? 0 : 1);
    ck_assert_uint_eq(guest->tx->rsp_prod - start_at, _i == 0 ? 0 : 1);
    ck_assert(!turn(guest)); /* nothing more happens */
}
END_TEST

/* What is wrong with one packet is that packet's end, and no more: each slot is answered. */
START_TEST(test_refusals)
{
    struct guest *guest = guests[0];
    struct netif_tx_request *request;
    unsigned int slots = 1;

    post(guests[1], 32);
    switch (_i) {
    case 0: /* a page that is not granted */
        request = put(guest, 0, 60, 0);
        request->gref = TX_PAGE + 299;
        break;
    case 1: /* shorter than a header */
        put(guest, 0, 13, 0);
        break;
    case 2: /* nothing at all */
        put(guest, 0, 0, 0);
        break;
    case 3: /* more slots than anybody has to take */
        request = put(guest, 0, 3000, NETTXF_more_data);
        address(page_of(guest, request), 2, 1);
        for (slots = 19; guest->tx_produced - start_at < 19;)
            put(guest, 0, 20, guest->tx_produced - start_at < 18 ? NETTXF_more_data : 0);
        break;
    case 4: /* a later page that is not granted */
        request = put(guest, 0, 1400, NETTXF_more_data);
        address(page_of(guest, request), 2, 1);
        request = put(guest, 0, 1000, 0);
        request->gref = 70000;
        slots = 2;
        break;
    }
    address(page_of(guest, put(guest, 0, 60, 0)), 2, 1);
    ck_assert(!turn(guest));
    ck_assert(!broken(guest));
    for (unsigned int i = 0; i < slots; i++)
        ck_assert_int_eq(answer(guest, NULL), NETIF_RSP_ERROR);
    ck_assert_int_eq(answer(guest, NULL), NETIF_RSP_OKAY);
    ck_assert(guest->vif.notice[0] != '\0');
    if (_i == 4) { /* the receiver gets zeros for it, and no error of its own */
        ck_assert_int_eq(received(guests[1])->status, 1400);
        ck_assert_uint_eq(fake_pages[1][start_at % 256].bytes[700], 0);
    }
    ck_assert_int_eq(received(guests[1])->status, 60);
    ck_assert_uint_eq(guests[1]->vif.rx.errors, 0);
}
END_TEST

/* A receiver that posts pages it did not grant, or claims to have posted thousands, harms itself alone. */
START_TEST(test_lying_receiver)
{
    if (_i == 0) {
        post(guests[1], 1);
        fake_pages[1][start_at % 256].writable = false;
    } else {
        guests[1]->rx->req_prod = start_at + (_i == 1 ? 257 : 0x80000000u);
    }
    for (unsigned int i = 0; i < 3; i++)
        address(page_of(guests[0], put(guests[0], 0, 600, 0)), 2, 1);
    ck_assert(!turn(guests[0]));
    ck_assert(!broken(guests[0]));
    for (unsigned int i = 0; i < 3; i++)
        ck_assert_int_eq(answer(guests[0], NULL), NETIF_RSP_OKAY);
    if (_i == 0) {
        ck_assert_int_eq(received(guests[1])->status, NETIF_RSP_ERROR);
        ck_assert_uint_eq(guests[1]->vif.rx.errors, 1);
    } else {
        ck_assert(!turn(guests[1]));
        ck_assert(broken(guests[1]));
    }
}
END_TEST

/* A receiver without pages: frames wait in bounded memory, are dropped beyond it and in the end, and it may come back. */
START_TEST(test_stall)
{
    uint64_t deadline = UINT64_MAX;

    guests[1]->vif.kicked = false;
    for (unsigned int round = 0; round < 30; round++) {
        for (unsigned int i = 0; i < 32; i++)
            address(page_of(guests[0], put(guests[0], 0, 1500, 0)), 2, 1);
        while (turn(guests[0]))
            ;
        guests[0]->tx_seen = guests[0]->tx->rsp_prod;
    }
    ck_assert(guests[1]->vif.kicked); /* so that somebody sets the alarm */
    ck_assert_uint_le(guests[1]->vif.rx.waiting_bytes, RX_QUEUE_BYTES);
    ck_assert_uint_gt(guests[1]->vif.rx.waiting_bytes, RX_QUEUE_BYTES - 1500 - sizeof(struct rx_waiting));
    ck_assert_uint_eq(guests[1]->vif.port.dropped + guests[1]->vif.port.delivered, 960);
    post(guests[1], 2);
    ck_assert(vif_wants_turn(&guests[1]->vif));
    ck_assert(!turn(guests[1]));
    ck_assert_int_eq(received(guests[1])->status, 1500);
    ck_assert_int_eq(received(guests[1])->status, 1500);
    ck_assert_uint_eq(guests[1]->rx->req_event, guests[1]->rx_produced + 1);
    fake_now_ns += RX_STALL_NS - 1;
    ck_assert(!vif_turn(&guests[1]->vif, &deadline));
    ck_assert_uint_eq(deadline, fake_now_ns + 1);
    fake_now_ns++;
    ck_assert(!vif_turn(&guests[1]->vif, &deadline));
    ck_assert_uint_eq(guests[1]->vif.rx.waiting_bytes, 0);
    address(page_of(guests[0], put(guests[0], 0, 1500, 0)), 2, 1); /* stalled: not even one waits */
    ck_assert(!turn(guests[0]));
    ck_assert_uint_eq(guests[1]->vif.rx.waiting_bytes, 0);
    post(guests[1], 4);
    address(page_of(guests[0], put(guests[0], 0, 1400, 0)), 2, 1);
    ck_assert(!turn(guests[0]));
    ck_assert_int_eq(received(guests[1])->status, 1400);
}
END_TEST

/* A small packet that becomes hundreds by segmentation is work for a whole turn, whatever its size says. */
START_TEST(test_many_segments)
{
    for (unsigned int i = 0; i < 32; i++) {
        address(page_of(guests[0], put(guests[0], 0, 300, NETTXF_extra_info)), 2, 1);
        put_extra(guests[0], XEN_NETIF_EXTRA_TYPE_GSO, 0, 1, XEN_NETIF_GSO_TYPE_TCPV4);
    }
    ck_assert(turn(guests[0]));
    ck_assert_uint_eq(guests[0]->tx->rsp_prod - start_at, 2);
    put(guests[0], 0, 300, 0);
    while (turn(guests[0]))
        ;
    ck_assert_uint_eq(guests[0]->tx->rsp_prod - start_at, 65);
}
END_TEST

/* The smallest of frames cost memory too, many times what they carry: it is memory that is bounded. */
START_TEST(test_stall_of_small_frames)
{
    struct rx *rx = &guests[1]->vif.rx;
    unsigned int count = 0;

    for (unsigned int round = 0; round < 1200; round++) {
        for (unsigned int i = 0; i < 32; i++)
            address(page_of(guests[0], put(guests[0], 0, 14, 0)), 2, 1);
        while (turn(guests[0]))
            ;
        guests[0]->tx_seen = guests[0]->tx->rsp_prod;
    }
    for (const struct rx_waiting *waiting = rx->first; waiting != NULL; waiting = waiting->next)
        count++;
    ck_assert_uint_gt(count, 0);
    ck_assert_uint_le(count * (sizeof(struct rx_waiting) + 14), RX_QUEUE_BYTES);
    vif_stop(&guests[1]->vif);
    ck_assert_uint_eq(rx->waiting_bytes, 0);
}
END_TEST

/* The rate: a burst of the credit's size, then only what time brings. */
START_TEST(test_rate)
{
    struct vif *vif = &guests[0]->vif;
    uint64_t deadline = UINT64_MAX;

    vif->rate_bytes = 3000;
    vif->rate_ns = 1000000;
    vif->credit = 3000;
    vif->credit_until_ns = fake_now_ns + vif->rate_ns;
    post(guests[1], 32);
    for (unsigned int i = 0; i < 10; i++)
        address(page_of(guests[0], put(guests[0], 0, 1000, 0)), 2, 1);
    guests[0]->tx->req_prod = guests[0]->tx_produced;
    ck_assert(!vif_turn(vif, &deadline));
    ck_assert_uint_eq(guests[1]->vif.port.delivered, 3);
    ck_assert_uint_eq(deadline, fake_now_ns + 1000000);
    ck_assert(vif_wants_turn(vif));
    fake_now_ns += 1000000;
    ck_assert(!vif_turn(vif, &deadline));
    ck_assert_uint_eq(guests[1]->vif.port.delivered, 6);
    fake_now_ns += 100000000; /* credit does not pile up */
    ck_assert(!vif_turn(vif, &deadline));
    ck_assert_uint_eq(guests[1]->vif.port.delivered, 9);
}
END_TEST

/* Groups: a guest that filters hears those it named; the requests that name them carry no data and are answered. */
START_TEST(test_groups)
{
    static const uint8_t group[6] = {0x33, 0x33, 0, 0, 0, 1};
    struct netif_extra_info extra = {.type = XEN_NETIF_EXTRA_TYPE_MCAST_ADD};

    guests[1]->vif.filters = true;
    post(guests[1], 8);
    for (unsigned int i = 0; i < 2; i++) {
        uint8_t *packet = page_of(guests[0], put(guests[0], 0, 60, 0));

        address(packet, 2, 1);
        memcpy(packet, group, 6);
        ck_assert(!turn(guests[0]));
        ck_assert_uint_eq(guests[1]->vif.port.delivered, i);
        put(guests[1], 0, 0, NETTXF_extra_info);
        memcpy(extra.u.mcast.addr, group, 6);
        memcpy(&guests[1]->tx->ring[guests[1]->tx_produced++ % 256], &extra, sizeof(extra));
        ck_assert(!turn(guests[1]));
        ck_assert_int_eq(answer(guests[1], NULL), NETIF_RSP_OKAY);
        ck_assert_int_eq(answer(guests[1], NULL), NETIF_RSP_NULL);
    }
}
END_TEST

/* Rubbish in the ring for a long time, the rest of it overwritten at will: the sanitizer looks, the neighbour lives. */
START_TEST(test_rubbish)
{
    uint32_t state = 0x9e3779b9u + (uint32_t)_i;

    for (unsigned int round = 0; round < 3000; round++) {
        for (unsigned int i = 64; i < 4096; i++) {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            guests[0]->tx_page[i] = (uint8_t)(i % 12 == 6 ? state & 15 : i % 12 == 11 ? state & 1 : state);
        }
        for (unsigned int i = 0; i < 256; i++) /* most pages exist */
            guests[0]->tx->ring[i].req.gref = TX_PAGE + (guests[0]->tx->ring[i].req.gref % 400);
        fake_pages[0][TX_PAGE + state % 300].granted = true;
        guests[0]->tx_produced = guests[0]->vif.tx.req_cons + state % 200;
        while (turn(guests[0]))
            ;
        post(guests[1], state % 9);
        (void)turn(guests[1]);
        guests[1]->rx_produced = guests[1]->rx->req_prod = guests[1]->rx->rsp_prod; /* takes back what is left */
        ck_assert(!broken(guests[1]));
        if (broken(guests[0])) { /* it comes back */
            vif_stop(&guests[0]->vif);
            guests[0]->vif.tx.rsp_prod_pvt = guests[0]->vif.tx.req_cons;
            vif_start(&guests[0]->vif);
        }
        guests[1]->vif.rx.ring.req_cons = guests[1]->vif.rx.ring.rsp_prod_pvt;
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("netrings");
    TCase *tests = tcase_create("netrings");

    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_small);
    tcase_add_test(tests, test_headroom);
    tcase_add_test(tests, test_large);
    tcase_add_loop_test(tests, test_lies, 0, 12);
    tcase_add_loop_test(tests, test_refusals, 0, 5);
    tcase_add_loop_test(tests, test_lying_receiver, 0, 3);
    tcase_add_test(tests, test_stall);
    tcase_add_test(tests, test_many_segments);
    tcase_add_test(tests, test_stall_of_small_frames);
    tcase_add_test(tests, test_rate);
    tcase_add_test(tests, test_groups);
    tcase_add_loop_test(tests, test_rubbish, 0, 3);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
