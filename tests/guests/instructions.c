/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Instructions that a deprivileged kernel executes and the hypervisor may have to carry out, each with every prefix and
 * with I/O privilege of 0, 1 and 3; model-specific, control and debug registers number by number. What comes of each,
 * value or fault, vector, error code and address, is compared with what genuine Xen makes of it.
 */
#include <stdio.h>
#include <string.h>
#include <abi/errno.h>
#include <abi/physdev.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/traps.h>
#include "check.h"

static unsigned char *code;
static unsigned char memory[64] __attribute__((aligned(64)));
static unsigned long ax, bx, cx, dx, si, di;

static void do_run(void *unused)
{
    __asm__ volatile("call *%6"
                     : "+a"(ax), "+c"(cx), "+d"(dx), "+S"(si), "+D"(di), "+b"(bx)
                     : "m"(code)
                     : "memory", "cc");
}

static void note(const char *what, unsigned long number, const char *kind, unsigned long long value)
{
    static char text[128];

    sprintf(text, "%s%lx, %s", what, number, kind);
    CHECK_SAME(value, text);
}

static bool run(const unsigned char *bytes, unsigned int size, struct fault *fault)
{
    memcpy(code, bytes, size);
    code[size] = 0xc3;
    memset(fault, 0, sizeof(*fault));
    return fault_catch(do_run, NULL, fault);
}

static unsigned long memory_sum(void)
{
    unsigned long sum = 0;

    for (unsigned int i = 0; i < sizeof(memory); i++)
        sum = sum * 31 + memory[i];
    return sum & 0xffffff;
}

static void try_bytes(const char *what, const unsigned char *bytes, unsigned int size, bool values)
{
    static char name[96];
    struct fault fault;
    unsigned int at = (unsigned int)sprintf(name, "%s: ", what);

    for (unsigned int i = 0; i < size; i++)
        at += (unsigned int)sprintf(name + at, "%02x", bytes[i]);
    strcpy(name + at, " ");
    ax = (unsigned long)0x8877665544332211ULL;
    bx = (unsigned long)memory;
    cx = 2;
    dx = 0x21;
    si = (unsigned long)(memory + 16);
    di = (unsigned long)(memory + 32);
    for (unsigned int i = 0; i < sizeof(memory); i++)
        memory[i] = (unsigned char)(i * 7);
    if (!run(bytes, size, &fault)) {
        note(name, 0, "vector, error code and place",
             (unsigned long long)fault.vector << 32 | fault.error << 8 | (fault.ip - (unsigned long)code));
        return;
    }
    note(name, 0, "registers",
         (unsigned long long)(si - (unsigned long)memory) << 48 ^
             (unsigned long long)(di - (unsigned long)memory) << 32 ^ cx << 24 ^ dx << 16);
    if (values)
        note(name, 0, "rax and memory", (unsigned long long)memory_sum() << 40 ^ ax);
}

struct candidate {
    unsigned char size, bytes[6];
    bool no_values; /* what it gives is this machine's, or this moment's */
};

static const struct candidate candidates[] = {
    {1, {0xf4}, 0},
    {1, {0xfa}, 0},
    {1, {0xfb}, 0},
    {2, {0x9c, 0x58}, 0},
    {1, {0x6c}, 0},
    {1, {0x6d}, 0},
    {1, {0x6e}, 0},
    {1, {0x6f}, 0},
    {2, {0xe4, 0x21}, 0},
    {2, {0xe5, 0x21}, 0},
    {2, {0xe6, 0x21}, 0},
    {2, {0xe7, 0x21}, 0},
    {1, {0xec}, 0},
    {1, {0xed}, 0},
    {1, {0xee}, 0},
    {1, {0xef}, 0},
    {2, {0x0f, 0x06}, 0},
    {2, {0x0f, 0x07}, 0},
    {2, {0x0f, 0x08}, 0},
    {2, {0x0f, 0x09}, 0},
    {2, {0x0f, 0x0b}, 0},
    {3, {0x0f, 0x01, 0x16}, 0},
    {3, {0x0f, 0x01, 0x1e}, 0},
    {3, {0x0f, 0x01, 0xe0}, 0},
    {3, {0x0f, 0x01, 0x26}, 0},
    {3, {0x0f, 0x01, 0xf0}, 0},
    {3, {0x0f, 0x01, 0x36}, 0},
    {3, {0x0f, 0x01, 0x3e}, 0},
    {3, {0x0f, 0x01, 0xf8}, 0},
    {3, {0x0f, 0x01, 0xd1}, 0},
    {3, {0x0f, 0x01, 0xc1}, 0},
    {3, {0x0f, 0x01, 0xc2}, 0},
    {3, {0x0f, 0x01, 0xc3}, 0},
    {3, {0x0f, 0x01, 0xc4}, 0},
    {3, {0x0f, 0x01, 0xd8}, 0},
    {3, {0x0f, 0x01, 0xd9}, 0},
    {3, {0x0f, 0x01, 0xda}, 0},
    {3, {0x0f, 0x01, 0xdb}, 0},
    {3, {0x0f, 0x01, 0xdc}, 0},
    {3, {0x0f, 0x01, 0xdd}, 0},
    {3, {0x0f, 0x01, 0xde}, 0},
    {3, {0x0f, 0x01, 0xdf}, 0},
    {3, {0x0f, 0x01, 0xc8}, 0},
    {3, {0x0f, 0x01, 0xc9}, 0},
    {3, {0x0f, 0x01, 0xca}, 0},
    {3, {0x0f, 0x01, 0xcb}, 0},
    {3, {0x0f, 0x01, 0xcf}, 0},
    {3, {0x0f, 0x01, 0xee}, 0},
    {3, {0x0f, 0x01, 0xef}, 0},
    {3, {0x0f, 0x00, 0xd0}, 0},
    {3, {0x0f, 0x00, 0xd8}, 0},
    {3, {0x0f, 0x00, 0x16}, 0},
    {3, {0x0f, 0x00, 0x1e}, 0},
    {3, {0x0f, 0x00, 0xc0}, 1},
    {3, {0x0f, 0x00, 0xc8}, 1},
    {2, {0x0f, 0x33}, 0},
    {2, {0x0f, 0x35}, 0},
    {2, {0x0f, 0x37}, 0},
    {2, {0x0f, 0x24}, 0},
    {2, {0x0f, 0xff}, 0},
    {2, {0x0f, 0xb9}, 0},
    {2, {0x0f, 0x0a}, 0},
    {2, {0x0f, 0x04}, 0},
    {2, {0x0f, 0x36}, 0},
    {3, {0x0f, 0xc7, 0x1f}, 0},
    {3, {0x0f, 0xc7, 0x2f}, 0},
    {5, {0x66, 0x0f, 0x38, 0x80, 0x06}, 0},
    {5, {0x66, 0x0f, 0x38, 0x82, 0x06}, 0},
    {3, {0x0f, 0x20, 0xc0}, 0},
    {3, {0x0f, 0x20, 0xc8}, 0},
    {3, {0x0f, 0x20, 0xe0}, 0},
    {3, {0x0f, 0x20, 0xe8}, 0},
    {3, {0x0f, 0x20, 0xf0}, 0},
    {3, {0x0f, 0x20, 0xf8}, 0},
    {3, {0x0f, 0x22, 0xc0}, 0},
    {3, {0x0f, 0x22, 0xc8}, 0},
    {3, {0x0f, 0x22, 0xe8}, 0},
    {3, {0x0f, 0x22, 0xf0}, 0},
    {3, {0x0f, 0x22, 0xf8}, 0},
    {3, {0x0f, 0x20, 0x20}, 0},
    {3, {0x0f, 0x21, 0xc0}, 0},
    {3, {0x0f, 0x21, 0xe0}, 0},
    {3, {0x0f, 0x21, 0xe8}, 0},
    {3, {0x0f, 0x21, 0xf0}, 0},
    {3, {0x0f, 0x21, 0xf8}, 0},
    {3, {0x0f, 0x23, 0xe0}, 0},
    {3, {0x0f, 0x23, 0xe8}, 0},
    {3, {0x0f, 0x23, 0xf0}, 0},
    {3, {0x0f, 0x23, 0xf8}, 0},
    {2, {0xcd, 0x00}, 0},
    {2, {0xcd, 0x0d}, 0},
    {2, {0xcd, 0x20}, 0},
    {2, {0xcd, 0x81}, 0},
    {2, {0xcd, 0xff}, 0},
    {2, {0xcd, 0x02}, 0},
    {2, {0xcd, 0x08}, 0},
    {2, {0xcd, 0x12}, 0},
#ifdef __x86_64__
    {4, {0x44, 0x0f, 0x20, 0xc0}, 0},
    {4, {0x44, 0x0f, 0x22, 0xc0}, 0},
    {4, {0x41, 0x0f, 0x20, 0xc0}, 0},
    {4, {0x44, 0x0f, 0x21, 0xc0}, 0},
    {2, {0x06, 0x90}, 0},
    {2, {0x27, 0x90}, 0},
    {3, {0xea, 0, 0}, 0},
#endif
};

/* INT through no gate: this emulator has its own idea of the error code, the same under either hypervisor. */
static const unsigned char prefixes[] = {0, 0x66, 0xf2, 0xf3, 0x67, 0x2e, 0x64, 0xf0, 0x48, 0x41};

static void test_candidates(unsigned int iopl)
{
    static char what[32];
    struct physdev_set_iopl op = {.iopl = iopl};

    sprintf(what, "IOPL %u", iopl);
    check_group(what);
    HYPERVISOR_physdev_op(PHYSDEVOP_set_iopl, &op);
    for (unsigned int i = 0; i < sizeof(candidates) / sizeof(candidates[0]); i++)
        for (unsigned int p = 0; p < sizeof(prefixes); p++) {
            unsigned char bytes[8] = {prefixes[p]};
            unsigned int skip = prefixes[p] != 0;

            if (sizeof(long) == 4 && prefixes[p] > 0x3f && prefixes[p] < 0x50)
                continue;
            memcpy(bytes + skip, candidates[i].bytes, candidates[i].size);
            if (prefixes[p] == 0x67 && sizeof(long) == 4)
                continue; /* 16-bit addresses: have a test of their own */
            try_bytes(what, bytes, candidates[i].size + skip, !candidates[i].no_values);
            shared_info->vcpu_info[0].evtchn_upcall_mask = 0;
            __asm__ volatile("cld");
            HYPERVISOR_fpu_taskswitch(0);
        }
}

static void try_msr(uint32_t msr)
{
    static const unsigned char rdmsr[] = {0x0f, 0x32}, wrmsr[] = {0x0f, 0x30};
    struct fault fault;
    unsigned long low, high, answers;
    bool readable;

    cx = msr;
    readable = run(rdmsr, 2, &fault);
    low = ax;
    high = dx;
    answers = readable ? 0 : fault.vector;
    if (readable && msr != 0x10)
        note("MSR ", msr, "value", (uint64_t)(uint32_t)high << 32 | (uint32_t)low);
    if (msr >= 0xc0000080 && msr < 0xc0000110)
        return;
    for (unsigned int i = 0; i < 3; i++) {
        cx = msr;
        ax = i == 0 ? low : i == 1 ? 0 : 0xffffffff;
        dx = i == 0 ? high : i == 1 ? 0 : 0xffffffff;
        if (i == 0 && !readable)
            continue;
        answers = answers << 8 | (run(wrmsr, 2, &fault) ? 0xff : fault.vector);
    }
    if (answers != 0xd0d0d)
        note("MSR ", msr, "read, and written as read, as 0, as ones", answers);
}

static void test_msrs(void)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {{0, 0x3ff},
                  {0x400, 0x500},
                  {0x560, 0x5a0},
                  {0x600, 0x6ff},
                  {0x800, 0x840},
                  {0xc80, 0xc90},
                  {0xd90, 0xdb0},
                  {0x40000000, 0x40000010},
                  {0xc0000080, 0xc0000110},
                  {0xc0010000, 0xc0010120},
                  {0xc0010200, 0xc0010240},
                  {0xc0011000, 0xc0011040}};

    check_group("model-specific registers");
    for (unsigned int i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
        for (uint32_t msr = ranges[i].first; msr <= ranges[i].last; msr++)
            try_msr(msr);
}

static void note_debugreg(unsigned int reg, unsigned long value)
{
    static char name[64];
    unsigned long answer = (unsigned long)HYPERVISOR_set_debugreg(reg, value);

    sprintf(name, "debug register %u given ", reg);
    note(name, value, "answer and register",
         (unsigned long long)answer << 56 ^ (unsigned long)HYPERVISOR_get_debugreg(reg));
}

static void test_debugregs(void)
{
    check_group("debug registers");
    for (unsigned int reg = 0; reg < 10; reg++) {
        for (unsigned int bit = 0; bit < 8 * sizeof(long); bit++)
            note_debugreg(reg, 1UL << bit);
        note_debugreg(reg, ~0UL);
        note_debugreg(reg, 0);
    }
    for (unsigned long field = 0; field < 16; field++)
        for (unsigned int i = 0; i < 4; i++) {
            note_debugreg(7, field << (16 + 4 * i) | 1UL << (2 * i));
            note_debugreg(7, field << (16 + 4 * i) | 2UL << (2 * i));
            note_debugreg(7, field << (16 + 4 * i));
        }
#ifdef __x86_64__
    static const unsigned long edges[] = {
        0x7fffffffffff,     0x7ffffffff000,     0x800000000000,     0xffff7fffffffffff,
        0xffff800000000000, 0xffff87ffffffffff, 0xffff880000000000, ~0xfffUL};
    for (unsigned int i = 0; i < sizeof(edges) / sizeof(edges[0]); i++)
        note_debugreg(1, edges[i]);
#else
    static const unsigned long edges[] = {0xf5400000, 0xf57fffff, 0xf5800000, 0xfffffff0};
    for (unsigned int i = 0; i < sizeof(edges) / sizeof(edges[0]); i++)
        note_debugreg(1, edges[i]);
#endif
    HYPERVISOR_set_debugreg(7, 0);
    for (unsigned int i = 0; i < 4; i++)
        HYPERVISOR_set_debugreg(i, 0);
}

static void forced_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    __asm__ volatile(".byte 0x0f, 0x0b, 0x78, 0x65, 0x6e, 0x0f, 0xa2"
                     : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
                     : "a"(leaf), "c"(subleaf));
}

static void test_cpuid(void)
{
    static const uint32_t bases[] = {0, 0x40000000, 0x40000100, 0x80000000, 0x80860000, 0xc0000000};
    uint32_t out[4];

    check_group("forced cpuid");
    for (unsigned int b = 0; b < sizeof(bases) / sizeof(bases[0]); b++)
        for (unsigned int leaf = 0; leaf < 0x23; leaf++)
            for (unsigned int sub = 0; sub < 4; sub++) {
                static char name[32];

                if (bases[b] == 0x40000000 && leaf == 3)
                    continue; /* about time */
                forced_cpuid(bases[b] + leaf, sub, out);
                sprintf(name, "subleaf %u of ", sub);
                if (out[0] | out[1] | out[2] | out[3]) {
                    note(name, bases[b] + leaf, "eax and ebx", (uint64_t)out[0] << 32 | out[1]);
                    note(name, bases[b] + leaf, "ecx and edx", (uint64_t)out[2] << 32 | out[3]);
                }
            }
}

static void do_write_cr(void *arg)
{
    const unsigned long *a = arg;

    if (a[0] == 0)
        __asm__ volatile("mov %0, %%cr0" : : "r"(a[1]));
    else
        __asm__ volatile("mov %0, %%cr4" : : "r"(a[1]));
}

static void test_control_bits(void)
{
    unsigned long cr0, cr4, now;
    struct fault fault;

    check_group("bits of control registers");
    __asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    note("CR", 0, "value", (long)cr0);
    note("CR", 4, "value", (long)cr4);
    for (unsigned int bit = 0; bit < 8 * sizeof(long); bit++) {
        unsigned long zero[2] = {0, cr0 ^ 1UL << bit}, four[2] = {4, cr4 ^ 1UL << bit};
        bool ok = fault_catch(do_write_cr, zero, &fault);

        __asm__ volatile("mov %%cr0, %0; clts" : "=r"(now)); /* before the compiler uses the FPU */
        note("CR0 without bit ", bit, "vector", ok ? -1 : (long)fault.vector);
        note("CR0 without bit ", bit, "value", (long)now);
        ok = fault_catch(do_write_cr, four, &fault);
        note("CR4 without bit ", bit, "vector", ok ? -1 : (long)fault.vector);
        __asm__ volatile("mov %%cr4, %0" : "=r"(now));
        note("CR4 without bit ", bit, "value", (long)now);
        __asm__ volatile("mov %0, %%cr4" : : "r"(cr4));
    }
}

int main(int argc, char **argv)
{
    code = pages_alloc(1);
    test_candidates(0);
    test_candidates(1);
    test_candidates(3);
    test_msrs();
    test_debugregs();
    test_control_bits();
    test_cpuid();
    CHECK(code != NULL, "the kernel lives on");
    return check_summary("instructions") != 0;
}
