/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Secondary vCPUs. A vCPU knows its number by the stack it runs on: vCPU n has slot n of one aligned area, everything
 * else is vCPU 0.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <pv/event.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/smp.h>
#include <pv/threads.h>
#include <pv/time.h>
#include "internal.h"

/* Freestanding compilers do not know what is special about it. */
int setjmp(jmp_buf) __attribute__((returns_twice));

#define STACK_SIZE (32UL << 10)

static char *stacks;

#define NAP_NS       2000000ULL
#define EAGER_LOOKS  1000U
#define STOP_POLL_NS 500000ULL

/* vCPU 0 asks; the vCPU parks, and takes the state back to RUNNING when it goes on. */
enum { RUNNING, ASKED, PARKED };
static struct {
    int state;
    jmp_buf where;
    unsigned long sp; /* free below */
} parking[XEN_LEGACY_MAX_VCPUS];

static struct {
    void (*fn)(void *arg);
    void *arg;
} work[XEN_LEGACY_MAX_VCPUS];

unsigned int smp_cpu_id(void)
{
    char *here = __builtin_frame_address(0);

    if (stacks == NULL || here < stacks || here >= stacks + XEN_LEGACY_MAX_VCPUS * STACK_SIZE)
        return 0;
    return (unsigned int)((unsigned long)(here - stacks) / STACK_SIZE);
}

bool smp_is_up(unsigned int cpu)
{
    return HYPERVISOR_vcpu_op(VCPUOP_is_up, cpu, NULL) == 1;
}

unsigned int smp_cpu_count(void)
{
    unsigned int cpu = 0;

    while (cpu < XEN_LEGACY_MAX_VCPUS && HYPERVISOR_vcpu_op(VCPUOP_is_up, cpu, NULL) >= 0)
        cpu++;
    return cpu;
}

/* The stack's pages are allocated at the first start of the vCPU and stay. */
static char *stack_top(unsigned int cpu)
{
    char *bottom;
    char *pages;

    if (stacks == NULL)
        stacks = vspace_alloc(XEN_LEGACY_MAX_VCPUS * STACK_SIZE >> PAGE_SHIFT);
    if (stacks == NULL)
        return NULL;
    bottom = stacks + cpu * STACK_SIZE;
    if (!(pte_read(bottom + STACK_SIZE - PAGE_SIZE) & PTE_P)) {
        /* The lowest page of each slot stays unmapped: the guard. */
        for (unsigned long at = PAGE_SIZE; at < STACK_SIZE; at += PAGE_SIZE) {
            pages = pages_alloc(1);
            if (pages == NULL || pte_write(bottom + at, pte_make(virt_to_mfn(pages), PTE_KERNEL_RW)) != 0)
                return NULL;
        }
    }
    return bottom + STACK_SIZE;
}

#ifdef __x86_64__
static void set_registers(struct vcpu_guest_context *context, unsigned int cpu)
{
    context->user_regs.rip = (unsigned long)smp_entry;
    context->user_regs.rdi = cpu;
    context->event_callback_eip = (unsigned long)upcall_entry;
    context->failsafe_callback_eip = (unsigned long)failsafe_entry;
    context->ctrlreg[3] = virt_to_mfn((void *)(unsigned long)start_info->pt_base) << PAGE_SHIFT;
}
#else
static void set_registers(struct vcpu_guest_context *context, unsigned int cpu)
{
    unsigned long mfn = virt_to_mfn((void *)(unsigned long)start_info->pt_base);

    context->user_regs.eip = (unsigned long)smp_entry;
    context->user_regs.ebx = cpu;
    context->user_regs.ds = context->user_regs.es = FLAT_KERNEL_DS;
    context->event_callback_cs = context->failsafe_callback_cs = FLAT_KERNEL_CS;
    context->event_callback_eip = (unsigned long)upcall_entry;
    context->failsafe_callback_eip = (unsigned long)failsafe_entry;
    /* Frame numbers above 4 GiB wrap into the low bits of CR3. */
    context->ctrlreg[3] = mfn << PAGE_SHIFT | mfn >> 20;
}
#endif

/* A context's table is looked up by position. */
static void copy_traps(struct trap_info *traps)
{
    for (unsigned int vector = 0; vector < ARRAY_SIZE(trap_entries); vector++) {
        if (vector == 2)
            continue;
        traps[vector].vector = (uint8_t)vector;
        traps[vector].flags = 4 | (vector == 3 || vector == 4 ? 3 : 0);
        traps[vector].cs = FLAT_KERNEL_CS;
        traps[vector].address = trap_entries[vector];
    }
}

static bool change_state(unsigned int cpu, int from, int to)
{
    return __atomic_compare_exchange_n(&parking[cpu].state, &from, to, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/*
 * Goes down with all that is to be kept in memory. When the domain is restored a vCPU that was down is one that never
 * ran: it is initialised again, with a stack pointer below what is in use here, and comes by longjmp.
 */
static __attribute__((noinline)) void park(unsigned int cpu)
{
    volatile bool enabled = irq_save();

    if (setjmp(parking[cpu].where) == 0) {
#ifdef __x86_64__
        __asm__ volatile("mov %%rsp, %0" : "=m"(parking[cpu].sp));
#else
        __asm__ volatile("mov %%esp, %0" : "=m"(parking[cpu].sp));
#endif
        HYPERVISOR_vcpu_op(VCPUOP_down, cpu, NULL);
    }
    __atomic_store_n(&parking[cpu].state, RUNNING, __ATOMIC_SEQ_CST);
    irq_restore(enabled);
}

void smp_safe_point(void)
{
    unsigned int cpu = smp_cpu_id();

    if (__atomic_load_n(&parking[cpu].state, __ATOMIC_ACQUIRE) == ASKED && change_state(cpu, ASKED, PARKED))
        park(cpu);
}

/* A masked vCPU hears no interrupt, so it looks now and then. */
void smp_sleep_ns(uint64_t ns)
{
    uint64_t end = time_monotonic_ns() + ns;

    for (uint64_t now; (now = time_monotonic_ns()) < end;) {
        time_poll_until(end - now > NAP_NS ? now + NAP_NS : end);
        smp_safe_point();
    }
}

/* Each start runs one function; after the next start the hypercall that went down returns and the loop goes on. */
void smp_main(unsigned int cpu)
{
    if (__atomic_load_n(&parking[cpu].state, __ATOMIC_ACQUIRE) == PARKED)
        longjmp(parking[cpu].where, 1);
    for (;;) {
        work[cpu].fn(work[cpu].arg);
        HYPERVISOR_vcpu_op(VCPUOP_down, cpu, NULL);
    }
}

static long initialise(unsigned int cpu, unsigned long sp)
{
    struct vcpu_guest_context *context = calloc(1, sizeof(*context));
    long rc;

    if (context == NULL)
        return -ENOMEM;
    context->flags = VGCF_IN_KERNEL;
    context->user_regs.cs = FLAT_KERNEL_CS;
    context->user_regs.ss = FLAT_KERNEL_SS;
    context->kernel_ss = FLAT_KERNEL_SS;
    context->kernel_sp = (sp & -16UL) - 16;
#ifdef __x86_64__
    context->user_regs.rsp = context->kernel_sp;
#else
    context->user_regs.esp = context->kernel_sp;
#endif
    copy_traps(context->trap_ctxt);
    set_registers(context, cpu);
    rc = pv_error(HYPERVISOR_vcpu_op(VCPUOP_initialise, cpu, context));
    free(context);
    return rc;
}

int smp_start(unsigned int cpu, void (*fn)(void *arg), void *arg)
{
    char *top;
    long rc;

    if (cpu == 0 || cpu >= XEN_LEGACY_MAX_VCPUS)
        return -EINVAL;
    if (smp_is_up(cpu))
        return -EBUSY;
    work[cpu].fn = fn;
    work[cpu].arg = arg;
    shared_info->vcpu_info[cpu].evtchn_upcall_mask = 1;
    top = stack_top(cpu);
    rc = top != NULL ? initialise(cpu, (unsigned long)top) : -ENOMEM;
    if (rc != 0 && rc != -EEXIST)
        return (int)rc;
    return (int)pv_error(HYPERVISOR_vcpu_op(VCPUOP_up, cpu, NULL));
}

/* The interrupt is for vCPUs that take events; the others look at the state themselves. */
static void safe_point_event(evtchn_port_t port, void *data)
{
    smp_safe_point();
}

/* An IPI's port, or a negative errno when the vCPU need not be, or cannot be, sent one. */
static int ask_to_stop(unsigned int cpu)
{
    int port;

    if (!smp_is_up(cpu))
        return -ENOENT;
    __atomic_store_n(&parking[cpu].state, ASKED, __ATOMIC_SEQ_CST);
    port = event_bind_ipi(cpu, safe_point_event, NULL);
    if (port >= 0)
        (void)event_notify((evtchn_port_t)port);
    return port;
}

/* Once it has said that it parks it goes down without delay; one that is down and never said so has ended its work. */
static int wait_stopped(unsigned int cpu, uint64_t deadline_ns)
{
    for (unsigned int look = 0; smp_is_up(cpu); look++) {
        if (time_monotonic_ns() >= deadline_ns && change_state(cpu, ASKED, RUNNING)) {
            pv_printk("suspend: vCPU %u reaches no safe point\n", cpu);
            return -EBUSY;
        }
        if (look < EAGER_LOOKS)
            HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
        else
            thread_sleep_ns(STOP_POLL_NS);
    }
    (void)change_state(cpu, ASKED, RUNNING);
    return 0;
}

int smp_stop_others(uint64_t deadline_ns)
{
    unsigned int cpus = stacks != NULL ? smp_cpu_count() : 1;
    int ports[XEN_LEGACY_MAX_VCPUS], rc = 0;

    for (unsigned int cpu = 1; cpu < cpus; cpu++)
        ports[cpu] = ask_to_stop(cpu);
    for (unsigned int cpu = 1; cpu < cpus; cpu++) {
        int stopped = wait_stopped(cpu, deadline_ns);

        rc = rc != 0 ? rc : stopped;
        if (ports[cpu] >= 0)
            (void)event_close((evtchn_port_t)ports[cpu]);
    }
    return rc;
}

void smp_start_others(bool restored)
{
    unsigned int cpus = stacks != NULL ? smp_cpu_count() : 1;

    for (unsigned int cpu = 1; cpu < cpus; cpu++) {
        long rc = 0;

        if (__atomic_load_n(&parking[cpu].state, __ATOMIC_SEQ_CST) != PARKED)
            continue;
        shared_info->vcpu_info[cpu].evtchn_upcall_mask = 1;
        if (restored)
            rc = initialise(cpu, parking[cpu].sp);
        if (rc == 0 || rc == -EEXIST)
            rc = pv_error(HYPERVISOR_vcpu_op(VCPUOP_up, cpu, NULL));
        if (rc != 0)
            pv_panic("vCPU %u does not come back: %ld\n", cpu, rc);
    }
}
