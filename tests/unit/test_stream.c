/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Saved domains that are good, and every way of being bad that the format knows: one field changed, records out of order,
 * a stream that ends too early, bits that flipped. The reader must say which record it was and where, and never crash.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/stream/sample.h"
#include "tests/unit/run_suite.h"

static const struct sample small = {.width = 8, .vcpus = 1, .pages = 4, .rounds = 1, .optional = true};
static struct stream_error error;
static struct sample_totals totals;

static int read_memory(struct memory *memory)
{
    struct byte_source source = memory_source(memory);

    memory->at = 0;
    error.text[0] = '\0';
    return sample_read(&source, &error, &totals);
}

static void expect_refusal(struct memory *memory, const char *words)
{
    ck_assert_int_eq(read_memory(memory), -1);
    ck_assert_msg(strstr(error.text, words) != NULL, "\"%s\" lacks \"%s\"", error.text, words);
    ck_assert_msg(strstr(error.text, "at offset 0x") != NULL, "\"%s\" names no offset", error.text);
}

/* Guards against a reader and a writer that disagree, whatever the shape, and however the bytes arrive. */
START_TEST(what_is_written_can_be_read)
{
    static const struct sample shapes[] = {
        {8, 1, 1, 1, false, false},   {8, 32, 700, 1, true, false}, {4, 1, 1, 1, false, false},
        {4, 7, 1100, 2, true, false}, {8, 2, 513, 3, false, false}, {4, 2, 13, 1, false, true},
    };
    static const size_t chunks[] = {0, 7, 4096};

    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        for (size_t j = 0; j < sizeof(chunks) / sizeof(chunks[0]); j++) {
            struct memory memory = {.chunk = chunks[j]};

            sample_write(&memory, &shapes[i], sample_json);
            ck_assert_msg(read_memory(&memory) == 0, "%s", error.text);
            ck_assert_uint_eq(memory.at, memory.used);
            ck_assert_uint_eq(totals.pages, (uint64_t)shapes[i].pages * (shapes[i].rounds + shapes[i].verify));
            ck_assert_uint_eq(totals.vcpus, shapes[i].vcpus);
            memory_free(&memory);
        }
    }
}
END_TEST

/* Guards against a configuration that is cut, or has something behind it. */
START_TEST(the_configuration_comes_back)
{
    char *long_one = malloc(STREAM_CONFIG_MAX), *json;
    struct memory memory = {0};
    struct byte_source source = memory_source(&memory);
    struct byte_sink sink = memory_sink(&memory);
    struct stream_reader reader;
    struct stream_writer writer;

    memset(long_one, ' ', STREAM_CONFIG_MAX);
    long_one[STREAM_CONFIG_MAX - 1] = '\0';
    sample_write(&memory, &small, long_one);
    stream_reader_start(&reader, &source, &error);
    json = stream_read_file_header(&reader);
    ck_assert_ptr_nonnull(json);
    ck_assert_str_eq(json, long_one);
    free(json);
    long_one = realloc(long_one, STREAM_CONFIG_MAX + 1);
    strcpy(long_one + STREAM_CONFIG_MAX - 1, "x");
    stream_writer_start(&writer, &sink);
    ck_assert_int_eq(stream_write_file_header(&writer, long_one), -E2BIG);
    ck_assert_int_eq(stream_write_outer_begin(&writer), -E2BIG);
    free(long_one);
    memory_free(&memory);
}
END_TEST

/* Guards against a full disk that goes unnoticed after its first error. */
START_TEST(a_failure_of_the_sink_stays)
{
    struct memory memory = {.fails = -ENOSPC};
    struct byte_sink sink = memory_sink(&memory);
    struct stream_writer writer;

    stream_writer_start(&writer, &sink);
    ck_assert_int_eq(stream_write_inner_begin(&writer), -ENOSPC);
    memory.fails = 0;
    ck_assert_int_eq(stream_write_record(&writer, STREAM_END, NULL, 0), -ENOSPC);
    ck_assert_int_eq(stream_write_outer_end(&writer), -ENOSPC);
    ck_assert_uint_eq(writer.offset, 0);
    ck_assert_uint_eq(memory.used, 0);
}
END_TEST

START_TEST(a_failure_of_the_source_is_told)
{
    struct memory memory = {0};

    sample_write(&memory, &small, sample_json);
    memory.fails = -EIO;
    expect_refusal(&memory, "cannot read on at offset 0x0: Input/output error");
    memory_free(&memory);
}
END_TEST

/* Guards against a body beyond what a reader can take: it must be refused where it is made. */
START_TEST(a_record_too_large_is_not_written)
{
    struct memory memory = {0};
    struct byte_sink sink = memory_sink(&memory);
    struct stream_writer writer;
    uint8_t *body = calloc(1, STREAM_BODY_MAX + 1);

    stream_writer_start(&writer, &sink);
    ck_assert_int_eq(
        stream_write_record(&writer, STREAM_PAGE_DATA, &(struct stream_part){body, STREAM_BODY_MAX + 1}, 1), -E2BIG);
    ck_assert_uint_eq(memory.used, 0);
    free(body);
}
END_TEST

enum place { FILE_HEADER, OUTER_HEADER, IMAGE_HEADER, RECORD };

static size_t find_place(const struct memory *memory, enum place place, uint32_t type)
{
    switch (place) {
    case FILE_HEADER:
        return 0;
    case OUTER_HEADER:
        return sample_outer(memory);
    case IMAGE_HEADER:
        return sample_outer(memory) + 24;
    default:
        return sample_find(memory, type);
    }
}

/* A field of `size` bytes, little-endian, at an offset from the place: a record's header has 8 bytes, then its body. */
static const struct {
    enum place place;
    uint32_t type;
    size_t offset;
    uint64_t value;
    size_t size;
    const char *words;
} changes[] = {
    {FILE_HEADER, 0, 3, 'x', 1, "file header at offset 0x0: this is not a saved domain"},
    {FILE_HEADER, 0, 32, 0x04030201, 4, "the byte order mark is 0x4030201"},
    {FILE_HEADER, 0, 36, 7, 4, "the mandatory flags are 0x7: only 0x3 are known"},
    {FILE_HEADER, 0, 36, 1, 4, "a legacy stream of Xen 4.5 or older"},
    {FILE_HEADER, 0, 36, 2, 4, "the configuration is not JSON"},
    {FILE_HEADER, 0, 44, 5, 4, "5 bytes of optional data hold no configuration"},
    {FILE_HEADER, 0, 44, 0xFFFFFFFF, 4, "4294967295 bytes of optional data are announced: at most 2097152"},
    {FILE_HEADER, 0, 48, 0xFFFFFFFF, 4, "the configuration has 4294967295 bytes: 2 to "},
    {FILE_HEADER, 0, 48, 0, 4, "the configuration has 0 bytes"},
    {FILE_HEADER, 0, 48, 20, 4, "the configuration's 20 bytes do not end with its only NUL"},
    {FILE_HEADER, 0, 60, 0, 1, "do not end with its only NUL"},
    {OUTER_HEADER, 0, 0, 'X', 1, "libxl stream header at offset 0x"},
    {OUTER_HEADER, 0, 11, 1, 1, "the version is 1: only version 2"},
    {OUTER_HEADER, 0, 15, 1, 1, "a big-endian stream"},
    {OUTER_HEADER, 0, 15, 2, 1, "converted from a legacy one"},
    {OUTER_HEADER, 0, 15, 4, 1, "none but bits 0 and 1 are known"},
    {OUTER_HEADER, 0, 16, 0, 4, "libxl record 1 (END, type 0) at offset 0xa3: LIBXC_CONTEXT must come here"},
    {OUTER_HEADER, 0, 16, 2, 4, "(EMULATOR_XENSTORE_DATA, type 0x2) at offset 0xa3: the state of a device model"},
    {OUTER_HEADER, 0, 16, 3, 4, "the state of a device model belongs to an HVM guest"},
    {OUTER_HEADER, 0, 16, 4, 4, "a stream with checkpoints (Remus, COLO)"},
    {OUTER_HEADER, 0, 16, 5, 4, "a stream with checkpoints (Remus, COLO)"},
    {OUTER_HEADER, 0, 16, 6, 4, "a mandatory record of this type is not known: 0 to 0x5 are"},
    {OUTER_HEADER, 0, 20, 8, 4, "the body has 8 bytes: it must be empty"},
    {IMAGE_HEADER, 0, 0, 0, 1, "the marker is 0xffffffffffffff: it must be 0xffffffffffffffff"},
    {IMAGE_HEADER, 0, 8, 'Y', 1, "the identifier is 0x59454e46: it must be 0x58454e46"},
    {IMAGE_HEADER, 0, 15, 1, 1, "the version is 1: only 2 and 3"},
    {IMAGE_HEADER, 0, 15, 4, 1, "the version is 4: only 2 and 3"},
    {IMAGE_HEADER, 0, 17, 1, 1, "a big-endian stream"},
    {IMAGE_HEADER, 0, 17, 2, 1, "none but bit 0 is known"},
    {IMAGE_HEADER, 0, 24, 2, 4, "the domain's type is 2, HVM: only PV guests"},
    {IMAGE_HEADER, 0, 24, 9, 4, "the domain's type is 9"},
    {IMAGE_HEADER, 0, 28, 13, 2, "the page shift is 13: only 12"},
    {IMAGE_HEADER, 0, 32, 0, 4, "converted from a legacy one"},
    {RECORD, STREAM_PV_INFO, 0, 0x55, 4, "record 1 (unknown, type 0x55) at offset 0x"},
    {RECORD, STREAM_PV_INFO, 4, 16, 4,
     "record 1 (X86_PV_INFO, type 0x2) at offset 0xd3: the body has 16 bytes: it must have 8"},
    {RECORD, STREAM_PV_INFO, 8, 6, 1, "the guest's width is 6: it must be 4 or 8"},
    {RECORD, STREAM_PV_INFO, 9, 3, 1, "a guest of width 8 has 3 levels"},
    {RECORD, STREAM_CPUID_POLICY, 4, 47, 4, "the body has 47 bytes: it must have 24 for each of 1 to 1024 entries"},
    {RECORD, STREAM_CPUID_POLICY, 4, 0, 4, "the body has 0 bytes: it must have 24"},
    {RECORD, STREAM_MSR_POLICY, 4, 9, 4, "the padding after 9 bytes of body is not zero"},
    {RECORD, STREAM_STATIC_DATA_END, 4, 8, 4, "(STATIC_DATA_END, type 0x10) at offset"},
    {RECORD, STREAM_PV_P2M_FRAMES, 4, 8, 4, "the body has 8 bytes: it must have 8, and 8 for each of one or more"},
    {RECORD, STREAM_PV_P2M_FRAMES, 8, 9, 4, "the first pfn, 0x9, is above the last, 0x3"},
    {RECORD, STREAM_PV_P2M_FRAMES, 12, 0xFFFFFFFF, 4, "the last pfn is 0xffffffff: it must be below 0x100000"},
    {RECORD, STREAM_PV_P2M_FRAMES, 12, 512, 4, "the body names 1 frames: the pfns 0 to 0x200 need 2"},
    {RECORD, STREAM_PV_P2M_FRAMES, 16, 4, 8, "frame 0 is at pfn 0x4: it must be at most 0x3"},
    {RECORD, STREAM_PV_P2M_FRAMES, 16, 1ull << 63, 8, "frame 0 is at pfn 0x8000000000000000"},
    {RECORD, STREAM_PAGE_DATA, 4, 0x800001, 4, "the body has 8388609 bytes: at most 8388608 are possible"},
    {RECORD, STREAM_PAGE_DATA, 4, 4, 4, "the body has 4 bytes: it must have at least 8"},
    {RECORD, STREAM_PAGE_DATA, 8, 0, 4, "the record counts 0 pages: 1 to 1024"},
    {RECORD, STREAM_PAGE_DATA, 8, 0xFFFFFFFF, 4, "the record counts 4294967295 pages"},
    {RECORD, STREAM_PAGE_DATA, 8, 3, 4, "3 pages, 3 of them with data, need 12320"},
    {RECORD, STREAM_PAGE_DATA, 16, 4, 8, "page 0 is pfn 0x4: it must be below 0x4"},
    {RECORD, STREAM_PAGE_DATA, 16, 1ull << 51, 8, "page 0 is pfn 0x8000000000000"},
    {RECORD, STREAM_PAGE_DATA, 16, 1ull << 52, 8, "page 0 has reserved bits set: 0x10000000000000"},
    {RECORD, STREAM_PAGE_DATA, 16, 5ull << 60, 8, "page 0, pfn 0, has type 5: 0 to 4, 9 to 12 and 13 to 15"},
    {RECORD, STREAM_PAGE_DATA, 16, 8ull << 60, 8, "page 0, pfn 0, has type 8"},
    {RECORD, STREAM_PAGE_DATA, 16, 15ull << 60, 8, "4 pages, 3 of them with data, need 12328"},
    {RECORD, STREAM_PAGE_DATA, 16, 3, 8, "pfn 0x3 is in the record twice"},
    {RECORD, STREAM_TSC_INFO, 4, 32, 4, "the body has 32 bytes: it must have 24"},
    {RECORD, STREAM_TSC_INFO, 8, 4, 4, "the TSC mode is 4: 0 to 3"},
    {RECORD, STREAM_SHARED_INFO, 4, 4088, 4, "the body has 4088 bytes: it must have 4096"},
    {RECORD, STREAM_PV_VCPU_BASIC, 4, 4, 4, "the body has 4 bytes: it must have at least 8"},
    {RECORD, STREAM_PV_VCPU_BASIC, 4, 2808, 4, "the context of vCPU 0 has 2800 bytes: a guest of width 8 has 5168"},
    {RECORD, STREAM_PV_VCPU_BASIC, 8, 32, 4, "there is no vCPU 32: the domain has 32"},
    {RECORD, STREAM_PV_VCPU_EXTENDED, 8, 1, 4, "no X86_PV_VCPU_BASIC of vCPU 1 came before it"},
    {RECORD, STREAM_PV_VCPU_EXTENDED, 16, 1, 4, "the extended context of vCPU 0 says it is of vCPU 1"},
    {RECORD, STREAM_PV_VCPU_EXTENDED, 20, 65, 4, "the extended context of vCPU 0 has 64 bytes and says 65"},
    {RECORD, STREAM_PV_VCPU_EXTENDED, 4, 8 + 136, 4, "has 136 bytes: 8 to 128 are possible"},
    {RECORD, STREAM_PV_VCPU_XSAVE, 4, 16, 4, "the extended registers of vCPU 0 have 8 bytes: 16 to 16400"},
    {RECORD, STREAM_PV_VCPU_MSRS, 4, 32, 4, "the MSRs of vCPU 0 have 24 bytes: 16 for each of at most 64"},
    {RECORD, STREAM_END, 4, 8, 4, "(END, type 0) at offset"},
};

/* Guards against a field that nobody looks at before it is used. */
START_TEST(a_changed_field_is_refused)
{
    struct memory memory = {0};
    size_t at;

    sample_write(&memory, &small, sample_json);
    if (changes[_i].type == STREAM_MSR_POLICY)
        memset(memory.data + sample_find(&memory, STREAM_MSR_POLICY) + 8, 0xFF, 16);
    at = find_place(&memory, changes[_i].place, changes[_i].type) + changes[_i].offset;
    memcpy(memory.data + at, &changes[_i].value, changes[_i].size);
    expect_refusal(&memory, changes[_i].words);
    memory_free(&memory);
}
END_TEST

/* Guards against an outer stream that goes on where it should end: what follows would be ignored. */
START_TEST(the_outer_stream_ends_behind_the_inner)
{
    struct memory memory = {0};

    sample_write(&memory, &small, sample_json);
    memory.data[memory.used - 8] = 1;
    expect_refusal(&memory, "libxl record 2 (LIBXC_CONTEXT, type 0x1)");
    memory.data[memory.used - 8] = 4;
    expect_refusal(&memory, "a stream with checkpoints");
    memory_free(&memory);
}
END_TEST

/* Guards against reserved fields that a later version may use: this one ignores them. */
START_TEST(reserved_fields_are_ignored)
{
    struct memory memory = {0};
    size_t image;

    sample_write(&memory, &small, sample_json);
    image = sample_outer(&memory) + 24;
    memory.data[image + 18] = 1;
    memory.data[image + 30] = 1;
    memory.data[sample_find(&memory, STREAM_PV_INFO) + 10] = 1;
    memory.data[sample_find(&memory, STREAM_PAGE_DATA) + 12] = 1;
    memory.data[sample_find(&memory, STREAM_PV_VCPU_BASIC) + 12] = 1;
    memory.data[sample_find(&memory, STREAM_TSC_INFO) + 8 + 20] = 1;
    ck_assert_msg(read_memory(&memory) == 0, "%s", error.text);
    memory_free(&memory);
}
END_TEST

/* Guards against half a domain that is taken for a whole one. */
START_TEST(a_stream_that_ends_early_is_refused)
{
    struct memory memory = {0};
    size_t whole;

    sample_write(&memory, &(struct sample){.width = 4, .vcpus = 1, .pages = 1, .rounds = 1, .optional = true},
                 sample_json);
    whole = memory.used;
    for (memory.used = 0; memory.used < whole; memory.used++)
        expect_refusal(&memory, "the stream ends at offset");
    memory_free(&memory);
}
END_TEST

/* Guards against a crash, or a refusal without words, for anything that one flipped bit can make of a stream. */
START_TEST(flipped_bits_do_no_harm)
{
    struct memory memory = {0};
    unsigned int refused = 0;

    srand(7);
    sample_write(&memory, &small, sample_json);
    for (unsigned int i = 0; i < 20000; i++) {
        size_t at = (size_t)rand() % memory.used;
        uint8_t bit = (uint8_t)(1u << (rand() % 8));

        if (i % 4 != 0) /* mostly where structure is */
            at = at % 512;
        memory.data[at] ^= bit;
        if (read_memory(&memory) != 0) {
            ck_assert_ptr_nonnull(strstr(error.text, "at offset "));
            refused++;
        }
        memory.data[at] ^= bit;
    }
    ck_assert_uint_gt(refused, 5000);
    ck_assert_int_eq(read_memory(&memory), 0);
    memory_free(&memory);
}
END_TEST

/* Guards against the same for bytes that have nothing to do with a stream, and for records put together at random. */
START_TEST(random_records_do_no_harm)
{
    srand(11);
    for (unsigned int i = 0; i < 3000; i++) {
        struct memory memory = {0};
        struct byte_sink sink = memory_sink(&memory);
        struct stream_writer writer;
        uint8_t body[256];

        sample_write(&memory, &small, sample_json);
        memory.used = sample_find(&memory, i % 2 == 0 ? STREAM_PV_INFO : STREAM_PAGE_DATA);
        stream_writer_start(&writer, &sink);
        for (unsigned int j = 0; j < 8; j++) {
            for (size_t k = 0; k < sizeof(body); k++)
                body[k] = (uint8_t)(rand() % (k < 16 ? 8 : 256));
            sample_record(&writer, (uint32_t)rand() % (STREAM_RECORD_TYPES + 1), body, (size_t)rand() % sizeof(body));
        }
        ck_assert_int_eq(read_memory(&memory), -1);
        ck_assert_ptr_nonnull(strstr(error.text, "at offset 0x"));
        memory_free(&memory);
    }
}
END_TEST

#define I STREAM_PV_INFO
#define S STREAM_STATIC_DATA_END
#define F STREAM_PV_P2M_FRAMES
#define P STREAM_PAGE_DATA
#define H STREAM_SHARED_INFO
#define B STREAM_PV_VCPU_BASIC
#define X STREAM_PV_VCPU_XSAVE
#define E STREAM_END

/* Sequences of records, all for vCPU 0, up to the one that is refused; "" where none is. */
static const struct {
    uint32_t version;
    uint8_t types[12];
    unsigned int count;
    const char *words;
} orders[] = {
    {3, {I, S, F, P, H, B, E}, 7, ""},
    {3, {STREAM_CPUID_POLICY, I, STREAM_MSR_POLICY, S, F, P, STREAM_VERIFY, P, STREAM_TSC_INFO, H, B, E}, 12, ""},
    {2, {I, F, P, P, H, B, X, E}, 8, ""},
    {2, {I, S}, 2, "(STATIC_DATA_END, type 0x10) at offset 0x0: a stream of version 2 cannot have it"},
    {2, {I, STREAM_CPUID_POLICY}, 2, "a stream of version 2 cannot have it"},
    {2, {F}, 1, "no X86_PV_INFO came before it"},
    {2, {I, P}, 2, "came before it"},
    {3, {S}, 1, "(STATIC_DATA_END, type 0x10) at offset 0x0: no X86_PV_INFO came before it"},
    {3, {I, I}, 2, "there was one already"},
    {3, {I, S, I}, 3, "it came after STATIC_DATA_END: it must come before"},
    {3, {I, S, S}, 3, "there was one already"},
    {3, {I, S, STREAM_CPUID_POLICY}, 3, "it came after STATIC_DATA_END"},
    {3, {I, STREAM_MSR_POLICY, STREAM_MSR_POLICY}, 3, "there was one already"},
    {3, {I, F}, 2, "no STATIC_DATA_END came before it"},
    {3, {I, S, P}, 3, "no X86_PV_P2M_FRAMES came before it"},
    {3, {I, S, F, F}, 4, "there was one already"},
    {3, {I, S, F, P, F}, 5, "it came after PAGE_DATA"},
    {3, {I, S, F, H}, 4, "no PAGE_DATA came before it"},
    {3, {I, S, F, B}, 4, "no PAGE_DATA came before it"},
    {3, {I, S, F, STREAM_VERIFY}, 4, "no PAGE_DATA came before it"},
    {3, {I, S, F, P, STREAM_VERIFY, STREAM_VERIFY}, 6, "there was one already"},
    {3, {I, S, F, P, H, P}, 6, "it came after SHARED_INFO"},
    {3, {I, S, F, P, B, P}, 6, "it came after X86_PV_VCPU_BASIC"},
    {3, {I, S, F, P, H, H}, 6, "there was one already"},
    {3, {I, S, STREAM_TSC_INFO, STREAM_TSC_INFO}, 4, "there was one already"},
    {3, {I, S, F, P, X}, 5, "no X86_PV_VCPU_BASIC of vCPU 0 came before it"},
    {3, {I, S, F, P, B, B}, 6, "there was one for vCPU 0 already"},
    {3, {I, S, F, P, B, X, X}, 7, "there was one for vCPU 0 already"},
    {3, {E}, 1, "(END, type 0) at offset 0x0: no PAGE_DATA came before it"},
    {3, {I, S, F, P, H, E}, 6, "no X86_PV_VCPU_BASIC came before it"},
    {3, {I, S, F, P, B, E}, 6, "no SHARED_INFO came before it"},
    {3, {I, S, F, P, H, B, E, E}, 8, "END came before it: nothing may follow"},
    {3, {STREAM_HVM_CONTEXT}, 1, "it belongs to an HVM guest"},
    {3, {STREAM_HVM_PARAMS}, 1, "it belongs to an HVM guest"},
    {3, {STREAM_TOOLSTACK}, 1, "no longer in use"},
    {3, {I, S, F, P, STREAM_CHECKPOINT}, 5, "a stream with checkpoints (Remus, COLO)"},
    {3, {STREAM_CHECKPOINT_DIRTY_PFN_LIST}, 1, "a stream with checkpoints (Remus, COLO)"},
};

/* Guards against a record that finds nothing of what it builds upon, or undoes what another has built. */
START_TEST(records_come_in_order)
{
    static const uint8_t body[8];
    struct memory memory = {0};
    struct byte_source source = memory_source(&memory);
    struct stream_reader reader;
    struct stream_order order;
    int status = 0;

    stream_reader_start(&reader, &source, &error);
    reader.layer = STREAM_LAYER_INNER;
    reader.version = orders[_i].version;
    stream_order_start(&order);
    for (unsigned int i = 0; i < orders[_i].count; i++) {
        struct stream_record record = {.type = orders[_i].types[i], .length = sizeof(body), .body = body};

        ck_assert_msg(status == 0, "record %u: %s", i, error.text);
        reader.record_number = i + 1;
        reader.type = record.type;
        status = stream_order_take(&order, &reader, &record);
    }
    if (orders[_i].words[0] == '\0')
        ck_assert_msg(status == 0, "%s", error.text);
    else
        ck_assert_msg(status == -1 && strstr(error.text, orders[_i].words) != NULL, "\"%s\" lacks \"%s\"", error.text,
                      orders[_i].words);
}
END_TEST

/* Guards against an END that is content with any vCPU: without the first there is nothing that could run. */
START_TEST(the_first_vcpu_must_be_there)
{
    struct memory memory = {0};

    sample_write(&memory, &small, sample_json);
    for (uint32_t type = STREAM_PV_VCPU_BASIC; type <= STREAM_PV_VCPU_XSAVE; type++)
        memory.data[sample_find(&memory, type) + 8] = 1;
    memory.data[sample_find(&memory, STREAM_PV_VCPU_EXTENDED) + 16] = 1;
    memory.data[sample_find(&memory, STREAM_PV_VCPU_MSRS) + 8] = 1;
    expect_refusal(&memory, "no X86_PV_VCPU_BASIC of vCPU 0 came before it");
    memory_free(&memory);
}
END_TEST

/* Guards against a page table deeper than the guest's width has: its entries would be read as the wrong kind. */
START_TEST(a_narrow_guest_has_three_levels)
{
    struct memory memory = {0};
    uint64_t word = 4ull << 60;

    sample_write(&memory, &(struct sample){.width = 4, .vcpus = 1, .pages = 1, .rounds = 1}, sample_json);
    memcpy(memory.data + sample_find(&memory, STREAM_PAGE_DATA) + 16, &word, sizeof(word));
    expect_refusal(&memory, "page 0, pfn 0, is a page table of level 4: this guest has 3");
    memory_free(&memory);
}
END_TEST

/* Guards against a search for duplicates that only looks at neighbours. */
START_TEST(pages_in_any_order_are_taken_once)
{
    static const uint64_t good[] = {900, 3, 5, 0}, bad[] = {900, 3, 5, 900};
    const uint64_t *words[] = {good, bad};

    for (unsigned int i = 0; i < 2; i++) {
        struct memory memory = {0};
        struct byte_sink sink = memory_sink(&memory);
        struct sample sample = {.width = 8, .vcpus = 1, .pages = 1000, .rounds = 1};
        struct stream_writer writer;

        sample_write(&memory, &sample, sample_json);
        memory.used = sample_find(&memory, STREAM_PAGE_DATA);
        stream_writer_start(&writer, &sink);
        sample_page_data(&writer, words[i], 4);
        sample_registers(&writer, &sample);
        sample_record(&writer, STREAM_END, NULL, 0);
        stream_write_outer_end(&writer);
        if (i == 0)
            ck_assert_msg(read_memory(&memory) == 0, "%s", error.text);
        else
            expect_refusal(&memory, "pfn 0x384 is in the record twice");
        memory_free(&memory);
    }
}
END_TEST

/* Guards against a write that goes on behind the error's end: names and sentences can be long together. */
START_TEST(a_long_refusal_is_cut)
{
    struct stream_reader reader;
    char words[2 * STREAM_ERROR_SIZE];

    memset(words, 'w', sizeof(words));
    words[sizeof(words) - 1] = '\0';
    stream_reader_start(&reader, NULL, &error);
    ck_assert_int_eq(stream_refuse(&reader, "%s", words), -1);
    ck_assert_uint_eq(strlen(error.text), STREAM_ERROR_SIZE - 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stream");
    TCase *tests = tcase_create("all");

    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, what_is_written_can_be_read);
    tcase_add_test(tests, the_configuration_comes_back);
    tcase_add_test(tests, a_failure_of_the_sink_stays);
    tcase_add_test(tests, a_failure_of_the_source_is_told);
    tcase_add_test(tests, a_record_too_large_is_not_written);
    tcase_add_loop_test(tests, a_changed_field_is_refused, 0, (int)(sizeof(changes) / sizeof(changes[0])));
    tcase_add_test(tests, the_outer_stream_ends_behind_the_inner);
    tcase_add_test(tests, reserved_fields_are_ignored);
    tcase_add_test(tests, a_stream_that_ends_early_is_refused);
    tcase_add_test(tests, flipped_bits_do_no_harm);
    tcase_add_test(tests, random_records_do_no_harm);
    tcase_add_loop_test(tests, records_come_in_order, 0, (int)(sizeof(orders) / sizeof(orders[0])));
    tcase_add_test(tests, the_first_vcpu_must_be_there);
    tcase_add_test(tests, a_narrow_guest_has_three_levels);
    tcase_add_test(tests, pages_in_any_order_are_taken_once);
    tcase_add_test(tests, a_long_refusal_is_cut);
    return run_suite(suite);
}
