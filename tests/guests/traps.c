/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Exceptions as a guest sees them: which vector, which error code, what the bounce frame looks like, from the kernel
 * and from user mode, and what the upcall mask does on the way in and out.
 */
#include <stdio.h>
#include <string.h>
#include <abi/errno.h>
#include <pv/event.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/traps.h>
#include "../../guest-pv/core/internal.h"
#include "check.h"
#include "raw.h"

#define FLAG_VM 0x20000

#define FLAG_IF 0x200UL
#define FLAG_TF 0x100UL

/* From the kernel the privilege bits of cs are cleared in 64-bit mode, where both modes run in ring 3. */
#ifdef __x86_64__
#define KERNEL_CS_IN_FRAME 0xe030UL
#define USER_CS            0xe033UL
#define USER_SS            0xe02bUL
#else
#define KERNEL_CS_IN_FRAME 0xe019UL
#define USER_CS            0xe02bUL
#define USER_SS            0xe033UL
#endif

static char kernel_stack[16384] __attribute__((aligned(16)));
static char user_stack[4096] __attribute__((aligned(16)));

static void set_gate(unsigned int vector, unsigned int flags, void (*entry)(void))
{
    CHECK_EQ(trap_set_gate(vector, flags, entry), 0, "a gate can be set");
}

static void gate_back(unsigned int vector)
{
    set_gate(vector, vector == TRAP_BP ? 7 : 4, (void (*)(void))trap_entries[vector]);
}

static unsigned char upcall_mask(void)
{
    return shared_info->vcpu_info[0].evtchn_upcall_mask;
}

static void test_kernel_frame(void)
{
    unsigned long flags, sp;

    check_group("bounce frame from the kernel");
    set_gate(TRAP_UD, 0, raw_return);
    raw_has_error = 0;
    raw_skip = 2;
    sp = raw_ud2(&flags);
    CHECK_EQ(raw(RAW_IP, 0), (unsigned long)raw_ud2_at, "a fault reports the instruction itself");
    CHECK_EQ(raw(RAW_CS, 0) & 0xffff, KERNEL_CS_IN_FRAME, "the code selector tells kernel from user");
    CHECK_EQ(raw(RAW_CS, 0) >> RAW_MASK_BITS & 0xff, 0, "the upcall mask was open");
    CHECK_EQ(raw(RAW_FLAGS, 0) & FLAG_IF, FLAG_IF, "and the saved interrupt flag says so");
    CHECK_EQ(upcall_mask(), 0, "returning leaves it open");
#ifdef __x86_64__
    CHECK_EQ(raw(RAW_SP, 0), sp, "the stack pointer is that of the interrupted code");
    CHECK_EQ(raw(RAW_SS, 0) & 0xffff, 0xe02b, "with its stack selector");
    CHECK_EQ((raw_sp + 7 * 8) & 15, 0, "the frame lies below the stack pointer aligned to 16");
    CHECK(raw_sp + 7 * 8 <= sp && sp - (raw_sp + 7 * 8) < 16, "and nothing else is skipped");
#else
    CHECK_EQ(raw_sp + 3 * 4, sp, "the frame of three words lies right below the stack pointer");
#endif
    irq_disable();
    raw_ud2(&flags);
    CHECK_EQ(raw(RAW_CS, 0) >> RAW_MASK_BITS & 0xff, 1, "a closed upcall mask is saved beside cs");
    CHECK_EQ(raw(RAW_FLAGS, 0) & FLAG_IF, 0, "and as a clear interrupt flag");
    CHECK_EQ(upcall_mask(), 1, "returning leaves it closed");
    irq_enable();
    gate_back(TRAP_UD);
}

static unsigned char mask_in_handler;

static bool note_mask(struct trap_frame *frame)
{
    mask_in_handler = upcall_mask();
    frame->ip += 2;
    return true;
}

static void test_event_flag(void)
{
    check_group("masking of events by the gate");
    trap_set_handler(TRAP_UD, note_mask);
    __asm__ volatile("ud2");
    CHECK_EQ(mask_in_handler, 1, "flag 4 of a gate closes the upcall mask on entry");
    CHECK_EQ(upcall_mask(), 0, "and iret opens it again");
    set_gate(TRAP_UD, 0, (void (*)(void))trap_entries[TRAP_UD]);
    __asm__ volatile("ud2");
    CHECK_EQ(mask_in_handler, 0, "without the flag the mask stays open");
    gate_back(TRAP_UD);
    trap_set_handler(TRAP_UD, NULL);
}

static struct fault fault;

static bool faults(void (*fn)(void *arg), void *arg)
{
    memset(&fault, 0, sizeof(fault));
    return !fault_catch(fn, arg, &fault);
}

static void do_load(void *addr)
{
    (void)*(volatile char *)addr;
}

static void do_store(void *addr)
{
    *(volatile char *)addr = 1;
}

static void do_call(void *addr)
{
    ((void (*)(void))addr)();
}

static void do_load_ds(void *selector)
{
    __asm__ volatile("mov %0, %%ds" : : "r"((unsigned int)(unsigned long)selector));
}

static void do_int(void *which)
{
    switch ((unsigned long)which) {
    case 0x30:
        __asm__ volatile("int $0x30");
        break;
    case 0x80:
        __asm__ volatile("int $0x80");
        break;
    default:
        __asm__ volatile("int $0xd");
    }
}

static void do_divide(void *unused)
{
    unsigned int low = 1, high = 0;

    __asm__ volatile("div %2" : "+a"(low), "+d"(high) : "r"(0));
}

static void do_fpu(void *unused)
{
    __asm__ volatile("fninit");
}

static void do_x87_error(void *unused)
{
    static const unsigned short unmasked = 0x37b;

    __asm__ volatile("fninit\n\tfldcw %0\n\tfld1\n\tfldz\n\tfdivrp\n\tfwait" : : "m"(unmasked));
}

static void test_page_faults(void)
{
    char *page = pages_alloc(1);
    char *hole = vspace_alloc(1);
    xen_pfn_t frame = virt_to_mfn(page);
    char *data;

    check_group("page faults");
    CHECK(faults(do_load, hole + 0x123) && fault.vector == TRAP_PF, "reading what is not mapped faults");
    CHECK_EQ(fault.error, 0, "error code: not present, read, by the kernel");
    CHECK_EQ(fault.address, (unsigned long)hole + 0x123, "cr2 is the exact address");
    CHECK(faults(do_store, hole) && fault.error == 2, "error code of a write: 2");
    pages_protect(page, 1, false);
    CHECK(faults(do_store, page) && fault.error == 3, "a write to a read-only page: 3");
    pages_protect(page, 1, true);
    data = map_frames(&frame, 1, DOMID_SELF, PTE_KERNEL_RW | PTE_NX, NULL);
    *data = (char)0xc3;
    CHECK(faults(do_call, data) && fault.vector == TRAP_PF && (fault.error & ~4UL) == 0x11,
          "running from a no-execute page: 11");
    CHECK_EQ(fault.error & 4, 0, "the user bit is clear for the kernel");
    unmap_frames(data, 1);
    pages_free(page, 1);
    vspace_free(hole, 1);
}

static void test_vectors(void)
{
    check_group("vectors and error codes");
    CHECK(faults(do_divide, NULL) && fault.vector == TRAP_DE, "a division by zero is vector 0");
    CHECK(faults(do_load_ds, (void *)0xe008UL) && fault.vector == TRAP_GP && fault.error == 0xe008,
          "the hypervisor's selector is a protection fault that names it");
    CHECK(faults(do_load_ds, (void *)0xffffUL) && fault.vector == TRAP_GP && fault.error == 0xfffc,
          "a selector past the table too; the privilege bits are not part of the code");
    do_load_ds(NULL);
#ifndef __x86_64__
    do_load_ds((void *)(unsigned long)FLAT_KERNEL_DS);
#endif
    CHECK(faults(do_int, (void *)0x30UL) && fault.vector == TRAP_GP,
          "an interrupt without a gate is a protection fault");
    CHECK(fault.error == 0x30 * 8 + 2 || fault.error == 0x30 * 16 + 2, "whose code names the vector");
    CHECK(faults(do_x87_error, NULL) && fault.vector == TRAP_MF, "an unmasked x87 error is vector 16");
    __asm__ volatile("fninit");
}

static volatile unsigned int nm_seen;

static bool on_nm(struct trap_frame *frame)
{
    nm_seen++;
    return true;
}

static void test_fpu_switch(void)
{
    check_group("lazy FPU");
    trap_set_handler(TRAP_NM, on_nm);
    CHECK_EQ(HYPERVISOR_fpu_taskswitch(1), 0, "the task-switched flag can be set");
    do_fpu(NULL);
    CHECK_EQ(nm_seen, 1, "the next FPU instruction is vector 7, once: delivering clears the flag");
    do_fpu(NULL);
    CHECK_EQ(nm_seen, 1, "so the second runs");
    HYPERVISOR_fpu_taskswitch(1);
    HYPERVISOR_fpu_taskswitch(0);
    do_fpu(NULL);
    CHECK_EQ(nm_seen, 1, "and clearing it by hand works");
    trap_set_handler(TRAP_NM, NULL);
}

#define CR4_OSXSAVE      (1ul << 18)
#define CPUID_XSAVE      (1u << 26)
#define CPUID_AVX        (1u << 28)
#define XCR0_WITHOUT_AVX 3u
#define XCR0_WITH_AVX    7u

static void switch_components(uint32_t xcr0)
{
    __asm__ volatile("xsetbv" : : "c"(0), "a"(xcr0), "d"(0));
}

static uint32_t components(void)
{
    uint32_t low, high;

    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

/* A hypervisor that copies and clears pages by vector registers borrows a guest's, also while the guest has switched
 * them off. Nothing is printed in between: that uses vectors, too. */
static long move_pages(struct mmuext_op ops[2])
{
    unsigned int done = 0;

    return HYPERVISOR_mmuext_op(ops, 2, &done, DOMID_SELF);
}

static const uint64_t long_vector[4] = {0x0123456789abcdef, 0x1122334455667788, 0x99aabbccddeeff00, 0xfedcba9876543210};

static void test_short_vector_kept(struct mmuext_op ops[2])
{
    uint64_t on[2] = {0}, off[2] = {0};
    unsigned int faults = nm_seen, faults_then;
    long rc;

    __asm__ volatile("movdqu %0, %%xmm0" : : "m"(long_vector));
    rc = move_pages(ops);
    __asm__ volatile("movdqu %%xmm0, %0" : "=m"(on));
    HYPERVISOR_fpu_taskswitch(1);
    rc |= move_pages(ops);
    faults_then = nm_seen;
    __asm__ volatile("movdqu %%xmm0, %0" : "=m"(off));
    faults = nm_seen - faults;
    CHECK_EQ(rc, 0, "pages are copied and cleared beside a vector");
    CHECK(memcmp(on, long_vector, sizeof(on)) == 0, "its register stays");
    CHECK(memcmp(off, long_vector, sizeof(off)) == 0, "and if the task-switched flag is set");
    CHECK_EQ(nm_seen - faults_then, 1, "the flag stays, too: the guest's next use is vector 7");
    CHECK_EQ(faults, 1, "the hypervisor's was none");
}

static void test_long_vector_kept(struct mmuext_op ops[2])
{
    uint64_t on[4] = {0}, off[4] = {0};
    uint32_t then;
    long rc;

    switch_components(XCR0_WITH_AVX);
    __asm__ volatile("vmovdqu %0, %%ymm0" : : "m"(long_vector));
    rc = move_pages(ops);
    __asm__ volatile("vmovdqu %%ymm0, %0" : "=m"(on));
    switch_components(XCR0_WITHOUT_AVX);
    rc |= move_pages(ops);
    then = components();
    switch_components(XCR0_WITH_AVX);
    __asm__ volatile("vmovdqu %%ymm0, %0\n\tvzeroupper" : "=m"(off));
    CHECK_EQ(rc, 0, "pages are copied and cleared beside a long vector");
    CHECK(memcmp(on, long_vector, sizeof(on)) == 0, "its register stays");
    CHECK_EQ(then, XCR0_WITHOUT_AVX, "a component that the guest has switched off stays off");
    CHECK(memcmp(off, long_vector, sizeof(off)) == 0, "and what it holds stays");
}

static void test_vectors_kept(void)
{
    uint32_t out[4], wanted = CPUID_XSAVE | CPUID_AVX;
    unsigned long *from = pages_alloc(1), *to = pages_alloc(1), *cleared = pages_alloc(1), cr4, sum = 0;
    bool avx;
    struct mmuext_op ops[2] = {{.cmd = MMUEXT_COPY_PAGE}, {.cmd = MMUEXT_CLEAR_PAGE}};

    check_group("vector registers and pages");
    ops[0].arg1.mfn = virt_to_mfn(to);
    ops[0].arg2.src_mfn = virt_to_mfn(from);
    ops[1].arg1.mfn = virt_to_mfn(cleared);
    for (unsigned long i = 0; i < PAGE_SIZE / sizeof(*from); i++) {
        from[i] = i * 0x01010101 + 1;
        to[i] = 0;
        cleared[i] = ~0ul;
    }
    __asm__ volatile(XEN_CPUID : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3]) : "0"(1), "2"(0));
    avx = (out[2] & wanted) == wanted;
    if (avx) {
        __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
        __asm__ volatile("mov %0, %%cr4" : : "r"(cr4 | CR4_OSXSAVE));
    }
    trap_set_handler(TRAP_NM, on_nm);
    test_short_vector_kept(ops);
    if (avx)
        test_long_vector_kept(ops);
    trap_set_handler(TRAP_NM, NULL);
    if (avx) {
        switch_components(XCR0_WITHOUT_AVX);
        __asm__ volatile("mov %0, %%cr4" : : "r"(cr4));
    }
    for (unsigned long i = 0; i < PAGE_SIZE / sizeof(*cleared); i++)
        sum |= cleared[i];
    CHECK(memcmp(from, to, PAGE_SIZE) == 0, "every word was copied");
    CHECK_EQ(sum, 0, "every word was cleared");
    pages_free(from, 1);
    pages_free(to, 1);
    pages_free(cleared, 1);
}

static unsigned int steps;

static bool on_step(struct trap_frame *frame)
{
    if (++steps == 3)
        frame->flags &= ~FLAG_TF;
    return true;
}

static void test_single_step(void)
{
    check_group("single step");
    trap_set_handler(TRAP_DB, on_step);
#ifdef __x86_64__
    __asm__ volatile("pushf\n\torq $0x100, (%%rsp)\n\tpopf\n\tnop\n\tnop\n\tnop\n\tnop\n\tnop" ::: "memory", "cc");
#else
    __asm__ volatile("pushf\n\torl $0x100, (%%esp)\n\tpopf\n\tnop\n\tnop\n\tnop\n\tnop\n\tnop" ::: "memory", "cc");
#endif
    CHECK_EQ(steps, 3, "the trap flag steps until the handler clears it in the frame");
    trap_set_handler(TRAP_DB, NULL);
}

static void test_software_interrupt(void)
{
    unsigned long count = raw_count;

    check_group("software interrupts");
    raw_has_error = 0;
    raw_skip = 0;
    set_gate(0x80, 3, raw_return);
    do_int((void *)0x80UL);
    CHECK_EQ(raw_count, count + 1, "a gate of privilege 3 can be called from the kernel");
    set_gate(0x80, 1, raw_return);
    do_int((void *)0x80UL);
    CHECK_EQ(raw_count, count + 2, "of privilege 1 too");
    set_gate(0x80, 0, raw_return);
    do_int((void *)0x80UL);
    CHECK_EQ(raw_count, count + 3, "vector 0x80 is delivered whatever the gate's privilege");
    CHECK_EQ(HYPERVISOR_set_trap_table((const struct trap_info *)~0xfffUL), -XEN_EFAULT,
             "a table at a bad address is EFAULT");
}

/* Runs user code up to its first exception; returns false when that was not ours. */
static void run_user(unsigned int vector, unsigned int gate_flags, void *code)
{
    set_gate(vector, gate_flags, raw_escape);
    raw_user_run(code, user_stack + sizeof(user_stack), FLAG_IF | 2, 0);
    irq_enable();
#ifndef __x86_64__
    __asm__ volatile("mov %0, %%ds\n\tmov %0, %%es" : : "r"(FLAT_KERNEL_DS));
#endif
}

#ifndef __x86_64__
/* A kernel that still runs real-mode programs returns to virtual-8086 mode: it must learn of the refusal as its program
 * would have faulted, or one such program ends the domain. */
static void check_no_vm86(void)
{
    set_gate(TRAP_GP, 4, raw_escape);
    raw_user_run(user_int80, user_stack + sizeof(user_stack), FLAG_IF | FLAG_VM | 2, 0);
    CHECK_EQ(raw_frame[0], 0, "an iret to virtual-8086 mode is a general protection fault, error code 0");
    CHECK_EQ(raw(RAW_IP, 1), (unsigned long)user_int80, "of the instruction it would have gone to");
    CHECK_EQ(raw(RAW_FLAGS, 1) & FLAG_VM, FLAG_VM, "and the frame says which mode that was");
    CHECK_EQ(raw(RAW_SP, 1), (unsigned long)(user_stack + sizeof(user_stack)), "with the stack of that mode");
    irq_enable();
    __asm__ volatile("mov %0, %%ds\n\tmov %0, %%es" : : "r"(FLAT_KERNEL_DS));
}
#endif

static void check_user_frame(int error, void *ip, const char *what)
{
    printf("    %s\n", what);
    CHECK_EQ(raw(RAW_IP, error), (unsigned long)ip, "the address is reported");
    CHECK_EQ(raw(RAW_CS, error) & 0xffff, USER_CS, "the code selector is the user's");
    CHECK_EQ(raw(RAW_CS, error) >> RAW_MASK_BITS & 0xff, 0, "user mode runs with upcalls open");
    CHECK_EQ(raw(RAW_FLAGS, error) & FLAG_IF, FLAG_IF, "and the interrupt flag set");
    CHECK_EQ(raw(RAW_SP, error), (unsigned long)user_stack + sizeof(user_stack), "the user's stack pointer is saved");
    CHECK_EQ(raw(RAW_SS, error) & 0xffff, USER_SS, "with its selector");
    CHECK(raw_sp >= (unsigned long)kernel_stack && raw_sp < (unsigned long)kernel_stack + sizeof(kernel_stack),
          "the frame is on the stack that stack_switch named");
}

static void test_user(void)
{
    check_group("user mode");
    CHECK_EQ(HYPERVISOR_stack_switch(FLAT_KERNEL_SS, (unsigned long)kernel_stack + sizeof(kernel_stack)), 0,
             "the kernel stack can be set");
#ifdef __x86_64__
    {
        struct mmuext_op op = {.cmd = MMUEXT_NEW_USER_BASEPTR,
                               .arg1.mfn = virt_to_mfn((void *)(unsigned long)start_info->pt_base)};
        unsigned int done;

        CHECK_EQ(HYPERVISOR_mmuext_op(&op, 1, &done, DOMID_SELF), 0, "the kernel's top table may serve user mode too");
    }
#endif
    run_user(TRAP_UD, 4, user_undefined);
    check_user_frame(0, user_undefined, "invalid opcode");
    run_user(TRAP_BP, 7, user_breakpoint);
    check_user_frame(0, user_breakpoint + 1, "breakpoint: the address behind it");
    run_user(TRAP_PF, 4, user_fault);
    check_user_frame(1, (char *)raw(RAW_IP, 1), "page fault");
    CHECK_EQ(raw(RAW_ERROR, 0), 4, "the error code has the user bit");
    CHECK_EQ(trap_cr2(), 0, "cr2 is the address");
    gate_back(TRAP_PF);
    run_user(0x80, 7, user_int80);
    check_user_frame(0, user_int80 + 2, "int 0x80");
    run_user(0x80, 4, user_int80);
    check_user_frame(0, user_int80 + 2, "int 0x80 through a gate of privilege 0");
    CHECK_EQ(HYPERVISOR_set_trap_table(NULL), 0, "a null table clears every gate");
    run_user(TRAP_GP, 4, user_int80);
    check_user_frame(1, user_int80, "int 0x80 without a gate: a fault of the instruction");
    CHECK(raw(RAW_ERROR, 0) == 0x80 * 8 + 2 || raw(RAW_ERROR, 0) == 0x80 * 16 + 2, "whose code names the vector");
#ifndef __x86_64__
    check_no_vm86();
#endif
    traps_register();
}

#ifdef __x86_64__
static void test_user_syscall(void)
{
    struct callback_register callback = {.type = CALLBACKTYPE_syscall, .address = (unsigned long)raw_escape};

    check_group("system calls");
    CHECK_EQ(HYPERVISOR_callback_op(CALLBACKOP_register, &callback), 0, "the syscall entry can be registered");
    raw_user_run(user_syscall, user_stack + sizeof(user_stack), FLAG_IF | 2, 0);
    CHECK_EQ(upcall_mask(), 0, "without the flag a system call leaves upcalls open");
    irq_enable();
    check_user_frame(0, user_syscall + 2, "syscall");
    CHECK_EQ(raw(RAW_CX, 0), (unsigned long)user_syscall + 2, "rcx has the return address");
    callback.flags = CALLBACKF_mask_events;
    HYPERVISOR_callback_op(CALLBACKOP_register, &callback);
    raw_user_run(user_syscall, user_stack + sizeof(user_stack), FLAG_IF | 2, 0x100);
    CHECK_EQ(upcall_mask(), 1, "with the flag it closes them");
    irq_enable();
    check_user_frame(0, user_syscall + 2, "syscall, entered by the short way");
    /* What a number means is the kernel's to say: the hypervisor may not take the half that it knows for the whole. */
    raw_user_run(user_syscall_wide, user_stack + sizeof(user_stack), FLAG_IF | 2, 0);
    irq_enable();
    CHECK_EQ(raw_ax, 0x500000017, "a system call's number arrives whole");
}
#endif

int main(int argc, char **argv)
{
    check_open_to_programs();
    test_kernel_frame();
    test_event_flag();
    test_page_faults();
    test_vectors();
    test_fpu_switch();
    test_vectors_kept();
    test_single_step();
    test_software_interrupt();
    test_user();
#ifdef __x86_64__
    test_user_syscall();
#endif
    check_summary("traps");
    return 0;
}
