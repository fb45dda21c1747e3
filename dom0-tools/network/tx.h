/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The transmit ring of a guest's interface: from its slots to packets whose every field was read once and checked, and
 * the answers. A packet is a slot for each piece, with slots of extra information after the first.
 */
#ifndef NETWORK_TX_H
#define NETWORK_TX_H

#include <stdbool.h>
#include <stdint.h>

#include <abi/io/netif.h>

#define TX_SLOTS_MAX    XEN_NETIF_NR_SLOTS_MIN /* a packet with more is dropped */
#define TX_SLOTS_LIMIT  20u                    /* with more than that it is not even counted */
#define TX_EXTRAS_LIMIT (XEN_NETIF_EXTRA_TYPE_MAX - 1u)

struct tx_packet {
    struct netif_tx_request slots[TX_SLOTS_LIMIT]; /* slots[0].size is the first piece's, not the whole packet's */
    unsigned int slot_count, extra_count;
    struct netif_extra_info extras[XEN_NETIF_EXTRA_TYPE_MAX]; /* by type; type 0: not given */
    uint32_t bytes;
    bool failed; /* answered as an error */
};

enum tx_outcome {
    TX_NONE,   /* the ring is empty */
    TX_PACKET, /* to be sent and answered */
    TX_NOTICE, /* carries no data: only its extra slots matter; to be answered */
    TX_BAD,    /* to be answered as an error: *why */
    TX_LIE,    /* no front end that works does this, there is no going on: *why */
};

/* Takes the next packet off the ring. `why` is a sentence without end, with numbers. */
enum tx_outcome tx_next(struct netif_tx_back_ring *ring, struct tx_packet *packet, char why[96]);

/* Answers all slots of a packet. The answers become visible with tx_push. */
void tx_answer(struct netif_tx_back_ring *ring, const struct tx_packet *packet, int16_t status);

/* True: the front end wants to be told. */
bool tx_push(struct netif_tx_back_ring *ring);

/* Asks for a signal with the next request; true when there is one already. */
bool tx_rest(struct netif_tx_back_ring *ring);

#endif
