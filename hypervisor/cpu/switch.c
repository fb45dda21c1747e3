/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The context switch. Registers of the descheduled vCPU move from the per-CPU frame into its structure; data segments,
 * their bases, debug registers and vector state are read from the CPU only here.
 */
#include "cpu/cpu.h"
#include "guest_access.h"
#include "emulate.h"
#include "dev/apic.h"
#include "dev/console.h"

#define DR7_ACTIVE 0xFF

static u64 segment_base(u32 msr, bool gs)
{
    u64 base;

    if (!(this_cpu()->cr4 & CR4_FSGSBASE))
        return rdmsr(msr);
    if (gs)
        __asm__ volatile("rdgsbase %0" : "=r"(base));
    else
        __asm__ volatile("rdfsbase %0" : "=r"(base));
    return base;
}

static void save_segments(struct vcpu *v)
{
    struct cpu_regs *regs = &v->regs;

    __asm__ volatile("mov %%ds, %0; mov %%es, %1; mov %%fs, %2; mov %%gs, %3"
                     : "=m"(regs->ds), "=m"(regs->es), "=m"(regs->fs), "=m"(regs->gs));
    if (v->is_32bit)
        return;
    v->fs_base = segment_base(MSR_FS_BASE, false);
    if (v->kernel_mode) {
        v->gs_base_kernel = segment_base(MSR_GS_BASE, true);
        v->gs_base_user = rdmsr(MSR_KERNEL_GS_BASE);
    } else {
        v->gs_base_user = segment_base(MSR_GS_BASE, true);
        v->gs_base_kernel = rdmsr(MSR_KERNEL_GS_BASE);
    }
}

/* Loads a selector that may have become invalid: false when it has, and then the register is null. */
#define LOAD_SEGMENT(name, value)                                                                                      \
    ({                                                                                                                 \
        unsigned ok_ = 1;                                                                                              \
        __asm__ volatile("1: mov %w1, %%" #name "\n2:\n"                                                               \
                         ".pushsection .text.fixup, \"ax\"\n"                                                          \
                         "3: xor %0, %0; mov %0, %%" #name "; jmp 2b\n"                                                \
                         ".popsection\n"                                                                               \
                         ".pushsection .ex_table, \"a\"\n.long 1b - ., 3b - .\n.popsection"                            \
                         : "+r"(ok_)                                                                                   \
                         : "r"((u32)(value)));                                                                         \
        ok_ != 0;                                                                                                      \
    })

static bool load_segments(struct vcpu *v)
{
    const struct cpu_regs *regs = &v->regs;
    bool ok = true;

    ok &= LOAD_SEGMENT(ds, regs->ds);
    ok &= LOAD_SEGMENT(es, regs->es);
    ok &= LOAD_SEGMENT(fs, regs->fs);
    ok &= LOAD_SEGMENT(gs, regs->gs);
    if (v->is_32bit)
        return ok;
    if (v->fs_base || !ok || !(regs->fs & 0xFFFC)) /* a null selector need not clear the base */
        wrmsr(MSR_FS_BASE, v->fs_base);
    wrmsr(MSR_GS_BASE, v->kernel_mode ? v->gs_base_kernel : v->gs_base_user);
    wrmsr(MSR_KERNEL_GS_BASE, v->kernel_mode ? v->gs_base_user : v->gs_base_kernel);
    return ok;
}

static void load_debug_registers(struct vcpu *next)
{
    if (next->debugreg[7] & DR7_ACTIVE) {
        __asm__ volatile("mov %0, %%dr0; mov %1, %%dr1; mov %2, %%dr2; mov %3, %%dr3"
                         :
                         : "r"(next->debugreg[0]), "r"(next->debugreg[1]), "r"(next->debugreg[2]),
                           "r"(next->debugreg[3]));
        __asm__ volatile("mov %0, %%dr7" : : "r"(next->debugreg[7]));
    }
}

/* SMEP and SMAP are for 64-bit guests only: a ring-1 kernel counts as supervisor and uses user pages all the time. */
void cpu_select_cr4(struct vcpu *v)
{
    u64 cr4 = cpu_features.cr4 | (v->ctrlreg[4] & (CR4_TSD | CR4_DE | CR4_FSGSBASE));

    if (v->is_32bit)
        cr4 &= ~CR4_SMEP;
    if (this_cpu()->cr4 != cr4) {
        this_cpu()->cr4 = cr4;
        write_cr4(cr4);
    }
}

static void select_gdt(struct vcpu *v)
{
    struct percpu *p = this_cpu();

    if (p->gdt_is_64 == !v->is_32bit)
        return;
    p->gdt_is_64 = !v->is_32bit;
    cpu_gdt_select(v->is_32bit);
}

static void save_state(struct vcpu *v)
{
    memcpy(&v->regs, guest_regs(), offsetof(struct cpu_regs, es));
    save_segments(v);
    fpu_save(v);
    if (v->debugreg[7] & DR7_ACTIVE) /* whoever runs next, or after a time of idleness, has not set these */
        __asm__ volatile("mov %0, %%dr7" : : "r"(0x400UL));
}

/* Before any memory of next's domain is touched its address space is loaded; a vCPU whose selectors no longer load is
 * told by its failsafe callback. */
static void load_state(struct vcpu *prev, struct vcpu *next)
{
    cpu_select_cr4(next);
    select_gdt(next);
    mm_switch_windows(prev, next);
    mm_load_cr3(next);
    memcpy(guest_regs(), &next->regs, sizeof(struct cpu_regs));
    guest_regs()->entry_vector = 0;
    cpu_load_ldt(next);
    load_debug_registers(next);
    fpu_restore(next);
    if (cpu_features.rdtscp)
        wrmsr(MSR_TSC_AUX, next->tsc_aux);
    if (!load_segments(next))
        deliver_failsafe();
}

void context_switch(struct vcpu *prev, struct vcpu *next)
{
    if (!prev->idle)
        save_state(prev);
    this_cpu()->vcpu = next;
    if (next->idle) {
        mm_switch_windows(prev, next);
        mm_load_cr3(next);
        sched_context_saved(prev);
        reset_stack_and_call(idle_loop);
    }
    load_state(prev, next);
    sched_context_saved(prev);
    speculation_switch(next);
    update_runstate_area(next);
    update_vcpu_time(next);
    if (unlikely(next->nmi_pending))
        raise_softirq(this_cpu()->cpu, SOFTIRQ_NMI_CALLBACK); /* the way out looks at it only then */
    reset_stack_to_guest();
}

void toggle_guest_mode(struct vcpu *v)
{
    v->kernel_mode = !v->kernel_mode;
    __asm__ volatile("swapgs");
    mm_toggle_cr3(v);
}

void process_softirqs(void)
{
    struct percpu *p = this_cpu();
    u32 pending;

    while ((pending = __atomic_exchange_n(&p->softirq_pending, 0, __ATOMIC_SEQ_CST))) {
        if (pending & 1U << SOFTIRQ_TIMER)
            timer_softirq();
        if (pending & 1U << SOFTIRQ_CONSOLE)
            console_softirq();
        if (pending & 1U << SOFTIRQ_INPUT)
            console_poll_input();
        if (pending & 1U << SOFTIRQ_SCHEDULE)
            schedule();
    }
}

void idle_loop(void)
{
    for (;;) {
        __asm__ volatile("cli");
        if (this_cpu()->softirq_pending)
            process_softirqs();
        else if (mm_idle_work())
            __asm__ volatile("sti; nop; nop");
        else
            __asm__ volatile("sti; hlt");
    }
}

void raise_softirq(unsigned cpu, enum softirq which)
{
    struct percpu *p = percpu_of(cpu);
    u32 bit = 1U << which;

    if (!(__atomic_fetch_or(&p->softirq_pending, bit, __ATOMIC_SEQ_CST) & bit) && cpu != this_cpu()->cpu)
        apic_send_ipi(p->apic_id, VECTOR_IPI_RESCHEDULE);
}
