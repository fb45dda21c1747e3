/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The iret hypercall: back from a bounce frame, with the upcall mask and the virtual IOPL taken from its flags. The
 * frame lies on the kernel's stack; nothing in it can give more rights than user mode has. Most calls take the short
 * ways in cpu/entry_pv64.S and entry_pv32.S; what they do not decide comes here.
 */
#include "domain.h"
#include "guest_access.h"
#include "hypercall_prototypes.h"
#include "cpu/cpu.h"

static void set_flags(struct vcpu *v, struct cpu_regs *regs, u64 flags)
{
    if (v->domain->vm_assist & (1U << VMASST_TYPE_architectural_iopl))
        v->iopl = (u8)(flags >> 12 & 3);
    regs->rflags = (flags & ~DENIED_FLAGS) | FIXED_FLAGS;
    vcpu_upcall_mask(v) = !(flags & X86_EFLAGS_IF);
    v->nmi_masked = false;
    v->multicall.active = false; /* the calls behind it are none of whoever runs now */
    if (v->nmi_pending)
        raise_softirq(this_cpu()->cpu, SOFTIRQ_NMI_CALLBACK); /* the way out looks at it only then */
}

long do_iret(void)
{
    struct vcpu *v = current;
    struct cpu_regs *regs = guest_regs();
    struct iret_context frame;

    if (copy_from_guest(&frame, regs->rsp, sizeof(frame))) {
        domain_crash(v->domain, "iret from an unreadable frame at %#lx", (unsigned long)regs->rsp);
        return 0;
    }
    if ((frame.cs & 3) == 3) {
        if (v->mm.user_table.value == INVALID_FRAME) {
            domain_crash(v->domain, "iret to user mode without user page tables (MMUEXT_NEW_USER_BASEPTR)");
            return 0;
        }
        toggle_guest_mode(v);
    }
    if (!(frame.flags & VGCF_in_syscall)) {
        regs->entry_vector = 0;
        regs->r11 = frame.r11;
        regs->rcx = frame.rcx;
    }
    regs->rip = frame.rip;
    regs->cs = (u16)(frame.cs | 3);
    regs->rsp = frame.rsp;
    regs->ss = (u16)(frame.ss | 3);
    set_flags(v, regs, frame.rflags);
    /* SYSRET loads the flat selectors only. */
    if (regs->cs != GUEST64_CS || regs->ss != GUEST64_SS)
        regs->entry_vector = 0;
    /* Not every processor refuses to return to an address that is none; the guest sees the same on all. */
    if ((s64)(frame.rip << 16) >> 16 != (s64)frame.rip) {
        regs->entry_vector = 0;
        inject_trap(TRAP_GP, 0);
    }
    return (long)frame.rax;
}

#define VM86_WORDS 9 /* eip, cs, eflags, esp, ss, es, ds, fs, gs */

/* There is no virtual-8086 mode: the kernel gets a general protection fault as of its first instruction there, with the
 * frame that lies at `from`. */
static COLD bool refuse_vm86(struct vcpu *v, struct cpu_regs *regs, u32 from)
{
    const struct compact_trap *trap = &v->traps[TRAP_GP];
    u32 frame[1 + VM86_WORDS] = {0}, sp = (u32)v->kernel_sp - (u32)sizeof(frame);
    unsigned long base;

    if (trap->address == 0 || !guest_segment_base(v, v->kernel_ss, &base) ||
        copy_from_guest(frame + 1, from, VM86_WORDS * sizeof(u32)) ||
        copy_to_guest((u32)(base + sp), frame, sizeof(frame)))
        return false;
    u32 flags = frame[3];
    regs->rsp = sp;
    regs->ss = v->kernel_ss;
    regs->rip = trap->address;
    regs->cs = trap->cs;
    if (trap->flags & MASK_EVENTS)
        flags &= ~(u32)X86_EFLAGS_IF;
    set_flags(v, regs, flags & ~(X86_EFLAGS_TF | X86_EFLAGS_NT | X86_EFLAGS_RF));
    return true;
}

/* The stack holds eax, eip, cs, eflags, and esp, ss for ring 3. */
long do_iret_pv32(void)
{
    struct vcpu *v = current;
    struct cpu_regs *regs = guest_regs();
    u32 frame[6] = {0};
    unsigned long base;

    if (!guest_segment_base(v, regs->ss, &base) || copy_from_guest(frame, (u32)(base + regs->rsp), 4 * sizeof(u32)))
        goto bad;
    if (unlikely(frame[3] & X86_EFLAGS_VM)) {
        if (!refuse_vm86(v, regs, (u32)(base + regs->rsp + sizeof(u32))))
            goto bad;
        return frame[0];
    }
    if ((frame[2] & 3) == 0)
        goto bad;
    if ((frame[2] & 3) == 1) {
        regs->rsp = (u32)(regs->rsp + 4 * sizeof(u32));
    } else {
        if (copy_from_guest(frame + 4, (u32)(base + regs->rsp + 16), 2 * sizeof(u32)))
            goto bad;
        regs->rsp = frame[4];
        regs->ss = (u16)frame[5];
    }
    regs->rip = frame[1];
    regs->cs = (u16)frame[2];
    set_flags(v, regs, frame[3]);
    return frame[0];
bad:
    domain_crash(v->domain, "iret from a bad frame at %#lx", (unsigned long)regs->rsp);
    return 0;
}
