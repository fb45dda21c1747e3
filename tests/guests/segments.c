/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Descriptor tables: which descriptors a guest may have, when a frame may hold them, and loading what is in them.
 */
#include <stdio.h>
#include <string.h>
#include <abi/errno.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/smp.h>
#include <pv/traps.h>
#include "../../guest-pv/core/internal.h"
#include "check.h"

#define KERNEL_DPL (sizeof(long) == 8 ? 3ULL : 1ULL)
#define RPL        ((unsigned int)KERNEL_DPL)

/* Flat segments: base 0, limit 4 GiB, present. */
#define DATA_DPL(dpl)   (0x00cf92000000ffffULL | (uint64_t)(dpl) << 45)
#define CODE32_DPL(dpl) (0x00cf9a000000ffffULL | (uint64_t)(dpl) << 45)
#define CODE64_DPL(dpl) (0x00af9a000000ffffULL | (uint64_t)(dpl) << 45)
#define TSS             0x00008b0000000067ULL
#define LDT             0x0000820000000fffULL
#define INTERRUPT_GATE  0x00008e000000e019ULL
#define CALL_GATE(cs)   (0x0000ec0000000000ULL | (uint64_t)(cs) << 16)

static uint64_t *gdt;
static unsigned long gdt_mfn;

static long set_descriptor(unsigned int index, uint64_t descriptor)
{
    return HYPERVISOR_update_descriptor(((uint64_t)gdt_mfn << PAGE_SHIFT) + index * 8, descriptor);
}

static void load_ds(void *selector)
{
    __asm__ volatile("mov %0, %%ds" : : "r"((unsigned int)(unsigned long)selector));
}

static void load_fs(void *selector)
{
    __asm__ volatile("mov %0, %%fs" : : "r"((unsigned int)(unsigned long)selector));
}

static struct fault fault;

static bool loads(void (*load)(void *), unsigned int selector)
{
    memset(&fault, 0, sizeof(fault));
    return fault_catch(load, (void *)(unsigned long)selector, &fault);
}

static void ds_back(void)
{
    load_ds((void *)(unsigned long)(sizeof(long) == 8 ? 0 : FLAT_KERNEL_DS));
}

static void test_set_gdt(void)
{
    unsigned long frames[16] = {0};

    check_group("set_gdt");
    gdt = pages_alloc(1);
    gdt_mfn = frames[0] = virt_to_mfn(gdt);
    gdt[1] = DATA_DPL(KERNEL_DPL);
    CHECK_EQ(HYPERVISOR_set_gdt(frames, 16), -XEN_EINVAL,
             "a page that is mapped writable cannot be a descriptor table");
    pages_protect(gdt, 1, false);
    CHECK_EQ(HYPERVISOR_set_gdt(frames, 16), 0, "read-only it can");
    CHECK_EQ(pages_protect(gdt, 1, true), -16, "and then stays read-only");
    CHECK_EQ(HYPERVISOR_set_gdt(frames, 7169), -XEN_EINVAL, "there is room for 7168 entries below the hypervisor's");
    frames[0] = 0x1000;
    while (mfn_to_pfn(frames[0]) != INVALID_P2M)
        frames[0]++;
    CHECK_EQ(HYPERVISOR_set_gdt(frames, 16), -XEN_EINVAL, "a frame of nobody is refused");
    CHECK(loads(load_ds, 8 | RPL), "the table before that still serves");
    ds_back();
}

static void test_loads(void)
{
    check_group("loading selectors");
    CHECK_EQ(set_descriptor(2, DATA_DPL(KERNEL_DPL)), 0, "a data segment can be set");
    CHECK_EQ(gdt[2] & ~(1ULL << 40), DATA_DPL(KERNEL_DPL), "and is there");
    CHECK(loads(load_ds, 2 * 8 | RPL), "and be loaded");
    ds_back();
    CHECK(loads(load_fs, 2 * 8 | RPL), "into fs too");
    CHECK(loads(load_fs, 0), "which can be null");
    CHECK(!loads(load_ds, 5 * 8 | 3) && fault.vector == TRAP_GP && fault.error == 5 * 8,
          "an empty entry is a protection fault");
    CHECK_EQ(set_descriptor(2, DATA_DPL(KERNEL_DPL) & ~(1ULL << 47)), 0, "a segment that is not present can be set");
    CHECK(!loads(load_ds, 2 * 8 | RPL) && fault.vector == TRAP_NP && fault.error == 2 * 8, "loading it is vector 11");
    CHECK(!loads(load_ds, 600 * 8 | 3) && fault.vector == TRAP_GP && fault.error == 600 * 8,
          "behind our entries is a protection fault");
    ds_back();
}

/* All four questions about a selector; how many knew it. */
static unsigned int known;

static void ask(void *selector)
{
    unsigned long answer;

    known = 0;
    __asm__ volatile("lar %2, %1; jnz 1f; incl %0; 1: lsl %2, %1; jnz 1f; incl %0; 1: verr %w2; jnz 1f; incl %0;"
                     "1: verw %w2; jnz 1f; incl %0; 1:"
                     : "+m"(known), "=&r"(answer)
                     : "r"(selector)
                     : "cc");
}

/* Programs ask whether a selector is there, the C library for the number of the CPU: no is an answer and no fault. */
static void test_questions(void)
{
    check_group("questions about selectors");
    set_descriptor(2, DATA_DPL(KERNEL_DPL));
    CHECK(loads(ask, 2 * 8 | RPL) && known == 4, "a data segment is known");
    CHECK(loads(ask, 5 * 8 | 3) && known == 0, "an empty entry is not");
    CHECK(loads(ask, 600 * 8 | 3) && known == 0, "nor is anything behind our entries");
    CHECK(loads(ask, 0xdff8 | 3) && known == 0, "up to the hypervisor's");
    CHECK(loads(ask, 0x7ff4 | 3) && known == 0, "nor anything of a local table that there is none of");
}

static void test_rules(void)
{
    check_group("which descriptors are allowed");
    CHECK_EQ(set_descriptor(3, 0), 0, "an empty one");
    CHECK_EQ(set_descriptor(3, DATA_DPL(3)), 0, "data of ring 3");
    CHECK_EQ(set_descriptor(3, CODE32_DPL(3)), 0, "32-bit code of ring 3");
    CHECK_EQ(set_descriptor(3, DATA_DPL(0)), 0, "data of ring 0: its privilege is corrected");
    CHECK_EQ(gdt[3] >> 45 & 3, KERNEL_DPL, "to the kernel's");
    CHECK_EQ(set_descriptor(3, CODE32_DPL(0)), 0, "code of ring 0 likewise");
    CHECK_EQ(gdt[3] >> 45 & 3, KERNEL_DPL, "to the kernel's");
#ifdef __x86_64__
    CHECK_EQ(set_descriptor(3, CODE64_DPL(3)), 0, "64-bit code of ring 3");
#else
    CHECK_EQ(set_descriptor(3, CODE64_DPL(3)), -XEN_EINVAL, "64-bit code is not for a 32-bit guest");
#endif
    CHECK_EQ(set_descriptor(3, TSS), -XEN_EINVAL, "no task segment");
    CHECK_EQ(set_descriptor(3, LDT), -XEN_EINVAL, "no table inside the table");
    CHECK_EQ(set_descriptor(3, INTERRUPT_GATE), -XEN_EINVAL, "no interrupt gate");
    CHECK_EQ(set_descriptor(3, CALL_GATE(0xe008)), -XEN_EINVAL, "no call gate into the hypervisor");
    CHECK_EQ(set_descriptor(3, DATA_DPL(0) & ~(1ULL << 47)), 0, "what is not present is not looked at");
    set_descriptor(3, 0);
}

static void test_where(void)
{
    char *page = pages_alloc(1);
    uint64_t maddr = (uint64_t)virt_to_mfn(page) << PAGE_SHIFT;
    uint64_t table = (uint64_t)virt_to_mfn((void *)(unsigned long)start_info->pt_base) << PAGE_SHIFT;
    unsigned long foreign = 0x1000;

    while (mfn_to_pfn(foreign) != INVALID_P2M)
        foreign++;
    check_group("where descriptors may be written");
    CHECK_EQ(HYPERVISOR_update_descriptor(maddr + 16, DATA_DPL(3)), 0, "into any page of ours");
    CHECK_EQ(((volatile uint64_t *)page)[2], DATA_DPL(3), "which simply has it then");
    CHECK_EQ(HYPERVISOR_update_descriptor(maddr + 4, DATA_DPL(3)), -XEN_EINVAL, "not across a boundary of 8");
    CHECK_EQ(HYPERVISOR_update_descriptor(table, DATA_DPL(3)), -XEN_EINVAL, "not into a page table");
    CHECK_EQ(HYPERVISOR_update_descriptor((uint64_t)foreign << PAGE_SHIFT, DATA_DPL(3)), -XEN_EINVAL,
             "not into a frame of nobody");
    pages_free(page, 1);
}

static long set_ldt(const void *addr, unsigned int entries)
{
    struct mmuext_op op = {.cmd = MMUEXT_SET_LDT, .arg1.linear_addr = (unsigned long)addr, .arg2.nr_ents = entries};
    unsigned int done;

    return HYPERVISOR_mmuext_op(&op, 1, &done, DOMID_SELF);
}

static void test_ldt(void)
{
    uint64_t *ldt = pages_alloc(2);

    check_group("the local table");
    ldt[1] = DATA_DPL(3);
    ldt[513] = DATA_DPL(3);
    CHECK(!loads(load_fs, 1 * 8 | 7), "without one its selectors are refused");
    CHECK_EQ(set_ldt((char *)ldt + 8, 16), -XEN_EINVAL, "it starts on a page boundary");
    CHECK_EQ(set_ldt(ldt, 8193), -XEN_EINVAL, "and has at most 8192 entries");
    CHECK_EQ(set_ldt(ldt, 1024), 0, "the address is taken without a look");
    CHECK(!loads(load_fs, 1 * 8 | 7) && fault.vector == TRAP_PF,
          "a table that is mapped writable faults at its first use");
    CHECK_EQ(fault.address, (unsigned long)&ldt[1], "at the address of the entry");
    CHECK_EQ(fault.error, 0, "as a read of something not present");
    pages_protect(ldt, 2, false);
    CHECK(loads(load_fs, 1 * 8 | 7), "read-only it does: pages are checked at the first use");
    CHECK(loads(load_fs, 513 * 8 | 7), "the second page too");
    CHECK(!loads(load_fs, 2 * 8 | 7) && fault.vector == TRAP_GP && fault.error == (2 * 8 | 4),
          "an empty entry is a fault that names the table");
    load_fs(NULL);
#ifdef __x86_64__
    CHECK_EQ(set_ldt((void *)(0x800000000000UL - PAGE_SIZE), 1024), 0, "it may run into where no address is");
    CHECK(!loads(load_fs, 512 * 8 | 7) && fault.vector == TRAP_GP && fault.error == (512 * 8 | 4),
          "what would lie there is no page fault, whose address would be none, but the selector's fault");
    CHECK(!loads(load_fs, 511 * 8 | 7) && fault.vector == TRAP_PF && fault.address == 0x800000000000UL - 8,
          "the last entry in front of it still has an address");
#endif
    CHECK_EQ(set_ldt(NULL, 0), 0, "it can be taken away");
    CHECK(!loads(load_fs, 1 * 8 | 7), "and its selectors with it");
    CHECK_EQ(pages_protect(ldt, 2, true), 0, "the pages are ordinary again");
    pages_free(ldt, 2);
}

#ifdef __x86_64__
static unsigned long fs_word(void)
{
    unsigned long value;

    __asm__ volatile("mov %%fs:0, %0" : "=r"(value));
    return value;
}

static unsigned long gs_word(void)
{
    unsigned long value;

    __asm__ volatile("mov %%gs:0, %0" : "=r"(value));
    return value;
}

static void test_bases(void)
{
    static unsigned long a = 0xaaaa, b = 0xbbbb;

    check_group("segment bases");
    CHECK_EQ(HYPERVISOR_set_segment_base(0, (unsigned long)&a), 0, "the base of fs");
    CHECK_EQ(fs_word(), 0xaaaa, "serves at once");
    CHECK_EQ(HYPERVISOR_set_segment_base(2, (unsigned long)&b), 0, "the kernel's base of gs");
    CHECK_EQ(gs_word(), 0xbbbb, "serves at once");
    CHECK_EQ(HYPERVISOR_set_segment_base(1, (unsigned long)&a), 0, "the user's base of gs");
    CHECK_EQ(gs_word(), 0xbbbb, "waits for user mode");
    CHECK_EQ(HYPERVISOR_set_segment_base(0, 0x8000000000000000UL), -XEN_EINVAL, "a base must be an address");
    CHECK_EQ(HYPERVISOR_set_segment_base(9, 0), -XEN_EINVAL, "there are four kinds");
    CHECK_EQ(HYPERVISOR_set_segment_base(3, 0xffff), 0, "a bad user selector of gs is no error");
    HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
    CHECK(fs_word() == 0xaaaa && gs_word() == 0xbbbb, "all survive a yield");
}
#endif

static void test_release(void)
{
    check_group("letting go");
    load_fs(NULL);
    ds_back();
    CHECK_EQ(HYPERVISOR_set_gdt(NULL, 0), 0, "the table can be taken away");
    CHECK_EQ(pages_protect(gdt, 1, true), 0, "and its page is ordinary again");
    CHECK(!loads(load_fs, 8 | 3), "its selectors are gone");
    pages_free(gdt, 1);
}

#define RACE_ROUNDS 300

static unsigned long race_frames[16];
static volatile unsigned int race_round, race_answer;

static void race_step(unsigned int round)
{
    for (unsigned int i = 0; i < round % 64; i++) /* so that either comes first */
        __builtin_ia32_pause();
    (void)HYPERVISOR_set_gdt(race_frames, 16);
    (void)HYPERVISOR_set_gdt(NULL, 0);
}

static void race_work(void *arg)
{
    for (unsigned int round = 1; round <= RACE_ROUNDS; round++) {
        while (race_round < round)
            __builtin_ia32_pause();
        race_step(63 - round % 64);
        race_answer = round;
    }
}

/* The first has all processors flushed, since the page was writable a moment ago, while the second waits for it: both
 * would wait for ever if the second served no flush meanwhile. */
static void test_race(void)
{
    uint64_t *page = pages_alloc(1);

    if (smp_cpu_count() < 2)
        return;
    check_group("two at once");
    race_frames[0] = virt_to_mfn(page);
    CHECK_EQ(smp_start(1, race_work, NULL), 0, "a second vCPU");
    for (unsigned int round = 1; round <= RACE_ROUNDS; round++) {
        pages_protect(page, 1, true);
        page[2] = 0;
        pages_protect(page, 1, false);
        race_round = round;
        race_step(round);
        while (race_answer < round)
            HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
    }
    CHECK_EQ(pages_protect(page, 1, true), 0, "both make one page their table, and let it go, many times");
    pages_free(page, 1);
}

int main(int argc, char **argv)
{
    test_set_gdt();
    test_loads();
    test_questions();
    test_rules();
    test_where();
    test_ldt();
#ifdef __x86_64__
    test_bases();
#endif
    test_release();
    test_race();
    check_summary("segments");
    return 0;
}
