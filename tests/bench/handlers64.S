# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# The bounce frame holds rcx, r11, [error code], rip...; the iret hypercall wants rax, r11, rcx, flags, rip...

    .set HYPERCALL_IRET, 23
    .set HYPERCALL_EVENT_CHANNEL, 32
    .set SEND, 4
    .set IN_SYSCALL, 0x100
    .set PENDING_SELECTOR, 8
    .set PENDING_PORTS, 32 * 64

    .text
    .macro resume dropped, iret_flags
    mov     (%rsp), %rcx
    mov     8(%rsp), %r11
    add     $\dropped, %rsp
    .if \dropped > 16
    addq    $2, (%rsp)
    .endif
    pushq   $\iret_flags
    push    %rcx
    push    %r11
    push    %rax
    mov     $HYPERCALL_IRET, %eax
    syscall
    .endm

    .globl bench_iret_handler, bench_sysret_handler, bench_skip_handler, bench_skip_bare_handler
bench_iret_handler:
    resume  16, 0
bench_sysret_handler:
    resume  16, IN_SYSCALL
bench_skip_handler:
    resume  24, 0
bench_skip_bare_handler:
    addq    $2, 16(%rsp)
    resume  16, 0

    .globl bench_upcall_handler
bench_upcall_handler:
    mov     shared_info(%rip), %rcx
    movb    $0, (%rcx)
    movq    $0, PENDING_SELECTOR(%rcx)
    movq    $0, PENDING_PORTS(%rcx)
    resume  16, 0

    .globl bench_echo_handler
bench_echo_handler:
    push    %rax
    push    %rdi
    push    %rsi
    mov     shared_info(%rip), %rcx
    movb    $0, (%rcx)
    movq    $0, PENDING_SELECTOR(%rcx)
    movq    $0, PENDING_PORTS(%rcx)
    mov     $HYPERCALL_EVENT_CHANNEL, %eax
    mov     $SEND, %edi
    lea     bench_echo(%rip), %rsi
    syscall
    pop     %rsi
    pop     %rdi
    pop     %rax
    resume  16, 0

    .globl bench_escape_handler, bench_user_run
bench_escape_handler:
    mov     saved_sp(%rip), %rsp
    pop     %r15
    pop     %r14
    pop     %r13
    pop     %r12
    pop     %rbx
    pop     %rbp
    mov     shared_info(%rip), %rcx
    movb    $0, 1(%rcx)
    ret
bench_user_run:
    push    %rbp
    push    %rbx
    push    %r12
    push    %r13
    push    %r14
    push    %r15
    mov     %rsp, saved_sp(%rip)
    push    $0xe02b
    push    %rsi
    push    $0x202
    push    $0xe033
    push    %rdi
    push    $0
    push    $0
    push    $0
    push    $0
    mov     $HYPERCALL_IRET, %eax
    syscall
    ud2

    .macro  user_loop what:vararg
    mov     bench_user_rounds(%rip), %esi
    rdtsc
    mov     %eax, bench_user_start(%rip)
    mov     %edx, bench_user_start + 4(%rip)
1:  \what
    dec     %esi
    jnz     1b
    rdtsc
    mov     %eax, bench_user_end(%rip)
    mov     %edx, bench_user_end + 4(%rip)
    int3
    .endm

    .globl bench_user_int80, bench_user_pagefault, bench_user_syscall
bench_user_int80:
    user_loop int $0x80
bench_user_syscall:
    user_loop syscall
bench_user_pagefault:
    xor     %edi, %edi
    user_loop mov (%rdi), %eax

    .globl bench_fault
bench_fault:
    xor     %eax, %eax
    mov     (%rax), %eax
    ret

    .bss
    .balign 8
    .globl bench_user_rounds, bench_user_start, bench_user_end
bench_user_rounds: .skip 8
bench_user_start: .skip 8
bench_user_end: .skip 8
saved_sp: .skip 8
    .section .note.GNU-stack, "", @progbits
