/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The parser of kernel images: what a good image gives, that a lying one is refused with a reason, and that no change of
 * bytes makes it read outside the file (the file is a heap block of its exact size, watched by the sanitizer).
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <abi/elfnote.h>
#include <abi/features.h>
#include <include/elf.h>
#include "dom0-tools/builder/elfimage.h"
#include "tests/unit/run_suite.h"

#define FILE_MAX 16384

static uint8_t file[FILE_MAX];
static size_t file_size;
static struct elf_image image;
static const char *why;

static void put(size_t offset, const void *bytes, size_t size)
{
    ck_assert(offset + size <= FILE_MAX);
    memcpy(file + offset, bytes, size);
    if (file_size < offset + size)
        file_size = offset + size;
}

static int parse(void)
{
    uint8_t *copy = malloc(file_size ? file_size : 1);
    int status;

    memcpy(copy, file, file_size);
    why = "no reason given";
    status = elf_image_parse(copy, file_size, &image, &why);
    free(copy);
    return status;
}

static size_t put_note(size_t at, uint32_t type, const void *desc, uint32_t size)
{
    Elf_Nhdr header = {4, size, type};
    static const uint8_t zero[4];

    put(at, &header, sizeof(header));
    put(at + 12, "Xen", 4);
    put(at + 16, desc, size);
    put(at + 16 + size, zero, (4 - size % 4) % 4);
    return at + 16 + ((size + 3) & ~3u);
}

static size_t put_string_note(size_t at, uint32_t type, const char *text)
{
    return put_note(at, type, text, (uint32_t)strlen(text) + 1);
}

static size_t put_number_note(size_t at, uint32_t type, uint64_t value)
{
    return put_note(at, type, &value, 8);
}

#define NOTES_AT 0x400

/* A 64-bit kernel of two segments: 0x1000 bytes at 1 MiB and 0x100 of 0x3000 bytes behind it. */
static void make_64(void)
{
    Elf64_Ehdr header = {.e_ident = "\177ELF\2\1\1",
                         .e_type = ET_EXEC,
                         .e_machine = EM_X86_64,
                         .e_version = 1,
                         .e_entry = 0xffffffff80100000,
                         .e_phoff = 64,
                         .e_ehsize = 64,
                         .e_phentsize = 56,
                         .e_phnum = 3,
                         .e_shentsize = 64};
    Elf64_Phdr program[3] = {
        {.p_type = PT_LOAD,
         .p_flags = 5,
         .p_offset = 0x1000,
         .p_vaddr = 0xffffffff80100000,
         .p_paddr = 0x100000,
         .p_filesz = 0x1000,
         .p_memsz = 0x1000},
        {.p_type = PT_LOAD,
         .p_flags = 6,
         .p_offset = 0x2000,
         .p_vaddr = 0xffffffff80101000,
         .p_paddr = 0x101000,
         .p_filesz = 0x100,
         .p_memsz = 0x3000},
        {.p_type = PT_NOTE, .p_flags = 4, .p_offset = NOTES_AT},
    };
    size_t end = NOTES_AT;

    memset(file, 0, sizeof(file));
    file_size = 0;
    end = put_string_note(end, XEN_ELFNOTE_GUEST_OS, "test");
    end = put_string_note(end, XEN_ELFNOTE_XEN_VERSION, "xen-3.0");
    end = put_number_note(end, XEN_ELFNOTE_VIRT_BASE, 0xffffffff80000000);
    end = put_number_note(end, XEN_ELFNOTE_HYPERCALL_PAGE, 0xffffffff80102000);
    end = put_number_note(end, XEN_ELFNOTE_INIT_P2M, 0x8000000000);
    end = put_number_note(end, XEN_ELFNOTE_MOD_START_PFN, 1);
    end = put_string_note(end, XEN_ELFNOTE_FEATURES, "!writable_page_tables|pae_pgdir_above_4gb|hvm_pirqs|dom0");
    program[2].p_filesz = end - NOTES_AT;
    put(0, &header, sizeof(header));
    put(64, program, sizeof(program));
    memset(file + 0x1000, 0x90, 0x1100);
    file_size = 0x2100;
}

static void make_32(const char *pae)
{
    Elf32_Ehdr header = {.e_ident = "\177ELF\1\1\1",
                         .e_type = ET_EXEC,
                         .e_machine = EM_386,
                         .e_version = 1,
                         .e_entry = 0xc0100010,
                         .e_phoff = 52,
                         .e_ehsize = 52,
                         .e_phentsize = 32,
                         .e_phnum = 2};
    Elf32_Phdr program[2] = {
        {.p_type = PT_LOAD,
         .p_flags = 7,
         .p_offset = 0x1000,
         .p_vaddr = 0xc0100000,
         .p_paddr = 0x100000,
         .p_filesz = 0x800,
         .p_memsz = 0x2000},
        {.p_type = PT_NOTE, .p_offset = NOTES_AT},
    };
    uint32_t base = 0xc0000000;
    size_t end = NOTES_AT;

    memset(file, 0, sizeof(file));
    file_size = 0;
    end = put_note(end, XEN_ELFNOTE_VIRT_BASE, &base, 4);
    end = put_string_note(end, XEN_ELFNOTE_PAE_MODE, pae);
    program[1].p_filesz = (uint32_t)end - NOTES_AT;
    put(0, &header, sizeof(header));
    put(52, program, sizeof(program));
    file_size = 0x1800;
}

START_TEST(good_64)
{
    make_64();
    ck_assert_msg(parse() == 0, "%s", why);
    ck_assert(image.is_64bit);
    ck_assert_int_eq(image.notes, ELF_NOTES_PROGRAM);
    ck_assert_uint_eq(image.segment_count, 2);
    ck_assert_uint_eq(image.virt_start, 0xffffffff80100000);
    ck_assert_uint_eq(image.virt_end, 0xffffffff80104000);
    ck_assert_uint_eq(image.hypercall_page, 0xffffffff80102000);
    ck_assert_uint_eq(image.init_p2m, 0x8000000000);
    ck_assert(image.mod_start_pfn && !image.suspend_cancel && !image.bsd_symtab);
    ck_assert_uint_eq(image.features.required, 1u << XENFEAT_writable_page_tables);
    ck_assert_uint_eq(image.features.supported, 1u << XENFEAT_writable_page_tables | 1u << XENFEAT_pae_pgdir_above_4gb |
                                                    1u << XENFEAT_hvm_pirqs | 1u << XENFEAT_dom0);
    ck_assert_str_eq(image.guest_os, "test");
}
END_TEST

START_TEST(good_32)
{
    make_32("yes");
    ck_assert_msg(parse() == 0, "%s", why);
    ck_assert(!image.is_64bit);
    ck_assert_int_eq(image.pae, ELF_PAE_EXTENDED_CR3);
    ck_assert_uint_eq(image.virt_start, 0xc0100000);
    ck_assert_uint_eq(image.entry, 0xc0100010);
    make_32("yes,bimodal");
    ck_assert(parse() == 0 && image.pae == ELF_PAE_BIMODAL);
    make_32("no");
    ck_assert(parse() == 0 && image.pae == ELF_PAE_NO);
}
END_TEST

START_TEST(no_notes)
{
    /* Without notes the kernel sits at its physical addresses and starts at e_entry. */
    make_64();
    ((Elf64_Ehdr *)file)->e_phnum = 2;
    ((Elf64_Ehdr *)file)->e_entry = 0x100004;
    ck_assert_msg(parse() == 0, "%s", why);
    ck_assert_int_eq(image.notes, ELF_NOTES_NONE);
    ck_assert_uint_eq(image.virt_base, 0);
    ck_assert_uint_eq(image.virt_start, 0x100000);
    ck_assert_uint_eq(image.entry, 0x100004);
}
END_TEST

static void put_sections(uint32_t type, const char *name, const void *data, size_t size)
{
    char names[64] = "";
    Elf64_Shdr sections[3] = {{0}};
    Elf64_Ehdr *header = (Elf64_Ehdr *)file;

    strcpy(names + 1, name);
    strcpy(names + 32, ".shstrtab");
    put(0x2200, names, sizeof(names));
    put(0x2300, data, size);
    sections[1] = (Elf64_Shdr){.sh_name = 1, .sh_type = type, .sh_offset = 0x2300, .sh_size = size};
    sections[2] = (Elf64_Shdr){.sh_name = 32, .sh_type = SHT_STRTAB, .sh_offset = 0x2200, .sh_size = sizeof(names)};
    put(0x2600, sections, sizeof(sections));
    header->e_shoff = 0x2600;
    header->e_shnum = 3;
    header->e_shstrndx = 2;
    header->e_phnum = 2;
}

START_TEST(section_notes)
{
    make_64();
    put_sections(SHT_NOTE, ".note.Xen", file + NOTES_AT, 0x120);
    ck_assert_msg(parse() == 0, "%s", why);
    ck_assert_int_eq(image.notes, ELF_NOTES_SECTION);
    ck_assert_uint_eq(image.virt_base, 0xffffffff80000000);
}
END_TEST

START_TEST(legacy_section)
{
    static const char text[] = "GUEST_OS=Hurd,XEN_VER=xen-3.0,VIRT_BASE=0x20000000,ELF_PADDR_OFFSET=0x0,"
                               "HYPERCALL_PAGE=0x102,PAE=yes[extended-cr3],LOADER=generic,BSD_SYMTAB=yes";

    make_64();
    ((Elf64_Ehdr *)file)->e_entry = 0x20100000;
    put_sections(1, "__xen_guest", text, sizeof(text));
    ck_assert_msg(parse() == 0, "%s", why);
    ck_assert_int_eq(image.notes, ELF_NOTES_LEGACY);
    ck_assert_str_eq(image.guest_os, "Hurd");
    ck_assert_uint_eq(image.virt_base, 0x20000000);
    ck_assert_uint_eq(image.hypercall_page, 0x20102000);
    ck_assert_int_eq(image.pae, ELF_PAE_EXTENDED_CR3);
}
END_TEST

START_TEST(legacy_offset_defaults_to_base)
{
    static const char text[] = "XEN_VER=xen-3.0,VIRT_BASE=0x100000";

    make_64();
    ((Elf64_Ehdr *)file)->e_entry = 0x100000;
    put_sections(1, "__xen_guest", text, sizeof(text) - 1); /* not even a final zero */
    ck_assert_msg(parse() == 0, "%s", why);
    ck_assert_uint_eq(image.paddr_offset, 0x100000);
    ck_assert_uint_eq(image.guest_start, 0);
    ck_assert_uint_eq(image.virt_start, 0x100000);
}
END_TEST

START_TEST(symbol_table)
{
    static const uint8_t symbols[48] = {1, 2, 3};
    Elf64_Shdr sections[3] = {{0}};
    Elf64_Ehdr *header = (Elf64_Ehdr *)file;
    Elf64_Phdr *program = (Elf64_Phdr *)(file + 64);
    uint8_t *copy, *out;
    uint32_t size;

    make_64();
    program[2].p_filesz = put_string_note(NOTES_AT + program[2].p_filesz, XEN_ELFNOTE_BSD_SYMTAB, "yes") - NOTES_AT;
    file_size = 0x2100;
    put(0x2200, symbols, sizeof(symbols));
    put(0x2280, "\0main", 6);
    sections[1] =
        (Elf64_Shdr){.sh_type = SHT_SYMTAB, .sh_offset = 0x2200, .sh_size = 48, .sh_link = 2, .sh_entsize = 24};
    sections[2] = (Elf64_Shdr){.sh_type = SHT_STRTAB, .sh_offset = 0x2280, .sh_size = 6};
    put(0x2600, sections, sizeof(sections));
    header->e_shoff = 0x2600;
    header->e_shnum = 3;
    copy = malloc(file_size);
    memcpy(copy, file, file_size);
    ck_assert_msg(elf_image_parse(copy, file_size, &image, &why) == 0, "%s", why);
    ck_assert(image.bsd_symtab);
    ck_assert_uint_eq(image.symtab_addr, 0x104000);
    ck_assert_uint_eq(image.guest_end, image.symtab_addr + image.symtab_size);
    out = malloc(image.symtab_size);
    elf_image_write_symtab(&image, out);
    memcpy(&size, out, 4);
    ck_assert_uint_eq(size, image.symtab_size - 4);
    memcpy(sections, out + 4 + 64, sizeof(sections));
    ck_assert(memcmp(out + 4 + sections[1].sh_offset, symbols, sizeof(symbols)) == 0);
    ck_assert(memcmp(out + 4 + sections[2].sh_offset, "\0main", 6) == 0);
    free(out);
    free(copy);
}
END_TEST

/* GRUB's 32-bit image ends in the middle of its last note. */
START_TEST(last_note_cut_by_the_file)
{
    Elf_Nhdr header = {4, 12, XEN_ELFNOTE_PAE_MODE};
    Elf64_Phdr *program = (Elf64_Phdr *)(file + 64);

    make_64();
    put(0x2100, &header, 12);
    put(0x210c, "Xen\0yes", 8);
    program[2].p_offset = 0x2100;
    program[2].p_filesz = 0x14;
    ((Elf64_Ehdr *)file)->e_entry = 0x100000;
    ck_assert_msg(parse() == 0, "%s", why);
    ck_assert_int_eq(image.pae, ELF_PAE_EXTENDED_CR3);
}
END_TEST

static void refused(const char *reason)
{
    ck_assert_msg(parse() != 0, "accepted, expected: %s", reason);
    ck_assert_msg(strstr(why, reason) != NULL, "said \"%s\", expected \"%s\"", why, reason);
}

START_TEST(lies_are_refused)
{
    Elf64_Ehdr *header = (Elf64_Ehdr *)file;
    Elf64_Phdr *program = (Elf64_Phdr *)(file + 64);

    make_64(), file[0] = 'M', refused("not an ELF file");
    make_64(), file_size = 0, refused("not an ELF file");
    make_64(), file_size = 63, refused("truncated");
    make_64(), file_size = 200, refused("truncated");
    make_64(), file_size = 0x20ff, refused("truncated");
    make_64(), file[EI_DATA] = 2, refused("little-endian");
    make_64(), file[EI_CLASS] = 3, refused("neither");
    make_64(), header->e_machine = EM_386, refused("processor");
    make_64(), header->e_type = 1, refused("executable");
    make_64(), header->e_phnum = 0, refused("no program headers");
    make_64(), header->e_phentsize = 8, refused("smaller");
    make_64(), header->e_phoff = UINT64_MAX, refused("outside");
    make_64(), header->e_phnum = 0xffff, refused("outside");
    make_64(), header->e_shnum = 9, header->e_shoff = 0x20f0, refused("outside");
    make_64(), header->e_shnum = 1, header->e_shoff = 64, header->e_shentsize = 1, refused("smaller");
    make_64(), program[0].p_offset = UINT64_MAX - 4, refused("outside");
    make_64(), program[0].p_filesz = 0x1001, refused("larger in the file");
    make_64(), program[1].p_memsz = UINT64_MAX - 0x1000, refused("past the end");
    make_64(), program[1].p_paddr = 0x100fff, refused("overlap");
    make_64(), program[0].p_flags = program[1].p_flags = 0, refused("no segment");
    make_64(), header->e_entry = 0, refused("entry");
    make_64(), header->e_entry = 0xffffffff80104000, refused("entry");
    make_64(), program[2].p_offset = 0x2100, program[2].p_filesz = 1, refused("note segment");
}
END_TEST

static void note_refused(uint32_t type, uint64_t value, const char *reason)
{
    Elf64_Phdr *program = (Elf64_Phdr *)(file + 64);

    make_64();
    program[2].p_filesz = put_number_note(NOTES_AT + program[2].p_filesz, type, value) - NOTES_AT;
    file_size = 0x2100;
    refused(reason);
}

START_TEST(lying_notes_are_refused)
{
    Elf64_Phdr *program = (Elf64_Phdr *)(file + 64);

    note_refused(XEN_ELFNOTE_HYPERCALL_PAGE, 0xffffffff80000000, "hypercall page");
    note_refused(XEN_ELFNOTE_HYPERCALL_PAGE, 0xffffffff80102008, "hypercall page");
    note_refused(XEN_ELFNOTE_INIT_P2M, 0x8000000001, "INIT_P2M");
    note_refused(XEN_ELFNOTE_INIT_P2M, 0xffffffff80101000, "INIT_P2M");
    note_refused(XEN_ELFNOTE_VIRT_BASE, 0xffffffff80000800, "page boundary");
    note_refused(XEN_ELFNOTE_VIRT_BASE, 0xfffffffffff00000, "end of the address space");
    note_refused(XEN_ELFNOTE_PADDR_OFFSET, 0x200000, "PADDR_OFFSET");
    make_64();
    program[2].p_filesz = put_string_note(NOTES_AT + program[2].p_filesz, XEN_ELFNOTE_XEN_VERSION, "xen-4") - NOTES_AT;
    file_size = 0x2100;
    refused("xen-3.0");
    make_64();
    program[2].p_filesz =
        put_string_note(NOTES_AT + program[2].p_filesz, XEN_ELFNOTE_FEATURES, "!telepathy") - NOTES_AT;
    file_size = 0x2100;
    refused("requires a feature");
}
END_TEST

/* Thousands of headers that name the same bytes: each is looked at as far as it says, and all of them take hours. */
START_TEST(notes_one_over_the_other)
{
    Elf64_Ehdr *header = (Elf64_Ehdr *)file;
    Elf64_Phdr again = {.p_type = PT_NOTE, .p_offset = 0x2000, .p_filesz = 0x1000};

    make_64();
    header->e_phoff = 0x3000;
    header->e_phnum = 64;
    memset(file + 0x2000, 0, 0x1000);
    for (unsigned int i = 0; i < header->e_phnum; i++)
        put(0x3000 + i * sizeof(again), &again, sizeof(again));
    file_size = 0x3000 + header->e_phnum * sizeof(again);
    refused("one over the other");
}
END_TEST

START_TEST(too_many_segments)
{
    Elf64_Ehdr *header = (Elf64_Ehdr *)file;

    make_64();
    header->e_phoff = 0x2100;
    header->e_phnum = ELF_IMAGE_SEGMENTS + 1;
    for (unsigned int i = 0; i < header->e_phnum; i++) {
        Elf64_Phdr program = {.p_type = PT_LOAD, .p_flags = 7, .p_paddr = 0x100000 + i * 0x1000, .p_memsz = 0x1000};

        put(0x2100 + i * sizeof(program), &program, sizeof(program));
    }
    header->e_entry = 0x100000;
    refused("more than 32");
}
END_TEST

/* Whatever the bytes: either refused, or every promise of the result holds. */
static void check_promises(void)
{
    for (unsigned int i = 0; i < image.segment_count; i++) {
        const struct elf_segment *segment = &image.segments[i];

        ck_assert(segment->file_size <= segment->mem_size);
        ck_assert(segment->guest_addr + segment->mem_size > segment->guest_addr);
        if (i > 0)
            ck_assert(segment[-1].guest_addr + segment[-1].mem_size <= segment->guest_addr);
    }
    ck_assert(image.virt_start < image.virt_end);
    ck_assert(image.entry >= image.virt_start && image.entry < image.virt_end);
}

START_TEST(random_damage)
{
    unsigned int seed = 1234, accepted = 0;

    for (unsigned int round = 0; round < 30000; round++) {
        unsigned int changes = 1 + rand_r(&seed) % 4;

        if (round % 2)
            make_64();
        else
            make_32("yes");
        while (changes-- > 0) {
            static const uint8_t nasty[] = {0, 1, 0x7f, 0x80, 0xff};
            size_t limit = rand_r(&seed) % 2 ? 300 : 0x600;

            file[16 + (size_t)rand_r(&seed) % limit] =
                rand_r(&seed) % 2 ? nasty[rand_r(&seed) % 5] : (uint8_t)rand_r(&seed);
        }
        if (rand_r(&seed) % 8 == 0)
            file_size = (size_t)rand_r(&seed) % file_size;
        if (parse() != 0)
            continue;
        accepted++;
        check_promises();
    }
    ck_assert_uint_gt(accepted, 100); /* the damage must leave enough that gets far */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("elfimage");
    TCase *tests = tcase_create("all");

    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, good_64);
    tcase_add_test(tests, good_32);
    tcase_add_test(tests, no_notes);
    tcase_add_test(tests, section_notes);
    tcase_add_test(tests, legacy_section);
    tcase_add_test(tests, legacy_offset_defaults_to_base);
    tcase_add_test(tests, symbol_table);
    tcase_add_test(tests, last_note_cut_by_the_file);
    tcase_add_test(tests, lies_are_refused);
    tcase_add_test(tests, lying_notes_are_refused);
    tcase_add_test(tests, notes_one_over_the_other);
    tcase_add_test(tests, too_many_segments);
    tcase_add_test(tests, random_damage);
    return run_suite(suite);
}
