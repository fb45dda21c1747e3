/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The learning switches inside dom0, one for each bridge name: Ethernet frames go from port to port by their
 * destination address. A port is a guest's interface or a network card of the machine. Threads only; nothing waits.
 */
#ifndef NETWORK_SWITCH_H
#define NETWORK_SWITCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_PIECES_MAX 20u
#define FRAME_BYTES_MAX  65550u /* a 64 KiB segmented packet and its Ethernet header with a VLAN tag */

#define SWITCH_BRIDGE    "xenbr0" /* the bridge of ports that name none, the machine's cards among them */
#define SWITCH_MTU       1500u
#define SWITCH_MTU_MAX   65500u

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
    bool *unreadable; /* if not NULL: set when a piece could not be read */
};

struct switch_port {
    /* Takes a copy of the frame (it ends with the call, or with the batch) or drops it, and counts it; must not wait. */
    void (*deliver)(struct switch_port *port, const struct frame *frame);
    char name[32];                        /* "vif3.0", "eth0" */
    bool takes_gso, takes_checksum_blank; /* otherwise the switch finishes the work first */
    uint64_t delivered, dropped;
    struct switch_port *next;

    /* All below may stay zero. */
    bool takes_gso6, takes_checksum_blank6;     /* the same for TCP and UDP over IPv6 */
    char bridge[32];                            /* "": SWITCH_BRIDGE */
    uint16_t mtu;                               /* the largest packet, without its Ethernet header; 0: SWITCH_MTU */
    uint8_t address[6];                         /* the toolstack's: learned nowhere else; zero: none */
    bool claims;                                /* the address is not its own until switch_claim */
    void (*flush)(struct switch_port *port);    /* the batch ends: what deliver put off is to be done now */
    uint64_t delivered_bytes;                   /* deliver's */
    uint64_t received, received_bytes, refused; /* the switch's: frames that came in, and those that were none */
    unsigned int learned;                       /* addresses, in the list: addresses.c's */
    struct address_entry *addresses;
    bool pending; /* a frame was delivered since the last flush */
};

/* The name must be unique; `bridge` and `address` stay as they are while the port is attached. */
void switch_attach(struct switch_port *port);

/* From here on what is sent to the port's address goes there. False: it is another port's own already. */
bool switch_claim(struct switch_port *port);
void switch_detach(struct switch_port *port); /* and forgets the addresses learned on it */

/* A frame came in at `from`. */
void switch_frame(struct switch_port *from, const struct frame *frame);

/* Around several frames whose pieces stay valid until the outermost switch_end: what they cost once is paid once. */
void switch_begin(void);
void switch_end(void);

/* The port an address was last seen on, NULL when it was not; and all ports, NULL after the last. */
struct switch_port *switch_lookup(const char *bridge, const uint8_t address[6]);
struct switch_port *switch_next(struct switch_port *after);

/* The addresses seen on a port, the newest first, by `index` from 0; false after the last. */
bool switch_learned(const struct switch_port *port, unsigned int index, uint8_t address[6], uint64_t *age_ns);

#endif
