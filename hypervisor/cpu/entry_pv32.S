# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# int $0x82 from a 32-bit guest's ring 1. The gate's DPL lets no one else in: ring 1 exists only in 32-bit guests.

#include "layout.h"
#include "asm-offsets.h"
#include "cpu/entry.h"

    .section .text.entry, "ax", @progbits
    .globl hypercall_entry32
    .balign 16
hypercall_entry32:
    cmp     $HYPERCALL_IRET, %eax
    je      iret32
long_way32:
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
    CALL_HYPERCALL
2:  mov     %eax, %eax
    mov     %rax, REGS_RAX(%rsp)
    jmp     return_to_guest
1:  mov     $-38, %rax
    jmp     2b

# The iret hypercall, as do_iret_pv32 in hypercall/iret.c has it; that one is asked whenever something is out of the
# ordinary, and reads the frame again. What is stored in the registers' frame before that is harmless by itself. rsp is
# the place of the guest's eip, rdx becomes the vCPU, rcx the guest's frame.
#define AT(field) (field - REGS_RIP)(%rsp)
#define FLAG_VM 0x20000

iret32:
    mov     %rcx, AT(REGS_RCX)
    mov     %rdx, AT(REGS_RDX)
    mov     AT(PERCPU_CURRENT), %rdx
    cmpw    $GUEST32_SS, AT(REGS_SS)
    jne     iret32_long_way
    CHECK_PLAIN %rdx, AT(PERCPU_SOFTIRQ), iret32_long_way
    mov     AT(REGS_RSP), %ecx
    cmp     $-24, %ecx                    # six words
    ja      iret32_long_way
    GUEST_ACCESS iret32_long_way, mov (%rcx), %eax
    mov     %rax, AT(REGS_RAX)
    GUEST_ACCESS iret32_long_way, mov 4(%rcx), %eax
    mov     %rax, AT(REGS_RIP)
    GUEST_ACCESS iret32_long_way, mov 8(%rcx), %eax
    test    $3, %al
    jz      iret32_long_way
    movzwl  %ax, %eax
    mov     %rax, AT(REGS_CS)
    test    $2, %al
    jnz     iret32_to_user
    GUEST_ACCESS iret32_long_way, mov 12(%rcx), %eax
    test    $FLAG_VM, %eax
    jnz     iret32_long_way
    add     $16, %ecx
    mov     %rcx, AT(REGS_RSP)
1:  mov     VCPU_INFO(%rdx), %rcx
    bt      $FLAG_IF_BIT, %eax
    setnc   1(%rcx)
    and     $~DENIED_FLAGS, %eax
    or      $FIXED_FLAGS, %eax
    mov     %rax, AT(REGS_RFLAGS)
    cmpb    $0, (%rcx)                    # pending, to be seen after the mask has changed
    mov     AT(REGS_RAX), %rax
    mov     AT(REGS_RCX), %rcx
    mov     AT(REGS_RDX), %rdx
    je      guest_iret
    pushq   $0
    SAVE_REGS
    cld
    jmp     return_to_guest

iret32_to_user:
    GUEST_ACCESS iret32_long_way, mov 20(%rcx), %eax
    movzwl  %ax, %eax
    mov     %rax, AT(REGS_R11)            # no one's yet
    GUEST_ACCESS iret32_long_way, mov 12(%rcx), %eax
    test    $FLAG_VM, %eax
    jnz     iret32_long_way
    GUEST_ACCESS iret32_long_way, mov 16(%rcx), %ecx
    mov     %rcx, AT(REGS_RSP)
    mov     AT(REGS_R11), %rcx
    mov     %rcx, AT(REGS_SS)
    jmp     1b

iret32_long_way:
    mov     AT(REGS_RCX), %rcx
    mov     AT(REGS_RDX), %rdx
    mov     $HYPERCALL_IRET, %eax
    jmp     long_way32
