/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Several hypercalls in one. An entry that must be continued is written back with its new arguments, and the multicall
 * is repeated from that entry on.
 */
#include "domain.h"
#include "guest_access.h"
#include "hypercall_prototypes.h"

/* The entry is nothing but words of the guest's width; too hot for the general translation. */
static int read_entry(struct multicall_entry *e, unsigned long va, bool is_32bit)
{
    u32 narrow[8];

    if (!is_32bit)
        return copy_from_guest(e, va, sizeof(*e));
    if (copy_from_guest(narrow, va, sizeof(narrow)))
        return -EFAULT;
    e->op = narrow[0];
    for (unsigned i = 0; i < 6; i++)
        e->args[i] = narrow[2 + i];
    return 0;
}

static int write_entry(unsigned long va, const struct multicall_entry *e, bool is_32bit)
{
    u32 narrow[8] = {(u32)e->op, (u32)e->result};

    if (!is_32bit)
        return copy_to_guest(va, e, sizeof(*e));
    for (unsigned i = 0; i < 6; i++)
        narrow[2 + i] = (u32)e->args[i];
    return copy_to_guest(va, narrow, sizeof(narrow));
}

static long dispatch(const struct multicall_entry *e, bool is_32bit)
{
    hypercall_handler_t *const *table = is_32bit ? hypercall_table_pv32 : hypercall_table_pv64;

    if (e->op >= 64)
        return -ENOSYS;
    return table[e->op](e->args[0], e->args[1], e->args[2], e->args[3], e->args[4]);
}

static long run(unsigned long list, unsigned long count)
{
    struct vcpu *v = current;
    bool is_32bit = v->is_32bit;
    size_t stride = is_32bit ? 32 : sizeof(struct multicall_entry);
    struct multicall_entry entry;
    unsigned long i;

    for (i = 0; i < count; i++, list += stride) {
        if (i && hypercall_preempt_check())
            goto preempted;
        if (read_entry(&entry, list, is_32bit))
            return -EFAULT;
        entry.result = (xen_ulong_t)dispatch(&entry, is_32bit);
        /* An iret among the calls has left the kernel: the list is no longer in reach, and its result is the guest's. */
        if (unlikely(!guest_in_kernel(v, guest_regs())))
            return (long)entry.result;
        if (v->multicall.preempted) {
            v->multicall.preempted = false;
            entry.op = v->multicall.op;
            memcpy(entry.args, v->multicall.args, sizeof(entry.args));
            if (write_entry(list, &entry, is_32bit))
                return -EFAULT;
            goto preempted;
        }
        if (write_guest_long(list, 1, entry.result))
            return -EFAULT;
        if (unlikely(v->domain->shutting_down))
            return 0;
    }
    return 0;

preempted:
    v->multicall.active = false;
    return hypercall_continue(__HYPERVISOR_multicall, 2, list, count - i);
}

long do_multicall(unsigned long list, unsigned long count)
{
    struct vcpu *v = current;
    long result;

    /* One inside another would need a stack of states for nothing. */
    if (v->multicall.active)
        return -EINVAL;
    v->multicall.active = true;
    result = run(list, count);
    v->multicall.active = false;
    return result;
}

long do_multicall_pv32(unsigned long list, unsigned long count)
{
    return do_multicall(list, count);
}
