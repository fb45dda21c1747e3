/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A front end that lies to the network backend: in its nodes, its indices, its slots and its grants. For each lie it
 * connects anew, and checks that it is cut off, or that the packet is answered as an error, and that the backend lets
 * go of its pages. The last connection is honest and must work: nothing of the lies may be left.
 */
#include <stdio.h>
#include <string.h>

#include <abi/io/netif.h>
#include <pv/event.h>
#include <pv/grant.h>
#include <pv/paging.h>
#include <pv/threads.h>
#include <pv/time.h>

#include "guest-pv/devices/front.h"
#include "tests/guests/check.h"

#define SECOND_NS  1000000000ull
#define PATIENCE   (10 * SECOND_NS)
#define SLOTS      256u
#define BAD_GREF   0x7fffffffu
#define FRAME_SIZE 60u

static struct front_device device;
static struct front_ring tx_page, rx_page, data;
static struct netif_tx_sring *tx;
static struct netif_rx_sring *rx;
static int port;
static RING_IDX produced;

/* What a lie leads to. */
enum outcome { CUT_OFF, ANSWERED_BAD, ANSWERED_WELL };

struct lie {
    const char *name;
    void (*tell)(void);
    enum outcome outcome;
};

static struct netif_tx_request *put(uint32_t gref, uint16_t offset, uint16_t size, uint16_t flags)
{
    struct netif_tx_request *request = &tx->ring[produced % SLOTS].req;

    *request = (struct netif_tx_request){
        .gref = gref, .offset = offset, .flags = flags, .id = (uint16_t)produced, .size = size};
    produced++;
    return request;
}

static void put_extra(uint8_t type, uint8_t flags, uint16_t size, uint8_t gso)
{
    struct netif_extra_info extra = {.type = type, .flags = flags};

    extra.u.gso.size = size;
    extra.u.gso.type = gso;
    memcpy(&tx->ring[produced++ % SLOTS], &extra, sizeof(extra));
}

static void index_far_ahead(void)
{
    produced += 1000;
}

static void index_wrapped(void)
{
    produced -= 5;
}

static void page_crossed(void)
{
    put(data.gref, 4090, FRAME_SIZE, 0);
}

static void offset_outside(void)
{
    put(data.gref, 0xffff, 0xffff, 0);
}

static void bad_reference(void)
{
    put(BAD_GREF, 0, FRAME_SIZE, 0);
}

static void own_ring_as_data(void)
{
    put(rx_page.gref, 0, FRAME_SIZE, 0); /* silly, but the page is granted */
}

static void bad_reference_later(void)
{
    put(data.gref, 0, 1000, NETTXF_more_data);
    put(BAD_GREF, 0, 500, 0);
}

static void empty(void)
{
    put(data.gref, 0, 0, 0);
}

static void tiny(void)
{
    put(data.gref, 0, 13, 0);
}

static void chain_without_end(void)
{
    for (unsigned int i = 0; i < 200; i++)
        put(data.gref, 0, i == 0 ? 4000 : 1, NETTXF_more_data);
}

static void chain_broken_off(void)
{
    put(data.gref, 0, 200, NETTXF_more_data);
}

static void nineteen_slots(void)
{
    for (unsigned int i = 0; i < 19; i++)
        put(data.gref, 0, i == 0 ? 1000 : 10, i < 18 ? NETTXF_more_data : 0);
}

static void pieces_beyond_whole(void)
{
    put(data.gref, 0, 100, NETTXF_more_data);
    put(data.gref, 0, 200, 0);
}

static void extra_missing(void)
{
    put(data.gref, 0, FRAME_SIZE, NETTXF_extra_info);
}

static void extra_for_ever(void)
{
    put(data.gref, 0, FRAME_SIZE, NETTXF_extra_info);
    for (unsigned int i = 0; i < 200; i++)
        put_extra(XEN_NETIF_EXTRA_TYPE_GSO, XEN_NETIF_EXTRA_FLAG_MORE, 1000, XEN_NETIF_GSO_TYPE_TCPV4);
}

static void extra_unknown(void)
{
    put(data.gref, 0, FRAME_SIZE, NETTXF_extra_info);
    put_extra(200, 0, 0, 0);
}

static void segments_of_nothing(void)
{
    put(data.gref, 0, FRAME_SIZE, NETTXF_extra_info);
    put_extra(XEN_NETIF_EXTRA_TYPE_GSO, 0, 0, XEN_NETIF_GSO_TYPE_TCPV4);
}

static void segments_of_one_byte(void)
{
    uint8_t *frame = data.page;

    memcpy(frame + 12, (const uint8_t[]){8, 0, 0x45, 0, 0x0f, 0x00, 0, 0, 0, 0, 64, 6}, 12);
    frame[46] = 5 << 4;
    put(data.gref, 0, 3854, NETTXF_extra_info | NETTXF_csum_blank);
    put_extra(XEN_NETIF_EXTRA_TYPE_GSO, 0, 1, XEN_NETIF_GSO_TYPE_TCPV4);
}

static void checksum_of_no_packet(void)
{
    put(data.gref, 0, 1000, NETTXF_csum_blank);
}

static void addresses_sprayed(void)
{
    uint8_t *frame = data.page;

    for (unsigned int i = 0; i < 200; i++) { /* all from one page: what is read is what it holds just then */
        frame[11] = (uint8_t)i;
        put(data.gref, 0, FRAME_SIZE, 0);
    }
}

static void groups_without_number(void)
{
    for (unsigned int i = 0; i < 70; i++) {
        put(data.gref, 0, 0, NETTXF_extra_info);
        put_extra(XEN_NETIF_EXTRA_TYPE_MCAST_ADD, 0, (uint16_t)i, 0);
    }
}

static void answers_overwritten(void)
{
    tx->rsp_prod = 0x12345678;
    tx->rsp_event = 0x12345678;
    tx->req_event = 0x12345678;
    memset(tx->ring, 0xff, SLOTS * sizeof(tx->ring[0]));
    put(data.gref, 0, FRAME_SIZE, 0);
}

/* Receiving: the neighbour's answer to an ARP request meets these. */
static void ask_neighbour(void)
{
    static const uint8_t request[] = {0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1};
    uint8_t *frame = data.page;

    memcpy(frame + 12, request, sizeof(request));
    memcpy(frame + 22, frame + 6, 6);
    memcpy(frame + 28, (const uint8_t[]){10, 0, 0, 99}, 4);
    memset(frame + 32, 0, 6);
    memcpy(frame + 38, (const uint8_t[]){10, 0, 0, 10}, 4);
    put(data.gref, 0, FRAME_SIZE, 0);
}

static void receive_index_far_ahead(void)
{
    rx->req_prod = 5000;
    ask_neighbour();
}

static void receive_into_nothing(void)
{
    for (unsigned int i = 0; i < SLOTS; i++)
        rx->ring[i].req = (struct netif_rx_request){.id = 0xffff, .gref = BAD_GREF};
    rx->req_prod = SLOTS;
    ask_neighbour();
}

static const struct lie lies[] = {
    {"an index far ahead", index_far_ahead, CUT_OFF},
    {"an index that went back", index_wrapped, CUT_OFF},
    {"a piece that crosses its page", page_crossed, CUT_OFF},
    {"an offset outside the page", offset_outside, CUT_OFF},
    {"a reference to nothing", bad_reference, ANSWERED_BAD},
    {"its own ring as data", own_ring_as_data, ANSWERED_WELL},
    {"a reference to nothing in a later slot", bad_reference_later, ANSWERED_BAD},
    {"a packet of no bytes", empty, ANSWERED_BAD},
    {"a packet shorter than its header", tiny, ANSWERED_BAD},
    {"a chain without end", chain_without_end, CUT_OFF},
    {"a chain broken off", chain_broken_off, CUT_OFF},
    {"nineteen slots", nineteen_slots, ANSWERED_BAD},
    {"pieces with more bytes than the whole", pieces_beyond_whole, CUT_OFF},
    {"extra information that is missing", extra_missing, CUT_OFF},
    {"extra information without end", extra_for_ever, CUT_OFF},
    {"extra information of unknown type", extra_unknown, CUT_OFF},
    {"segments of no bytes", segments_of_nothing, CUT_OFF},
    {"segments of one byte", segments_of_one_byte, ANSWERED_WELL},
    {"a checksum for what is no packet", checksum_of_no_packet, ANSWERED_WELL},
    {"a hundred addresses", addresses_sprayed, ANSWERED_WELL},
    {"more groups than there is room for", groups_without_number, ANSWERED_BAD},
    {"answers overwritten", answers_overwritten, ANSWERED_WELL},
    {"a receive index far ahead", receive_index_far_ahead, CUT_OFF},
    {"received frames into nothing", receive_into_nothing, ANSWERED_WELL},
};

static void rung(evtchn_port_t unused, void *argument)
{
}

static bool publish(uint32_t tx_ref, uint32_t rx_ref, unsigned int queues)
{
    const struct {
        const char *node;
        unsigned int value;
    } nodes[] = {
        {"tx-ring-ref", tx_ref},
        {"rx-ring-ref", rx_ref},
        {"event-channel", (unsigned int)port},
        {"request-rx-copy", 1},
        {"feature-sg", 1},
        {"feature-rx-notify", 1},
        {"feature-gso-tcpv4", 1},
        {"request-multicast-control", 1},
        {"multi-queue-num-queues", queues},
    };

    for (unsigned int i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
        if (xenbus_printf(device.xs, device.front, nodes[i].node, "%u", nodes[i].value) != 0)
            return false;
    return true;
}

static void prepare(void)
{
    static const uint8_t start[14] = {255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0x66, 0, 0x88, 0xb5};

    memset(tx_page.page, 0, PAGE_SIZE);
    memset(rx_page.page, 0, PAGE_SIZE);
    memset(data.page, 0, PAGE_SIZE);
    memcpy(data.page, start, sizeof(start));
    tx = tx_page.page;
    rx = rx_page.page;
    SHARED_RING_INIT(tx);
    SHARED_RING_INIT(rx);
    produced = 0;
}

static bool connect_with(uint32_t tx_ref, uint32_t rx_ref, unsigned int queues, bool good_port)
{
    uint64_t deadline = time_monotonic_ns() + PATIENCE;

    prepare();
    if (port > 0)
        (void)event_close((evtchn_port_t)port);
    port = event_alloc_unbound(device.backend, rung, NULL);
    if (port <= 0 || front_wait_backend(&device, deadline) != 0 || !publish(tx_ref, rx_ref, queues))
        return false;
    if (!good_port && xenbus_printf(device.xs, device.front, "event-channel", "%u", 4000) != 0)
        return false;
    return front_connect(&device, deadline) == 0;
}

static bool is_closed(void)
{
    return xenbus_wait_state(device.xs, device.back, XenbusStateClosed, time_monotonic_ns() + PATIENCE) ==
           XenbusStateClosed;
}

/* Every slot was answered with this status, or not at all with data. */
static bool answered(RING_IDX end, bool well)
{
    volatile struct netif_tx_sring *ring = tx;
    uint64_t deadline = time_monotonic_ns() + PATIENCE;
    int16_t last = NETIF_RSP_NULL;

    while (ring->rsp_prod != end && time_monotonic_ns() < deadline)
        thread_sleep_ns(1000000);
    if (ring->rsp_prod != end)
        return false;
    for (RING_IDX i = 0; i < end; i++)
        if (tx->ring[i % SLOTS].rsp.status != NETIF_RSP_NULL)
            last = tx->ring[i % SLOTS].rsp.status;
    return last == (well ? NETIF_RSP_OKAY : NETIF_RSP_ERROR);
}

static void push(void)
{
    __sync_synchronize();
    tx->req_prod = produced;
    (void)event_notify((evtchn_port_t)port);
}

static bool in_use(grant_ref_t gref)
{
    return (grant_table(NULL)[gref].flags & (GTF_reading | GTF_writing)) != 0;
}

static void tell(const struct lie *lie)
{
    bool good;

    check_group(lie->name);
    if (!CHECK(connect_with(tx_page.gref, rx_page.gref, 1, true), "a front end that lied before may connect again"))
        return;
    lie->tell();
    push();
    if (lie->outcome == CUT_OFF) {
        CHECK(is_closed(), "it is cut off");
    } else {
        good = answered(produced, lie->outcome == ANSWERED_WELL);
        CHECK(good, "each slot is answered, as an error or not");
        CHECK_EQ(xenbus_read_state(device.xs, device.back), XenbusStateConnected, "and the connection stays");
        (void)xenbus_switch_state(device.xs, device.front, XenbusStateClosed);
        CHECK(is_closed(), "it closes when asked");
    }
    CHECK(!in_use(data.gref) && !in_use(tx_page.gref) && !in_use(rx_page.gref), "the backend holds no page of ours");
}

static void lie_in_nodes(void)
{
    check_group("nodes");
    CHECK(!connect_with(BAD_GREF, rx_page.gref, 1, true), "a transmit ring that is not granted is refused");
    CHECK(!connect_with(tx_page.gref, BAD_GREF, 1, true), "a receive ring that is not granted is refused");
    CHECK(!connect_with(tx_page.gref, rx_page.gref, 1, false), "a port that does not exist is refused");
    CHECK(!connect_with(tx_page.gref, rx_page.gref, 2, true), "two queues are refused");
    CHECK(!connect_with(tx_page.gref, rx_page.gref, 0, true), "no queue is refused");
}

static void be_honest(void)
{
    static struct front_ring pages[8];
    volatile struct netif_rx_sring *ring;
    uint64_t deadline = time_monotonic_ns() + PATIENCE;

    check_group("at last the truth");
    if (!CHECK(connect_with(tx_page.gref, rx_page.gref, 1, true), "it connects"))
        return;
    for (unsigned int i = 0; i < 8; i++) {
        CHECK_EQ(front_lend_ring(&device, &pages[i]), 0, "a page to receive into");
        rx->ring[i].req = (struct netif_rx_request){.id = (uint16_t)i, .gref = pages[i].gref};
    }
    rx->req_prod = 8;
    memcpy((uint8_t *)data.page + 6, (const uint8_t[]){2, 0, 0, 0, 0x66, 1}, 6);
    ask_neighbour();
    push();
    CHECK(answered(1, true), "a packet is sent");
    ring = rx;
    while (ring->rsp_prod == 0 && time_monotonic_ns() < deadline)
        thread_sleep_ns(1000000);
    CHECK(ring->rsp_prod > 0, "the neighbour's answer arrives");
    CHECK(memcmp((uint8_t *)pages[0].page + 12, (const uint8_t[]){8, 6}, 2) == 0, "and is one");
}

int main(int argc, char **argv)
{
    int status = front_find(&device, "vif", 0);

    if (!CHECK_EQ(status, 0, "there is an interface"))
        return check_summary("netfront");
    CHECK_EQ(front_lend_ring(&device, &tx_page), 0, "a page for the transmit ring");
    CHECK_EQ(front_lend_ring(&device, &rx_page), 0, "a page for the receive ring");
    CHECK_EQ(front_lend_ring(&device, &data), 0, "a page for data");
    lie_in_nodes();
    for (unsigned int i = 0; i < sizeof(lies) / sizeof(lies[0]); i++)
        tell(&lies[i]);
    be_honest();
    return check_summary("netfront");
}
