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
static u64 visible_flags(struct vcpu *v, u64 flags)
{
    flags &= ~(X86_EFLAGS_IF | X86_EFLAGS_IOPL);
    if (!vcpu_upcall_mask(v))
        flags |= X86_EFLAGS_IF;
    if (v->domain->vm_assist & (1U << VMASST_TYPE_architectural_iopl))
        flags |= (u64)v->iopl << 12;
    return flags;
}

static void bounce64(struct vcpu *v, struct cpu_regs *regs, const struct bounce *b)
{
    u64 frame[8], *p = frame, sp;
    bool from_user = !v->kernel_mode;
    u16 cs = regs->cs;

    if (from_user) {
        toggle_guest_mode(v);
        sp = v->kernel_sp & ~15UL;
    } else {
        sp = regs->rsp & ~15UL;
        cs &= (u16)~3;
    }
    *p++ = regs->rcx;
    *p++ = regs->r11;
    if (b->has_error_code)
        *p++ = b->error_code;
    *p++ = regs->rip;
    *p++ = cs | (u64)vcpu_upcall_mask(v) << 32;
    *p++ = visible_flags(v, regs->rflags);
    *p++ = regs->rsp;
    *p++ = regs->ss;

    size_t size = (size_t)((char *)p - (char *)frame);
    sp -= size;
    if (copy_to_guest(sp, frame, size)) {
        domain_crash(v->domain, "its kernel stack at %#lx cannot take a bounce frame", (unsigned long)sp);
        return;
    }
    regs->rsp = sp;
    regs->cs = GUEST64_CS;
    regs->ss = GUEST64_SS;
}

static void bounce32(struct vcpu *v, struct cpu_regs *regs, const struct bounce *b)
{
    u32 frame[6], *p = frame;
    bool from_user = (regs->cs & 3) != 1;
    unsigned long base;
    u32 sp = from_user ? (u32)v->kernel_sp : (u32)regs->rsp;
    u16 ss = from_user ? v->kernel_ss : regs->ss;

    if (b->has_error_code)
        *p++ = b->error_code;
    *p++ = (u32)regs->rip;
    *p++ = regs->cs | (u32)vcpu_upcall_mask(v) << 16;
    *p++ = (u32)visible_flags(v, regs->rflags);
    if (from_user) {
        *p++ = (u32)regs->rsp;
        *p++ = regs->ss;
    }
    size_t size = (size_t)((char *)p - (char *)frame);
    sp -= (u32)size;
    if (!guest_segment_base(v, ss, &base) || copy_to_guest((u32)(base + sp), frame, size)) {
        domain_crash(v->domain, "its kernel stack at %04x:%08x cannot take a bounce frame", ss, sp);
        return;
    }
    regs->rsp = sp;
    regs->ss = ss;
    regs->cs = b->cs;
}

void bounce_to_guest(const struct bounce *b)
{
    struct vcpu *v = current;
    struct cpu_regs *regs = guest_regs();

    regs->entry_vector = 0;
    if (b->address == 0) {
        domain_crash(v->domain, "a trap or event came and its kernel has no handler for it (rip %#lx)",
                     (unsigned long)regs->rip);
        return;
    }
    if (v->is_32bit)
        bounce32(v, regs, b);
    else
        bounce64(v, regs, b);
    regs->rip = b->address;
    regs->rflags = (regs->rflags & ~CLEARED_FLAGS) | X86_EFLAGS_IF | X86_EFLAGS_MBS;
    if (b->mask_events)
        vcpu_upcall_mask(v) = 1;
}

bool vector_has_error_code(unsigned vector)
{
    return vector < 32 && (0x227D00U >> vector & 1);
}

void inject_trap(unsigned vector, unsigned error_code)
{
    struct vcpu *v = current;
    const struct compact_trap *trap = &v->traps[vector & 0xFF];

    if (trap->address == 0) {
        domain_crash(v->domain, "trap %u (error code %#x) at rip %#lx, for which its kernel registered no handler",
                     vector, error_code, (unsigned long)guest_regs()->rip);
        return;
    }
    bounce_to_guest(&(struct bounce){
        .address = trap->address,
        .cs = trap->cs,
        .mask_events = (trap->flags & 4) != 0,
        .has_error_code = vector_has_error_code(vector),
        .error_code = error_code,
    });
}

void inject_page_fault(unsigned long address, unsigned error_code)
{
    struct vcpu *v = current;

    v->ctrlreg[2] = address;
    if (v->is_32bit)
        v->compat_info->arch.cr2 = (u32)address;
    else
        v->info->arch.cr2 = address;
    /* A 64-bit kernel runs in ring 3, but must not learn that from its fault. */
    if (guest_in_kernel(v, guest_regs()))
        error_code &= ~PFEC_USER;
    else
        error_code |= PFEC_USER;
    inject_trap(TRAP_PF, error_code);
}

static void deliver_event(struct vcpu *v)
{
    bounce_to_guest(&(struct bounce){
        .address = v->event_callback.address,
        .cs = v->event_callback.cs,
        .mask_events = true,
    });
}

static void deliver_nmi(struct vcpu *v)
{
    v->nmi_pending = false;
    v->nmi_masked = true;
    inject_trap(TRAP_NMI, 0);
}

void return_to_guest_work(struct cpu_regs *regs)
{
    struct vcpu *v = current;

    process_softirqs();
    if (v->nmi_pending && !v->nmi_masked && v->traps[TRAP_NMI].address)
        deliver_nmi(v);
    else if (vcpu_upcall_pending(v) && !vcpu_upcall_mask(v)) {
        if (v->event_callback.address)
            deliver_event(v);
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
    bounce_to_guest(&(struct bounce){
        .address = v->failsafe_callback.address,
        .cs = v->failsafe_callback.cs,
        .mask_events = v->failsafe_callback.mask_events,
    });
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
static void enter_callback(const struct guest_entry *entry)
{
    bounce_to_guest(&(struct bounce){
        .address = entry->address,
        .cs = entry->cs,
        .mask_events = entry->mask_events,
    });
}

void syscall_from_user(struct cpu_regs *regs)
{
    struct vcpu *v = current;

    if (v->is_32bit || v->syscall_callback.address == 0) {
        regs->rip -= 2;
        inject_trap(TRAP_UD, 0);
    } else {
        enter_callback(&v->syscall_callback);
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
        inject_trap(TRAP_UD, 0);
    } else {
        enter_callback(&v->syscall32_callback);
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
        enter_callback(&v->sysenter_callback);
}
