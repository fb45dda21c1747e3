/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The FIFO form of event channels: a word per port in pages of the guest's, and per vCPU and priority a queue of ports,
 * linked through those words, whose head is in the vCPU's control block and whose tail only we know.
 *
 * The guest unlinks at the head while we link at the tail, and may write anything into its words. So no link of the
 * guest's is ever followed: we write links, and read of a word only the flags. Retries are bounded. One lock of the
 * domain serialises all linking; it is taken inside the event lock of whichever domain sends.
 */
#include "evtchn_internal.h"

#define WORDS_PER_PAGE (PAGE_SIZE / sizeof(event_word_t))
#define MAX_PAGES      (EVTCHN_FIFO_NR_CHANNELS / WORDS_PER_PAGE)

#define WORD_PENDING   (1U << EVTCHN_FIFO_PENDING)
#define WORD_MASKED    (1U << EVTCHN_FIFO_MASKED)
#define WORD_LINKED    (1U << EVTCHN_FIFO_LINKED)
#define WORD_BUSY      (1U << EVTCHN_FIFO_BUSY)

struct evtchn_fifo_vcpu {
    struct evtchn_fifo_control_block *control; /* NULL until the guest names it; holds a writable reference */
    u32 tail[EVTCHN_FIFO_MAX_QUEUES];          /* port linked last; 0 if consumed or never */
};

struct evtchn_fifo {
    spinlock_t lock;
    u32 pages;
    event_word_t
        *array[MAX_PAGES + MAX_VCPUS]; /* each holds a writable reference; at the end control blocks join them */
};

static event_word_t *word_of(const struct domain *d, unsigned port)
{
    const struct evtchn_fifo *fifo = d->evtchn.fifo;

    if (unlikely(port / WORDS_PER_PAGE >= READ_ONCE(fifo->pages)))
        return NULL;
    return &fifo->array[port / WORDS_PER_PAGE][port % WORDS_PER_PAGE];
}

static u32 flags_of(const struct domain *d, unsigned port)
{
    const event_word_t *word = word_of(d, port);
    return word ? __atomic_load_n(word, __ATOMIC_ACQUIRE) : 0;
}

bool fifo_pending(const struct domain *d, unsigned port)
{
    return (flags_of(d, port) & WORD_PENDING) != 0;
}

bool fifo_masked(const struct domain *d, unsigned port)
{
    return !word_of(d, port) || (flags_of(d, port) & WORD_MASKED);
}

bool fifo_linked(const struct domain *d, unsigned port)
{
    return (flags_of(d, port) & WORD_LINKED) != 0;
}

void fifo_clear_pending(struct domain *d, unsigned port)
{
    event_word_t *word = word_of(d, port);

    if (word)
        __atomic_fetch_and(word, ~WORD_PENDING, __ATOMIC_SEQ_CST);
}

enum link_result { LINK_DONE, LINK_UNLINKED, LINK_RACED };

static enum link_result try_link(event_word_t *tail, event_word_t *seen, unsigned port)
{
    event_word_t old = *seen;

    if (!(old & WORD_LINKED))
        return LINK_UNLINKED;
    if (__atomic_compare_exchange_n(tail, seen, (old & ~(WORD_BUSY | EVTCHN_FIFO_LINK_MASK)) | port, false,
                                    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        return LINK_DONE;
    return LINK_RACED;
}

/* With BUSY set an honest guest leaves the word alone but for two changes at most: clearing PENDING and setting
 * MASKED. One that still races loses the event. */
#define LINK_TRIES 4

/* Appends port behind the tail. False: the guest has consumed the tail, the queue is empty. */
static bool link_behind(struct domain *d, unsigned tail_port, unsigned port)
{
    event_word_t *tail = word_of(d, tail_port), seen;
    enum link_result result;

    if (!tail)
        return false;
    seen = __atomic_load_n(tail, __ATOMIC_ACQUIRE);
    result = try_link(tail, &seen, port);
    if (result != LINK_RACED)
        return result == LINK_DONE;

    seen = __atomic_or_fetch(tail, WORD_BUSY, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < LINK_TRIES; i++) {
        result = try_link(tail, &seen, port);
        if (result == LINK_DONE)
            return true;
        if (result == LINK_UNLINKED)
            break;
    }
    __atomic_fetch_and(tail, ~WORD_BUSY, __ATOMIC_SEQ_CST);
    if (result == LINK_RACED)
        guest_logf(LOG_WARNING, "d%u: FIFO event word of port %u changes too fast, port %u lost\n", d->id, tail_port,
                   port);
    return result == LINK_RACED;
}

/* fifo->lock held; the word is pending. Links it to the queue unless it is linked or masked. */
static void link_event(struct domain *d, unsigned vcpu, struct evtchn *chn, event_word_t *word)
{
    struct vcpu *v = d->vcpus[vcpu];
    struct evtchn_fifo_vcpu *queues = v ? v->evtchn.fifo : NULL, *old_queues;
    unsigned port = chn->port, queue = chn->priority;
    bool linked;

    if (!queues || !queues->control || (__atomic_fetch_or(word, WORD_LINKED, __ATOMIC_SEQ_CST) & WORD_LINKED))
        return;
    /* It was not linked, so if it is still known as a tail, that queue is empty. */
    old_queues = d->vcpus[chn->last_vcpu] ? d->vcpus[chn->last_vcpu]->evtchn.fifo : NULL;
    if (old_queues && old_queues->tail[chn->last_priority] == port)
        old_queues->tail[chn->last_priority] = 0;
    chn->last_vcpu = (u16)vcpu;
    chn->last_priority = (u8)queue;
    __atomic_fetch_and(word, ~EVTCHN_FIFO_LINK_MASK, __ATOMIC_SEQ_CST);

    linked = queues->tail[queue] && link_behind(d, queues->tail[queue], port);
    if (!linked)
        __atomic_store_n(&queues->control->head[queue], port, __ATOMIC_SEQ_CST);
    queues->tail[queue] = port;
    if (!linked && !(__atomic_fetch_or(&queues->control->ready, 1U << queue, __ATOMIC_SEQ_CST) & (1U << queue)))
        vcpu_mark_events_pending(v);
}

void fifo_set_pending(struct domain *d, unsigned vcpu, struct evtchn *chn)
{
    struct evtchn_fifo *fifo = d->evtchn.fifo;
    event_word_t *word, old;

    spin_lock(&fifo->lock);
    word = word_of(d, chn->port);
    if (!word) {
        chn->pending_unlinked = true;
        spin_unlock(&fifo->lock);
        return;
    }
    old = __atomic_fetch_or(word, WORD_PENDING, __ATOMIC_SEQ_CST);
    if (!(old & (WORD_MASKED | WORD_LINKED)))
        link_event(d, vcpu, chn, word);
    spin_unlock(&fifo->lock);
    if (!(old & WORD_PENDING) && READ_ONCE(d->evtchn.poll_mask))
        evtchn_wake_pollers(d, chn->port);
}

void fifo_unmask(struct domain *d, struct evtchn *chn)
{
    event_word_t *word = word_of(d, chn->port);

    if (word && (__atomic_fetch_and(word, ~WORD_MASKED, __ATOMIC_SEQ_CST) & WORD_PENDING))
        fifo_set_pending(d, chn->vcpu, chn);
}

/* A page of the guest's that we shall write to, with a reference and a type reference. */
static void *map_guest_page(struct domain *d, u64 gfn)
{
    mfn_t mfn = mfn_of(gfn);

    if (page_get_and_type(mfn, d, FRAME_WRITABLE, false))
        return NULL;
    return mfn_to_virt(mfn);
}

static void unmap_guest_page(void *page)
{
    page_put_and_type(virt_to_mfn((void *)((unsigned long)page & PAGE_MASK)));
}

/* Event lock held. The domain has no FIFO yet: queues for all its vCPUs, and what was pending stays so. */
static int start_fifo(struct domain *d)
{
    struct evtchn_fifo *fifo = hv_alloc(sizeof(*fifo));

    if (!fifo)
        return -ENOMEM;
    for (unsigned i = 0; i < d->max_vcpus; i++) {
        struct vcpu *v = d->vcpus[i];
        if (!v || v->evtchn.fifo)
            continue;
        v->evtchn.fifo = hv_alloc(sizeof(*v->evtchn.fifo));
        if (!v->evtchn.fifo) {
            hv_free(fifo);
            return -ENOMEM; /* queues that some vCPUs have now are used by the next attempt */
        }
    }
    __atomic_store_n(&d->evtchn.fifo, fifo, __ATOMIC_RELEASE);
    __atomic_store_n(&d->evtchn.left_bitmaps, 1, __ATOMIC_SEQ_CST); /* before they are read: evtchn_watched() */
    for (unsigned port = 1; port < MIN(d->evtchn.valid_ports, d->evtchn.limit); port++)
        if (test_bit(port, d->evtchn.pending))
            port_channel(d, port)->pending_unlinked = true;
    evtchn_update_limit(d);
    return 0;
}

long fifo_init_control(struct domain *d, unsigned vcpu, u64 gfn, unsigned offset)
{
    struct vcpu *v = vcpu < d->max_vcpus ? d->vcpus[nospec_index(vcpu, d->max_vcpus)] : NULL;
    char *page;
    int error = 0;

    if (!v)
        return -ENOENT;
    if (offset > PAGE_SIZE - sizeof(struct evtchn_fifo_control_block) || (offset & 7))
        return -EINVAL;
    page = map_guest_page(d, gfn);
    if (!page)
        return -EINVAL; /* and the domain stays with the bitmaps if it had them */
    spin_lock(&d->evtchn.lock);
    if (!d->evtchn.fifo)
        error = start_fifo(d);
    if (!error && (!v->evtchn.fifo || v->evtchn.fifo->control))
        error = -EINVAL;
    if (!error)
        __atomic_store_n(&v->evtchn.fifo->control, (void *)(page + offset), __ATOMIC_RELEASE);
    spin_unlock(&d->evtchn.lock);
    if (error)
        unmap_guest_page(page);
    return error;
}

/* Event lock held: what was raised on the page's ports before it existed. */
static void raise_delayed(struct domain *d, unsigned first)
{
    for (unsigned port = first; port < MIN(first + WORDS_PER_PAGE, d->evtchn.valid_ports); port++) {
        struct evtchn *chn = port_channel(d, port);
        if (!chn->pending_unlinked)
            continue;
        chn->pending_unlinked = false;
        if (chn->state >= PORT_UNBOUND)
            fifo_set_pending(d, chn->vcpu, chn);
    }
}

static int add_page(struct domain *d, void *page)
{
    struct evtchn_fifo *fifo = d->evtchn.fifo;
    unsigned slot;

    if (!fifo)
        return -EOPNOTSUPP;
    if (fifo->pages >= MAX_PAGES)
        return -ENOSPC;
    if (!page)
        return -EINVAL;
    spin_lock(&fifo->lock);
    slot = fifo->pages;
    fifo->array[slot] = page;
    __atomic_store_n(&fifo->pages, slot + 1, __ATOMIC_RELEASE);
    spin_unlock(&fifo->lock);
    raise_delayed(d, slot * WORDS_PER_PAGE);
    return 0;
}

long fifo_expand_array(struct domain *d, u64 gfn)
{
    void *page = map_guest_page(d, gfn);
    int error;

    spin_lock(&d->evtchn.lock);
    error = add_page(d, page);
    spin_unlock(&d->evtchn.lock);
    if (error && page)
        unmap_guest_page(page);
    return error;
}

/* Back to 2-level: only when no port is in use, so that nobody sends. Pages are given back without the lock, since that
 * waits for locks under which interrupts may come, and send events. */
void fifo_destroy(struct domain *d)
{
    struct evtchn_fifo *fifo;

    spin_lock(&d->evtchn.lock);
    fifo = d->evtchn.active == 1 ? d->evtchn.fifo : NULL;
    if (fifo) {
        d->evtchn.left_bitmaps = 0;
        d->evtchn.fifo = NULL;
    }
    for (unsigned i = 0; fifo && i < d->max_vcpus; i++) {
        struct evtchn_fifo_vcpu *queues = d->vcpus[i] ? d->vcpus[i]->evtchn.fifo : NULL;
        if (queues && queues->control)
            fifo->array[fifo->pages++] = (event_word_t *)queues->control;
        if (queues)
            memset(queues, 0, sizeof(*queues));
    }
    evtchn_update_limit(d);
    spin_unlock(&d->evtchn.lock);
    for (unsigned i = 0; fifo && i < fifo->pages; i++)
        unmap_guest_page(fifo->array[i]);
    hv_free(fifo);
}

void evtchn_frames(struct domain *d, void (*visit)(mfn_t mfn))
{
    spin_lock(&d->evtchn.lock);
    for (unsigned i = 0; d->evtchn.fifo && i < d->evtchn.fifo->pages; i++)
        visit(virt_to_mfn(d->evtchn.fifo->array[i]));
    for (unsigned i = 0; i < d->max_vcpus; i++) {
        const struct evtchn_fifo_vcpu *queues = d->vcpus[i] ? d->vcpus[i]->evtchn.fifo : NULL;
        if (queues && queues->control)
            visit(virt_to_mfn(queues->control));
    }
    spin_unlock(&d->evtchn.lock);
}
