# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# The gates of entry while tracing is on: each writes a record and then goes to the plain gate with the registers and
# the stack as the CPU left them, so nothing behind it knows of tracing.

#include "layout.h"
#include "asm-offsets.h"
#include "cpu/entry.h"

    .section .text.entry, "ax", @progbits

# One stub of four bytes for each of traced_vectors.
    .globl traced_stubs
traced_stubs:
    .set gate, 0
    .rept TRACED_GATES
    pushq   $gate
    jmp     traced_gate
    .set gate, gate + 1
    .endr

# rsp: the gate's number, or where a pad goes on; the plain stub takes its place, or it stays.
traced_gate:
    SAVE_REGS
    cld
    mov     %rsp, %rdi
    call    trace_gate
    mov     %rax, REGS_ERROR_CODE(%rsp)
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
    .byte   0xE8                          # call, and jmp below, never short: a pad has 25 bytes
    .long   traced_gate - . - 4
    pop     %rsp
    .byte   0xE9
    .long   syscall_pads + cpu * PADS_SIZE - . - 4
    .set cpu, cpu + 1
    .endr
