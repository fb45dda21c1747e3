/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Bare entries for the tests, 64-bit: they record the bounce frame exactly as the hypervisor pushed it. raw_return
 * goes back to the interrupted code, raw_escape back to the caller of raw_user_run.
 */
.set HYPERCALL_IRET, 23

.bss
.balign 16
.globl raw_frame, raw_sp, raw_count, raw_has_error, raw_skip, raw_ax, raw_vector
raw_frame: .skip 128
raw_sp: .skip 8
raw_count: .skip 8
raw_has_error: .skip 8
raw_skip: .skip 8
raw_ax: .skip 8
raw_vector: .skip 8
saved_sp: .skip 8

.data
.globl raw_user_cs, raw_user_ss
raw_user_cs: .quad 0xe033
raw_user_ss: .quad 0xe02b

.text
.macro record
    mov %rsp, raw_sp(%rip)
    lea raw_frame(%rip), %r11
    .irp i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
    mov 8 * \i(%rsp), %rcx
    mov %rcx, 8 * \i(%r11)
    .endr
    incq raw_count(%rip)
.endm

/* Resumes raw_skip bytes behind the reported address. */
.globl raw_return
raw_return:
    record
    pop %rcx
    pop %r11
    cmpq $0, raw_has_error(%rip)
    je 1f
    add $8, %rsp
1:  push %rcx
    mov raw_skip(%rip), %rcx
    add %rcx, 8(%rsp)
    pop %rcx
    push $0
    push %rcx
    push %r11
    push %rax
    mov $HYPERCALL_IRET, %eax
    syscall
    ud2

/* The same for the event callback: announces no more what it was called for. vcpu_info 0 begins the shared page. */
.globl raw_upcall
raw_upcall:
    record
    mov shared_info(%rip), %rcx
    movb $0, (%rcx)
    pop %rcx
    pop %r11
    push $0
    push %rcx
    push %r11
    push %rax
    mov $HYPERCALL_IRET, %eax
    syscall
    ud2

.globl raw_escape
raw_escape:
    mov %rax, raw_ax(%rip)
    record
    mov saved_sp(%rip), %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    ret

.balign 16
.globl raw_vectors
raw_vectors:
.set i, 0
.rept 40
    movq $i, raw_vector(%rip)
    jmp raw_escape
    .balign 16
.set i, i + 1
.endr

/* void raw_user_run(void *code, void *stack, unsigned long flags, unsigned long iret_flags): code runs in user mode. */
.globl raw_user_run
raw_user_run:
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, saved_sp(%rip)
    push raw_user_ss(%rip)
    push %rsi
    push %rdx
    push raw_user_cs(%rip)
    push %rdi
    push %rcx
    push $0x1111
    push $0x2222
    push $0x3333
    mov $HYPERCALL_IRET, %eax
    syscall
    ud2

/* User code, entered by raw_user_run. */
.globl user_breakpoint, user_syscall, user_syscall_wide, user_fault, user_undefined, user_int80
user_breakpoint:
    int3
    ud2
user_syscall:
    syscall
    ud2
user_syscall_wide: /* a number whose lower half is iret's */
    movabs $0x500000017, %rax
    syscall
    ud2
user_fault:
    mov 0, %rax
    ud2
user_undefined:
    ud2
user_int80:
    int $0x80
    ud2

.globl user_spin
user_spin:
    pause
    jmp user_spin

/* unsigned long raw_ud2(unsigned long *flags): a ud2 that is skipped; returns rsp as it was there. */
.globl raw_ud2, raw_ud2_at
raw_ud2:
    pushf
    pop %rax
    mov %rax, (%rdi)
    mov %rsp, %rax
raw_ud2_at:
    ud2
    ret

.section .note.GNU-stack, "", @progbits
