/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The iret hypercall: back from a bounce frame, with the upcall mask and the virtual IOPL taken from its flags. The
 * frame lies on the kernel's stack; nothing in it can give more rights than user mode has.
 */
#include "domain.h"
#include "guest_access.h"
#include "hypercall_prototypes.h"
#include "cpu/cpu.h"

#define FIXED_FLAGS  (X86_EFLAGS_IF | X86_EFLAGS_MBS)
#define DENIED_FLAGS (X86_EFLAGS_IOPL | X86_EFLAGS_VM | X86_EFLAGS_VIF | X86_EFLAGS_VIP)

IN_PLACE void set_flags(struct vcpu *v, struct cpu_regs *regs, u64 flags)
{
    if (unlikely(v->domain->vm_assist & (1U << VMASST_TYPE_architectural_iopl)))
        v->iopl = (u8)(flags >> 12 & 3);
    regs->rflags = (flags & ~DENIED_FLAGS) | FIXED_FLAGS;
    vcpu_upcall_mask(v) = !(flags & X86_EFLAGS_IF);
    v->nmi_masked = false;
    if (unlikely(v->nmi_pending))
        raise_softirq(this_cpu()->cpu, SOFTIRQ_NMI_CALLBACK); /* the way out looks at it only then */
}

long do_iret(void)
{
    struct cpu_regs *regs = guest_regs();
    struct vcpu *v = cpu_of_frame(regs)->vcpu;
    struct iret_context f;
    bool fault;

    if (unlikely(!guest_words_ok(regs->rsp, sizeof(f), false)))
        goto unreadable;
    __asm__ volatile(GUEST_LOADS GUEST_LOAD("(%[sp])", "%[rax]") GUEST_LOAD("8(%[sp])", "%[r11]")
                         GUEST_LOAD("16(%[sp])", "%[rcx]") GUEST_LOAD("24(%[sp])", "%[how]")
                             GUEST_LOAD("32(%[sp])", "%[rip]") GUEST_LOAD("40(%[sp])", "%[cs]")
                                 GUEST_LOAD("48(%[sp])", "%[flags]") GUEST_LOAD("56(%[sp])", "%[rsp]")
                                     GUEST_LOAD("64(%[sp])", "%[ss]") GUEST_LOADED
                     : [rax] "=&r"(f.rax), [r11] "=&r"(f.r11), [rcx] "=&r"(f.rcx), [how] "=&r"(f.flags),
                       [rip] "=&r"(f.rip), [cs] "=&r"(f.cs), [flags] "=&r"(f.rflags), [rsp] "=&r"(f.rsp),
                       [ss] "=&r"(f.ss), "=@ccc"(fault)
                     : [sp] "r"(regs->rsp)
                     : "memory");
    if (unlikely(fault))
        goto unreadable;
    if ((f.cs & 3) == 3) {
        if (unlikely(v->mm.user_table.value == INVALID_FRAME)) {
            domain_crash(v->domain, "iret to user mode without user page tables (MMUEXT_NEW_USER_BASEPTR)");
            return 0;
        }
        toggle_guest_mode(v);
    }
    f.cs = (u16)(f.cs | 3);
    f.ss = (u16)(f.ss | 3);
    if (!(f.flags & VGCF_in_syscall)) {
        regs->entry_vector = 0;
        regs->r11 = f.r11;
        regs->rcx = f.rcx;
    } else if (f.cs != GUEST64_CS || f.ss != GUEST64_SS) {
        regs->entry_vector = 0; /* SYSRET loads the flat selectors only */
    }
    regs->rip = f.rip;
    regs->cs = (u16)f.cs;
    regs->rsp = f.rsp;
    regs->ss = (u16)f.ss;
    set_flags(v, regs, f.rflags);
    /* Not every processor refuses to return to an address that is none; the guest sees the same on all. */
    if (unlikely((s64)(f.rip << 16) >> 16 != (s64)f.rip)) {
        regs->entry_vector = 0;
        inject_trap(TRAP_GP, 0);
    }
    return (long)f.rax;
unreadable:
    domain_crash(v->domain, "iret from an unreadable frame at %#lx", (unsigned long)regs->rsp);
    return 0;
}

/* The stack holds eax, eip, cs, eflags, and esp, ss for ring 3. */
long do_iret_pv32(void)
{
    struct cpu_regs *regs = guest_regs();
    struct vcpu *v = cpu_of_frame(regs)->vcpu;
    u32 eax, eip, cs, flags, esp, ss;
    unsigned long base;
    bool fault;

    if (unlikely(!guest_stack_base(v, regs->ss, &base)))
        goto bad;
    base = (u32)(base + regs->rsp);
    if (unlikely(!guest_words_ok(base, 4 * sizeof(u32), true)))
        goto bad;
    __asm__ volatile(GUEST_LOADS GUEST_LOAD("(%[sp])", "%[eax]") GUEST_LOAD("4(%[sp])", "%[eip]")
                         GUEST_LOAD("8(%[sp])", "%[cs]") GUEST_LOAD("12(%[sp])", "%[flags]") GUEST_LOADED
                     : [eax] "=&r"(eax), [eip] "=&r"(eip), [cs] "=&r"(cs), [flags] "=&r"(flags), "=@ccc"(fault)
                     : [sp] "r"(base)
                     : "memory");
    if (unlikely(fault))
        goto bad;
    if (unlikely((cs & 3) == 0 || (flags & X86_EFLAGS_VM)))
        goto bad;
    if ((cs & 3) == 1) {
        regs->rsp = (u32)(regs->rsp + 4 * sizeof(u32));
    } else {
        if (unlikely(!guest_words_ok(base, 6 * sizeof(u32), true)))
            goto bad;
        __asm__ volatile(GUEST_LOADS GUEST_LOAD("16(%[sp])", "%[esp]") GUEST_LOAD("20(%[sp])", "%[ss]") GUEST_LOADED
                         : [esp] "=&r"(esp), [ss] "=&r"(ss), "=@ccc"(fault)
                         : [sp] "r"(base)
                         : "memory");
        if (unlikely(fault))
            goto bad;
        regs->rsp = esp;
        regs->ss = (u16)ss;
    }
    regs->rip = eip;
    regs->cs = (u16)cs;
    set_flags(v, regs, flags);
    return eax;
bad:
    domain_crash(v->domain, "iret from a bad frame at %#lx", (unsigned long)regs->rsp);
    return 0;
}
