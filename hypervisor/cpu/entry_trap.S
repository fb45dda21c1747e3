# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# Exceptions and interrupts. One stub a vector pushes its number; a frame from a guest is the per-CPU one, since the
# TSS points there; one from the hypervisor itself lies deeper on the same stack or on an IST stack.

#include "layout.h"
#include "asm-offsets.h"
#include "cpu/entry.h"

    .section .text.entry, "ax", @progbits

.macro STUB vector, has_error_code, to=trap_common
    .balign 16
    .if \has_error_code
    .else
    pushq   $0
    .endif
    movl    $\vector, 4(%rsp)
    jmp     \to
.endm

# Vectors 0 to 0x1F: exceptions.
    .globl trap_stubs, device_stubs, high_stubs, int80_stub, stray_stub
    .balign 16
trap_stubs:
    .set vector, 0
    .rept 0x20
    .if vector == 14
    STUB vector, 1, fault_bounced
    .elseif (0x90039 >> vector) & 1       # DE BP OF BR MF XM: see trap_from_guest
    STUB vector, 0, trap_bounced
    .elseif (vector == 8) || ((vector >= 10) && (vector <= 14)) || (vector == 17) || (vector == 21)
    STUB vector, 1
    .else
    STUB vector, 0
    .endif
    .set vector, vector + 1
    .endr

# 0x20 to 0x5F: device interrupts. Eight bytes each: the vector is pushed where the error code belongs and moved up.
    .balign 8
device_stubs:
    .set vector, 0x20
    .rept 0x40
    .balign 8
    pushq   $vector
    jmp     device_common
    .set vector, vector + 1
    .endr
device_common:
    shlq    $32, (%rsp)
    jmp     trap_common

# 0xF8 to 0xFF: interrupts of the local APIC.
    .balign 16
high_stubs:
    .set vector, 0xF8
    .rept 8
    STUB vector, 0
    .set vector, vector + 1
    .endr

    .balign 16
int80_stub:
    STUB 0x80, 0, trap_bounced
# Whatever never comes.
    .balign 16
stray_stub:
    STUB 0xFF, 0

    .globl trap_common
trap_common:
    cld
    SAVE_REGS
    testb   $3, REGS_CS(%rsp)
    jz      trap_from_hypervisor
    mov     %rsp, %rdi
    call    trap_from_guest
    jmp     return_to_guest

trap_from_hypervisor:
    mov     %rsp, %rdi
    call    trap_in_hypervisor
    RESTORE_REGS
    add     $8, %rsp
    iretq

# NMI, double fault, machine check and debug exceptions have stacks of their own: they can come between SYSCALL and the
# first instructions of ours, when the stack is still the guest's (a watchpoint on the operand of MOV SS does it).
    .macro IST_STUB name, vector, handler
    .globl \name
    .balign 16
\name:
    .if \vector == 8
    .else
    pushq   $0
    .endif
    movl    $\vector, 4(%rsp)
    cld
    SAVE_REGS
    mov     %rsp, %rdi
    call    \handler
    RESTORE_REGS
    add     $8, %rsp
    iretq
    .endm

    IST_STUB nmi_entry, 2, handle_nmi
    IST_STUB debug_entry, 1, handle_debug
    IST_STUB double_fault_entry, 8, handle_double_fault
    IST_STUB machine_check_entry, 18, handle_machine_check

# void reset_stack_and_call(void (*function)(void)): never returns.
    .globl reset_stack_and_call
reset_stack_and_call:
    or      $(STACK_ORDER_SIZE - 1), %rsp
    sub     $(PERCPU_SIZE - 1), %rsp
    xor     %ebp, %ebp
    call    *%rdi
    ud2

# void handle_on_own_stack(void): goes on with the per-CPU frame as if the trap had come there; never returns.
    .globl handle_on_own_stack
handle_on_own_stack:
    or      $(STACK_ORDER_SIZE - 1), %rsp
    sub     $(PERCPU_SIZE - 1), %rsp
    mov     %rsp, %rdi
    call    trap_from_guest
    jmp     return_to_guest

# void reset_stack_to_guest(void): leaves for the current guest with the per-CPU frame.
    .globl reset_stack_to_guest
reset_stack_to_guest:
    or      $(STACK_ORDER_SIZE - 1), %rsp
    sub     $(PERCPU_SIZE - 1), %rsp
    jmp     return_to_guest
