# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# SYSCALL from a 64-bit guest: a hypercall when its kernel runs, its registered callback when its user does. SYSCALL
# switches no stack, so each CPU has its own few instructions that know the address of that CPU's frame.

#include "layout.h"
#include "asm-offsets.h"
#include "cpu/entry.h"

#define FRAME_RSP(cpu) ((cpu + 1) * STACK_ORDER_SIZE - PERCPU_SIZE + REGS_RSP) /* from stacks_base */

    .section .text.entry, "ax", @progbits

# The landing pads, three for each CPU, 32 bytes apart: lstar, cstar, sysenter.
    .globl syscall_pads
    .balign 64
syscall_pads:
    .set cpu, 0
    .rept 8
    .balign 32
    .set frame_rsp, FRAME_RSP(cpu)
    mov     %rsp, stacks_base + frame_rsp(%rip)
    lea     stacks_base + frame_rsp(%rip), %rsp
    jmp     lstar_entry
    .balign 32
    mov     %rsp, stacks_base + frame_rsp(%rip)
    lea     stacks_base + frame_rsp(%rip), %rsp
    jmp     cstar_entry
    .balign 32
    lea     stacks_base + frame_rsp(%rip), %rsp
    jmp     sysenter_entry
    .set cpu, cpu + 1
    .endr

    .balign 64
lstar_entry:
    movq    $GUEST64_SS, 8(%rsp)
    push    %r11
    pushq   $GUEST64_CS
    push    %rcx
    movl    $VECTOR_SYSCALL, -4(%rsp)
    sub     $8, %rsp
    SAVE_REGS                             # now rsp is the per-CPU block
    mov     PERCPU_CURRENT(%rsp), %rbx
    cmpb    $0, VCPU_KERNEL_MODE(%rbx)
    je      user_syscall
    mov     %eax, %eax
    mov     %r10, %rcx
    cmp     $64, %eax
    jae     bad_hypercall
    lea     hypercall_table_pv64(%rip), %r10
    call    *(%r10, %rax, 8)
hypercall_done:
    mov     %rax, REGS_RAX(%rsp)

    .globl return_to_guest_syscall
return_to_guest_syscall:
    cmpl    $0, PERCPU_SOFTIRQ(%rsp)
    jne     exit_work
    mov     PERCPU_CURRENT(%rsp), %rbx
    mov     VCPU_INFO(%rbx), %rax
    movzwl  (%rax), %eax                  # al pending, ah mask
    test    %al, %al
    jnz     exit_event
exit_syscall:
    cmpl    $VECTOR_SYSCALL, REGS_VECTOR(%rsp)
    jne     exit_iret
    # SYSRET to a non-canonical address would fault in ring 0 on the guest's stack.
    mov     REGS_RIP(%rsp), %rcx
    sar     $47, %rcx
    inc     %ecx
    cmp     $1, %ecx
    ja      exit_iret
    RESTORE_REGS
    mov     8(%rsp), %rcx
    mov     24(%rsp), %r11
    mov     32(%rsp), %rsp
    sysretq

exit_event:
    test    %ah, %ah
    jnz     exit_syscall
exit_work:
    mov     %rsp, %rdi
    call    *trace_calls(%rip)            # return_to_guest_work
    jmp     return_to_guest_syscall

bad_hypercall:
    mov     $-38, %rax
    jmp     hypercall_done

user_syscall:
    mov     %rsp, %rdi
    call    syscall_from_user
    jmp     return_to_guest

cstar_entry:
    movq    $GUEST64_SS, 8(%rsp)
    push    %r11
    pushq   $GUEST64_CS32
    push    %rcx
    pushq   $0
    SAVE_REGS
    mov     %rsp, %rdi
    call    syscall32_from_user
    jmp     return_to_guest

# SYSENTER leaves no return address: the guest's vDSO knows it. It clears almost no flag: NT would make our IRETQ fault.
sysenter_entry:
    movq    $GUEST64_SS, 8(%rsp)
    movq    $0, (%rsp)
    pushfq
    pushq   $2
    popfq
    pushq   $3
    pushq   $0
    pushq   $0
    SAVE_REGS
    mov     %rsp, %rdi
    call    sysenter_from_user
    jmp     return_to_guest

# The way out for everything but hypercalls of 64-bit guests: rsp is the per-CPU block.
    .globl return_to_guest
return_to_guest:
    cmpl    $0, PERCPU_SOFTIRQ(%rsp)
    jne     1f
    mov     PERCPU_CURRENT(%rsp), %rbx
    mov     VCPU_INFO(%rbx), %rax
    movzwl  (%rax), %eax
    test    %al, %al
    jz      exit_iret
    test    %ah, %ah
    jnz     exit_iret
1:  mov     %rsp, %rdi
    call    *trace_calls(%rip)            # return_to_guest_work
    jmp     return_to_guest
exit_iret:
    RESTORE_REGS
    add     $8, %rsp
    .globl guest_iret
guest_iret:
    iretq
