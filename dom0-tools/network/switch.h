/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The learning switch inside dom0: Ethernet frames go from port to port by their destination address. A port is a
 * guest's interface or a network card of the machine.
 */
#ifndef NETWORK_SWITCH_H
#define NETWORK_SWITCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_PIECES_MAX 20u
#define FRAME_BYTES_MAX  65550u /* a 64 KiB segmented packet and its Ethernet header with a VLAN tag */
#define FRAME_MTU_BYTES  1518u  /* without segmentation offload */

/* A part of a frame inside one page: in our memory, or by reference in that of the guest that sent it. */
struct frame_piece {
    const void *data; /* readable for us, NULL when only gref says where it is */
    uint16_t gref_domid;
    uint32_t gref; /* valid when by_grant */
    bool by_grant;
    uint16_t offset; /* inside the granted page */
    uint32_t bytes;
};

/* One frame on its way. The first piece holds at least the Ethernet header, readable through `header`. */
struct frame {
    struct frame_piece pieces[FRAME_PIECES_MAX];
    unsigned int piece_count;
    uint32_t bytes;      /* the sum over the pieces */
    uint8_t header[128]; /* a copy of the first bytes: what is decided is what was read, once */
    uint32_t header_bytes;
    bool checksum_blank; /* TCP or UDP checksum holds only the pseudo header's part */
    bool data_validated; /* its checksum need not be checked again */
    uint8_t gso_type;    /* XEN_NETIF_GSO_TYPE_*, 0: no segmentation left to do */
    uint16_t gso_size;
};

struct switch_port {
    /* Takes a copy of the frame (it ends with the call) or drops it; must not wait. */
    void (*deliver)(struct switch_port *port, const struct frame *frame);
    char name[32];                        /* "vif3.0", "eth0" */
    bool takes_gso, takes_checksum_blank; /* otherwise the switch finishes the work first */
    uint64_t delivered, dropped;
    struct switch_port *next;
};

void switch_attach(struct switch_port *port);
void switch_detach(struct switch_port *port); /* and forgets the addresses learned on it */

/* A frame came in at `from`. */
void switch_frame(struct switch_port *from, const struct frame *frame);

/* The port an address was last seen on, NULL when it was not; and all ports, NULL after the last. */
struct switch_port *switch_lookup(const uint8_t address[6]);
struct switch_port *switch_next(struct switch_port *after);

#endif
