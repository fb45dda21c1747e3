/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The running vCPU, for code that is to be small: a call is shorter than what include/percpu.h does in place.
 */
#include "asm-offsets.h"
#include "layout.h"

    .section .text.percpu, "ax", @progbits
    .globl  current_vcpu
    .hidden current_vcpu
current_vcpu: /* changes rax and flags only: the callers say no more to the compiler */
    mov     %rsp, %rax
    or      $(STACK_ORDER_SIZE - 1), %rax
    mov     1 - PERCPU_SIZE + PERCPU_CURRENT(%rax), %rax
    ret
