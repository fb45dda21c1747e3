/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a boot loader hands over, by either version of the Multiboot specification.
 */
#ifndef HYPERVISOR_BOOT_MULTIBOOT_H
#define HYPERVISOR_BOOT_MULTIBOOT_H

#define MULTIBOOT1_HEADER_MAGIC 0x1BADB002
#define MULTIBOOT1_FLAGS        0x00000003 /* page-aligned modules, memory map wanted */
#define MULTIBOOT1_MAGIC        0x2BADB002
#define MULTIBOOT2_HEADER_MAGIC 0xE85250D6
#define MULTIBOOT2_MAGIC        0x36D76289

#ifndef __ASSEMBLER__
#include "types.h"

struct boot_module {
    u64 start, end;      /* physical */
    const char *command; /* as the loader gave it; valid only inside multiboot_parse */
};

#define MAX_MODULES 16

struct boot_info {
    const char *command_line; /* without the hypervisor's own file name */
    const char *loader_name;
    const char *dom0_command; /* the first module's string without the file name */
    unsigned module_count;
    struct boot_module modules[MAX_MODULES];
    const void *rsdp; /* a copy of the RSDP that the loader gave, or NULL */
};

extern struct boot_info boot_info;
/* Fills boot_info and boot_memory; panics with a sentence when the magic or the tables are wrong. */
void multiboot_parse(u32 magic, u32 info);
#endif

#endif
