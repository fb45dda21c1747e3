/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Plans a new domain's memory. The number of page tables depends on the range mapped, and the range on the number of
 * page tables: the plan grows by 4 MiB until both agree, which it does within a few steps.
 */
#include "layout.h"

#include <stdio.h>
#include <string.h>

#define PAGE_BITS     12
#define SLACK_PAGES   (512u * 1024u >> PAGE_BITS)
#define ROUND_PAGES   (4u * 1024u * 1024u >> PAGE_BITS)
#define MIB_PAGES     (1024u * 1024u >> PAGE_BITS)
#define PAGES_MAX     (1ull << 32)

#define PTE_PRESENT   0x01u
#define PTE_WRITE     0x02u
#define PTE_USER      0x04u
#define PTE_ACCESSED  0x20u
#define PTE_DIRTY     0x40u

#define HOLE_START_32 0xf5800000ull
#define HOLE_START_64 0xffff800000000000ull
#define HOLE_END_64   0xffff880000000000ull

static uint64_t pages_of(uint64_t bytes)
{
    return (bytes >> PAGE_BITS) + ((bytes & 0xfff) != 0);
}

static unsigned int table_shift(unsigned int level)
{
    return PAGE_BITS + 9 * (level + 1);
}

/* Which table of a level an address falls into; the sign extension of 64-bit addresses is kept, harmlessly. */
static uint64_t prefix_of(const struct layout *layout, unsigned int level, uint64_t virt)
{
    return level + 1 == layout->levels ? 0 : virt >> table_shift(level);
}

static void count_tables(const struct layout *layout, struct layout_map *map)
{
    for (unsigned int level = 0; level < layout->levels; level++) {
        struct layout_tables *tables = &map->level[level];

        tables->first = prefix_of(layout, level, map->virt);
        tables->last = prefix_of(layout, level, map->virt_end - 1);
        tables->count = tables->last - tables->first + 1;
    }
}

/* Takes away what the main mapping already has. The two ranges are disjoint, so what is shared lies at the ends. */
static void share_tables(const struct layout *layout, struct layout_map *map)
{
    for (unsigned int level = 0; level < layout->levels; level++) {
        const struct layout_tables *have = &layout->main.level[level];
        struct layout_tables *tables = &map->level[level];

        while (tables->count > 0 && tables->first >= have->first && tables->first <= have->last) {
            tables->first++;
            tables->count--;
        }
        while (tables->count > 0 && tables->last >= have->first && tables->last <= have->last) {
            tables->last--;
            tables->count--;
        }
    }
}

static uint64_t sum_tables(const struct layout *layout, const struct layout_map *map)
{
    uint64_t sum = 0;

    for (unsigned int level = 0; level < layout->levels; level++)
        sum += map->level[level].count;
    return sum;
}

/* Top level first: pt_base is the address of the top. */
static void place_tables(const struct layout *layout, struct layout_map *map, uint64_t pfn)
{
    for (unsigned int level = layout->levels; level-- > 0;) {
        map->level[level].pfn = pfn;
        pfn += map->level[level].count;
        if (level == 1 && map == &layout->main && layout->has_hole_l2)
            pfn++;
    }
}

static void place(struct layout *layout, struct layout_part *part, uint64_t pages, bool mapped)
{
    part->pfn = layout->used_pages;
    part->pages = pages;
    part->virt = mapped ? layout->virt_base + (part->pfn << PAGE_BITS) : 0;
    layout->used_pages += pages;
}

/* Page tables take less than a page in 256, plus a few. */
static bool would_wrap(const struct layout *layout)
{
    uint64_t most = layout->used_pages + layout->used_pages / 256 + 4 * ROUND_PAGES;

    return most >= (UINT64_MAX - layout->virt_base) >> PAGE_BITS;
}

static void plan_page_tables(struct layout *layout)
{
    uint64_t tables = 0, end;

    do {
        end = layout->used_pages + tables + 1 + SLACK_PAGES;
        end += (layout->virt_base >> PAGE_BITS) % ROUND_PAGES;
        end = (end + ROUND_PAGES - 1) / ROUND_PAGES * ROUND_PAGES;
        end -= (layout->virt_base >> PAGE_BITS) % ROUND_PAGES;
        layout->main.virt = layout->virt_base;
        layout->main.virt_end = layout->virt_base + (end << PAGE_BITS);
        layout->main.pfn = 0;
        count_tables(layout, &layout->main);
        layout->has_hole_l2 = !layout->is_64bit && layout->main.level[1].last < 3;
        tables = sum_tables(layout, &layout->main) + layout->has_hole_l2;
    } while (layout->used_pages + tables + 1 + SLACK_PAGES > end);
    place(layout, &layout->page_tables, tables, true);
    place_tables(layout, &layout->main, layout->page_tables.pfn);
    if (layout->has_hole_l2)
        layout->hole_l2_pfn = layout->main.level[1].pfn + layout->main.level[1].count;
}

static void plan_p2m_map(struct layout *layout, uint64_t virt)
{
    struct layout_map *map = &layout->p2m_map;

    map->virt = virt;
    map->virt_end = virt + (layout->p2m.pages << PAGE_BITS);
    map->pfn = layout->p2m.pfn;
    layout->p2m.virt = virt;
    count_tables(layout, map);
    share_tables(layout, map);
    place(layout, &layout->p2m_tables, sum_tables(layout, map), false);
    place_tables(layout, map, layout->p2m_tables.pfn);
}

static bool canonical(uint64_t virt)
{
    return virt >> 47 == 0 || virt >> 47 == 0x1ffff;
}

static int check_range(const struct layout *layout, uint64_t start, uint64_t end, const char *what,
                       char why[LAYOUT_WHY_SIZE])
{
    bool fits = end > start;

    if (layout->is_64bit)
        fits = fits && canonical(start) && canonical(end - 1) && (end <= HOLE_START_64 || start >= HOLE_END_64) &&
               (start >> 47) == ((end - 1) >> 47);
    else
        fits = fits && end <= HOLE_START_32;
    if (fits)
        return 0;
    snprintf(why, LAYOUT_WHY_SIZE, "%s would occupy addresses 0x%llx to 0x%llx, which reach into %s", what,
             (unsigned long long)start, (unsigned long long)end,
             layout->is_64bit ? "the hypervisor's area or past the end of the address space"
                              : "the hypervisor's area from 0xf5800000 up");
    return -1;
}

/* The two ranges must be apart, byte for byte: the kernel's mapping has grown by tables and slack since it was parsed. */
static int check_p2m_map(const struct layout *layout, char why[LAYOUT_WHY_SIZE])
{
    if (layout->p2m_map.virt < layout->main.virt_end && layout->p2m_map.virt_end > layout->main.virt) {
        snprintf(why, LAYOUT_WHY_SIZE, "INIT_P2M (0x%llx) lies inside the kernel's initial mapping",
                 (unsigned long long)layout->p2m_map.virt);
        return -1;
    }
    return check_range(layout, layout->p2m_map.virt, layout->p2m_map.virt_end, "the P2M list", why);
}

/* Keeps every later sum far from wrapping. */
static int check_sizes(const struct elf_image *image, uint64_t nr_pages, uint64_t module_size,
                       char why[LAYOUT_WHY_SIZE])
{
    if (nr_pages > PAGES_MAX || nr_pages == 0) {
        snprintf(why, LAYOUT_WHY_SIZE, "a domain of %llu pages is not possible", (unsigned long long)nr_pages);
        return -1;
    }
    if (pages_of(image->guest_end) > PAGES_MAX || pages_of(module_size) > PAGES_MAX) {
        snprintf(why, LAYOUT_WHY_SIZE, "a kernel that ends at 0x%llx with modules of %llu bytes is not possible",
                 (unsigned long long)image->guest_end, (unsigned long long)module_size);
        return -1;
    }
    return 0;
}

/* Everything but whether it fits the domain's memory. */
static int place_all(const struct elf_image *image, uint64_t nr_pages, uint64_t module_size, struct layout *out,
                     char why[LAYOUT_WHY_SIZE])
{
    uint64_t p2m_pages = pages_of(nr_pages * (image->is_64bit ? 8 : 4));
    bool own_p2m = image->init_p2m != ELF_UNSET;

    if (check_sizes(image, nr_pages, module_size, why) != 0)
        return -1;
    memset(out, 0, sizeof(*out));
    out->is_64bit = image->is_64bit;
    out->levels = image->is_64bit ? 4 : 3;
    out->nr_pages = nr_pages;
    out->virt_base = image->virt_base;
    out->kernel = (struct layout_part){.pfn = image->guest_start >> PAGE_BITS,
                                       .pages = pages_of(image->guest_end) - (image->guest_start >> PAGE_BITS),
                                       .virt = image->virt_start & ~0xfffull};
    out->used_pages = pages_of(image->guest_end);
    if (module_size != 0 && !image->mod_start_pfn)
        place(out, &out->module, pages_of(module_size), true);
    if (!own_p2m)
        place(out, &out->p2m, p2m_pages, true);
    place(out, &out->start_info, 1, true);
    place(out, &out->xenstore, 1, true);
    place(out, &out->console, 1, true);
    if (check_range(out, out->virt_base, out->virt_base + (out->used_pages << PAGE_BITS), "the kernel", why) != 0)
        return -1;
    if (would_wrap(out)) {
        snprintf(why, LAYOUT_WHY_SIZE, "the kernel with its page tables runs past the end of the address space");
        return -1;
    }
    plan_page_tables(out);
    place(out, &out->boot_stack, 1, true);
    if (module_size != 0 && image->mod_start_pfn)
        place(out, &out->module, pages_of(module_size), false);
    if (own_p2m) {
        place(out, &out->p2m, p2m_pages, false);
        plan_p2m_map(out, image->init_p2m);
        if (check_p2m_map(out, why) != 0)
            return -1;
    }
    return check_range(out, out->main.virt, out->main.virt_end, "the kernel", why);
}

/* In MiB. More memory has a longer P2M list, so the answer is looked for upward; the list takes a page in 512. */
static uint64_t smallest_memory(const struct elf_image *image, uint64_t module_size, uint64_t pages)
{
    char why[LAYOUT_WHY_SIZE];
    struct layout trial = {.used_pages = pages};

    do {
        pages = (trial.used_pages + MIB_PAGES - 1) / MIB_PAGES * MIB_PAGES;
        if (place_all(image, pages, module_size, &trial, why) != 0)
            break;
    } while (trial.used_pages > pages);
    return pages / MIB_PAGES;
}

int layout_plan(const struct elf_image *image, uint64_t nr_pages, uint64_t module_size, struct layout *out,
                char why[LAYOUT_WHY_SIZE])
{
    if (place_all(image, nr_pages, module_size, out, why) != 0)
        return -1;
    if (out->used_pages <= nr_pages)
        return 0;
    snprintf(
        why, LAYOUT_WHY_SIZE,
        "a kernel of %llu KiB with a ramdisk or modules of %llu KiB needs memory = %llu (MiB) at least, the domain "
        "has %llu",
        (unsigned long long)(image->guest_end - image->guest_start) / 1024, (unsigned long long)module_size / 1024,
        (unsigned long long)smallest_memory(image, module_size, out->used_pages),
        (unsigned long long)nr_pages / MIB_PAGES);
    return -1;
}

static bool in_part(const struct layout_part *part, uint64_t pfn)
{
    return pfn >= part->pfn && pfn - part->pfn < part->pages;
}

bool layout_is_page_table(const struct layout *layout, uint64_t pfn)
{
    return in_part(&layout->page_tables, pfn) || in_part(&layout->p2m_tables, pfn);
}

static bool has_prefix(const struct layout_tables *tables, uint64_t prefix)
{
    return tables->count > 0 && prefix >= tables->first && prefix <= tables->last;
}

uint64_t layout_table_of(const struct layout *layout, unsigned int level, uint64_t virt)
{
    uint64_t prefix = prefix_of(layout, level, virt);
    const struct layout_tables *tables = &layout->main.level[level];

    if (!has_prefix(tables, prefix))
        tables = &layout->p2m_map.level[level];
    return tables->pfn + (prefix - tables->first);
}

/* Which level a table frame belongs to, and the first address it translates. */
static bool find_table(const struct layout *layout, uint64_t pfn, unsigned int *level, uint64_t *virt)
{
    const struct layout_map *maps[] = {&layout->main, &layout->p2m_map};

    for (unsigned int m = 0; m < 2; m++) {
        for (*level = 0; *level < layout->levels; (*level)++) {
            const struct layout_tables *tables = &maps[m]->level[*level];

            if (tables->count == 0 || pfn < tables->pfn || pfn - tables->pfn >= tables->count)
                continue;
            *virt = *level + 1 == layout->levels ? 0 : (tables->first + (pfn - tables->pfn)) << table_shift(*level);
            return true;
        }
    }
    return false;
}

static uint64_t leaf_entry(const struct layout *layout, const struct layout_map *map, const unsigned long *mfns,
                           uint64_t virt)
{
    uint64_t pfn = map->pfn + ((virt - map->virt) >> PAGE_BITS);
    uint64_t flags = PTE_PRESENT | PTE_ACCESSED; /* the kernel's, who opens what programs shall reach */

    if (pfn >= layout->nr_pages)
        return 0;
    if (!layout_is_page_table(layout, pfn))
        flags |= PTE_WRITE;
    return (uint64_t)mfns[pfn] << PAGE_BITS | flags;
}

/* The same at each level, as libxenguest makes them: the processor walks a 32-bit guest's top level as one of four. */
static uint64_t table_entry(const struct layout *layout, const unsigned long *mfns, unsigned int level, uint64_t virt)
{
    uint64_t table = layout_table_of(layout, level - 1, virt);

    return (uint64_t)mfns[table] << PAGE_BITS | PTE_PRESENT | PTE_WRITE | PTE_USER | PTE_ACCESSED | PTE_DIRTY;
}

/* Addresses of a 64-bit guest repeat above bit 47; of a table's entries only the low 48 bits count. */
static void fill_from_map(const struct layout *layout, const struct layout_map *map, const unsigned long *mfns,
                          unsigned int level, uint64_t table_virt, uint64_t entries[512])
{
    unsigned int shift = PAGE_BITS + 9 * level;
    uint64_t step = 1ull << shift, virt = map->virt & ~(step - 1);

    if (map->virt == map->virt_end)
        return;
    if (level + 1 < layout->levels && virt < table_virt)
        virt = table_virt;
    for (; virt < map->virt_end; virt += step) {
        if (level + 1 < layout->levels && virt - table_virt >= step << 9)
            break;
        entries[virt >> shift & 511] =
            level == 0 ? leaf_entry(layout, map, mfns, virt) : table_entry(layout, mfns, level, virt);
        if (virt + step < virt)
            break;
    }
}

void layout_fill_table(const struct layout *layout, const unsigned long *mfns, uint64_t table_pfn,
                       uint64_t entries[512])
{
    unsigned int level;
    uint64_t virt;

    memset(entries, 0, 512 * sizeof(entries[0]));
    if (!find_table(layout, table_pfn, &level, &virt))
        return; /* the empty L2 of a PAE guest */
    fill_from_map(layout, &layout->main, mfns, level, virt, entries);
    fill_from_map(layout, &layout->p2m_map, mfns, level, virt, entries);
    if (layout->has_hole_l2 && level == 2 && entries[3] == 0)
        entries[3] = (uint64_t)mfns[layout->hole_l2_pfn] << PAGE_BITS | PTE_PRESENT;
}
