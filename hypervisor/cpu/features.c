/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What this CPU can do, and switching on what we use. A CPU without a feature we cannot do without is refused by name.
 */
#include "cpu/cpu.h"
#include "cpu/features.h"
#include "emulate.h"

/* The last CPUID leaves that a guest is shown. */
#define BASIC_LAST          0xDU
#define EXTENDED_LAST       0x80000021U
#define EXTENDED_LAST_INTEL 0x80000008U

struct cpu_features cpu_features;

void cpuid(u32 leaf, u32 subleaf, u32 out[4])
{
    __asm__ volatile("cpuid" : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3]) : "a"(leaf), "c"(subleaf));
}

static bool leaf_bit(u32 leaf, unsigned reg, unsigned bit)
{
    u32 out[4];

    cpuid(leaf & 0x80000000, 0, out);
    if (out[0] < leaf)
        return false;
    cpuid(leaf, 0, out);
    return out[reg] >> bit & 1;
}

static void require(bool present, const char *name)
{
    if (!present)
        panic("this CPU has no %s; Paravane needs it", name);
}

static void probe_xsave(struct cpu_features *f)
{
    u32 out[4];

    f->xsave = leaf_bit(1, 2, 26);
    if (!f->xsave)
        return;
    cpuid(0xD, 0, out);
    f->xcr0 = out[0] & (XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_AVX512);
    if ((f->xcr0 & XCR0_AVX512) != XCR0_AVX512)
        f->xcr0 &= ~XCR0_AVX512;
}

static void set_xcr0(u64 value)
{
    __asm__ volatile("xsetbv" : : "c"(0), "a"((u32)value), "d"((u32)(value >> 32)));
}

/* SMAP stays off: the guest's own IRETQ in ring 3 reads its stack as a supervisor under the emulator, and nothing of
 * ours depends on it. */
void features_init_cpu(void)
{
    u64 cr4 = (read_cr4() & ~CR4_PGE) | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT;

    if (cpu_features.xsave)
        cr4 |= CR4_OSXSAVE;
    if (cpu_features.smep)
        cr4 |= CR4_SMEP;
    write_cr4(cr4);
    cpu_features.cr4 = cr4;
    if (cpu_features.xsave)
        set_xcr0(cpu_features.xcr0);
}

void features_init(void)
{
    struct cpu_features *f = &cpu_features;
    u32 out[4];

    require(leaf_bit(0x80000001, 3, 29), "64-bit mode");
    require(leaf_bit(0x80000001, 3, 20), "no-execute pages");
    require(leaf_bit(0x80000001, 3, 11), "SYSCALL");
    require(leaf_bit(1, 3, 25), "SSE");
    require(leaf_bit(1, 3, 9), "local APIC");
    cpuid(0, 0, out);
    f->amd = out[2] == 0x444D4163 || out[2] == 0x656E6975; /* AuthenticAMD, HygonGenuine */
    f->last_leaf[0] = MIN(out[0], BASIC_LAST);
    f->rdtscp = leaf_bit(0x80000001, 3, 27);
    f->smep = leaf_bit(7, 1, 7);
    f->fsgsbase = leaf_bit(7, 1, 0);
    f->invariant_tsc = leaf_bit(0x80000007, 3, 8);
    f->physical_bits = 36;
    cpuid(0x80000000, 0, out);
    f->last_leaf[1] = f->amd ? EXTENDED_LAST : MIN(out[0], EXTENDED_LAST_INTEL);
    if (out[0] >= 0x80000008) {
        cpuid(0x80000008, 0, out);
        f->physical_bits = out[0] & 0xFF;
    }
    probe_xsave(f);
    features_init_cpu();
    if (f->xsave) {
        cpuid(0xD, 0, out);
        f->xsave_size = out[1];
    }
}

void fpu_init_cpu(void)
{
    u32 mxcsr = 0x1F80;

    __asm__ volatile("clts; fninit; ldmxcsr %0" : : "m"(mxcsr));
}
