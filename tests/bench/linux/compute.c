/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Work that needs nothing of a kernel: what a hypervisor must not slow down. The first row says what a tick is.
 */
#include "lat.h"

#include <string.h>

#define SIEVE  (1 << 20)
#define MATRIX 96
#define BUFFER (4UL << 20)

static void empty_loop(void *state, unsigned count)
{
    uint64_t left = count;

    __asm__ volatile("1: dec %0; jnz 1b" : "+r"(left)::"cc");
}

static void sieve(void *state, unsigned count)
{
    static unsigned char composite[SIEVE];

    while (count--) {
        memset(composite, 0, sizeof(composite));
        for (unsigned i = 2; i * i < SIEVE; i++)
            for (unsigned j = i * i; !composite[i] && j < SIEVE; j += i)
                composite[j] = 1;
        *(volatile unsigned char *)state = composite[SIEVE - 3];
    }
}

static void multiply(void *state, unsigned count)
{
    static double a[MATRIX][MATRIX], b[MATRIX][MATRIX], c[MATRIX][MATRIX];

    for (int i = 0; i < MATRIX; i++)
        for (int j = 0; j < MATRIX; j++) {
            a[i][j] = i + 0.5 * j;
            b[i][j] = i - 0.25 * j;
        }
    while (count--) {
        for (int i = 0; i < MATRIX; i++)
            for (int j = 0; j < MATRIX; j++) {
                double sum = 0;

                for (int k = 0; k < MATRIX; k++)
                    sum += a[i][k] * b[k][j];
                c[i][j] = sum;
            }
        *(volatile unsigned char *)state = c[3][5] > 0;
    }
}

static void copy(void *state, unsigned count)
{
    static char from[BUFFER], to[BUFFER];

    while (count--) {
        uint64_t *source = (uint64_t *)from, *target = (uint64_t *)to;

        for (size_t i = 0; i < BUFFER / sizeof(uint64_t); i++)
            target[i] = source[i] + i;
        *(volatile unsigned char *)state = (unsigned char)to[12345];
    }
}

void bench_compute(void)
{
    unsigned char sink;

    measure("compute: empty loop (2 instructions)", empty_loop, NULL, 10000000);
    measure("compute: integer (sieve)", sieve, &sink, 2);
    measure("compute: floating point (matrix)", multiply, &sink, 4);
    measure("compute: memory (4 MiB)", copy, &sink, 4);
}
