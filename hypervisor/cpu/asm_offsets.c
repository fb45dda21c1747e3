/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Offsets and sizes that assembly needs; the build turns each line of the output into a #define.
 */
#include "domain.h"
#include "guest_access.h"

#define DEFINE(name, value) __asm__ volatile("\n.ascii \"#define " #name " %c0\"" : : "i"(value))

_Static_assert(offsetof(struct vcpu, nmi_masked) == offsetof(struct vcpu, nmi_pending) + 1,
               "one compare looks at both");

void asm_offsets(void);
void asm_offsets(void)
{
    DEFINE(PERCPU_SIZE, sizeof(struct percpu));
    DEFINE(PERCPU_CURRENT, offsetof(struct percpu, vcpu));
    DEFINE(PERCPU_SOFTIRQ, offsetof(struct percpu, softirq_pending));
    DEFINE(REGS_R15, offsetof(struct cpu_regs, r15));
    DEFINE(REGS_R11, offsetof(struct cpu_regs, r11));
    DEFINE(REGS_RAX, offsetof(struct cpu_regs, rax));
    DEFINE(REGS_RCX, offsetof(struct cpu_regs, rcx));
    DEFINE(REGS_ERROR_CODE, offsetof(struct cpu_regs, error_code));
    DEFINE(REGS_RDX, offsetof(struct cpu_regs, rdx));
    DEFINE(REGS_VECTOR, offsetof(struct cpu_regs, entry_vector));
    DEFINE(REGS_RIP, offsetof(struct cpu_regs, rip));
    DEFINE(REGS_CS, offsetof(struct cpu_regs, cs));
    DEFINE(REGS_RFLAGS, offsetof(struct cpu_regs, rflags));
    DEFINE(REGS_RSP, offsetof(struct cpu_regs, rsp));
    DEFINE(REGS_SS, offsetof(struct cpu_regs, ss));
    DEFINE(PERCPU_CR3, offsetof(struct percpu, cr3_loaded));
    DEFINE(VCPU_DOMAIN, offsetof(struct vcpu, domain));
    DEFINE(VCPU_IS_32BIT, offsetof(struct vcpu, is_32bit));
    DEFINE(VCPU_KERNEL_SP, offsetof(struct vcpu, kernel_sp));
    DEFINE(VCPU_KERNEL_SS, offsetof(struct vcpu, kernel_ss));
    DEFINE(VCPU_KERNEL_TABLE, offsetof(struct vcpu, mm.kernel_table));
    DEFINE(VCPU_USER_TABLE, offsetof(struct vcpu, mm.user_table));
    DEFINE(VCPU_WORDS_HOLE, offsetof(struct vcpu, mm.words_hole));
    DEFINE(WORDS_MAX, GUEST_WORDS_MAX);
    DEFINE(VCPU_CR3, offsetof(struct vcpu, mm.cr3));
    DEFINE(VCPU_CR2, offsetof(struct vcpu, ctrlreg[2]));
    DEFINE(VCPU_TRAPS, offsetof(struct vcpu, traps));
    DEFINE(VCPU_NMI, offsetof(struct vcpu, nmi_pending));
    DEFINE(TRAP_CS, offsetof(struct compact_trap, cs));
    DEFINE(TRAP_FLAGS, offsetof(struct compact_trap, flags));
    DEFINE(INFO_CR2, offsetof(struct vcpu_info, arch.cr2));
    DEFINE(COMPAT_INFO_CR2, offsetof(struct compat_vcpu_info, arch.cr2));
    DEFINE(DOMAIN_SHADOW, offsetof(struct domain, mm.shadow));
    DEFINE(DOMAIN_VM_ASSIST, offsetof(struct domain, vm_assist));
    DEFINE(ARCHITECTURAL_IOPL, 1 << VMASST_TYPE_architectural_iopl);
    DEFINE(VCPU_KERNEL_MODE, offsetof(struct vcpu, kernel_mode));
    DEFINE(VCPU_INFO, offsetof(struct vcpu, info));
}
