# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# The bounce frame holds [error code], eip, cs, eflags; the iret hypercall wants eax in front of eip.

    .text
    .globl bench_iret_handler, bench_skip_handler, bench_fault
bench_iret_handler:
    push    %eax
    mov     $23, %eax
    int     $0x82
bench_skip_handler:
    addl    $2, 4(%esp)
    mov     %eax, (%esp)
    mov     $23, %eax
    int     $0x82
bench_fault:
    xor     %eax, %eax
    mov     (%eax), %eax
    ret
    .section .note.GNU-stack, "", @progbits
