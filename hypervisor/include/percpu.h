/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a CPU knows of itself. The block sits at the top of the CPU's stack, so that the stack pointer alone finds it:
 * no segment base is switched on entry, and a guest's own GS bases stay in the CPU.
 */
#ifndef HYPERVISOR_PERCPU_H
#define HYPERVISOR_PERCPU_H

#include "layout.h"
#include "regs.h"

struct vcpu;

struct tss {
    u32 reserved0;
    u64 rsp[3];
    u64 reserved1;
    u64 ist[7];
    u64 reserved2;
    u16 reserved3;
    u16 iomap_base;
} __attribute__((packed));

enum softirq {
    SOFTIRQ_TIMER,
    SOFTIRQ_SCHEDULE,
    SOFTIRQ_NMI_CALLBACK,
    SOFTIRQ_CONSOLE,
    SOFTIRQ_INPUT,
    SOFTIRQ_TRACE,
    SOFTIRQ_COUNT
};

/* What code asks for most comes last: an address computed from the end reaches 128 bytes with the short form. */
struct percpu {
    struct cpu_regs regs; /* the guest's frame; its hardware part ends at regs.es: TSS.rsp0 points there */
    struct tss tss;
    u64 cr4; /* what CR4 holds */
    u64 cr3_loaded;
    u32 flush_request, flush_done; /* TLB shootdown: tickets asked for and served */
    u32 gdt_is_64;                 /* our GDT page has the flat selectors of 64-bit guests */
    u32 apic_id;
    u32 cpu;
    u32 softirq_pending; /* bits of enum softirq; remote CPUs set them atomically and send an IPI if needed */
    struct vcpu *idle;
    struct vcpu *vcpu; /* runs here now */
};

/* The CPU aligns its stack to 16 before it pushes a frame: where that begins must be aligned already. */
_Static_assert((sizeof(struct percpu) - offsetof(struct cpu_regs, es)) % 16 == 0, "TSS.rsp0 must be aligned to 16");

IN_PLACE struct percpu *this_cpu(void)
{
    unsigned long rsp;
    __asm__("mov %%rsp, %0" : "=r"(rsp));
    return (struct percpu *)((rsp | (STACK_ORDER_SIZE - 1)) + 1 - sizeof(struct percpu));
}

/* What waits is served before the last of the three instructions. */
IN_PLACE void let_interrupts_in(void)
{
    __asm__ volatile("sti\n\tnop\n\tcli" : : : "memory");
}

static inline struct percpu *percpu_of(unsigned cpu)
{
    return (struct percpu *)(STACKS_START + (cpu + 1) * (unsigned long)STACK_ORDER_SIZE - sizeof(struct percpu));
}

/* HV_SELDOM marks files whose code is to be small (rules.mk). There `current` is a call of current_vcpu (cpu/percpu.S),
 * which changes no register but rax. */
#ifdef HV_SELDOM
static inline struct vcpu *current_called(void)
{
    struct vcpu *v;
    __asm__("call current_vcpu" : "=a"(v));
    return v;
}
#define current current_called()
#else
#define current (this_cpu()->vcpu)
#endif
#define guest_regs() (&this_cpu()->regs)

/* The same for who already holds the guest's frame. */
IN_PLACE struct percpu *cpu_of_frame(struct cpu_regs *regs)
{
    return container_of(regs, struct percpu, regs);
}

extern unsigned cpu_count; /* CPUs online, numbered from 0 without gaps */

void raise_softirq(unsigned cpu, enum softirq which);

#endif
