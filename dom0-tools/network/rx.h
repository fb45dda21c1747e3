/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The receive side of a guest's interface: frames go by grant copy into the pages that the guest posts, in order. When
 * it posts none, frames wait in a queue of bounded size, and are dropped beyond.
 */
#ifndef NETWORK_RX_H
#define NETWORK_RX_H

#include <stdbool.h>
#include <stdint.h>

#include <abi/io/netif.h>
#include <abi/xen.h>

#include "switch.h"

#define RX_QUEUE_BYTES  (512u * 1024)        /* of one interface */
#define RX_QUEUES_BYTES (24u * 1024 * 1024)  /* of all together */
#define RX_STALL_NS     (10ull * 1000000000) /* without progress for so long, what waits is dropped */
#define RX_RING_MAX     256u
#define RX_HEADROOM_MAX 256u

struct rx_waiting {
    struct rx_waiting *next;
    uint32_t bytes;
    uint16_t flags;
    uint8_t gso_type;
    uint16_t gso_size;
    uint8_t data[];
};

struct rx {
    struct netif_rx_back_ring ring;
    domid_t domid;
    bool failed[RX_RING_MAX]; /* by slot: the page could not be written */
    uint16_t headroom;        /* bytes that stay free at the start of each page, at most RX_HEADROOM_MAX */
    bool no_queue;            /* the guest gives no signal when it posts pages: frames cannot wait */
    RING_IDX pushed;          /* answers before this are visible */
    bool lied;                /* the guest's index cannot be: no more is read */
    bool stalled;
    uint64_t progress_ns;
    struct rx_waiting *first, **last;
    uint32_t waiting_bytes; /* of memory */
    uint64_t errors;        /* pages that could not be written */
};

void rx_init(struct rx *rx, void *shared, domid_t domid);

/* Drops what waits. The ring is not touched. */
void rx_clear(struct rx *rx);

/* Takes a copy, at once or when the batch ends, or lets it wait. false: dropped. */
bool rx_frame(struct rx *rx, const struct frame *frame);

/* The guest may have posted pages: moves what waits. */
void rx_resume(struct rx *rx);

/* Frames that waited for RX_STALL_NS in vain go; how many. */
unsigned int rx_expire(struct rx *rx, uint64_t now_ns);

/* The copies are done: answers become visible. True: the guest wants to be told. */
bool rx_push(struct rx *rx);

#endif
