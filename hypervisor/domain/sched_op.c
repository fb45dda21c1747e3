/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a guest asks of the scheduler: give way, sleep until an event, end; and its one-shot timer by hypercall.
 */
#include "domain.h"
#include "guest_access.h"
#include "hypercall_prototypes.h"
#include "abi/sched.h"

#define POLL_MAX_PORTS 128
#define TIMER_FAR      (1ULL << 50) /* further ahead than this is taken for a miscalculation */
#define TIMER_INSTEAD  100000000ULL

static long op_shutdown(unsigned long arg)
{
    struct sched_shutdown shutdown;

    if (copy_from_guest(&shutdown, arg, sizeof(shutdown)))
        return -EFAULT;
    domain_shutdown(current->domain, (u8)shutdown.reason);
    return 0;
}

/* The reason that a later shutdown will give. */
static long op_shutdown_code(unsigned long arg)
{
    struct domain *d = current->domain;
    struct sched_shutdown shutdown;

    if (copy_from_guest(&shutdown, arg, sizeof(shutdown)))
        return -EFAULT;
    spin_lock(&d->lock);
    if (d->shutdown_code == SHUTDOWN_NONE)
        d->shutdown_code = (u8)shutdown.reason;
    spin_unlock(&d->lock);
    return 0;
}

static long op_remote_shutdown(unsigned long arg)
{
    struct sched_remote_shutdown shutdown;
    struct domain *d;

    if (copy_from_guest(&shutdown, arg, sizeof(shutdown)))
        return -EFAULT;
    d = domain_get(shutdown.domain_id);
    if (!d)
        return -ESRCH;
    if (current->domain->privileged)
        domain_shutdown(d, (u8)shutdown.reason);
    domain_put(d);
    return current->domain->privileged ? 0 : -EPERM;
}

/* 1: a port is pending already. */
static int ports_pending(struct domain *d, const u32 *ports, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (!ports[i] || !evtchn_port_ok(d, ports[i]))
            return -EINVAL;
        if (evtchn_port_pending(d, ports[i]))
            return 1;
    }
    return 0;
}

struct poll_args {
    unsigned long ports;
    u32 count;
    u64 timeout;
};

static int read_poll(unsigned long arg, struct poll_args *poll, u32 *ports)
{
    struct compat_sched_poll narrow;
    struct sched_poll wide;

    if (current->is_32bit) {
        if (copy_from_guest(&narrow, arg, sizeof(narrow)))
            return -EFAULT;
        *poll = (struct poll_args){narrow.ports, narrow.nr_ports, narrow.timeout};
    } else {
        if (copy_from_guest(&wide, arg, sizeof(wide)))
            return -EFAULT;
        *poll = (struct poll_args){(unsigned long)wide.ports.p, wide.nr_ports, wide.timeout};
    }
    if (poll->count > POLL_MAX_PORTS)
        return -EINVAL;
    return copy_from_guest(ports, poll->ports, poll->count * sizeof(*ports));
}

/* Sleeps with events masked until one of the ports is pending, any event can be delivered, or the time has come.
 * Whoever sends looks at the poll mask after setting the pending bit; here the mask is set first and the bit read then. */
static long op_poll(unsigned long arg)
{
    struct vcpu *v = current;
    struct domain *d = v->domain;
    u32 ports[POLL_MAX_PORTS];
    struct poll_args poll;
    int rc = read_poll(arg, &poll, ports);

    if (rc)
        return rc;
    v->sched.poll_port = poll.count == 1 ? ports[0] : 0;
    vcpu_set_blocked(v, PAUSE_POLL);
    __atomic_fetch_or(&d->evtchn.poll_mask, 1U << v->id, __ATOMIC_SEQ_CST);
    if (!vcpu_events_deliverable(v)) {
        rc = ports_pending(d, ports, poll.count);
        if (!rc) {
            if (poll.timeout)
                timer_set(&v->sched.poll_timer, poll.timeout);
            return 0;
        }
    }
    vcpu_clear_blocked(v, PAUSE_POLL);
    __atomic_fetch_and(&d->evtchn.poll_mask, ~(1U << v->id), __ATOMIC_SEQ_CST);
    return MIN(rc, 0);
}

static long op_watchdog(unsigned long arg)
{
    struct sched_watchdog watchdog;

    if (copy_from_guest(&watchdog, arg, sizeof(watchdog)))
        return -EFAULT;
    return guest_watchdog(current->domain, watchdog.id, watchdog.timeout);
}

static long op_pin_override(unsigned long arg)
{
    struct sched_pin_override pin;

    if (!current->domain->initial)
        return -EPERM;
    if (copy_from_guest(&pin, arg, sizeof(pin)))
        return -EFAULT;
    return vcpu_pin_override(current, pin.pcpu);
}

long do_sched_op(unsigned long cmd, unsigned long arg)
{
    switch ((int)cmd) {
    case SCHEDOP_yield:
        vcpu_yield(current);
        return 0;
    case SCHEDOP_block:
        vcpu_block(current);
        return 0;
    case SCHEDOP_shutdown:
        return op_shutdown(arg);
    case SCHEDOP_shutdown_code:
        return op_shutdown_code(arg);
    case SCHEDOP_poll:
        return op_poll(arg);
    case SCHEDOP_remote_shutdown:
        return op_remote_shutdown(arg);
    case SCHEDOP_watchdog:
        return op_watchdog(arg);
    case SCHEDOP_pin_override:
        return op_pin_override(arg);
    default:
        return -ENOSYS;
    }
}

/* The older form: a shutdown's reason is the argument itself. */
long do_sched_op_compat(unsigned long cmd, unsigned long arg)
{
    switch ((int)cmd) {
    case SCHEDOP_yield:
    case SCHEDOP_block:
        return do_sched_op(cmd, arg);
    case SCHEDOP_shutdown:
        domain_shutdown(current->domain, (u8)arg);
        return 0;
    default:
        return -ENOSYS;
    }
}

long do_set_timer_op(unsigned long timeout)
{
    struct vcpu *v = current;
    ns_t now;

    if (!timeout) {
        timer_stop(&v->time.singleshot);
        return 0;
    }
    now = time_now();
    if ((s64)timeout < 0 || (timeout > now && timeout - now >= TIMER_FAR))
        timeout = now + TIMER_INSTEAD;
    timer_set(&v->time.singleshot, timeout);
    return 0;
}

long do_set_timer_op_pv32(unsigned long low, unsigned long high)
{
    return do_set_timer_op((u32)low | high << 32);
}
