/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Descriptor tables of a CPU. GDTR always covers the CPU's window: the current guest's frames, then our page with the
 * flat selectors that its width expects, our own segments and the TSS. So no context switch reloads GDTR.
 */
#include "cpu/cpu.h"
#include "emulate.h"
#include "guest_access.h"
#include "trace.h"

struct idt_gate {
    u16 offset_low, selector;
    u8 ist, type;
    u16 offset_middle;
    u32 offset_high, reserved;
};

struct table_pointer {
    u16 limit;
    u64 base;
} __attribute__((packed));

static struct idt_gate idt[256] __attribute__((aligned(4096)));
static u64 *gdt_page[MAX_CPUS];

#define GATE_INTERRUPT 0x8E
#define GATE_DPL(ring) ((ring) << 5)
#define FIRST_OWN      0xE000
#define WINDOW_LIMIT   0xEFFF

/* Slots 1 to 7 of our page, by the current guest's width. Slots 1 and 2 are the hypervisor's own in both. */
static const u64 flat_64[8] = {
    0, 0x00AF9B000000FFFF, 0x00CF93000000FFFF, 0, 0x00CFFB000000FFFF, 0x00CFF3000000FFFF, 0x00AFFB000000FFFF, 0,
};
static const u64 flat_32[8] = {
    0,
    0x00AF9B000000FFFF,
    0x00CF93000000FFFF,
    0x00CFBB000000FFFF,
    0x00CFB3000000FFFF,
    0x00CFFB000000FFFF,
    0x00CFF3000000FFFF,
    0,
};

void cpu_gdt_select(bool is_32bit)
{
    u64 *page = gdt_page[this_cpu()->cpu];
    const u64 *flat = is_32bit ? flat_32 : flat_64;

    for (unsigned i = 3; i < 7; i++)
        page[i] = flat[i];
}

static void set_gate(unsigned vector, const void *handler, unsigned ist, unsigned dpl)
{
    u64 address = (u64)handler;

    idt[vector] = (struct idt_gate){
        .offset_low = (u16)address,
        .selector = HV_CS,
        .ist = (u8)ist,
        .type = (u8)(GATE_INTERRUPT | GATE_DPL(dpl)),
        .offset_middle = (u16)(address >> 16),
        .offset_high = (u32)(address >> 32),
    };
}

static const char *stub_of(unsigned vector)
{
    if (vector < 0x20)
        return trap_stubs + vector * 16;
    if (vector < 0x60)
        return device_stubs + (vector - 0x20) * 8;
    return vector >= 0xF8 ? high_stubs + (vector - 0xF8) * 16 : stray_stub;
}

static void fill_idt(void)
{
    for (unsigned vector = 0; vector < 256; vector++)
        set_gate(vector, stub_of(vector), 0, 0);
    set_gate(TRAP_NMI, nmi_entry, 1, 0);
    set_gate(TRAP_DF, double_fault_entry, 2, 0);
    set_gate(TRAP_MC, machine_check_entry, 3, 0);
    set_gate(TRAP_DB, debug_entry, 4, 0);
    set_gate(TRAP_BP, trap_stubs + TRAP_BP * 16, 0, 3);
    set_gate(TRAP_OF, trap_stubs + TRAP_OF * 16, 0, 3);
    set_gate(0x80, int80_stub, 0, 3);
    set_gate(HYPERCALL_VECTOR, hypercall_entry32, 0, 1);
}

/* The gates that tracing takes: the exceptions but those that may come in the midst of a record, and the two calls. */
const u8 traced_vectors[TRACED_GATES] = {0,  1,  3,  4,  5,  6,  7,  10,   11,
                                         12, 13, 14, 16, 17, 19, 21, 0x80, HYPERCALL_VECTOR};
static u16 plain_low[TRACED_GATES];

/* A store of 16 bits, which no CPU sees torn, tells a plain stub from a tracing one: all lie in the same 64 KiB. */
void cpu_set_gates(bool traced)
{
    for (unsigned i = 0; i < TRACED_GATES; i++) {
        u16 *low = &idt[traced_vectors[i]].offset_low, stub = (u16)(u64)(traced_stubs + i * 4);

        if ((*low == stub) == traced)
            continue;
        if (traced)
            plain_low[i] = *low;
        WRITE_ONCE(*low, traced ? stub : plain_low[i]);
    }
}

const void *cpu_plain_gate(unsigned i)
{
    return (const void *)(((u64)traced_stubs & ~0xFFFFUL) | plain_low[i]);
}

void cpu_set_syscall(bool traced)
{
    unsigned cpu = this_cpu()->cpu;

    wrmsr(MSR_LSTAR, (u64)(traced ? traced_pads + cpu * 25UL : syscall_pads + cpu * (unsigned long)PADS_SIZE));
}

static void fill_gdt(unsigned cpu, struct percpu *p)
{
    u64 tss = (u64)&p->tss;

    for (unsigned i = 0; i < 8; i++)
        gdt_page[cpu][i] = flat_64[i];
    gdt_page[cpu][8] =
        0x0000890000000000 | (sizeof(struct tss) - 1) | (tss & 0xFFFFFF) << 16 | (tss >> 24 & 0xFF) << 56;
    gdt_page[cpu][9] = tss >> 32;
}

static void fill_tss(unsigned cpu, struct percpu *p)
{
    u64 stack = STACKS_START + cpu * (u64)STACK_ORDER_SIZE;

    p->tss = (struct tss){0};
    p->tss.rsp[0] = (u64)&p->regs.es;
    p->tss.ist[0] = stack + (STACK_IST_NMI + 1) * PAGE_SIZE;
    p->tss.ist[1] = stack + (STACK_IST_DF + 1) * PAGE_SIZE;
    p->tss.ist[2] = stack + (STACK_IST_MC + 1) * PAGE_SIZE;
    p->tss.ist[3] = stack + (STACK_IST_MC + 1) * PAGE_SIZE - PAGE_SIZE / 2; /* the lower half of the same page */
    p->tss.iomap_base = sizeof(struct tss);
}

static void fill_msrs(unsigned cpu)
{
    const char *pads = syscall_pads + cpu * (unsigned long)PADS_SIZE;

    wrmsr(MSR_STAR, (u64)((GUEST64_CS - 16) << 16 | HV_CS) << 32);
    wrmsr(MSR_LSTAR, (u64)pads);
    wrmsr(MSR_CSTAR, (u64)(pads + PAD_CSTAR));
    wrmsr(MSR_SYSCALL_MASK, X86_EFLAGS_IF | X86_EFLAGS_TF | X86_EFLAGS_DF | X86_EFLAGS_NT | X86_EFLAGS_AC |
                                X86_EFLAGS_IOPL | X86_EFLAGS_RF | X86_EFLAGS_VM);
    /* AMD's have SYSENTER in legacy mode only. A null code selector makes it fault where an emulator thinks so less. */
    wrmsr(MSR_SYSENTER_CS, cpu_features.amd ? 0 : HV_CS);
    wrmsr(MSR_SYSENTER_ESP, (u64)&percpu_of(cpu)->regs.error_code);
    wrmsr(MSR_SYSENTER_EIP, (u64)(pads + PAD_SYSENTER));
    wrmsr(MSR_PAT, PAT_VALUE);
}

void cpu_tables_init(unsigned cpu)
{
    struct percpu *p = percpu_of(cpu);
    unsigned long window = WINDOWS_START + cpu * (unsigned long)WINDOW_SIZE;
    struct table_pointer gdtr = {WINDOW_LIMIT, window}, idtr = {sizeof(idt) - 1, (u64)idt};

    if (cpu == 0)
        fill_idt();
    gdt_page[cpu] = (u64 *)(window + FIRST_OWN);
    fill_gdt(cpu, p);
    fill_tss(cpu, p);
    __asm__ volatile("lgdt %0; lidt %1" : : "m"(gdtr), "m"(idtr));
    __asm__ volatile("pushq %0; lea 1f(%%rip), %%rax; push %%rax; lretq; 1:" : : "i"(HV_CS) : "rax", "memory");
    __asm__ volatile("mov %0, %%ss; mov %1, %%ds; mov %1, %%es; mov %1, %%fs; mov %1, %%gs" : : "r"(HV_SS), "r"(0));
    __asm__ volatile("ltr %w0; lldt %w1" : : "r"(HV_TSS), "r"(0));
    fill_msrs(cpu);
}

/* The LDT descriptor spans the window's LDT half; an empty one is the null selector. */
void cpu_load_ldt(struct vcpu *v)
{
    u64 *page = gdt_page[this_cpu()->cpu];
    u64 base = WINDOWS_START + this_cpu()->cpu * (u64)WINDOW_SIZE + WINDOW_LDT;
    u64 limit = v->ldt_entries * 8UL - 1;

    if (v->ldt_entries == 0) {
        __asm__ volatile("lldt %w0" : : "r"(0));
        return;
    }
    page[10] = 0x0000820000000000 | (limit & 0xFFFF) | (limit >> 16 & 0xF) << 48 | (base & 0xFFFFFF) << 16 |
               (base >> 24 & 0xFF) << 56;
    page[11] = base >> 32;
    __asm__ volatile("lldt %w0" : : "r"(HV_LDT));
}

bool guest_segment_base(struct vcpu *v, u16 selector, unsigned long *base)
{
    unsigned long window = WINDOWS_START + this_cpu()->cpu * (unsigned long)WINDOW_SIZE;
    unsigned long offset = selector & 0xFFF8;
    u64 descriptor;

    *base = 0;
    if (selector == GUEST32_SS || selector == GUEST32_USER_SS)
        return true;
    if (selector & 4) {
        if (offset / 8 >= v->ldt_entries)
            return false;
        offset += WINDOW_LDT;
    } else if (offset > WINDOW_LIMIT) {
        return false;
    }
    if (copy_safe(&descriptor, (const void *)(window + offset), sizeof(descriptor)))
        return false;
    if ((descriptor >> 44 & 1) == 0 || (descriptor >> 47 & 1) == 0) /* system segment, or not present */
        return false;
    *base = (descriptor >> 16 & 0xFFFFFF) | (descriptor >> 56) << 24;
    return true;
}
