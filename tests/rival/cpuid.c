/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Prints what CPUID says in a guest, twice: as the processor answers a program, and as the hypervisor answers a kernel
 * (the instruction behind Xen's prefix for forced emulation). For comparing hypervisors. With "raw" only the former, for
 * a machine without a hypervisor, where the prefix is an invalid instruction.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct answer {
    uint32_t eax, ebx, ecx, edx;
};

static struct answer raw(uint32_t leaf, uint32_t subleaf)
{
    struct answer a;
    __asm__ volatile("cpuid" : "=a"(a.eax), "=b"(a.ebx), "=c"(a.ecx), "=d"(a.edx) : "0"(leaf), "2"(subleaf));
    return a;
}

static struct answer forced(uint32_t leaf, uint32_t subleaf)
{
    struct answer a;
    __asm__ volatile("ud2; .ascii \"xen\"; cpuid"
                     : "=a"(a.eax), "=b"(a.ebx), "=c"(a.ecx), "=d"(a.edx)
                     : "0"(leaf), "2"(subleaf));
    return a;
}

static void print_range(const char *view, struct answer (*ask)(uint32_t, uint32_t), uint32_t base)
{
    uint32_t last = ask(base, 0).eax;

    if (last < base || last > base + 0x40)
        last = base;
    for (uint32_t leaf = base; leaf <= last; leaf++) {
        int subleaves = leaf == 4 || leaf == 7 || leaf == 0xb || leaf == 0xd || leaf == 0x40000003 ? 4 : 1;

        for (int subleaf = 0; subleaf < subleaves; subleaf++) {
            struct answer a = ask(leaf, (uint32_t)subleaf);

            printf("cpuid %s %08" PRIx32 ".%d %08" PRIx32 " %08" PRIx32 " %08" PRIx32 " %08" PRIx32 "\n", view, leaf,
                   subleaf, a.eax, a.ebx, a.ecx, a.edx);
        }
    }
}

int main(int argc, char **argv)
{
    static const uint32_t bases[] = {0, 0x40000000, 0x80000000};

    for (unsigned i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
        print_range("raw", raw, bases[i]);
        if (argc < 2 || strcmp(argv[1], "raw"))
            print_range("forced", forced, bases[i]);
    }
    return 0;
}
