/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Two guests share one page and an event channel, and pass a stream of bytes through it.
 *
 * The first one started finds nobody, publishes data/ring-offer in the xenstore and waits: it will consume. The second
 * finds the offer, lends the first a page, opens a port for it, publishes both in data/ring-join and produces.
 * Each side owns one index of the ring and treats the other's as untrusted: read once, refused when out of range.
 *   bytes=N   how much to pass (1048576)
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <xenevtchn.h>
#include <xengnttab.h>
#include <xenstore.h>
#include <pv/evtchn_wait.h>
#include <pv/pv.h>
#include <pv/threads.h>
#include <pv/time.h>

#define OFFER       "data/ring-offer"
#define JOIN        "data/ring-join"
#define RING_SIZE   2048U
#define PATIENCE_NS 10000000000ULL
#define FINISHED    0x646f6e65U

struct shared_ring {
    uint32_t produced, consumed; /* free-running counts of bytes */
    uint32_t finished;           /* FINISHED by the consumer once it has verified everything */
    uint32_t total;              /* how much the producer will send */
    unsigned char bytes[RING_SIZE];
};

struct session {
    struct xs_handle *xs;
    xenevtchn_handle *xce;
    evtchn_port_t port;
    struct shared_ring *ring;
};

/* Both sides make the same stream. */
static unsigned char next_byte(uint32_t *seed)
{
    *seed = *seed * 1664525U + 1013904223U;
    return (unsigned char)(*seed >> 24);
}

static uint32_t load(const uint32_t *index)
{
    return __atomic_load_n(index, __ATOMIC_ACQUIRE);
}

static void store(uint32_t *index, uint32_t value)
{
    __atomic_store_n(index, value, __ATOMIC_SEQ_CST);
}

static _Noreturn void give_up(const char *what)
{
    printf("ring: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* Writes a node that every domain may read. */
static void publish(struct xs_handle *xs, const char *path, const char *value)
{
    struct xs_permissions everyone = {.id = pv_domid(), .perms = XS_PERM_READ};

    if (!xs_write(xs, XBT_NULL, path, value, (unsigned int)strlen(value)) ||
        !xs_set_permissions(xs, XBT_NULL, path, &everyone, 1))
        give_up(path);
}

static char *read_of(struct xs_handle *xs, unsigned int domid, const char *node)
{
    char path[64];
    unsigned int length;

    snprintf(path, sizeof(path), "/local/domain/%u/%s", domid, node);
    return xs_read(xs, XBT_NULL, path, &length);
}

/* A domain that offers to consume, 0 when there is none. Domains are numbered in order of birth. */
static unsigned int find_offer(struct xs_handle *xs)
{
    for (unsigned int domid = pv_domid() - 1U; domid > 0; domid--) {
        char *offer = read_of(xs, domid, OFFER);

        if (offer != NULL) {
            free(offer);
            return domid;
        }
    }
    return 0;
}

static void wait_for_peer(struct session *s)
{
    xenevtchn_port_or_error_t port;

    if (!xenevtchn_wait_until(s->xce, time_monotonic_ns() + PATIENCE_NS)) {
        errno = ETIMEDOUT;
        give_up("the partner does not answer");
    }
    port = xenevtchn_pending(s->xce);
    if (port >= 0)
        xenevtchn_unmask(s->xce, (evtchn_port_t)port);
}

static void report(const char *verb, uint32_t bytes, uint64_t start)
{
    uint64_t us = (time_monotonic_ns() - start) / 1000;

    printf("ring: %s %" PRIu32 " bytes in %" PRIu64 " us\n", verb, bytes, us);
}

static void produce(struct session *s, uint32_t total)
{
    uint32_t sent = 0, seed = 1;
    uint64_t start = time_monotonic_ns();

    while (sent < total) {
        uint32_t used = sent - load(&s->ring->consumed);
        uint32_t room = used <= RING_SIZE ? RING_SIZE - used : 0;

        if (room == 0) {
            wait_for_peer(s);
            continue;
        }
        for (; room > 0 && sent < total; room--, sent++)
            s->ring->bytes[sent % RING_SIZE] = next_byte(&seed);
        store(&s->ring->produced, sent);
        xenevtchn_notify(s->xce, s->port);
    }
    while (load(&s->ring->finished) != FINISHED)
        wait_for_peer(s);
    report("produced", total, start);
}

/* Returns how many bytes were not the expected ones. */
static uint32_t consume(struct session *s, uint32_t total)
{
    uint32_t taken = 0, seed = 1, wrong = 0;
    uint64_t start = time_monotonic_ns();

    while (taken < total) {
        uint32_t available = load(&s->ring->produced) - taken;

        if (available == 0 || available > RING_SIZE) {
            wait_for_peer(s);
            continue;
        }
        for (; available > 0; available--, taken++)
            wrong += s->ring->bytes[taken % RING_SIZE] != next_byte(&seed);
        store(&s->ring->consumed, taken);
        xenevtchn_notify(s->xce, s->port);
    }
    report("consumed", total, start);
    store(&s->ring->finished, FINISHED);
    xenevtchn_notify(s->xce, s->port);
    return wrong;
}

static int run_producer(struct session *s, unsigned int peer)
{
    xengntshr_handle *xgs = xengntshr_open(NULL, 0);
    uint32_t gref, total = (uint32_t)pv_option_number("bytes", 1U << 20);
    int port = xenevtchn_bind_unbound_port(s->xce, peer);
    char text[64];

    s->ring = xengntshr_share_pages(xgs, peer, 1, &gref, 1);
    if (s->ring == NULL || port < 0)
        give_up("lending a page and a port");
    s->port = (evtchn_port_t)port;
    s->ring->total = total;
    printf("ring: found dom%u; lending it page reference %" PRIu32 " and port %d\n", peer, gref, port);
    snprintf(text, sizeof(text), "%u %" PRIu32 " %d", peer, gref, port);
    publish(s->xs, JOIN, text);
    produce(s, total);
    /* The other side still has the page mapped for a moment; it goes with the domain. */
    return 0;
}

/* Waits until some domain publishes a join meant for us; returns its number. 0 when one that was born before us offers,
 * too: of two that looked before either offered, the later one joins. */
static unsigned int wait_for_join(struct xs_handle *xs, uint32_t *gref, unsigned int *port)
{
    for (;;) {
        unsigned int count, domid = 0, to = 0;
        char **event = xs_read_watch(xs, &count);
        bool offer;
        char *join;

        if (event == NULL)
            give_up("waiting for a partner");
        if (sscanf(event[XS_WATCH_PATH], "/local/domain/%u/", &domid) != 1)
            domid = 0;
        offer = strstr(event[XS_WATCH_PATH], "/" OFFER) != NULL;
        free(event);
        if (offer && domid < pv_domid() && find_offer(xs) != 0)
            return 0;
        join = domid != 0 ? read_of(xs, domid, JOIN) : NULL;
        if (join != NULL && sscanf(join, "%u %" SCNu32 " %u", &to, gref, port) != 3)
            to = 0;
        free(join);
        if (to == pv_domid())
            return domid;
    }
}

static int run_consumer(struct session *s, unsigned int peer, uint32_t gref, unsigned int remote)
{
    xengnttab_handle *xgt = xengnttab_open(NULL, 0);
    uint32_t wrong;
    int port;

    s->ring = xengnttab_map_grant_ref(xgt, peer, gref, PROT_READ | PROT_WRITE);
    if (s->ring == NULL)
        give_up("mapping the partner's page");
    port = xenevtchn_bind_interdomain(s->xce, peer, remote);
    if (port < 0)
        give_up("binding the partner's port");
    s->port = (evtchn_port_t)port;
    printf("ring: mapped page reference %" PRIu32 " of dom%u, port %d to its port %u\n", gref, peer, port, remote);
    wrong = consume(s, load(&s->ring->total));
    xengnttab_unmap(xgt, s->ring, 1);
    if (wrong == 0)
        printf("ring: every byte was the expected one\n");
    else
        printf("ring: %" PRIu32 " bytes were WRONG\n", wrong);
    return wrong == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct session s = {.xs = xs_open(0), .xce = xenevtchn_open(NULL, 0)};
    unsigned int peer, remote;
    uint32_t gref;

    if (s.xs == NULL || s.xce == NULL)
        give_up("no xenstore");
    if (!xs_watch(s.xs, "/local/domain", "partner"))
        give_up("watching for a partner");
    while ((peer = find_offer(s.xs)) == 0) {
        publish(s.xs, OFFER, "1");
        printf("ring: dom%u waits for a partner; start it with: create /examples/ring-peer.cfg\n", pv_domid());
        fflush(stdout);
        peer = wait_for_join(s.xs, &gref, &remote);
        xs_rm(s.xs, XBT_NULL, OFFER);
        if (peer != 0)
            return run_consumer(&s, peer, gref, remote);
    }
    return run_producer(&s, peer);
}
