/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The boot memory map as the loader's tables are read into it.
 */
#include "lib.h"
#include "boot/boot.h"
#include "boot/memory.h"

struct boot_memory boot_memory;

void boot_memory_add(u64 start, u64 end, u32 type)
{
    struct boot_memory *m = &boot_memory;

    if (end <= start)
        return;
    if (m->count == BOOT_MAP_MAX)
        panic("the firmware's memory map has more than %u entries", BOOT_MAP_MAX);
    m->map[m->count].start = start;
    m->map[m->count].end = end;
    m->map[m->count++].type = type;
}

void boot_memory_reserve(u64 start, u64 end)
{
    struct boot_memory *m = &boot_memory;

    if (m->reserved_count == BOOT_RESERVED_MAX)
        panic("more than %u boot-time memory ranges", BOOT_RESERVED_MAX);
    m->reserved[m->reserved_count][0] = start;
    m->reserved[m->reserved_count++][1] = end;
}
