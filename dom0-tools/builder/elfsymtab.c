/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The symbol table that BSD kernels ask for: behind the image, a 32-bit count of the bytes that follow, then a small
 * ELF file with three sections (none, symbols, strings). Section offsets count from its ELF header, four bytes in.
 */
#include "elfimage.h"

#include <include/elf.h>
#include <string.h>

static uint64_t symtab_offset(const struct elf_image *image)
{
    return image->symtab_size - image->strtab.size - ((image->symtab.size + 7) & ~7ull);
}

static uint64_t strtab_offset(const struct elf_image *image)
{
    return image->symtab_size - image->strtab.size;
}

static void write_headers_64(const struct elf_image *image, uint8_t *to)
{
    Elf64_Shdr sections[3] = {{0}};
    Elf64_Ehdr header;

    memcpy(&header, image->file, sizeof(header));
    header.e_phoff = 0;
    header.e_phnum = 0;
    header.e_phentsize = 0;
    header.e_shoff = sizeof(header);
    header.e_shentsize = sizeof(sections[0]);
    header.e_shnum = 3;
    header.e_shstrndx = 0;
    sections[1] = (Elf64_Shdr){.sh_type = SHT_SYMTAB,
                               .sh_offset = symtab_offset(image) - 4,
                               .sh_size = image->symtab.size,
                               .sh_link = 2,
                               .sh_info = image->symtab_info,
                               .sh_addralign = 8,
                               .sh_entsize = image->symtab_entry_size};
    sections[2] = (Elf64_Shdr){
        .sh_type = SHT_STRTAB, .sh_offset = strtab_offset(image) - 4, .sh_size = image->strtab.size, .sh_addralign = 1};
    memcpy(to, &header, sizeof(header));
    memcpy(to + sizeof(header), sections, sizeof(sections));
}

static void write_headers_32(const struct elf_image *image, uint8_t *to)
{
    Elf32_Shdr sections[3] = {{0}};
    Elf32_Ehdr header;

    memcpy(&header, image->file, sizeof(header));
    header.e_phoff = 0;
    header.e_phnum = 0;
    header.e_phentsize = 0;
    header.e_shoff = sizeof(header);
    header.e_shentsize = sizeof(sections[0]);
    header.e_shnum = 3;
    header.e_shstrndx = 0;
    sections[1] = (Elf32_Shdr){.sh_type = SHT_SYMTAB,
                               .sh_offset = (uint32_t)symtab_offset(image) - 4,
                               .sh_size = (uint32_t)image->symtab.size,
                               .sh_link = 2,
                               .sh_info = image->symtab_info,
                               .sh_addralign = 4,
                               .sh_entsize = image->symtab_entry_size};
    sections[2] = (Elf32_Shdr){.sh_type = SHT_STRTAB,
                               .sh_offset = (uint32_t)strtab_offset(image) - 4,
                               .sh_size = (uint32_t)image->strtab.size,
                               .sh_addralign = 1};
    memcpy(to, &header, sizeof(header));
    memcpy(to + sizeof(header), sections, sizeof(sections));
}

void elf_image_write_symtab(const struct elf_image *image, void *to)
{
    uint32_t size = (uint32_t)image->symtab_size - 4;
    uint8_t *bytes = to;

    memset(bytes, 0, image->symtab_size);
    memcpy(bytes, &size, sizeof(size));
    if (image->is_64bit)
        write_headers_64(image, bytes + 4);
    else
        write_headers_32(image, bytes + 4);
    memcpy(bytes + symtab_offset(image), image->symtab.data, image->symtab.size);
    memcpy(bytes + strtab_offset(image), image->strtab.data, image->strtab.size);
}
