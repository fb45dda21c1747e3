/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The rows of exceptions that the guest handles itself, from its kernel and from its programs, and of instructions that
 * the hypervisor carries out in its place.
 */
#include <abi/callback.h>
#include <abi/physdev.h>
#include <pv/paging.h>
#include <pv/traps.h>
#include "bench.h"

#define USER_ROUNDS 250
#define STACK_PAGES 2

void bench_traps(void)
{
    trap_set_gate(TRAP_BP, TI_MASK_EVENTS | 3, bench_iret_handler);
    ROW("bounce.kernel.int3+iret", __asm__ volatile("int3" ::: "memory"));
    trap_set_gate(0x80, TI_MASK_EVENTS | 3, bench_iret_handler);
    ROW("bounce.kernel.int80+iret", __asm__ volatile("int $0x80" ::: "memory"));
    trap_set_gate(TRAP_PF, TI_MASK_EVENTS, bench_skip_handler);
    ROW("bounce.kernel.pagefault+iret", bench_fault());
    trap_set_gate(TRAP_UD, TI_MASK_EVENTS, bench_skip_bare_handler);
    ROW("bounce.kernel.ud2+iret", __asm__ volatile("ud2" ::: "memory"));
}

void bench_emulation(void)
{
    unsigned long value;
    uint32_t a, b, c, d;

    ROW("emul.read_cr0", __asm__ volatile("mov %%cr0, %0" : "=r"(value)));
    ROW("emul.read_cr3", __asm__ volatile("mov %%cr3, %0" : "=r"(value)));
    ROW("emul.clts", __asm__ volatile("clts"));
    ROW("emul.cpuid_fep(leaf1)", __asm__ volatile("ud2a; .ascii \"xen\"; cpuid"
                                                  : "=a"(a), "=b"(b), "=c"(c), "=d"(d)
                                                  : "a"(1), "c"(0)));
    ROW("emul.cpuid_fep(leaf0x40000000)", __asm__ volatile("ud2a; .ascii \"xen\"; cpuid"
                                                           : "=a"(a), "=b"(b), "=c"(c), "=d"(d)
                                                           : "a"(0x40000000), "c"(0)));
    ROW("emul.rdmsr_efer", __asm__ volatile("rdmsr" : "=a"(a), "=d"(d) : "c"(0xC0000080)));

    struct physdev_set_iopl iopl = {.iopl = 1};
    pv_hypercall2(__HYPERVISOR_physdev_op, PHYSDEVOP_set_iopl, (unsigned long)&iopl);
    ROW("emul.outb_0x80(iopl1)", __asm__ volatile("outb %b0, $0x80" : : "a"(0)));
    ROW("emul.cli(iopl1)", __asm__ volatile("cli"));
    __asm__ volatile("sti");
    iopl.iopl = 0;
    pv_hypercall2(__HYPERVISOR_physdev_op, PHYSDEVOP_set_iopl, (unsigned long)&iopl);
}

/* The least mean of several runs of a user program's loop. */
static void user_row(const char *name, void (*code)(void), char *stack)
{
    unsigned long best = ~0ul;

    bench_user_rounds = USER_ROUNDS;
    for (int run = 0; run < BENCH_RUNS; run++) {
        bench_user_run(code, stack);
        uint64_t start = (uint64_t)bench_user_start[1] << 32 | bench_user_start[0];
        uint64_t end = (uint64_t)bench_user_end[1] << 32 | bench_user_end[0];
        unsigned long each = (unsigned long)((end - start) / USER_ROUNDS);
        best = each < best ? each : best;
    }
    bench_row(name, best);
}

#ifdef __x86_64__
/* User mode has tables of its own; the kernel's serve as well, since all its pages are a program's to the processor. */
static void prepare_user(void)
{
    struct mmuext_op op = {.cmd = MMUEXT_NEW_USER_BASEPTR, .arg1.mfn = virt_to_mfn((void *)start_info->pt_base)};

    if (HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF) != 0 ||
        trap_set_callback(CALLBACKTYPE_syscall, 0, bench_sysret_handler) != 0)
        printf("failed: the preparation of user mode\n");
}
#else
/* A domain builder need not have let programs into the kernel's pages. */
static void open_page(const void *address)
{
    void *page = (void *)((unsigned long)address & PAGE_MASK);

    pte_write(page, pte_read(page) | PTE_US);
}

static void prepare_user(void)
{
    open_page(bench_user_int80);
    open_page(bench_fault); /* behind the last of them */
    open_page(&bench_user_rounds);
    open_page(bench_user_end);
}
#endif

void bench_user(void)
{
    char *kernel = pages_alloc(STACK_PAGES), *user = pages_alloc(STACK_PAGES);
    unsigned long size = STACK_PAGES * PAGE_SIZE;

    prepare_user();
    trap_set_gate(0x80, TI_MASK_EVENTS | 3, bench_iret_handler);
    trap_set_gate(TRAP_BP, TI_MASK_EVENTS | 3, bench_escape_handler);
    HYPERVISOR_stack_switch(FLAT_KERNEL_SS, (unsigned long)kernel + size);
    user_row("bounce.user.int80+iret", bench_user_int80, user + size);
#ifdef __x86_64__
    user_row("bounce.user.syscall+sysret_iret", bench_user_syscall, user + size);
#endif
    trap_set_gate(TRAP_PF, TI_MASK_EVENTS, bench_skip_handler);
    user_row("bounce.user.pagefault+iret", bench_user_pagefault, user + size);
}
