/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Event channels, 2-level. A port without a handler is masked when it fires, so that it cannot fire forever.
 */
#include <errno.h>
#include <string.h>
#include <pv/event.h>
#include <pv/hypercall.h>
#include <pv/smp.h>
#include "internal.h"

#define WORD_BITS (8 * sizeof(xen_ulong_t))
#define PORTS     (WORD_BITS * WORD_BITS)

static struct {
    event_handler_t *handler;
    void *data;
} ports[PORTS];

/*
 * Ports of secondary vCPUs. All vCPUs share the pending bits, so each must leave alone what is for another: an interrupt
 * meant for one would be lost on the other.
 */
static xen_ulong_t owned[XEN_LEGACY_MAX_VCPUS][WORD_BITS]; /* [0] stays empty: vCPU 0 has what nobody else has */
static xen_ulong_t of_others[WORD_BITS];

static unsigned long upcalls;

static struct vcpu_info *this_vcpu(void)
{
    return &shared_info->vcpu_info[smp_cpu_id()];
}

static xen_ulong_t bit_of(evtchn_port_t port)
{
    return (xen_ulong_t)1 << (port % WORD_BITS);
}

void event_mask(evtchn_port_t port)
{
    if (port < PORTS)
        __atomic_fetch_or(&shared_info->evtchn_mask[port / WORD_BITS], bit_of(port), __ATOMIC_SEQ_CST);
}

static bool is_pending(evtchn_port_t port)
{
    return __atomic_load_n(&shared_info->evtchn_pending[port / WORD_BITS], __ATOMIC_SEQ_CST) & bit_of(port);
}

void event_unmask(evtchn_port_t port)
{
    struct evtchn_unmask unmask = {.port = port};

    if (port >= PORTS)
        return;
    if (!is_pending(port)) {
        __atomic_fetch_and(&shared_info->evtchn_mask[port / WORD_BITS], ~bit_of(port), __ATOMIC_SEQ_CST);
        if (!is_pending(port))
            return;
        /* It fired in between: only a masked port is looked at again by the hypercall. */
        event_mask(port);
    }
    HYPERVISOR_event_channel_op(EVTCHNOP_unmask, &unmask);
}

bool event_test_and_clear(evtchn_port_t port)
{
    xen_ulong_t bit = bit_of(port);

    if (port >= PORTS)
        return false;
    return __atomic_fetch_and(&shared_info->evtchn_pending[port / WORD_BITS], ~bit, __ATOMIC_SEQ_CST) & bit;
}

static void set_owner(evtchn_port_t port, unsigned int vcpu)
{
    unsigned int word = port / WORD_BITS;

    if (port >= PORTS)
        return;
    for (unsigned int other = 1; other < XEN_LEGACY_MAX_VCPUS; other++)
        __atomic_fetch_and(&owned[other][word], ~bit_of(port), __ATOMIC_SEQ_CST);
    __atomic_fetch_and(&of_others[word], ~bit_of(port), __ATOMIC_SEQ_CST);
    if (vcpu != 0 && vcpu < XEN_LEGACY_MAX_VCPUS) {
        __atomic_fetch_or(&of_others[word], bit_of(port), __ATOMIC_SEQ_CST);
        __atomic_fetch_or(&owned[vcpu][word], bit_of(port), __ATOMIC_SEQ_CST);
    }
}

static xen_ulong_t deliverable(unsigned int word, unsigned int vcpu)
{
    xen_ulong_t ours = vcpu == 0 ? ~__atomic_load_n(&of_others[word], __ATOMIC_SEQ_CST)
                                 : __atomic_load_n(&owned[vcpu][word], __ATOMIC_SEQ_CST);

    return ours & __atomic_load_n(&shared_info->evtchn_pending[word], __ATOMIC_SEQ_CST) &
           ~__atomic_load_n(&shared_info->evtchn_mask[word], __ATOMIC_SEQ_CST);
}

static void deliver(evtchn_port_t port)
{
    event_test_and_clear(port);
    if (ports[port].handler != NULL)
        ports[port].handler(port, ports[port].data);
    else
        event_mask(port);
}

/* Entered with upcalls masked. The flag is cleared first: what fires later sets it again and gets its own upcall. */
void event_upcall(void)
{
    unsigned int cpu = smp_cpu_id();
    struct vcpu_info *vcpu = &shared_info->vcpu_info[cpu];

    upcalls++;
    while (__atomic_exchange_n(&vcpu->evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST)) {
        xen_ulong_t words = __atomic_exchange_n(&vcpu->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);

        for (; words != 0; words &= words - 1) {
            unsigned int word = (unsigned int)__builtin_ctzl(words);
            xen_ulong_t bits;

            while ((bits = deliverable(word, cpu)) != 0)
                deliver(word * WORD_BITS + (unsigned int)__builtin_ctzl(bits));
        }
    }
}

unsigned long event_upcalls(void)
{
    return upcalls;
}

bool irq_save(void)
{
    struct vcpu_info *vcpu = this_vcpu();
    bool enabled = vcpu->evtchn_upcall_mask == 0;

    __atomic_store_n(&vcpu->evtchn_upcall_mask, 1, __ATOMIC_SEQ_CST);
    return enabled;
}

void irq_disable(void)
{
    (void)irq_save();
}

/* Any hypercall delivers what came while the mask was set. */
void irq_enable(void)
{
    struct vcpu_info *vcpu = this_vcpu();

    __atomic_store_n(&vcpu->evtchn_upcall_mask, 0, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&vcpu->evtchn_upcall_pending, __ATOMIC_SEQ_CST))
        HYPERVISOR_xen_version(XENVER_version, NULL);
}

void irq_restore(bool were_enabled)
{
    if (were_enabled)
        irq_enable();
}

int event_set_handler(evtchn_port_t port, event_handler_t *handler, void *data)
{
    if (port >= PORTS)
        return -ERANGE;
    if (ports[port].handler != NULL)
        return -EBUSY;
    if (handler == NULL)
        return 0;
    ports[port].data = data;
    __atomic_store_n(&ports[port].handler, handler, __ATOMIC_RELEASE);
    event_unmask(port);
    return 0;
}

void event_clear_handler(evtchn_port_t port)
{
    if (port >= PORTS)
        return;
    event_mask(port);
    ports[port].handler = NULL;
}

int event_close(evtchn_port_t port)
{
    struct evtchn_close close = {.port = port};
    long rc;

    event_clear_handler(port);
    rc = HYPERVISOR_event_channel_op(EVTCHNOP_close, &close);
    event_test_and_clear(port);
    set_owner(port, 0);
    return (int)pv_error(rc);
}

/* Finishes a binding: the port must fit our table and gets its handler, or is closed again. */
static int bound(long rc, evtchn_port_t port, event_handler_t *handler, void *data)
{
    if (rc != 0)
        return (int)pv_error(rc);
    rc = event_set_handler(port, handler, data);
    if (rc != 0) {
        event_close(port);
        return (int)rc;
    }
    return (int)port;
}

int event_alloc_unbound(domid_t remote, event_handler_t *handler, void *data)
{
    struct evtchn_alloc_unbound op = {.dom = DOMID_SELF, .remote_dom = remote};
    long rc = HYPERVISOR_event_channel_op(EVTCHNOP_alloc_unbound, &op);

    return bound(rc, op.port, handler, data);
}

int event_bind_interdomain(domid_t remote, evtchn_port_t remote_port, event_handler_t *handler, void *data)
{
    struct evtchn_bind_interdomain op = {.remote_dom = remote, .remote_port = remote_port};
    long rc = HYPERVISOR_event_channel_op(EVTCHNOP_bind_interdomain, &op);

    return bound(rc, op.local_port, handler, data);
}

int event_bind_virq(unsigned int virq, unsigned int vcpu, event_handler_t *handler, void *data)
{
    struct evtchn_bind_virq op = {.virq = virq, .vcpu = vcpu};
    long rc = HYPERVISOR_event_channel_op(EVTCHNOP_bind_virq, &op);

    if (rc == 0)
        set_owner(op.port, vcpu);
    return bound(rc, op.port, handler, data);
}

int event_bind_ipi(unsigned int vcpu, event_handler_t *handler, void *data)
{
    struct evtchn_bind_ipi op = {.vcpu = vcpu};
    long rc = HYPERVISOR_event_channel_op(EVTCHNOP_bind_ipi, &op);

    if (rc == 0)
        set_owner(op.port, vcpu);
    return bound(rc, op.port, handler, data);
}

int event_bind_pirq(unsigned int pirq, bool shared, event_handler_t *handler, void *data)
{
    struct evtchn_bind_pirq op = {.pirq = pirq, .flags = shared ? BIND_PIRQ__WILL_SHARE : 0};
    long rc = HYPERVISOR_event_channel_op(EVTCHNOP_bind_pirq, &op);

    return bound(rc, op.port, handler, data);
}

int event_notify(evtchn_port_t port)
{
    struct evtchn_send send = {.port = port};

    return (int)pv_error(HYPERVISOR_event_channel_op(EVTCHNOP_send, &send));
}

void events_forget(void)
{
    memset(ports, 0, sizeof(ports));
    memset(owned, 0, sizeof(owned));
    memset(of_others, 0, sizeof(of_others));
    events_init();
}

void events_init(void)
{
    for (unsigned int word = 0; word < WORD_BITS; word++)
        shared_info->evtchn_mask[word] = ~(xen_ulong_t)0;
}
