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

# The landing pads, three for each CPU: lstar, cstar, sysenter.
    .globl syscall_pads
    .balign 16
syscall_pads:
    .set cpu, 0
    .rept 8
    .set frame_rsp, FRAME_RSP(cpu)
    .set pads, cpu * PADS_SIZE
    mov     %rsp, stacks_base + frame_rsp(%rip)
    lea     stacks_base + frame_rsp(%rip), %rsp
    jmp     lstar_entry
    .org    syscall_pads + pads + PAD_CSTAR
    mov     %rsp, stacks_base + frame_rsp(%rip)
    lea     stacks_base + frame_rsp(%rip), %rsp
    jmp     cstar_entry
    .org    syscall_pads + pads + PAD_SYSENTER
    lea     stacks_base + frame_rsp(%rip), %rsp
    jmp     sysenter_entry
    .org    syscall_pads + pads + PADS_SIZE
    .set cpu, cpu + 1
    .endr

    .balign 16
lstar_entry:
    cmp     $HYPERCALL_IRET, %rax         # whole: a user's may be anything
    je      iret64
lstar_long_way:
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
    CALL_HYPERCALL
hypercall_done:
    mov     %rax, REGS_RAX(%rsp)

    .globl return_to_guest_syscall
return_to_guest_syscall:
    cmpl    $0, PERCPU_SOFTIRQ(%rsp)
    jne     exit_work
    mov     PERCPU_CURRENT(%rsp), %rbx
    mov     VCPU_INFO(%rbx), %rax
    cmpb    $0, (%rax)                    # pending
    jne     exit_event
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
    cmpb    $0, 1(%rax)                   # masked
    jne     exit_syscall
exit_work:
    mov     %rsp, %rdi
    CALL_TRACED                           # return_to_guest_work
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
    cmpb    $0, (%rax)                    # pending
    je      exit_iret
    cmpb    $0, 1(%rax)                   # masked
    jne     exit_iret
1:  mov     %rsp, %rdi
    CALL_TRACED                           # return_to_guest_work
    jmp     return_to_guest
exit_iret:
    RESTORE_OTHERS
    .globl exit_five
exit_five:
    RESTORE_FIVE
    add     $8, %rsp
    .globl guest_iret
guest_iret:
    iretq

# The iret hypercall, as do_iret in hypercall/iret.c has it; that one is asked whenever something is out of the ordinary,
# and reads the frame again. rsp is the place of the guest's stack pointer, rax becomes the vCPU, r11 the guest's frame.
#define AT(field) (field - REGS_RSP)(%rsp)
#define IN_SYSCALL    1       /* VGCF_in_syscall, in the second byte */
#define FLAG_IF       0x200
#define SYSRET_DENIED 0x23000 /* IOPL VM */

# What changes nothing until the last word of the frame is in.
.macro LOAD_REST
    GUEST_ACCESS iret64_again, mov 48(%r11), %ecx
    GUEST_ACCESS iret64_again, mov 56(%r11), %r11
    mov     %r11, AT(REGS_RSP)
    mov     VCPU_INFO(%rax), %r11
    bt      $FLAG_IF_BIT, %ecx
    setnc   1(%r11)
    and     $~DENIED_FLAGS, %ecx
    or      $FIXED_FLAGS, %ecx
    mov     %rcx, AT(REGS_RFLAGS)
.endm

iret64:
    mov     %rcx, AT(REGS_RIP)
    mov     AT(PERCPU_CURRENT), %rax
    cmpb    $0, VCPU_KERNEL_MODE(%rax)
    je      iret64_long_way
    CHECK_PLAIN %rax, AT(PERCPU_SOFTIRQ), iret64_long_way
    mov     AT(REGS_RSP), %r11
    mov     $(WORDS_MAX - HV_VIRT_START), %rcx # guest_words_ok
    add     %r11, %rcx
    cmp     VCPU_WORDS_HOLE(%rax), %rcx
    jb      iret64_again
    GUEST_ACCESS iret64_again, mov (%r11), %rcx  # the lowest first, as in entry_bounce.S
    mov     %rcx, AT(REGS_RAX)
    GUEST_ACCESS iret64_again, mov 24(%r11), %ecx
    test    $IN_SYSCALL, %ch
    jnz     iret64_in_syscall
    GUEST_ACCESS iret64_again, mov 8(%r11), %rcx
    mov     %rcx, AT(REGS_R11)
    GUEST_ACCESS iret64_again, mov 16(%r11), %rcx
    mov     %rcx, AT(REGS_RCX)
1:  GUEST_ACCESS iret64_again, mov 64(%r11), %ecx
    or      $3, %ecx
    movzwl  %cx, %ecx
    mov     %rcx, AT(REGS_SS)
    GUEST_ACCESS iret64_again, mov 32(%r11), %rcx
    mov     %rcx, AT(REGS_RIP)
    sar     $47, %rcx
    inc     %ecx
    cmp     $1, %ecx
    ja      iret64_again               # no address
    GUEST_ACCESS iret64_again, mov 40(%r11), %ecx
    movzwl  %cx, %ecx
    mov     %rcx, AT(REGS_CS)
    orb     $3, AT(REGS_CS)
    and     $3, %ecx
    cmp     $3, %ecx
    je      iret64_to_user
    LOAD_REST
2:  cmpb    $0, (%r11)                    # pending, to be seen after the mask has changed
    mov     AT(REGS_RAX), %rax
    mov     AT(REGS_RCX), %rcx
    mov     AT(REGS_R11), %r11
    lea     AT(REGS_RIP), %rsp
    je      guest_iret
    pushq   $0
    SAVE_REGS
    jmp     return_to_guest

# rcx and r11 are what SYSRET would leave there.
iret64_in_syscall:
    GUEST_ACCESS iret64_again, mov 32(%r11), %rcx
    mov     %rcx, AT(REGS_RCX)
    GUEST_ACCESS iret64_again, mov 48(%r11), %rcx
    and     $~SYSRET_DENIED, %rcx
    or      $FLAG_IF >> 8, %ch
    mov     %rcx, AT(REGS_R11)
    jmp     1b

# What mm_toggle_cr3 does.
iret64_to_user:
    cmpl    $0, stale_cpus(%rip)
    jne     iret64_again
    cmpq    $-1, VCPU_USER_TABLE(%rax)
    je      iret64_again
    LOAD_REST
    mov     VCPU_USER_TABLE(%rax), %rcx
    shl     $12, %rcx
    mov     %rcx, VCPU_CR3(%rax)
    mov     %rcx, AT(PERCPU_CR3)
    movb    $0, VCPU_KERNEL_MODE(%rax)
    swapgs
    mov     %rcx, %cr3
    jmp     2b

iret64_again:
    mov     $FIXED_FLAGS, %r11d           # instead of the guest's frame
iret64_long_way:
    mov     AT(REGS_RIP), %rcx
    mov     $HYPERCALL_IRET, %eax
    jmp     lstar_long_way
