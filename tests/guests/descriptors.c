/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Descriptors of every type: what update_descriptor and set_gdt refuse, and what they store instead of what was asked
 * for. All 4096 combinations of access byte and flags are tried; a guest that gets one of ring 0 past this owns the
 * machine. Gates are tried with selectors of all kinds, and selectors are loaded from every place of the table.
 */
#include <stdio.h>
#include <string.h>
#include <abi/errno.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/traps.h>
#include "check.h"

static uint64_t *gdt;

static void note(const char *what, unsigned int number, unsigned int kind, long value)
{
    static char text[96];

    sprintf(text, "%s, %#x, %u", what, number, kind);
    CHECK_SAME(value, text);
}

static long set(unsigned int slot, uint64_t descriptor)
{
    return HYPERVISOR_update_descriptor(((uint64_t)virt_to_mfn(gdt) << PAGE_SHIFT) + slot * 8, descriptor);
}

/* The access byte of a descriptor, and the nibble of flags above it. */
static uint64_t shape(uint64_t base, unsigned int access, unsigned int flags)
{
    return base | (uint64_t)access << 40 | (uint64_t)flags << 52;
}

static void test_types(uint64_t base, const char *what)
{
    for (unsigned int flags = 0; flags < 16; flags++)
        for (unsigned int access = 0; access < 256; access++) {
            uint64_t wanted = shape(base, access, flags);
            long rc = set(7, wanted);

            note(what, flags << 8 | access, 0, rc ? rc : (long)((gdt[7] ^ wanted) >> 32));
        }
}

static const unsigned int selectors[] = {0,      3,      0x8,    0xb,    0xe008, 0xe00b, 0xe010, 0xe019,
                                         0xe01b, 0xe021, 0xe023, 0xe028, 0xe02b, 0xe030, 0xe033, 0xe038,
                                         0xe040, 0xe048, 0xffff, 0x4,    0x7,    0x1f,   0x3b};

static void test_gates(void)
{
    check_group("gates");
    for (unsigned int i = 0; i < sizeof(selectors) / sizeof(selectors[0]); i++)
        for (unsigned int access = 0x80; access < 0x100; access += 0x20)
            for (unsigned int type = 4; type < 16; type++) {
                uint64_t wanted =
                    0x0012000000003456ULL | (uint64_t)selectors[i] << 16 | (uint64_t)(access | type) << 40;

                if (type >= 8 && type != 12)
                    continue;
                note("gate", selectors[i] << 8 | access | type, 0, set(7, wanted));
                note("gate", selectors[i] << 8 | access | type, 1, (long)(gdt[7] >> 32));
                note("gate", selectors[i] << 8 | access | type, 2, (long)(uint32_t)gdt[7]);
                set(7, 0);
            }
}

struct load {
    unsigned int selector, which;
};

static void do_load(void *arg)
{
    const struct load *l = arg;

    switch (l->which) {
    case 0:
        __asm__ volatile("mov %0, %%fs" : : "r"(l->selector));
        break;
    case 1:
        __asm__ volatile("mov %0, %%es" : : "r"(l->selector));
        break;
    default:
        __asm__ volatile("mov %%ss, %%eax; mov %0, %%ss; mov %%eax, %%ss" : : "r"(l->selector) : "eax");
    }
}

static void try_load(const char *what, unsigned int selector)
{
    struct fault fault;

    for (unsigned int which = 0; which < 3; which++) {
        memset(&fault, 0, sizeof(fault));
        (void)fault_catch(do_load, &(struct load){selector, which}, &fault);
        note(what, selector, which, (long)(fault.vector << 16 | fault.error));
#ifndef __x86_64__
        __asm__ volatile("mov %0, %%es" : : "r"(FLAT_KERNEL_DS));
#else
        __asm__ volatile("mov %0, %%es" : : "r"(0));
#endif
        __asm__ volatile("mov %0, %%fs" : : "r"(0));
    }
}

static void test_loads(void)
{
    check_group("loads");
    for (unsigned int type = 0; type < 32; type++)
        for (unsigned int dpl = 0; dpl < 4; dpl++)
            for (unsigned int present = 0; present < 2; present++) {
                unsigned int access = type | dpl << 5 | present << 7;

                if (set(7, shape(0x000f00000000ffffULL, access, 0xc)))
                    continue;
                try_load("present data", 7 * 8 | 3);
                try_load("ring 1", 7 * 8 | 1);
                try_load("ring 0", 7 * 8);
            }
    for (unsigned int i = 0; i < sizeof(selectors) / sizeof(selectors[0]); i++)
        try_load("selector", selectors[i]);
}

static void test_flat(void)
{
    unsigned long value;
    unsigned char ok;

    check_group("the reserved part");
    for (unsigned int selector = 0xe000; selector < 0xe080; selector++) {
        if (selector >= 0xe038 && selector < 0xe048)
            continue; /* the task segment: where it lies is the hypervisor's business */
        value = 0;
        __asm__ volatile("lar %2, %0; setz %1" : "+r"(value), "=q"(ok) : "r"((unsigned long)selector));
        note("lar", selector, ok, ok ? (long)value : 0);
        value = 0;
        __asm__ volatile("lsl %2, %0; setz %1" : "+r"(value), "=q"(ok) : "r"((unsigned long)selector));
        if (selector < 0xe038)
            note("lsl", selector, ok, ok ? (long)value : 0);
        __asm__ volatile("verr %w1; setz %0" : "=q"(ok) : "r"(selector));
        note("verr", selector, ok, 0);
        __asm__ volatile("verw %w1; setz %0" : "=q"(ok) : "r"(selector));
        note("verw", selector, ok, 0);
    }
}

static void test_set_gdt(void)
{
    unsigned long frames[16] = {0};
    uint64_t *page = pages_alloc(1);

    check_group("set_gdt");
    frames[0] = virt_to_mfn(page);
    pages_protect(page, 1, true);
    for (unsigned int access = 0; access < 256; access++) {
        page[9] = shape(0x000f00000000ffffULL, access, 0xc);
        pages_protect(page, 1, false);
        note("a table with", access, 0, HYPERVISOR_set_gdt(frames, 512));
        note("then has", access, 0, (long)(page[9] >> 32));
        HYPERVISOR_set_gdt(NULL, 0);
        pages_protect(page, 1, true);
    }
    page[9] = 0;
    pages_protect(page, 1, false);
    for (unsigned int n = 0; n < 600; n += 61)
        note("entries", n, 0, HYPERVISOR_set_gdt(frames, n));
    note("entries", 7168, 0, HYPERVISOR_set_gdt(frames, 7168));
    note("entries", 7169, 0, HYPERVISOR_set_gdt(frames, 7169));
    note("entries", 0xffff, 0, HYPERVISOR_set_gdt(NULL, 0xffffffff));
    note("from nowhere", 1, 0, HYPERVISOR_set_gdt(NULL, 1));
    HYPERVISOR_set_gdt(NULL, 0);
    for (unsigned int i = 0; i < 14; i++)
        frames[i] = virt_to_mfn(page);
    note("fourteen times the same", 0, 0, HYPERVISOR_set_gdt(frames, 7168));
    frames[13] = ~0UL;
    note("a frame that is none", 0, 0, HYPERVISOR_set_gdt(frames, 7168));
    frames[13] = start_info->shared_info >> PAGE_SHIFT;
    note("shared_info", 0, 0, HYPERVISOR_set_gdt(frames, 7168));
    HYPERVISOR_set_gdt(NULL, 0);
    pages_protect(page, 1, true);
    pages_free(page, 1);
}

static void test_where(void)
{
    char *page = pages_alloc(1);
    uint64_t maddr = (uint64_t)virt_to_mfn(page) << PAGE_SHIFT;

    check_group("places");
    for (unsigned int i = 0; i < 9; i++)
        note("bytes off", i, 0, HYPERVISOR_update_descriptor(maddr + i, 0x00cff2000000ffffULL));
    note("highest", 0, 0, HYPERVISOR_update_descriptor(~7ULL, 0));
    note("shared_info", 0, 0, HYPERVISOR_update_descriptor(start_info->shared_info, 0));
    pages_free(page, 1);
}

int main(int argc, char **argv)
{
    unsigned long frames[16] = {0};

    test_set_gdt();
    gdt = pages_alloc(1);
    frames[0] = virt_to_mfn(gdt);
    pages_protect(gdt, 1, false);
    CHECK_EQ(HYPERVISOR_set_gdt(frames, 512), 0, "a table of zeros can be the descriptor table");
    check_group("types");
    test_types(0x000f00000000ffffULL, "flat");
    test_types(0x120034567800ff00ULL, "based");
    test_gates();
    test_loads();
    test_flat();
    test_where();
    set(7, 0);
    return check_summary("descriptors") != 0;
}
