/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The two layouts of a block ring by explicit alignment, for back ends: a front end of the other width lays out its
 * ring in its own way and says so in its "protocol" key. Segments, grant references and constants: blkif.h.
 */
#ifndef PARAVANE_ABI_IO_BLKIF_WIDTHS_H
#define PARAVANE_ABI_IO_BLKIF_WIDTHS_H

#include "blkif.h"

typedef uint64_t blkif_x86_32_u64 __attribute__((aligned(4)));
typedef uint64_t blkif_x86_64_u64 __attribute__((aligned(8)));

struct blkif_x86_32_request {
    uint8_t operation;
    uint8_t nr_segments;
    blkif_vdev_t handle;
    blkif_x86_32_u64 id;
    blkif_x86_32_u64 sector_number;
    struct blkif_request_segment seg[BLKIF_MAX_SEGMENTS_PER_REQUEST];
};

struct blkif_x86_32_request_discard {
    uint8_t operation;
    uint8_t flag;
    blkif_vdev_t handle;
    blkif_x86_32_u64 id;
    blkif_x86_32_u64 sector_number;
    blkif_x86_32_u64 nr_sectors;
};

struct blkif_x86_32_request_indirect {
    uint8_t operation;
    uint8_t indirect_op;
    uint16_t nr_segments;
    blkif_x86_32_u64 id;
    blkif_x86_32_u64 sector_number;
    blkif_vdev_t handle;
    grant_ref_t indirect_grefs[BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST];
    blkif_x86_32_u64 pad;
};

struct blkif_x86_32_response {
    blkif_x86_32_u64 id;
    uint8_t operation;
    int16_t status;
};

struct blkif_x86_64_request {
    uint8_t operation;
    uint8_t nr_segments;
    blkif_vdev_t handle;
    blkif_x86_64_u64 id;
    blkif_x86_64_u64 sector_number;
    struct blkif_request_segment seg[BLKIF_MAX_SEGMENTS_PER_REQUEST];
};

struct blkif_x86_64_request_discard {
    uint8_t operation;
    uint8_t flag;
    blkif_vdev_t handle;
    blkif_x86_64_u64 id;
    blkif_x86_64_u64 sector_number;
    blkif_x86_64_u64 nr_sectors;
};

struct blkif_x86_64_request_indirect {
    uint8_t operation;
    uint8_t indirect_op;
    uint16_t nr_segments;
    blkif_x86_64_u64 id;
    blkif_x86_64_u64 sector_number;
    blkif_vdev_t handle;
    grant_ref_t indirect_grefs[BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST];
};

struct blkif_x86_64_response {
    blkif_x86_64_u64 id;
    uint8_t operation;
    int16_t status;
};

DEFINE_RING_TYPES(blkif_x86_32, struct blkif_x86_32_request, struct blkif_x86_32_response);
DEFINE_RING_TYPES(blkif_x86_64, struct blkif_x86_64_request, struct blkif_x86_64_response);

#endif
