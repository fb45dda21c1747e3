# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# The gates of entry while tracing is on: each writes a record and then goes to the plain gate with the registers and
# the stack as the CPU left them, so nothing behind it knows of tracing.

#include "layout.h"
#include "asm-offsets.h"
#include "cpu/entry.h"

    .section .text.entry, "ax", @progbits

# One stub of four bytes a vector: the exceptions, then INT 0x80 and INT 0x82.
    .globl traced_stubs
    .balign 4
traced_stubs:
    .set vector, 0
    .rept 22
    .balign 4
    pushq   $vector
    jmp     traced_gate
    .set vector, vector + 1
    .endr
    .balign 4
    pushq   $-128
    jmp     traced_gate
    .balign 4
    pushq   $-126
    jmp     traced_gate

traced_gate:
    SAVE_REGS
    cld
    mov     %rsp, %rdi
    call    trace_gate
    mov     %rax, REGS_ERROR_CODE(%rsp)   # the plain stub, where the vector was
    RESTORE_REGS
    ret

# SYSCALL, for each CPU: then its own landing pad with the guest's stack pointer.
    .globl traced_pads
traced_pads:
    .set cpu, 0
    .rept 8
    .set frame_rsp, (cpu + 1) * STACK_ORDER_SIZE - PERCPU_SIZE + REGS_RSP
    mov     %rsp, stacks_base + frame_rsp(%rip)
    lea     stacks_base + frame_rsp(%rip), %rsp
    call    traced_syscall
    pop     %rsp
    .byte   0xE9                          # jmp, never short: a pad has 25 bytes
    .long   syscall_pads + cpu * PADS_SIZE - . - 4
    .set cpu, cpu + 1
    .endr

traced_syscall:
    SAVE_REGS
    mov     %rsp, %rdi
    call    trace_syscall
    RESTORE_REGS
    ret
