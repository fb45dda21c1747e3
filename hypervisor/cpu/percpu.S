/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What code calls that is to be small, by assembly that the compiler takes for a few instructions: a call is shorter
 * than what include/percpu.h and include/lib.h do in place, and no register but those named here changes.
 */
#include "asm-offsets.h"
#include "layout.h"

    .section .text.percpu, "ax", @progbits
    .globl  current_vcpu
    .hidden current_vcpu
current_vcpu: /* the answer in rax */
    mov     %rsp, %rax
    or      $(STACK_ORDER_SIZE - 1), %rax
    mov     1 - PERCPU_SIZE + PERCPU_CURRENT(%rax), %rax
    ret

    .globl  spin_lock_called
    .hidden spin_lock_called
spin_lock_called: /* takes the lock at rdi */
    lock btsl $0, (%rdi)
    jc      1f
    ret
1:  call    spin_wait
    jmp     spin_lock_called

    .globl  spin_wait
    .hidden spin_wait
spin_wait:
    push    %rax
    push    %rcx
    push    %rdx
    push    %rsi
    push    %rdi
    push    %r8
    push    %r9
    push    %r10
    push    %r11
    call    smp_serve_requests
    pause
    pop     %r11
    pop     %r10
    pop     %r9
    pop     %r8
    pop     %rdi
    pop     %rsi
    pop     %rdx
    pop     %rcx
    pop     %rax
    ret
