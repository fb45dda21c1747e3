/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The Xen notes of a kernel image, and the comma-separated string that came before them. Called by the ELF parser.
 */
#ifndef BUILDER_ELFNOTES_H
#define BUILDER_ELFNOTES_H

#include "elfimage.h"

/* What notes leave open until the whole of them is known. */
struct elf_note_values {
    struct elf_image *image;
    uint64_t virt_base, paddr_offset, entry;
    uint64_t hypercall_frame; /* of the old string: a frame number, not an address */
    uint64_t looked_at;       /* bytes; a file whose headers all name the same ones would keep us for hours */
    bool bsd_symtab;
    unsigned int count;
    const char *why;
};

void elf_notes_init(struct elf_note_values *values, struct elf_image *image);

/*
 * Reads the notes that start in [area, area + size). The last one's text may run past the area (GRUB's does) and is cut
 * at file_end. 0, or -1 with values->why.
 */
int elf_notes_read(struct elf_note_values *values, const uint8_t *area, uint64_t size, const uint8_t *file_end);

/* Reads `KEY=value,KEY=value`, as long as its section at most. */
int elf_legacy_read(struct elf_note_values *values, const char *text, uint64_t size);

#endif
