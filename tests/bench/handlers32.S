# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# The bounce frame holds [error code], eip, cs, eflags; the iret hypercall wants eax in front of eip. Data segments may be
# null after user mode; the stack's never is.

    .set HYPERCALL_IRET, 23
    .set HYPERCALL_EVENT_CHANNEL, 32
    .set SEND, 4
    .set KERNEL_DS, 0xe021
    .set USER_CS, 0xe02b
    .set USER_DS, 0xe033
    .set PENDING_SELECTOR, 4
    .set PENDING_PORTS, 32 * 64

    .text
    .globl bench_iret_handler, bench_skip_handler, bench_skip_bare_handler
bench_iret_handler:
    push    %eax
    mov     $HYPERCALL_IRET, %eax
    int     $0x82
bench_skip_handler:
    addl    $2, 4(%esp)
    mov     %eax, (%esp)
    mov     $HYPERCALL_IRET, %eax
    int     $0x82
bench_skip_bare_handler:
    addl    $2, (%esp)
    push    %eax
    mov     $HYPERCALL_IRET, %eax
    int     $0x82

    .globl bench_upcall_handler
bench_upcall_handler:
    push    %eax
    mov     shared_info, %eax
    movb    $0, (%eax)
    movl    $0, PENDING_SELECTOR(%eax)
    movl    $0, PENDING_PORTS(%eax)
    mov     $HYPERCALL_IRET, %eax
    int     $0x82

    .globl bench_echo_handler
bench_echo_handler:
    push    %eax
    push    %ebx
    push    %ecx
    mov     shared_info, %eax
    movb    $0, (%eax)
    movl    $0, PENDING_SELECTOR(%eax)
    movl    $0, PENDING_PORTS(%eax)
    mov     $HYPERCALL_EVENT_CHANNEL, %eax
    mov     $SEND, %ebx
    mov     $bench_echo, %ecx
    int     $0x82
    pop     %ecx
    pop     %ebx
    mov     $HYPERCALL_IRET, %eax
    int     $0x82

    .globl bench_escape_handler, bench_user_run
bench_escape_handler:
    mov     $KERNEL_DS, %eax
    mov     %eax, %ds
    mov     %eax, %es
    mov     saved_sp, %esp
    pop     %edi
    pop     %esi
    pop     %ebx
    pop     %ebp
    mov     shared_info, %ecx
    movb    $0, 1(%ecx)
    ret
bench_user_run:
    mov     4(%esp), %eax
    mov     8(%esp), %ecx
    push    %ebp
    push    %ebx
    push    %esi
    push    %edi
    mov     %esp, saved_sp
    push    $USER_DS
    push    %ecx
    push    $0x202
    push    $USER_CS
    push    %eax
    push    $0
    mov     $HYPERCALL_IRET, %eax
    int     $0x82
    ud2

    .macro  user_loop what:vararg
    mov     $USER_DS, %eax
    mov     %eax, %ds
    mov     %eax, %es
    mov     bench_user_rounds, %esi
    rdtsc
    mov     %eax, bench_user_start
    mov     %edx, bench_user_start + 4
1:  \what
    dec     %esi
    jnz     1b
    rdtsc
    mov     %eax, bench_user_end
    mov     %edx, bench_user_end + 4
    int3
    .endm

    .globl bench_user_int80, bench_user_pagefault
bench_user_int80:
    user_loop int $0x80
bench_user_pagefault:
    xor     %edi, %edi
    user_loop mov (%edi), %eax

    .globl bench_fault
bench_fault:
    xor     %eax, %eax
    mov     (%eax), %eax
    ret

    .bss
    .balign 8
    .globl bench_user_rounds, bench_user_start, bench_user_end
bench_user_rounds: .skip 4
bench_user_start: .skip 8
bench_user_end: .skip 8
saved_sp: .skip 4
    .section .note.GNU-stack, "", @progbits
