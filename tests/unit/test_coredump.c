/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The head of a core file, looked at with the machine's own ELF definitions: what crash and others go by. And frames
 * whose guest wrote what it liked into the machine's table.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include "/usr/include/elf.h"
#include "dom0-tools/coredump/format.h"
#include "tests/unit/run_suite.h"

static char head[CORE_HEAD_MAX] __attribute__((aligned(8)));
static const struct core_version version = {.major = 4, .minor = 17, .extra = ".0", .page_size = 4096};

static const Elf64_Shdr *section(const char *name)
{
    const Elf64_Ehdr *file = (const Elf64_Ehdr *)head;
    const Elf64_Shdr *sections = (const Elf64_Shdr *)(head + file->e_shoff);
    const char *names = head + sections[file->e_shstrndx].sh_offset;

    for (unsigned int i = 0; i < file->e_shnum; i++)
        if (strcmp(names + sections[i].sh_name, name) == 0)
            return &sections[i];
    ck_abort_msg("no section %s", name);
}

/* Guards against parts that overlap, or a header that says something else than where they are. */
static void check_layout(bool is_64bit, unsigned int vcpus, uint64_t pages)
{
    struct core_shape shape = {is_64bit, vcpus, pages};
    static const char *const order[] = {".shstrtab",        ".note.Xen", ".xen_prstatus",
                                        ".xen_shared_info", ".xen_p2m",  ".xen_pages"};
    struct core_layout layout;
    uint64_t end = 0;

    core_layout(&shape, &layout);
    ck_assert_uint_eq(core_head(&shape, &version, head), layout.contexts);
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        ck_assert_uint_ge(section(order[i])->sh_offset, end);
        end = section(order[i])->sh_offset + section(order[i])->sh_size;
    }
    ck_assert_uint_eq(end, layout.end);
    ck_assert_uint_eq(section(".xen_prstatus")->sh_offset, layout.contexts);
    ck_assert_uint_eq(section(".xen_prstatus")->sh_size, vcpus * 5168ull);
    ck_assert_uint_eq(section(".xen_shared_info")->sh_offset, layout.shared_info);
    ck_assert_uint_eq(section(".xen_p2m")->sh_offset, layout.frames);
    ck_assert_uint_eq(section(".xen_p2m")->sh_size, pages * 16);
    ck_assert_uint_eq(section(".xen_pages")->sh_offset, layout.pages);
    ck_assert_uint_eq(section(".xen_pages")->sh_size, pages * 4096);
    ck_assert_uint_eq(layout.pages % 4096, 0);
}

START_TEST(parts_follow_each_other)
{
    const Elf64_Ehdr *file = (const Elf64_Ehdr *)head;

    check_layout(true, 1, 1);
    ck_assert_uint_eq(file->e_machine, EM_X86_64);
    check_layout(false, 3, 4096);
    ck_assert_uint_eq(file->e_machine, EM_386);
    ck_assert_uint_eq(file->e_ident[EI_CLASS], ELFCLASS64);
    ck_assert_uint_eq(file->e_type, ET_CORE);
    check_layout(true, 128, 1ull << 28); /* a terabyte */
    check_layout(true, 0, 0);
}
END_TEST

START_TEST(notes_say_what_it_is)
{
    struct core_shape shape = {true, 2, 77};
    const Elf64_Shdr *notes;
    const uint64_t *desc;
    const Elf64_Nhdr *note;
    size_t at = 0;

    core_head(&shape, &version, head);
    notes = section(".note.Xen");
    ck_assert_uint_eq(notes->sh_type, SHT_NOTE);
    for (unsigned int type = 0x2000000; type <= 0x2000003; type++) {
        static const size_t sizes[] = {0, 32, 1280, 8};

        note = (const Elf64_Nhdr *)(head + notes->sh_offset + at);
        ck_assert_uint_eq(note->n_type, type);
        ck_assert_str_eq((const char *)(note + 1), "Xen");
        ck_assert_uint_eq(note->n_descsz, sizes[type & 3]);
        desc = (const uint64_t *)((const char *)(note + 1) + 4);
        if (type == 0x2000001) {
            ck_assert_uint_eq(desc[0], 0xf00febed);
            ck_assert_uint_eq(desc[1], 2);
            ck_assert_uint_eq(desc[2], 77);
            ck_assert_uint_eq(desc[3], 4096);
        } else if (type == 0x2000002) {
            ck_assert_uint_eq(desc[0], 4);
            ck_assert_uint_eq(desc[1], 17);
        } else if (type == 0x2000003) {
            ck_assert_uint_eq(desc[0], 1);
        }
        at += sizeof(*note) + 4 + note->n_descsz;
    }
    ck_assert_uint_eq(at, notes->sh_size);
}
END_TEST

/* Guards against a table that is out of order, which readers search by halving; and against a guest's invented numbers. */
START_TEST(frames_in_order_and_once)
{
    struct core_frame frames[] = {{7, 100}, {3, 101}, {7, 90}, {~0ull >> 12, 5}, {0, 8}, {3, 102}, {1000, 9}};

    ck_assert_uint_eq(core_sort_frames(frames, 7, 1000), 3);
    ck_assert_uint_eq(frames[0].pfn, 0);
    ck_assert_uint_eq(frames[1].pfn, 3);
    ck_assert_uint_eq(frames[1].mfn, 101);
    ck_assert_uint_eq(frames[2].pfn, 7);
    ck_assert_uint_eq(frames[2].mfn, 90);
    ck_assert_uint_eq(core_sort_frames(frames, 0, 1000), 0);
}
END_TEST

#define MANY (1u << 16) /* frames of a guest of 256 MiB */

/* Frame numbers as a guest may invent them: 0 in order, 1 backwards, 2 two falling halves, 3 few values, 4 scattered. */
static uint64_t invented(unsigned int how, uint64_t i)
{
    switch (how) {
    case 0:
        return i;
    case 1:
        return MANY - 1 - i;
    case 2:
        return i < MANY / 2 ? MANY / 2 - 1 - i : MANY - 1 - (i - MANY / 2);
    case 3:
        return i % 3;
    default:
        return i * 2654435761u % MANY;
    }
}

/* Guards against an order for which sorting takes minutes: dom0 serves nobody meanwhile. Falling halves were one. */
START_TEST(no_order_takes_long)
{
    struct core_frame *frames = calloc(MANY, sizeof(*frames));
    size_t kept, misplaced = 0;

    for (uint64_t i = 0; i < MANY; i++)
        frames[i] = (struct core_frame){invented((unsigned int)_i, i), MANY - i};
    kept = core_sort_frames(frames, MANY, MANY);
    ck_assert_uint_eq(kept, _i == 3 ? 3 : MANY);
    for (size_t i = 0; i < kept; i++)
        misplaced += frames[i].pfn != i;
    ck_assert_uint_eq(misplaced, 0);
    if (_i == 3) /* of those that claim a number the lowest machine frame stays */
        ck_assert_uint_eq(frames[(MANY - 1) % 3].mfn, 1);
    free(frames);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("coredump");
    TCase *format = tcase_create("format");

    tcase_add_test(format, parts_follow_each_other);
    tcase_add_test(format, notes_say_what_it_is);
    tcase_add_test(format, frames_in_order_and_once);
    tcase_add_loop_test(format, no_order_takes_long, 0, 5);
    suite_add_tcase(suite, format);
    return run_suite(suite);
}
