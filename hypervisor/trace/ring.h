/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * One CPU's ring of records, in memory that dom0 writes to as well: our own position is kept here, and the consumer's
 * decides only how much room there is.
 */
#ifndef HYPERVISOR_TRACE_RING_H
#define HYPERVISOR_TRACE_RING_H

#include "types.h"
#include "abi/trace.h"

struct trace_ring {
    struct t_buf *shared;
    u32 size; /* bytes of records, a multiple of four */
    u32 prod; /* below twice the size */
    u32 lost;
    u64 lost_since; /* TSC of the first lost one */
};

/* Appends a record with this TSC; whether the ring has just become half full. `who` is the current vCPU. */
bool ring_put(struct trace_ring *ring, u32 event, const u32 *extra, unsigned words, u64 tsc, u32 who);

#endif
