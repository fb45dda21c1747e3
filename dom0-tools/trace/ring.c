/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Records out of a ring; see ring.h.
 */
#include "ring.h"

#include <string.h>

#define PAGE_BYTES 4096u

void trace_reader_init(struct trace_reader *reader, unsigned int cpu, struct t_buf *ring, size_t pages)
{
    memset(reader, 0, sizeof(*reader));
    reader->ring = ring;
    reader->size = (uint32_t)(pages * PAGE_BYTES - sizeof(struct t_buf));
    reader->cpu = (uint8_t)cpu;
    reader->cons = __atomic_load_n(&ring->cons, __ATOMIC_ACQUIRE);
    if (reader->cons >= 2 * reader->size || reader->cons % 4 != 0)
        reader->cons = 0;
}

static void give_up(struct trace_reader *reader, uint32_t prod)
{
    reader->broken++;
    reader->cons = prod < 2 * reader->size && prod % 4 == 0 ? prod : 0;
}

static void copy_words(const struct trace_reader *reader, uint32_t at, uint32_t *words, uint32_t count)
{
    memcpy(words, (const char *)(reader->ring + 1) + at, count * 4);
}

/* The record at cons, of which `there` bytes are written; its length, or 0 when that cannot be. */
static uint32_t take(struct trace_reader *reader, uint32_t there, struct trace_record *record)
{
    uint32_t at = reader->cons % reader->size, head, words[3 + TRACE_EXTRA_MAX], count, length;

    if (there > reader->size - at)
        there = reader->size - at;
    if (there < 4)
        return 0;
    copy_words(reader, at, &head, 1);
    count = TRC_HD_INCLUDES_CYCLE_COUNT(head) ? 3 : 1;
    length = (count + TRC_HD_EXTRA(head)) * 4;
    if (length > there)
        return 0;
    copy_words(reader, at, words, length / 4);
    if (count == 3)
        reader->last = words[1] | (uint64_t)words[2] << 32;
    record->tsc = reader->last;
    record->event = TRC_HD_TO_EVENT(head);
    record->cpu = reader->cpu;
    record->words = (uint8_t)TRC_HD_EXTRA(head);
    memset(record->extra, 0, sizeof(record->extra));
    memcpy(record->extra, words + count, record->words * 4u);
    return length;
}

/* How many bytes are written and not yet read; more than the ring has when its marks make no sense. */
static uint32_t pending(const struct trace_reader *reader, uint32_t prod)
{
    uint32_t there = prod - reader->cons;

    if (prod >= 2 * reader->size || prod % 4 != 0)
        return UINT32_MAX;
    return prod < reader->cons ? there + 2 * reader->size : there;
}

bool trace_read(struct trace_reader *reader, struct trace_record *record)
{
    uint32_t prod = __atomic_load_n(&reader->ring->prod, __ATOMIC_ACQUIRE), there, length;

    while ((there = pending(reader, prod)) != 0) {
        length = there <= reader->size ? take(reader, there, record) : 0;
        if (length == 0)
            give_up(reader, prod);
        else
            reader->cons = (reader->cons + length) % (2 * reader->size);
        __atomic_store_n(&reader->ring->cons, reader->cons, __ATOMIC_RELEASE);
        if (length == 0)
            return false;
        if (record->event == TRC_LOST_RECORDS)
            reader->lost += record->extra[0];
        if (record->event != TRC_TRACE_WRAP_BUFFER)
            return true;
    }
    return false;
}
