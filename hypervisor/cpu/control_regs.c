/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A guest kernel's control and debug registers. It sees values that make sense to it; of CR4 it chooses TSD, DE and
 * FSGSBASE, of CR0 only TS, and its breakpoints lie in its own part of the address space.
 */
#include "cpu/cpu.h"
#include "emulate.h"
#include "guest_access.h"
#include "hypercall_prototypes.h"

/* Settings of ours that a guest is shown: PAE MCE OSFXSR OSXMMEXCPT. */
#define CR4_VISIBLE   0x660UL

#define GUEST_LOW_END (1UL << 47)
#define DR_IO_ENABLED 5 /* the free place of debugreg[]: enable bits of I/O breakpoints */
#define DR6_ONES      0xFFFF0FF0UL
#define DR6_BITS      0xFFFFEFFFUL
#define DR7_ONE       0x400UL
#define DR7_BITS      0xFFFF27FFUL
#define DR7_GD        (1UL << 13)
#define DR7_ACTIVE    0xFFUL
#define DR7_IO        2U

static u64 visible_cr4(u64 chosen)
{
    u64 choice = CR4_TSD | CR4_DE;

    if (cpu_features.fsgsbase)
        choice |= CR4_FSGSBASE;
    if (cpu_features.xsave)
        choice |= CR4_OSXSAVE;
    return (chosen & choice) | CR4_VISIBLE;
}

int guest_read_cr(struct vcpu *v, unsigned cr, u64 *value)
{
    switch (cr) {
    case 0:
        *value = (read_cr0() & ~CR0_TS) | (v->ctrlreg[0] & CR0_TS);
        return 0;
    case 2:
        *value = v->ctrlreg[2];
        return 0;
    case 3: {
        u64 mfn = v->mm.kernel_table.value;
        *value = v->is_32bit ? (u32)(mfn << 12 | mfn >> 20) : mfn << 12;
        return 0;
    }
    case 4:
        *value = visible_cr4(v->ctrlreg[4]);
        return 0;
    default:
        return -EINVAL;
    }
}

static int write_cr0_ts(struct vcpu *v, u64 value)
{
    if ((value ^ read_cr0()) & ~CR0_TS)
        return -EINVAL;
    do_fpu_taskswitch((value & CR0_TS) != 0);
    return 0;
}

int guest_write_cr(struct vcpu *v, unsigned cr, u64 value)
{
    switch (cr) {
    case 0:
        return v == current ? write_cr0_ts(v, value) : -EINVAL;
    case 2:
        v->ctrlreg[2] = value;
        if (v->is_32bit)
            v->compat_info->arch.cr2 = (u32)value;
        else
            v->info->arch.cr2 = value;
        return 0;
    case 3:
        return vcpu_set_base(v, mfn_of(v->is_32bit ? (u32)value >> 12 | (value & 0xFFF) << 20 : value >> 12), false,
                             true);
    case 4:
        v->ctrlreg[4] = visible_cr4(value);
        if (v == current)
            cpu_select_cr4(v);
        return 0;
    default:
        return -EINVAL;
    }
}

/* Breakpoints on I/O ports need CR4.DE; every access to a port traps, so they are our task and their enable bits stay
 * out of the CPU: *io gets them. */
static bool breakpoints_ok(struct vcpu *v, u64 dr7, u64 *io)
{
    *io = 0;
    for (unsigned i = 0; i < 4; i++) {
        unsigned field = dr7 >> (16 + i * 4) & 0xF;
        u64 enabled = dr7 & 3UL << (i * 2);
        if (!enabled)
            continue;
        if ((field & 3) == DR7_IO) {
            if (!(v->ctrlreg[4] & CR4_DE))
                return false;
            *io |= enabled;
        }
    }
    return true;
}

void guest_port_breakpoints(struct vcpu *v, unsigned port, unsigned bytes)
{
    static const u8 widths[4] = {1, 2, 8, 4};
    u64 enabled = v->debugreg[DR_IO_ENABLED];

    if (likely(!enabled))
        return;
    for (unsigned i = 0; i < 4; i++) {
        u64 first = v->debugreg[i];
        if ((enabled & 3UL << (i * 2)) && port + bytes > first &&
            port < first + widths[v->debugreg[7] >> (18 + i * 4) & 3])
            v->breakpoint_hits |= (u8)(1U << i);
    }
}

static void load_breakpoint(unsigned reg, u64 value)
{
    switch (reg) {
    case 0:
        __asm__ volatile("mov %0, %%dr0" : : "r"(value));
        break;
    case 1:
        __asm__ volatile("mov %0, %%dr1" : : "r"(value));
        break;
    case 2:
        __asm__ volatile("mov %0, %%dr2" : : "r"(value));
        break;
    case 3:
        __asm__ volatile("mov %0, %%dr3" : : "r"(value));
        break;
    default:
        __asm__ volatile("mov %0, %%dr7" : : "r"(value));
        break;
    }
}

/* DR6 never has a guest's value: what the CPU puts there is taken out at once. The addresses of a vCPU without active breakpoints are not in the CPU: they go there with the first. */
static void load_all(const struct vcpu *v)
{
    for (unsigned i = 0; i < 4; i++)
        load_breakpoint(i, v->debugreg[i]);
    load_breakpoint(7, v->debugreg[7]);
}

static long set_dr7(struct vcpu *v, u64 value)
{
    u64 io;

    if (value >> 32)
        return -EINVAL;
    value = (value & DR7_BITS) | DR7_ONE;
    if ((value & DR7_GD) || !breakpoints_ok(v, value, &io))
        return -EPERM;
    v->debugreg[DR_IO_ENABLED] = io;
    v->debugreg[7] = value & ~io;
    if (v == current)
        load_all(v);
    return 0;
}

long guest_set_debugreg(struct vcpu *v, unsigned reg, u64 value)
{
    if ((reg == 4 || reg == 5) && (v->ctrlreg[4] & CR4_DE))
        return -ENODEV;
    switch (reg) {
    case 0:
    case 1:
    case 2:
    case 3:
        if (value >= GUEST_LOW_END && value < HV_VIRT_END)
            return -EPERM;
        v->debugreg[reg] = value;
        if (v == current && (v->debugreg[7] & DR7_ACTIVE))
            load_breakpoint(reg, value);
        return 0;
    case 4:
    case 6:
        if (value >> 32)
            return -EINVAL;
        v->debugreg[6] = (value & DR6_BITS) | DR6_ONES;
        return 0;
    case 5:
    case 7:
        return set_dr7(v, value);
    default:
        return -ENODEV;
    }
}

long guest_get_debugreg(struct vcpu *v, unsigned reg, u64 *value)
{
    if (reg > 7 || ((reg == 4 || reg == 5) && (v->ctrlreg[4] & CR4_DE)))
        return -ENODEV;
    if (reg == 4 || reg == 5)
        reg += 2;
    *value = v->debugreg[reg] | (reg == 6 ? DR6_ONES : reg == 7 ? DR7_ONE | v->debugreg[DR_IO_ENABLED] : 0);
    return 0;
}

long do_set_debugreg(unsigned long reg, unsigned long value)
{
    return guest_set_debugreg(current, (unsigned)reg, value);
}

long do_get_debugreg(unsigned long reg)
{
    u64 value;
    long rc = guest_get_debugreg(current, (unsigned)reg, &value);

    return rc ? rc : (long)value;
}
