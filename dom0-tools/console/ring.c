/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Ring, log and flood limit of a console; see ring.h.
 */
#include <stdlib.h>
#include <string.h>

#include "ring.h"

#define LOAD(field)         __atomic_load_n(&(field), __ATOMIC_ACQUIRE)
#define STORE(field, value) __atomic_store_n(&(field), (value), __ATOMIC_RELEASE)

#define LOG_FIRST_SIZE      2048u

size_t console_ring_drain(struct xencons_interface *ring, char out[CONSOLE_OUT_SIZE], bool *lied)
{
    XENCONS_RING_IDX producer = LOAD(ring->out_prod), consumer = LOAD(ring->out_cons), count = producer - consumer;

    *lied = count > sizeof(ring->out);
    if (*lied)
        count = 0;
    for (XENCONS_RING_IDX i = 0; i < count; i++)
        out[i] = ring->out[MASK_XENCONS_IDX(consumer + i, ring->out)];
    if (count || *lied)
        STORE(ring->out_cons, producer);
    return count;
}

size_t console_ring_fill(struct xencons_interface *ring, const char *bytes, size_t len)
{
    XENCONS_RING_IDX producer = LOAD(ring->in_prod), used = producer - LOAD(ring->in_cons);
    size_t room = used > sizeof(ring->in) ? 0 : sizeof(ring->in) - used;

    if (len > room)
        len = room;
    for (size_t i = 0; i < len; i++)
        ring->in[MASK_XENCONS_IDX(producer + (XENCONS_RING_IDX)i, ring->in)] = bytes[i];
    if (len)
        STORE(ring->in_prod, producer + (XENCONS_RING_IDX)len);
    return len;
}

/* Doubles the memory; where none is to be had, the log stays as short as it is. */
static bool grow(struct console_log_buffer *log)
{
    size_t wanted = log->size ? log->size * 2 : LOG_FIRST_SIZE;
    char *larger;

    if (wanted > log->limit)
        wanted = log->limit;
    larger = wanted > log->size ? malloc(wanted) : NULL;
    if (!larger)
        return false;
    for (uint64_t at = log->first; at < log->end; at++)
        larger[at % wanted] = log->bytes[at % log->size];
    free(log->bytes);
    log->bytes = larger;
    log->size = wanted;
    return true;
}

void log_append(struct console_log_buffer *log, const char *bytes, size_t len)
{
    while (log->end - log->first + len > log->size && grow(log))
        ;
    for (size_t i = 0; i < len && log->size; i++)
        log->bytes[(log->end + i) % log->size] = bytes[i];
    log->end += len;
    if (log->end - log->first > log->size)
        log->first = log->end - log->size;
}

size_t log_read(const struct console_log_buffer *log, uint64_t offset, char *buf, size_t len, uint64_t *at)
{
    if (offset < log->first)
        offset = log->first;
    if (offset > log->end)
        offset = log->end;
    if (len > log->end - offset)
        len = (size_t)(log->end - offset);
    for (size_t i = 0; i < len; i++)
        buf[i] = log->bytes[(offset + i) % log->size];
    if (at)
        *at = offset;
    return len;
}

void log_free(struct console_log_buffer *log)
{
    free(log->bytes);
    memset(log, 0, sizeof(*log));
}

bool flood_exceeded(struct flood *flood, uint64_t now, size_t bytes)
{
    if (now >= flood->period_end) {
        flood->period_end = now + FLOOD_PERIOD_NS;
        flood->drains = 0;
        flood->bytes = 0;
    }
    flood->drains++;
    flood->bytes += bytes;
    return flood->drains >= FLOOD_DRAINS || flood->bytes >= FLOOD_BYTES;
}
