/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * TLB flushes. A domain's dirty mask names the CPUs whose CR3 is one of its tables: a CPU that leaves the domain's
 * address space flushes by that. `stale_cpus` names CPUs that may hold a translation to a frame that was since freed or
 * lost its last writable mapping: they are flushed before any frame gets a new owner or a conflicting type. A CPU
 * clears its own bit just before it flushes itself, so a mark made meanwhile survives; between the two it runs only the
 * hypervisor, which follows no guest translation there.
 */
#include "internal.h"
#include "boot/boot.h"

u32 stale_cpus;
static struct domain *loaded_domain[MAX_CPUS];

void mark_stale(const struct domain *d)
{
    u32 mask = READ_ONCE(d->mm.dirty_cpus);
    if (mask & ~READ_ONCE(stale_cpus))
        __atomic_or_fetch(&stale_cpus, mask, __ATOMIC_SEQ_CST);
}

void flush_stale(void)
{
    u32 mask = READ_ONCE(stale_cpus);
    if (mask)
        flush_tlb_mask(mask);
}

static void clear_stale(unsigned cpu)
{
    if (READ_ONCE(stale_cpus) & (1U << cpu))
        __atomic_and_fetch(&stale_cpus, ~(1U << cpu), __ATOMIC_SEQ_CST);
}

void flush_tlb_local(void)
{
    unsigned long cr3;
    clear_stale(this_cpu()->cpu);
    __asm__ volatile("mov %%cr3, %0\n\tmov %0, %%cr3" : "=r"(cr3) : : "memory");
}

void flush_tlb_one_local(unsigned long va)
{
    __asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

void flush_tlb_mask(u32 mask)
{
    u32 self = 1U << this_cpu()->cpu;
    if (mask & ~self)
        smp_flush_request(mask & ~self, 0, false);
    if (mask & self)
        flush_tlb_local();
}

void flush_tlb_one_mask(u32 mask, unsigned long va)
{
    u32 self = 1U << this_cpu()->cpu;
    if (mask & ~self)
        smp_flush_request(mask & ~self, va, true);
    if (mask & self)
        flush_tlb_one_local(va);
}

/* What was taken out of tables is out before it is asked who may have seen it. */
u32 domain_dirty_mask(struct domain *d)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return READ_ONCE(d->mm.dirty_cpus);
}

void mm_load_cr3(struct vcpu *v)
{
    unsigned cpu = this_cpu()->cpu;
    struct domain *old = loaded_domain[cpu], *d = v->idle ? NULL : v->domain;
    if (old != d && d)
        __atomic_or_fetch(&d->mm.dirty_cpus, 1U << cpu, __ATOMIC_SEQ_CST);
    clear_stale(cpu);
    u64 cr3 = v->idle ? HV_CR3 : v->mm.cr3;
    this_cpu()->cr3_loaded = cr3;
    __asm__ volatile("mov %0, %%cr3" : : "r"(cr3) : "memory");
    if (old != d) {
        loaded_domain[cpu] = d;
        if (old)
            __atomic_and_fetch(&old->mm.dirty_cpus, ~(1U << cpu), __ATOMIC_SEQ_CST);
    }
}

/* For a 64-bit vCPU that runs here, so that its domain's bit is set already. A stale mark of this CPU would be harmless,
 * but it would cost another CPU an interrupt. */
void mm_toggle_cr3(struct vcpu *v)
{
    struct percpu *p = this_cpu();
    mfn_t table = v->kernel_mode ? v->mm.kernel_table : v->mm.user_table;

    if (unlikely(v->domain->mm.shadow || READ_ONCE(stale_cpus) || table.value == INVALID_FRAME)) {
        vcpu_update_cr3(v);
        mm_load_cr3(v);
        return;
    }
    v->mm.cr3 = p->cr3_loaded = table.value << PAGE_SHIFT;
    __asm__ volatile("mov %0, %%cr3" : : "r"(v->mm.cr3) : "memory");
}
