/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a kernel image says about itself: its width, what to load where, and the Xen notes (or the older `__xen_guest`
 * string). The image is hostile: after a successful parse every segment lies inside the file, no address wraps, and
 * no two segments overlap. Needs memcpy, memcmp, memset and strlen only, so that the hypervisor links the same file.
 *
 * Addresses: a segment with paddr P goes to guest frame (P - paddr_offset) >> 12 and appears at the virtual address
 * P - paddr_offset + virt_base.
 */
#ifndef BUILDER_ELFIMAGE_H
#define BUILDER_ELFIMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_IMAGE_SEGMENTS 32
#define ELF_IMAGE_STRING   32
#define ELF_UNSET          UINT64_MAX

/* Bits of the XENFEAT_ numbers (abi/features.h), first submap. */
struct elf_features {
    uint32_t supported;
    uint32_t required;
};

enum elf_pae {
    ELF_PAE_NO,
    ELF_PAE_YES,
    ELF_PAE_EXTENDED_CR3, /* the top-level table may lie above 4 GiB */
    ELF_PAE_BIMODAL,
};

enum elf_notes {
    ELF_NOTES_NONE,
    ELF_NOTES_PROGRAM, /* PT_NOTE */
    ELF_NOTES_SECTION, /* SHT_NOTE */
    ELF_NOTES_LEGACY,  /* the __xen_guest string section */
};

struct elf_segment {
    const uint8_t *data; /* file_size bytes; the rest of mem_size is zero */
    uint64_t file_size;
    uint64_t mem_size;
    uint64_t guest_addr; /* pseudo-physical, paddr_offset already taken off */
    uint32_t flags;      /* PF_* */
};

/* A piece of the file that the symbol table for BSD kernels is made from. */
struct elf_blob {
    const uint8_t *data;
    uint64_t size;
};

struct elf_image {
    const uint8_t *file;
    size_t file_size;

    bool is_64bit;
    enum elf_notes notes;
    enum elf_pae pae;

    unsigned int segment_count;
    struct elf_segment segments[ELF_IMAGE_SEGMENTS]; /* in the order of their guest addresses */

    uint64_t guest_start, guest_end; /* pseudo-physical range of segments and symbol table */
    uint64_t virt_start, virt_end;   /* the same, virtual */
    uint64_t virt_base;              /* virtual address of guest frame 0 */
    uint64_t paddr_offset;
    uint64_t entry;

    uint64_t hypercall_page;            /* virtual address, ELF_UNSET when the kernel brings none */
    uint64_t init_p2m;                  /* virtual address, ELF_UNSET when the list goes with the rest */
    uint64_t hv_start_low;              /* ELF_UNSET when not given */
    uint64_t phys32_entry;              /* ELF_UNSET when not given */
    uint64_t l1_mfn_mask, l1_mfn_value; /* a PTE holds an mfn when (pte & mask) == value; 0, 0 when not given */
    bool mod_start_pfn;
    bool suspend_cancel;
    struct elf_features features;

    char guest_os[ELF_IMAGE_STRING];
    char guest_version[ELF_IMAGE_STRING];
    char xen_version[ELF_IMAGE_STRING];
    char loader[ELF_IMAGE_STRING];

    bool bsd_symtab;      /* asked for, and the file has one */
    uint64_t symtab_addr; /* pseudo-physical; inside guest_start..guest_end */
    uint64_t symtab_size; /* what elf_image_write_symtab writes */
    struct elf_blob symtab, strtab;
    uint32_t symtab_entry_size, symtab_info;
};

/* 0, or -1 with *why = what is wrong with the file, a sentence without a full stop that lives forever. */
int elf_image_parse(const void *file, size_t size, struct elf_image *out, const char **why);

/* The symbol table as BSD kernels expect it behind their image: symtab_size bytes at `to`. */
void elf_image_write_symtab(const struct elf_image *image, void *to);

#endif
