/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Records into a ring. A record is never split: the ring's last words are filled with a record to be skipped. What finds
 * no room is counted, and the count is the next record. Whatever the consumer's position says, nothing is written
 * outside the ring.
 */
#include "lib.h"
#include "trace/ring.h"

#define HEADER     12U /* event and TSC */
#define CYCLES     (1U << 31)
#define HEAD(e, n) ((e) | (u32)(n) << TRACE_EXTRA_SHIFT)

/* A position that cannot be is a full ring. */
static u32 used(const struct trace_ring *ring)
{
    u32 cons = READ_ONCE(ring->shared->cons), n = ring->prod - cons;

    if (ring->prod < cons)
        n += 2 * ring->size;
    return cons >= 2 * ring->size || n > ring->size ? ring->size : n;
}

static void advance(struct trace_ring *ring, u32 bytes)
{
    ring->prod = (ring->prod + bytes) % (2 * ring->size);
}

static void put_word(struct trace_ring *ring, u32 word)
{
    *(u32 *)((char *)(ring->shared + 1) + ring->prod % ring->size) = word;
    advance(ring, 4);
}

static bool append(struct trace_ring *ring, u32 event, const u32 *extra, unsigned words, u64 tsc)
{
    u32 bytes = HEADER + words * 4, left = ring->size - ring->prod % ring->size;
    u32 skip = left < bytes ? left : 0, n = left / 4 - 1;

    if (ring->size - used(ring) < bytes + skip)
        return false;
    if (skip) {
        put_word(ring,
                 n > TRACE_EXTRA_MAX ? HEAD(TRC_TRACE_WRAP_BUFFER, n - 2) | CYCLES : HEAD(TRC_TRACE_WRAP_BUFFER, n));
        advance(ring, skip - 4);
    }
    put_word(ring, HEAD(event, words) | CYCLES);
    put_word(ring, (u32)tsc);
    put_word(ring, (u32)(tsc >> 32));
    while (words--)
        put_word(ring, *extra++);
    return true;
}

bool ring_put(struct trace_ring *ring, u32 event, const u32 *extra, unsigned words, u64 tsc, u32 who)
{
    u32 before = used(ring);
    u32 lost[] = {ring->lost, who, (u32)ring->lost_since, (u32)(ring->lost_since >> 32)};

    if (ring->lost && append(ring, TRC_LOST_RECORDS, lost, ARRAY_SIZE(lost), tsc))
        ring->lost = 0;
    if ((ring->lost || !append(ring, event, extra, words, tsc)) && !ring->lost++)
        ring->lost_since = tsc;
    __atomic_store_n(&ring->shared->prod, ring->prod, __ATOMIC_RELEASE);
    return before < ring->size / 2 && used(ring) >= ring->size / 2;
}
