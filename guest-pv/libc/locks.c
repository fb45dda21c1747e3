/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * newlib's locks, over cooperative threads. A stream's lock may be held while its owner waits for room on the
 * console; malloc's never is.
 */
#include <stdlib.h>
#include <sys/lock.h>
#include <pv/threads.h>

struct __lock {
    struct thread *owner;
    unsigned int depth;
    struct waitq waiters;
};

struct __lock __lock___sinit_recursive_mutex, __lock___sfp_recursive_mutex, __lock___atexit_recursive_mutex,
    __lock___at_quick_exit_mutex, __lock___malloc_recursive_mutex, __lock___env_recursive_mutex, __lock___tz_mutex,
    __lock___dd_hash_mutex, __lock___arc4random_mutex;

/* Failing to allocate leaves the stream without a lock: it then works for one thread at a time. */
void __retarget_lock_init(_LOCK_T *lock)
{
    *lock = calloc(1, sizeof(struct __lock));
}

void __retarget_lock_init_recursive(_LOCK_T *lock)
{
    __retarget_lock_init(lock);
}

void __retarget_lock_close(_LOCK_T lock)
{
    free(lock);
}

void __retarget_lock_close_recursive(_LOCK_T lock)
{
    free(lock);
}

int __retarget_lock_try_acquire_recursive(_LOCK_T lock)
{
    struct thread *self = thread_self();

    if (lock == NULL)
        return 1;
    if (lock->depth > 0 && lock->owner != self)
        return 0;
    lock->owner = self;
    lock->depth++;
    return 1;
}

int __retarget_lock_try_acquire(_LOCK_T lock)
{
    return __retarget_lock_try_acquire_recursive(lock);
}

void __retarget_lock_acquire_recursive(_LOCK_T lock)
{
    while (!__retarget_lock_try_acquire_recursive(lock))
        wait_event(&lock->waiters, lock->depth == 0);
}

void __retarget_lock_acquire(_LOCK_T lock)
{
    __retarget_lock_acquire_recursive(lock);
}

void __retarget_lock_release_recursive(_LOCK_T lock)
{
    if (lock != NULL && lock->depth > 0 && --lock->depth == 0)
        waitq_wake_one(&lock->waiters);
}

void __retarget_lock_release(_LOCK_T lock)
{
    __retarget_lock_release_recursive(lock);
}
