/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A running domain to a stream, and a stream to a domain that is ready to run. Knows the hypervisor and the stream, not
 * the store, devices or names: those are vane's.
 */
#ifndef MIGRATION_MIGRATION_H
#define MIGRATION_MIGRATION_H

#include <xenforeignmemory.h>

#include "dom0-tools/libctl/ctl.h"
#include "dom0-tools/stream/stream.h"

/* Zero: no limit, or the default that the man page states. */
struct migration_limits {
    unsigned int max_downtime_ms;
    uint64_t bandwidth; /* bytes per second */
    unsigned int rounds;
};

struct migration_progress {
    unsigned int round;
    uint64_t pages_sent, pages_left;
    uint64_t rate, dirty_rate; /* bytes per second */
    unsigned int expected_downtime_ms;
};

struct migration_source {
    struct ctl *ctl;
    xenforeignmemory_handle *memory;
    domid_t domid;
    bool live;   /* with log-dirty rounds first */
    bool shadow; /* it runs on shadow page tables anyway, and will again */
    bool verify; /* all is sent once more at the end, for the other side to compare */
    struct migration_limits limits;
    /* Asks the guest to suspend and waits until it has. 0, or -1 with the error: then the domain runs on. */
    int (*suspend)(void *own, struct stream_error *error);
    void (*progress)(void *own, const struct migration_progress *progress); /* may be NULL */
    bool (*cancelled)(void *own);                                           /* may be NULL */
    void *own;
};

struct migration_totals {
    unsigned int rounds;
    uint64_t pages, bytes;
    uint64_t suspended_ns;   /* when the guest stopped, by the clock of dom0 */
    const char *why_stopped; /* what ended the rounds: "converged", "rounds used up", ... */
};

/*
 * Writes the inner stream, from image header to END. The domain is suspended at the end and not destroyed. 0, or -1 with
 * the error: then the caller resumes it if it had suspended. A live one still logs which pages it writes: before it goes
 * on, or is left alone after a failure, migration_stop_logging.
 */
int migration_save(struct migration_source *source, struct stream_writer *writer, struct migration_totals *totals,
                   struct stream_error *error);

void migration_stop_logging(const struct migration_source *source);

struct migration_target {
    struct ctl *ctl;
    xenforeignmemory_handle *memory;
    domid_t domid;                         /* created, with its maximum of memory, and nothing in it yet */
    unsigned int store_port, console_port; /* the new ports, bound to dom0 */
};

struct migration_result {
    unsigned int bits; /* 32 or 64 */
    uint64_t pages;
    xen_pfn_t store_mfn, console_mfn;
};

/* Reads the inner stream up to END; the domain is left paused. -1 with the error; the caller then destroys the domain. */
int migration_restore(struct migration_target *target, struct stream_reader *reader, struct migration_result *result);

#endif
