/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * When a live migration stops copying beside the running guest and suspends it. The rule ends for every guest: after a
 * bounded number of rounds, or bytes, whatever it writes.
 */
#ifndef MIGRATION_POLICY_H
#define MIGRATION_POLICY_H

#include <stdint.h>

#include "migration.h"

#define POLICY_ROUNDS      16u
#define POLICY_DOWNTIME_MS 60u
#define POLICY_BIG_ROUND   1024u /* pages: after more, the other side is still busy with them */
#define POLICY_FEW_PAGES   64u   /* not worth another round */
#define POLICY_FIXED_MS    15u   /* what suspending and starting cost beside the pages */
#define POLICY_STUCK       2u    /* rounds in a row that did not get smaller by a quarter */
#define POLICY_MEMORIES    3u    /* times the domain's memory sent */

struct policy {
    struct migration_limits limits;
    uint64_t memory_pages;
    uint64_t sent_pages, last_dirty;
    unsigned int rounds, stuck;
};

void policy_start(struct policy *policy, const struct migration_limits *limits, uint64_t memory_pages);

/* How long the guest would stand still for this many pages at this rate (bytes per second). */
unsigned int policy_downtime_ms(uint64_t pages, uint64_t rate);

/*
 * After a round that sent `sent` pages and left `dirty` ones: NULL to copy another round, or why no other one is made.
 */
const char *policy_after_round(struct policy *policy, uint64_t sent, uint64_t dirty, uint64_t rate);

#endif
