/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Names that no two hosts give twice: from the CPU's generator where it has one, and in any case from the clock and the
 * cycle counter. Nothing here is a secret.
 */
#include <cpuid.h>
#include <string.h>
#include <sys/time.h>
#include <x86intrin.h>

#include "handover.h"

static uint64_t mix(uint64_t value)
{
    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9ull;
    value = (value ^ value >> 27) * 0x94d049bb133111ebull;
    return value ^ value >> 31;
}

static uint32_t from_cpu(void)
{
    uint32_t eax, ebx, ecx, edx, value = 0;
    uint8_t good = 0;

    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & bit_RDRND))
        return 0;
    for (int i = 0; i < 16 && !good; i++)
        __asm__ volatile("rdrand %0; setc %1" : "=r"(value), "=qm"(good));
    return value;
}

void handover_random(uint8_t id[HANDOVER_ID_SIZE])
{
    static uint64_t state;
    struct timeval now = {.tv_sec = 0};

    for (unsigned int i = 0; i < HANDOVER_ID_SIZE; i += sizeof(state)) {
        gettimeofday(&now, NULL);
        state = mix(state + 0x9e3779b97f4a7c15ull + __rdtsc()) ^ ((uint64_t)from_cpu() << 32 | from_cpu());
        state += (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_usec;
        state = mix(state);
        memcpy(id + i, &state, sizeof(state));
    }
}
