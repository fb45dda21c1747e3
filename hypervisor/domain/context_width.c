/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The 32-bit form of a vCPU's context, and contexts in guest memory: the shape is that of the domain they are for, not
 * of the caller.
 */
#include "domain.h"
#include "guest_access.h"
#include "domain/lifecycle.h"

/* The same names on both sides. */
#define COPY_ALL(to, from, field)                                                                                      \
    do {                                                                                                               \
        for (unsigned i_ = 0; i_ < ARRAY_SIZE((to)->field); i_++)                                                      \
            (to)->field[i_] = (__typeof__((to)->field[0]))(from)->field[i_];                                           \
    } while (0)

#define COPY_CONTEXT(to, from)                                                                                         \
    do {                                                                                                               \
        memcpy(&(to)->fpu_ctxt, &(from)->fpu_ctxt, sizeof((to)->fpu_ctxt));                                            \
        (to)->flags = (__typeof__((to)->flags))(from)->flags;                                                          \
        (to)->ldt_base = (__typeof__((to)->ldt_base))(from)->ldt_base;                                                 \
        (to)->ldt_ents = (__typeof__((to)->ldt_ents))(from)->ldt_ents;                                                 \
        (to)->gdt_ents = (__typeof__((to)->gdt_ents))(from)->gdt_ents;                                                 \
        (to)->kernel_ss = (__typeof__((to)->kernel_ss))(from)->kernel_ss;                                              \
        (to)->kernel_sp = (__typeof__((to)->kernel_sp))(from)->kernel_sp;                                              \
        (to)->event_callback_eip = (__typeof__((to)->event_callback_eip))(from)->event_callback_eip;                   \
        (to)->failsafe_callback_eip = (__typeof__((to)->failsafe_callback_eip))(from)->failsafe_callback_eip;          \
        (to)->vm_assist = (__typeof__((to)->vm_assist))(from)->vm_assist;                                              \
        COPY_ALL(to, from, gdt_frames);                                                                                \
        COPY_ALL(to, from, ctrlreg);                                                                                   \
        COPY_ALL(to, from, debugreg);                                                                                  \
        for (unsigned t_ = 0; t_ < ARRAY_SIZE((to)->trap_ctxt); t_++) {                                                \
            (to)->trap_ctxt[t_].vector = (from)->trap_ctxt[t_].vector;                                                 \
            (to)->trap_ctxt[t_].flags = (from)->trap_ctxt[t_].flags;                                                   \
            (to)->trap_ctxt[t_].cs = (from)->trap_ctxt[t_].cs;                                                         \
            (to)->trap_ctxt[t_].address = (__typeof__((to)->trap_ctxt[t_].address))(from)->trap_ctxt[t_].address;      \
        }                                                                                                              \
    } while (0)

#define COPY_SELECTORS(to, from)                                                                                       \
    do {                                                                                                               \
        (to)->cs = (from)->cs;                                                                                         \
        (to)->ss = (from)->ss;                                                                                         \
        (to)->ds = (from)->ds;                                                                                         \
        (to)->es = (from)->es;                                                                                         \
        (to)->fs = (from)->fs;                                                                                         \
        (to)->gs = (from)->gs;                                                                                         \
        (to)->saved_upcall_mask = (from)->saved_upcall_mask;                                                           \
        (to)->error_code = (__typeof__((to)->error_code))(from)->error_code;                                           \
        (to)->entry_vector = (__typeof__((to)->entry_vector))(from)->entry_vector;                                     \
    } while (0)

static void widen_registers(struct cpu_user_regs *to, const struct compat_cpu_user_regs *from)
{
    to->rax = from->eax;
    to->rbx = from->ebx;
    to->rcx = from->ecx;
    to->rdx = from->edx;
    to->rsi = from->esi;
    to->rdi = from->edi;
    to->rbp = from->ebp;
    to->rsp = from->esp;
    to->rip = from->eip;
    to->rflags = from->eflags;
    COPY_SELECTORS(to, from);
}

static void narrow_registers(struct compat_cpu_user_regs *to, const struct cpu_user_regs *from)
{
    to->eax = (u32)from->rax;
    to->ebx = (u32)from->rbx;
    to->ecx = (u32)from->rcx;
    to->edx = (u32)from->rdx;
    to->esi = (u32)from->rsi;
    to->edi = (u32)from->rdi;
    to->ebp = (u32)from->rbp;
    to->esp = (u32)from->rsp;
    to->eip = (u32)from->rip;
    to->eflags = (u32)from->rflags;
    COPY_SELECTORS(to, from);
}

void widen_vcpu_context(struct vcpu_guest_context *to, const struct compat_vcpu_guest_context *from)
{
    memset(to, 0, sizeof(*to));
    COPY_CONTEXT(to, from);
    widen_registers(&to->user_regs, &from->user_regs);
    to->syscall_callback_eip = (u16)from->event_callback_cs | (u64)(u16)from->failsafe_callback_cs << 32;
}

void narrow_vcpu_context(struct compat_vcpu_guest_context *to, const struct vcpu_guest_context *from)
{
    memset(to, 0, sizeof(*to));
    COPY_CONTEXT(to, from);
    narrow_registers(&to->user_regs, &from->user_regs);
    to->event_callback_cs = (u32)from->syscall_callback_eip;
    to->failsafe_callback_cs = (u32)(from->syscall_callback_eip >> 32);
}

/* Both shapes are too big for our stack. */
struct context_buffer {
    struct vcpu_guest_context native;
    struct compat_vcpu_guest_context compat;
};
_Static_assert(sizeof(struct context_buffer) <= 2 * PAGE_SIZE, "fits its two pages");

int vcpu_load_context(struct vcpu *v, unsigned long from, bool fresh)
{
    struct context_buffer *buffer = hv_alloc_pages(1);
    int rc;

    if (!buffer)
        return -ENOMEM;
    if (v->domain->is_32bit) {
        rc = copy_from_guest(&buffer->compat, from, sizeof(buffer->compat));
        if (!rc)
            widen_vcpu_context(&buffer->native, &buffer->compat);
    } else {
        rc = copy_from_guest(&buffer->native, from, sizeof(buffer->native));
    }
    if (!rc)
        rc = fresh && v->initialised ? -EEXIST : vcpu_set_context(v, &buffer->native);
    hv_free_pages(buffer, 1);
    return rc;
}

int vcpu_store_context(struct vcpu *v, unsigned long to)
{
    struct context_buffer *buffer = hv_alloc_pages(1);
    int rc;

    if (!buffer)
        return -ENOMEM;
    vcpu_get_context(v, &buffer->native);
    if (v->domain->is_32bit) {
        narrow_vcpu_context(&buffer->compat, &buffer->native);
        rc = copy_to_guest(to, &buffer->compat, sizeof(buffer->compat));
    } else {
        rc = copy_to_guest(to, &buffer->native, sizeof(buffer->native));
    }
    hv_free_pages(buffer, 1);
    return rc;
}
