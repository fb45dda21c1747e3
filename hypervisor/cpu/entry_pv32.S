# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# int $0x82 from a 32-bit guest's ring 1. The gate's DPL lets no one else in: ring 1 exists only in 32-bit guests.

#include "layout.h"
#include "asm-offsets.h"
#include "cpu/entry.h"

    .section .text.entry, "ax", @progbits
    .globl hypercall_entry32
    .balign 64
hypercall_entry32:
    pushq   $0
    cld                                   # the gate leaves the caller's
    SAVE_REGS
    mov     %eax, %eax
    mov     %edi, %r8d
    mov     %ebx, %edi
    mov     %esi, %r10d
    mov     %ecx, %esi
    mov     %edx, %edx
    mov     %r10d, %ecx
    mov     %ebp, %r9d
    cmp     $64, %eax
    jae     1f
    lea     hypercall_table_pv32(%rip), %r10
    call    *(%r10, %rax, 8)
2:  mov     %eax, %eax
    mov     %rax, REGS_RAX(%rsp)
    jmp     return_to_guest
1:  mov     $-38, %rax
    jmp     2b
