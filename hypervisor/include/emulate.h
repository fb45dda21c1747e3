/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Instructions that a guest kernel executes and that we carry out: privileged ones, forced cpuid, page-table writes.
 */
#ifndef HYPERVISOR_EMULATE_H
#define HYPERVISOR_EMULATE_H

#include "lib.h"
#include "regs.h"

struct vcpu;

/* From #GP in guest kernel or user mode with error code 0: true when handled (state updated, or a trap injected). */
bool emulate_privileged(struct vcpu *v, struct cpu_regs *regs);
/* From #GP with a selector in the error code: a 32-bit guest's far call or jump through a call gate. */
bool emulate_call_gate(struct vcpu *v, struct cpu_regs *regs);
/* From #UD: the forced-emulation prefix. True when handled. */
bool emulate_forced(struct vcpu *v, struct cpu_regs *regs);
/* From #PF on a present read-only page by the kernel: true when it was a page-table write (or an allowed M2P/MMIO-ro access) now done. */
bool emulate_page_table_write(struct vcpu *v, struct cpu_regs *regs, unsigned long address);
/* Kernel-mode #GP from int N through a gate it may not use is decoded in cpu/traps.c, not here. */
/* Whether XCR0 may have this value. */
bool guest_xcr0_ok(u64 value);
/* cpu/cpuid.c */
void guest_cpuid(struct domain *d, u32 leaf, u32 subleaf, u32 out[4]);
/* cpu/msr.c: 0, or -EINVAL for #GP */
int guest_rdmsr(struct vcpu *v, u32 msr, u64 *value);
int guest_wrmsr(struct vcpu *v, u32 msr, u64 value);
int guest_read_cr(struct vcpu *v, unsigned cr, u64 *value);
int guest_write_cr(struct vcpu *v, unsigned cr, u64 value);
long guest_set_debugreg(struct vcpu *v, unsigned reg, u64 value);
long guest_get_debugreg(struct vcpu *v, unsigned reg, u64 *value);
bool guest_port_allowed(struct vcpu *v, unsigned port, unsigned bytes);
/* Notes I/O breakpoints that an access hits: the end of the emulated instruction raises them. */
void guest_port_breakpoints(struct vcpu *v, unsigned port, unsigned bytes);
u32 guest_io_read(struct vcpu *v, unsigned port, unsigned bytes);
void guest_io_write(struct vcpu *v, unsigned port, unsigned bytes, u32 value);
/* What this CPU has; filled at boot by cpu/features.c. */
struct cpu_features {
    bool xsave, smep, fsgsbase, rdtscp, invariant_tsc, amd;
    u64 xcr0;
    u64 cr4; /* as it is for a 64-bit vCPU that has chosen nothing */
    u32 xsave_size;
    u32 physical_bits;
    u32 last_leaf[2]; /* of CPUID, basic and extended, as guests see it */
};
extern struct cpu_features cpu_features;

#endif
