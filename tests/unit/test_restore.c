/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Restoring over a hypervisor that is not there: good streams become domains, and a stream whose structure is good but
 * whose pages, registers or numbers point where they must not is refused. The fake aborts when it is ever asked for a frame
 * that was not the domain's.
 */
#include <check.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "dom0-tools/builder/wire.h"
#include "dom0-tools/migration/migration.h"
#include "tests/fuzz/fake_domain.h"
#include "tests/stream/sample.h"
#include "tests/unit/run_suite.h"

#define BODY      8u /* of a record, behind its header */
#define REGISTERS (BODY + 8u)

static const struct sample wide = {.width = 8, .vcpus = 2, .pages = 16, .rounds = 1},
                           narrow = {.width = 4, .vcpus = 1, .pages = 13, .rounds = 1};
static struct stream_error error;
static struct migration_result result;

static int restore(struct memory *memory)
{
    struct byte_source source = memory_source(memory);
    struct migration_target target = {.domid = 1, .store_port = 5, .console_port = 6};
    struct stream_reader reader;
    int status;

    memory->at = sample_outer(memory) + 24;
    fake_domain_reset();
    stream_reader_start(&reader, &source, &error);
    status = migration_restore(&target, &reader, &result);
    fake_domain_check(status == 0);
    return status;
}

/* Guards against a restorer that loses pages, tables or vCPUs of a good stream. */
START_TEST(good_streams_become_domains)
{
    static const struct sample samples[] = {
        {8, 1, 5, 1, false, false},  {4, 1, 5, 1, false, false},   {8, 4, 16, 1, true, false},
        {4, 4, 13, 3, false, false}, {8, 2, 250, 2, false, false},
    };

    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        struct memory memory = {0};
        unsigned int pins = 0;

        sample_write(&memory, &samples[i], sample_json);
        ck_assert_msg(restore(&memory) == 0, "%zu: %s", i, error.text);
        ck_assert_uint_eq(result.bits, samples[i].width * 8);
        ck_assert_uint_eq(result.pages, fake_domain_pages());
        ck_assert_uint_eq(fake_domain_vcpus(), samples[i].vcpus);
        for (unsigned int pfn = 0; pfn < samples[i].pages; pfn++)
            pins += (pfn % 32 >= 5 && pfn % 32 <= 7) || (samples[i].width == 8 && pfn % 32 == 14);
        ck_assert_uint_eq(fake_domain_pins(), pins);
        ck_assert_uint_ne(result.store_mfn, 0);
        memory_free(&memory);
    }
}
END_TEST

/* The contents of the first page of the first PAGE_DATA record with that many pages. */
static size_t page_contents(unsigned int count, unsigned int index)
{
    return BODY + 8 + 8 * count + index * (size_t)STREAM_PAGE_SIZE;
}

#define WIDE_PAGE(index)   page_contents(16, index)
#define NARROW_PAGE(index) page_contents(13, index)

struct change {
    const struct sample *sample;
    uint32_t type;
    size_t offset; /* from the record's header */
    uint64_t value;
    size_t size;
    const char *words;
};

static const struct change *changes(size_t *count)
{
    static struct change list[64];
    static size_t used;
    size_t basic64 = offsetof(struct vcpu_guest_context_64, user_regs),
           regs32 = offsetof(struct vcpu_guest_context_32, user_regs);

#define CHANGE(...)                                                                                                    \
    list[used++] = (struct change)                                                                                     \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }
    if (used == 0) {
        /* Page 1 is an L1 table, page 2 an L2, 3 an L3; pages of type 13 to 15 (8 to 10) have no contents. */
        CHANGE(
            &wide, STREAM_PAGE_DATA, WIDE_PAGE(1), 16ull << 12 | 1, 8,
            "page 1, pfn 0x1, a page table of level 1: entry 0 is 0x10001: it names a frame the guest does not have");
        CHANGE(&wide, STREAM_PAGE_DATA, WIDE_PAGE(1) + 8 * 511, 0x000FFFFFFFFFF001, 8, "entry 511 is 0xffffffffff001");
        CHANGE(&wide, STREAM_PAGE_DATA, WIDE_PAGE(2), 0x1000 | 0x81, 8,
               "a page table of level 2: entry 0 is 0x1081: a large page");
        CHANGE(&wide, STREAM_PAGE_DATA, WIDE_PAGE(3) + 8, 1ull << 40 | 1, 8,
               "page 3, pfn 0x3, a page table of level 3: entry 1");
        CHANGE(&narrow, STREAM_PAGE_DATA, NARROW_PAGE(1) + 16, 13ull << 12 | 1, 8,
               "a page table of level 1: entry 2 is 0xd001");
        /* Where the guest's P2M, start_info and rings are: plain pages of its own. */
        CHANGE(&wide, STREAM_PV_P2M_FRAMES, BODY + 8, 1, 8,
               "a frame of the guest's P2M is at guest frame 0x1, which is of type 1");
        CHANGE(&wide, STREAM_PV_P2M_FRAMES, BODY + 8, 10, 8,
               "a frame of the guest's P2M is at guest frame 0xa, which the stream does not have");
        CHANGE(&wide, STREAM_PV_P2M_FRAMES, BODY, 1, 4, "it begins at guest frame 0x1: it must have all from 0 on");
        CHANGE(&wide, STREAM_PV_VCPU_BASIC, REGISTERS + basic64 + offsetof(struct cpu_user_regs_64, rdx), 16, 8,
               "start_info (EDX of vCPU 0) is at guest frame 0x10, which the stream does not have");
        CHANGE(&wide, STREAM_PV_VCPU_BASIC, REGISTERS + basic64 + offsetof(struct cpu_user_regs_64, rdx), 1, 8,
               "start_info (EDX of vCPU 0) is at guest frame 0x1, which is of type 1: it must be plain memory");
        CHANGE(&wide, STREAM_PV_VCPU_BASIC, REGISTERS + basic64 + offsetof(struct cpu_user_regs_64, rdx), 1ull << 63, 8,
               "start_info (EDX of vCPU 0) is at guest frame 0x8000000000000000");
        CHANGE(&narrow, STREAM_PV_VCPU_BASIC, REGISTERS + regs32 + offsetof(struct cpu_user_regs_32, edx), 0xFFFFFFFF,
               4, "start_info (EDX of vCPU 0) is at guest frame 0xffffffff");
        CHANGE(&wide, STREAM_PAGE_DATA, WIDE_PAGE(0) + offsetof(struct start_info_64, store_mfn), 2, 8,
               "the xenstore ring is at guest frame 0x2, which is of type 2");
        CHANGE(&wide, STREAM_PAGE_DATA, WIDE_PAGE(0) + offsetof(struct start_info_64, console_frame), 99, 8,
               "the console ring is at guest frame 0x63, which the stream does not have");
        /* Registers. */
        CHANGE(&wide, STREAM_PV_VCPU_BASIC, REGISTERS + offsetof(struct vcpu_guest_context_64, ctrlreg) + 24,
               99ull << 12, 8, "vCPU 0: ctrlreg[3] is 0x63, which the guest does not have");
        CHANGE(&wide, STREAM_PV_VCPU_BASIC, REGISTERS + offsetof(struct vcpu_guest_context_64, ctrlreg) + 8,
               99ull << 12 | 1, 8, "vCPU 0: ctrlreg[1] is 0x63");
        CHANGE(&narrow, STREAM_PV_VCPU_BASIC, REGISTERS + offsetof(struct vcpu_guest_context_32, ctrlreg) + 12,
               0x000FF000, 4, "vCPU 0: ctrlreg[3] is 0xff");
        CHANGE(&wide, STREAM_PV_VCPU_BASIC, REGISTERS + offsetof(struct vcpu_guest_context_64, gdt_ents), 14 * 512 + 1,
               8, "vCPU 0: number of GDT entries is 0x1c01");
        CHANGE(&narrow, STREAM_PV_VCPU_BASIC, REGISTERS + offsetof(struct vcpu_guest_context_32, gdt_ents), 0xFFFFFFFF,
               4, "vCPU 0: number of GDT entries is 0xffffffff");
        CHANGE(&wide, STREAM_PV_VCPU_BASIC, BODY, 4, 4, "there is no vCPU 4: the domain has 4");
        CHANGE(&wide, STREAM_CPUID_POLICY, BODY, 0xBAD, 4, "CPUID leaf 0xbad");
    }
    *count = used;
    return list;
}

/* Guards against a number from the stream that reaches the hypervisor, or memory, without being one of the guest's. */
START_TEST(what_points_elsewhere_is_refused)
{
    size_t count;
    const struct change *change = &changes(&count)[_i];
    struct memory memory = {0};

    sample_write(&memory, change->sample, sample_json);
    memcpy(memory.data + sample_find(&memory, change->type) + change->offset, &change->value, change->size);
    ck_assert_msg(restore(&memory) == -1, "it was restored");
    ck_assert_msg(strstr(error.text, change->words) != NULL, "\"%s\" lacks \"%s\"", error.text, change->words);
    ck_assert_msg(strncmp(error.text, "record ", 7) == 0 && strstr(error.text, " at offset 0x") != NULL, "%s",
                  error.text);
    memory_free(&memory);
}
END_TEST

/* A stream whose memory is what the words say, in records of their own. */
static void write_with(struct memory *memory, const struct sample *sample, const uint64_t *words,
                       const unsigned int *counts)
{
    struct byte_sink sink = memory_sink(memory);
    struct stream_writer writer;

    sample_write(memory, sample, sample_json);
    memory->used = sample_find(memory, STREAM_PAGE_DATA);
    stream_writer_start(&writer, &sink);
    for (; *counts > 0; words += *counts++)
        sample_page_data(&writer, words, *counts);
    sample_registers(&writer, sample);
    sample_record(&writer, STREAM_END, NULL, 0);
    stream_write_outer_end(&writer);
}

#define PAGE(type, pfn) ((uint64_t)(type) << STREAM_PFN_TYPE_SHIFT | (pfn))

/* Guards against a pfn that a later record changes: the last word counts, also on whether it is a page table. */
START_TEST(later_records_replace_earlier_ones)
{
    static const uint64_t words[] = {PAGE(0, 0),  PAGE(12, 1), PAGE(12, 2), PAGE(0, 1),
                                     PAGE(14, 2), PAGE(0, 0),  PAGE(0, 4),  PAGE(9, 5)};
    static const unsigned int counts[] = {3, 2, 3, 0};
    struct memory memory = {0};

    write_with(&memory, &wide, words, counts);
    ck_assert_msg(restore(&memory) == 0, "%s", error.text);
    ck_assert_uint_eq(fake_domain_pins(), 1);
    memory_free(&memory);
}
END_TEST

/* Guards against a table that goes on naming memory which the stream said is gone: it is another domain's by now. */
START_TEST(memory_that_is_gone_is_not_named)
{
    static const uint64_t words[] = {PAGE(0, 0), PAGE(9, 1), PAGE(0, 4), PAGE(15, 2)};
    static const unsigned int counts[] = {3, 1, 0};
    struct memory memory = {0};

    write_with(&memory, &wide, words, counts);
    ck_assert_int_eq(restore(&memory), -1);
    ck_assert_msg(strstr(error.text, "the hypervisor refused the page table at guest frame 0x1 (level 1)") != NULL,
                  "%s", error.text);
    memory_free(&memory);
}
END_TEST

/* Guards against a comparison that compares nothing, or takes its own conversion of page tables for a difference. */
START_TEST(pages_are_compared_when_they_come_again)
{
    const struct sample sample = {.width = 8, .vcpus = 1, .pages = 8, .rounds = 2, .verify = true};
    static const unsigned int pages[] = {0, 1, 7};
    struct memory memory = {0};
    size_t verify;

    sample_write(&memory, &sample, sample_json);
    ck_assert_msg(restore(&memory) == 0, "%s", error.text);
    verify = sample_find(&memory, STREAM_VERIFY) + BODY;
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        size_t at = verify + page_contents(8, pages[i]) + 100;

        memory.data[at] ^= 2;
        ck_assert_int_eq(restore(&memory), -1);
        ck_assert_msg(strstr(error.text, "is not what was sent before") != NULL, "%s", error.text);
        memory.data[at] ^= 2;
    }
    memory_free(&memory);
}
END_TEST

/* Guards against a stream for a larger domain than was made for it: what did not fit must be said, not written. */
START_TEST(more_pages_than_the_domain_may_have_are_refused)
{
    struct memory memory = {0};

    sample_write(&memory, &(struct sample){.width = 8, .vcpus = 1, .pages = FAKE_MAX_PAGES + 200, .rounds = 1},
                 sample_json);
    ck_assert_int_eq(restore(&memory), -1);
    ck_assert_msg(strstr(error.text, "no memory for guest frame 0x") != NULL &&
                      strstr(error.text, "the domain may have 1 MiB") != NULL,
                  "%s", error.text);
    ck_assert_uint_le(fake_domain_pages(), FAKE_MAX_PAGES);
    memory_free(&memory);
}
END_TEST

/* Guards against a small stream that makes dom0 allocate or search without end. */
START_TEST(absurd_sizes_are_refused_at_once)
{
    static const uint32_t lasts[] = {0x7FFFFFFF, 0xFFFFFFFF};

    for (size_t i = 0; i < sizeof(lasts) / sizeof(lasts[0]); i++) {
        struct memory memory = {0};

        sample_write(&memory, &wide, sample_json);
        memcpy(memory.data + sample_find(&memory, STREAM_PV_P2M_FRAMES) + BODY + 4, &lasts[i], 4);
        ck_assert_int_eq(restore(&memory), -1);
        ck_assert_msg(strstr(error.text, "it must be below") != NULL, "%s", error.text);
        memory_free(&memory);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("restore");
    TCase *tests = tcase_create("all");
    size_t count;

    (void)changes(&count);
    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, good_streams_become_domains);
    tcase_add_loop_test(tests, what_points_elsewhere_is_refused, 0, (int)count);
    tcase_add_test(tests, later_records_replace_earlier_ones);
    tcase_add_test(tests, memory_that_is_gone_is_not_named);
    tcase_add_test(tests, pages_are_compared_when_they_come_again);
    tcase_add_test(tests, more_pages_than_the_domain_may_have_are_refused);
    tcase_add_test(tests, absurd_sizes_are_refused_at_once);
    return run_suite(suite);
}
