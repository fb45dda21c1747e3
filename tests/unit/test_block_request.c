/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Block rings of both widths as a backend reads them. A frontend of the other width lays its ring out in its own way: a
 * backend that confused them would take a sector number for a grant reference. And whatever stands in an entry, nothing
 * outside it is read and nothing outside the ring is written.
 */
#include <check.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <abi/io/blkif_widths.h>

#include "dom0-tools/block/request.h"
#include "tests/unit/run_suite.h"

#define RING_BYTES 4096u

static const enum block_protocol both[] = {BLOCK_X86_32, BLOCK_X86_64};

/* A ring of exactly its size, so that the sanitizer sees a byte too much. */
static void *make_ring(size_t bytes)
{
    void *ring = calloc(1, bytes);

    ck_assert_ptr_nonnull(ring);
    return ring;
}

START_TEST(protocols_by_name)
{
    enum block_protocol protocol;

    ck_assert(block_protocol_parse("x86_32-abi", &protocol));
    ck_assert_int_eq(protocol, BLOCK_X86_32);
    ck_assert(block_protocol_parse("x86_64-abi", &protocol));
    ck_assert_int_eq(protocol, BLOCK_X86_64);
    ck_assert(block_protocol_parse(NULL, &protocol));
    ck_assert_int_eq(protocol, BLOCK_X86_64); /* the testing machine's own */
    ck_assert(!block_protocol_parse("arm-abi", &protocol));
    ck_assert(!block_protocol_parse("", &protocol));
}
END_TEST

/* Linux counts 32 entries in a page for either width; more pages hold more than in proportion. */
START_TEST(ring_sizes)
{
    for (int i = 0; i < 2; i++) {
        ck_assert_uint_eq(block_ring_entries(both[i], 4096), 32);
        ck_assert_uint_eq(block_ring_entries(both[i], 8192), 64);
        ck_assert_uint_eq(block_ring_entries(both[i], 16 * 4096), 512);
    }
}
END_TEST

START_TEST(reads_the_layout_of_32_bit)
{
    struct blkif_x86_32_sring *ring = make_ring(RING_BYTES);
    struct blkif_x86_32_request *request = &ring->ring[5].req;
    struct block_request out;

    *request = (struct blkif_x86_32_request){.operation = BLKIF_OP_WRITE,
                                             .nr_segments = 2,
                                             .handle = 0x1234,
                                             .id = 0x1122334455667788,
                                             .sector_number = 0x99aabbccdd};
    request->seg[1] = (struct blkif_request_segment){.gref = 77, .first_sect = 3, .last_sect = 4};
    block_request_read(BLOCK_X86_32, ring, 32, 5 + 32 * 7, &out);
    ck_assert_uint_eq(out.operation, BLKIF_OP_WRITE);
    ck_assert(!out.indirect);
    ck_assert_uint_eq(out.segment_count, 2);
    ck_assert_uint_eq(out.id, 0x1122334455667788);
    ck_assert_uint_eq(out.sector, 0x99aabbccdd);
    ck_assert_uint_eq(out.segments[1].gref, 77);
    ck_assert_uint_eq(out.segments[1].first_sect, 3);
    ck_assert_uint_eq(out.segments[1].last_sect, 4);
    free(ring);
}
END_TEST

START_TEST(reads_the_layout_of_64_bit)
{
    struct blkif_x86_64_sring *ring = make_ring(RING_BYTES);
    struct blkif_x86_64_request_indirect *request = (void *)&ring->ring[31].req;
    struct block_request out;

    *request = (struct blkif_x86_64_request_indirect){.operation = BLKIF_OP_INDIRECT,
                                                      .indirect_op = BLKIF_OP_READ,
                                                      .nr_segments = 256,
                                                      .id = 42,
                                                      .sector_number = 1ull << 40};
    request->indirect_grefs[7] = 4711;
    block_request_read(BLOCK_X86_64, ring, 32, UINT32_MAX, &out);
    ck_assert(out.indirect);
    ck_assert_uint_eq(out.operation, BLKIF_OP_READ);
    ck_assert_uint_eq(out.segment_count, 256);
    ck_assert_uint_eq(out.id, 42);
    ck_assert_uint_eq(out.sector, 1ull << 40);
    ck_assert_uint_eq(out.indirect_grefs[7], 4711);
    free(ring);
}
END_TEST

/* The last entry's last byte is the ring's last that may be touched, read and written. */
START_TEST(stays_inside_the_ring)
{
    for (int i = 0; i < 2; i++) {
        size_t entry =
            both[i] == BLOCK_X86_32 ? sizeof(union blkif_x86_32_sring_entry) : sizeof(union blkif_x86_64_sring_entry);
        char *ring = make_ring(64 + 32 * entry);
        struct block_request out;

        for (uint32_t index = 0; index < 64; index++) {
            ring[64 + (index & 31) * entry] = index & 1 ? BLKIF_OP_INDIRECT : BLKIF_OP_READ;
            block_request_read(both[i], ring, 32, index, &out);
            block_response_write(both[i], ring, 32, index, index, 3, -1);
        }
        free(ring);
    }
}
END_TEST

/* Requests are never taken back, and never more than there is room for: indices wrap, and so do the judgements. */
START_TEST(producers_go_forward)
{
    for (uint32_t start = 0; start < 3; start++) {
        uint32_t answered = start * 0x7ffffffeu, taken = answered + 10;

        ck_assert(block_producer_check(taken, taken, answered, 32));
        ck_assert(block_producer_check(taken + 22, taken, answered, 32));
        ck_assert(!block_producer_check(taken + 23, taken, answered, 32));
        ck_assert(!block_producer_check(taken - 1, taken, answered, 32));
        ck_assert(!block_producer_check(answered, taken, answered, 32));
        ck_assert(!block_producer_check(answered - 1, taken, answered, 32));
    }
}
END_TEST

/* What lies between the members of an answer is the guest's to read: what is stored there would be the back end's stack. */
START_TEST(answers_have_no_padding)
{
    for (unsigned int i = 0; i < 2; i++) {
        uint8_t *ring = make_ring(RING_BYTES);

        memset(ring, 0xA5, RING_BYTES);
        block_response_write(both[i], ring, 32, 0, 0, 0, 0);
        for (unsigned int at = 0; at < 64; at++)
            ck_assert_uint_eq(ring[offsetof(struct blkif_x86_32_sring, ring) + at],
                              at < 9 || at == 10 || at == 11 ? 0 : 0xA5);
        free(ring);
    }
}
END_TEST

START_TEST(answers_in_the_layout_asked_for)
{
    struct blkif_x86_32_sring *narrow = make_ring(RING_BYTES);
    struct blkif_x86_64_sring *wide = make_ring(RING_BYTES);

    block_response_write(BLOCK_X86_32, narrow, 32, 33, 0x8877665544332211, BLKIF_OP_WRITE, BLKIF_RSP_ERROR);
    block_response_write(BLOCK_X86_64, wide, 32, 33, 0x8877665544332211, BLKIF_OP_WRITE, BLKIF_RSP_EOPNOTSUPP);
    ck_assert_uint_eq(narrow->ring[1].rsp.id, 0x8877665544332211);
    ck_assert_int_eq(narrow->ring[1].rsp.status, BLKIF_RSP_ERROR);
    ck_assert_uint_eq(wide->ring[1].rsp.id, 0x8877665544332211);
    ck_assert_int_eq(wide->ring[1].rsp.status, BLKIF_RSP_EOPNOTSUPP);
    ck_assert_uint_eq(wide->ring[1].rsp.operation, BLKIF_OP_WRITE);
    free(narrow);
    free(wide);
}
END_TEST

static int judge(uint8_t operation, bool indirect, uint16_t segments)
{
    struct block_request request = {.operation = operation, .indirect = indirect, .segment_count = segments};

    return block_request_check(&request, 256);
}

START_TEST(segment_counts)
{
    ck_assert_int_eq(judge(BLKIF_OP_READ, false, 0), BLKIF_RSP_ERROR);
    ck_assert_int_eq(judge(BLKIF_OP_READ, false, 11), BLKIF_RSP_OKAY);
    ck_assert_int_eq(judge(BLKIF_OP_WRITE, false, 12), BLKIF_RSP_ERROR);
    ck_assert_int_eq(judge(BLKIF_OP_WRITE, false, 255), BLKIF_RSP_ERROR);
    ck_assert_int_eq(judge(BLKIF_OP_READ, true, 0), BLKIF_RSP_ERROR);
    ck_assert_int_eq(judge(BLKIF_OP_READ, true, 256), BLKIF_RSP_OKAY);
    ck_assert_int_eq(judge(BLKIF_OP_WRITE, true, 257), BLKIF_RSP_ERROR);
    ck_assert_int_eq(judge(BLKIF_OP_WRITE, true, 65535), BLKIF_RSP_ERROR);
    ck_assert_int_eq(judge(BLKIF_OP_FLUSH_DISKCACHE, false, 0), BLKIF_RSP_OKAY);
    ck_assert_int_eq(judge(BLKIF_OP_FLUSH_DISKCACHE, true, 1), BLKIF_RSP_ERROR);
    ck_assert_int_eq(judge(BLKIF_OP_WRITE_BARRIER, false, 12), BLKIF_RSP_ERROR);
}
END_TEST

/* Discarding was not offered, 4 is reserved, an indirect request inside an indirect one makes no sense. */
START_TEST(unknown_operations)
{
    ck_assert_int_eq(judge(BLKIF_OP_DISCARD, false, 1), BLKIF_RSP_EOPNOTSUPP);
    ck_assert_int_eq(judge(BLKIF_OP_RESERVED_1, false, 1), BLKIF_RSP_EOPNOTSUPP);
    ck_assert_int_eq(judge(255, false, 1), BLKIF_RSP_EOPNOTSUPP);
    ck_assert_int_eq(judge(BLKIF_OP_INDIRECT, true, 1), BLKIF_RSP_EOPNOTSUPP);
    ck_assert_int_eq(judge(BLKIF_OP_DISCARD, true, 1), BLKIF_RSP_EOPNOTSUPP);
}
END_TEST

START_TEST(segments_inside_their_page)
{
    struct blkif_request_segment segments[2] = {{1, 0, 7}, {2, 3, 3}};
    uint32_t sectors;

    ck_assert(block_segments_check(segments, 2, &sectors));
    ck_assert_uint_eq(sectors, 9);
    segments[1].last_sect = 8;
    ck_assert(!block_segments_check(segments, 2, &sectors));
    segments[1].last_sect = 2;
    ck_assert(!block_segments_check(segments, 2, &sectors));
    segments[1].first_sect = 255;
    segments[1].last_sect = 255;
    ck_assert(!block_segments_check(segments, 2, &sectors));
    ck_assert_uint_eq(block_indirect_pages(1), 1);
    ck_assert_uint_eq(block_indirect_pages(512), 1);
    ck_assert_uint_eq(block_indirect_pages(513), 2);
    ck_assert_uint_eq(block_indirect_pages(65535), 8);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("block_request");
    TCase *layout = tcase_create("layout"), *rules = tcase_create("rules");

    tcase_add_test(layout, protocols_by_name);
    tcase_add_test(layout, ring_sizes);
    tcase_add_test(layout, producers_go_forward);
    tcase_add_test(layout, reads_the_layout_of_32_bit);
    tcase_add_test(layout, reads_the_layout_of_64_bit);
    tcase_add_test(layout, stays_inside_the_ring);
    tcase_add_test(layout, answers_in_the_layout_asked_for);
    tcase_add_test(layout, answers_have_no_padding);
    tcase_add_test(rules, segment_counts);
    tcase_add_test(rules, unknown_operations);
    tcase_add_test(rules, segments_inside_their_page);
    suite_add_tcase(suite, layout);
    suite_add_tcase(suite, rules);
    return run_suite(suite);
}
