/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Macros of the entry paths: the frame's software part, and selectors.
 */
#ifndef HYPERVISOR_CPU_ENTRY_H
#define HYPERVISOR_CPU_ENTRY_H

#define HV_CS        0xE008
#define HV_SS        0xE010
#define GUEST64_CS   0xE033
#define GUEST64_CS32 0xE023
#define GUEST64_SS   0xE02B
#define GUEST32_CS   0xE019 /* ring 1 */
#define GUEST32_SS   0xE021
#define GUEST32_USER_CS 0xE02B
#define GUEST32_USER_SS 0xE033
#define HV_TSS       0xE040
#define HV_LDT       0xE050

#define HYPERCALL_VECTOR 0x82
#define HYPERCALL_IRET   23
#define TRACED_GATES     18
#define VECTOR_SYSCALL   0x100 /* the frame came by SYSCALL and nothing has touched rip, rsp, cs or rflags since */

/* The landing pads of a CPU (entry_pv64.S): lstar, cstar, sysenter. */
#define PADS_SIZE    52
#define PAD_CSTAR    20
#define PAD_SYSENTER 40

#define VECTOR_IPI_CALL       0xFB
#define VECTOR_IPI_RESCHEDULE 0xFA

/* What becomes of the flags that a guest's iret names. */
#define DENIED_FLAGS 0x1A3000 /* IOPL VM VIF VIP */
#define FIXED_FLAGS  0x202    /* IF, and bit 1, which always is */
#define FLAG_IF_BIT  9

#define MASK_EVENTS 4 /* in the flags of a trap_info: the handler starts with events masked */

#ifdef __ASSEMBLER__
.macro SAVE_FIVE
    push    %rdi
    push    %rsi
    push    %rdx
    push    %rcx
    push    %rax
.endm

.macro SAVE_OTHERS
    push    %r8
    push    %r9
    push    %r10
    push    %r11
    push    %rbx
    push    %rbp
    push    %r12
    push    %r13
    push    %r14
    push    %r15
.endm

.macro SAVE_REGS
    SAVE_FIVE
    SAVE_OTHERS
.endm

.macro RESTORE_OTHERS
    pop     %r15
    pop     %r14
    pop     %r13
    pop     %r12
    pop     %rbp
    pop     %rbx
    pop     %r11
    pop     %r10
    pop     %r9
    pop     %r8
.endm

.macro RESTORE_FIVE
    pop     %rax
    pop     %rcx
    pop     %rdx
    pop     %rsi
    pop     %rdi
.endm

.macro RESTORE_REGS
    RESTORE_OTHERS
    RESTORE_FIVE
.endm

/* An instruction that touches guest memory, and where it goes on when that faults. */
.macro GUEST_ACCESS fault, insn:vararg
9:  \insn
    .pushsection .ex_table, "a"
    .long   9b - ., \fault - .
    .popsection
.endm

/* To `ours` when an address lies in our own range of addresses. */
.macro CHECK_ADDRESS address, scratch, ours
    mov     \address, \scratch
    sar     $43, \scratch
    cmp     $-16, \scratch
    je      \ours
.endm

/* The long way of an iret when there is work of ours, an NMI, an IOPL to look at, or shadow page tables, where a fault
   that is mended has overwritten what lies below rsp. rcx becomes the domain. */
.macro CHECK_PLAIN vcpu, softirqs, long_way
    cmpl    $0, \softirqs
    jne     \long_way
    cmpw    $0, VCPU_NMI(\vcpu)
    jne     \long_way
    mov     VCPU_DOMAIN(\vcpu), %rcx
    testb   $ARCHITECTURAL_IOPL, DOMAIN_VM_ASSIST(%rcx)
    jnz     \long_way
    cmpq    $0, DOMAIN_SHADOW(%rcx)
    jne     \long_way
.endm

/* Handler eax, which is below 64, of the table at r10; and the first of trace_calls. */
#ifdef SPECULATION
    .macro CALL_HYPERCALL
    and     $63, %eax                     # below 64 while the CPU guesses, too
    mov     (%r10, %rax, 8), %r10
    call    call_r10
    .endm
    .macro CALL_TRACED
    mov     trace_calls(%rip), %r10
    call    call_r10
    .endm
#else
    .macro CALL_HYPERCALL
    call    *(%r10, %rax, 8)
    .endm
    .macro CALL_TRACED
    call    *trace_calls(%rip)
    .endm
#endif
#endif

#endif
