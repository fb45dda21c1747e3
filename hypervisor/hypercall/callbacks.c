/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Where and how a guest kernel wants to be entered: trap table, callbacks, kernel stack, segment bases. A 64-bit kernel
 * is always entered with the flat selector; a 32-bit one names its own, whose privilege is raised to ring 1 at least.
 */
#include "domain.h"
#include "guest_access.h"
#include "hypercall_prototypes.h"
#include "cpu/cpu.h"
#include "abi/callback.h"

static bool canonical(u64 address)
{
    return (u64)((s64)(address << 16) >> 16) == address;
}

/* Neither null nor of ring 0. */
static u16 fixup_selector(struct vcpu *v, u16 selector)
{
    if (!v->is_32bit)
        return selector;
    return (selector & 3) ? selector : selector | 1;
}

static bool entry_ok(struct vcpu *v, u64 address)
{
    return v->is_32bit || canonical(address);
}

static int store_trap(struct vcpu *v, const struct trap_info *t)
{
    if (!entry_ok(v, t->address))
        return -EINVAL;
    v->traps[t->vector] = (struct compact_trap){
        .address = t->address,
        .cs = fixup_selector(v, t->cs),
        .flags = t->flags,
    };
    return 0;
}

#define TRAP_LAYOUT "bbhl"

long do_set_trap_table(unsigned long table)
{
    struct vcpu *v = current;
    size_t stride = guest_struct_size(TRAP_LAYOUT);
    struct trap_info t;
    int error;

    if (table == 0) {
        memset(v->traps, 0, 256 * sizeof(v->traps[0]));
        return 0;
    }
    for (;;) {
        if (read_guest_struct(&t, table, TRAP_LAYOUT))
            return -EFAULT;
        if (t.address == 0)
            return 0;
        error = store_trap(v, &t);
        if (error)
            return error;
        table += stride;
        if (hypercall_preempt_check()) /* after one entry: who is sent events without end gets on nevertheless */
            return hypercall_continue(__HYPERVISOR_set_trap_table, 1, table);
    }
}

long do_set_trap_table_pv32(unsigned long table)
{
    return do_set_trap_table(table);
}

static long register_callback(struct vcpu *v, unsigned type, unsigned flags, u16 cs, u64 address)
{
    struct guest_entry entry = {
        .address = address,
        .cs = v->is_32bit ? fixup_selector(v, cs) : GUEST64_CS,
        .mask_events = (flags & CALLBACKF_mask_events) != 0,
    };

    if (!entry_ok(v, address))
        return -EINVAL;
    switch (type) {
    case CALLBACKTYPE_event:
        v->event_callback = entry;
        break;
    case CALLBACKTYPE_failsafe:
        v->failsafe_callback = entry;
        break;
    case CALLBACKTYPE_syscall:
        if (v->is_32bit)
            return -ENOSYS;
        v->syscall_callback = entry;
        break;
    case CALLBACKTYPE_syscall32:
        v->syscall32_callback = entry;
        break;
    case CALLBACKTYPE_sysenter:
        v->sysenter_callback = entry;
        break;
    case CALLBACKTYPE_nmi:
        v->traps[TRAP_NMI] = (struct compact_trap){.address = address, .cs = entry.cs, .flags = 4};
        break;
    default:
        return -ENOSYS;
    }
    return 0;
}

static long unregister_callback(struct vcpu *v, unsigned type)
{
    switch (type) {
    case CALLBACKTYPE_event:
    case CALLBACKTYPE_failsafe:
    case CALLBACKTYPE_syscall:
    case CALLBACKTYPE_sysenter:
        return -EINVAL;
    case CALLBACKTYPE_nmi:
        v->traps[TRAP_NMI].address = 0;
        return 0;
    default:
        return -ENOSYS;
    }
}

long do_callback_op(unsigned long cmd, unsigned long arg)
{
    struct callback_register reg;
    struct callback_unregister unreg;

    switch ((u32)cmd) {
    case CALLBACKOP_register:
        if (copy_from_guest(&reg, arg, sizeof(reg)))
            return -EFAULT;
        return register_callback(current, reg.type, reg.flags, 0, reg.address);
    case CALLBACKOP_unregister:
        if (copy_from_guest(&unreg, arg, sizeof(unreg)))
            return -EFAULT;
        return unregister_callback(current, unreg.type);
    default:
        return -ENOSYS;
    }
}

long do_callback_op_pv32(unsigned long cmd, unsigned long arg)
{
    struct {
        u16 type, flags;
        u32 cs, eip;
    } reg;

    if (cmd > CALLBACKOP_unregister)
        return -EINVAL; /* not -ENOSYS: so Xen tells 32-bit kernels */
    if (cmd != CALLBACKOP_register)
        return do_callback_op(cmd, arg);
    if (copy_from_guest(&reg, arg, sizeof(reg)))
        return -EFAULT;
    return register_callback(current, reg.type, reg.flags, (u16)reg.cs, reg.eip);
}

long do_set_callbacks(unsigned long event, unsigned long failsafe, unsigned long syscall)
{
    struct vcpu *v = current;

    /* One that is no address is left as it was, and the caller not told. */
    register_callback(v, CALLBACKTYPE_event, 0, 0, event);
    register_callback(v, CALLBACKTYPE_failsafe, v->failsafe_callback.mask_events ? CALLBACKF_mask_events : 0, 0,
                      failsafe);
    register_callback(v, CALLBACKTYPE_syscall, v->syscall_callback.mask_events ? CALLBACKF_mask_events : 0, 0, syscall);
    return 0;
}

long do_set_callbacks_pv32(unsigned long event_cs, unsigned long event, unsigned long failsafe_cs,
                           unsigned long failsafe)
{
    struct vcpu *v = current;

    register_callback(v, CALLBACKTYPE_event, 0, (u16)event_cs, event);
    register_callback(v, CALLBACKTYPE_failsafe, 0, (u16)failsafe_cs, failsafe);
    return 0;
}

long do_stack_switch(unsigned long ss, unsigned long sp)
{
    struct vcpu *v = current;

    v->kernel_ss = v->is_32bit ? fixup_selector(v, (u16)ss) : (u16)(ss | 3);
    v->kernel_sp = sp;
    return 0;
}

/* The user's GS selector: loaded so that the base it carries lands in the inactive one. A bad one loads as null. */
static void load_user_gs(u16 selector)
{
    __asm__ volatile("swapgs\n"
                     "1: mov %w0, %%gs\n"
                     "2: swapgs\n"
                     ".pushsection .text.fixup, \"ax\"\n"
                     "3: xor %0, %0; mov %0, %%gs; jmp 2b\n"
                     ".popsection\n"
                     ".pushsection .ex_table, \"a\"\n.long 1b - ., 3b - .\n.popsection"
                     :
                     : "r"((u32)selector)
                     : "memory");
}

long do_set_segment_base(unsigned long number, unsigned long base)
{
    struct vcpu *v = current;
    u32 which = (u32)number;

    if (v->is_32bit)
        return -ENOSYS;
    if (which != SEGBASE_GS_USER_SEL && !canonical(base))
        return -EINVAL;
    switch (which) {
    case SEGBASE_FS:
        wrmsr(MSR_FS_BASE, base);
        v->fs_base = base;
        return 0;
    case SEGBASE_GS_USER:
        wrmsr(MSR_KERNEL_GS_BASE, base);
        v->gs_base_user = base;
        return 0;
    case SEGBASE_GS_KERNEL:
        wrmsr(MSR_GS_BASE, base);
        v->gs_base_kernel = base;
        return 0;
    case SEGBASE_GS_USER_SEL:
        load_user_gs((u16)base);
        return 0;
    default:
        return -EINVAL;
    }
}
