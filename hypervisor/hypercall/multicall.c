/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Several hypercalls in one. An entry that must be continued is written back with its new arguments, and the multicall
 * is repeated from that entry on.
 */
#include "domain.h"
#include "guest_access.h"
#include "hypercall_prototypes.h"

#define ENTRY_LAYOUT  "lsllllll"
#define RESULT_OFFSET(width) (width)

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
    size_t stride = guest_struct_size(ENTRY_LAYOUT);
    struct multicall_entry entry;
    unsigned long i;

    for (i = 0; i < count; i++, list += stride) {
        if (i && hypercall_preempt_check())
            goto preempted;
        if (read_guest_struct(&entry, list, ENTRY_LAYOUT))
            return -EFAULT;
        entry.result = (xen_ulong_t)dispatch(&entry, v->is_32bit);
        if (v->multicall.preempted) {
            v->multicall.preempted = false;
            entry.op = v->multicall.op;
            memcpy(entry.args, v->multicall.args, sizeof(entry.args));
            if (write_guest_struct(list, &entry, ENTRY_LAYOUT))
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
