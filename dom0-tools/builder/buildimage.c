/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Fills a new domain's memory: kernel segments and symbol table, modules, the P2M list and the page tables. Works
 * through windows of bounded size, so that dom0 needs no more address space for a large domain than for a small one.
 */
#include "building.h"

#include <stdlib.h>
#include <string.h>

#include <abi/xen.h>

#define WINDOW_PAGES 512
#define PAGE         BUILDING_PAGE

/* A stretch of guest memory being written front to back. */
struct window {
    struct building *building;
    uint64_t pfn, pages;
    uint8_t *addr;
};

static void window_close(struct window *window)
{
    if (window->addr != NULL)
        building_unmap(window->building, window->addr, window->pages);
    window->addr = NULL;
}

/* The place of a guest address, and how many bytes follow it in the window; `end` bounds what is worth mapping. */
static uint8_t *window_at(struct window *window, uint64_t guest_addr, uint64_t end, uint64_t *available)
{
    uint64_t pfn = guest_addr / PAGE, last = (end + PAGE - 1) / PAGE;

    if (window->addr == NULL || pfn < window->pfn || pfn >= window->pfn + window->pages) {
        window_close(window);
        window->pfn = pfn;
        window->pages = last - pfn < WINDOW_PAGES ? last - pfn : WINDOW_PAGES;
        window->addr = building_map(window->building, pfn, window->pages);
        if (window->addr == NULL)
            return NULL;
    }
    *available = (window->pfn + window->pages) * PAGE - guest_addr;
    return window->addr + (guest_addr - window->pfn * PAGE);
}

/* Copies `size` bytes to a guest address, or zeroes them when there is no source. */
static int put(struct window *window, uint64_t guest_addr, const uint8_t *from, uint64_t size, uint64_t end)
{
    while (size > 0) {
        uint64_t room;
        uint8_t *to = window_at(window, guest_addr, end, &room);

        if (to == NULL)
            return -1;
        if (room > size)
            room = size;
        if (from != NULL) {
            memcpy(to, from, room);
            from += room;
        } else {
            memset(to, 0, room);
        }
        guest_addr += room;
        size -= room;
    }
    return 0;
}

static int write_symtab(struct window *window, const struct elf_image *image)
{
    uint8_t *table;
    int status;

    if (!image->bsd_symtab)
        return 0;
    table = malloc(image->symtab_size);
    if (table == NULL)
        return build_fail(window->building->error, "dom0 has no memory left for the kernel's symbol table");
    elf_image_write_symtab(image, table);
    status = put(window, image->symtab_addr, table, image->symtab_size, image->guest_end);
    free(table);
    return status;
}

static int write_kernel(struct building *building)
{
    const struct elf_image *image = &building->plan->image;
    struct window window = {.building = building};
    int status = 0;

    for (unsigned int i = 0; i < image->segment_count && status == 0; i++) {
        const struct elf_segment *segment = &image->segments[i];

        status = put(&window, segment->guest_addr, segment->data, segment->file_size, image->guest_end);
        if (status == 0)
            status = put(&window, segment->guest_addr + segment->file_size, NULL,
                         segment->mem_size - segment->file_size, image->guest_end);
    }
    if (status == 0)
        status = write_symtab(&window, image);
    window_close(&window);
    return status;
}

static uint64_t round_page(uint64_t size)
{
    return (size + PAGE - 1) / PAGE * PAGE;
}

#define LIST_ENTRIES (PAGE / 2 / sizeof(struct xen_multiboot_mod_list))

/* A package holds a page with the list and the modules' command lines, and each module on a page boundary behind it. */
uint64_t building_module_bytes(const struct build_input *input)
{
    uint64_t bytes = PAGE;

    if (!input->module_package)
        return input->module_count == 0 ? 0 : input->modules[0].size;
    for (size_t i = 0; i < input->module_count; i++)
        bytes += round_page(input->modules[i].size);
    return bytes;
}

/* Addresses count from the start of the package; an entry that starts at 0 ends the list. Ends are inclusive. */
int building_module_list(const struct build_input *input, uint8_t page[PAGE])
{
    struct xen_multiboot_mod_list entry = {0};
    uint64_t next = PAGE;
    size_t text = PAGE / 2;

    memset(page, 0, PAGE);
    if (input->module_count >= LIST_ENTRIES)
        return -1;
    for (size_t i = 0; i < input->module_count; i++) {
        size_t length = strlen(input->modules[i].command_line) + 1;

        if (length > PAGE - text || next + input->modules[i].size > UINT32_MAX)
            return -1;
        entry.mod_start = (uint32_t)next;
        entry.mod_end = (uint32_t)(next + input->modules[i].size - 1);
        entry.cmdline = (uint32_t)text;
        memcpy(page + i * sizeof(entry), &entry, sizeof(entry));
        memcpy(page + text, input->modules[i].command_line, length);
        text += length;
        next += round_page(input->modules[i].size);
    }
    return 0;
}

static int write_modules(struct building *building)
{
    const struct build_input *input = building->input;
    uint64_t at = building->plan->layout.module.pfn * PAGE, end = at + building->plan->module_bytes;
    struct window window = {.building = building};
    static uint8_t list[PAGE];
    int status = 0;

    if (input->module_package) {
        (void)building_module_list(input, list); /* it fits: the plan has checked */
        status = put(&window, at, list, sizeof(list), end);
        at += PAGE;
    }
    for (size_t i = 0; i < input->module_count && status == 0; i++) {
        status = put(&window, at, input->modules[i].data, input->modules[i].size, end);
        at += round_page(input->modules[i].size);
    }
    window_close(&window);
    return status;
}

/* The list in the domain's own width; mfns[] has that of this program. */
static int write_p2m(struct building *building)
{
    const struct layout *layout = &building->plan->layout;
    unsigned int width = layout->is_64bit ? 8 : 4, per_page = PAGE / width;

    for (uint64_t done = 0; done < layout->p2m.pages; done += WINDOW_PAGES) {
        uint64_t pages = layout->p2m.pages - done < WINDOW_PAGES ? layout->p2m.pages - done : WINDOW_PAGES;
        uint64_t first = done * per_page, count = pages * per_page;
        uint8_t *to = building_map(building, layout->p2m.pfn + done, pages);

        if (to == NULL)
            return -1;
        if (first + count > layout->nr_pages)
            count = layout->nr_pages - first;
        memset(to + count * width, 0xff, pages * PAGE - count * width);
        for (uint64_t i = 0; i < count; i++) {
            if (width == 8)
                ((uint64_t *)to)[i] = building->mfns[first + i];
            else
                ((uint32_t *)to)[i] = (uint32_t)building->mfns[first + i];
        }
        building_unmap(building, to, pages);
    }
    return 0;
}

static int write_tables(struct building *building, const struct layout_part *part)
{
    const struct layout *layout = &building->plan->layout;

    for (uint64_t done = 0; done < part->pages; done += WINDOW_PAGES) {
        uint64_t pages = part->pages - done < WINDOW_PAGES ? part->pages - done : WINDOW_PAGES;
        uint64_t(*tables)[512] = building_map(building, part->pfn + done, pages);

        if (tables == NULL)
            return -1;
        for (uint64_t i = 0; i < pages; i++)
            layout_fill_table(layout, building->mfns, part->pfn + done + i, tables[i]);
        building_unmap(building, tables, pages);
    }
    return 0;
}

int building_write_image(struct building *building)
{
    if (write_kernel(building) != 0 || write_modules(building) != 0 || write_p2m(building) != 0)
        return -1;
    if (write_tables(building, &building->plan->layout.page_tables) != 0)
        return -1;
    return write_tables(building, &building->plan->layout.p2m_tables);
}
