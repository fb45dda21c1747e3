/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The hypervisor's real writer of trace records against dom0's real reader, in a ring of exactly one page, so that the
 * address sanitizer sees every byte outside of it.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include "trace/ring.h"
#include "dom0-tools/trace/ring.h"
#include "tests/unit/run_suite.h"

#define PAGE  4096u
#define EVENT TRC_PV_HYPERCALL_V2

static struct t_buf *page;
static struct trace_ring writer;
static struct trace_reader reader;

static void fresh(void)
{
    free(page);
    page = calloc(1, PAGE);
    writer = (struct trace_ring){.shared = page, .size = PAGE - sizeof(*page)};
    trace_reader_init(&reader, 3, page, 1);
}

/* The number of a record is its time and its first word; the others follow from it. */
static bool put(u32 number, unsigned words)
{
    u32 extra[7];

    for (u32 i = 0; i < 7; i++)
        extra[i] = number + i;
    return ring_put(&writer, EVENT, extra, words, 1000 + number, 0x10000);
}

/* Guards against a record that is torn, doubled or lost without being counted, wherever in the ring it lies. */
START_TEST(all_is_read_or_counted)
{
    uint32_t written = 0, read = 0, next = 0, heard = 0;
    struct trace_record record;

    fresh();
    srand((unsigned)_i);
    while (written < 20000) {
        for (int i = rand() % 200; i > 0; i--)
            heard += put(written++, 1 + (unsigned)rand() % 7);
        for (int i = rand() % 200; i > 0 && trace_read(&reader, &record); i--) {
            if (record.event == TRC_LOST_RECORDS) {
                next += record.extra[0];
                continue;
            }
            ck_assert_uint_eq(record.event, EVENT);
            ck_assert_uint_eq(record.cpu, 3);
            ck_assert_uint_eq(record.extra[0], next);
            ck_assert_uint_eq(record.extra[record.words - 1], next + record.words - 1u);
            ck_assert_uint_eq(record.tsc, 1000 + next);
            next++;
            read++;
        }
    }
    ck_assert_uint_eq(reader.broken, 0);
    ck_assert_uint_gt(reader.lost, 0);
    ck_assert_uint_eq(read + reader.lost, next);
    ck_assert_uint_gt(heard, 10);
}
END_TEST

/* Guards against a dom0 that is told once for each record of a full ring, or never. */
START_TEST(half_full_is_told_once)
{
    unsigned heard = 0;

    fresh();
    for (u32 i = 0; i < 1000; i++)
        heard += put(i, 7);
    ck_assert_uint_eq(heard, 1);
}
END_TEST

/* Guards against a writer that believes the reader's mark: it would write anywhere. */
START_TEST(any_mark_of_the_reader)
{
    fresh();
    srand((unsigned)_i);
    for (u32 i = 0; i < 20000; i++) {
        if (rand() % 4 == 0)
            page->cons = rand() % 2 ? (u32)rand() * 2u : (u32)rand() % (2 * PAGE);
        page->prod = (u32)rand();
        (void)put(i, 1 + (unsigned)rand() % 7);
        ck_assert_uint_lt(page->prod, 2 * writer.size);
        ck_assert_uint_eq(page->prod % 4, 0);
    }
}
END_TEST

/* Guards against a reader that runs out of the ring, or for ever, when what stands there is nonsense. */
START_TEST(any_contents)
{
    struct trace_record record;
    unsigned taken;

    fresh();
    srand((unsigned)_i);
    for (int round = 0; round < 300; round++) {
        for (u32 i = 0; i < PAGE / 4; i++)
            ((u32 *)page)[i] = rand() % 3 ? (u32)rand() : (u32)rand() << 28;
        page->prod = rand() % 3 ? (u32)rand() % (2 * PAGE) & ~3u : (u32)rand();
        for (taken = 0; trace_read(&reader, &record); taken++)
            ck_assert_uint_le(record.words, TRACE_EXTRA_MAX);
        ck_assert_uint_le(taken, PAGE / 4);
        ck_assert_uint_lt(reader.cons, 2 * reader.size);
    }
    ck_assert_uint_gt(reader.broken, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("trace_ring");
    TCase *cases = tcase_create("ring");

    tcase_add_loop_test(cases, all_is_read_or_counted, 0, 8);
    tcase_add_test(cases, half_full_is_told_once);
    tcase_add_loop_test(cases, any_mark_of_the_reader, 0, 4);
    tcase_add_loop_test(cases, any_contents, 0, 4);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
