/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Offsets and sizes that assembly needs; the build turns each line of the output into a #define.
 */
#include "domain.h"

#define DEFINE(name, value) __asm__ volatile("\n.ascii \"#define " #name " %c0\"" : : "i"(value))

void asm_offsets(void);
void asm_offsets(void)
{
    DEFINE(PERCPU_SIZE, sizeof(struct percpu));
    DEFINE(PERCPU_CURRENT, offsetof(struct percpu, vcpu));
    DEFINE(PERCPU_SOFTIRQ, offsetof(struct percpu, softirq_pending));
    DEFINE(REGS_R15, offsetof(struct cpu_regs, r15));
    DEFINE(REGS_RAX, offsetof(struct cpu_regs, rax));
    DEFINE(REGS_RCX, offsetof(struct cpu_regs, rcx));
    DEFINE(REGS_ERROR_CODE, offsetof(struct cpu_regs, error_code));
    DEFINE(REGS_VECTOR, offsetof(struct cpu_regs, entry_vector));
    DEFINE(REGS_RIP, offsetof(struct cpu_regs, rip));
    DEFINE(REGS_CS, offsetof(struct cpu_regs, cs));
    DEFINE(REGS_RSP, offsetof(struct cpu_regs, rsp));
    DEFINE(VCPU_KERNEL_MODE, offsetof(struct vcpu, kernel_mode));
    DEFINE(VCPU_INFO, offsetof(struct vcpu, info));
}
