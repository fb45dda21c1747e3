/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Secondary vCPUs. A vCPU knows its number by the stack it runs on: vCPU n has slot n of one aligned area, everything
 * else is vCPU 0.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/smp.h>
#include "internal.h"

#define STACK_SIZE (32UL << 10)

static char *stacks;
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

static void copy_traps(struct trap_info *traps)
{
    unsigned int count = 0;

    for (unsigned int vector = 0; vector < ARRAY_SIZE(trap_entries); vector++) {
        if (vector == 2)
            continue;
        traps[count].vector = (uint8_t)vector;
        traps[count].flags = 4 | (vector == 3 || vector == 4 ? 3 : 0);
        traps[count].cs = FLAT_KERNEL_CS;
        traps[count++].address = trap_entries[vector];
    }
}

/* Each start runs one function; after the next start the hypercall that went down returns and the loop goes on. */
void smp_main(unsigned int cpu)
{
    for (;;) {
        work[cpu].fn(work[cpu].arg);
        HYPERVISOR_vcpu_op(VCPUOP_down, cpu, NULL);
    }
}

static long initialise(unsigned int cpu)
{
    struct vcpu_guest_context *context = calloc(1, sizeof(*context));
    char *top = stack_top(cpu);
    long rc;

    if (top == NULL || context == NULL) {
        free(context);
        return -ENOMEM;
    }
    context->flags = VGCF_IN_KERNEL;
    context->user_regs.cs = FLAT_KERNEL_CS;
    context->user_regs.ss = FLAT_KERNEL_SS;
    context->kernel_ss = FLAT_KERNEL_SS;
    context->kernel_sp = (unsigned long)top - 16;
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
    long rc;

    if (cpu == 0 || cpu >= XEN_LEGACY_MAX_VCPUS)
        return -EINVAL;
    if (smp_is_up(cpu))
        return -EBUSY;
    work[cpu].fn = fn;
    work[cpu].arg = arg;
    shared_info->vcpu_info[cpu].evtchn_upcall_mask = 1;
    rc = initialise(cpu);
    if (rc != 0 && rc != -EEXIST)
        return (int)rc;
    return (int)pv_error(HYPERVISOR_vcpu_op(VCPUOP_up, cpu, NULL));
}
