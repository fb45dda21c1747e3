/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Extended processor state. Each vCPU chooses by XSETBV which of its registers are in use, and keeps what is in them
 * over every loss of its processor, whatever the next one chose. A hypervisor that hands a value to the processor
 * unchecked faults in its own last instruction before the guest; one that saves only what is switched on forgets the
 * rest, or shows it to whoever comes next.
 */
#include <stdio.h>
#include <string.h>
#include <abi/errno.h>
#include <pv/hypercall.h>
#include <pv/smp.h>
#include <pv/time.h>
#include <pv/traps.h>
#include "check.h"

#define X87    1ULL
#define SSE    2ULL
#define AVX    4ULL
#define ROUNDS 100

struct wanted {
    uint32_t index;
    uint64_t value;
};

static uint64_t get_xcr0(void)
{
    uint32_t low, high;

    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static void do_xsetbv(void *arg)
{
    const struct wanted *w = arg;

    __asm__ volatile("xsetbv" : : "c"(w->index), "a"((uint32_t)w->value), "d"((uint32_t)(w->value >> 32)) : "memory");
}

/* -1, or the vector of the fault. */
static int xsetbv(uint32_t index, uint64_t value)
{
    struct wanted w = {index, value};
    struct fault fault;

    return fault_catch(do_xsetbv, &w, &fault) ? -1 : (int)fault.vector;
}

/* By the hypervisor's CPUID. */
static bool has_avx(void)
{
    uint32_t a = 1, b, c = 0, d;

    __asm__ volatile(".byte 0x0f, 0x0b, 0x78, 0x65, 0x6e, 0x0f, 0xa2" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return (c >> 26 & 1) && (c >> 28 & 1);
}

static bool switch_on_xsave(void)
{
    unsigned long cr4;

    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4 | 1UL << 18));
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    return cr4 >> 18 & 1;
}

/* One wide register, in two halves of 16 bytes. */
struct wide {
    uint32_t words[8];
};

static void load_wide(uint32_t seed)
{
    struct wide w;

    for (uint32_t i = 0; i < 8; i++)
        w.words[i] = seed * 0x01000193 + i;
    __asm__ volatile("vmovups %0, %%ymm3; vmovups %0, %%ymm7" : : "m"(w));
}

static bool has_wide(uint32_t seed)
{
    struct wide w[2];

    __asm__ volatile("vmovups %%ymm3, %0; vmovups %%ymm7, %1" : "=m"(w[0]), "=m"(w[1]));
    for (uint32_t i = 0; i < 16; i++)
        if (w[i / 8].words[i % 8] != seed * 0x01000193 + i % 8)
            return false;
    return true;
}

static void test_values(uint64_t all)
{
    static char text[64];
    bool refused = true;

    check_group("what XSETBV takes");
    CHECK_EQ(xsetbv(0, all), -1, "what there is");
    CHECK_EQ(xsetbv(0, X87), -1, "the least");
    CHECK_EQ(get_xcr0(), X87, "which it is then");
    CHECK_EQ(xsetbv(0, X87 | SSE), -1, "the usual");
    CHECK_EQ(xsetbv(0, 0), TRAP_GP, "nothing at all");
    CHECK_EQ(xsetbv(0, SSE), TRAP_GP, "all but the least");
    CHECK_EQ(xsetbv(0, X87 | AVX), TRAP_GP, "the upper halves of registers whose lower ones are off");
    CHECK_EQ(xsetbv(1, X87), TRAP_GP, "another register than the first");
    CHECK_EQ(xsetbv(~0U, X87), TRAP_GP, "one that is none");
    for (unsigned int bit = 3; bit < 64; bit++) {
        if (all >> bit & 1)
            continue;
        refused = refused && xsetbv(0, (all & 7) | 1ULL << bit) == TRAP_GP;
    }
    CHECK(refused, "each bit that means nothing here");
    CHECK_EQ(get_xcr0(), X87 | SSE, "nothing of all that was taken");
    sprintf(text, "there are %llx", (unsigned long long)all);
    CHECK_SAME(all, text);
}

static void lose_processor(int round)
{
    if (round % 2)
        HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
    else
        time_spin_ns(200000);
}

/* With the upper halves on, off, and off while the vCPU waits; CR0.TS set meanwhile or not. */
static void test_keeping(uint64_t all)
{
    unsigned int lost = 0, changed = 0;

    check_group("what is in them");
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t meanwhile = round % 3 == 0 ? all : round % 3 == 1 ? X87 : X87 | SSE;

        xsetbv(0, all);
        load_wide((uint32_t)round);
        xsetbv(0, meanwhile);
        if (round % 5 == 0)
            HYPERVISOR_fpu_taskswitch(1);
        lose_processor(round);
        HYPERVISOR_fpu_taskswitch(0);
        changed += get_xcr0() != meanwhile;
        xsetbv(0, all);
        lost += !has_wide((uint32_t)round);
    }
    CHECK_EQ(changed, 0, "the choice is kept while the vCPU waits");
    CHECK_EQ(lost, 0, "and every register, in use or not");
}

/* The last x87 instruction, as FNSTENV tells of it. */
struct x87_pointers {
    uint32_t control, status, tag, instruction, selectors, operand, operand_selector;
};

static volatile bool other_runs, other_computed;
static float secret_operand = 1.0f;

static void compute(void *unused)
{
    while (other_runs) {
        __asm__ volatile("flds %0\n\tfstp %%st(0)\n\tflds %0" : : "m"(secret_operand));
        other_computed = true;
        HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
        __asm__ volatile("fninit");
    }
}

/* The processor keeps where the last x87 instruction was and what it read. Loading another's registers need not change
 * that: then one reads the other's addresses, by which it can be followed through its code. */
static void test_pointers(void)
{
    struct x87_pointers told;
    unsigned int found = 0;

    check_group("the last x87 instruction");
    other_runs = true;
    if (smp_cpu_count() < 2 || smp_start(1, compute, NULL) != 0)
        return;
    for (int round = 0; round < ROUNDS || !other_computed; round++) {
        __asm__ volatile("fninit");
        lose_processor(round);
        __asm__ volatile("fnstenv %0" : "=m"(told));
        found += told.operand == (uint32_t)(unsigned long)&secret_operand;
    }
    other_runs = false;
    while (smp_is_up(1))
        time_spin_ns(1000000);
    CHECK_EQ(found, 0, "of another vCPU is its own affair");
}

static volatile unsigned int other_lost, other_first;

/* A vCPU beside us that makes the opposite choice all the time. */
static void other(void *arg)
{
    uint64_t all = *(const uint64_t *)arg;

    other_first = !switch_on_xsave() || get_xcr0() != (X87 | SSE);
    for (int round = 0; other_runs; round++) {
        xsetbv(0, all);
        load_wide((uint32_t)round + 0x5000);
        xsetbv(0, X87);
        lose_processor(round);
        xsetbv(0, all);
        other_lost += !has_wide((uint32_t)round + 0x5000);
    }
}

static void test_beside(uint64_t all)
{
    other_runs = true;
    if (smp_cpu_count() < 2 || smp_start(1, other, &all) != 0)
        return;
    test_keeping(all);
    other_runs = false;
    while (smp_is_up(1))
        time_spin_ns(1000000);
    CHECK(!other_first, "another vCPU begins with the usual choice");
    CHECK_EQ(other_lost, 0, "and loses nothing either");
}

int main(int argc, char **argv)
{
    uint64_t all = X87 | SSE | AVX;

    test_pointers();
    check_group("extended state");
    if (!has_avx() || !switch_on_xsave()) {
        CHECK(true, "there is none here");
        return check_summary("xstate") != 0;
    }
    if (xsetbv(0, all | 0xe0) == -1)
        all |= 0xe0;
    test_values(all);
    test_keeping(all);
    test_beside(all);
    return check_summary("xstate") != 0;
}
