/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Base types of the hypervisor. Frame numbers are distinct types, so that the compiler refuses to mix a machine frame
 * number (mfn) with a guest's pseudo-physical one (pfn).
 */
#ifndef HYPERVISOR_TYPES_H
#define HYPERVISOR_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

typedef struct {
    unsigned long value;
} mfn_t;

typedef struct {
    unsigned long value;
} pfn_t;

typedef u64 maddr_t;
typedef u64 ns_t; /* nanoseconds of system time since boot */

#define INVALID_FRAME (~0UL)

static inline mfn_t mfn_of(unsigned long value)
{
    return (mfn_t){value};
}

static inline pfn_t pfn_of(unsigned long value)
{
    return (pfn_t){value};
}

static inline mfn_t mfn_add(mfn_t mfn, unsigned long count)
{
    return (mfn_t){mfn.value + count};
}

static inline bool mfn_equal(mfn_t a, mfn_t b)
{
    return a.value == b.value;
}

#define PAGE_SHIFT            12
#define PAGE_SIZE             4096UL
#define PAGE_MASK             (~(PAGE_SIZE - 1))

#define ARRAY_SIZE(array)     (sizeof(array) / sizeof((array)[0]))
#define MIN(a, b)             ((a) < (b) ? (a) : (b))
#define MAX(a, b)             ((a) > (b) ? (a) : (b))
#define ROUND_UP(value, unit) (((value) + (unit)-1) / (unit) * (unit))
#define container_of(p, t, m) ((t *)((char *)(p)-offsetof(t, m)))
#define likely(x)             __builtin_expect(!!(x), 1)
#define unlikely(x)           __builtin_expect(!!(x), 0)
#define READ_ONCE(x)          (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v)      (*(volatile __typeof__(x) *)&(x) = (v))
#define barrier()             __asm__ volatile("" ::: "memory")
#define PRINTF(fmt, first)    __attribute__((format(printf, fmt, first)))
/* Expanded at each use even where code is to be small: for what every hypercall passes. */
#define IN_PLACE static inline __attribute__((always_inline))
/* Small code in a file of fast code, for what is seldom called. */
#define COLD       __attribute__((cold))
#define NORETURN   __attribute__((noreturn))
#define MUST_CHECK __attribute__((warn_unused_result))

#define MAX_CPUS   8

#endif
