/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * How a row is measured, and the handlers in assembly: as short as the ABI lets them be, so that the bounce is what is
 * measured. A row is the least mean of several runs, so that a tick of the hypervisor's own timer does not count.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <pv/pv.h>
#include <pv/hypercall.h>

#define BENCH_RUNS 8

static inline uint64_t bench_ticks(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

/* The least mean of some runs; what expands in place of the body is all that is measured. */
#define BENCH_LEAST(rounds, body)                                                                                      \
    ({                                                                                                                 \
        uint64_t least_ = ~0ull;                                                                                       \
        for (int run_ = 0; run_ < BENCH_RUNS; run_++) {                                                                \
            uint64_t start_ = bench_ticks();                                                                           \
            for (int i_ = 0; i_ < (rounds); i_++) {                                                                    \
                body;                                                                                                  \
                __asm__ volatile("" ::: "memory");                                                                     \
            }                                                                                                          \
            uint64_t spent_ = (bench_ticks() - start_) / (unsigned)(rounds);                                           \
            least_ = spent_ < least_ ? spent_ : least_;                                                                \
        }                                                                                                              \
        (unsigned long)least_;                                                                                         \
    })

/* A printed row: the cost of the empty loop is taken off. */
#define ROW_OF(name, rounds, body)                                                                                     \
    do {                                                                                                               \
        body;                                                                                                          \
        bench_row(name, BENCH_LEAST(rounds, body));                                                                    \
    } while (0)
#define ROW(name, body) ROW_OF(name, 250, body)

extern unsigned long bench_empty_loop;
void bench_row(const char *name, unsigned long ticks);    /* less the empty loop */
void bench_result(const char *name, unsigned long ticks); /* as it is */

/* The subjects. */
void bench_mapping(void);
void bench_reservations(void);
void bench_grants(void);
void bench_traps(void);
void bench_emulation(void);
void bench_user(void);
void bench_domains(void);
void bench_wake(void);
void bench_crowd(void);
_Noreturn void bench_partner(const char *role); /* what the other domain does */

/* Where events reach this vCPU. */
void bench_set_upcall(void (*entry)(void));

void bench_iret_handler(void);      /* straight back */
void bench_sysret_handler(void);    /* straight back, from a system call of a 64-bit program */
void bench_skip_handler(void);      /* a fault's error code dropped, the faulting instruction (2 bytes) skipped */
void bench_skip_bare_handler(void); /* the same where there is no error code */
void bench_upcall_handler(void);    /* announces no more what it was called for, of the first word of ports */
void bench_echo_handler(void);      /* ... and sends what bench_echo says */
void bench_escape_handler(void);    /* ends bench_user_run */
void bench_fault(void);             /* reads an unmapped address by a 2-byte instruction */

/* Runs code in user mode on that stack until its breakpoint. */
void bench_user_run(void (*code)(void), void *stack);
void bench_user_int80(void);
void bench_user_pagefault(void);
void bench_user_syscall(void);
extern unsigned long bench_user_rounds;                 /* how often user code does what it does */
extern uint32_t bench_user_start[2], bench_user_end[2]; /* its time stamps */

#endif
