/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The register frame that every entry path leaves at the top of the per-CPU stack, and that a descheduled vCPU keeps.
 * The order is that of the ABI's cpu_user_regs for x86-64. Entry from a guest never saves ds, es, fs and gs: they are
 * live in the CPU while a guest's hypercall or trap is handled, and are read into the frame at a context switch.
 */
#ifndef HYPERVISOR_REGS_H
#define HYPERVISOR_REGS_H

#include "types.h"

struct cpu_regs {
    u64 r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    u32 error_code;
    u32 entry_vector;
    u64 rip;
    u16 cs, cs_pad;
    u8 saved_upcall_mask;
    u8 pad[3];
    u64 rflags;
    u64 rsp;
    u16 ss, ss_pad[3];
    u16 es, es_pad[3];
    u16 ds, ds_pad[3];
    u16 fs, fs_pad[3];
    u16 gs, gs_pad[3];
};

#define X86_EFLAGS_CF   0x00000001UL
#define X86_EFLAGS_MBS  0x00000002UL /* always one */
#define X86_EFLAGS_TF   0x00000100UL
#define X86_EFLAGS_IF   0x00000200UL
#define X86_EFLAGS_DF   0x00000400UL
#define X86_EFLAGS_IOPL 0x00003000UL
#define X86_EFLAGS_NT   0x00004000UL
#define X86_EFLAGS_RF   0x00010000UL
#define X86_EFLAGS_VM   0x00020000UL
#define X86_EFLAGS_AC   0x00040000UL
#define X86_EFLAGS_VIF  0x00080000UL
#define X86_EFLAGS_VIP  0x00100000UL

#define CR4_TSD         (1UL << 2)
#define CR4_DE          (1UL << 3)
#define CR4_MCE         (1UL << 6)
#define CR4_PGE         (1UL << 7) /* stays off: a guest's global entries must not survive a load of CR3 */
#define CR4_OSFXSR      (1UL << 9)
#define CR4_OSXMMEXCPT  (1UL << 10)
#define CR4_FSGSBASE    (1UL << 16)
#define CR4_OSXSAVE     (1UL << 18)
#define CR4_SMEP        (1UL << 20)

enum trap_vector {
    TRAP_DE = 0,
    TRAP_DB = 1,
    TRAP_NMI = 2,
    TRAP_BP = 3,
    TRAP_OF = 4,
    TRAP_BR = 5,
    TRAP_UD = 6,
    TRAP_NM = 7,
    TRAP_DF = 8,
    TRAP_TS = 10,
    TRAP_NP = 11,
    TRAP_SS = 12,
    TRAP_GP = 13,
    TRAP_PF = 14,
    TRAP_SPURIOUS = 15,
    TRAP_MF = 16,
    TRAP_AC = 17,
    TRAP_MC = 18,
    TRAP_XM = 19,
    TRAP_CP = 21,
};

#define PFEC_PRESENT 0x01U
#define PFEC_WRITE   0x02U
#define PFEC_USER    0x04U
#define PFEC_RSVD    0x08U
#define PFEC_INSN    0x10U

#endif
