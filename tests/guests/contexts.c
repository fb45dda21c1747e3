/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The first state of a vCPU, with one thing wrong at a time: page tables that are none, addresses that are none, tables
 * of descriptors in odd places, a program to run without page tables of its own. One that is accepted by mistake faults
 * in the hypervisor when the vCPU first runs, or not before it first leaves its kernel. The last is right, and a vCPU
 * has a first state only once. Each answer is compared with genuine Xen's.
 */
#include <stdio.h>
#include <string.h>
#include <abi/errno.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/smp.h>
#include "check.h"

#ifdef __x86_64__
#define IN_HYPERVISOR 0xffff830000000000UL
#define NO_ADDRESS    0x0000800000000000UL
#define KERNEL_CS     0xe033
#define KERNEL_SS     0xe02b
#define cr3_of(mfn)   ((mfn) << 12)
#define STACK(c)      ((c).user_regs.rsp)
#define START(c)      ((c).user_regs.rip)
#else
#define KERNEL_CS   0xe019
#define KERNEL_SS   0xe021
#define cr3_of(mfn) ((mfn) << 12 | (mfn) >> 20)
#define STACK(c)    ((c).user_regs.esp)
#define START(c)    ((c).user_regs.eip)
#endif

static struct vcpu_guest_context context;
static char stack[PAGE_SIZE] __attribute__((aligned(16)));
static char *data, *table;

static long initialise(void)
{
    return HYPERVISOR_vcpu_op(VCPUOP_initialise, 1, &context);
}

/* Never up: what it would run does not matter. */
static void begin(void)
{
    memset(&context, 0, sizeof(context));
    context.flags = VGCF_IN_KERNEL;
    context.user_regs.cs = KERNEL_CS;
    context.user_regs.ss = context.kernel_ss = KERNEL_SS;
    START(context) = (unsigned long)begin;
    STACK(context) = context.kernel_sp = (unsigned long)stack + sizeof(stack) - 16;
    context.ctrlreg[3] = cr3_of(virt_to_mfn((void *)(unsigned long)start_info->pt_base));
}

static void with_word(const char *what, unsigned long *word, unsigned long value)
{
    char text[96];

    begin();
    *word = value;
    sprintf(text, "%s: %#lx", what, value);
    CHECK_SAME(initialise(), text);
}

/* The frame's number would differ from one hypervisor to the other. */
static void with_table(const char *what, unsigned int reg, unsigned long mfn)
{
    begin();
    context.ctrlreg[reg] = cr3_of(mfn);
    CHECK_SAME(initialise(), what);
}

static unsigned long foreign_mfn(void)
{
    unsigned long mfn = 0x1000;

    while (mfn_to_pfn(mfn) != INVALID_P2M)
        mfn++;
    return mfn;
}

static void page_tables(void)
{
    check_group("page tables");
    with_word("a base", &context.ctrlreg[3], 0);
    with_word("a base", &context.ctrlreg[3], ~0UL);
    with_table("a page that is written to", 3, virt_to_mfn(data));
    with_table("a page of the level below", 3, virt_to_mfn(table));
    with_table("a level-1 table in use", 3, (unsigned long)(pte_slot(data) >> 12));
    with_table("a frame of nobody", 3, foreign_mfn());
    with_table("the shared page", 3, (unsigned long)(start_info->shared_info >> 12));
}

#ifdef __x86_64__
static void user_tables(void)
{
    check_group("page tables of a program");
    with_word("the program's base", &context.ctrlreg[1], ~0UL);
    with_table("a page that is written to", 1, virt_to_mfn(data));
    with_table("a page of the level below", 1, virt_to_mfn(table));
    with_table("a frame of nobody", 1, foreign_mfn());
    with_word("a program without any", &context.flags, 0);
}

static void addresses(void)
{
    unsigned long *const words[] = {&context.user_regs.rip,
                                    &context.user_regs.rsp,
                                    &context.kernel_sp,
                                    &context.fs_base,
                                    &context.gs_base_kernel,
                                    &context.gs_base_user,
                                    &context.event_callback_eip,
                                    &context.failsafe_callback_eip,
                                    &context.syscall_callback_eip,
                                    &context.trap_ctxt[0].address,
                                    &context.trap_ctxt[255].address,
                                    &context.ldt_base};

    check_group("addresses that are none");
    for (unsigned int i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        char text[32];
        sprintf(text, "word %u", i);
        with_word(text, words[i], NO_ADDRESS);
        with_word(text, words[i], 0xdead000000000000UL);
    }
}
#endif

static void local_table(unsigned long base, unsigned long entries)
{
    char text[96];

    begin();
    context.ldt_base = base;
    context.ldt_ents = entries;
    sprintf(text, "a local table of %lu at %#lx", entries, base);
    CHECK_SAME(initialise(), text);
}

static void descriptor_tables(void)
{
    check_group("descriptor tables");
    local_table(0x1001, 1);
    local_table(0x1000, 8193);
    local_table(0x1000, ~0UL);
#ifdef __x86_64__
    local_table(IN_HYPERVISOR, 1);
    local_table(NO_ADDRESS, 8192);
#endif
    with_word("entries", &context.gdt_ents, 7169);
    with_word("entries", &context.gdt_ents, 8192);
    with_word("entries", &context.gdt_ents, ~0UL);
    with_word("one of frame 0", &context.gdt_ents, 1);
    begin();
    context.gdt_ents = 1;
    context.gdt_frames[0] = virt_to_mfn(data);
    CHECK_SAME(initialise(), "a table in a page that is written to");
    context.gdt_frames[0] = (unsigned long)(pte_slot(data) >> 12);
    CHECK_SAME(initialise(), "a table in a page table");
    context.gdt_ents = 600;
    context.gdt_frames[0] = virt_to_mfn(table);
    context.gdt_frames[1] = foreign_mfn();
    CHECK_SAME(initialise(), "a table whose second frame is nobody's");
}

/* None of the tries above has left anything behind: the pages are what they were. */
static void after_all(void)
{
    check_group("after all that");
    CHECK_EQ(pages_protect(table, 1, true), 0, "no page is in use as a table");
    begin();
    CHECK_EQ(initialise(), 0, "a state with nothing wrong is taken");
    CHECK_EQ(initialise(), -XEN_EEXIST, "and no second one");
    CHECK_EQ(HYPERVISOR_vcpu_op(VCPUOP_is_up, 1, NULL), 0, "it does not run by itself");
}

int main(int argc, char **argv)
{
    if (smp_cpu_count() > 1) {
        data = pages_alloc(1);
        table = pages_alloc(1);
        *(uint64_t *)table = (uint64_t)foreign_mfn() << PAGE_SHIFT | 1; /* an entry that no table of ours may have */
        pages_protect(table, 1, false);
        page_tables();
#ifdef __x86_64__
        user_tables();
        addresses();
#endif
        descriptor_tables();
        after_all();
    }
    return check_summary("contexts");
}
