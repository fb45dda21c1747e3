/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Tracing: what is written down, and XEN_SYSCTL_tbuf_op. A record is written by the CPU that it is about, with
 * interrupts off, into that CPU's ring: there is no lock. Whoever switches tracing asks all other CPUs to serve a
 * shootdown, which none does in the middle of a record, so from then on all have the new gates.
 */
#include "cpu/cpu.h"
#include "control/control.h"
#include "evtchn.h"
#include "guest_access.h"
#include "sched/policy.h"
#include "sched/runstate.h"
#include "trace.h"
#include "trace/ring.h"

#define RING_PAGES_MAX 256
#define INFO_ORDER     2  /* pages of t_info, as an order */
#define LIST_START     8  /* of its list of frames, in words: behind the offsets of all CPUs */
#define SUBCALLS_MAX   32 /* of a multicall, that are looked at */
_Static_assert(sizeof(struct t_info) + MAX_CPUS * sizeof(u16) <= LIST_START * sizeof(u32), "the offsets must fit");
_Static_assert((LIST_START + MAX_CPUS * RING_PAGES_MAX) * sizeof(u32) <= PAGE_SIZE << INFO_ORDER, "the list must fit");

static struct trace_ring rings[MAX_CPUS];
static struct t_info *info;
static char *all_rings;
static unsigned ring_order; /* of their pages together */
static u32 event_mask = TRC_ALL, cpu_mask = ~0U;
static bool entered[MAX_CPUS]; /* the CPU's SYSCALL is traced */
static bool half_full;         /* dom0 is to be told, where no lock is held */
static spinlock_t control_lock;
static bool trace_on;

static u32 name_of(const struct vcpu *v)
{
    return v->id | (u32)v->domain->id << 16;
}

static void record(u32 event, const u32 *extra, unsigned words)
{
    unsigned cpu = this_cpu()->cpu;

    if (!READ_ONCE(trace_on) || !(cpu_mask >> cpu & 1) || !(event_mask & event & 0x0FFF0000) ||
        !(event_mask & event & 0xF000))
        return;
    if (ring_put(&rings[cpu], event, extra, words, __builtin_ia32_rdtsc(), name_of(current)))
        half_full = true;
}

static void watch_way_out(void)
{
    __atomic_or_fetch(&this_cpu()->softirq_pending, 1U << SOFTIRQ_TRACE, __ATOMIC_SEQ_CST);
}

/* rip first, in as many words as the guest's width says; then the rest. */
static void record_at(u32 event, u64 rip, const u64 *address, u32 last)
{
    bool wide = !current->is_32bit;
    u32 extra[5], n = 0;

    extra[n++] = (u32)rip;
    if (wide)
        extra[n++] = (u32)(rip >> 32);
    if (address) {
        extra[n++] = (u32)*address;
        if (wide)
            extra[n++] = (u32)(*address >> 32);
    }
    extra[n++] = last;
    record(wide ? event | TRC_64_FLAG : event, extra, n);
}

/* The low halves of three arguments: a sub-operation, a count and the like. */
static void record_hypercall(u32 event, u64 op, const u64 *args)
{
    u32 extra[4] = {(op & ~TRC_PV_HYPERCALL_V2_ARG_MASK) | TRC_PV_HYPERCALL_V2_ARG_32(0) |
                    TRC_PV_HYPERCALL_V2_ARG_32(1) | TRC_PV_HYPERCALL_V2_ARG_32(2)};

    for (unsigned i = 0; i < 3; i++)
        extra[1 + i] = (u32)args[i];
    record(event, extra, 4);
}

/* Read here only to be told of; the multicall reads what it performs. An entry has eight words of the guest's width. */
static void record_subcalls(unsigned long list, u64 count)
{
    unsigned long words[5]; /* number, result, arguments */

    for (u64 at = 0; at < 8 * MIN(count, (u64)SUBCALLS_MAX); at += 8) {
        for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
            if (read_guest_long(&words[i], list, at + i))
                return;
        record_hypercall(TRC_PV_HYPERCALL_SUBCALL, words[0], words + 2);
    }
}

static void hypercall(u64 op, u64 a, u64 b, u64 c)
{
    const u64 args[] = {a, b, c};

    record_hypercall(TRC_PV_HYPERCALL_V2, op, args);
    if (op == __HYPERVISOR_multicall)
        record_subcalls(a, b);
}

static void record_syscall(const struct cpu_regs *regs)
{
    if (current->kernel_mode)
        hypercall((u32)regs->rax, regs->rdi, regs->rsi, regs->rdx);
    else
        record_at(PARAVANE_ABI_TRC_USER_CALL, regs->rcx, NULL, VECTOR_SYSCALL);
}

/* `frame`: what the CPU pushed: an error code if this vector has any, rip, cs and so on. */
static void record_trap(const struct cpu_regs *regs, unsigned vector, const u64 *frame)
{
    u32 code = 0, has_code = vector_has_error_code(vector);
    u64 address;

    if (has_code)
        code = (u32)*frame++;
    if (!(frame[1] & 3))
        return;
    if (vector == HYPERCALL_VECTOR) {
        hypercall((u32)regs->rax, (u32)regs->rbx, (u32)regs->rcx, (u32)regs->rdx);
    } else if (vector == TRAP_PF) {
        address = read_cr2();
        record_at(TRC_PV_PAGE_FAULT, frame[0], &address, code);
    } else if (vector >= 32) {
        record_at(PARAVANE_ABI_TRC_USER_CALL, frame[0], NULL, vector);
    } else {
        record_at(TRC_PV_TRAP, frame[0], NULL, vector | has_code << 15 | code << 16);
    }
}

/* The general registers; behind them, from a landing pad of SYSCALL, where it goes on; from a gate, its number and what
 * the CPU pushed. Where to go on. */
const void *trace_gate(const struct cpu_regs *regs)
{
    const s64 *behind = (const s64 *)&regs->error_code;

    watch_way_out(); /* from ourselves too: it does no harm */
    if (*behind < 0) {
        record_syscall(regs);
        return (const void *)*behind;
    }
    record_trap(regs, traced_vectors[*behind], (const u64 *)behind + 1);
    return cpu_plain_gate((unsigned)*behind);
}

static void traced_return_work(struct cpu_regs *regs)
{
    struct vcpu *v = current;
    u32 vector = regs->entry_vector;

    return_to_guest_work(regs);
    if (this_cpu()->softirq_pending)
        return;
    u32 extra[] = {name_of(v), vector << 8 | (guest_in_kernel(v, regs) ? 0 : PARAVANE_ABI_TRC_USER), (u32)regs->rip,
                   (u32)(regs->rip >> 32)};
    record(PARAVANE_ABI_TRC_RETURN, extra, ARRAY_SIZE(extra));
    if (half_full) {
        half_full = false;
        send_global_virq(VIRQ_TBUF);
    }
}

static void runstate(const struct vcpu *v, int from, int to)
{
    u32 who = name_of(v);

    if (from != to)
        record(TRC_SCHED_RUNSTATE_CHANGE | (u32)from << 8 | (u32)to << 4, &who, 1);
}

static int traced_enqueue(struct vcpu *v, ns_t now, bool fresh)
{
    runstate(v, v->sched.runstate.state, RUNSTATE_runnable);
    return policy_enqueue(v, now, fresh);
}

static NORETURN void traced_switch(struct vcpu *prev, struct vcpu *next)
{
    const u32 extra[] = {prev->domain->id, prev->id, next->domain->id, next->id};

    runstate(prev, RUNSTATE_running, prev->idle ? RUNSTATE_runnable : prev->sched.runstate.state);
    runstate(next, RUNSTATE_runnable, RUNSTATE_running);
    record(TRC_SCHED_SWITCH, extra, ARRAY_SIZE(extra));
    watch_way_out();
    context_switch(prev, next);
}

#define PLAIN_CALLS                                                                                                    \
    {                                                                                                                  \
        return_to_guest_work, context_switch, policy_enqueue                                                           \
    }
static const struct trace_calls calls[2] = {PLAIN_CALLS, {traced_return_work, traced_switch, traced_enqueue}};
struct trace_calls trace_calls = PLAIN_CALLS;

/* This CPU's SYSCALL as tracing is now; a ring begins with who runs there. */
void trace_sync(void)
{
    unsigned cpu = this_cpu()->cpu;
    u32 who = name_of(current);

    if (entered[cpu] == trace_on)
        return;
    entered[cpu] = trace_on;
    cpu_set_syscall(trace_on);
    rings[cpu].lost = 0;
    record(TRC_SCHED_CONTINUE_RUNNING, &who, 1);
}

/* Once the others have served, none of them is in a record or behind a gate of the other kind. */
static void switch_all(bool on)
{
    WRITE_ONCE(trace_on, on);
    trace_calls = calls[on];
    cpu_set_gates(on);
    trace_sync();
    smp_flush_request(~0U, 0, false);
}

static void free_pages(char *pages, unsigned order)
{
    for (unsigned i = 0; pages && i < 1U << order; i++)
        unshare_page(pages + i * PAGE_SIZE);
}

static char *shared_pages(unsigned order, bool writable)
{
    char *pages = hv_alloc_pages(order);

    for (unsigned i = 0; pages && i < 1U << order; i++)
        share_page_with_guest(pages + i * PAGE_SIZE, domain_zero, writable);
    return pages;
}

static void list_rings(u32 pages)
{
    u32 *list = (u32 *)info + LIST_START, first = (u32)virt_to_mfn(all_rings).value;

    info->tbuf_size = (u16)pages;
    for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
        rings[cpu].shared = (struct t_buf *)(all_rings + cpu * pages * PAGE_SIZE);
        rings[cpu].size = pages * PAGE_SIZE - (u32)sizeof(struct t_buf);
        rings[cpu].prod = 0;
        info->mfn_offset[cpu] = (u16)(LIST_START + cpu * pages);
    }
    for (u32 i = 0; i < cpu_count * pages; i++)
        list[i] = first + i;
}

/* Pages of each ring, cut to what the list has room for; 0 gives all back. */
static long set_size(u32 pages)
{
    if (info && (pages || trace_on))
        return !pages || pages == info->tbuf_size ? -EBUSY : -EINVAL;
    if (!info && !pages)
        return -EINVAL;
    if (pages) {
        pages = MIN(pages, (u32)RING_PAGES_MAX);
        ring_order = 31U - (unsigned)__builtin_clz(2 * pages * cpu_count - 1); /* upward */
        all_rings = shared_pages(ring_order, true);
        info = (struct t_info *)shared_pages(INFO_ORDER, false);
        if (all_rings && info) {
            list_rings(pages);
            return 0;
        }
    }
    free_pages(all_rings, ring_order);
    free_pages((char *)info, INFO_ORDER);
    info = NULL;
    return pages ? -ENOMEM : 0;
}

static long control(struct xen_sysctl_tbuf_op *op)
{
    u32 mask;

    switch (op->cmd) {
    case XEN_SYSCTL_TBUFOP_get_info:
        op->evt_mask = event_mask;
        op->buffer_mfn = info ? virt_to_mfn(info).value : 0;
        op->size = info ? PAGE_SIZE << INFO_ORDER : 0;
        return 0;
    case XEN_SYSCTL_TBUFOP_set_cpu_mask:
        if (read_ctl_bitmap(&op->cpu_mask, &mask))
            return -EFAULT;
        cpu_mask = mask;
        return 0;
    case XEN_SYSCTL_TBUFOP_set_evt_mask:
        event_mask = op->evt_mask;
        return 0;
    case XEN_SYSCTL_TBUFOP_set_size:
        return set_size(op->size);
    case XEN_SYSCTL_TBUFOP_enable:
        if (!info)
            return -EINVAL;
        switch_all(true);
        return 0;
    case XEN_SYSCTL_TBUFOP_disable:
        switch_all(false);
        return 0;
    default:
        return -EINVAL;
    }
}

long trace_control(struct xen_sysctl_tbuf_op *op)
{
    long rc;

    spin_lock(&control_lock);
    rc = control(op);
    spin_unlock(&control_lock);
    return rc;
}
