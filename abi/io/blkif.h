/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Block devices: requests and responses of a blkif ring. A sector is 512 bytes. The layout differs between widths;
 * back ends look at the front end's "protocol" key. Source of the facts: io/blkif.h.
 */
#ifndef PARAVANE_ABI_IO_BLKIF_H
#define PARAVANE_ABI_IO_BLKIF_H

#include "ring.h"
#include "../grant_table.h"

typedef uint16_t blkif_vdev_t;
typedef uint64_t blkif_sector_t;

#define BLKIF_OP_READ                        0
#define BLKIF_OP_WRITE                       1
#define BLKIF_OP_WRITE_BARRIER               2 /* if the back end has feature-barrier */
#define BLKIF_OP_FLUSH_DISKCACHE             3 /* if the back end has feature-flush-cache */
#define BLKIF_OP_RESERVED_1                  4
#define BLKIF_OP_DISCARD                     5 /* if the back end has feature-discard */
#define BLKIF_OP_INDIRECT                    6 /* if the back end has feature-max-indirect-segments */

#define BLKIF_MAX_SEGMENTS_PER_REQUEST       11
#define BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST 8

struct blkif_request_segment {
    grant_ref_t gref;
    uint8_t first_sect, last_sect; /* within the page, last included */
};

struct blkif_request {
    uint8_t operation;
    uint8_t nr_segments;
    blkif_vdev_t handle;
    uint64_t id; /* returned in the response */
    blkif_sector_t sector_number;
    struct blkif_request_segment seg[BLKIF_MAX_SEGMENTS_PER_REQUEST];
};
typedef struct blkif_request blkif_request_t;

#define BLKIF_DISCARD_SECURE (1 << 0)
struct blkif_request_discard {
    uint8_t operation; /* BLKIF_OP_DISCARD */
    uint8_t flag;      /* BLKIF_DISCARD_SECURE */
    blkif_vdev_t handle;
    uint64_t id;
    blkif_sector_t sector_number;
    uint64_t nr_sectors;
};
typedef struct blkif_request_discard blkif_request_discard_t;

struct blkif_request_indirect {
    uint8_t operation; /* BLKIF_OP_INDIRECT */
    uint8_t indirect_op;
    uint16_t nr_segments;
    uint64_t id;
    blkif_sector_t sector_number;
    blkif_vdev_t handle;
    grant_ref_t indirect_grefs[BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST]; /* pages of segments, 512 in each */
#ifdef __i386__
    uint64_t pad;
#endif
};
typedef struct blkif_request_indirect blkif_request_indirect_t;

#define BLKIF_RSP_EOPNOTSUPP -2
#define BLKIF_RSP_ERROR      -1
#define BLKIF_RSP_OKAY       0
struct blkif_response {
    uint64_t id;
    uint8_t operation;
    int16_t status; /* BLKIF_RSP_* */
};
typedef struct blkif_response blkif_response_t;

DEFINE_RING_TYPES(blkif, struct blkif_request, struct blkif_response);

/* Bits of the back end's "info" key. */
#define VDISK_CDROM     0x1
#define VDISK_REMOVABLE 0x2
#define VDISK_READONLY  0x4

#endif
