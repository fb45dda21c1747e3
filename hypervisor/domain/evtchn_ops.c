/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The hypercall event_channel_op. Its structures are alike in both widths. Each operation gets its arguments in our
 * memory, checks them, and writes its results there; they go back to the guest when it succeeded.
 */
#include "evtchn_internal.h"
#include "guest_access.h"
#include "hypercall_prototypes.h"

union arguments {
    struct evtchn_alloc_unbound alloc_unbound;
    struct evtchn_bind_interdomain bind_interdomain;
    struct evtchn_bind_virq bind_virq;
    struct evtchn_bind_pirq bind_pirq;
    struct evtchn_bind_ipi bind_ipi;
    struct evtchn_close close;
    struct evtchn_send send;
    struct evtchn_status status;
    struct evtchn_bind_vcpu bind_vcpu;
    struct evtchn_unmask unmask;
    struct evtchn_reset reset;
    struct evtchn_init_control init_control;
    struct evtchn_expand_array expand_array;
    struct evtchn_set_priority set_priority;
};

static struct vcpu *vcpu_of(struct domain *d, unsigned id)
{
    return id < d->max_vcpus ? d->vcpus[nospec_index(id, d->max_vcpus)] : NULL;
}

static bool virq_is_global(unsigned virq)
{
    return virq != VIRQ_TIMER && virq != VIRQ_DEBUG && virq != VIRQ_XENOPROF && virq != VIRQ_XENPMU;
}

/* Takes a free port for a channel that needs nothing but a state and a number; negative on failure. */
IN_PLACE int open_port(struct domain *d, enum port_state state, unsigned vcpu, u32 data)
{
    int port;

    spin_lock(&d->evtchn.lock);
    port = evtchn_find_free(d);
    if (port >= 0)
        evtchn_take(d, (unsigned)port, state, vcpu)->remote_domid = data;
    spin_unlock(&d->evtchn.lock);
    return port;
}

long evtchn_alloc_unbound(struct domain *d, unsigned remote_domid, u32 *port)
{
    int free_port = open_port(d, PORT_UNBOUND, 0, remote_domid == DOMID_SELF ? current->domain->id : remote_domid);

    if (free_port < 0)
        return free_port;
    *port = (u32)free_port;
    return 0;
}

static long op_alloc_unbound(union arguments *a)
{
    struct domain *d = current->domain;
    int error;
    long result;

    if (likely(a->alloc_unbound.dom == DOMID_SELF))
        return evtchn_alloc_unbound(d, a->alloc_unbound.remote_dom, &a->alloc_unbound.port);
    d = domain_get_remote(a->alloc_unbound.dom, &error);
    if (!d)
        return error;
    result = evtchn_alloc_unbound(d, a->alloc_unbound.remote_dom, &a->alloc_unbound.port);
    domain_put(d);
    return result;
}

/* Both locks held. */
static long join(struct domain *d, struct domain *rd, struct evtchn_bind_interdomain *args)
{
    struct evtchn *chn, *other;
    int port = evtchn_find_free(d);

    if (port < 0)
        return port;
    if (!evtchn_port_ok(rd, args->remote_port))
        return -EINVAL;
    other = port_channel(rd, args->remote_port);
    if (other->state != PORT_UNBOUND || other->remote_domid != d->id)
        return -EINVAL;

    chn = evtchn_take(d, (unsigned)port, PORT_INTERDOMAIN, 0);
    chn->remote = rd;
    chn->remote_port = args->remote_port;
    other->state = PORT_INTERDOMAIN;
    other->remote = d;
    other->remote_port = (u32)port;
    /* The other end may have sent before: that event was lost, this one makes up for it. */
    evtchn_set_pending(d, chn->vcpu, chn);
    args->local_port = (u32)port;
    return 0;
}

static long op_bind_interdomain(union arguments *a)
{
    struct domain *d = current->domain;
    unsigned remote = a->bind_interdomain.remote_dom;
    struct domain *rd = domain_get(remote == DOMID_SELF ? d->id : remote);
    long result;

    if (!rd)
        return -ESRCH;
    evtchn_lock_two(d, rd);
    result = join(d, rd, &a->bind_interdomain);
    evtchn_unlock_two(d, rd);
    domain_put(rd);
    return result;
}

static long op_bind_virq(union arguments *a)
{
    struct domain *d = current->domain;
    unsigned virq = a->bind_virq.virq;
    struct vcpu *v;
    int port;

    if (virq >= VIRQ_COUNT || (virq_is_global(virq) && a->bind_virq.vcpu != 0))
        return -EINVAL;
    v = vcpu_of(d, a->bind_virq.vcpu);
    if (!v)
        return -ENOENT;
    spin_lock(&d->evtchn.lock);
    port = v->evtchn.virq_port[virq] ? -EEXIST : evtchn_find_free(d);
    if (port >= 0) {
        evtchn_take(d, (unsigned)port, PORT_VIRQ, v->id)->virq = virq;
        v->evtchn.virq_port[virq] = (u32)port;
        a->bind_virq.port = (u32)port;
    }
    spin_unlock(&d->evtchn.lock);
    return port < 0 ? port : 0;
}

static long op_bind_ipi(union arguments *a)
{
    struct domain *d = current->domain;
    int port;

    if (!vcpu_of(d, a->bind_ipi.vcpu))
        return -ENOENT;
    port = open_port(d, PORT_IPI, a->bind_ipi.vcpu, 0);
    if (port < 0)
        return port;
    a->bind_ipi.port = (u32)port;
    return 0;
}

/* Lock held. The pirq's own code says whether the domain may have it. */
static long bind_pirq(struct domain *d, struct evtchn_bind_pirq *args)
{
    int port = evtchn_find_free(d);
    long error;

    if (port < 0)
        return port;
    if (!d->evtchn.pirq_port)
        d->evtchn.pirq_port = hv_alloc(PIRQ_COUNT * sizeof(u32));
    if (!d->evtchn.pirq_port)
        return -ENOMEM;
    if (d->evtchn.pirq_port[args->pirq])
        return -EEXIST;
    error = pirq_bind(d->vcpus[0], args->pirq, args->flags & BIND_PIRQ__WILL_SHARE);
    if (error)
        return error;
    evtchn_take(d, (unsigned)port, PORT_PIRQ, 0)->pirq = args->pirq;
    d->evtchn.pirq_port[args->pirq] = (u32)port;
    args->port = (u32)port;
    return 0;
}

static long op_bind_pirq(union arguments *a)
{
    struct domain *d = current->domain;
    long result;

    if (a->bind_pirq.pirq >= PIRQ_COUNT)
        return -EINVAL;
    if (!d->iopl_trusted || a->bind_pirq.pirq == 0) /* 0 is the machine's timer */
        return -EPERM;
    spin_lock(&d->evtchn.lock);
    result = bind_pirq(d, &a->bind_pirq);
    spin_unlock(&d->evtchn.lock);
    return result;
}

static long op_close(union arguments *a)
{
    return evtchn_close(current->domain, a->close.port);
}

static long op_unmask(union arguments *a)
{
    return evtchn_unmask(current->domain, a->unmask.port);
}

static void describe(const struct evtchn *chn, struct evtchn_status *out)
{
    out->vcpu = chn->vcpu;
    switch (chn->state) {
    case PORT_UNBOUND:
        out->status = EVTCHNSTAT_unbound;
        out->u.unbound.dom = (domid_t)chn->remote_domid;
        break;
    case PORT_INTERDOMAIN:
        out->status = EVTCHNSTAT_interdomain;
        out->u.interdomain.dom = chn->remote->id;
        out->u.interdomain.port = chn->remote_port;
        break;
    case PORT_PIRQ:
        out->status = EVTCHNSTAT_pirq;
        out->u.pirq = chn->pirq;
        break;
    case PORT_VIRQ:
        out->status = EVTCHNSTAT_virq;
        out->u.virq = chn->virq;
        break;
    case PORT_IPI:
        out->status = EVTCHNSTAT_ipi;
        break;
    default:
        out->status = EVTCHNSTAT_closed;
        break;
    }
}

static long op_status(union arguments *a)
{
    int error;
    struct domain *d = domain_get_remote(a->status.dom, &error);
    long result = -EINVAL;

    if (!d)
        return error;
    spin_lock(&d->evtchn.lock);
    if (evtchn_port_ok(d, a->status.port)) {
        describe(port_channel(d, a->status.port), &a->status);
        result = 0;
    }
    spin_unlock(&d->evtchn.lock);
    domain_put(d);
    return result;
}

/* Lock held. IPIs and per-vCPU virqs belong to their vCPU for good. */
static long bind_vcpu(struct evtchn *chn, unsigned vcpu)
{
    switch (chn->state) {
    case PORT_VIRQ:
        if (!virq_is_global(chn->virq))
            return -EINVAL;
        break;
    case PORT_UNBOUND:
    case PORT_INTERDOMAIN:
    case PORT_PIRQ:
        break;
    default:
        return -EINVAL;
    }
    WRITE_ONCE(chn->vcpu, (u16)vcpu);
    return 0;
}

static long op_bind_vcpu(union arguments *a)
{
    struct domain *d = current->domain;
    long result;

    if (!vcpu_of(d, a->bind_vcpu.vcpu))
        return -ENOENT;
    if (!evtchn_port_ok(d, a->bind_vcpu.port))
        return -EINVAL;
    spin_lock(&d->evtchn.lock);
    result = bind_vcpu(port_channel(d, a->bind_vcpu.port), a->bind_vcpu.vcpu);
    spin_unlock(&d->evtchn.lock);
    return result;
}

/* Another domain must stand still meanwhile. */
static long op_reset(union arguments *a)
{
    int error;
    struct domain *d = domain_get_remote(a->reset.dom, &error);
    long result = -EINVAL;

    if (!d)
        return error;
    if (d == current->domain || d->controller_pauses) {
        result = evtchn_close_all(d);
        if (!result) {
            fifo_destroy(d);
            if (d->evtchn.fifo) /* another vCPU has bound a port meanwhile */
                result = -EAGAIN;
        }
    }
    domain_put(d);
    return result;
}

static long op_init_control(union arguments *a)
{
    struct evtchn_init_control *args = &a->init_control;

    args->link_bits = EVTCHN_FIFO_LINK_BITS;
    return fifo_init_control(current->domain, args->vcpu, args->control_gfn, args->offset);
}

static long op_expand_array(union arguments *a)
{
    return fifo_expand_array(current->domain, a->expand_array.array_gfn);
}

/* Lock held. Counts from the next event on: one that is linked stays in its queue. */
static long set_priority(struct domain *d, struct evtchn *chn, unsigned priority)
{
    if (!d->evtchn.fifo)
        return -ENOSYS;
    if (chn->state < PORT_UNBOUND)
        return -EACCES;
    if (priority > EVTCHN_FIFO_PRIORITY_MIN)
        return -EINVAL;
    WRITE_ONCE(chn->priority, (u8)priority);
    return 0;
}

static long op_set_priority(union arguments *a)
{
    struct domain *d = current->domain;
    long result;

    if (!evtchn_port_ok(d, a->set_priority.port))
        return -EINVAL;
    spin_lock(&d->evtchn.lock);
    result = set_priority(d, port_channel(d, a->set_priority.port), a->set_priority.priority);
    spin_unlock(&d->evtchn.lock);
    return result;
}

#define OP(name, has_results) [EVTCHNOP_##name] = {op_##name, sizeof(struct evtchn_##name), has_results}

static const struct {
    long (*perform)(union arguments *);
    u8 size;
    bool results;
} operations[] = {
    OP(bind_interdomain, true), OP(bind_virq, true),     OP(bind_pirq, true),     OP(close, false),  OP(status, true),
    OP(alloc_unbound, true),    OP(bind_ipi, true),      OP(bind_vcpu, false),    OP(unmask, false), OP(reset, false),
    OP(init_control, true),     OP(expand_array, false), OP(set_priority, false),
};

static __attribute__((noinline)) long other_operation(unsigned long cmd, unsigned long arg)
{
    union arguments a;
    long result;

    if (cmd >= ARRAY_SIZE(operations) || !operations[cmd].perform)
        return -ENOSYS;
    cmd = nospec_index(cmd, ARRAY_SIZE(operations));
    if (copy_from_guest(&a, arg, operations[cmd].size))
        return -EFAULT;
    result = operations[cmd].perform(&a);
    if (likely(!result))
        return operations[cmd].results ? copy_to_guest(arg, &a, operations[cmd].size) : 0;
    if (result == -ERESTART)
        return hypercall_continue(__HYPERVISOR_event_channel_op, 2, cmd, arg);
    return result;
}

long do_event_channel_op(unsigned long cmd, unsigned long arg)
{
    struct evtchn_send send;

    if (unlikely((u32)cmd != EVTCHNOP_send))
        return other_operation((u32)cmd, arg);
    if (copy_from_guest(&send, arg, sizeof(send)))
        return -EFAULT;
    return evtchn_send(current->domain, send.port);
}

/* The old form: the operation's number precedes its structure, and there are only the operations of that time. */
long do_event_channel_op_compat(unsigned long arg)
{
    u32 cmd;

    if (copy_from_guest(&cmd, arg, sizeof(cmd)))
        return -EFAULT;
    if (cmd > EVTCHNOP_unmask)
        return -ENOSYS;
    return do_event_channel_op(cmd, arg + offsetof(struct evtchn_op, u));
}
