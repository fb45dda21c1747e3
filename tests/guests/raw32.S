/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Bare entries for the tests, 32-bit: they record the bounce frame exactly as the hypervisor pushed it. raw_return
 * goes back to the interrupted code, raw_escape back to the caller of raw_user_run. Data segments may be null after
 * user mode, so everything goes through ss until ds is loaded.
 */
.set HYPERCALL_IRET, 23
.set KERNEL_DS, 0xe021

.bss
.balign 16
.globl raw_frame, raw_sp, raw_count, raw_has_error, raw_skip, raw_vector
raw_frame: .skip 64
raw_sp: .skip 4
raw_count: .skip 4
raw_has_error: .skip 4
raw_skip: .skip 4
raw_vector: .skip 4
saved_sp: .skip 4

.data
.globl raw_user_cs, raw_user_ss
raw_user_cs: .long 0xe02b
raw_user_ss: .long 0xe033

.text
/* Two words of ours (eax, ecx) lie below the frame. */
.macro record
    push %eax
    push %ecx
    mov $KERNEL_DS, %eax
    mov %eax, %ds
    mov %eax, %es
    lea 8(%esp), %eax
    mov %eax, raw_sp
    .irp i, 0, 1, 2, 3, 4, 5, 6, 7
    mov 8 + 4 * \i(%esp), %ecx
    mov %ecx, raw_frame + 4 * \i
    .endr
    incl raw_count
.endm

/* Resumes raw_skip bytes behind the reported address. */
.globl raw_return
raw_return:
    record
    cmpl $0, raw_has_error
    je 1f
    mov raw_skip, %ecx
    add %ecx, 12(%esp)
    pop %ecx
    pop %eax
    add $4, %esp
    jmp 2f
1:  mov raw_skip, %ecx
    add %ecx, 8(%esp)
    pop %ecx
    pop %eax
2:  push %eax
    mov $HYPERCALL_IRET, %eax
    int $0x82
    ud2

/* The same for the event callback: announces no more what it was called for. vcpu_info 0 begins the shared page. */
.globl raw_upcall
raw_upcall:
    record
    mov shared_info, %ecx
    movb $0, (%ecx)
    pop %ecx
    pop %eax
    push %eax
    mov $HYPERCALL_IRET, %eax
    int $0x82
    ud2

.globl raw_escape
raw_escape:
    record
    mov saved_sp, %esp
    pop %edi
    pop %esi
    pop %ebx
    pop %ebp
    ret

.balign 16
.globl raw_vectors
raw_vectors:
.set i, 0
.rept 40
    movl $i, %ss:raw_vector
    jmp raw_escape
    .balign 16
.set i, i + 1
.endr

/* void raw_user_run(void *code, void *stack, unsigned long flags, unsigned long iret_flags): code runs in ring 3. */
.globl raw_user_run
raw_user_run:
    mov 4(%esp), %eax
    mov 8(%esp), %ecx
    mov 12(%esp), %edx
    push %ebp
    push %ebx
    push %esi
    push %edi
    mov %esp, saved_sp
    push raw_user_ss
    push %ecx
    push %edx
    push raw_user_cs
    push %eax
    push $0x3333
    mov $HYPERCALL_IRET, %eax
    int $0x82
    ud2

.globl user_breakpoint, user_fault, user_undefined, user_int80
user_breakpoint:
    int3
    ud2
user_fault:
    mov $0xe033, %eax
    mov %eax, %ds
    mov 0, %eax
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

/* unsigned long raw_ud2(unsigned long *flags): a ud2 that is skipped; returns esp as it was there. */
.globl raw_ud2, raw_ud2_at
raw_ud2:
    mov 4(%esp), %ecx
    pushf
    pop %eax
    mov %eax, (%ecx)
    mov %esp, %eax
raw_ud2_at:
    ud2
    ret

.section .note.GNU-stack, "", @progbits
