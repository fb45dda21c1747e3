/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Strings, printing, locks, bit operations, list and panic: what a C library would give.
 */
#ifndef HYPERVISOR_LIB_H
#define HYPERVISOR_LIB_H

#include <stdarg.h>
#include "types.h"
#include "speculation.h"

void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t size);
char *strchr(const char *s, int c);
size_t strlcpy(char *to, const char *from, size_t size);

/* cpu/pages.c: aligned to their size; clear_pages answers with its argument. */
void copy_page(void *to, const void *from);
void *clear_pages(void *pages, unsigned order);

int vsnprintf(char *out, size_t size, const char *format, va_list args);
int snprintf(char *out, size_t size, const char *format, ...) PRINTF(3, 4);

/* Levels as in Xen's loglvl=: errors are always shown. */
enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
void logf(enum log_level level, const char *format, ...) PRINTF(2, 3);
/* About a guest, subject to guest_loglvl= and to a rate limit: "(XEN) d3v0 ..." */
struct domain;
void guest_logf(enum log_level level, const char *format, ...) PRINTF(2, 3);
void panic(const char *format, ...) PRINTF(1, 2) NORETURN;

#define BUG_ON(condition)                                                                                              \
    do {                                                                                                               \
        if (unlikely(condition))                                                                                       \
            panic("%s", #condition);                                                                                   \
    } while (0)
#define ASSERT(condition) BUG_ON(!(condition))

/* Ticket-free test-and-set lock; interrupts are off whenever C code of ours runs on behalf of a guest or a handler, but
 * for the moment of hypercall_preempt_check(), so one kind of lock is enough. Lock order: see docs/internals.md. */
typedef struct {
    u32 held;
} spinlock_t;

#define SPINLOCK_INIT                                                                                                  \
    {                                                                                                                  \
        0                                                                                                              \
    }

IN_PLACE bool spin_trylock(spinlock_t *lock)
{
    bool held;
    __asm__ volatile("lock btsl $0, %1" : "=@ccc"(held), "+m"(lock->held) : : "memory");
    return !held;
}

/* A moment passes, in which TLB-shootdown requests are served, so that no two CPUs deadlock. The hypervisor's changes no
 * register (cpu/percpu.S): who takes a lock keeps nothing for the case that it must wait. Unit tests bring their own. */
#if __STDC_HOSTED__
void spin_wait(void);
#else
static inline void spin_wait(void)
{
    __asm__ volatile("call spin_wait" : : : "memory");
}
#endif

IN_PLACE void spin_lock(spinlock_t *lock)
{
    while (unlikely(!spin_trylock(lock)))
        spin_wait();
}

#ifdef HV_SELDOM
static inline void spin_lock_called(spinlock_t *lock)
{
    __asm__ volatile("call spin_lock_called" : : "D"(lock) : "memory");
}
#define spin_lock(lock) spin_lock_called(lock)
#endif

/* A byte's store is the shorter one; the others stay zero. */
IN_PLACE void spin_unlock(spinlock_t *lock)
{
    __atomic_store_n((u8 *)&lock->held, 0, __ATOMIC_RELEASE);
}

static inline void set_bit(unsigned bit, volatile void *map)
{
    __asm__ volatile("lock btsq %1, %0" : "+m"(*(volatile u64 *)map) : "r"((u64)bit) : "memory");
}

static inline void clear_bit(unsigned bit, volatile void *map)
{
    __asm__ volatile("lock btrq %1, %0" : "+m"(*(volatile u64 *)map) : "r"((u64)bit) : "memory");
}

static inline bool test_bit(unsigned bit, const volatile void *map)
{
    return (((const volatile u8 *)map)[bit / 8] >> (bit % 8)) & 1;
}

struct list {
    struct list *next, *prev;
};

static inline void list_init(struct list *head)
{
    head->next = head->prev = head;
}

static inline bool list_empty(const struct list *head)
{
    return head->next == head;
}

static inline void list_add_tail(struct list *item, struct list *head)
{
    item->next = head;
    item->prev = head->prev;
    head->prev->next = item;
    head->prev = item;
}

static inline void list_del(struct list *item)
{
    item->next->prev = item->prev;
    item->prev->next = item->next;
    item->next = item->prev = item;
}

#define list_entry(item, type, member) container_of(item, type, member)
#define list_for_each(pos, head)       for (pos = (head)->next; pos != (head); pos = pos->next)

/* abi/errno.h gives Xen's values under the plain names. */
#define ABI_ERRNO_PLAIN
#include "abi/errno.h"

#endif
