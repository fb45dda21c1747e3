/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The plan of a new domain's memory, checked by walking the page tables it produces as a processor would: every
 * promised address leads to its frame, page tables are read-only through every mapping, and nothing else is mapped.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dom0-tools/builder/layout.h"
#include "tests/unit/run_suite.h"

#define FIRST_MFN 0x50000

static struct layout layout;
static char why[LAYOUT_WHY_SIZE];
static unsigned long *mfns;
static unsigned long *pfns; /* the way back */
static uint64_t nr_mfns;

static struct elf_image kernel_64(uint64_t base, uint64_t size)
{
    return (struct elf_image){.is_64bit = true,
                              .virt_base = base,
                              .guest_start = 0x100000,
                              .guest_end = 0x100000 + size,
                              .virt_start = base + 0x100000,
                              .virt_end = base + 0x100000 + size,
                              .init_p2m = ELF_UNSET};
}

static struct elf_image kernel_32(uint32_t base, uint64_t size)
{
    struct elf_image image = kernel_64(base, size);

    image.is_64bit = false;
    return image;
}

static void plan(const struct elf_image *image, uint64_t pages, uint64_t module)
{
    ck_assert_msg(layout_plan(image, pages, module, &layout, why) == 0, "%s", why);
    free(mfns);
    free(pfns);
    nr_mfns = pages;
    mfns = malloc(pages * sizeof(*mfns));
    pfns = malloc(pages * sizeof(*pfns));
    for (uint64_t i = 0; i < pages; i++) {
        uint64_t scattered = (i * 7919) % pages; /* each once, as long as pages is no multiple of 7919 */

        mfns[i] = FIRST_MFN + scattered;
        pfns[scattered] = i;
    }
}

static uint64_t pfn_of(uint64_t mfn)
{
    ck_assert_msg(mfn >= FIRST_MFN && mfn - FIRST_MFN < nr_mfns, "machine frame %lx is not the domain's",
                  (unsigned long)mfn);
    return pfns[mfn - FIRST_MFN];
}

/* The leaf entry for an address, 0 when it is not mapped. */
static uint64_t walk(uint64_t virt)
{
    uint64_t table = layout.page_tables.pfn, entries[512], entry = 0;

    for (unsigned int level = layout.levels; level-- > 0;) {
        ck_assert_msg(layout_is_page_table(&layout, table), "frame %lu is no page table", (unsigned long)table);
        layout_fill_table(&layout, mfns, table, entries);
        entry = entries[virt >> (12 + 9 * level) & 511];
        if ((entry & 1) == 0)
            return 0;
        table = pfn_of((entry & 0xffffffffff000) >> 12);
    }
    return entry;
}

static void expect_mapped(uint64_t virt, uint64_t pfn)
{
    uint64_t entry = walk(virt);

    ck_assert_msg((entry & 1) != 0, "%lx is not mapped", (unsigned long)virt);
    ck_assert_uint_eq(pfn_of((entry & 0xffffffffff000) >> 12), pfn);
    ck_assert_msg(((entry & 2) == 0) == layout_is_page_table(&layout, pfn), "%lx has the wrong access",
                  (unsigned long)virt);
}

static void check_main(void)
{
    uint64_t pages = (layout.main.virt_end - layout.main.virt) >> 12;

    ck_assert_uint_eq(layout.main.virt_end % 0x400000, 0);
    ck_assert(pages >= layout.boot_stack.pfn + 1 + 128);
    for (uint64_t pfn = 0; pfn < pages; pfn += 1 + pfn % 7) {
        if (pfn < nr_mfns)
            expect_mapped(layout.virt_base + (pfn << 12), pfn);
        else
            ck_assert_uint_eq(walk(layout.virt_base + (pfn << 12)), 0);
    }
    ck_assert_uint_eq(walk(layout.main.virt_end), 0);
    ck_assert_uint_eq(layout.page_tables.virt, layout.virt_base + (layout.page_tables.pfn << 12));
}

static void check_apart(void)
{
    const struct layout_part *parts[] = {&layout.kernel,      &layout.module,     &layout.p2m,
                                         &layout.start_info,  &layout.xenstore,   &layout.console,
                                         &layout.page_tables, &layout.boot_stack, &layout.p2m_tables};

    for (unsigned int i = 0; i < 9; i++) {
        ck_assert(parts[i]->pfn + parts[i]->pages <= layout.used_pages);
        for (unsigned int j = 0; j < i; j++)
            ck_assert_msg(parts[i]->pages == 0 || parts[j]->pages == 0 ||
                              parts[i]->pfn + parts[i]->pages <= parts[j]->pfn ||
                              parts[j]->pfn + parts[j]->pages <= parts[i]->pfn,
                          "parts %u and %u overlap", i, j);
    }
}

START_TEST(plain_64)
{
    struct elf_image image = kernel_64(0xffffffff80000000, 0x234567);

    plan(&image, 8192, 0x12345);
    check_main();
    check_apart();
    ck_assert_uint_eq(layout.kernel.pfn, 0x100);
    ck_assert_uint_eq(layout.module.pfn, 0x100 + 0x235);
    ck_assert_uint_eq(layout.module.pages, 0x13);
    ck_assert_uint_eq(layout.p2m.pages, 16);
    ck_assert_uint_eq(layout.start_info.pfn, layout.p2m.pfn + 16);
    ck_assert_uint_eq(layout.xenstore.pfn, layout.start_info.pfn + 1);
    ck_assert_uint_eq(layout.console.pfn, layout.start_info.pfn + 2);
    ck_assert_uint_eq(layout.page_tables.pfn, layout.start_info.pfn + 3);
    ck_assert_uint_eq(layout.boot_stack.pfn, layout.page_tables.pfn + layout.page_tables.pages);
}
END_TEST

START_TEST(linux_like_64)
{
    struct elf_image image = kernel_64(0xffffffff80000000, 0x2000000);

    image.mod_start_pfn = true;
    image.init_p2m = 0x8000000000;
    plan(&image, 65536 * 4, 0x800000);
    check_main();
    check_apart();
    ck_assert_uint_eq(layout.module.virt, 0);
    ck_assert(layout.module.pfn > layout.boot_stack.pfn);
    ck_assert_uint_eq(layout.p2m.pages, 512);
    ck_assert_uint_eq(layout.p2m_tables.pages, 3); /* L3, L2 and one L1; the L4 is shared */
    for (uint64_t i = 0; i < 512; i += 3)
        expect_mapped(0x8000000000 + (i << 12), layout.p2m.pfn + i);
    ck_assert_uint_eq(walk(0x8000000000 + (512 << 12)), 0);
    ck_assert_uint_eq(walk(0x8000000000 - 4096), 0);
}
END_TEST

START_TEST(p2m_shares_tables)
{
    /* An address just above the kernel's mapping: shares L4, L3 and L2 with it. */
    struct elf_image image = kernel_64(0x40000000, 0x100000);

    image.init_p2m = 0x50000000;
    plan(&image, 8192, 0);
    check_main();
    check_apart();
    ck_assert_uint_eq(layout.p2m_tables.pages, 1);
    for (uint64_t i = 0; i < layout.p2m.pages; i++)
        expect_mapped(image.init_p2m + (i << 12), layout.p2m.pfn + i);
}
END_TEST

START_TEST(plain_32)
{
    struct elf_image image = kernel_32(0xc0000000, 0x300000);

    plan(&image, 8192, 0);
    check_main();
    check_apart();
    ck_assert(!layout.has_hole_l2);
    ck_assert_uint_eq(layout.p2m.pages, 8);
    ck_assert_uint_eq(layout.page_tables.pages, 1 + 1 + (layout.main.virt_end - layout.main.virt) / 0x200000);
}
END_TEST

START_TEST(low_32_gets_the_hole_table)
{
    struct elf_image image = kernel_32(0, 0x300000);
    uint64_t entries[512];

    plan(&image, 8192, 0);
    check_main();
    check_apart();
    ck_assert(layout.has_hole_l2);
    layout_fill_table(&layout, mfns, layout.page_tables.pfn, entries);
    ck_assert_uint_eq(entries[0] & 0xfff, 0x67); /* the top level as the others */
    ck_assert_uint_eq(entries[3], mfns[layout.hole_l2_pfn] << 12 | 1);
    ck_assert(layout_is_page_table(&layout, layout.hole_l2_pfn));
    layout_fill_table(&layout, mfns, layout.hole_l2_pfn, entries);
    for (unsigned int i = 0; i < 512; i++)
        ck_assert_uint_eq(entries[i], 0);
}
END_TEST

START_TEST(many_sizes)
{
    for (uint64_t size = 0x1000; size < 0x6000000; size = size * 5 / 3 + 0x1000) {
        struct elf_image wide = kernel_64(0, size), narrow = kernel_32(0x80000000, size);

        plan(&wide, 40000, size / 3);
        check_main();
        check_apart();
        plan(&narrow, 40000, size / 3);
        check_main();
        check_apart();
    }
}
END_TEST

static void refused(const struct elf_image *image, uint64_t pages, uint64_t module, const char *reason)
{
    ck_assert_msg(layout_plan(image, pages, module, &layout, why) != 0, "accepted, expected: %s", reason);
    ck_assert_msg(strstr(why, reason) != NULL, "said \"%s\", expected \"%s\"", why, reason);
}

START_TEST(what_cannot_work)
{
    struct elf_image image = kernel_64(0, 0x100000);

    refused(&image, 0, 0, "not possible");
    refused(&image, 1ull << 40, 0, "not possible");
    refused(&image, 256, 0, "needs memory = 3 (MiB) at least, the domain has 1");
    refused(&image, 513, 0, "needs memory = 3 (MiB) at least");
    refused(&image, 8192, 64ull << 20, "modules of 65536 KiB needs memory = 67 (MiB) at least, the domain has 32");
    refused(&image, 8192, UINT64_MAX, "not possible");
    refused(&image, 8192, 31ull << 20, "has 32");
    image = kernel_64(0xffff7fff00000000, 0x100000);
    refused(&image, 8192, 0, "hypervisor's area");
    image = kernel_64(0xffff800000000000, 0x100000);
    refused(&image, 8192, 0, "hypervisor's area");
    image = kernel_64(0x7fffffe00000, 0x100000);
    refused(&image, 8192, 0, "0x7fff");
    image = kernel_64(0xffffffffffc00000, 0x100000);
    refused(&image, 8192, 0, "end of the address space");
    image = kernel_32(0xf5600000, 0x100000);
    refused(&image, 8192, 0, "0xf5800000");
    image = kernel_64(0, 0x100000);
    image.init_p2m = 0x300000;
    refused(&image, 8192, 0, "inside the kernel's initial mapping");
    image.init_p2m = 0xffff800000000000;
    refused(&image, 8192, 0, "hypervisor's area");
    image.init_p2m = 0xfffffffffffff000;
    refused(&image, 8192, 0, "end of the address space");
}
END_TEST

/* What the message names has to work, and a MiB less must not: else a user is sent from one refusal to the next. */
START_TEST(the_smallest_memory)
{
    for (unsigned int width = 32; width <= 64; width += 32) {
        for (uint64_t module = 0; module <= 600ull << 20; module += 29999999) {
            struct elf_image image = width == 64 ? kernel_64(0, 50000000) : kernel_32(0xc0000000, 50000000);
            unsigned long long mib;

            image.mod_start_pfn = module & 1;
            ck_assert(layout_plan(&image, 256, module, &layout, why) != 0);
            ck_assert_msg(sscanf(strstr(why, "memory = "), "memory = %llu", &mib) == 1, "%s", why);
            ck_assert_msg(layout_plan(&image, mib * 256, module, &layout, why) == 0, "%llu MiB: %s", mib, why);
            ck_assert_msg(layout_plan(&image, (mib - 1) * 256, module, &layout, why) != 0, "%llu MiB work", mib - 1);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("layout");
    TCase *tests = tcase_create("all");

    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, plain_64);
    tcase_add_test(tests, linux_like_64);
    tcase_add_test(tests, p2m_shares_tables);
    tcase_add_test(tests, plain_32);
    tcase_add_test(tests, low_32_gets_the_hole_table);
    tcase_add_test(tests, many_sizes);
    tcase_add_test(tests, what_cannot_work);
    tcase_add_test(tests, the_smallest_memory);
    return run_suite(suite);
}
