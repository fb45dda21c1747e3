/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A few frames are by turns data and tables of every level that name each other, themselves and nonsense: pinned and
 * unpinned, entered and taken out, mapped and cleared, in an order that looks random and is the same each time. Each
 * answer is compared with genuine Xen's, so that what a frame has become through all that went before is, too.
 */
#include <stdio.h>
#include <string.h>
#include <abi/errno.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include "check.h"
#include "table_calls.h"

#define FRAMES 6
#define SLOTS  4
#define STORY  60
#define TALES  60
#ifdef __x86_64__
#define LEVELS 4
#else
#define LEVELS 3
#endif

static unsigned long frames[FRAMES];
static char *windows[2];
static uint32_t seed;

static unsigned int draw(unsigned int below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 12) % below;
}

static long enter(unsigned long table, unsigned int slot, uint64_t value)
{
    /* Of level 4, not the one in which this kernel lies: a linear mapping's addresses are no arguments of calls. */
    static const unsigned int slots[SLOTS] = {LEVELS == 4 ? 300 : 0, 1, 2, LEVELS == 4 ? 511 : 3};
    struct mmu_update update = {.ptr = (uint64_t)table << 12 | slots[slot] * 8, .val = value};

    return HYPERVISOR_mmu_update(&update, 1, NULL, DOMID_SELF);
}

static long map(unsigned int window, uint64_t value)
{
    return HYPERVISOR_update_va_mapping((unsigned long)windows[window], value, UVMF_INVLPG);
}

static uint64_t any_entry(unsigned long mfn)
{
    static const uint64_t flags[] = {
        0,     PTE_P | PTE_RW | PTE_US, PTE_P | PTE_RW | PTE_US,           PTE_P | PTE_US,        PTE_P | PTE_US,
        PTE_P, PTE_P | PTE_RW,          PTE_P | PTE_RW | PTE_US | PTE_PSE, PTE_P | PTE_US | PTE_G};

    return pte_make(mfn, flags[draw(sizeof(flags) / sizeof(flags[0]))]);
}

/* One operation: its answer, and in `what` which it was. */
static long one(char *what)
{
    static const unsigned int pins[] = {MMUEXT_PIN_L1_TABLE, MMUEXT_PIN_L2_TABLE, MMUEXT_PIN_L3_TABLE,
                                        MMUEXT_PIN_L4_TABLE};
    unsigned int kind = draw(16), frame = draw(FRAMES), other = draw(FRAMES), slot = draw(SLOTS), level = draw(LEVELS);
    uint64_t entry = any_entry(frames[other]);

    if (kind < 7) {
        sprintf(what, "slot %u of %u is %u with %03x", slot, frame, other, (unsigned int)entry & 0xfff);
        return enter(frames[frame], slot, entry);
    }
    if (kind < 10) {
        sprintf(what, "%u pinned at level %u", frame, level + 1);
        return ext(pins[level], frames[frame]);
    }
    if (kind < 12) {
        sprintf(what, "%u unpinned", frame);
        return ext(MMUEXT_UNPIN_TABLE, frames[frame]);
    }
    if (kind < 15) {
        sprintf(what, "window %u shows %u with %03x", slot & 1, frame, (unsigned int)entry & 0xfff);
        return map(slot & 1, (entry & 0xfff) | (uint64_t)frames[frame] << 12);
    }
    sprintf(what, "%u cleared", frame);
    return ext(MMUEXT_CLEAR_PAGE, frames[frame]);
}

/* Every frame is data again, and empty. */
static void begin_anew(void)
{
    map(0, 0);
    map(1, 0);
    for (unsigned int i = 0; i < FRAMES; i++)
        ext(MMUEXT_UNPIN_TABLE, frames[i]);
    for (unsigned int i = 0; i < FRAMES; i++)
        for (unsigned int slot = 0; slot < SLOTS; slot++)
            enter(frames[i], slot, 0);
    for (unsigned int i = 0; i < FRAMES; i++)
        CHECK_EQ(ext(MMUEXT_CLEAR_PAGE, frames[i]), 0, "in the end a frame is a page again");
}

int main(int argc, char **argv)
{
    static char text[96], what[64];

    for (unsigned int i = 0; i < 2; i++) {
        windows[i] = pages_alloc(1);
        map(i, 0);
    }
    for (unsigned int i = 0; i < FRAMES; i++) {
        char *page = pages_alloc(1);
        frames[i] = virt_to_mfn(page);
        memset(page, 0, PAGE_SIZE);
        HYPERVISOR_update_va_mapping((unsigned long)page, 0, UVMF_INVLPG);
    }
    for (unsigned int tale = 0; tale < TALES; tale++) {
        seed = tale * 7919;
        sprintf(text, "tale %u", tale);
        check_group(text);
        for (unsigned int step = 0; step < STORY; step++) {
            long answer = one(what);
            sprintf(text, "%u: %s", step, what);
            CHECK_SAME(answer, text);
        }
        begin_anew();
    }
    return check_summary("test-tables");
}
