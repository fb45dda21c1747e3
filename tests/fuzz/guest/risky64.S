/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Code that may fault anywhere, in 64-bit. See risky.h.
 */
#define A       %rax
#define C       %rcx
#define D       %rdx
#define ADDRESS .quad

.text
.globl risky_copy, risky_run, risky_return, risky_begin, risky_end, risky_landing
.globl risky_instruction_count

risky_run:
    push %rbx
    push %rbp
    push %r12
    mov %rdi, %rbp
    mov %rsi, %rax
    mov %rcx, %r8
    mov %rdx, %rcx
    mov %r8, %rdx
    mov %rdx, %rbx
    call *%rbp
    cld
    pop %r12
    pop %rbp
    pop %rbx
    ret

risky_begin:
risky_copy:
    mov %rdx, %rcx
    cld
    rep movsb
risky_return:
    ret

#include "instructions.inc"
instruction swapgs
instruction sysretq
instruction mov A, %cr8
instruction mov %cr8, A
instruction wrfsbase %rcx
instruction rdgsbase %rax
instruction mov %ecx, %ds
instruction mov %ecx, %es
instruction mov %ecx, %gs
instruction lock cmpxchg16b (C)
risky_end:

/* Where a callback goes that the fuzzer has registered: back, as an interrupt without an error code would. */
risky_landing:
    pop %rcx
    pop %r11
    push $0
    push %rcx
    push %r11
    push %rax
    mov $23, %eax
    syscall
    ud2

.section .rodata.risky, "a"
risky_instruction_count: .quad (. - risky_instructions) / 8

.section .note.GNU-stack, "", @progbits
