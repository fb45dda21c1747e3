/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Records out of the hypervisor's trace rings. Nothing in a ring is believed: a length that cannot be ends the reading,
 * and what is left is given up and counted.
 */
#ifndef TRACE_RING_H
#define TRACE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <abi/trace.h>

struct trace_record {
    uint64_t tsc;
    uint32_t event;
    uint8_t cpu, words;
    uint32_t extra[TRACE_EXTRA_MAX];
};

struct trace_reader {
    struct t_buf *ring;
    uint32_t size;   /* bytes of records */
    uint32_t cons;   /* ours; the ring's copy is for the hypervisor */
    uint64_t last;   /* TSC of the last record: one that has none comes at that time */
    uint64_t lost;   /* records that the hypervisor found no room for */
    uint64_t broken; /* times that the ring's contents made no sense */
    uint8_t cpu;
};

void trace_reader_init(struct trace_reader *reader, unsigned int cpu, struct t_buf *ring, size_t pages);

/* Takes the next record; false when there is none. Fillers are skipped, losses counted and given out too. */
bool trace_read(struct trace_reader *reader, struct trace_record *record);

#endif
