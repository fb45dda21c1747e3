/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Reading what the boot loader hands over, Multiboot 1 or 2, into boot_info and boot_memory. The loader is trusted to
 * be honest, not to be careful: every table is walked inside its own size.
 */
#include "lib.h"
#include "mm.h"
#include "boot/boot.h"
#include "boot/memory.h"
#include "boot/multiboot.h"

#define MB1_FLAG_COMMAND 0x004
#define MB1_FLAG_MODULES 0x008
#define MB1_FLAG_MAP     0x040
#define MB1_FLAG_LOADER  0x200

struct mb1_info {
    u32 flags, mem_lower, mem_upper, boot_device, command_line, module_count, modules, syms[4], map_length, map_address;
    u32 drives_length, drives_address, config_table, loader_name;
};

struct mb1_module {
    u32 start, end, command, reserved;
};

struct mb1_map {
    u32 size;
    u64 start, length;
    u32 type;
} __attribute__((packed));

struct mb2_tag {
    u32 type, size;
};

enum mb2_type { MB2_END, MB2_COMMAND, MB2_LOADER, MB2_MODULE, MB2_MAP = 6, MB2_RSDP_OLD = 14, MB2_RSDP_NEW = 15 };

#define MAX_COMMAND 1024

struct boot_info boot_info;
static char command_line[MAX_COMMAND], dom0_command[MAX_COMMAND];

static void add_module(u64 start, u64 end, const char *command)
{
    struct boot_module *m;

    if (boot_info.module_count == MAX_MODULES) {
        logf(LOG_WARNING, "more than %u modules: the rest is ignored\n", MAX_MODULES);
        return;
    }
    if (end < start)
        panic("module %u ends at %#lx before it starts at %#lx", boot_info.module_count, (unsigned long)end,
              (unsigned long)start);
    m = &boot_info.modules[boot_info.module_count++];
    *m = (struct boot_module){start, end, command ? command : ""}; /* the string lives until multiboot_parse ends */
    boot_memory_reserve(start, end);
}

/* GRUB 2 leaves the file's name out of a command line; others put it first. */
static const char *without_file_name(const char *s)
{
    if (boot_info.loader_name && strncmp(boot_info.loader_name, "GRUB 2", 6) == 0)
        return s;
    while (*s == ' ')
        s++;
    while (*s && *s != ' ')
        s++;
    while (*s == ' ')
        s++;
    return s;
}

static void parse1(const struct mb1_info *info)
{
    if (info->flags & MB1_FLAG_COMMAND)
        boot_info.command_line = maddr_to_virt(info->command_line);
    if (info->flags & MB1_FLAG_LOADER)
        boot_info.loader_name = maddr_to_virt(info->loader_name);
    if (!(info->flags & MB1_FLAG_MAP))
        panic("the boot loader gave no memory map");
    for (u32 at = 0; at + sizeof(struct mb1_map) <= info->map_length;) {
        const struct mb1_map *m = maddr_to_virt((maddr_t)info->map_address + at);
        boot_memory_add(m->start, m->start + m->length, m->type);
        at += m->size + 4;
    }
    if (info->flags & MB1_FLAG_MODULES) {
        const struct mb1_module *m = maddr_to_virt(info->modules);
        for (u32 i = 0; i < info->module_count; i++)
            add_module(m[i].start, m[i].end, maddr_to_virt(m[i].command));
    }
}

static void parse2_map(const struct mb2_tag *tag)
{
    const u32 *words = (const u32 *)tag;
    u32 entry_size = words[2];

    if (entry_size < 24)
        panic("the boot loader's memory map has entries of %u bytes", entry_size);
    for (u32 at = 16; at + entry_size <= tag->size; at += entry_size) {
        const struct {
            u64 start, length;
            u32 type;
        } *m = (const void *)((const char *)tag + at);
        boot_memory_add(m->start, m->start + m->length, m->type);
    }
}

static void parse2(const char *info)
{
    u32 total = *(const u32 *)info, at = 8;

    while (at + sizeof(struct mb2_tag) <= total) {
        const struct mb2_tag *tag = (const void *)(info + at);
        const u32 *words = (const u32 *)tag;
        if (tag->type == MB2_END || tag->size < sizeof(*tag))
            break;
        if (tag->type == MB2_COMMAND)
            boot_info.command_line = (const char *)(words + 2);
        else if (tag->type == MB2_LOADER)
            boot_info.loader_name = (const char *)(words + 2);
        else if (tag->type == MB2_MODULE)
            add_module(words[2], words[3], (const char *)(words + 4));
        else if (tag->type == MB2_MAP)
            parse2_map(tag);
        else if (tag->type == MB2_RSDP_OLD || tag->type == MB2_RSDP_NEW)
            boot_info.rsdp = words + 2;
        at += (tag->size + 7) & ~7U;
    }
    boot_memory_reserve(virt_to_maddr(info), virt_to_maddr(info) + total);
}

void multiboot_parse(u32 magic, u32 info)
{
    boot_info.command_line = "";
    if (magic == MULTIBOOT1_MAGIC)
        parse1(maddr_to_virt(info));
    else if (magic == MULTIBOOT2_MAGIC)
        parse2(maddr_to_virt(info));
    else
        panic("not started by a Multiboot loader (magic %#x): use GRUB's multiboot2 command or qemu -kernel", magic);
    /* The loader's own strings are not kept: their memory goes to the heap. */
    strlcpy(command_line, without_file_name(boot_info.command_line), sizeof(command_line));
    boot_info.command_line = command_line;
    if (boot_info.module_count)
        strlcpy(dom0_command, without_file_name(boot_info.modules[0].command), sizeof(dom0_command));
    boot_info.dom0_command = dom0_command;
}
