/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Cooperative threads on vCPU 0. Upcalls are masked whenever the run queue or the list of sleepers is touched;
 * handlers only ever make a thread runnable. A thread that blocks keeps its stack to idle on until another can run.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <pv/event.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/threads.h>
#include <pv/time.h>
#include "internal.h"
#include "thread.h"

#define DEFAULT_STACK (64UL << 10)

static struct thread main_thread = {.name = "main", .state = THREAD_RUNNING};
static struct thread *current = &main_thread;
static struct thread *run_first, *run_last;
static struct thread *sleepers; /* by deadline, earliest first */
static struct thread *dead;     /* detached and ended: stacks to free */
static uint64_t timer_deadline;

struct thread *thread_self(void)
{
    return current;
}

const char *thread_name(const struct thread *thread)
{
    return thread->name;
}

static void run_append(struct thread *thread)
{
    thread->state = THREAD_RUNNABLE;
    thread->next_run = NULL;
    if (run_first == NULL)
        run_first = thread;
    else
        run_last->next_run = thread;
    run_last = thread;
}

static void sleeper_insert(struct thread *thread)
{
    struct thread **link = &sleepers;

    while (*link != NULL && (*link)->deadline <= thread->deadline)
        link = &(*link)->next_sleep;
    thread->next_sleep = *link;
    *link = thread;
    thread->sleeping = true;
}

static void sleeper_remove(struct thread *thread)
{
    struct thread **link = &sleepers;

    if (!thread->sleeping)
        return;
    while (*link != thread)
        link = &(*link)->next_sleep;
    *link = thread->next_sleep;
    thread->sleeping = false;
}

void thread_wake(struct thread *thread)
{
    bool enabled = irq_save();

    thread->woken = true;
    if (thread->state == THREAD_BLOCKED) {
        sleeper_remove(thread);
        run_append(thread);
    }
    irq_restore(enabled);
}

static void expire_sleepers(void)
{
    uint64_t now;

    if (sleepers == NULL)
        return;
    now = time_monotonic_ns();
    while (sleepers != NULL && sleepers->deadline <= now) {
        struct thread *thread = sleepers;

        sleeper_remove(thread);
        thread->timed_out = true;
        run_append(thread);
    }
}

/* Blocking opens the upcall mask, and returns after the events that ended it were handled. */
static void idle(void)
{
    uint64_t deadline = sleepers != NULL ? sleepers->deadline : 0;

    /* A deadline that stays the same is set again: an interrupt a moment early must not be the last. */
    if (deadline != timer_deadline || deadline != 0) {
        timer_set(deadline);
        timer_deadline = deadline;
    }
    HYPERVISOR_sched_op(SCHEDOP_block, NULL);
    irq_disable();
}

/* Leaves the processor to the next runnable thread. Upcalls are masked; the caller has queued itself, or not. */
static void schedule(void)
{
    struct thread *self = current, *next;

    if (self->stack != NULL && *(unsigned long *)self->stack != STACK_MARK)
        pv_panic("thread %s has overrun its stack\n", self->name);
    for (;;) {
        expire_sleepers();
        next = run_first;
        if (next != NULL)
            break;
        idle();
    }
    run_first = next->next_run;
    next->state = THREAD_RUNNING;
    if (next == self)
        return;
    self->saved_errno = errno;
    current = next;
    errno = next->saved_errno;
    thread_switch(&self->sp, next->sp);
}

void thread_yield(void)
{
    bool enabled = irq_save();

    run_append(current);
    schedule();
    irq_restore(enabled);
}

bool thread_block(uint64_t deadline_ns)
{
    bool enabled = irq_save();
    bool timed_out = false;

    if (!current->woken) {
        current->state = THREAD_BLOCKED;
        current->timed_out = false;
        if (deadline_ns != WAIT_FOREVER) {
            current->deadline = deadline_ns;
            sleeper_insert(current);
        }
        schedule();
        timed_out = current->timed_out;
    }
    current->woken = false;
    irq_restore(enabled);
    return !timed_out;
}

void thread_sleep_until(uint64_t deadline_ns)
{
    while (time_monotonic_ns() < deadline_ns)
        thread_block(deadline_ns);
}

void thread_sleep_ns(uint64_t ns)
{
    thread_sleep_until(time_monotonic_ns() + ns);
}

static void thread_free(struct thread *thread)
{
    for (unsigned long offset = 0; offset < thread->stack_size; offset += PAGE_SIZE)
        pages_free(thread->stack_pages[offset >> PAGE_SHIFT], 1);
    unmap_frames(thread->stack, thread->stack_size >> PAGE_SHIFT);
    free(thread);
}

static void reap(void)
{
    while (dead != NULL) {
        struct thread *thread = dead;

        dead = thread->next_run;
        thread_free(thread);
    }
}

/* Stack pages sit at fresh addresses with unmapped pages around: running over the end faults. */
static bool stack_map(struct thread *thread, unsigned long pages)
{
    xen_pfn_t frames[THREAD_STACK_PAGES_MAX];
    unsigned long got = 0;

    for (; got < pages; got++) {
        thread->stack_pages[got] = pages_alloc(1);
        if (thread->stack_pages[got] == NULL)
            break;
        frames[got] = pfn_to_mfn(virt_to_pfn(thread->stack_pages[got]));
    }
    if (got == pages)
        thread->stack = map_frames(frames, pages, DOMID_SELF, PTE_KERNEL_RW, NULL);
    if (thread->stack != NULL)
        return true;
    while (got > 0)
        pages_free(thread->stack_pages[--got], 1);
    return false;
}

struct thread *thread_create_stack(const char *name, void (*fn)(void *arg), void *arg, size_t stack_size)
{
    unsigned long pages = (stack_size + PAGE_SIZE - 1) >> PAGE_SHIFT;
    struct thread *thread;
    bool enabled;

    reap();
    if (pages == 0 || pages > THREAD_STACK_PAGES_MAX)
        return NULL;
    thread = calloc(1, sizeof(*thread));
    if (thread == NULL)
        return NULL;
    if (!stack_map(thread, pages)) {
        free(thread);
        return NULL;
    }
    thread->stack_size = pages << PAGE_SHIFT;
    strncpy(thread->name, name, sizeof(thread->name) - 1);
    *(unsigned long *)thread->stack = STACK_MARK;
    thread->sp = thread_stack_prepare((unsigned long)thread->stack + thread->stack_size, fn, arg);
    enabled = irq_save();
    run_append(thread);
    irq_restore(enabled);
    return thread;
}

struct thread *thread_create(const char *name, void (*fn)(void *arg), void *arg)
{
    return thread_create_stack(name, fn, arg, DEFAULT_STACK);
}

void thread_exit(void)
{
    irq_disable();
    current->state = THREAD_ENDED;
    waitq_wake(&current->joiners);
    if (current->detached) {
        current->next_run = dead;
        dead = current;
    }
    schedule();
    pv_panic("an ended thread ran\n");
}

void thread_join(struct thread *thread)
{
    wait_event(&thread->joiners, thread->state == THREAD_ENDED);
    thread_free(thread);
}

void thread_detach(struct thread *thread)
{
    bool enabled = irq_save();

    thread->detached = true;
    if (thread->state == THREAD_ENDED) {
        thread->next_run = dead;
        dead = thread;
    }
    irq_restore(enabled);
}

/* A new thread starts below the irq_save of whoever switched to it. */
void thread_begin(void (*fn)(void *arg), void *arg)
{
    irq_enable();
    fn(arg);
    thread_exit();
}

void threads_init(void)
{
    timer_deadline = 0;
}
