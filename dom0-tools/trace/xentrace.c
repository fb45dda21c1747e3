/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The file that Xen's xentrace writes, which xenalyze reads: windows of one CPU's records as they stood in its ring, each
 * behind a record that says whose they are and how many bytes follow. A window has the records of some milliseconds, so
 * that whoever reads it from the front meets all CPUs at about the same time.
 */
#include "write.h"

static void put_words(struct trace_out *out, const uint32_t *words, size_t count)
{
    if (out->status == 0)
        out->status = out->put(out->own, words, count * sizeof(*words));
    out->bytes += count * sizeof(*words);
}

static uint32_t bytes_of(const struct trace_record *record)
{
    return (3u + record->words) * 4u;
}

static void put_record(struct trace_out *out, const struct trace_record *record)
{
    uint32_t head[3] = {record->event | (uint32_t)record->words << TRACE_EXTRA_SHIFT | (uint32_t)TRC_HD_CYCLE_FLAG,
                        (uint32_t)record->tsc, (uint32_t)(record->tsc >> 32)};

    put_words(out, head, 3);
    put_words(out, record->extra, record->words);
}

size_t xentrace_window(struct trace_out *out, const struct trace_record *records, size_t count, uint64_t until)
{
    uint32_t head[3] = {TRC_TRACE_CPU_CHANGE | 2u << TRACE_EXTRA_SHIFT, 0, 0};
    size_t taken = 0;

    while (taken < count && records[taken].tsc < until)
        head[2] += bytes_of(&records[taken++]);
    if (taken == 0)
        return 0;
    head[1] = records[0].cpu;
    put_words(out, head, 3);
    for (size_t i = 0; i < taken; i++)
        put_record(out, &records[i]);
    return taken;
}
