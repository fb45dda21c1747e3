/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a Linux program may rely on, whichever CPU it runs on and however often it is moved: its segment bases, its vector
 * registers, a clock that never goes back, sleeps that are long enough, memory that a child copies and nobody else sees.
 * cpus SECONDS: threads of each kind at once; the last line is "cpus: ok" or what failed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KINDS         5
#define HWCAP2_FSGS   2
#define COPIED        (64 * 4096)
#define VERY_LATE     20.0 /* seconds: an emulator on a busy machine is slow, a lost timer is for ever */
#define NS_PER_SECOND 1000000000ULL

static atomic_bool stop;
static atomic_uint failures, rounds[KINDS];
static _Atomic uint64_t latest;

static void check(bool holds, const char *sentence)
{
    if (!holds && atomic_fetch_add(&failures, 1) < 10)
        printf("cpus: FAILED: %s\n", sentence);
}

static uint64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_SECOND + (uint64_t)t.tv_nsec;
}

/* The base is in the register alone where the kernel lets programs write it: it survives every way off the CPU. */
static void bases(unsigned seed)
{
    uint64_t base = 0x1000ULL * seed + 0x7f0000000000ULL, seen = base;

    if (!(getauxval(AT_HWCAP2) & HWCAP2_FSGS))
        return;
    __asm__ volatile("wrgsbase %0" ::"r"(base));
    for (int i = 0; i < 1000 && seen == base; i++) {
        if (i % 100 == 0)
            sched_yield();
        __asm__ volatile("rdgsbase %0" : "=r"(seen));
    }
    check(seen == base, "GS base is what was written");
}

static void clocks(unsigned seed)
{
    cpu_set_t one;
    uint64_t before = atomic_load(&latest), after;

    CPU_ZERO(&one);
    CPU_SET(seed % (unsigned)sysconf(_SC_NPROCESSORS_CONF), &one);
    (void)sched_setaffinity(0, sizeof(one), &one); /* that CPU may be away */
    after = now();
    check(after >= before, "the clock goes forward across CPUs");
    while (after > before && !atomic_compare_exchange_weak(&latest, &before, after))
        continue;
}

static void vectors(unsigned seed)
{
    uint64_t in[2] = {seed * 0x9e3779b97f4a7c15ULL, ~(uint64_t)seed}, out[2], spins = 100000;

    __asm__ volatile("movdqu %2, %%xmm9; 1: dec %1; jnz 1b; movdqu %%xmm9, %0"
                     : "=m"(out), "+r"(spins)
                     : "m"(in)
                     : "xmm9");
    check(in[0] == out[0] && in[1] == out[1], "a vector register keeps its value");
}

static void sleeps(unsigned seed)
{
    uint64_t start = now(), slept, asked = 1000000 + seed % 1000;
    struct timespec t = {0, (long)asked};

    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &t) == EINTR)
        continue;
    slept = now() - start;
    check(slept >= asked, "a sleep is not shorter than asked");
    check((double)slept < VERY_LATE * NS_PER_SECOND, "a timer is not lost");
}

static bool filled_with(const char *memory, char value)
{
    for (int i = 0; i < COPIED; i += 4096)
        if (memory[i] != value)
            return false;
    return true;
}

static void copies(unsigned seed)
{
    char *memory = mmap(NULL, COPIED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int status = -1;
    pid_t child;

    if (memory == MAP_FAILED)
        return;
    memset(memory, (char)seed, COPIED);
    child = fork();
    if (child == 0) {
        bool good = filled_with(memory, (char)seed);
        memset(memory, (char)(seed + 1), COPIED);
        _exit(good && filled_with(memory, (char)(seed + 1)) ? 0 : 1);
    }
    check(child > 0 && waitpid(child, &status, 0) == child && status == 0, "a child sees its parent's memory");
    check(filled_with(memory, (char)seed), "what it writes is its own");
    mprotect(memory, COPIED, PROT_READ);
    memory = mremap(memory, COPIED, 2 * COPIED, MREMAP_MAYMOVE);
    check(memory != MAP_FAILED && filled_with(memory, (char)seed), "memory can be moved");
    if (memory != MAP_FAILED)
        munmap(memory, 2 * COPIED);
}

static void (*const kinds[KINDS])(unsigned) = {bases, clocks, vectors, sleeps, copies};

static void *run(void *number)
{
    unsigned kind = (unsigned)(uintptr_t)number % KINDS, seed = (unsigned)(uintptr_t)number * 7919;

    while (!atomic_load(&stop)) {
        kinds[kind](seed++);
        atomic_fetch_add(&rounds[kind], 1);
    }
    return NULL;
}

/* Signals arrive amid all this; their handler uses the registers that vectors() watches. */
static void on_alarm(int number)
{
    __asm__ volatile("pcmpeqd %%xmm9, %%xmm9" ::: "xmm9");
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    struct itimerval every = {{0, 20000}, {0, 20000}};
    unsigned seconds = argc > 1 ? (unsigned)atoi(argv[1]) : 10;
    uint64_t end = now() + seconds * NS_PER_SECOND;
    pthread_t threads[2 * KINDS];

    sigaction(SIGALRM, &action, NULL);
    for (uintptr_t i = 0; i < 2 * KINDS; i++)
        check(pthread_create(&threads[i], NULL, run, (void *)i) == 0, "a thread can be made");
    setitimer(ITIMER_REAL, &every, NULL);
    while (now() < end)
        usleep(100000);
    atomic_store(&stop, true);
    for (int i = 0; i < 2 * KINDS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < KINDS; i++)
        check(atomic_load(&rounds[i]) > 0, "every kind of thread got on");
    if (!atomic_load(&failures))
        printf("cpus: ok\n");
    return atomic_load(&failures) != 0;
}
