/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A bystander that only computes and says, of each stretch of time, how far it came: what an attacker takes from the
 * others is what is missing there, whoever the hypervisor's own account blames.
 */
#include <stdint.h>
#include <stdio.h>
#include <pv/time.h>

#define STRETCH_NS 20000000ULL

static unsigned long compute(void)
{
    volatile uint32_t word = 1;

    for (unsigned int i = 0; i < 500; i++)
        word = word * 1664525 + 1013904223;
    return 1;
}

int main(int argc, char **argv)
{
    uint64_t from = time_monotonic_ns();

    for (;;) {
        unsigned long rounds = 0;
        uint64_t now;

        do
            rounds += compute();
        while ((now = time_monotonic_ns()) < from + STRETCH_NS);
        printf("meter: %llu %llu %lu\n", (unsigned long long)(from / 1000), (unsigned long long)(now / 1000), rounds);
        from = time_monotonic_ns();
    }
}
