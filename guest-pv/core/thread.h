/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The inside of a thread, for the scheduler and the waiting primitives.
 */
#ifndef CORE_THREAD_H
#define CORE_THREAD_H

#include <pv/threads.h>

#define STACK_MARK             0x7061726bUL
#define THREAD_STACK_PAGES_MAX 256UL

enum thread_state { THREAD_RUNNABLE, THREAD_RUNNING, THREAD_BLOCKED, THREAD_ENDED };

struct thread {
    unsigned long sp;
    enum thread_state state;
    bool woken, timed_out, sleeping, detached;
    int saved_errno;
    uint64_t deadline;
    struct thread *next_run, *next_sleep;
    struct waitq joiners;
    char name[24];
    char *stack;
    unsigned long stack_size;
    void *stack_pages[THREAD_STACK_PAGES_MAX];
};

/* From a handler or a thread: the thread's current or next thread_block returns. */
void thread_wake(struct thread *thread);

void thread_switch(unsigned long *save_sp, unsigned long load_sp);
void thread_trampoline(void);
void thread_begin(void (*fn)(void *arg), void *arg);

/* Lays out what thread_switch pops for a first run; returns the stack pointer to load. */
unsigned long thread_stack_prepare(unsigned long top, void (*fn)(void *arg), void *arg);

#endif
