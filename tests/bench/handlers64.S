# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# The bounce frame holds rcx, r11, [error code], rip...; the iret hypercall wants rax, r11, rcx, flags, rip...

    .text
    .globl bench_iret_handler, bench_skip_handler, bench_fault
bench_iret_handler:
    mov     (%rsp), %rcx
    mov     8(%rsp), %r11
    add     $16, %rsp
    pushq   $0
    push    %rcx
    push    %r11
    push    %rax
    mov     $23, %eax
    syscall
bench_skip_handler:
    mov     (%rsp), %rcx
    mov     8(%rsp), %r11
    add     $24, %rsp
    addq    $2, (%rsp)
    pushq   $0
    push    %rcx
    push    %r11
    push    %rax
    mov     $23, %eax
    syscall
bench_fault:
    xor     %eax, %eax
    mov     (%rax), %eax
    ret
    .section .note.GNU-stack, "", @progbits
