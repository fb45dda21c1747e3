/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Ports of a domain: their allocation, how an event is raised on one, and how one is closed.
 *
 * A port's state changes under its domain's lock. What joins two domains changes under both locks, taken by ascending
 * address. So who holds one end's lock may rely on the other end: it stays bound and its domain stays alive. That is
 * why a send takes the sender's lock alone, and why the lock is never held while anything is waited for.
 */
#include "evtchn_internal.h"
#include "guest_access.h"
#include "table.h"

bool evtchn_port_ok(struct domain *d, unsigned port)
{
    return port < READ_ONCE(d->evtchn.valid_ports);
}

bool vcpu_events_deliverable(struct vcpu *v)
{
    return vcpu_upcall_pending(v) && !vcpu_upcall_mask(v);
}

void vcpu_mark_events_pending(struct vcpu *v)
{
    if (!__atomic_exchange_n(&vcpu_upcall_pending(v), 1, __ATOMIC_SEQ_CST))
        vcpu_kick(v);
}

void evtchn_wake_pollers(struct domain *d, unsigned port)
{
    for (u32 left = READ_ONCE(d->evtchn.poll_mask); left; left &= left - 1) {
        unsigned id = (unsigned)__builtin_ctz(left);
        struct vcpu *v = d->vcpus[id];
        u32 polled = READ_ONCE(v->sched.poll_port);

        if (polled != 0 && polled != port)
            continue;
        if (__atomic_fetch_and(&d->evtchn.poll_mask, ~(1U << id), __ATOMIC_SEQ_CST) & (1U << id))
            vcpu_wake(v);
    }
}

/* Bit strings of the guest's are addressed in 32-bit words: right for both widths of its words. */
static inline bool set_guest_bit(unsigned bit, volatile void *map)
{
    bool old;
    __asm__ volatile("lock btsl %2, %1" : "=@ccc"(old), "+m"(*(volatile u32 *)map) : "r"(bit) : "memory");
    return old;
}

static inline bool clear_guest_bit(unsigned bit, volatile void *map)
{
    bool old;
    __asm__ volatile("lock btrl %2, %1" : "=@ccc"(old), "+m"(*(volatile u32 *)map) : "r"(bit) : "memory");
    return old;
}

static inline bool guest_bit(unsigned bit, const volatile void *map)
{
    return (((const volatile u32 *)map)[bit / 32] >> (bit % 32)) & 1;
}

static inline void select_word(struct domain *d, struct vcpu *v, unsigned port)
{
    volatile void *selector;

    if (unlikely(!v)) /* bound by the tools before the vCPU exists: it looks when it starts */
        return;
    selector = v->is_32bit ? (volatile void *)&v->compat_info->evtchn_pending_sel
                           : (volatile void *)&v->info->evtchn_pending_sel;
    if (!set_guest_bit(port >> d->evtchn.word_shift, selector))
        vcpu_mark_events_pending(v);
}

/* The bit is set in the bitmap. A domain that goes to FIFO meanwhile either finds it there or is seen here to go: it says
 * so and then reads the bitmaps, we set the bit and then look. Both at once make one event too many, never one too few. */
static __attribute__((noinline)) void evtchn_watched(struct domain *d, unsigned vcpu, struct evtchn *chn)
{
    if (READ_ONCE(d->evtchn.left_bitmaps))
        fifo_set_pending(d, vcpu, chn);
    else
        evtchn_wake_pollers(d, chn->port);
}

void evtchn_set_pending(struct domain *d, unsigned vcpu, struct evtchn *chn)
{
    unsigned port = chn->port;

    if (unlikely(d->evtchn.fifo)) {
        fifo_set_pending(d, vcpu, chn);
        return;
    }
    if (!set_guest_bit(port, d->evtchn.pending) && !guest_bit(port, d->evtchn.mask))
        select_word(d, d->vcpus[vcpu], port);
    if (unlikely(READ_ONCE(d->evtchn.watched)))
        evtchn_watched(d, vcpu, chn);
}

/* What an event on the port does is up to its state; one on an unbound port is lost, as the ABI has it. */
long evtchn_send(struct domain *d, unsigned port)
{
    struct evtchn *chn;
    long result = 0;

    if (unlikely(!evtchn_port_ok(d, port)))
        return -EINVAL;
    spin_lock(&d->evtchn.lock);
    chn = port_channel(d, port);
    if (chn->state == PORT_IPI) {
        evtchn_set_pending(d, chn->vcpu, chn);
    } else if (likely(chn->state == PORT_INTERDOMAIN)) {
        struct evtchn *other = port_channel(chn->remote, chn->remote_port);
        evtchn_set_pending(chn->remote, READ_ONCE(other->vcpu), other);
    } else if (chn->state != PORT_UNBOUND) {
        result = -EINVAL;
    }
    spin_unlock(&d->evtchn.lock);
    return result;
}

/* A port in use may be marked pending, masked, cleared; a free one has no state a guest could see. */
static bool port_used(struct domain *d, unsigned port)
{
    return evtchn_port_ok(d, port) && port_channel(d, port)->state >= PORT_UNBOUND;
}

bool evtchn_port_pending(struct domain *d, unsigned port)
{
    bool pending;

    spin_lock(&d->evtchn.lock);
    pending = port_used(d, port) && (d->evtchn.fifo ? fifo_pending(d, port) : guest_bit(port, d->evtchn.pending));
    spin_unlock(&d->evtchn.lock);
    return pending;
}

long evtchn_unmask(struct domain *d, unsigned port)
{
    struct evtchn *chn;

    if (!evtchn_port_ok(d, port))
        return -EINVAL;
    spin_lock(&d->evtchn.lock);
    chn = port_channel(d, port);
    if (chn->state >= PORT_UNBOUND) {
        if (d->evtchn.fifo)
            fifo_unmask(d, chn);
        else if (clear_guest_bit(port, d->evtchn.mask) && guest_bit(port, d->evtchn.pending))
            select_word(d, d->vcpus[chn->vcpu], port);
    }
    spin_unlock(&d->evtchn.lock);
    return 0;
}

void send_guest_vcpu_virq(struct vcpu *v, unsigned virq)
{
    struct domain *d = v->domain;
    u32 port;

    if (v->idle)
        return;
    spin_lock(&d->evtchn.lock);
    port = v->evtchn.virq_port[virq];
    if (port)
        evtchn_set_pending(d, v->id, port_channel(d, port));
    spin_unlock(&d->evtchn.lock);
}

/* A global virq is entered at vCPU 0 whoever is notified. */
void send_guest_global_virq(struct domain *d, unsigned virq)
{
    struct vcpu *v = d->vcpus ? d->vcpus[0] : NULL;
    u32 port;

    if (!v)
        return;
    spin_lock(&d->evtchn.lock);
    port = v->evtchn.virq_port[virq];
    if (port)
        evtchn_set_pending(d, port_channel(d, port)->vcpu, port_channel(d, port));
    spin_unlock(&d->evtchn.lock);
}

void send_global_virq(unsigned virq)
{
    if (domain_zero)
        send_guest_global_virq(domain_zero, virq);
}

bool send_guest_pirq(struct domain *d, unsigned pirq)
{
    u32 port = 0;

    if (pirq >= PIRQ_COUNT)
        return false;
    spin_lock(&d->evtchn.lock);
    if (d->evtchn.pirq_port)
        port = d->evtchn.pirq_port[pirq];
    if (port)
        evtchn_set_pending(d, port_channel(d, port)->vcpu, port_channel(d, port));
    spin_unlock(&d->evtchn.lock);
    return port != 0;
}

static size_t bucket_table_size(const struct domain_evtchn *e)
{
    return e->table_ports / PORTS_PER_BUCKET * sizeof(e->buckets[0]);
}

/* Makes the ports of the next bucket exist. */
static int grow_ports(struct domain *d)
{
    struct domain_evtchn *e = &d->evtchn;
    struct evtchn *bucket;

    if (e->valid_ports >= e->table_ports)
        return -ENOSPC;
    bucket = hv_alloc(PORTS_PER_BUCKET * sizeof(*bucket));
    if (!bucket)
        return -ENOMEM;
    for (unsigned i = 0; i < PORTS_PER_BUCKET; i++)
        bucket[i].port = e->valid_ports + i;
    e->buckets[e->valid_ports / PORTS_PER_BUCKET] = bucket;
    __atomic_store_n(&e->valid_ports, e->valid_ports + PORTS_PER_BUCKET, __ATOMIC_RELEASE);
    return 0;
}

/* First port not in use, from `port` on; table_ports if none. */
static unsigned next_free(const struct domain_evtchn *e, unsigned port)
{
    for (unsigned word = port / 64; word < e->table_ports / 64; word++) {
        u64 candidates = ~e->used[word];
        if (word == port / 64)
            candidates &= ~0UL << (port % 64);
        if (candidates)
            return word * 64 + (unsigned)__builtin_ctzl(candidates);
    }
    return e->table_ports;
}

/* A closed port that a FIFO queue still links may not be reused yet. A guest that leaves thousands of those pays. */
#define MAX_LINKED_SKIPPED 1024

int evtchn_find_free(struct domain *d)
{
    struct domain_evtchn *e = &d->evtchn;
    unsigned skipped = 0, port;
    int error;

    if (d->dying)
        return -EINVAL;
    port = e->first_free;
    if (unlikely(port >= e->table_ports || test_bit(port, e->used)))
        port = e->first_free = next_free(e, port);
    while (e->fifo && port < e->valid_ports && fifo_linked(d, port))
        port = next_free(e, ++skipped < MAX_LINKED_SKIPPED ? port + 1 : MAX(port + 1, e->valid_ports));
    if (unlikely(port >= e->limit))
        return -ENOSPC;
    while (port >= e->valid_ports) {
        error = grow_ports(d);
        if (error)
            return error;
    }
    return (int)port;
}

struct evtchn *evtchn_take(struct domain *d, unsigned port, enum port_state state, unsigned vcpu)
{
    struct evtchn *chn = port_channel(d, port);

    d->evtchn.used[port / 64] |= 1UL << (port % 64);
    d->evtchn.active++;
    d->evtchn.first_free += port == d->evtchn.first_free;
    chn->state = (u8)state;
    chn->vcpu = (u16)vcpu;
    chn->priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
    return chn;
}

IN_PLACE void release_port(struct domain *d, struct evtchn *chn)
{
    unsigned port = chn->port;

    if (d->evtchn.fifo)
        fifo_clear_pending(d, port);
    else
        clear_guest_bit(port, d->evtchn.pending);
    chn->pending_unlinked = false;
    chn->remote = NULL;
    chn->vcpu = 0;
    chn->state = PORT_FREE;
    d->evtchn.used[port / 64] &= ~(1UL << (port % 64));
    d->evtchn.first_free = MIN(d->evtchn.first_free, port);
    d->evtchn.active--;
}

void evtchn_lock_two(struct domain *a, struct domain *b)
{
    spin_lock(a <= b ? &a->evtchn.lock : &b->evtchn.lock);
    if (a != b)
        spin_lock(a < b ? &b->evtchn.lock : &a->evtchn.lock);
}

void evtchn_unlock_two(struct domain *a, struct domain *b)
{
    spin_unlock(&a->evtchn.lock);
    if (a != b)
        spin_unlock(&b->evtchn.lock);
}

/* d's lock held: takes the other end's too, or gives d's back and says false: the order forbids to wait. */
IN_PLACE bool lock_other_end(struct domain *d, struct domain *other)
{
    if (other == d || spin_trylock(&other->evtchn.lock))
        return true;
    if (d < other) {
        spin_lock(&other->evtchn.lock);
        return true;
    }
    spin_unlock(&d->evtchn.lock);
    sched_relax(); /* whoever has the other may wait for our flush */
    return false;
}

static void unbind_virq(struct domain *d, const struct evtchn *chn)
{
    for (unsigned i = 0; i < d->max_vcpus; i++)
        if (d->vcpus[i] && d->vcpus[i]->evtchn.virq_port[chn->virq] == chn->port)
            d->vcpus[i]->evtchn.virq_port[chn->virq] = 0;
}

static void unbind_interdomain(struct domain *d, const struct evtchn *chn)
{
    struct evtchn *other = port_channel(chn->remote, chn->remote_port);

    other->state = PORT_UNBOUND;
    other->remote = NULL;
    other->remote_domid = d->id;
}

/* Both ends' locks held. */
IN_PLACE long close_locked(struct domain *d, struct evtchn *chn)
{
    switch (chn->state) {
    case PORT_FREE:
    case PORT_RESERVED:
        return -EINVAL;
    case PORT_INTERDOMAIN:
        unbind_interdomain(d, chn);
        break;
    case PORT_VIRQ:
        unbind_virq(d, chn);
        break;
    case PORT_PIRQ:
        d->evtchn.pirq_port[chn->pirq] = 0;
        pirq_unbind(d, chn->pirq);
        break;
    default:
        break;
    }
    release_port(d, chn);
    return 0;
}

long evtchn_close(struct domain *d, unsigned port)
{
    struct domain *other;
    struct evtchn *chn;
    long result;

    if (!evtchn_port_ok(d, port))
        return -EINVAL;
    chn = port_channel(d, port);
    do {
        spin_lock(&d->evtchn.lock);
        other = chn->state == PORT_INTERDOMAIN ? chn->remote : d;
    } while (!lock_other_end(d, other));
    result = close_locked(d, chn);
    evtchn_unlock_two(d, other);
    return result;
}

#define CLOSES_PER_CHECK 32

COLD int evtchn_close_all(struct domain *d)
{
    struct domain_evtchn *e = &d->evtchn;
    unsigned closed = 0;

    for (unsigned word = 0; word * 64 < e->valid_ports; word++) {
        u64 used;
        while ((used = READ_ONCE(e->used[word]) & ~(word == 0 ? 1UL : 0UL)) != 0) {
            (void)evtchn_close(d, word * 64 + (unsigned)__builtin_ctzl(used));
            if (++closed % CLOSES_PER_CHECK == 0 && hypercall_preempt_check())
                return -ERESTART;
        }
    }
    return 0;
}

/* Port 0 is never handed out: 0 means none. */
COLD int evtchn_init(struct domain *d, unsigned max_port)
{
    struct domain_evtchn *e = &d->evtchn;

    e->max_port = MIN(max_port, EVTCHN_FIFO_NR_CHANNELS - 1U);
    e->table_ports = (u32)ROUND_UP(e->max_port + 1, 64); /* whole words of the bitmap */
    e->buckets = table_alloc(bucket_table_size(e));
    e->used = table_alloc(e->table_ports / 8);
    while (e->valid_ports < PORTS_AT_FIRST)
        if (!e->buckets || !e->used || grow_ports(d)) {
            evtchn_free(d);
            return -ENOMEM;
        }
    evtchn_take(d, 0, PORT_RESERVED, 0);
    e->first_free = 1;
    evtchn_shared_info_changed(d);
    return 0;
}

void evtchn_update_limit(struct domain *d)
{
    u32 ports = d->evtchn.fifo ? EVTCHN_FIFO_NR_CHANNELS : d->is_32bit ? 1024 : 4096;

    d->evtchn.limit = MIN(ports, d->evtchn.max_port + 1);
}

COLD void evtchn_shared_info_changed(struct domain *d)
{
    struct domain_evtchn *e = &d->evtchn;

    if (d->is_32bit) {
        e->pending = (u64 *)d->compat_shared_info->evtchn_pending;
        e->mask = (u64 *)d->compat_shared_info->evtchn_mask;
        e->word_shift = 5;
    } else {
        e->pending = d->shared_info->evtchn_pending;
        e->mask = d->shared_info->evtchn_mask;
        e->word_shift = 6;
    }
    evtchn_update_limit(d);
}

COLD int evtchn_destroy(struct domain *d)
{
    int error;

    /* Whoever saw the domain alive has taken his port when the lock is free. */
    spin_lock(&d->evtchn.lock);
    spin_unlock(&d->evtchn.lock);
    error = evtchn_close_all(d);
    if (!error)
        fifo_destroy(d);
    return error;
}

COLD void evtchn_free(struct domain *d)
{
    struct domain_evtchn *e = &d->evtchn;

    for (unsigned i = 0; e->buckets && i < e->valid_ports / PORTS_PER_BUCKET; i++)
        hv_free(e->buckets[i]);
    table_free(e->buckets, bucket_table_size(e));
    table_free(e->used, e->table_ports / 8);
    hv_free(e->pirq_port);
    memset(e, 0, sizeof(*e));
}

COLD void evtchn_vcpu_destroy(struct vcpu *v)
{
    hv_free(v->evtchn.fifo);
    v->evtchn.fifo = NULL;
}

COLD void evtchn_dump(struct domain *d)
{
    static const char *const names[] = {"free", "reserved", "unbound", "interdomain", "pirq", "virq", "ipi"};
    struct domain_evtchn *e = &d->evtchn;

    spin_lock(&e->lock);
    logf(LOG_INFO, "d%u event channels: %s, %u in use, limit %u, polling vCPUs %x\n", d->id,
         e->fifo ? "FIFO" : "2-level", e->active, e->max_port, e->poll_mask);
    for (unsigned port = 1; port < e->valid_ports; port++) {
        const struct evtchn *chn = port_channel(d, port);
        bool pending, masked;
        if (chn->state < PORT_UNBOUND)
            continue;
        pending = e->fifo ? fifo_pending(d, port) : guest_bit(port, e->pending);
        masked = e->fifo ? fifo_masked(d, port) : guest_bit(port, e->mask);
        logf(LOG_INFO, "  port %u %s vcpu %u remote d%d data %u%s%s\n", port, names[chn->state], chn->vcpu,
             chn->remote ? chn->remote->id : -1, chn->remote_port, pending ? " pending" : "", masked ? " masked" : "");
    }
    spin_unlock(&e->lock);
}
