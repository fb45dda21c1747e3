/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The rule by which pre-copy ends; see policy.h.
 */
#include "policy.h"

void policy_start(struct policy *policy, const struct migration_limits *limits, uint64_t memory_pages)
{
    *policy = (struct policy){.limits = *limits, .memory_pages = memory_pages, .last_dirty = UINT64_MAX};
    if (policy->limits.rounds == 0)
        policy->limits.rounds = POLICY_ROUNDS;
    if (policy->limits.max_downtime_ms == 0)
        policy->limits.max_downtime_ms = POLICY_DOWNTIME_MS;
}

unsigned int policy_downtime_ms(uint64_t pages, uint64_t rate)
{
    uint64_t ms = rate == 0 ? UINT32_MAX : pages * 4096 * 1000 / rate + POLICY_FIXED_MS;

    return ms < UINT32_MAX ? (unsigned int)ms : UINT32_MAX;
}

const char *policy_after_round(struct policy *policy, uint64_t sent, uint64_t dirty, uint64_t rate)
{
    policy->rounds++;
    policy->sent_pages += sent;
    policy->stuck =
        policy->last_dirty != UINT64_MAX && dirty > policy->last_dirty - policy->last_dirty / 4 ? policy->stuck + 1 : 0;
    policy->last_dirty = dirty;
    if (sent <= POLICY_BIG_ROUND && dirty <= POLICY_FEW_PAGES)
        return "hardly a page was left";
    if (sent <= POLICY_BIG_ROUND && policy_downtime_ms(dirty, rate) <= policy->limits.max_downtime_ms)
        return "the rest fits the downtime allowed";
    if (policy->rounds >= policy->limits.rounds)
        return "the rounds allowed were used up";
    if (policy->stuck >= POLICY_STUCK)
        return "the guest writes as fast as its memory is sent";
    if (policy->sent_pages >= POLICY_MEMORIES * policy->memory_pages)
        return "three times its memory was sent";
    return NULL;
}
