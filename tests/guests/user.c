/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Hypercalls from user mode. They are the kernel's alone: a program that executes the same instruction must reach its
 * kernel, or fault, with every number and whatever its registers hold; one that the hypervisor carried out would give
 * every program of a guest the rights of its kernel.
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

#define FLAG_FIXED       0x2UL
#define FLAG_TF          0x100UL
#define FLAG_IF          0x200UL
#define FLAG_DF          0x400UL
#define FLAG_NT          0x4000UL
#define FLAG_AC          0x40000UL
#define NUMBERS          64
#define AGAIN            (2 * HYPERCALL_VECTOR & 0xff) /* the vector that an emulator's error code names to genuine Xen */
#define HYPERCALL_VECTOR 0x82

#ifdef __x86_64__
#define USER_CS 0xe033UL
#else
#define USER_CS 0xe02bUL
#endif

static char kernel_stack[16384] __attribute__((aligned(16)));
static char user_stack[4096] __attribute__((aligned(16)));
static uint8_t *code; /* a page of its own, which user mode may reach */

/* Handlers for general protection faults, invalid opcodes and, if wanted, the hypercall's own vector. */
static void gates(bool with_vector)
{
    struct trap_info table[6] = {{.vector = TRAP_GP, .flags = 4}, {.vector = TRAP_UD, .flags = 4}};

    if (with_vector) {
        table[2] = (struct trap_info){.vector = HYPERCALL_VECTOR, .flags = 7};
        table[3] = (struct trap_info){.vector = AGAIN, .flags = 7};
    }
    for (unsigned int i = 0; i < (with_vector ? 4 : 2); i++) {
        table[i].cs = FLAT_KERNEL_CS;
        table[i].address = (unsigned long)raw_escape;
    }
    HYPERVISOR_set_trap_table(NULL);
    HYPERVISOR_set_trap_table(table);
}

/* mov $number, %eax, the instruction, and what is invalid; from user mode up to the first entry into the kernel. */
static void run(unsigned int number, uint8_t first, uint8_t second, unsigned long flags)
{
    code[0] = 0xb8;
    memcpy(code + 1, &number, sizeof(number));
    code[5] = first;
    code[6] = second;
    code[7] = 0x0f;
    code[8] = 0x0b;
    memset(raw_frame, 0, sizeof(raw_frame));
    raw_user_run(code, user_stack + sizeof(user_stack), FLAG_FIXED | FLAG_IF | flags, 0);
    __asm__ volatile("cld");
#ifndef __x86_64__
    __asm__ volatile("mov %0, %%ds\n\tmov %0, %%es" : : "r"(FLAT_KERNEL_DS));
#endif
    shared_info->vcpu_info[0].evtchn_upcall_mask = 1;
}

/* The kernel was entered out of user mode, at this offset of the code. */
static bool came(int error, unsigned int offset)
{
    return raw(RAW_IP, error) == (unsigned long)code + offset && (raw(RAW_CS, error) & 0xffff) == USER_CS &&
           raw(RAW_SP, error) == (unsigned long)user_stack + sizeof(user_stack);
}

static void test_interrupt(void)
{
    bool faulted = true, delivered = true;

    check_group("int 0x82 from user mode");
    gates(false);
    for (unsigned int number = 0; number < NUMBERS; number++) {
        run(number, 0xcd, HYPERCALL_VECTOR, 0);
        faulted = faulted && came(1, 5) &&
                  (raw(RAW_ERROR, 0) == HYPERCALL_VECTOR * 8 + 2 || raw(RAW_ERROR, 0) == HYPERCALL_VECTOR * 16 + 2);
    }
    CHECK(faulted, "is a fault with every number, whose error code names the vector");
    gates(true);
    for (unsigned int number = 0; number < NUMBERS; number++) {
        run(number, 0xcd, HYPERCALL_VECTOR, 0);
        delivered = delivered && came(0, 7);
    }
    CHECK(delivered, "goes to the kernel's own handler, if it has one that user mode may call");
}

/* The number of an exception, called by a program: a gate that may be called gets no error code, for there was no error;
 * a kernel that pops one all the same returns to where its program chose. The emulator's error code names genuine Xen
 * the double of a number: so half and whole, each with the gates of all. */
static void test_exception_numbers(void)
{
    static const uint8_t called[] = {TRAP_PF / 2, TRAP_PF, 5, TRAP_NP - 1, 6, TRAP_SS};
    struct trap_info table[33] = {{.vector = 0}};
    bool bare = true;

    check_group("numbers of exceptions as software interrupts");
    for (unsigned int vector = 0; vector < 32; vector++)
        table[vector] = (struct trap_info){
            .vector = (uint8_t)vector, .flags = 7, .cs = FLAT_KERNEL_CS, .address = (unsigned long)raw_escape};
    HYPERVISOR_set_trap_table(table);
    for (unsigned int i = 0; i < sizeof(called); i++) {
        run(0, 0xcd, called[i], 0);
        bare = bare && came(0, 7);
    }
    CHECK(bare, "bring no error code");
}

static void set_callback(unsigned int type, bool to_us)
{
    trap_set_callback(type, 0, to_us ? raw_escape : NULL);
}

#ifdef __x86_64__
static void test_syscall(void)
{
    static const unsigned long odd[] = {FLAG_TF, FLAG_DF, FLAG_NT, FLAG_AC, FLAG_DF | FLAG_NT | FLAG_AC};
    bool delivered = true, faulted = true;

    check_group("syscall from user mode");
    set_callback(CALLBACKTYPE_syscall, true);
    for (unsigned int number = 0; number < NUMBERS; number++) {
        run(number, 0x0f, 0x05, 0);
        delivered = delivered && came(0, 7) && raw_ax == number;
    }
    CHECK(delivered, "goes to the kernel's entry with every number, and the number with it");
    for (unsigned int i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        if (odd[i] == FLAG_TF)
            continue; /* would trap on the instruction before */
        run(__HYPERVISOR_iret, 0x0f, 0x05, odd[i]);
        CHECK(came(0, 7), "so it does with odd flags");
        CHECK_EQ(raw(RAW_FLAGS, 0) & odd[i], odd[i], "which the kernel learns");
    }
    set_callback(CALLBACKTYPE_syscall, false);
    for (unsigned int number = 0; number < NUMBERS; number++) {
        run(number, 0x0f, 0x05, 0);
        faulted = faulted && came(0, 5);
    }
    CHECK(faulted, "is an invalid opcode where the kernel has no entry for it");
}

/* A 64-bit kernel's own hypercalls are syscalls: the 32-bit kernels' gate is not for it. */
static void test_interrupt_of_kernel(void)
{
    check_group("int 0x82 from a 64-bit kernel");
    gates(false);
    raw_user_cs = 0xe030;
    run(__HYPERVISOR_xen_version, 0xcd, HYPERCALL_VECTOR, 0);
    raw_user_cs = USER_CS;
    CHECK_EQ(raw(RAW_IP, 1), (unsigned long)code + 5, "is a fault like any vector without a handler");
}
#else
/* Processors differ in whether they have SYSCALL and SYSENTER here; none of them is a hypercall. */
static void test_others(void)
{
    bool fine = true;

    check_group("syscall and sysenter from user mode of a 32-bit kernel");
    gates(false);
    for (unsigned int number = 0; number < NUMBERS; number++) {
        run(number, 0x0f, 0x05, 0);
        fine = fine && came(1, 5) && raw(RAW_ERROR, 0) == 0;
    }
    CHECK(fine, "syscall without an entry of the kernel's is a general protection fault with every number");
    set_callback(CALLBACKTYPE_syscall32, true);
    run(__HYPERVISOR_iret, 0x0f, 0x05, 0);
    CHECK(came(0, 7) || came(0, 5), "with one it goes there, if the processor has it");
    run(__HYPERVISOR_iret, 0x0f, 0x34, 0);
    CHECK(raw(RAW_ERROR, 0) == 0 && (raw(RAW_CS, 1) & 3) == 3,
          "sysenter without one is a general protection fault of the program's");
}
#endif

#ifdef __x86_64__
#define MACHINE_TABLE 0xffff800000000000UL
#define MINE          256 /* slots of a level-4 table before the hypervisor's */
#define BEHIND_XEN    (272 * 8UL)

static long set_base(unsigned int cmd, unsigned long mfn)
{
    struct mmuext_op op = {.cmd = cmd, .arg1.mfn = mfn};

    return HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

/* A load from the table to rax, and what is invalid: whether the program got past the first. */
static bool reads_machine_table(void)
{
    static const uint64_t address = MACHINE_TABLE;
    struct trap_info table[3] = {{.vector = TRAP_PF, .flags = 4}, {.vector = TRAP_UD, .flags = 4}};

    for (unsigned int i = 0; i < 2; i++) {
        table[i].cs = FLAT_KERNEL_CS;
        table[i].address = (unsigned long)raw_escape;
    }
    HYPERVISOR_set_trap_table(NULL);
    HYPERVISOR_set_trap_table(table);
    code[0] = 0x48;
    code[1] = 0xa1;
    memcpy(code + 2, &address, sizeof(address));
    code[10] = 0x0f;
    code[11] = 0x0b;
    memset(raw_frame, 0, sizeof(raw_frame));
    raw_user_run(code, user_stack + sizeof(user_stack), FLAG_FIXED | FLAG_IF, 0);
    shared_info->vcpu_info[0].evtchn_upcall_mask = 1;
    return came(0, 10);
}

/* A copy of the kernel's, to be for programs alone. */
static unsigned long new_user_table(void)
{
    char *l4 = pages_alloc(1), *kernel = (char *)(unsigned long)start_info->pt_base;

    memcpy(l4, kernel, MINE * 8UL);
    memcpy(l4 + BEHIND_XEN, kernel + BEHIND_XEN, PAGE_SIZE - BEHIND_XEN);
    pages_protect(l4, 1, false);
    return virt_to_mfn(l4);
}

/* The machine-to-physical table tells which frames all domains have: a kernel needs it, its programs are not to see it
 * through page tables that are theirs alone, whether the kernel asks for that or not. */
static void test_machine_table(void)
{
    unsigned long kernel = virt_to_mfn((void *)(unsigned long)start_info->pt_base);

    check_group("the machine's table from user mode");
    CHECK(reads_machine_table(), "can be read through the kernel's own page tables");
    CHECK_EQ(set_base(MMUEXT_NEW_USER_BASEPTR, new_user_table()), 0, "a program gets tables of its own");
    CHECK(!reads_machine_table(), "it is not in these");
    CHECK_EQ(HYPERVISOR_vm_assist(VMASST_CMD_enable, VMASST_TYPE_m2p_strict), 0, "the kernel asks for no less");
    CHECK_EQ(set_base(MMUEXT_NEW_USER_BASEPTR, new_user_table()), 0, "another gets its own");
    CHECK(!reads_machine_table(), "nor is it in those");
    HYPERVISOR_vm_assist(VMASST_CMD_disable, VMASST_TYPE_m2p_strict);
    CHECK_EQ(set_base(MMUEXT_NEW_USER_BASEPTR, kernel), 0, "back to one table for all");
    CHECK_EQ(((volatile uint64_t *)MACHINE_TABLE)[kernel], virt_to_pfn((void *)(unsigned long)start_info->pt_base),
             "where the kernel finds itself all the time");
}
#endif

int main(int argc, char **argv)
{
#ifdef __x86_64__
    struct mmuext_op op = {.cmd = MMUEXT_NEW_USER_BASEPTR,
                           .arg1.mfn = virt_to_mfn((void *)(unsigned long)start_info->pt_base)};

    HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF);
#endif
    code = pages_alloc(1);
    HYPERVISOR_update_va_mapping((unsigned long)code, pte_make(virt_to_mfn(code), PTE_P | PTE_RW | PTE_US),
                                 UVMF_INVLPG);
    irq_disable();
    HYPERVISOR_stack_switch(FLAT_KERNEL_SS, (unsigned long)kernel_stack + sizeof(kernel_stack));
#ifdef __x86_64__
    test_machine_table();
#endif
    test_interrupt();
    test_exception_numbers();
#ifdef __x86_64__
    test_syscall();
    test_interrupt_of_kernel();
#else
    test_others();
#endif
    traps_register();
    irq_enable();
    return check_summary("user") != 0;
}
