/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The CPU room's own interface: instructions that C lacks, tables, entry points shared between its files.
 */
#ifndef HYPERVISOR_CPU_CPU_H
#define HYPERVISOR_CPU_CPU_H

#include "domain.h"
#include "cpu/entry.h"

#define MSR_EFER           0xC0000080
#define MSR_STAR           0xC0000081
#define MSR_LSTAR          0xC0000082
#define MSR_CSTAR          0xC0000083
#define MSR_SYSCALL_MASK   0xC0000084
#define MSR_FS_BASE        0xC0000100
#define MSR_GS_BASE        0xC0000101
#define MSR_KERNEL_GS_BASE 0xC0000102
#define MSR_TSC_AUX        0xC0000103
#define MSR_SYSENTER_CS    0x174
#define MSR_SYSENTER_ESP   0x175
#define MSR_SYSENTER_EIP   0x176
#define MSR_PAT            0x277
#define PAT_VALUE          0x050100070406ULL

#define CR0_TS             (1UL << 3)

static inline u64 rdmsr(u32 msr)
{
    u32 low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (u64)high << 32 | low;
}

static inline void wrmsr(u32 msr, u64 value)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

static inline u64 read_cr0(void)
{
    u64 value;
    __asm__ volatile("mov %%cr0, %0" : "=r"(value));
    return value;
}

static inline void write_cr0(u64 value)
{
    __asm__ volatile("mov %0, %%cr0" : : "r"(value) : "memory");
}

static inline u64 read_cr2(void)
{
    u64 value;
    __asm__ volatile("mov %%cr2, %0" : "=r"(value));
    return value;
}

static inline u64 read_cr3(void)
{
    u64 value;
    __asm__ volatile("mov %%cr3, %0" : "=r"(value));
    return value;
}

static inline u64 read_cr4(void)
{
    u64 value;
    __asm__ volatile("mov %%cr4, %0" : "=r"(value));
    return value;
}

static inline void write_cr4(u64 value)
{
    __asm__ volatile("mov %0, %%cr4" : : "r"(value) : "memory");
}

/* Entry points in assembly. */
extern const char trap_stubs[], device_stubs[], high_stubs[], int80_stub[], stray_stub[], syscall_pads[],
    traced_stubs[], traced_pads[], hypercall_entry32[], nmi_entry[], debug_entry[], double_fault_entry[],
    machine_check_entry[], guest_iret[];
void reset_stack_and_call(void (*function)(void)) NORETURN;
void reset_stack_to_guest(void) NORETURN;

/* Called by the entry paths. */
void trap_from_guest(struct cpu_regs *regs);
void trap_in_hypervisor(struct cpu_regs *regs);
void bounce_failed(struct cpu_regs *regs);
void handle_on_own_stack(void) NORETURN;
void handle_nmi(struct cpu_regs *regs);
void handle_debug(struct cpu_regs *regs);
void handle_double_fault(struct cpu_regs *regs);
void handle_machine_check(struct cpu_regs *regs);
void return_to_guest_work(struct cpu_regs *regs);
const void *trace_gate(const struct cpu_regs *regs); /* trace/trace.c: before the plain gate */
void syscall_from_user(struct cpu_regs *regs);
void syscall32_from_user(struct cpu_regs *regs);
void sysenter_from_user(struct cpu_regs *regs);
void do_interrupt(struct cpu_regs *regs); /* dev/irq.c */

/* desc.c: GDT, IDT, TSS and SYSCALL MSRs of the CPU that calls. */
void cpu_tables_init(unsigned cpu);
void cpu_gdt_select(bool is_32bit);
void cpu_load_ldt(struct vcpu *v); /* its LDT into this CPU's LDTR */
/* The base that a selector of the current guest's tables carries; false when it is no usable data or code segment. */
bool guest_segment_base(struct vcpu *v, u16 selector, unsigned long *base);
/* The same for a 32-bit stack, which is flat almost always. */
IN_PLACE bool guest_stack_base(struct vcpu *v, u16 selector, unsigned long *base)
{
    *base = 0;
    return likely(selector == GUEST32_SS) || guest_segment_base(v, selector, base);
}

/* bounce.c */
/* As inject_trap, for who holds the frame. */
void bounce_trap(struct cpu_regs *regs, unsigned vector, unsigned error_code);
void deliver_failsafe(void);
void process_softirqs(void);

/* fpu.c */
void fpu_init_cpu(void);
int fpu_vcpu_init(struct vcpu *v);
void fpu_vcpu_destroy(struct vcpu *v);
void fpu_save(struct vcpu *v);
void fpu_restore(struct vcpu *v);

/* switch.c: CR4 as this vCPU needs it */
void cpu_select_cr4(struct vcpu *v);

/* Whether the CPU has something more urgent than the current vCPU's hypercall. Interrupts are off in all our code but
 * here: what waits comes in now, and says so by a softirq. So callers hold no lock that a handler takes, which are those
 * of event channels, the scheduler, timers and interrupt lines. */
IN_PLACE bool preemption_wanted(struct vcpu *v)
{
    let_interrupts_in();
    return (this_cpu()->softirq_pending & ~(1U << SOFTIRQ_TRACE)) || (vcpu_upcall_pending(v) && !vcpu_upcall_mask(v));
}

/* smp.c */
void smp_boot(void);
void smp_serve_requests(void);
void smp_flush_request(u32 mask, unsigned long va, bool one);
void idle_loop(void) NORETURN;

/* Jumps to the fixup of a faulting instruction of ours: true when there is one. */
bool fixup_fault(struct cpu_regs *regs);

#endif
