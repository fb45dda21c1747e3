/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The benchmark program of Linux guests: how a row is measured. A row's work is done in BATCHES batches; its cost is the
 * median batch divided by the batch's operations, in ticks of the TSC (instructions, under QEMU's -icount).
 */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define BATCHES 9

/* Does count operations; state is the row's own, made by its caller. */
typedef void work_fn(void *state, unsigned count);

static inline uint64_t ticks(void)
{
    uint32_t low, high;

    __asm__ volatile("lfence; rdtsc; lfence" : "=a"(low), "=d"(high)::"memory");
    return (uint64_t)high << 32 | low;
}

/* One warm-up batch, then BATCHES measured ones; prints "row NAME median batch batch ...". */
void measure(const char *name, work_fn *work, void *state, unsigned count);

/* A row measured elsewhere, from its batches of count operations each. */
void report(const char *name, uint64_t batches[BATCHES], unsigned count);

/* Ends the program with what failed: a benchmark that goes on after a failure measures something else. */
_Noreturn void fail(const char *what);

static inline long check(long result, const char *what)
{
    if (result < 0)
        fail(what);
    return result;
}

void bench_calls(void);
void bench_signals(void);
void bench_memory(void);
void bench_processes(void);
void bench_messages(void);
void bench_compute(void);
void bench_disk(const char *path);
void net_serve(const char *port);
void bench_net(const char *host, const char *port);
