/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Where everything of a new PV domain goes: guest frames, virtual addresses and page tables. Pure arithmetic on checked
 * numbers. The rule is the ABI's: virtual address = virt_base + (pfn << 12) from frame 0 on, in the order kernel,
 * module, P2M list, start_info, xenstore page, console page, page tables, boot stack; then at least 512 KiB mapped
 * slack up to a 4 MiB boundary. A module that is passed by frame number (MOD_START_PFN) and a P2M list with an address
 * of its own (INIT_P2M) come after the boot stack.
 */
#ifndef BUILDER_LAYOUT_H
#define BUILDER_LAYOUT_H

#include "elfimage.h"

#define LAYOUT_WHY_SIZE 192

struct layout_part {
    uint64_t pfn, pages;
    uint64_t virt; /* 0 when it is not mapped at the start */
};

/* Page tables of one level that map one range of addresses: for the prefixes first..last, in frames from pfn on. */
struct layout_tables {
    uint64_t first, last;
    uint64_t pfn;
    uint64_t count; /* 0: none of its own */
};

struct layout_map {
    uint64_t virt, virt_end;       /* the range mapped, page aligned; empty when equal */
    uint64_t pfn;                  /* of the first page */
    struct layout_tables level[4]; /* [0] are the L1 tables */
};

struct layout {
    bool is_64bit;
    unsigned int levels; /* 4 or 3 */
    uint64_t nr_pages;
    uint64_t virt_base;
    struct layout_part kernel, module, p2m, start_info, xenstore, console, page_tables, boot_stack;
    struct layout_part p2m_tables; /* page tables that only the P2M list's own mapping needs */
    struct layout_map main, p2m_map;
    bool has_hole_l2; /* PAE: an otherwise empty L2 for 0xC0000000, whose upper part is the hypervisor's */
    uint64_t hole_l2_pfn;
    uint64_t used_pages; /* frames from 0 on that hold something */
};

/* 0, or -1 with a sentence in `why`. module_size 0: none. */
int layout_plan(const struct elf_image *image, uint64_t nr_pages, uint64_t module_size, struct layout *out,
                char why[LAYOUT_WHY_SIZE]);

bool layout_is_page_table(const struct layout *layout, uint64_t pfn);

/* Frame of the table at `level` (0 = L1) that translates the address; the address must be mapped. */
uint64_t layout_table_of(const struct layout *layout, unsigned int level, uint64_t virt);

/* Gives one page table's 512 entries, from the machine frames of the domain. */
void layout_fill_table(const struct layout *layout, const unsigned long *mfns, uint64_t table_pfn,
                       uint64_t entries[512]);

#endif
