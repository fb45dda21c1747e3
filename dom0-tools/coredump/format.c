/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The head of a core file; see format.h. Numbers and names are those of Xen's dump-core-format.
 */
#include "format.h"

#include <string.h>

#include <elf.h>

#define NOTE_NONE         0x2000000u
#define NOTE_HEADER       0x2000001u
#define NOTE_VERSION      0x2000002u
#define NOTE_FORMAT       0x2000003u
#define FORMAT_0_1        1u
#define MAGIC_PV          0xf00febedu

#define CORE_ET_CORE      4
#define CORE_SHT_PROGBITS 1

struct note_head {
    uint32_t name_size, desc_size, type;
    char name[4];
};

struct header_desc {
    uint64_t magic, vcpus, pages, page_size;
};

struct notes {
    struct note_head none;
    struct note_head header;
    struct header_desc header_desc;
    struct note_head version;
    struct core_version version_desc;
    struct note_head format;
    uint64_t format_desc;
};

enum section { NOTHING, NAMES, NOTES, CONTEXTS, SHARED_INFO, FRAMES, PAGES, SECTIONS };

static const char *const section_names[SECTIONS] = {
    "", ".shstrtab", ".note.Xen", ".xen_prstatus", ".xen_shared_info", ".xen_p2m", ".xen_pages"};

#define NAMES_SIZE 80u

struct head {
    Elf64_Ehdr file;
    Elf64_Shdr sections[SECTIONS];
    char names[NAMES_SIZE];
    struct notes notes;
};

_Static_assert(sizeof(struct head) <= CORE_HEAD_MAX, "the head has room");

static uint64_t align_up(uint64_t value, uint64_t to)
{
    return (value + to - 1) / to * to;
}

void core_layout(const struct core_shape *shape, struct core_layout *layout)
{
    layout->contexts = align_up(sizeof(struct head), 16);
    layout->shared_info = align_up(layout->contexts + (uint64_t)shape->vcpus * CORE_CONTEXT_SIZE, 16);
    layout->frames = layout->shared_info + CORE_PAGE_SIZE;
    layout->pages = align_up(layout->frames + shape->pages * sizeof(struct core_frame), CORE_PAGE_SIZE);
    layout->end = layout->pages + shape->pages * CORE_PAGE_SIZE;
}

static void set_note(struct note_head *note, uint32_t type, uint32_t desc_size)
{
    *note = (struct note_head){sizeof(note->name), desc_size, type, "Xen"};
}

static void set_notes(struct notes *notes, const struct core_shape *shape, const struct core_version *version)
{
    set_note(&notes->none, NOTE_NONE, 0);
    set_note(&notes->header, NOTE_HEADER, sizeof(notes->header_desc));
    notes->header_desc = (struct header_desc){MAGIC_PV, shape->vcpus, shape->pages, CORE_PAGE_SIZE};
    set_note(&notes->version, NOTE_VERSION, sizeof(notes->version_desc));
    notes->version_desc = *version;
    set_note(&notes->format, NOTE_FORMAT, sizeof(notes->format_desc));
    notes->format_desc = FORMAT_0_1;
}

static void set_section(struct head *head, enum section which, uint32_t type, uint64_t offset, uint64_t size,
                        uint64_t element)
{
    Elf64_Shdr *section = &head->sections[which];

    section->sh_type = type;
    section->sh_offset = offset;
    section->sh_size = size;
    section->sh_entsize = element;
    section->sh_addralign = element == CORE_PAGE_SIZE ? CORE_PAGE_SIZE : which == NAMES ? 1 : 8;
}

static void set_sections(struct head *head, const struct core_shape *shape, const struct core_layout *layout)
{
    set_section(head, NAMES, SHT_STRTAB, offsetof(struct head, names), NAMES_SIZE, 0);
    set_section(head, NOTES, SHT_NOTE, offsetof(struct head, notes), sizeof(head->notes), 0);
    set_section(head, CONTEXTS, CORE_SHT_PROGBITS, layout->contexts, (uint64_t)shape->vcpus * CORE_CONTEXT_SIZE,
                CORE_CONTEXT_SIZE);
    set_section(head, SHARED_INFO, CORE_SHT_PROGBITS, layout->shared_info, CORE_PAGE_SIZE, 0);
    set_section(head, FRAMES, CORE_SHT_PROGBITS, layout->frames, shape->pages * sizeof(struct core_frame),
                sizeof(struct core_frame));
    set_section(head, PAGES, CORE_SHT_PROGBITS, layout->pages, shape->pages * CORE_PAGE_SIZE, CORE_PAGE_SIZE);
}

static void set_names(struct head *head)
{
    uint32_t used = 0;

    for (unsigned int i = 0; i < SECTIONS; i++) {
        size_t size = strlen(section_names[i]) + 1;

        memcpy(head->names + used, section_names[i], size);
        head->sections[i].sh_name = used;
        used += (uint32_t)size;
    }
}

static void set_file(Elf64_Ehdr *file, bool is_64bit)
{
    memcpy(file->e_ident, ELFMAG, SELFMAG);
    file->e_ident[EI_CLASS] = ELFCLASS64;
    file->e_ident[EI_DATA] = ELFDATA2LSB;
    file->e_ident[EI_VERSION] = EV_CURRENT;
    file->e_type = CORE_ET_CORE;
    file->e_machine = is_64bit ? EM_X86_64 : EM_386;
    file->e_version = EV_CURRENT;
    file->e_ehsize = sizeof(*file);
    file->e_shoff = offsetof(struct head, sections);
    file->e_shentsize = sizeof(Elf64_Shdr);
    file->e_shnum = SECTIONS;
    file->e_shstrndx = NAMES;
}

size_t core_head(const struct core_shape *shape, const struct core_version *version, void *out)
{
    struct core_layout layout;
    struct head *head = out;

    core_layout(shape, &layout);
    memset(out, 0, CORE_HEAD_MAX);
    set_file(&head->file, shape->is_64bit);
    set_sections(head, shape, &layout);
    set_names(head);
    set_notes(&head->notes, shape, version);
    return (size_t)layout.contexts;
}

static bool before(const struct core_frame *one, const struct core_frame *other)
{
    return one->pfn != other->pfn ? one->pfn < other->pfn : one->mfn < other->mfn;
}

/* Lets the element at `at` sink to its place in a heap whose largest element is the first. */
static void sink(struct core_frame *heap, size_t count, size_t at)
{
    struct core_frame moved = heap[at];

    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && before(&heap[child], &heap[child + 1]))
            child++;
        if (!before(&moved, &heap[child]))
            break;
        heap[at] = heap[child];
    }
    heap[at] = moved;
}

/* By a heap: the guest chose the order, and there is one for which the C library's qsort takes quadratic time. */
static void sort(struct core_frame *frames, size_t count)
{
    for (size_t at = count / 2; at > 0; at--)
        sink(frames, count, at - 1);
    for (size_t left = count; left > 1; left--) {
        struct core_frame largest = frames[0];

        frames[0] = frames[left - 1];
        frames[left - 1] = largest;
        sink(frames, left - 1, 0);
    }
}

size_t core_sort_frames(struct core_frame *frames, size_t count, uint64_t limit)
{
    size_t kept = 0;

    sort(frames, count);
    for (size_t i = 0; i < count; i++)
        if (frames[i].pfn < limit && (kept == 0 || frames[kept - 1].pfn != frames[i].pfn))
            frames[kept++] = frames[i];
    return kept;
}
