/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Several hypercalls in one. An entry that must be continued is written back with its new arguments, and the multicall
 * is repeated from that entry on.
 */
#include "domain.h"
#include "guest_access.h"
#include "cpu/cpu.h"
#include "hypercall_prototypes.h"

struct call {
    u64 op, args[5]; /* no hypercall has more */
};

/* The entry is nothing but words of the guest's width; too hot for the general translation. */
#define LOAD_CALL(k, op, arg0, arg1, arg2, arg3, arg4)                                                                 \
    GUEST_LOADS GUEST_LOAD(op "(%[va])", "%" k "[op]") GUEST_LOAD(arg0 "(%[va])", "%" k "[arg0]")                      \
        GUEST_LOAD(arg1 "(%[va])", "%" k "[arg1]") GUEST_LOAD(arg2 "(%[va])", "%" k "[arg2]")                          \
            GUEST_LOAD(arg3 "(%[va])", "%" k "[arg3]") GUEST_LOAD(arg4 "(%[va])", "%" k "[arg4]") GUEST_LOADED

IN_PLACE int read_call64(struct call *c, unsigned long va)
{
    bool fault;

    __asm__ volatile(LOAD_CALL("", "0", "16", "24", "32", "40", "48")
                     : [op] "=&r"(c->op), [arg0] "=&r"(c->args[0]), [arg1] "=&r"(c->args[1]), [arg2] "=&r"(c->args[2]),
                       [arg3] "=&r"(c->args[3]), [arg4] "=&r"(c->args[4]), "=@ccc"(fault)
                     : [va] "r"(va)
                     : "memory");
    return fault ? -EFAULT : 0;
}

/* A load of 32 bits clears the upper half. */
IN_PLACE int read_call32(struct call *c, unsigned long va)
{
    bool fault;

    __asm__ volatile(LOAD_CALL("k", "0", "8", "12", "16", "20", "24")
                     : [op] "=&r"(c->op), [arg0] "=&r"(c->args[0]), [arg1] "=&r"(c->args[1]), [arg2] "=&r"(c->args[2]),
                       [arg3] "=&r"(c->args[3]), [arg4] "=&r"(c->args[4]), "=@ccc"(fault)
                     : [va] "r"(va)
                     : "memory");
    return fault ? -EFAULT : 0;
}

IN_PLACE int read_call(const struct vcpu *v, struct call *c, unsigned long va, bool is_32bit)
{
    if (unlikely(!guest_words_ok(v->mm.words_hole, va, is_32bit ? 32 : 64, is_32bit)))
        return -EFAULT;
    return is_32bit ? read_call32(c, va) : read_call64(c, va);
}

IN_PLACE int write_result(unsigned long va, u64 result, bool is_32bit)
{
    if (is_32bit)
        GUEST_PUT((u32 *)va + 1, result, fault);
    else
        GUEST_PUT((u64 *)va + 1, result, fault);
    return 0;
fault:
    return -EFAULT;
}

static long stop_at(struct vcpu *v, unsigned long list, unsigned long count)
{
    v->multicall.active = false;
    return hypercall_continue(__HYPERVISOR_multicall, 2, list, count);
}

/* The entry gets the arguments that the call is to go on with. */
static long stop_in(struct vcpu *v, unsigned long list, unsigned long count)
{
    struct multicall_entry entry = {.op = v->multicall.op};
    u32 narrow[8] = {(u32)entry.op};

    v->multicall.preempted = false;
    memcpy(entry.args, v->multicall.args, sizeof(entry.args));
    for (unsigned i = 0; i < 6; i++)
        narrow[2 + i] = (u32)entry.args[i];
    if (v->is_32bit ? copy_to_guest(list, narrow, sizeof(narrow)) : copy_to_guest(list, &entry, sizeof(entry)))
        return -EFAULT;
    return stop_at(v, list, count);
}

IN_PLACE long run(struct vcpu *v, unsigned long list, unsigned long count, bool is_32bit)
{
    hypercall_handler_t *const *table = is_32bit ? hypercall_table_pv32 : hypercall_table_pv64;
    struct call c;

    for (; count; count--, list += is_32bit ? 32 : 64) {
        u64 result = (u64)-ENOSYS;
        if (unlikely(read_call(v, &c, list, is_32bit)))
            return -EFAULT;
        if (likely(c.op < HYPERCALL_SLOTS))
            result =
                (u64)table[nospec_index(c.op, HYPERCALL_SLOTS)](c.args[0], c.args[1], c.args[2], c.args[3], c.args[4]);
        /* An iret among the calls has left: the list may be no longer in reach, and its result is the guest's. */
        if (unlikely(!v->multicall.active))
            return (long)result;
        if (unlikely(v->multicall.preempted))
            return stop_in(v, list, count);
        if (unlikely(write_result(list, result, is_32bit)))
            return -EFAULT;
        /* This is seen, too, when the domain ends meanwhile: if it goes on, it does so with the next. */
        if (count > 1 && unlikely(preemption_wanted(v)))
            return stop_at(v, list + (is_32bit ? 32 : 64), count - 1);
    }
    return 0;
}

/* One inside another would need a stack of states for nothing. */
IN_PLACE long multicall(unsigned long list, unsigned long count, bool is_32bit)
{
    struct vcpu *v = current;
    long result;

    if (v->multicall.active)
        return -EINVAL;
    v->multicall.active = true;
    result = run(v, list, count, is_32bit);
    v->multicall.active = false;
    return result;
}

long do_multicall(unsigned long list, unsigned long count)
{
    return multicall(list, (u32)count, false);
}

long do_multicall_pv32(unsigned long list, unsigned long count)
{
    return multicall(list, count, true);
}
