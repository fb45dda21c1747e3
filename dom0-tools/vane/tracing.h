/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Taking a trace: rings are made and mapped, tracing goes on, and what the hypervisor writes is collected until the time is
 * over. Whatever happens, tracing is off afterwards and the rings are given back.
 */
#ifndef VANE_TRACING_H
#define VANE_TRACING_H

#include "dom0-tools/trace/story.h"
#include "vane.h"

/* A million records of 48 bytes would be too much for dom0's memory. */
#define CAPTURE_MAX 400000u

struct capture {
    unsigned int cpus;
    uint64_t khz;      /* of the TSC */
    uint64_t from, to; /* TSC */
    struct capture_list {
        struct trace_record *records; /* in order of time */
        size_t count, room;
    } lists[TRACE_CPUS];
    size_t count;
    uint64_t lost, broken;
    bool interrupted, full;
};

/* Traces all events for so long. 0, or 1 with the error printed; then there is nothing to free. */
int capture_take(struct vane *vane, struct capture *capture, uint64_t duration_ns, uint32_t ring_pages);
void capture_free(struct capture *capture);

/* The records of all CPUs in order of time: next[] begins as zeros; NULL at the end. */
const struct trace_record *capture_next(const struct capture *capture, size_t next[TRACE_CPUS]);

#endif
