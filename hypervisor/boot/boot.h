/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the boot loader told us of memory, in one form for Multiboot 1 and 2. Filled before mm_boot, read-only after.
 */
#ifndef HYPERVISOR_BOOT_H
#define HYPERVISOR_BOOT_H

#include "types.h"

#define BOOT_MAP_MAX      128
#define BOOT_RESERVED_MAX 24

enum boot_memory_type { BOOT_RAM = 1, BOOT_RESERVED = 2, BOOT_ACPI = 3, BOOT_NVS = 4, BOOT_UNUSABLE = 5 };

/* Physical byte ranges [start, end). The map is as the firmware gave it: any order, any alignment, may overlap (then
 * anything but RAM wins). Reserved ranges (the image with its bss, modules, tables of the boot loader still in use) are
 * kept out of the heap; boot_release gives one back when it is no longer needed. The first MiB is never in the heap. */
struct boot_memory {
    struct {
        u64 start, end;
        u32 type; /* enum boot_memory_type, the firmware's number */
    } map[BOOT_MAP_MAX];
    unsigned count;
    u64 reserved[BOOT_RESERVED_MAX][2];
    unsigned reserved_count;
};

extern struct boot_memory boot_memory; /* the boot code's */

/* Gives [start, end) of a reserved range to the heap: whole pages of RAM inside it, each at most once. */
void boot_release(u64 start, u64 end);

/* From the linker script; page-aligned. Text is [_image_start, _text_end), read-only data up to _rodata_end. */
extern char _image_start[], _text_end[], _rodata_end[], _image_end[];
extern u64 hv_l4[512]; /* the root table, mm/pagemap.c; idle CPUs run on it */
#define HV_CR3 ((u64)((unsigned long)hv_l4 - IMAGE_START + IMAGE_PHYS))

#endif
