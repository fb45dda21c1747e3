/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A few frames are by turns data, page tables, pages of the GDT and of the LDT: mapped writable and not, named in lists
 * of frames, written entry by entry, given new uses while a selector still leads to them, in an order that looks random
 * and is the same each time. Each answer, and what the processor says of selectors in between, is compared with genuine
 * Xen's: a frame that is trusted as a descriptor table a moment too long is one that the guest can write as it likes.
 */
#include <stdio.h>
#include <string.h>
#include <abi/errno.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/traps.h>
#include "check.h"

#define FRAMES    4
#define WINDOWS   2
#define SLOTS     4
#define TALES     40
#define STORY     60
#define DATA      0x00cff3000000ffffULL
#define CODE      0x00cffb000000ffffULL
#define NOT_HERE  0x00cf73000000ffffULL
#define CALL_GATE 0x00008c00e0190000ULL
#define TASK      0x0000890000000067ULL
#define NOTHING   256 /* raised by an instruction that asked only */

static unsigned long frames[FRAMES];
static char *windows; /* WINDOWS pages in a row */
static uint32_t seed;

static unsigned int draw(unsigned int below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 12) % below;
}

static long ext(unsigned int cmd, unsigned long mfn)
{
    struct mmuext_op op = {.cmd = cmd, .arg1.mfn = mfn};

    return HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

static long map(unsigned int window, unsigned long mfn, uint64_t flags)
{
    return HYPERVISOR_update_va_mapping((unsigned long)windows + window * PAGE_SIZE, pte_make(mfn, flags), UVMF_INVLPG);
}

static uint64_t address_of(unsigned int frame, unsigned int slot)
{
    return ((uint64_t)frames[frame] << PAGE_SHIFT) + slot * 8;
}

static long set_ldt(unsigned int window, unsigned int entries)
{
    struct mmuext_op op = {.cmd = MMUEXT_SET_LDT, .arg2.nr_ents = entries};

    op.arg1.linear_addr = entries ? (unsigned long)windows + window * PAGE_SIZE : 0;
    return HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

struct question {
    unsigned int selector;
    unsigned long rights;
    bool known;
};

static void load_rights(void *arg)
{
    struct question *q = arg;

    __asm__ volatile("lar %2, %0; setz %1" : "=r"(q->rights), "=q"(q->known) : "r"((unsigned long)q->selector) : "cc");
}

/* Type, presence and level of what a selector leads to, 0 for nothing; or the exception, past 64 KiB. The processor marks
 * a segment as used when it pleases. */
static long ask(unsigned int selector)
{
    struct question q = {.selector = selector};
    struct fault fault;

    if (!fault_catch(load_rights, &q, &fault))
        return NOTHING + (long)fault.vector;
    return q.known ? (long)(q.rights & 0xfe00) : 0;
}

static long write_descriptor(char *what)
{
    static const uint64_t values[] = {0, DATA, CODE, DATA & ~(3ULL << 45), NOT_HERE, CALL_GATE, TASK};
    unsigned int frame = draw(FRAMES), slot = draw(SLOTS), value = draw(sizeof(values) / sizeof(values[0]));

    sprintf(what, "slot %u of %u is %u", slot, frame, value);
    return HYPERVISOR_update_descriptor(address_of(frame, slot), values[value]);
}

static long write_plainly(char *what)
{
    static const uint64_t values[] = {0, DATA, CODE, TASK};
    unsigned int frame = draw(FRAMES), slot = draw(SLOTS), value = draw(sizeof(values) / sizeof(values[0]));
    struct mmu_update update = {.ptr = address_of(frame, slot), .val = values[value]};

    sprintf(what, "word %u of %u is %u", slot, frame, value);
    return HYPERVISOR_mmu_update(&update, 1, NULL, DOMID_SELF);
}

static long name_frames(char *what)
{
    static const unsigned int counts[] = {0, 4, 512, 513, 1024};
    unsigned int first = draw(FRAMES), second = draw(FRAMES),
                 entries = counts[draw(sizeof(counts) / sizeof(counts[0]))];
    unsigned long list[2] = {frames[first], frames[second]};

    sprintf(what, "a table of %u in %u and %u", entries, first, second);
    return HYPERVISOR_set_gdt(list, entries);
}

static long use_window(char *what)
{
    static const uint64_t flags[] = {0, PTE_P | PTE_US, PTE_P | PTE_RW | PTE_US};
    unsigned int window = draw(WINDOWS), frame = draw(FRAMES), how = draw(3);

    sprintf(what, "window %u shows %u, %u", window, frame, how);
    set_ldt(0, 0); /* whether a page is let go of with its mapping or with the table is not for the guest to know */
    return map(window, frames[frame], flags[how]);
}

static long use_locally(char *what)
{
    static const unsigned int counts[] = {0, 2, 512, 1024};
    unsigned int window = draw(WINDOWS), entries = counts[draw(4)];

    sprintf(what, "a local table of %u in window %u", entries, window);
    return set_ldt(window, entries);
}

static long use_otherwise(char *what)
{
    static const unsigned int commands[] = {MMUEXT_PIN_L1_TABLE, MMUEXT_UNPIN_TABLE, MMUEXT_CLEAR_PAGE};
    unsigned int command = commands[draw(3)], frame = draw(FRAMES);

    sprintf(what, "operation %u on %u", command, frame);
    return ext(command, frames[frame]);
}

static long ask_something(char *what)
{
    unsigned int selector = draw(SLOTS) * 8 + draw(2) * PAGE_SIZE, table = draw(2) * 4;

    sprintf(what, "selector %#x", selector | table | 3);
    return ask(selector | table | 3);
}

static long one(char *what)
{
    static long (*const kinds[])(char *what) = {write_descriptor, write_descriptor, write_plainly, name_frames,
                                                use_window,       use_window,       use_locally,   use_otherwise,
                                                ask_something,    ask_something,    ask_something, ask_something};

    return kinds[draw(sizeof(kinds) / sizeof(kinds[0]))](what);
}

/* No table, no mapping; every frame is data, and empty. */
static void begin_anew(void)
{
    set_ldt(0, 0);
    HYPERVISOR_set_gdt(NULL, 0);
    for (unsigned int i = 0; i < WINDOWS; i++)
        map(i, 0, 0);
    for (unsigned int i = 0; i < FRAMES; i++) {
        ext(MMUEXT_UNPIN_TABLE, frames[i]);
        CHECK_EQ(ext(MMUEXT_CLEAR_PAGE, frames[i]), 0, "in the end a frame is a page again");
    }
}

int main(int argc, char **argv)
{
    static char text[128], what[96];

    windows = pages_alloc(WINDOWS);
    for (unsigned int i = 0; i < FRAMES; i++) {
        char *page = pages_alloc(1);
        frames[i] = virt_to_mfn(page);
        HYPERVISOR_update_va_mapping((unsigned long)page, 0, UVMF_INVLPG);
    }
    for (unsigned int i = 0; i < WINDOWS; i++)
        map(i, 0, 0);
    for (unsigned int tale = 0; tale < TALES; tale++) {
        char name[32];

        seed = tale;
        sprintf(name, "tale %u", tale);
        check_group(name);
        for (unsigned int i = 0; i < STORY; i++) {
            long answer = one(what);
            sprintf(text, "%u. %s", i, what);
            CHECK_SAME(answer, text);
        }
        begin_anew();
    }
    return check_summary("segment_tales");
}
