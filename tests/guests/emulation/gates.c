/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Call gates, which the hypervisor walks through for a 32-bit kernel and its programs. In 64-bit mode there are none.
 */
#include <abi/errno.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/traps.h>
#include "tests/guests/check.h"
#include "tests/guests/raw.h"
#include "emulation.h"

#ifndef __x86_64__
static volatile unsigned int gate_hits;
static volatile unsigned long gate_sp, gate_words[6];
extern const unsigned long trap_entries[32];
static char gate_stack[4096] __attribute__((aligned(16))), gate_user_stack[4096] __attribute__((aligned(16)));

void gate_target(void);
extern char gate_user[];

__asm__(".pushsection .text\n"
        "gate_target:\n"
        "    push %eax\n"
        "    lea 4(%esp), %eax\n"
        "    mov %eax, %ss:gate_sp\n"
        ".irp i, 0, 1, 2, 3, 4, 5\n"
        "    mov 4 + 4 * \\i(%esp), %eax\n"
        "    mov %eax, %ss:gate_words + 4 * \\i\n"
        ".endr\n"
        "    incl %ss:gate_hits\n"
        "    mov 4 + 4(%esp), %al\n"
        "    and $3, %al\n"
        "    cmp $3, %al\n"
        "    pop %eax\n"
        "    je 1f\n"
        "    lret\n"
        "1:  lret $8\n"
        "gate_user:\n"
        "    push $0x2222\n"
        "    push $0x1111\n"
        "    lcall $0x7, $0\n"
        "gate_user_return:\n"
        "    ud2\n"
        ".popsection");
extern char gate_user_return[];

static void set_gate_descriptor(volatile uint64_t *entry, unsigned int level, unsigned int parameters)
{
    uint32_t offset = (uint32_t)(unsigned long)gate_target;

    *entry = (uint64_t)(offset & 0xFFFF0000) << 32 | (uint64_t)(0x8C00 | level << 13 | parameters) << 32 |
             (uint32_t)FLAT_KERNEL_CS << 16 | (offset & 0xFFFF);
}

static long set_ldt(void *table, unsigned int entries)
{
    struct mmuext_op op = {.cmd = MMUEXT_SET_LDT, .arg1.linear_addr = (unsigned long)table, .arg2.nr_ents = entries};

    return HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

static void do_gate_call(void *unused)
{
    __asm__ volatile("lcall $0x7, $0" : : : "memory", "cc");
}

/* Ring 3 calls the kernel through a gate with two parameters, and the kernel goes back by LRET. */
static void test_gate_from_user(void)
{
    struct trap_info gate[2] = {
        {.vector = TRAP_UD, .flags = 4, .cs = FLAT_KERNEL_CS, .address = (unsigned long)raw_escape}};

    HYPERVISOR_stack_switch(FLAT_KERNEL_SS, (unsigned long)gate_stack + sizeof(gate_stack));
    HYPERVISOR_set_trap_table(gate);
    raw_user_run(gate_user, gate_user_stack + sizeof(gate_user_stack), 0x202, 0);
    shared_info->vcpu_info[0].evtchn_upcall_mask = 0;
    __asm__ volatile("mov %0, %%ds\n\tmov %0, %%es" : : "r"(FLAT_KERNEL_DS));
    trap_set_gate(TRAP_UD, TI_MASK_EVENTS, (void (*)(void))trap_entries[TRAP_UD]);
    CHECK_EQ(gate_hits, 2, "a call gate from user mode");
    CHECK_EQ(gate_sp, (unsigned long)gate_stack + sizeof(gate_stack) - 24, "enters on the kernel's stack");
    CHECK(gate_words[0] == (unsigned long)gate_user_return && (gate_words[1] & 0xFFFF) == 0xE02B,
          "with the return address");
    CHECK(gate_words[2] == 0x1111 && gate_words[3] == 0x2222, "the parameters in their order");
    CHECK(gate_words[4] == (unsigned long)gate_user_stack + sizeof(gate_user_stack) - 8,
          "and the user's stack pointer");
    CHECK_EQ(raw(RAW_IP, 0), (unsigned long)gate_user_return, "LRET goes back to user mode");
}

void test_call_gates(void)
{
    uint64_t *table = pages_alloc(1);

    check_group("call gates");
    set_gate_descriptor(&table[0], 3, 2);
    pages_protect(table, 1, false);
    CHECK_EQ(set_ldt(table, 1), 0, "a table with call gates is accepted");
    CHECK(!faults(do_gate_call, NULL, TRAP_GP), "a call gate from the kernel");
    CHECK_EQ(gate_hits, 1, "arrives");
    CHECK_EQ(gate_words[1] & 0xFFFF, FLAT_KERNEL_CS, "with the caller's code selector");
    test_gate_from_user();
    set_ldt(NULL, 0);
    CHECK(faults(do_gate_call, NULL, TRAP_GP) && fault.error == 4, "without the table the selector faults");
    pages_protect(table, 1, true);
    pages_free(table, 1);
}
#endif
