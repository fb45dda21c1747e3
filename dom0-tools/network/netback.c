/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The network backend: parameters and features through the store, rings mapped and ports bound when a guest is ready,
 * and the one thread that serves all interfaces, each in its turn. The store's callbacks run in the backend thread,
 * which never runs while the network thread is in the middle of a turn.
 */
#include "netback.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pv/event.h>
#include <pv/grant.h>
#include <pv/paging.h>
#include <pv/threads.h>
#include <pv/time.h>

#include "dom0-tools/devices/backend.h"
#include "dom0-tools/xenstored/start.h"
#include "vif.h"

#define RATE_INTERVAL_MAX_US 60000000u

static struct vif *vifs;
static struct waitq wake;
static volatile bool woken;
static struct xs_handle *filter_store; /* for the watches on who filters groups */

static void report(const struct vif *vif, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void report(const struct vif *vif, const char *format, ...)
{
    const struct backend_device *device = vif->device;
    char who[48];
    va_list args;

    snprintf(who, sizeof(who), "vif %u of domain %u", device->id, device->domid);
    va_start(args, format);
    daemon_vlog(who, format, args);
    va_end(args);
}

static void wake_network(void)
{
    woken = true;
    waitq_wake(&wake);
}

static void on_signal(evtchn_port_t port, void *data)
{
    ((struct vif *)data)->kicked = true;
    wake_network();
}

static bool read_address(const struct backend_device *device, uint8_t address[6])
{
    char *text = backend_read(device, false, "mac");
    unsigned int byte[6];
    bool good = text != NULL && sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x", &byte[0], &byte[1], &byte[2], &byte[3],
                                       &byte[4], &byte[5]) == 6;

    for (unsigned int i = 0; good && i < 6; i++)
        address[i] = (uint8_t)byte[i];
    free(text);
    return good && (address[0] & 1) == 0;
}

static void read_name(const struct backend_device *device, const char *node, char *to, size_t size)
{
    char *text = backend_read(device, false, node);

    if (text != NULL && text[0] != '\0')
        snprintf(to, size, "%s", text);
    free(text);
}

/* "BYTES,MICROSECONDS"; the toolstack's, but an absurd one would stop the interface for ever. */
static void read_rate(const struct backend_device *device, struct vif *vif)
{
    char *text = backend_read(device, false, "rate");
    unsigned long long bytes;
    unsigned int interval;

    if (text != NULL && sscanf(text, "%llu,%u", &bytes, &interval) == 2 && bytes > 0 && bytes < UINT32_MAX &&
        interval > 0 && interval <= RATE_INTERVAL_MAX_US) {
        vif->rate_bytes = bytes;
        vif->rate_ns = interval * 1000ull;
    }
    free(text);
}

static bool write_features(const struct backend_device *device)
{
    static const struct {
        const char *node;
        unsigned int value;
    } features[] = {
        {"feature-sg", 1},
        {"feature-gso-tcpv4", 1},
        {"feature-gso-tcpv6", 1},
        {"feature-ipv6-csum-offload", 1},
        {"feature-rx-copy", 1},
        {"feature-rx-flip", 0},
        {"feature-xdp-headroom", 1},
        {"feature-multicast-control", 1},
        {"feature-dynamic-multicast-control", 1},
        {"feature-split-event-channels", 1},
        {"multi-queue-max-queues", 1},
    };

    for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
        if (!backend_write(device, features[i].node, "%u", features[i].value))
            return false;
    return true;
}

static int create(struct backend_device *device)
{
    struct vif *vif = calloc(1, sizeof(*vif));
    uint64_t mtu;

    if (vif == NULL)
        return -ENOMEM;
    vif->device = device;
    vif->domid = device->domid;
    vif->wake = wake_network;
    snprintf(vif->port.name, sizeof(vif->port.name), "vif%u.%u", device->domid, device->id);
    read_name(device, "vifname", vif->port.name, sizeof(vif->port.name));
    read_name(device, "bridge", vif->port.bridge, sizeof(vif->port.bridge));
    read_rate(device, vif);
    if (backend_read_number(device, false, "mtu", &mtu) && mtu <= SWITCH_MTU_MAX)
        vif->port.mtu = (uint16_t)mtu;
    if (!read_address(device, vif->port.address) || !write_features(device)) {
        backend_error(device, EINVAL, "its address is not readable or its features could not be written");
        free(vif);
        return -EINVAL;
    }
    vif_init(vif);
    vif->port.claims = true;
    switch_attach(&vif->port);
    vif->mtu = vif->port.mtu;
    vif->next = vifs;
    vifs = vif;
    device->own = vif;
    return 0;
}

static bool front_says(struct backend_device *device, const char *node)
{
    uint64_t number;

    return backend_read_number(device, true, node, &number) && number != 0;
}

/* Whether it filters groups may change at any time: a watch on that node alone, whose token names the port. */
static void watch_filter(struct backend_device *device, bool on)
{
    struct vif *vif = device->own;
    char path[160], token[16];

    if (filter_store == NULL || vif->watched == on)
        return;
    snprintf(path, sizeof(path), "%s/request-multicast-control", device->front);
    snprintf(token, sizeof(token), "%u.%u", device->domid, device->id);
    vif->watched = on && xs_watch(filter_store, path, token);
    if (!on)
        (void)xs_unwatch(filter_store, path, token);
}

static struct vif *find_vif(unsigned int domid, unsigned int id)
{
    struct vif *vif = vifs;

    while (vif != NULL && (vif->domid != domid || ((const struct backend_device *)vif->device)->id != id))
        vif = vif->next;
    return vif;
}

/* The backend thread may take the interface away while the store is asked. */
static void take_filter_event(const char *token)
{
    unsigned int domid, id;
    struct vif *vif;
    bool filters;

    if (sscanf(token, "%u.%u", &domid, &id) != 2)
        return;
    vif = find_vif(domid, id);
    if (vif == NULL)
        return;
    filters = front_says(vif->device, "request-multicast-control");
    vif = find_vif(domid, id);
    if (vif != NULL)
        vif->filters = filters;
}

static void filter_loop(void *arg)
{
    unsigned int count;
    char **event;

    /* Without an event that memory lacked for, an interface is sent more than it asked for. */
    while ((event = xs_read_watch(filter_store, &count)) != NULL || errno == ENOMEM) {
        if (event != NULL)
            take_filter_event(event[XS_WATCH_TOKEN]);
        free(event);
        thread_yield();
    }
}

static void disconnect(struct backend_device *device)
{
    struct vif *vif = device->own;

    if (vif == NULL)
        return;
    vif_stop(vif);
    watch_filter(device, false);
    vif->port.takes_gso = vif->port.takes_gso6 = false;
    vif->port.takes_checksum_blank = vif->port.takes_checksum_blank6 = false;
    if (vif->rx_port > 0 && vif->rx_port != vif->tx_port)
        (void)event_close((evtchn_port_t)vif->rx_port);
    if (vif->tx_port > 0)
        (void)event_close((evtchn_port_t)vif->tx_port);
    vif->tx_port = vif->rx_port = 0;
    for (unsigned int i = 0; i < 2; i++)
        if (vif->pages[i] != NULL)
            (void)grant_unmap(vif->pages[i], &vif->handles[i], 1);
    vif->pages[0] = vif->pages[1] = NULL;
}

static void destroy(struct backend_device *device)
{
    struct vif *vif = device->own, **link = &vifs;

    if (vif == NULL)
        return;
    disconnect(device);
    switch_detach(&vif->port);
    while (*link != vif)
        link = &(*link)->next;
    *link = vif->next;
    device->own = NULL;
    free(vif);
}

/* A number of the guest's that must be there. */
static bool read_front(struct backend_device *device, const char *node, uint32_t *out)
{
    uint64_t number;

    if (!backend_read_number(device, true, node, &number) || number > UINT32_MAX) {
        backend_error(device, EINVAL, "the guest's %s is missing or no number", node);
        return false;
    }
    *out = (uint32_t)number;
    return true;
}

static int map_ring(struct backend_device *device, unsigned int which, const char *node)
{
    struct vif *vif = device->own;
    uint32_t gref;
    int error;

    if (!read_front(device, node, &gref))
        return -EINVAL;
    vif->pages[which] = grant_map(&device->domid, &gref, 1, false, &vif->handles[which]);
    if (vif->pages[which] != NULL)
        return 0;
    error = errno; /* the report may change it */
    backend_error(device, error, "the page of %s, reference %u, could not be mapped", node, gref);
    return -error;
}

static int bind(struct backend_device *device, const char *node)
{
    uint32_t remote;
    int port;

    if (!read_front(device, node, &remote))
        return -EINVAL;
    port = event_bind_interdomain(device->domid, remote, on_signal, device->own);
    if (port < 0)
        backend_error(device, port, "%s, the guest's port %u, could not be bound", node, remote);
    return port;
}

static int bind_ports(struct backend_device *device)
{
    struct vif *vif = device->own;
    uint64_t number;
    bool split = backend_read_number(device, true, "event-channel-tx", &number);

    vif->tx_port = bind(device, split ? "event-channel-tx" : "event-channel");
    if (vif->tx_port < 0)
        return vif->tx_port;
    vif->rx_port = split ? bind(device, "event-channel-rx") : vif->tx_port;
    return vif->rx_port < 0 ? vif->rx_port : 0;
}

/* The guest's programs that look at packets before its network stack want room in front of them; may change at any time. */
static void read_headroom(struct backend_device *device)
{
    struct vif *vif = device->own;
    uint64_t bytes;

    if (!backend_read_number(device, true, "xdp-headroom", &bytes))
        bytes = 0;
    vif->rx.headroom = (uint16_t)(bytes < RX_HEADROOM_MAX ? bytes : RX_HEADROOM_MAX);
}

static void read_abilities(struct backend_device *device)
{
    struct vif *vif = device->own;
    struct switch_port *port = &vif->port;
    bool gathers = front_says(device, "feature-sg");

    port->takes_gso = gathers && front_says(device, "feature-gso-tcpv4");
    port->takes_gso6 = gathers && front_says(device, "feature-gso-tcpv6");
    port->takes_checksum_blank = !front_says(device, "feature-no-csum-offload");
    port->takes_checksum_blank6 = front_says(device, "feature-ipv6-csum-offload");
    port->mtu = !gathers && vif->mtu > SWITCH_MTU ? SWITCH_MTU : vif->mtu;
    vif->rx.no_queue = !front_says(device, "feature-rx-notify");
    vif->filters = front_says(device, "request-multicast-control");
}

static int check_request(struct backend_device *device)
{
    uint64_t queues;

    if (backend_read_number(device, true, "multi-queue-num-queues", &queues) && queues != 1) {
        backend_error(device, EINVAL, "the guest wants %llu queues: there is one", (unsigned long long)queues);
        return -EINVAL;
    }
    if (!front_says(device, "request-rx-copy")) {
        backend_error(device, EOPNOTSUPP, "the guest does not ask for received frames to be copied (request-rx-copy)");
        return -EOPNOTSUPP;
    }
    return 0;
}

/* Not before: of a domain that arrives from another host, the address is at that host until it runs here. */
static void claim_address(struct backend_device *device)
{
    struct vif *vif = device->own;
    uint64_t replaced;

    if (!switch_claim(&vif->port) && !backend_read_number(device, false, "replaces", &replaced))
        report(vif, "its address is another port's of bridge %s too: what is sent to it goes there", vif->port.bridge);
}

static int connect(struct backend_device *device)
{
    struct vif *vif = device->own;
    int status = check_request(device);

    if (status == 0)
        status = map_ring(device, 0, "tx-ring-ref");
    if (status == 0)
        status = map_ring(device, 1, "rx-ring-ref");
    if (status == 0) {
        BACK_RING_ATTACH(&vif->tx, (struct netif_tx_sring *)vif->pages[0], 0, PAGE_SIZE);
        rx_init(&vif->rx, vif->pages[1], device->domid);
        status = bind_ports(device);
    }
    if (status != 0) {
        disconnect(device);
        return status;
    }
    read_abilities(device);
    read_headroom(device);
    watch_filter(device, true);
    claim_address(device);
    vif_start(vif);
    wake_network();
    return 0;
}

static const struct backend_kind vif_kind = {"vif", create, connect, disconnect, destroy, read_headroom};

/* Whatever speaks may let other threads run, and so change the list: one at a time. */
static bool speak_of_one(void)
{
    char notice[sizeof(vifs->notice)];

    for (struct vif *vif = vifs; vif != NULL; vif = vif->next) {
        if (vif->notice[0] != '\0') {
            memcpy(notice, vif->notice, sizeof(notice));
            vif->notice[0] = '\0';
            report(vif, "%llu packets refused so far; the last: %s", (unsigned long long)vif->tx_errors, notice);
            return true;
        }
        if (vif->connected && vif->broken[0] != '\0') {
            vif_stop(vif);
            backend_cut_off(vif->device, "%s", vif->broken);
            return true;
        }
    }
    return false;
}

/* One turn for each that wants it; whether any wants another at once, also through what others sent it. */
static bool serve_all(uint64_t *deadline)
{
    bool more = false;

    for (struct vif *vif = vifs; vif != NULL; vif = vif->next)
        if (vif_wants_turn(vif) && vif_turn(vif, deadline))
            vif->kicked = true;
    while (speak_of_one())
        ;
    for (struct vif *vif = vifs; vif != NULL; vif = vif->next)
        more = more || (vif->connected && vif->kicked);
    return more;
}

static void network_loop(void *arg)
{
    for (;;) {
        uint64_t deadline = WAIT_FOREVER;

        woken = false;
        if (serve_all(&deadline))
            thread_yield();
        else
            (void)wait_event_until(&wake, woken, deadline);
    }
}

int netback_start(void)
{
    filter_store = xs_open(0);
    if (filter_store == NULL)
        return -errno;
    if (thread_create("network", network_loop, NULL) == NULL || thread_create("groups", filter_loop, NULL) == NULL)
        return -ENOMEM;
    return backend_serve(&vif_kind);
}
