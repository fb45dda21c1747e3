/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Front end of the network protocol: a page and a grant for each slot of both rings, made once. A frame is copied into
 * its slot's page on the way out and out of it on the way in. The other end's answers are checked: one that names no
 * slot of ours, claims more bytes than a page, or answers what was not asked, ends all use of the interface.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <abi/io/netif.h>
#include <pv/grant.h>
#include <pv/netfront.h>
#include <pv/paging.h>
#include <pv/threads.h>
#include <pv/time.h>
#include "front.h"

#define TX_SLOTS     __CONST_RING_SIZE(netif_tx, PAGE_SIZE)
#define RX_SLOTS     __CONST_RING_SIZE(netif_rx, PAGE_SIZE)

#define TYPE_ARP     0x0806
#define TYPE_RARP    0x8035
#define ARP_REQUEST  1
#define RARP_REQUEST 3

struct buffer {
    uint8_t *page;
    grant_ref_t gref;
    bool in_use;    /* the other end has it, or will have it once it is there again */
    uint16_t bytes; /* on the way out */
    bool sent;
};

struct netfront {
    struct front_device device;
    struct front_ring tx_page, rx_page;
    netif_tx_front_ring_t tx;
    netif_rx_front_ring_t rx;
    evtchn_port_t port;
    struct waitq waitq; /* an event came */
    bool broken;
    bool moved, has_ip;
    uint8_t mac[6], ip[4];
    struct buffer tx_buffers[TX_SLOTS], rx_buffers[RX_SLOTS];
};

static void rung(evtchn_port_t port, void *data)
{
    (void)port;
    waitq_wake(&((struct netfront *)data)->waitq);
}

static int fill_buffers(struct netfront *net, struct buffer *buffers, unsigned int count, bool readonly)
{
    for (unsigned int i = 0; i < count; i++) {
        int gref;

        buffers[i].page = pages_alloc(1);
        if (buffers[i].page == NULL)
            return -ENOMEM;
        gref = grant_access(net->device.backend, virt_to_mfn(buffers[i].page), readonly);
        if (gref < 0) {
            pages_free(buffers[i].page, 1);
            buffers[i].page = NULL;
            return gref;
        }
        buffers[i].gref = (grant_ref_t)gref;
    }
    return 0;
}

/* A page that the other end still has mapped stays lent. */
static void empty_buffers(struct buffer *buffers, unsigned int count)
{
    for (unsigned int i = 0; i < count; i++)
        if (buffers[i].page != NULL && grant_end_access(buffers[i].gref) == 0)
            pages_free(buffers[i].page, 1);
}

static void take_tx_answers(struct netfront *net)
{
    RING_IDX end = *(volatile RING_IDX *)&net->tx.sring->rsp_prod;

    xen_rmb();
    if (end - net->tx.rsp_cons > net->tx.req_prod_pvt - net->tx.rsp_cons) {
        net->broken = true;
        return;
    }
    while (net->tx.rsp_cons != end) {
        struct netif_tx_response answer;

        RING_COPY_RESPONSE(&net->tx, net->tx.rsp_cons, &answer);
        net->tx.rsp_cons++;
        if (answer.id >= TX_SLOTS || !net->tx_buffers[answer.id].in_use || !net->tx_buffers[answer.id].sent) {
            net->broken = true;
            return;
        }
        net->tx_buffers[answer.id].in_use = false;
    }
}

static struct buffer *free_tx_buffer(struct netfront *net)
{
    int more;

    do {
        take_tx_answers(net);
        for (unsigned int i = 0; i < TX_SLOTS; i++)
            if (!net->tx_buffers[i].in_use)
                return &net->tx_buffers[i];
        RING_FINAL_CHECK_FOR_RESPONSES(&net->tx, more);
    } while (more && !net->broken);
    return NULL;
}

static void push_frame(struct netfront *net, struct buffer *buffer)
{
    int notify;

    buffer->sent = !net->device.away;
    if (!buffer->sent)
        return;
    *RING_GET_REQUEST(&net->tx, net->tx.req_prod_pvt) = (struct netif_tx_request){
        .gref = buffer->gref,
        .id = (uint16_t)(buffer - net->tx_buffers),
        .size = buffer->bytes,
    };
    net->tx.req_prod_pvt++;
    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&net->tx, notify);
    if (notify)
        (void)event_notify(net->port);
}

int netfront_send(struct netfront *net, const void *frame, size_t bytes)
{
    struct buffer *buffer = NULL;

    if (bytes == 0 || bytes > NETFRONT_FRAME_MAX)
        return -EMSGSIZE;
    wait_event(&net->waitq, net->broken || (buffer = free_tx_buffer(net)) != NULL || net->broken);
    if (net->broken)
        return -EPROTO;
    memcpy(buffer->page, frame, bytes);
    buffer->in_use = true;
    buffer->bytes = (uint16_t)bytes;
    push_frame(net, buffer);
    return 0;
}

/* Offers a buffer for an incoming frame. */
static void offer(struct netfront *net, unsigned int id)
{
    int notify;

    net->rx_buffers[id].in_use = true;
    net->rx_buffers[id].sent = !net->device.away;
    if (!net->rx_buffers[id].sent)
        return;
    *RING_GET_REQUEST(&net->rx, net->rx.req_prod_pvt) =
        (struct netif_rx_request){.id = (uint16_t)id, .gref = net->rx_buffers[id].gref};
    net->rx.req_prod_pvt++;
    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&net->rx, notify);
    if (notify)
        (void)event_notify(net->port);
}

static bool arrived(struct netfront *net)
{
    int more;

    RING_FINAL_CHECK_FOR_RESPONSES(&net->rx, more);
    return more;
}

/* One answer of the receive ring into the frame; the bytes, 0 for one that carries no frame, -EPROTO. */
static ssize_t take_rx_answer(struct netfront *net, void *frame, size_t size)
{
    struct netif_rx_response answer;
    size_t bytes = 0;

    RING_COPY_RESPONSE(&net->rx, net->rx.rsp_cons, &answer);
    if (net->rx.rsp_cons == net->rx.req_prod_pvt || answer.id >= RX_SLOTS || !net->rx_buffers[answer.id].in_use ||
        !net->rx_buffers[answer.id].sent || answer.offset > PAGE_SIZE ||
        (answer.status > 0 && (size_t)answer.status > PAGE_SIZE - answer.offset)) {
        net->broken = true;
        return -EPROTO;
    }
    net->rx.rsp_cons++;
    net->rx_buffers[answer.id].in_use = false;
    if (answer.status > 0 && !(answer.flags & (NETRXF_extra_info | NETRXF_more_data))) {
        bytes = (size_t)answer.status < size ? (size_t)answer.status : size;
        memcpy(frame, net->rx_buffers[answer.id].page + answer.offset, bytes);
    }
    offer(net, answer.id);
    return (ssize_t)bytes;
}

ssize_t netfront_receive(struct netfront *net, void *frame, size_t size, uint64_t deadline_ns)
{
    for (;;) {
        ssize_t bytes;

        if (!wait_event_until(&net->waitq, net->broken || arrived(net), deadline_ns))
            return 0;
        if (net->broken)
            return -EPROTO;
        bytes = take_rx_answer(net, frame, size);
        if (bytes != 0)
            return bytes;
    }
}

const uint8_t *netfront_mac(const struct netfront *net)
{
    return net->mac;
}

static int read_mac(struct netfront *net)
{
    char path[96], *text, *at, *end;
    int rc = 0;

    snprintf(path, sizeof(path), "%s/mac", net->device.front);
    at = text = xs_read(net->device.xs, XBT_NULL, path, NULL);
    if (text == NULL)
        return -EPROTO;
    for (unsigned int i = 0; i < 6 && rc == 0; i++, at = end + 1) {
        unsigned long byte = strtoul(at, &end, 16);

        if (end != at + 2 || byte > 0xff || *end != (i < 5 ? ':' : '\0'))
            rc = -EPROTO;
        else
            net->mac[i] = (uint8_t)byte;
    }
    free(text);
    return rc;
}

static int publish(struct netfront *net)
{
    const struct front_device *device = &net->device;
    const struct {
        const char *node;
        unsigned int value;
    } nodes[] = {
        {"tx-ring-ref", net->tx_page.gref}, {"rx-ring-ref", net->rx_page.gref},
        {"event-channel", net->port},       {"request-rx-copy", 1},
        {"feature-rx-notify", 1},           {"feature-no-csum-offload", 1},
    };

    for (unsigned int i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
        int rc = xenbus_printf(device->xs, device->front, nodes[i].node, "%u", nodes[i].value);

        if (rc != 0)
            return rc;
    }
    return 0;
}

/* Pages are lent already; what is on the rings is of another connection. */
static int connect_rings(struct netfront *net, uint64_t deadline_ns)
{
    int rc;

    XEN_FRONT_RING_INIT(&net->tx, (struct netif_tx_sring *)net->tx_page.page, PAGE_SIZE);
    XEN_FRONT_RING_INIT(&net->rx, (struct netif_rx_sring *)net->rx_page.page, PAGE_SIZE);
    rc = event_alloc_unbound(net->device.backend, rung, net);
    if (rc < 0)
        return rc;
    net->port = (evtchn_port_t)rc;
    rc = publish(net);
    return rc == 0 ? front_connect(&net->device, deadline_ns) : rc;
}

static int set_up(struct netfront *net)
{
    int rc = front_lend_ring(&net->device, &net->tx_page);

    if (rc == 0)
        rc = front_lend_ring(&net->device, &net->rx_page);
    if (rc == 0)
        rc = fill_buffers(net, net->tx_buffers, TX_SLOTS, true);
    if (rc == 0)
        rc = fill_buffers(net, net->rx_buffers, RX_SLOTS, false);
    return rc;
}

static int connect(struct netfront *net, uint64_t deadline_ns)
{
    int rc = front_wait_backend(&net->device, deadline_ns);

    if (rc == 0)
        rc = read_mac(net);
    if (rc == 0)
        rc = set_up(net);
    if (rc == 0)
        rc = connect_rings(net, deadline_ns);
    for (unsigned int i = 0; i < RX_SLOTS && rc == 0; i++)
        offer(net, i);
    return rc;
}

static void put16(uint8_t *at, unsigned int value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/* To everybody: this address is here now. Without an IP address, a reverse request, which switches learn from too. */
static void announce(struct netfront *net)
{
    static const uint8_t ethernet_ipv4[6] = {0, 1, 8, 0, 6, 4};
    uint8_t out[60] = {0};

    memset(out, 0xff, 6);
    memcpy(out + 6, net->mac, 6);
    put16(out + 12, net->has_ip ? TYPE_ARP : TYPE_RARP);
    memcpy(out + 14, ethernet_ipv4, 6);
    put16(out + 20, net->has_ip ? ARP_REQUEST : RARP_REQUEST);
    memcpy(out + 22, net->mac, 6);
    memcpy(out + 28, net->ip, 4);
    if (!net->has_ip)
        memcpy(out + 32, net->mac, 6);
    memcpy(out + 38, net->ip, 4);
    (void)netfront_send(net, out, sizeof(out));
}

void netfront_set_ip(struct netfront *net, const uint8_t ip[4])
{
    memcpy(net->ip, ip, sizeof(net->ip));
    net->has_ip = true;
}

static int reconnect(void *own, uint64_t deadline_ns)
{
    struct netfront *net = own;
    int rc = front_wait_backend(&net->device, deadline_ns);

    for (unsigned int i = 0; i < TX_SLOTS; i++)
        net->tx_buffers[i].sent = false;
    for (unsigned int i = 0; i < RX_SLOTS; i++)
        net->rx_buffers[i].sent = false;
    net->port = 0;
    if (rc == 0)
        rc = connect_rings(net, deadline_ns);
    net->moved = true;
    return rc;
}

/* Frames whose answer never came go out again; the network forgives a second copy, not a lost buffer. */
static void go_on(void *own)
{
    struct netfront *net = own;

    for (unsigned int i = 0; i < RX_SLOTS; i++)
        if (net->rx_buffers[i].in_use && !net->rx_buffers[i].sent)
            offer(net, i);
    for (unsigned int i = 0; i < TX_SLOTS; i++)
        if (net->tx_buffers[i].in_use && !net->tx_buffers[i].sent)
            push_frame(net, &net->tx_buffers[i]);
    waitq_wake(&net->waitq);
    if (net->moved)
        announce(net);
    net->moved = false;
}

static void give_up(void *own)
{
    struct netfront *net = own;

    net->broken = true;
    waitq_wake(&net->waitq);
}

static const struct front_moves moves = {.reconnect = reconnect, .go_on = go_on, .give_up = give_up};

void netfront_close(struct netfront *net)
{
    front_close(&net->device);
    if (net->port != 0)
        (void)event_close(net->port);
    empty_buffers(net->tx_buffers, TX_SLOTS);
    empty_buffers(net->rx_buffers, RX_SLOTS);
    front_take_back_ring(&net->tx_page);
    front_take_back_ring(&net->rx_page);
    free(net);
}

struct netfront *netfront_open(unsigned int number, uint64_t deadline_ns)
{
    struct netfront *net = calloc(1, sizeof(*net));
    int rc;

    if (net == NULL)
        return NULL;
    rc = front_find(&net->device, "vif", number);
    if (rc != 0) {
        free(net);
        errno = -rc;
        return NULL;
    }
    rc = connect(net, deadline_ns);
    if (rc == 0) {
        front_follow_moves(&net->device, &moves, net);
        return net;
    }
    netfront_close(net);
    errno = -rc;
    return NULL;
}
