/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A vCPU's whole state in and out: what VCPUOP_initialise and the toolstack set and read. The shape here is always the
 * 64-bit one (context_width.c translates); the selectors of a 32-bit guest's callbacks travel in the two halves of
 * syscall_callback_eip.
 *
 * Setting has two parts. All that can be refused without a trace is refused first. Then the descriptor tables and the
 * page tables are taken, which may fail or be preempted, and is undone when it fails. A vCPU that was initialised before
 * keeps its tables: a context that names others is refused.
 */
#include "domain.h"
#include "emulate.h"
#include "cpu/cpu.h"
#include "domain/context_fpu.h"
#include "domain/lifecycle.h"

#define TF_KERNEL_RPL(d) ((d)->is_32bit ? 1 : 3)
#define LDT_MAX_ENTRIES  8192
#define DR6_DEFAULT      0xFFFF0FF0UL
#define DR7_DEFAULT      0x400UL

static bool canonical(u64 address)
{
    return (u64)((s64)(address << 16) >> 16) == address;
}

/* Raised to the ring that the guest's kernel runs in. */
static u16 raise_rpl(const struct domain *d, u64 selector)
{
    u16 ring = TF_KERNEL_RPL(d);

    return (selector & 3) >= ring ? (u16)selector : (u16)((selector & ~3U) | ring);
}

static bool addresses_ok(const struct vcpu_guest_context *c)
{
    if (!canonical(c->user_regs.rip) || !canonical(c->user_regs.rsp) || !canonical(c->kernel_sp) ||
        !canonical(c->fs_base) || !canonical(c->gs_base_kernel) || !canonical(c->gs_base_user) ||
        !canonical(c->event_callback_eip) || !canonical(c->syscall_callback_eip) ||
        !canonical(c->failsafe_callback_eip))
        return false;
    for (unsigned i = 0; i < ARRAY_SIZE(c->trap_ctxt); i++)
        if (!canonical(c->trap_ctxt[i].address))
            return false;
    return c->ldt_base < 1UL << 47 || c->ldt_base >= HV_VIRT_END;
}

static u64 table_address(const struct vcpu *v, mfn_t table)
{
    if (table.value == INVALID_FRAME)
        return 0;
    return v->is_32bit ? compat_pfn_to_cr3(table.value) : xen_pfn_to_cr3(table.value);
}

/* An initialised vCPU: true when the context has the tables that it has. */
static bool same_tables(const struct vcpu *v, const struct vcpu_guest_context *c)
{
    if (table_address(v, v->mm.kernel_table) != c->ctrlreg[3] || v->gdt_entries != c->gdt_ents ||
        v->ldt_base != c->ldt_base || v->ldt_entries != c->ldt_ents)
        return false;
    if (!v->is_32bit && table_address(v, v->mm.user_table) != c->ctrlreg[1])
        return false;
    for (unsigned i = 0; i < ROUND_UP(v->gdt_entries, 512) / 512; i++)
        if (v->gdt_frames[i].value != c->gdt_frames[i])
            return false;
    return true;
}

static int check(const struct vcpu *v, const struct vcpu_guest_context *c)
{
    bool user_mode = !v->is_32bit && !(c->flags & VGCF_in_kernel);

    if (!v->is_32bit && !addresses_ok(c))
        return -EINVAL;
    if ((c->ldt_base & ~PAGE_MASK) || c->ldt_ents > LDT_MAX_ENTRIES)
        return -EINVAL;
    if (v->is_32bit && c->ldt_ents && c->ldt_base + c->ldt_ents * 8 > M2P_COMPAT_START)
        return -EINVAL;
    if (c->gdt_ents > 512 * FIRST_RESERVED_GDT_PAGE)
        return -EINVAL;
    if (v->initialised)
        return same_tables(v, c) && !(user_mode && !c->ctrlreg[1]) ? 0 : -EOPNOTSUPP;
    return user_mode && !c->ctrlreg[1] ? -EINVAL : 0;
}

/* Interrupts on, no virtual-8086, the virtual I/O privilege aside. */
static u64 guest_flags(u64 flags)
{
    u64 refused = X86_EFLAGS_IOPL | X86_EFLAGS_VM | X86_EFLAGS_VIF | X86_EFLAGS_VIP;

    return ((u32)flags & ~refused) | X86_EFLAGS_IF | X86_EFLAGS_MBS;
}

static void set_registers(struct vcpu *v, const struct vcpu_guest_context *c)
{
    _Static_assert(sizeof(v->regs) == sizeof(c->user_regs), "one register frame");
    memcpy(&v->regs, &c->user_regs, sizeof(v->regs));
    v->regs.cs = raise_rpl(v->domain, c->user_regs.cs);
    v->regs.ss = raise_rpl(v->domain, c->user_regs.ss);
    v->iopl = (u8)(c->user_regs.rflags >> 12 & 3);
    v->regs.rflags = guest_flags(c->user_regs.rflags);
    v->kernel_ss = raise_rpl(v->domain, c->kernel_ss);
    v->kernel_sp = c->kernel_sp;
    v->kernel_mode = v->is_32bit || (c->flags & VGCF_in_kernel);
    v->fs_base = c->user_regs.fs & 0xFFFC ? 0 : c->fs_base;
    v->gs_base_kernel = c->gs_base_kernel;
    v->gs_base_user = c->user_regs.gs & 0xFFFC ? 0 : c->gs_base_user;
    v->in_syscall_frame = false;
}

static struct guest_entry entry_of(struct vcpu *v, u64 address, u64 cs, bool mask_events)
{
    return (struct guest_entry){
        .address = address,
        .cs = v->is_32bit ? raise_rpl(v->domain, cs) : GUEST64_CS,
        .mask_events = mask_events,
    };
}

static void set_entries(struct vcpu *v, const struct vcpu_guest_context *c)
{
    u64 selectors = v->is_32bit ? c->syscall_callback_eip : 0;

    v->event_callback = entry_of(v, c->event_callback_eip, (u16)selectors, true);
    v->failsafe_callback =
        entry_of(v, c->failsafe_callback_eip, (u16)(selectors >> 32), c->flags & VGCF_failsafe_disables_events);
    if (!v->is_32bit)
        v->syscall_callback = entry_of(v, c->syscall_callback_eip, 0, c->flags & VGCF_syscall_disables_events);
    for (unsigned i = 0; i < ARRAY_SIZE(c->trap_ctxt); i++)
        v->traps[i] = (struct compact_trap){
            .address = c->trap_ctxt[i].address,
            .cs = raise_rpl(v->domain, c->trap_ctxt[i].cs),
            .flags = c->trap_ctxt[i].flags,
        };
}

static void set_control(struct vcpu *v, const struct vcpu_guest_context *c)
{
    v->ctrlreg[2] = c->ctrlreg[2];
    v->ctrlreg[0] = (v->ctrlreg[0] & ~CR0_TS) | (c->ctrlreg[0] & CR0_TS);
    if (c->ctrlreg[4])
        guest_write_cr(v, 4, c->ctrlreg[4]);
    memset(v->debugreg, 0, sizeof(v->debugreg));
    v->debugreg[6] = DR6_DEFAULT;
    v->debugreg[7] = DR7_DEFAULT;
    for (unsigned i = 0; i < ARRAY_SIZE(c->debugreg); i++)
        guest_set_debugreg(v, i, c->debugreg[i]);
    fpu_set_legacy(v, c->flags & VGCF_i387_valid ? c->fpu_ctxt.x : NULL);
}

static int take_base(struct vcpu *v, u64 cr3, bool user)
{
    mfn_t *slot = user ? &v->mm.user_table : &v->mm.kernel_table;
    mfn_t table = mfn_of(v->is_32bit ? compat_cr3_to_pfn(cr3) : xen_cr3_to_pfn(cr3));

    if (mfn_equal(*slot, table))
        return 0; /* taken before a preemption */
    return vcpu_set_base(v, table, user, true);
}

static int take_tables(struct vcpu *v, const struct vcpu_guest_context *c)
{
    u64 frames[16];
    int rc;

    for (unsigned i = 0; i < ARRAY_SIZE(frames); i++)
        frames[i] = c->gdt_frames[i];
    rc = (int)set_gdt_frames(v, frames, (unsigned)c->gdt_ents);
    if (rc)
        return rc;
    v->ldt_base = c->ldt_base;
    v->ldt_entries = (u32)c->ldt_ents;
    rc = take_base(v, c->ctrlreg[3], false);
    if (!rc && !v->is_32bit && c->ctrlreg[1])
        rc = take_base(v, c->ctrlreg[1], true);
    if (rc && rc != -ERESTART) {
        destroy_gdt(v);
        vcpu_drop_bases(v);
        v->ldt_entries = 0;
    }
    return rc;
}

/* v is on no CPU and stays off one. 0, -EINVAL, -EOPNOTSUPP, another error of the page tables, or -ERESTART: preempted. */
int vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *c)
{
    int rc = check(v, c);

    if (rc)
        return rc;
    if (!v->initialised) {
        rc = take_tables(v, c);
        if (rc)
            return rc;
    }
    set_registers(v, c);
    set_entries(v, c);
    set_control(v, c);
    if (!v->initialised && v->id == 0) {
        v->domain->vm_assist = c->vm_assist & VM_ASSIST_VALID;
        update_domain_wallclock(v->domain);
    }
    vcpu_update_cr3(v);
    if (!(c->flags & VGCF_online))
        vcpu_set_blocked(v, PAUSE_DOWN);
    v->initialised = true; /* from here on another vCPU may start it */
    if (c->flags & VGCF_online)
        vcpu_clear_blocked(v, PAUSE_DOWN);
    return 0;
}

static void get_tables(struct vcpu *v, struct vcpu_guest_context *c)
{
    unsigned frames = ROUND_UP(v->gdt_entries, 512) / 512;

    c->ldt_base = v->ldt_base;
    c->ldt_ents = v->ldt_entries;
    c->gdt_ents = v->gdt_entries;
    for (unsigned i = 0; i < frames && i < ARRAY_SIZE(c->gdt_frames); i++)
        c->gdt_frames[i] = v->gdt_frames[i].value;
    for (unsigned i = 0; i < ARRAY_SIZE(c->ctrlreg); i++)
        c->ctrlreg[i] = v->ctrlreg[i];
    c->ctrlreg[3] = table_address(v, v->mm.kernel_table);
    if (!v->is_32bit)
        c->ctrlreg[1] = table_address(v, v->mm.user_table);
}

static void get_entries(struct vcpu *v, struct vcpu_guest_context *c)
{
    c->event_callback_eip = v->event_callback.address;
    c->failsafe_callback_eip = v->failsafe_callback.address;
    c->syscall_callback_eip =
        v->is_32bit ? v->event_callback.cs | (u64)v->failsafe_callback.cs << 32 : v->syscall_callback.address;
    if (v->failsafe_callback.mask_events)
        c->flags |= VGCF_failsafe_disables_events;
    if (v->syscall_callback.mask_events)
        c->flags |= VGCF_syscall_disables_events;
    for (unsigned i = 0; i < ARRAY_SIZE(c->trap_ctxt); i++) {
        c->trap_ctxt[i].vector = (u8)i;
        c->trap_ctxt[i].flags = v->traps[i].flags;
        c->trap_ctxt[i].cs = v->traps[i].cs;
        c->trap_ctxt[i].address = v->traps[i].address;
    }
}

/* v is on no CPU. */
void vcpu_get_context(struct vcpu *v, struct vcpu_guest_context *c)
{
    memset(c, 0, sizeof(*c));
    memcpy(&c->user_regs, &v->regs, sizeof(c->user_regs));
    c->user_regs.rflags |= (u64)v->iopl << 12;
    c->flags = VGCF_i387_valid;
    if (!(v->sched.blocked_by & PAUSE_DOWN))
        c->flags |= VGCF_online;
    if (guest_in_kernel(v, &v->regs))
        c->flags |= VGCF_in_kernel;
    fpu_get_legacy(v, c->fpu_ctxt.x);
    c->kernel_ss = v->kernel_ss;
    c->kernel_sp = v->kernel_sp;
    get_tables(v, c);
    get_entries(v, c);
    for (unsigned i = 0; i < ARRAY_SIZE(c->debugreg); i++)
        c->debugreg[i] = v->debugreg[i];
    c->debugreg[7] |= c->debugreg[5]; /* breakpoints on ports, which are kept apart */
    c->debugreg[5] = 0;
    c->vm_assist = v->domain->vm_assist;
    c->fs_base = v->fs_base;
    c->gs_base_kernel = v->gs_base_kernel;
    c->gs_base_user = v->gs_base_user;
}
