# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# The short way of a trap into the guest's kernel, which most take: with five registers saved instead of fifteen,
# straight onto the kernel's stack. Whatever is out of the ordinary (no handler, shadow page tables on a change of mode,
# a virtual IOPL to show, a stack that is not flat) is seen before anything has changed and goes the long way,
# trap_from_guest, which alone says what is right; bounce.c describes the frames.
#
# Throughout, rsp is where SAVE_FIVE left it, rdi the vCPU and later its vcpu_info, rcx the trap's entry in the table of
# its kernel, rdx the frame, rsi the error code and later the new stack pointer; rax is free.

#include "layout.h"
#include "asm-offsets.h"
#include "cpu/entry.h"

#define AT(field) (field - REGS_RAX)(%rsp)
#define TRAP_PF       14
#define PFEC_WRITTEN  3 /* a write to a page that is present */
#define PFEC_USER     4
#define PFEC_RSVD     8
#define FLAG_IF       0x200
#define CLEARED_FLAGS 0x54100 /* AC RF NT TF */

    .section .text.entry, "ax", @progbits

# Room for the largest frame, whose lowest word is written first: a frame that begins where no address is faults before
# it reaches up into our range.
.macro MAKE_ROOM64
    and     $-16, %rdx
    sub     $64, %rdx
    CHECK_ADDRESS %rdx, %rax, long_way
.endm

    .globl trap_bounced, fault_bounced
fault_bounced:
    testb   $3, REGS_CS - REGS_ERROR_CODE(%rsp)
    jz      trap_common
    SAVE_FIVE
    mov     AT(PERCPU_CURRENT), %rdi
    mov     VCPU_DOMAIN(%rdi), %rcx
    cmpq    $0, DOMAIN_SHADOW(%rcx)
    jne     long_way
    mov     %cr2, %rdx
    CHECK_ADDRESS %rdx, %rax, long_way    # a hole in the window of its descriptor tables
    mov     AT(REGS_ERROR_CODE), %esi
    and     $~PFEC_RSVD, %esi
    cmpb    $0, VCPU_IS_32BIT(%rdi)
    jne     fault32
    cmpb    $0, VCPU_KERNEL_MODE(%rdi)
    je      1f
    and     $~PFEC_USER, %esi             # it must not learn that it runs in ring 3
    mov     %esi, %ecx
    and     $PFEC_WRITTEN, %ecx
    cmp     $PFEC_WRITTEN, %ecx           # perhaps to a page table
    je      long_way
1:  mov     VCPU_INFO(%rdi), %rax
    mov     %rdx, INFO_CR2(%rax)
    mov     %rdx, VCPU_CR2(%rdi)
    jmp     bounced

fault32:
    testb   $2, AT(REGS_CS)
    jnz     2f
    mov     %esi, %ecx
    and     $PFEC_WRITTEN, %ecx
    cmp     $PFEC_WRITTEN, %ecx
    je      long_way
    jmp     3f
2:  or      $PFEC_USER, %esi              # ring 2 is no kernel, though the CPU thinks so
3:  mov     VCPU_INFO(%rdi), %rax
    mov     %edx, COMPAT_INFO_CR2(%rax)
    mov     %rdx, VCPU_CR2(%rdi)
    jmp     bounced

# No vector that comes here but the page fault has an error code.
trap_bounced:
    testb   $3, REGS_CS - REGS_ERROR_CODE(%rsp)
    jz      trap_common
    SAVE_FIVE
    mov     AT(PERCPU_CURRENT), %rdi
bounced:
    mov     VCPU_DOMAIN(%rdi), %rax
    testb   $ARCHITECTURAL_IOPL, DOMAIN_VM_ASSIST(%rax)
    jnz     long_way
    mov     AT(REGS_VECTOR), %ecx
    shl     $4, %ecx
    add     VCPU_TRAPS(%rdi), %rcx
    cmpq    $0, (%rcx)
    je      long_way
    cmpb    $0, VCPU_IS_32BIT(%rdi)
    jne     bounced32
    cmpb    $0, VCPU_KERNEL_MODE(%rdi)
    je      from_user64
    mov     AT(REGS_RSP), %rdx
    MAKE_ROOM64
    andb    $~3, AT(REGS_CS)
frame64:
    mov     AT(REGS_RCX), %rax
    cmpb    $TRAP_PF, AT(REGS_VECTOR)
    je      error_code64
    GUEST_ACCESS bounce_fault, mov %rax, 8(%rdx)
    GUEST_ACCESS bounce_fault, mov %r11, 16(%rdx)
    lea     8(%rdx), %rsi
return_address64:
    mov     VCPU_INFO(%rdi), %rdi
    mov     AT(REGS_RIP), %rax
    GUEST_ACCESS bounce_fault, mov %rax, 24(%rdx)
    movzbl  1(%rdi), %eax
    shl     $32, %rax
    mov     AT(REGS_CS), %ax
    GUEST_ACCESS bounce_fault, mov %rax, 32(%rdx)
    mov     AT(REGS_RFLAGS), %rax
    cmpb    $0, 1(%rdi)
    je      1f
    and     $~FLAG_IF, %rax
1:  GUEST_ACCESS bounce_fault, mov %rax, 40(%rdx)
    mov     AT(REGS_RSP), %rax
    GUEST_ACCESS bounce_fault, mov %rax, 48(%rdx)
    movzwl  AT(REGS_SS), %eax
    GUEST_ACCESS bounce_fault, mov %rax, 56(%rdx)
    movq    $GUEST64_CS, AT(REGS_CS)
    movq    $GUEST64_SS, AT(REGS_SS)

enter_kernel:
    mov     %rsi, AT(REGS_RSP)
    mov     (%rcx), %rax
    mov     %rax, AT(REGS_RIP)
    andl    $~CLEARED_FLAGS, AT(REGS_RFLAGS)
    testb   $MASK_EVENTS, TRAP_FLAGS(%rcx)
    jz      1f
    movb    $1, 1(%rdi)
1:  cmpl    $0, AT(PERCPU_SOFTIRQ)
    jne     2f
    cmpb    $0, (%rdi)
    je      exit_five
2:  SAVE_OTHERS                           # an event may come on top of it
    cld
    jmp     return_to_guest

error_code64:
    GUEST_ACCESS bounce_fault, mov %rax, (%rdx)
    GUEST_ACCESS bounce_fault, mov %r11, 8(%rdx)
    GUEST_ACCESS bounce_fault, mov %rsi, 16(%rdx)
    mov     %rdx, %rsi
    jmp     return_address64

# What mm_toggle_cr3 does.
from_user64:
    cmpq    $0, DOMAIN_SHADOW(%rax)
    jne     long_way
    cmpl    $0, stale_cpus(%rip)
    jne     long_way
    mov     VCPU_KERNEL_SP(%rdi), %rdx
    MAKE_ROOM64
    mov     VCPU_KERNEL_TABLE(%rdi), %rax
    shl     $12, %rax
    mov     %rax, VCPU_CR3(%rdi)
    mov     %rax, AT(PERCPU_CR3)
    movb    $1, VCPU_KERNEL_MODE(%rdi)
    swapgs
    mov     %rax, %cr3
    jmp     frame64

bounced32:
    testb   $2, AT(REGS_CS)
    jnz     from_user32
    cmpw    $GUEST32_SS, AT(REGS_SS)
    jne     long_way
    mov     AT(REGS_RSP), %edx
    sub     $16, %edx
    jb      long_way
1:  mov     VCPU_INFO(%rdi), %rdi
    mov     AT(REGS_RIP), %eax
    GUEST_ACCESS bounce_fault, mov %eax, 4(%rdx)
    movzbl  1(%rdi), %eax
    shl     $16, %eax
    mov     AT(REGS_CS), %ax
    GUEST_ACCESS bounce_fault, mov %eax, 8(%rdx)
    mov     AT(REGS_RFLAGS), %eax
    cmpb    $0, 1(%rdi)
    je      2f
    and     $~FLAG_IF, %eax
2:  GUEST_ACCESS bounce_fault, mov %eax, 12(%rdx)
    cmpb    $TRAP_PF, AT(REGS_VECTOR)
    je      error_code32
    lea     4(%rdx), %esi
3:  movzwl  TRAP_CS(%rcx), %eax
    mov     %rax, AT(REGS_CS)
    movq    $GUEST32_SS, AT(REGS_SS)
    jmp     enter_kernel

error_code32:
    GUEST_ACCESS bounce_fault, mov %esi, (%rdx)
    mov     %edx, %esi
    jmp     3b

from_user32:
    cmpw    $GUEST32_SS, VCPU_KERNEL_SS(%rdi)
    jne     long_way
    mov     VCPU_KERNEL_SP(%rdi), %edx
    sub     $24, %edx
    jb      long_way
    mov     AT(REGS_RSP), %eax
    GUEST_ACCESS bounce_fault, mov %eax, 16(%rdx)
    movzwl  AT(REGS_SS), %eax
    GUEST_ACCESS bounce_fault, mov %eax, 20(%rdx)
    jmp     1b

long_way:
    SAVE_OTHERS
    cld
    mov     %rsp, %rdi
    call    trap_from_guest
    jmp     return_to_guest

bounce_fault:
    SAVE_OTHERS
    cld
    mov     %rsp, %rdi
    call    bounce_failed
    jmp     return_to_guest
