/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The program of a Linux guest that is moved: keeps a pattern in its memory and watches a clock. Every second a line:
 * ticks so far, a checksum of all the memory it owns, broken words, and the longest times since the last line in which it
 * did not run, by three clocks (boot time counts what a suspended guest missed, monotonic time does not).
 * Arguments: MiB of memory, pages rewritten in a second.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#define PAGE_WORDS 512
#define TICK_NS    1000000

static const clockid_t clocks[] = {CLOCK_BOOTTIME, CLOCK_MONOTONIC, CLOCK_REALTIME};
#define CLOCKS (sizeof(clocks) / sizeof(clocks[0]))

struct memory {
    uint64_t *words;
    uint32_t *generation; /* of each page: how often it was rewritten */
    size_t pages;
};

static int64_t now(clockid_t clock)
{
    struct timespec time;

    clock_gettime(clock, &time);
    return time.tv_sec * 1000000000ll + time.tv_nsec;
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

static uint64_t expected(const struct memory *memory, size_t page, size_t word)
{
    return mix(((uint64_t)memory->generation[page] << 40) + page * PAGE_WORDS + word + 1);
}

static void fill(struct memory *memory, size_t page)
{
    for (size_t i = 0; i < PAGE_WORDS; i++)
        memory->words[page * PAGE_WORDS + i] = expected(memory, page, i);
}

static uint64_t check(const struct memory *memory, uint64_t *broken)
{
    uint64_t sum = 0;

    for (size_t page = 0; page < memory->pages; page++)
        for (size_t i = 0; i < PAGE_WORDS; i++) {
            uint64_t word = memory->words[page * PAGE_WORDS + i];

            *broken += word != expected(memory, page, i);
            sum += mix(word + page);
        }
    return sum;
}

/* Ticks of a millisecond until a second is over; the longest time between two of them. */
static uint64_t watch(uint64_t ticks, int64_t gap[CLOCKS])
{
    int64_t last[CLOCKS], end;

    for (size_t c = 0; c < CLOCKS; c++) {
        last[c] = now(clocks[c]);
        gap[c] = 0;
    }
    end = now(CLOCK_MONOTONIC) + 1000000000;
    while (now(CLOCK_MONOTONIC) < end) {
        struct timespec tick = {.tv_nsec = TICK_NS};

        nanosleep(&tick, NULL);
        ticks++;
        for (size_t c = 0; c < CLOCKS; c++) {
            int64_t time = now(clocks[c]);

            gap[c] = time - last[c] > gap[c] ? time - last[c] : gap[c];
            last[c] = time;
        }
    }
    return ticks;
}

int main(int argc, char **argv)
{
    size_t mib = argc > 1 ? strtoul(argv[1], NULL, 0) : 16, rewritten = argc > 2 ? strtoul(argv[2], NULL, 0) : 64;
    struct memory memory = {.pages = mib << 8};
    size_t next = 0;
    uint64_t ticks = 0, broken = 0;

    memory.words = mmap(NULL, mib << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memory.generation = calloc(memory.pages, sizeof(uint32_t));
    if (memory.words == MAP_FAILED || !memory.generation)
        return 1;
    for (size_t page = 0; page < memory.pages; page++)
        fill(&memory, page);
    for (unsigned int line = 1;; line++) {
        int64_t gap[CLOCKS];

        ticks = watch(ticks, gap);
        /* With nothing to rewrite the guest is idle: then the memory is only read each eighth second. */
        uint64_t sum = rewritten || line % 8 == 0 ? check(&memory, &broken) : 0;

        for (size_t i = 0; i < rewritten; i++, next = (next + 1) % memory.pages) {
            memory.generation[next]++;
            fill(&memory, next);
        }
        printf("moved line %u ticks %" PRIu64 " sum %016" PRIx64 " broken %" PRIu64 " gap us boot %" PRId64
               " mono %" PRId64 " real %" PRId64 "\n",
               line, ticks, sum, broken, gap[0] / 1000, gap[1] / 1000, gap[2] / 1000);
        fflush(stdout);
    }
}
