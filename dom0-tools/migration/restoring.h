/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A restore in progress, shared by its files. Every number here was checked when it came: guest frames are below
 * limits.pfns, vCPUs below limits.vcpus.
 */
#ifndef MIGRATION_RESTORING_H
#define MIGRATION_RESTORING_H

#include "dom0-tools/stream/decode.h"
#include "p2m.h"

/* Copies of a vCPU's records. */
struct blob {
    uint8_t *data;
    size_t size;
};

struct saved_vcpu {
    struct blob basic, extended, xsave, msrs;
};

struct restoring {
    struct migration_target *target;
    struct stream_reader *reader;
    struct migration_result *result;
    struct view view;
    struct stream_order order;
    struct stream_limits limits;
    struct xen_domctl_getdomaininfo info;
    uint32_t *mfns; /* of each guest frame; VIEW_NO_FRAME: not populated */
    uint8_t *types; /* enum stream_page_type of what came last */
    uint32_t *p2m_frames;
    size_t p2m_count;
    struct blob cpuid, msr, shared_info;
    struct stream_tsc_info tsc;
    bool has_tsc;
    struct saved_vcpu vcpus[STREAM_VCPUS_MAX];
    bool verifying;            /* the pages that come are compared */
    struct stream_pages pages; /* of the current record */
    uint32_t wanted[VIEW_BATCH];
    unsigned int wanted_count; /* guest frames to be populated next */
};

/* One record of pages into the domain (contents.c). */
int restoring_take_pages(struct restoring *restoring);

/* One record of pages that must be in the domain as they are here. */
int restoring_compare_pages(struct restoring *restoring);

/* Everything that waits for the last page: P2M, shared_info, start_info, pins, registers (finish.c). */
int restoring_finish(struct restoring *restoring);

#endif
