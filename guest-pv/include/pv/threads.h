/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Cooperative threads on vCPU 0. A thread runs until it waits, sleeps, yields or exits; event handlers interrupt it
 * but never switch threads. So code between two waits needs no lock against other threads, only against handlers
 * (irq_save in event.h). errno is kept per thread.
 */
#ifndef PV_THREADS_H
#define PV_THREADS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct thread;
struct waiter;

/* A list of threads that wait for something. Zero-initialised is empty: `struct waitq q = {0};`. */
struct waitq {
    struct waiter *first;
};

#define WAITQ_INITIALIZER                                                                                              \
    {                                                                                                                  \
        NULL                                                                                                           \
    }
#define WAIT_FOREVER UINT64_MAX

/* Creates a runnable thread with a stack of 64 KiB between unmapped pages; NULL when memory is short. The name is copied. */
struct thread *thread_create(const char *name, void (*fn)(void *arg), void *arg);
struct thread *thread_create_stack(const char *name, void (*fn)(void *arg), void *arg, size_t stack_size);

struct thread *thread_self(void);
const char *thread_name(const struct thread *thread);
void thread_yield(void);
_Noreturn void thread_exit(void);

/* Waits until the thread has ended. A thread may be joined once; one that nobody joins must be detached to be freed. */
void thread_join(struct thread *thread);
void thread_detach(struct thread *thread);

void thread_sleep_ns(uint64_t ns);
void thread_sleep_until(uint64_t deadline_ns);

void waitq_init(struct waitq *q);

/* Wakes every thread that waits, or the one that waited longest. Callable from event handlers. */
void waitq_wake(struct waitq *q);
void waitq_wake_one(struct waitq *q);

/* Waits for a wake on the queue. The form with a deadline (time_monotonic_ns) returns false when it passed first. */
void waitq_wait(struct waitq *q);
bool waitq_wait_until(struct waitq *q, uint64_t deadline_ns);

/*
 * Waiting on several queues at once: enter each with its own waiter, check the conditions, thread_block, leave all.
 * A wake between enter and thread_block is not lost: thread_block then returns at once.
 */
struct waiter {
    struct waiter *next;
    struct waitq *queue;
    struct thread *thread;
    bool woken;
};

void waiter_enter(struct waiter *w, struct waitq *q);
void waiter_leave(struct waiter *w);
bool thread_block(uint64_t deadline_ns); /* false: the deadline passed */

/* Waits until `condition` holds; the form with a deadline is false when it passed and the condition is still false. */
#define wait_event(q, condition)                                                                                       \
    do {                                                                                                               \
        while (!(condition)) {                                                                                         \
            struct waiter wait_entry_;                                                                                 \
            waiter_enter(&wait_entry_, (q));                                                                           \
            if (!(condition))                                                                                          \
                (void)thread_block(WAIT_FOREVER);                                                                      \
            waiter_leave(&wait_entry_);                                                                                \
        }                                                                                                              \
    } while (0)

#define wait_event_until(q, condition, deadline_ns)                                                                    \
    ({                                                                                                                 \
        bool wait_alive_ = true;                                                                                       \
        while (!(condition) && wait_alive_) {                                                                          \
            struct waiter wait_entry_;                                                                                 \
            waiter_enter(&wait_entry_, (q));                                                                           \
            if (!(condition))                                                                                          \
                wait_alive_ = thread_block(deadline_ns);                                                               \
            waiter_leave(&wait_entry_);                                                                                \
        }                                                                                                              \
        (bool)(condition);                                                                                             \
    })

/* A sleeping lock, not recursive. Zero-initialised is unlocked. Not for handlers. */
struct mutex {
    struct thread *owner;
    struct waitq waiters;
};

#define MUTEX_INITIALIZER                                                                                              \
    {                                                                                                                  \
        NULL, WAITQ_INITIALIZER                                                                                        \
    }

void mutex_init(struct mutex *m);
void mutex_lock(struct mutex *m);
bool mutex_trylock(struct mutex *m);
void mutex_unlock(struct mutex *m);

#endif
