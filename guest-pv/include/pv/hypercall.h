/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Hypercalls. pv_hypercallN issues the bare instruction (syscall in ring 3, int $0x82 in ring 1) and returns what the
 * hypervisor returned, in its own error numbers; every register that carries an argument is lost across the call.
 * The typed wrappers have the standard names. A test kernel may look at every call by defining PV_HYPERCALL_WATCH.
 */
#ifndef PV_HYPERCALL_H
#define PV_HYPERCALL_H

#include <stdint.h>
#include <abi/xen.h>
#include <abi/vcpu.h>
#include <abi/sched.h>
#include <abi/memory.h>
#include <abi/event_channel.h>
#include <abi/grant_table.h>
#include <abi/callback.h>
#include <abi/version.h>
#include <abi/physdev.h>

#ifdef __x86_64__
#define PV_HYPERCALL_INSTRUCTION "syscall"
#define PV_HYPERCALL_CLOBBERS    "rcx", "r11", "memory"
#define PV_ARG1                  "rdi"
#define PV_ARG2                  "rsi"
#define PV_ARG3                  "rdx"
#define PV_ARG4                  "r10"
#define PV_ARG5                  "r8"
#else
#define PV_HYPERCALL_INSTRUCTION "int $0x82"
#define PV_HYPERCALL_CLOBBERS    "memory"
#define PV_ARG1                  "ebx"
#define PV_ARG2                  "ecx"
#define PV_ARG3                  "edx"
#define PV_ARG4                  "esi"
#define PV_ARG5                  "edi"
#endif

#ifndef PV_HYPERCALL_WATCH
#define PV_HYPERCALL_WATCH(number, first, result) (result)
#endif

static inline long pv_hypercall0(unsigned long number)
{
    long result = (long)number;

    __asm__ volatile(PV_HYPERCALL_INSTRUCTION : "+a"(result) : : PV_HYPERCALL_CLOBBERS);
    return PV_HYPERCALL_WATCH(number, 0, result);
}

static inline long pv_hypercall1(unsigned long number, unsigned long a1)
{
    long result = (long)number;
    register unsigned long r1 __asm__(PV_ARG1) = a1;

    __asm__ volatile(PV_HYPERCALL_INSTRUCTION : "+a"(result), "+r"(r1) : : PV_HYPERCALL_CLOBBERS);
    return PV_HYPERCALL_WATCH(number, a1, result);
}

static inline long pv_hypercall2(unsigned long number, unsigned long a1, unsigned long a2)
{
    long result = (long)number;
    register unsigned long r1 __asm__(PV_ARG1) = a1;
    register unsigned long r2 __asm__(PV_ARG2) = a2;

    __asm__ volatile(PV_HYPERCALL_INSTRUCTION : "+a"(result), "+r"(r1), "+r"(r2) : : PV_HYPERCALL_CLOBBERS);
    return PV_HYPERCALL_WATCH(number, a1, result);
}

static inline long pv_hypercall3(unsigned long number, unsigned long a1, unsigned long a2, unsigned long a3)
{
    long result = (long)number;
    register unsigned long r1 __asm__(PV_ARG1) = a1;
    register unsigned long r2 __asm__(PV_ARG2) = a2;
    register unsigned long r3 __asm__(PV_ARG3) = a3;

    __asm__ volatile(PV_HYPERCALL_INSTRUCTION : "+a"(result), "+r"(r1), "+r"(r2), "+r"(r3) : : PV_HYPERCALL_CLOBBERS);
    return PV_HYPERCALL_WATCH(number, a1, result);
}

static inline long pv_hypercall4(unsigned long number, unsigned long a1, unsigned long a2, unsigned long a3,
                                 unsigned long a4)
{
    long result = (long)number;
    register unsigned long r1 __asm__(PV_ARG1) = a1;
    register unsigned long r2 __asm__(PV_ARG2) = a2;
    register unsigned long r3 __asm__(PV_ARG3) = a3;
    register unsigned long r4 __asm__(PV_ARG4) = a4;

    __asm__ volatile(PV_HYPERCALL_INSTRUCTION
                     : "+a"(result), "+r"(r1), "+r"(r2), "+r"(r3), "+r"(r4)
                     :
                     : PV_HYPERCALL_CLOBBERS);
    return PV_HYPERCALL_WATCH(number, a1, result);
}

static inline long pv_hypercall5(unsigned long number, unsigned long a1, unsigned long a2, unsigned long a3,
                                 unsigned long a4, unsigned long a5)
{
    long result = (long)number;
    register unsigned long r1 __asm__(PV_ARG1) = a1;
    register unsigned long r2 __asm__(PV_ARG2) = a2;
    register unsigned long r3 __asm__(PV_ARG3) = a3;
    register unsigned long r4 __asm__(PV_ARG4) = a4;
    register unsigned long r5 __asm__(PV_ARG5) = a5;

    __asm__ volatile(PV_HYPERCALL_INSTRUCTION
                     : "+a"(result), "+r"(r1), "+r"(r2), "+r"(r3), "+r"(r4), "+r"(r5)
                     :
                     : PV_HYPERCALL_CLOBBERS);
    return PV_HYPERCALL_WATCH(number, a1, result);
}

static inline long HYPERVISOR_set_trap_table(const struct trap_info *table)
{
    return pv_hypercall1(__HYPERVISOR_set_trap_table, (unsigned long)table);
}

static inline long HYPERVISOR_mmu_update(const struct mmu_update *requests, unsigned int count, unsigned int *done,
                                         unsigned int domid)
{
    return pv_hypercall4(__HYPERVISOR_mmu_update, (unsigned long)requests, count, (unsigned long)done, domid);
}

static inline long HYPERVISOR_mmuext_op(const struct mmuext_op *ops, unsigned int count, unsigned int *done,
                                        unsigned int domid)
{
    return pv_hypercall4(__HYPERVISOR_mmuext_op, (unsigned long)ops, count, (unsigned long)done, domid);
}

static inline long HYPERVISOR_set_gdt(const unsigned long *frames, unsigned int entries)
{
    return pv_hypercall2(__HYPERVISOR_set_gdt, (unsigned long)frames, entries);
}

static inline long HYPERVISOR_stack_switch(unsigned long ss, unsigned long sp)
{
    return pv_hypercall2(__HYPERVISOR_stack_switch, ss, sp);
}

static inline long HYPERVISOR_fpu_taskswitch(int set)
{
    return pv_hypercall1(__HYPERVISOR_fpu_taskswitch, (unsigned long)set);
}

static inline long HYPERVISOR_set_debugreg(unsigned int reg, unsigned long value)
{
    return pv_hypercall2(__HYPERVISOR_set_debugreg, reg, value);
}

static inline long HYPERVISOR_get_debugreg(unsigned int reg)
{
    return pv_hypercall1(__HYPERVISOR_get_debugreg, reg);
}

static inline long HYPERVISOR_memory_op(unsigned int command, void *argument)
{
    return pv_hypercall2(__HYPERVISOR_memory_op, command, (unsigned long)argument);
}

static inline long HYPERVISOR_multicall(struct multicall_entry *calls, unsigned int count)
{
    return pv_hypercall2(__HYPERVISOR_multicall, (unsigned long)calls, count);
}

static inline long HYPERVISOR_xen_version(int command, void *argument)
{
    return pv_hypercall2(__HYPERVISOR_xen_version, (unsigned long)command, (unsigned long)argument);
}

static inline long HYPERVISOR_console_io(int command, unsigned int count, char *text)
{
    return pv_hypercall3(__HYPERVISOR_console_io, (unsigned long)command, count, (unsigned long)text);
}

static inline long HYPERVISOR_grant_table_op(unsigned int command, void *ops, unsigned int count)
{
    return pv_hypercall3(__HYPERVISOR_grant_table_op, command, (unsigned long)ops, count);
}

static inline long HYPERVISOR_vm_assist(unsigned int command, unsigned int type)
{
    return pv_hypercall2(__HYPERVISOR_vm_assist, command, type);
}

static inline long HYPERVISOR_vcpu_op(unsigned int command, unsigned int vcpu, void *argument)
{
    return pv_hypercall3(__HYPERVISOR_vcpu_op, command, vcpu, (unsigned long)argument);
}

static inline long HYPERVISOR_sched_op(unsigned int command, void *argument)
{
    return pv_hypercall2(__HYPERVISOR_sched_op, command, (unsigned long)argument);
}

/* Returns after the domain was restored (0) or its suspension cancelled (1). Tools look for the frame in edx. */
static inline long HYPERVISOR_suspend(unsigned long start_info_mfn)
{
    struct sched_shutdown shutdown = {.reason = SHUTDOWN_suspend};

    return pv_hypercall3(__HYPERVISOR_sched_op, SCHEDOP_shutdown, (unsigned long)&shutdown, start_info_mfn);
}

static inline long HYPERVISOR_callback_op(unsigned int command, const void *argument)
{
    return pv_hypercall2(__HYPERVISOR_callback_op, command, (unsigned long)argument);
}

static inline long HYPERVISOR_event_channel_op(unsigned int command, void *argument)
{
    return pv_hypercall2(__HYPERVISOR_event_channel_op, command, (unsigned long)argument);
}

static inline long HYPERVISOR_physdev_op(unsigned int command, void *argument)
{
    return pv_hypercall2(__HYPERVISOR_physdev_op, command, (unsigned long)argument);
}

/* 64-bit numbers travel as one argument in ring 3, as two (low half first) in ring 1. */
#ifdef __x86_64__
static inline long HYPERVISOR_update_va_mapping(unsigned long va, uint64_t pte, unsigned long flags)
{
    return pv_hypercall3(__HYPERVISOR_update_va_mapping, va, pte, flags);
}

static inline long HYPERVISOR_update_va_mapping_otherdomain(unsigned long va, uint64_t pte, unsigned long flags,
                                                            unsigned int domid)
{
    return pv_hypercall4(__HYPERVISOR_update_va_mapping_otherdomain, va, pte, flags, domid);
}

static inline long HYPERVISOR_update_descriptor(uint64_t maddr, uint64_t descriptor)
{
    return pv_hypercall2(__HYPERVISOR_update_descriptor, maddr, descriptor);
}

static inline long HYPERVISOR_set_timer_op(uint64_t deadline)
{
    return pv_hypercall1(__HYPERVISOR_set_timer_op, deadline);
}

static inline long HYPERVISOR_set_segment_base(unsigned int which, unsigned long base)
{
    return pv_hypercall2(__HYPERVISOR_set_segment_base, which, base);
}
#else
static inline long HYPERVISOR_update_va_mapping(unsigned long va, uint64_t pte, unsigned long flags)
{
    return pv_hypercall4(__HYPERVISOR_update_va_mapping, va, (unsigned long)pte, (unsigned long)(pte >> 32), flags);
}

static inline long HYPERVISOR_update_va_mapping_otherdomain(unsigned long va, uint64_t pte, unsigned long flags,
                                                            unsigned int domid)
{
    return pv_hypercall5(__HYPERVISOR_update_va_mapping_otherdomain, va, (unsigned long)pte, (unsigned long)(pte >> 32),
                         flags, domid);
}

static inline long HYPERVISOR_update_descriptor(uint64_t maddr, uint64_t descriptor)
{
    return pv_hypercall4(__HYPERVISOR_update_descriptor, (unsigned long)maddr, (unsigned long)(maddr >> 32),
                         (unsigned long)descriptor, (unsigned long)(descriptor >> 32));
}

static inline long HYPERVISOR_set_timer_op(uint64_t deadline)
{
    return pv_hypercall2(__HYPERVISOR_set_timer_op, (unsigned long)deadline, (unsigned long)(deadline >> 32));
}
#endif

#endif
