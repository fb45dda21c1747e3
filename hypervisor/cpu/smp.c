/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The other CPUs: starting them, and TLB shootdown. A shootdown is a ticket: the asker raises the target's request
 * counter, interrupts it and waits until the target has served that ticket. Whoever waits, for a lock or for a ticket,
 * serves its own requests meanwhile, so two CPUs can never wait for each other.
 */
#include "cpu/cpu.h"
#include "cpu/features.h"
#include "emulate.h"
#include "boot/boot.h"
#include "boot/cmdline.h"
#include "dev/acpi.h"
#include "dev/apic.h"
#include "trace.h"

#define AP_TIMEOUT_NS 5000000000UL

extern const char ap_trampoline[], ap_trampoline_end[];
extern u64 ap_root;
extern void *ap_stack;
void ap_main(void);

unsigned cpu_count = 1;
static volatile bool ap_online;

void smp_serve_requests(void)
{
    struct percpu *p = this_cpu();
    u32 wanted = __atomic_load_n(&p->flush_request, __ATOMIC_SEQ_CST);

    if (wanted == p->flush_done)
        return;
    flush_tlb_local();
    trace_sync();
    __atomic_store_n(&p->flush_done, wanted, __ATOMIC_SEQ_CST);
}

/* A remote flush of one address is done as a whole one: shootdowns are rare enough. */
void smp_flush_request(u32 mask, unsigned long va, bool one)
{
    u32 tickets[MAX_CPUS];
    unsigned cpu, self = this_cpu()->cpu;

    mask &= ~(1U << self) & ((1U << cpu_count) - 1);
    for (cpu = 0; cpu < cpu_count; cpu++) {
        if (!(mask >> cpu & 1))
            continue;
        tickets[cpu] = __atomic_add_fetch(&percpu_of(cpu)->flush_request, 1, __ATOMIC_SEQ_CST);
        apic_send_ipi(percpu_of(cpu)->apic_id, VECTOR_IPI_CALL);
    }
    for (cpu = 0; cpu < cpu_count; cpu++) {
        if (!(mask >> cpu & 1))
            continue;
        while ((s32)(__atomic_load_n(&percpu_of(cpu)->flush_done, __ATOMIC_SEQ_CST) - tickets[cpu]) < 0) {
            smp_serve_requests();
            __asm__ volatile("pause");
        }
    }
}

/* Runs on the new CPU, on its own stack and the final page tables. */
void ap_main(void)
{
    unsigned cpu = cpu_count;

    features_init_cpu();
    cpu_tables_init(cpu);
    fpu_init_cpu();
    apic_init_cpu();
    sched_init_cpu(cpu);
    ap_online = true;
    reset_stack_and_call(idle_loop);
}

/* Whoever takes ap_stack first has it: the new CPU, which is waited for from then on, or we, who give it up. */
static bool start_cpu(u32 apic_id)
{
    unsigned cpu = cpu_count;
    struct percpu *p = percpu_of(cpu);
    ns_t deadline;

    if (mm_map_cpu_area(cpu))
        return false;
    memset(p, 0, sizeof(*p));
    p->cpu = cpu;
    p->apic_id = apic_id;
    p->gdt_is_64 = 1;
    p->cr4 = cpu_features.cr4;
    p->vcpu = p->idle = idle_vcpu_create(cpu);
    if (!p->idle)
        return false;
    ap_stack = p;
    ap_root = read_cr3();
    ap_online = false;
    apic_start_cpu(apic_id, AP_TRAMPOLINE);
    deadline = time_now() + AP_TIMEOUT_NS;
    while (!ap_online) {
        if (time_now() > deadline && __atomic_exchange_n(&ap_stack, NULL, __ATOMIC_SEQ_CST)) {
            logf(LOG_ERROR, "CPU with APIC id %u does not start; going on without it\n", apic_id);
            return false;
        }
        __asm__ volatile("pause");
    }
    cpu_count = cpu + 1;
    return true;
}

/* After one that was given up no other is started: the late one would take that one's stack. */
void smp_boot(void)
{
    u32 self = this_cpu()->apic_id;

    if (acpi.cpu_count < 2)
        return;
    memcpy(maddr_to_virt(AP_TRAMPOLINE), ap_trampoline, (size_t)(ap_trampoline_end - ap_trampoline));
    for (unsigned i = 0; i < acpi.cpu_count && cpu_count < MIN(options.max_cpus, (unsigned)MAX_CPUS); i++) {
        if (acpi.apic_ids[i] != self && !start_cpu(acpi.apic_ids[i]))
            break;
    }
    logf(LOG_INFO, "%u CPU%s online\n", cpu_count, cpu_count == 1 ? "" : "s");
}
