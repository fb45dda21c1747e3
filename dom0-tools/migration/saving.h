/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A save in progress, shared by its files.
 */
#ifndef MIGRATION_SAVING_H
#define MIGRATION_SAVING_H

#include "p2m.h"
#include "policy.h"

struct page_batch;

struct saving {
    struct migration_source *source;
    struct stream_writer *writer;
    struct migration_totals *totals;
    struct stream_error *error;
    struct view view;
    struct p2m p2m;
    uint64_t limit;       /* of guest frames */
    uint64_t compat_mark; /* canonical.h */
    uint32_t shared_info_mfn;
    unsigned int vcpus;
    uint8_t shared_info[VIEW_PAGE];
    /* A bit for each guest frame. */
    uint8_t *todo;  /* to be sent in this round */
    uint8_t *later; /* could not be sent, or is known to change: a later round's */
    uint8_t *dirty; /* scratch: what the hypervisor says */
    uint8_t *sent;  /* the stream has something about it */
    struct page_batch *batch;
    bool suspended; /* nothing changes any more: what is wrong now stays wrong */
    struct migration_progress progress;
    uint64_t busy_ns, round_started_ns, paced_bytes, paced_from_ns;
};

static inline bool bit_test(const uint8_t *bits, uint64_t at)
{
    return (bits[at / 8] >> (at % 8) & 1) != 0;
}

static inline void bit_set(uint8_t *bits, uint64_t at)
{
    bits[at / 8] |= (uint8_t)(1u << (at % 8));
}

static inline void bit_clear(uint8_t *bits, uint64_t at)
{
    bits[at / 8] &= (uint8_t) ~(1u << (at % 8));
}

uint64_t bits_count(const uint8_t *bits, uint64_t pages);
size_t bits_bytes(uint64_t pages);

/* Sends every page in `todo` (pages.c). 0, or -1 with the error. */
int saving_send_pages(struct saving *saving);
struct page_batch *page_batch_new(void);
void page_batch_free(struct page_batch *batch);

/* The records in front of the pages, and those behind them, which add the pages to be sent last (registers.c). */
int saving_send_static(struct saving *saving);
int saving_send_p2m_frames(struct saving *saving);
int saving_mark_special(struct saving *saving);
int saving_send_registers(struct saving *saving);

/* Reads shared_info and P2M anew; pages whose frame is another one than before are to be sent (save.c). */
int saving_read_p2m(struct saving *saving);
int saving_record(struct saving *saving, uint32_t type, const struct stream_part *parts, size_t count);

#endif
