/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Entering a guest kernel at one of the places it registered: the bounce frame on its stack, as the ABI lays it out.
 * 64-bit: rcx, r11, [error code], rip, cs | mask << 32, rflags, rsp, ss. 32-bit: [error code], eip, cs | mask << 16,
 * eflags, and esp, ss when it came from ring 3. A kernel whose stack cannot take the frame has lost control: crash.
 */
#include "cpu/cpu.h"
#include "guest_access.h"
#include "emulate.h"

#define CLEARED_FLAGS (X86_EFLAGS_AC | X86_EFLAGS_VM | X86_EFLAGS_RF | X86_EFLAGS_NT | X86_EFLAGS_TF)

/* What the guest is shown as its flags: IF is its upcall mask, IOPL its virtual level if it asked for that. */
IN_PLACE u64 visible_flags(struct vcpu *v, u64 flags, u8 mask)
{
    flags &= ~(X86_EFLAGS_IF | X86_EFLAGS_IOPL);
    if (!mask)
        flags |= X86_EFLAGS_IF;
    if (unlikely(v->domain->vm_assist & (1U << VMASST_TYPE_architectural_iopl)))
        flags |= (u64)v->iopl << 12;
    return flags;
}

/* What a frame is made of besides the registers: how bounce() and its siblings are told. */
#define HAS_ERROR_CODE 1U

/* The frame grows down from a multiple of 16. */
IN_PLACE void bounce64(struct vcpu *v, struct cpu_regs *regs, unsigned how, u32 error_code)
{
    u16 cs = regs->cs;
    u8 mask = vcpu_upcall_mask(v);
    unsigned long sp = regs->rsp;

    if (v->kernel_mode) {
        cs &= (u16)~3;
    } else {
        toggle_guest_mode(v);
        sp = v->kernel_sp;
    }
    sp = (sp & ~15UL) - 7 * sizeof(u64);
    if (unlikely(!guest_words_ok(v->mm.words_hole, sp - sizeof(u64), 8 * sizeof(u64), false)))
        goto fault;
    u64 *frame = (u64 *)sp;
    GUEST_PUT(&frame[2], regs->rip, fault);
    GUEST_PUT(&frame[3], cs | (u64)mask << 32, fault);
    GUEST_PUT(&frame[4], visible_flags(v, regs->rflags, mask), fault);
    GUEST_PUT(&frame[5], regs->rsp, fault);
    GUEST_PUT(&frame[6], regs->ss, fault);
    if (how & HAS_ERROR_CODE) {
        GUEST_PUT(&frame[1], error_code, fault);
        frame--;
    }
    GUEST_PUT(&frame[1], regs->r11, fault);
    GUEST_PUT(&frame[0], regs->rcx, fault);
    regs->rsp = (u64)frame;
    regs->cs = GUEST64_CS;
    regs->ss = GUEST64_SS;
    return;
fault:
    domain_crash(v->domain, "its kernel stack at %#lx cannot take a bounce frame", sp);
}

IN_PLACE void bounce32(struct vcpu *v, struct cpu_regs *regs, u16 entry_cs, unsigned how, u32 error_code)
{
    bool from_user = (regs->cs & 3) != 1;
    u32 sp = from_user ? (u32)v->kernel_sp : (u32)regs->rsp;
    u16 ss = from_user ? v->kernel_ss : regs->ss;
    u8 mask = vcpu_upcall_mask(v);
    unsigned words = 3 + (how & HAS_ERROR_CODE) + (from_user ? 2 : 0);
    unsigned long base;

    sp -= words * (u32)sizeof(u32);
    if (unlikely(!guest_stack_base(v, ss, &base)))
        goto fault;
    base = (u32)(base + sp);
    if (unlikely(!guest_words_ok(v->mm.words_hole, base, words * sizeof(u32), true)))
        goto fault;
    u32 *frame = (u32 *)base;
    if (how & HAS_ERROR_CODE) {
        GUEST_PUT(frame, error_code, fault);
        frame++;
    }
    GUEST_PUT(&frame[0], regs->rip, fault);
    GUEST_PUT(&frame[1], regs->cs | (u32)mask << 16, fault);
    GUEST_PUT(&frame[2], visible_flags(v, regs->rflags, mask), fault);
    if (from_user) {
        GUEST_PUT(&frame[3], regs->rsp, fault);
        GUEST_PUT(&frame[4], regs->ss, fault);
    }
    regs->rsp = sp;
    regs->ss = ss;
    regs->cs = entry_cs;
    return;
fault:
    domain_crash(v->domain, "its kernel stack at %04x:%08x cannot take a bounce frame", ss, sp);
}

/* To an address that is not 0. One copy is enough: a call costs less than the frame's size. */
static __attribute__((noinline)) void bounce(struct vcpu *v, struct cpu_regs *regs, u64 address, u16 cs, unsigned how,
                                             u32 error_code)
{
    if (v->is_32bit)
        bounce32(v, regs, cs, how, error_code);
    else
        bounce64(v, regs, how, error_code);
    regs->entry_vector = 0;
    regs->rip = address;
    regs->rflags = (regs->rflags & ~CLEARED_FLAGS) | X86_EFLAGS_IF | X86_EFLAGS_MBS;
    if (how & MASK_EVENTS)
        vcpu_upcall_mask(v) = 1;
}

bool vector_has_error_code(unsigned vector)
{
    return vector < 32 && (0x227D00U >> vector & 1);
}

void bounce_trap(struct cpu_regs *regs, unsigned vector, unsigned error_code)
{
    struct vcpu *v = cpu_of_frame(regs)->vcpu;
    const struct compact_trap *trap = &v->traps[vector & 0xFF];

    if (unlikely(trap->address == 0)) {
        domain_crash(v->domain, "trap %u (error code %#x) at rip %#lx, for which its kernel registered no handler",
                     vector, error_code, (unsigned long)regs->rip);
        return;
    }
    bounce(v, regs, trap->address, trap->cs, (trap->flags & MASK_EVENTS) | vector_has_error_code(vector), error_code);
}

/* INT of the guest's: whatever the number, there is no error to tell a code of. The vector has a handler. */
void inject_software_interrupt(unsigned vector)
{
    struct cpu_regs *regs = guest_regs();
    struct vcpu *v = cpu_of_frame(regs)->vcpu;
    const struct compact_trap *trap = &v->traps[vector];

    bounce(v, regs, trap->address, trap->cs, trap->flags & MASK_EVENTS, 0);
}

void inject_trap(unsigned vector, unsigned error_code)
{
    bounce_trap(guest_regs(), vector, error_code);
}

void inject_page_fault(unsigned long address, unsigned error_code)
{
    struct cpu_regs *regs = guest_regs();
    struct vcpu *v = cpu_of_frame(regs)->vcpu;

    v->ctrlreg[2] = address;
    if (v->is_32bit)
        v->compat_info->arch.cr2 = (u32)address;
    else
        v->info->arch.cr2 = address;
    /* A 64-bit kernel runs in ring 3, but must not learn that from its fault. */
    if (guest_in_kernel(v, regs))
        error_code &= ~PFEC_USER;
    else
        error_code |= PFEC_USER;
    bounce_trap(regs, TRAP_PF, error_code);
}

/* On the short way a frame could not be written (entry_bounce.S). */
void bounce_failed(struct cpu_regs *regs)
{
    struct vcpu *v = cpu_of_frame(regs)->vcpu;

    domain_crash(v->domain, "its kernel stack (at %#lx in the kernel, else %#lx) cannot take a bounce frame",
                 (unsigned long)regs->rsp, (unsigned long)v->kernel_sp);
}

/* At a callback, which may be registered or not. */
static void enter_callback(struct cpu_regs *regs, const struct guest_entry *entry, bool mask_events)
{
    struct vcpu *v = cpu_of_frame(regs)->vcpu;

    bounce(v, regs, entry->address, entry->cs, mask_events ? MASK_EVENTS : 0, 0);
}

static void deliver_nmi(struct vcpu *v)
{
    v->nmi_pending = false;
    v->nmi_masked = true;
    inject_trap(TRAP_NMI, 0);
}

void return_to_guest_work(struct cpu_regs *regs)
{
    struct vcpu *v = cpu_of_frame(regs)->vcpu;

    if (cpu_of_frame(regs)->softirq_pending)
        process_softirqs();
    if (v->nmi_pending && !v->nmi_masked && v->traps[TRAP_NMI].address)
        deliver_nmi(v);
    else if (vcpu_upcall_pending(v) && !vcpu_upcall_mask(v)) {
        if (v->event_callback.address)
            enter_callback(regs, &v->event_callback, true);
        else
            /* Not registered yet: the guest polls. Masking keeps the way out from trying for ever. */
            vcpu_upcall_mask(v) = 1;
    }
}

/* A selector that the guest's tables do not bear, or an iret that faulted. The frame has the four data selectors that
 * were wanted, so that the kernel can find the bad one; they are null now. */
void deliver_failsafe(void)
{
    struct vcpu *v = current;
    struct cpu_regs *regs = guest_regs();
    u16 wanted[4] = {regs->ds, regs->es, regs->fs, regs->gs};
    unsigned i;

    if (v->failsafe_callback.address == 0) {
        domain_crash(v->domain, "a segment register or return frame of it is invalid and it has no failsafe callback");
        return;
    }
    enter_callback(regs, &v->failsafe_callback, v->failsafe_callback.mask_events);
    if (v->domain->shutting_down)
        return;
    if (v->is_32bit) {
        u32 frame[4];
        unsigned long base;
        for (i = 0; i < 4; i++)
            frame[i] = wanted[i];
        regs->rsp = (u32)(regs->rsp - sizeof(frame));
        if (!guest_segment_base(v, regs->ss, &base) || copy_to_guest((u32)(base + regs->rsp), frame, sizeof(frame)))
            domain_crash(v->domain, "its kernel stack cannot take a failsafe frame");
        return;
    }
    /* The selectors go between r11 and rip. */
    u64 top[6];
    if (copy_from_guest(top, regs->rsp, 2 * sizeof(u64)))
        goto bad;
    for (i = 0; i < 4; i++)
        top[2 + i] = wanted[i];
    regs->rsp -= 4 * sizeof(u64);
    if (!copy_to_guest(regs->rsp, top, sizeof(top)))
        return;
bad:
    domain_crash(v->domain, "its kernel stack cannot take a failsafe frame");
}

/* SYSCALL in user mode of a 64-bit guest, or in a 32-bit one. */
void syscall_from_user(struct cpu_regs *regs)
{
    struct vcpu *v = current;

    if (v->is_32bit || v->syscall_callback.address == 0) {
        regs->rip -= 2;
        inject_trap(TRAP_UD, 0);
    } else {
        enter_callback(regs, &v->syscall_callback, v->syscall_callback.mask_events);
    }
}

void syscall32_from_user(struct cpu_regs *regs)
{
    struct vcpu *v = current;

    if (v->is_32bit) {
        regs->cs = GUEST32_USER_CS;
        regs->ss = GUEST32_USER_SS;
    }
    if (v->syscall32_callback.address == 0) {
        regs->rip -= 2;
        inject_trap(v->is_32bit ? TRAP_GP : TRAP_UD, 0); /* as on Xen */
    } else {
        enter_callback(regs, &v->syscall32_callback, v->syscall32_callback.mask_events);
    }
}

void sysenter_from_user(struct cpu_regs *regs)
{
    struct vcpu *v = current;

    regs->rflags |= X86_EFLAGS_IF;
    if (v->is_32bit)
        regs->ss = GUEST32_USER_SS;
    if (v->sysenter_callback.address == 0)
        inject_trap(TRAP_GP, 0);
    else
        enter_callback(regs, &v->sysenter_callback, v->sysenter_callback.mask_events);
}
