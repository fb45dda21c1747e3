/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Exceptions: from a guest they are emulated, mended or bounced; from the hypervisor itself they are a mended access to
 * guest memory or the end.
 */
#include "cpu/cpu.h"
#include "guest_access.h"
#include "emulate.h"
#include "lib/symbols.h"

#define DR6_SINGLE_STEP 0x4000UL

struct fixup {
    s32 fault, resume; /* relative to their own addresses */
};
extern const struct fixup _ex_table_start[], _ex_table_end[];

bool fixup_fault(struct cpu_regs *regs)
{
    for (const struct fixup *f = _ex_table_start; f < _ex_table_end; f++) {
        if ((unsigned long)&f->fault + (long)f->fault == regs->rip) {
            regs->rip = (unsigned long)&f->resume + (long)f->resume;
            return true;
        }
    }
    return false;
}

static unsigned long window_offset(unsigned long address)
{
    return address - (WINDOWS_START + this_cpu()->cpu * (unsigned long)WINDOW_SIZE);
}

static bool in_our_range(unsigned long address)
{
    return address - HV_VIRT_START < HV_VIRT_END - HV_VIRT_START;
}

/* A descriptor load of the guest's touched this CPU's LDT window where nothing is mapped. A table that runs into where no
 * address is ends there, as by its limit: what the guest learns as a fault's address always is one. */
static void window_fault(struct vcpu *v, unsigned long offset)
{
    unsigned long address;

    offset -= WINDOW_LDT;
    if (mm_fixup_ldt_fault(v, offset))
        return;
    address = v->ldt_base + offset;
    if (address >> 47 == 1)
        inject_trap(TRAP_GP, (u16)offset | 4);
    else
        inject_page_fault(address, guest_regs()->error_code);
}

/* The final iretq faulted on what the guest had put into its frame. The hardware's frame overlaps the lower part of the
 * per-CPU one; its general registers are the guest's, and rip to ss of the per-CPU one are what the guest wanted. */
static NORETURN void failed_return(const struct cpu_regs *fault)
{
    struct cpu_regs *regs = guest_regs();
    struct cpu_regs copy = *fault;
    size_t general = offsetof(struct cpu_regs, error_code);
    struct vcpu *v = current;

    memmove(regs, &copy, general);
    /* The kernel learns of it by the exception itself, as if out of the place it wanted to return to. */
    if (!v->is_32bit && v->kernel_mode && (regs->cs & 3) != 3)
        regs->cs = GUEST64_CS;
    if (copy.entry_vector == TRAP_PF) {
        regs->error_code = 0;
        window_fault(v, window_offset(read_cr2()));
    } else {
        inject_trap(copy.entry_vector, copy.error_code);
    }
    /* A handler whose selector is bad brings us here again and again: the CPU's interrupts must come through. */
    __asm__ volatile("sti; nop; cli" ::: "memory");
    reset_stack_to_guest();
}

static void guest_page_fault(struct vcpu *v, struct cpu_regs *regs)
{
    unsigned long address = read_cr2();
    u32 error_code = regs->error_code;

    if (unlikely(in_our_range(address)) && !(error_code & PFEC_USER) && window_offset(address) < WINDOW_SIZE) {
        window_fault(v, window_offset(address));
        return;
    }
    if (unlikely(v->domain->mm.shadow != NULL) && shadow_fault(v, address, &error_code))
        return;
    if ((error_code & (PFEC_PRESENT | PFEC_WRITE | PFEC_RSVD)) == (PFEC_PRESENT | PFEC_WRITE) &&
        guest_in_kernel(v, regs) && emulate_page_table_write(v, regs, address))
        return;
    /* Another CPU's change may not have reached this TLB: mm/ flushes on every loss of rights, and a fault by stale
     * lack of rights is the guest's to retry, as on hardware. */
    inject_page_fault(address, error_code & ~PFEC_RSVD);
}

/* INT n through a gate the guest may not use comes as #GP with n in the error code; the guest's own DPL decides. One
 * emulator doubles n there in long mode, so the instruction's own byte is believed before the code. */
static unsigned interrupt_number(struct vcpu *v, const struct cpu_regs *regs)
{
    u8 insn[2];

    if (copy_from_guest(insn, v->is_32bit ? (u32)regs->rip : regs->rip, sizeof(insn)) == 0 && insn[0] == 0xCD)
        return insn[1];
    return regs->error_code >> 3 & 0xFF;
}

static bool software_interrupt(struct vcpu *v, struct cpu_regs *regs, unsigned vector)
{
    unsigned ring = v->is_32bit ? (regs->cs & 3u) : (v->kernel_mode ? 1 : 3);
    const struct compact_trap *trap = &v->traps[vector];

    if (trap->address == 0 || ((trap->flags & 3u) < ring && vector != 0x80)) { /* 0x80 is open to all, as on Xen */
        regs->error_code = vector * 8 + 2;
        return false;
    }
    regs->rip += 2;
    inject_software_interrupt(vector);
    return true;
}

static void guest_general_protection(struct vcpu *v, struct cpu_regs *regs)
{
    if (regs->error_code & 1) {
        inject_trap(TRAP_GP, regs->error_code);
        return;
    }
    if (regs->error_code & 2) {
        if (!software_interrupt(v, regs, interrupt_number(v, regs)))
            inject_trap(TRAP_GP, regs->error_code);
        return;
    }
    if (!(regs->error_code ? emulate_call_gate(v, regs) : emulate_privileged(v, regs)))
        inject_trap(TRAP_GP, regs->error_code);
}

static void guest_debug(struct vcpu *v, struct cpu_regs *regs)
{
    u64 dr6;

    __asm__ volatile("mov %%dr6, %0" : "=r"(dr6));
    __asm__ volatile("mov %0, %%dr6" : : "r"(0xFFFF0FF0UL));
    v->debugreg[6] |= dr6; /* what it told stays until the guest clears it */
    inject_trap(TRAP_DB, 0);
}

static void guest_no_device(struct vcpu *v)
{
    __asm__ volatile("clts");
    if (v->ctrlreg[0] & CR0_TS) {
        v->ctrlreg[0] &= ~CR0_TS;
        inject_trap(TRAP_NM, 0);
    }
}

/* Its gate is open to ring 3, so that the common case needs no decoding; the guest's DPL does not matter. */
static void guest_int80(struct vcpu *v, struct cpu_regs *regs)
{
    if (likely(v->traps[0x80].address)) {
        bounce_trap(regs, 0x80, 0);
        return;
    }
    regs->rip -= 2;
    bounce_trap(regs, TRAP_GP, 0x80 * 8 + 2);
}

/* What the guest's kernel is told as it came. */
#define BOUNCED_VECTORS                                                                                                \
    (1U << TRAP_DE | 1U << TRAP_BP | 1U << TRAP_OF | 1U << TRAP_BR | 1U << TRAP_TS | 1U << TRAP_NP | 1U << TRAP_SS |   \
     1U << TRAP_MF | 1U << TRAP_AC | 1U << TRAP_XM | 1U << TRAP_CP)

static void other_trap(struct vcpu *v, struct cpu_regs *regs)
{
    u32 vector = regs->entry_vector;

    if (vector >= 32 && vector != 0x80)
        do_interrupt(regs);
    else if (vector == 0x80)
        guest_int80(v, regs);
    else if (BOUNCED_VECTORS >> vector & 1)
        bounce_trap(regs, vector, regs->error_code);
    else if (vector == TRAP_DB)
        guest_debug(v, regs);
    else if (vector == TRAP_NM)
        guest_no_device(v);
    else
        domain_crash(v->domain, "exception %u, which no guest can cause", vector);
}

/* The frequent first; most of what is only to be bounced does not come here (entry_bounce.S). */
void trap_from_guest(struct cpu_regs *regs)
{
    struct vcpu *v = cpu_of_frame(regs)->vcpu;
    u32 vector = regs->entry_vector;

    if (vector == TRAP_UD) {
        if (!emulate_forced(v, regs))
            bounce_trap(regs, TRAP_UD, 0);
    } else if (vector == TRAP_GP) {
        guest_general_protection(v, regs);
    } else if (vector == TRAP_PF) {
        guest_page_fault(v, regs);
    } else {
        other_trap(v, regs);
    }
}

void trap_in_hypervisor(struct cpu_regs *regs)
{
    u32 vector = regs->entry_vector;

    if (vector >= 32) {
        do_interrupt(regs);
        return;
    }
    if (vector == TRAP_PF) {
        unsigned long address = read_cr2(), offset = window_offset(address);
        u32 error_code = regs->error_code;
        struct vcpu *v = current;
        if (v && ((offset < WINDOW_SIZE && mm_fixup_ldt_fault(v, offset - WINDOW_LDT)) ||
                  (v->domain->mm.shadow && shadow_fault(v, address, &error_code))))
            return;
    }
    if (regs->rip == (unsigned long)guest_iret)
        failed_return(regs);
    if (fixup_fault(regs))
        return;
    unsigned long offset = 0;
    char name[SYMBOL_NAME_MAX];
    symbol_name(regs->rip, name, &offset);
    print_registers(regs, 16);
    panic("exception %u (error code %#x, cr2 %#lx, cr3 %#lx) in the hypervisor at %#lx, %s+%#lx", vector,
          regs->error_code, (unsigned long)read_cr2(), read_cr3(), (unsigned long)regs->rip,
          *name ? name : "no function", offset);
}

static bool frame_moved(const struct cpu_regs *regs)
{
    if (!(regs->cs & 3))
        return false;
    memcpy(guest_regs(), regs, offsetof(struct cpu_regs, es));
    return true;
}

/* Hardware NMIs are dom0's business; one that comes while it cannot be delivered is only remembered. From the guest: back
 * by the way out of all traps, which alone bears that the guest's own segments have gone bad meanwhile. */
void handle_nmi(struct cpu_regs *regs)
{
    if (domain_zero && domain_zero->vcpus[0]) {
        domain_zero->vcpus[0]->nmi_pending = true;
        __atomic_or_fetch(&this_cpu()->softirq_pending, 1U << SOFTIRQ_NMI_CALLBACK, __ATOMIC_SEQ_CST);
    }
    if (frame_moved(regs))
        reset_stack_to_guest();
}

/* From the guest: as any trap, on the ordinary stack. From ourselves: the guest's breakpoint on its own memory, hit by a
 * copy of ours or by the last of its instructions; the guest learns of it through DR6. Or a step: SYSENTER comes with
 * the program's trap flag, which its entry saves before it clears it. */
void handle_debug(struct cpu_regs *regs)
{
    u64 dr6;

    if (frame_moved(regs))
        handle_on_own_stack();
    __asm__ volatile("mov %%dr6, %0" : "=r"(dr6));
    __asm__ volatile("mov %0, %%dr6" : : "r"(0xFFFF0FF0UL));
    current->debugreg[6] |= dr6 & ~DR6_SINGLE_STEP;
}

void handle_double_fault(struct cpu_regs *regs)
{
    panic("double fault at %#lx, stack %#lx (an overrun hits the guard page)", (unsigned long)regs->rip,
          (unsigned long)regs->rsp);
}

void handle_machine_check(struct cpu_regs *regs)
{
    panic("machine check at %#lx: the hardware reports an uncorrectable error", (unsigned long)regs->rip);
}
