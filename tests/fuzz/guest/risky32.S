/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Code that may fault anywhere, in 32-bit. See risky.h. Data segments are put right after each instruction.
 */
#define A       %eax
#define C       %ecx
#define D       %edx
#define ADDRESS .long

.text
.globl risky_copy, risky_run, risky_return, risky_begin, risky_end, risky_landing
.globl risky_instruction_count

risky_run:
    push %ebx
    push %ebp
    push %esi
    push %edi
    mov 20(%esp), %ebp
    mov 24(%esp), %eax
    mov 28(%esp), %ecx
    mov 32(%esp), %edx
    mov %edx, %ebx
    call *%ebp
    cld
    mov %ss, %ecx
    mov %ecx, %ds
    mov %ecx, %es
    pop %edi
    pop %esi
    pop %ebp
    pop %ebx
    ret

risky_copy:
    push %esi
    push %edi
    mov 12(%esp), %edi
    mov 16(%esp), %esi
    mov 20(%esp), %ecx
    call risky_begin
    pop %edi
    pop %esi
    ret

risky_begin:
    cld
    rep movsb
risky_return:
    ret

#include "instructions.inc"
instruction into
instruction bound %ecx, (A)
instruction aam $0
instruction arpl %cx, (A)
instruction mov %ecx, %gs
instruction lds (A), %ecx
risky_end:

risky_landing:
    mov $23, %eax
    int $0x82
    ud2

.section .rodata.risky, "a"
risky_instruction_count: .long (. - risky_instructions) / 4

.section .note.GNU-stack, "", @progbits
