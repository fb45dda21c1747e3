/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Wait queues and sleeping locks. Queues are in order of arrival and are changed with upcalls masked.
 */
#include <pv/event.h>
#include <pv/threads.h>
#include "internal.h"
#include "thread.h"

void waitq_init(struct waitq *q)
{
    q->first = NULL;
}

void waiter_enter(struct waiter *w, struct waitq *q)
{
    struct waiter **link = &q->first;
    bool enabled = irq_save();

    w->next = NULL;
    w->queue = q;
    w->thread = thread_self();
    w->woken = false;
    while (*link != NULL)
        link = &(*link)->next;
    *link = w;
    irq_restore(enabled);
}

void waiter_leave(struct waiter *w)
{
    struct waiter **link = &w->queue->first;
    bool enabled = irq_save();

    while (*link != NULL && *link != w)
        link = &(*link)->next;
    if (*link == w)
        *link = w->next;
    irq_restore(enabled);
}

void waitq_wake(struct waitq *q)
{
    bool enabled = irq_save();

    for (struct waiter *w = q->first; w != NULL; w = w->next) {
        w->woken = true;
        thread_wake(w->thread);
    }
    irq_restore(enabled);
}

void waitq_wake_one(struct waitq *q)
{
    bool enabled = irq_save();
    struct waiter *w = q->first;

    while (w != NULL && w->woken)
        w = w->next;
    if (w != NULL) {
        w->woken = true;
        thread_wake(w->thread);
    }
    irq_restore(enabled);
}

bool waitq_wait_until(struct waitq *q, uint64_t deadline_ns)
{
    struct waiter w;
    bool alive = true;

    waiter_enter(&w, q);
    while (!w.woken && alive)
        alive = thread_block(deadline_ns);
    waiter_leave(&w);
    return w.woken;
}

void waitq_wait(struct waitq *q)
{
    (void)waitq_wait_until(q, WAIT_FOREVER);
}

void mutex_init(struct mutex *m)
{
    m->owner = NULL;
    waitq_init(&m->waiters);
}

bool mutex_trylock(struct mutex *m)
{
    if (m->owner != NULL)
        return false;
    m->owner = thread_self();
    return true;
}

void mutex_lock(struct mutex *m)
{
    if (m->owner == thread_self())
        pv_panic("thread %s waits for a lock that it holds\n", thread_name(m->owner));
    while (!mutex_trylock(m))
        wait_event(&m->waiters, m->owner == NULL);
}

void mutex_unlock(struct mutex *m)
{
    if (m->owner != thread_self())
        pv_panic("thread %s opens a lock it does not hold\n", thread_name(thread_self()));
    m->owner = NULL;
    waitq_wake_one(&m->waiters);
}
