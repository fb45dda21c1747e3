/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Parses a kernel's ELF file of either width. Headers are copied out (the file may lie at any alignment) into their
 * 64-bit shape, so that everything past the readers knows one width only. Every offset is checked against the file
 * before it is followed, with arithmetic that cannot wrap.
 */
#include "elfimage.h"
#include "elfnotes.h"

#include <include/elf.h>
#include <string.h>

static bool in_file(const struct elf_image *image, uint64_t offset, uint64_t size)
{
    return offset <= image->file_size && size <= image->file_size - offset;
}

static bool table_in_file(const struct elf_image *image, uint64_t offset, uint64_t entry, uint64_t count)
{
    return in_file(image, offset, entry * count); /* both are 16-bit fields: no wrap */
}

static int refuse(const char **why, const char *reason)
{
    *why = reason;
    return -1;
}

static void widen_header(const Elf32_Ehdr *narrow, Elf64_Ehdr *wide)
{
    memcpy(wide->e_ident, narrow->e_ident, EI_NIDENT);
    wide->e_type = narrow->e_type;
    wide->e_machine = narrow->e_machine;
    wide->e_version = narrow->e_version;
    wide->e_entry = narrow->e_entry;
    wide->e_phoff = narrow->e_phoff;
    wide->e_shoff = narrow->e_shoff;
    wide->e_flags = narrow->e_flags;
    wide->e_ehsize = narrow->e_ehsize;
    wide->e_phentsize = narrow->e_phentsize;
    wide->e_phnum = narrow->e_phnum;
    wide->e_shentsize = narrow->e_shentsize;
    wide->e_shnum = narrow->e_shnum;
    wide->e_shstrndx = narrow->e_shstrndx;
}

static void read_program_header(const struct elf_image *image, const Elf64_Ehdr *header, unsigned int index,
                                Elf64_Phdr *out)
{
    const uint8_t *at = image->file + header->e_phoff + (uint64_t)index * header->e_phentsize;
    Elf32_Phdr narrow;

    if (image->is_64bit) {
        memcpy(out, at, sizeof(*out));
        return;
    }
    memcpy(&narrow, at, sizeof(narrow));
    *out = (Elf64_Phdr){.p_type = narrow.p_type,
                        .p_flags = narrow.p_flags,
                        .p_offset = narrow.p_offset,
                        .p_vaddr = narrow.p_vaddr,
                        .p_paddr = narrow.p_paddr,
                        .p_filesz = narrow.p_filesz,
                        .p_memsz = narrow.p_memsz,
                        .p_align = narrow.p_align};
}

static void read_section_header(const struct elf_image *image, const Elf64_Ehdr *header, unsigned int index,
                                Elf64_Shdr *out)
{
    const uint8_t *at = image->file + header->e_shoff + (uint64_t)index * header->e_shentsize;
    Elf32_Shdr narrow;

    if (image->is_64bit) {
        memcpy(out, at, sizeof(*out));
        return;
    }
    memcpy(&narrow, at, sizeof(narrow));
    *out = (Elf64_Shdr){.sh_name = narrow.sh_name,
                        .sh_type = narrow.sh_type,
                        .sh_flags = narrow.sh_flags,
                        .sh_addr = narrow.sh_addr,
                        .sh_offset = narrow.sh_offset,
                        .sh_size = narrow.sh_size,
                        .sh_link = narrow.sh_link,
                        .sh_info = narrow.sh_info,
                        .sh_addralign = narrow.sh_addralign,
                        .sh_entsize = narrow.sh_entsize};
}

static int read_header(struct elf_image *image, Elf64_Ehdr *header, const char **why)
{
    Elf32_Ehdr narrow;

    if (image->file_size < EI_NIDENT || memcmp(image->file, ELFMAG, SELFMAG) != 0)
        return refuse(why, "not an ELF file (a compressed kernel must be unpacked to its vmlinux first)");
    if (image->file[EI_DATA] != ELFDATA2LSB)
        return refuse(why, "not a little-endian ELF file");
    image->is_64bit = image->file[EI_CLASS] == ELFCLASS64;
    if (!image->is_64bit && image->file[EI_CLASS] != ELFCLASS32)
        return refuse(why, "neither a 32-bit nor a 64-bit ELF file");
    if (image->file_size < (image->is_64bit ? sizeof(*header) : sizeof(narrow)))
        return refuse(why, "the file ends inside its ELF header (truncated?)");
    if (image->is_64bit) {
        memcpy(header, image->file, sizeof(*header));
    } else {
        memcpy(&narrow, image->file, sizeof(narrow));
        widen_header(&narrow, header);
    }
    if (header->e_machine != (image->is_64bit ? EM_X86_64 : EM_386))
        return refuse(why, "not for this processor: only i386 (32-bit) and x86-64 (64-bit) kernels can run");
    if (header->e_type != ET_EXEC && header->e_type != ET_DYN)
        return refuse(why, "not an executable: this is an object file, a core dump or something else");
    return 0;
}

static int check_tables(const struct elf_image *image, Elf64_Ehdr *header, const char **why)
{
    size_t program_size = image->is_64bit ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
    size_t section_size = image->is_64bit ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr);

    if (header->e_phnum == 0)
        return refuse(why, "there are no program headers, so nothing to load");
    if (header->e_phentsize < program_size)
        return refuse(why, "the program headers claim to be smaller than they are");
    if (!table_in_file(image, header->e_phoff, header->e_phentsize, header->e_phnum))
        return refuse(why, "the program headers lie outside the file (truncated?)");
    if (header->e_shnum == 0 || header->e_shoff == 0) {
        header->e_shnum = 0;
        return 0;
    }
    if (header->e_shentsize < section_size)
        return refuse(why, "the section headers claim to be smaller than they are");
    if (!table_in_file(image, header->e_shoff, header->e_shentsize, header->e_shnum))
        return refuse(why, "the section headers lie outside the file (truncated?)");
    return 0;
}

static int read_program_notes(struct elf_note_values *values, const Elf64_Ehdr *header)
{
    struct elf_image *image = values->image;

    for (unsigned int i = 0; i < header->e_phnum; i++) {
        Elf64_Phdr segment;

        read_program_header(image, header, i, &segment);
        if (segment.p_type != PT_NOTE)
            continue;
        if (!in_file(image, segment.p_offset, segment.p_filesz))
            return refuse(&values->why, "a note segment lies outside the file (truncated?)");
        if (elf_notes_read(values, image->file + segment.p_offset, segment.p_filesz, image->file + image->file_size) !=
            0)
            return -1;
    }
    if (values->count > 0)
        image->notes = ELF_NOTES_PROGRAM;
    return 0;
}

static int read_section_notes(struct elf_note_values *values, const Elf64_Ehdr *header)
{
    struct elf_image *image = values->image;

    for (unsigned int i = 0; i < header->e_shnum; i++) {
        Elf64_Shdr section;

        read_section_header(image, header, i, &section);
        if (section.sh_type != SHT_NOTE)
            continue;
        if (!in_file(image, section.sh_offset, section.sh_size))
            return refuse(&values->why, "a note section lies outside the file (truncated?)");
        if (elf_notes_read(values, image->file + section.sh_offset, section.sh_size, image->file + image->file_size) !=
            0)
            return -1;
    }
    if (values->count > 0)
        image->notes = ELF_NOTES_SECTION;
    return 0;
}

static bool section_has_name(const struct elf_image *image, const Elf64_Shdr *names, const Elf64_Shdr *section,
                             const char *name)
{
    size_t length = strlen(name) + 1;

    if (section->sh_name > names->sh_size || names->sh_size - section->sh_name < length)
        return false;
    return memcmp(image->file + names->sh_offset + section->sh_name, name, length) == 0;
}

static int read_legacy_section(struct elf_note_values *values, const Elf64_Ehdr *header)
{
    struct elf_image *image = values->image;
    Elf64_Shdr names, section;

    if (header->e_shstrndx >= header->e_shnum)
        return 0;
    read_section_header(image, header, header->e_shstrndx, &names);
    if (names.sh_type != SHT_STRTAB || !in_file(image, names.sh_offset, names.sh_size))
        return 0;
    for (unsigned int i = 0; i < header->e_shnum; i++) {
        read_section_header(image, header, i, &section);
        if (section.sh_type == SHT_NOBITS || !section_has_name(image, &names, &section, "__xen_guest"))
            continue;
        if (!in_file(image, section.sh_offset, section.sh_size))
            return refuse(&values->why, "the __xen_guest section lies outside the file (truncated?)");
        image->notes = ELF_NOTES_LEGACY;
        return elf_legacy_read(values, (const char *)image->file + section.sh_offset, section.sh_size);
    }
    return 0;
}

static int read_notes(struct elf_note_values *values, const Elf64_Ehdr *header)
{
    if (read_program_notes(values, header) != 0)
        return -1;
    if (values->count == 0 && read_section_notes(values, header) != 0)
        return -1;
    if (values->count == 0 && read_legacy_section(values, header) != 0)
        return -1;
    return 0;
}

static int resolve_addresses(struct elf_note_values *values, const char **why)
{
    struct elf_image *image = values->image;

    if (image->xen_version[0] != '\0' && strncmp(image->xen_version, "xen-3.0", 7) != 0)
        return refuse(why, "the kernel is made for another hypervisor interface than xen-3.0");
    if (values->virt_base == ELF_UNSET && values->paddr_offset != ELF_UNSET)
        return refuse(why, "the kernel gives a PADDR_OFFSET note but no VIRT_BASE");
    image->virt_base = values->virt_base == ELF_UNSET ? 0 : values->virt_base;
    if (values->paddr_offset != ELF_UNSET)
        image->paddr_offset = values->paddr_offset;
    else if (image->notes == ELF_NOTES_LEGACY)
        image->paddr_offset = image->virt_base;
    if (image->virt_base & 0xfff)
        return refuse(why, "VIRT_BASE is not on a page boundary");
    if (values->entry != ELF_UNSET)
        image->entry = values->entry;
    if (values->hypercall_frame != ELF_UNSET)
        image->hypercall_page = (values->hypercall_frame << 12) + image->virt_base;
    return 0;
}

static int check_segment(const struct elf_image *image, const Elf64_Phdr *header, const char **why)
{
    if (header->p_filesz > header->p_memsz)
        return refuse(why, "a segment is larger in the file than in memory");
    if (!in_file(image, header->p_offset, header->p_filesz))
        return refuse(why, "a segment lies outside the file (truncated?)");
    if (header->p_paddr < image->paddr_offset)
        return refuse(why, "a segment lies below the PADDR_OFFSET of the kernel");
    if (header->p_memsz > UINT64_MAX - 0xfff - (header->p_paddr - image->paddr_offset))
        return refuse(why, "a segment runs past the end of the address space");
    return 0;
}

/* Keeps the list in the order of addresses; what comes in must touch none of the others. */
static int insert_segment(struct elf_image *image, const struct elf_segment *segment, const char **why)
{
    unsigned int at = image->segment_count;

    if (at == ELF_IMAGE_SEGMENTS)
        return refuse(why, "there are more than 32 segments to load");
    while (at > 0 && image->segments[at - 1].guest_addr > segment->guest_addr) {
        image->segments[at] = image->segments[at - 1];
        at--;
    }
    image->segments[at] = *segment;
    image->segment_count++;
    if (at > 0 && image->segments[at - 1].guest_addr + image->segments[at - 1].mem_size > segment->guest_addr)
        return refuse(why, "two segments overlap in memory");
    if (at + 1 < image->segment_count && segment->guest_addr + segment->mem_size > image->segments[at + 1].guest_addr)
        return refuse(why, "two segments overlap in memory");
    return 0;
}

static int read_segments(struct elf_image *image, const Elf64_Ehdr *header, const char **why)
{
    const struct elf_segment *last;

    for (unsigned int i = 0; i < header->e_phnum; i++) {
        struct elf_segment segment;
        Elf64_Phdr from;

        read_program_header(image, header, i, &from);
        if (from.p_type != PT_LOAD || (from.p_flags & (PF_R | PF_W | PF_X)) == 0 || from.p_memsz == 0)
            continue;
        if (check_segment(image, &from, why) != 0)
            return -1;
        segment = (struct elf_segment){.data = image->file + from.p_offset,
                                       .file_size = from.p_filesz,
                                       .mem_size = from.p_memsz,
                                       .guest_addr = from.p_paddr - image->paddr_offset,
                                       .flags = from.p_flags};
        if (insert_segment(image, &segment, why) != 0)
            return -1;
    }
    if (image->segment_count == 0)
        return refuse(why, "there is no segment to load");
    last = &image->segments[image->segment_count - 1];
    image->guest_start = image->segments[0].guest_addr;
    image->guest_end = last->guest_addr + last->mem_size;
    return 0;
}

static uint64_t symtab_headers_size(const struct elf_image *image)
{
    size_t headers =
        image->is_64bit ? sizeof(Elf64_Ehdr) + 3 * sizeof(Elf64_Shdr) : sizeof(Elf32_Ehdr) + 3 * sizeof(Elf32_Shdr);

    return (sizeof(uint32_t) + headers + 7) & ~7ull;
}

static int find_symtab(struct elf_image *image, const Elf64_Ehdr *header, const char **why)
{
    Elf64_Shdr symbols, strings;
    unsigned int i;

    for (i = 0; i < header->e_shnum; i++) {
        read_section_header(image, header, i, &symbols);
        if (symbols.sh_type == SHT_SYMTAB)
            break;
    }
    if (i == header->e_shnum || symbols.sh_link >= header->e_shnum)
        return 0; /* stripped: the kernel does without */
    read_section_header(image, header, symbols.sh_link, &strings);
    if (!in_file(image, symbols.sh_offset, symbols.sh_size) || strings.sh_type != SHT_STRTAB ||
        !in_file(image, strings.sh_offset, strings.sh_size))
        return refuse(why, "the symbol table lies outside the file (truncated?)");
    image->bsd_symtab = true;
    image->symtab = (struct elf_blob){image->file + symbols.sh_offset, symbols.sh_size};
    image->strtab = (struct elf_blob){image->file + strings.sh_offset, strings.sh_size};
    image->symtab_entry_size = (uint32_t)symbols.sh_entsize;
    image->symtab_info = symbols.sh_info;
    image->symtab_addr = (image->guest_end + 7) & ~7ull;
    image->symtab_size = symtab_headers_size(image) + ((symbols.sh_size + 7) & ~7ull) + strings.sh_size;
    if (image->symtab_size > UINT32_MAX || image->symtab_addr > UINT64_MAX - image->symtab_size - 0xfff)
        return refuse(why, "the symbol table runs past the end of the address space");
    image->guest_end = image->symtab_addr + image->symtab_size;
    return 0;
}

static int check_addresses(struct elf_image *image, const char **why)
{
    uint64_t limit = image->is_64bit ? UINT64_MAX - 0xfff : (uint64_t)UINT32_MAX + 1;

    if (image->virt_base > limit || image->guest_end > limit - image->virt_base)
        return refuse(why, "VIRT_BASE and the size of the kernel together run past the end of the address space");
    image->virt_start = image->guest_start + image->virt_base;
    image->virt_end = image->guest_end + image->virt_base;
    if (image->entry < image->virt_start || image->entry >= image->virt_end)
        return refuse(why, "the entry point lies outside the kernel");
    if (image->hypercall_page == ELF_UNSET)
        return 0;
    if ((image->hypercall_page & 0xfff) != 0 || image->hypercall_page < image->virt_start ||
        image->hypercall_page >= image->virt_end)
        return refuse(why, "the hypercall page is not a whole page inside the kernel");
    return 0;
}

static int check_p2m(const struct elf_image *image, const char **why)
{
    if (image->init_p2m == ELF_UNSET)
        return 0;
    if ((image->init_p2m & 0xfff) != 0)
        return refuse(why, "INIT_P2M is not on a page boundary");
    if (image->init_p2m >= image->virt_base && image->init_p2m < image->virt_end)
        return refuse(why, "INIT_P2M lies inside the kernel");
    return 0;
}

int elf_image_parse(const void *file, size_t size, struct elf_image *out, const char **why)
{
    struct elf_note_values values;
    Elf64_Ehdr header;

    memset(out, 0, sizeof(*out));
    *out = (struct elf_image){.file = file,
                              .file_size = size,
                              .hypercall_page = ELF_UNSET,
                              .init_p2m = ELF_UNSET,
                              .hv_start_low = ELF_UNSET,
                              .phys32_entry = ELF_UNSET};
    elf_notes_init(&values, out);
    if (read_header(out, &header, why) != 0 || check_tables(out, &header, why) != 0)
        return -1;
    out->entry = header.e_entry;
    if (read_notes(&values, &header) != 0)
        return refuse(why, values.why);
    if (resolve_addresses(&values, why) != 0 || read_segments(out, &header, why) != 0)
        return -1;
    if (values.bsd_symtab && find_symtab(out, &header, why) != 0)
        return -1;
    if (check_addresses(out, why) != 0)
        return -1;
    return check_p2m(out, why);
}
