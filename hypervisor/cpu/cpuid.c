/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a guest kernel learns from forced CPUID. A feature is shown when the CPU has it, a PV guest can use it and we
 * switch its state. User space executes CPUID natively and sees the hardware, so nothing here is a security boundary.
 */
#include "cpu/cpu.h"
#include "cpu/features.h"
#include "emulate.h"

enum { EAX, EBX, ECX, EDX };

#define XEN_BASE 0x40000000U
#define XEN_LAST 5U

#define BIT(n)   (1U << (n))

/* Leaf 1, edx: FPU DE TSC MSR PAE MCE CX8 APIC SEP MCA CMOV PAT CLFLUSH ACPI MMX FXSR SSE SSE2 SS HTT. */
#define LEAF1_EDX 0x1FC9CBF5U
/* Leaf 1, ecx: SSE3 PCLMULQDQ SSSE3 FMA CX16 SSE4.1 SSE4.2 MOVBE POPCNT AES XSAVE AVX F16C RDRAND. */
#define LEAF1_ECX  0x76D83203U
#define SEP        BIT(11)
#define MTRR       BIT(12)
#define OSXSAVE    BIT(27)
#define HYPERVISOR BIT(31)
/* Leaf 7, ebx: FSGSBASE BMI1 AVX2 FDP_EXCP BMI2 ERMS NO_FPU_SEL AVX512F DQ RDSEED ADX IFMA CLFLUSHOPT CLWB CD SHA BW VL. */
#define LEAF7_EBX 0xF1AF2369U
/* Leaf 7, ecx: VBMI VBMI2 GFNI VAES VPCLMULQDQ VNNI BITALG VPOPCNTDQ RDPID CLDEMOTE MOVDIRI MOVDIR64B. */
#define LEAF7_ECX 0x1A405F42U
/* Leaf 7, edx: 4VNNIW 4FMAPS FSRM VP2INTERSECT. Nothing that needs an MSR we do not switch. */
#define LEAF7_EDX   0x0000011CU
#define LEAF7_1_EAX 0x00001C30U
/* Extended leaf 1: what AMD repeats of leaf 1, and SYSCALL NX MMXEXT FFXSR RDTSCP LM 3DNOWEXT 3DNOW. */
#define EXT1_REPEATED 0x0183F3FFU
#define EXT1_EDX      0xEA500800U
#define LEAF1_CX16    (1U << 13) /* of no use without long mode, as the next */
#define EXT1_LAHF     1U
/* Extended leaf 1, ecx: LAHF CMP_LEGACY ABM SSE4A MISALIGNSSE 3DNOWPREFETCH XOP FMA4 TBM. */
#define EXT1_ECX     0x002109E3U
#define EXT1_SYSCALL BIT(11)
#define EXT1_LM      BIT(29)
#define ARCH_CAPS    BIT(29) /* leaf 7, edx: MSR 0x10A, which Intel's processors always have here */

/* The registers of an extended leaf that mean anything on AMD's processors and, the lower four, on Intel's; eax lowest. */
static const u8 meant[] = {0xF1, 0xFC, 0xFF, 0xFF, 0xFF, 0xF0, 0xF4, 0x00, 0x73};

static void no_answer(u32 out[4])
{
    out[EAX] = out[EBX] = out[ECX] = out[EDX] = 0;
}

/* Some things are shown to kernels alone, though their programs may ask by forced CPUID, too. */
IN_PLACE bool kernel_asks(void)
{
    return guest_in_kernel(current, guest_regs());
}

static void basic_features(struct domain *d, bool kernel, u32 known, u32 out[4])
{
    u32 ecx = (out[ECX] & LEAF1_ECX) | HYPERVISOR;

    out[EBX] &= 0x00FFFFFF; /* every vCPU of a PV guest has the initial APIC id 0: all are threads of one package */
    out[EDX] &= known;
    if (cpu_features.xsave && (kernel || current->ctrlreg[4] & CR4_OSXSAVE))
        ecx |= OSXSAVE;
    out[ECX] = d->is_32bit ? ecx & ~LEAF1_CX16 : ecx;
}

static void extended_features(struct domain *d, u32 known, u32 out[4])
{
    u32 edx = out[EDX] & EXT1_EDX, repeated = MTRR;

    if (cpu_features.amd) {
        repeated = EXT1_REPEATED;
        known &= out[EDX];
    } else {
        out[EAX] = out[EBX] = 0;
    }
    out[EDX] = edx | (known & repeated);
    out[ECX] &= EXT1_ECX;
    if (d->is_32bit) {
        out[EDX] &= ~EXT1_LM;
        out[ECX] &= ~EXT1_LAHF;
        if (!cpu_features.amd)
            out[EDX] &= ~EXT1_SYSCALL;
    }
}

/* The control domain's kernel sees MTRRs. SYSENTER is no use in AMD's long mode. */
static void features(struct domain *d, bool extended, u32 out[4])
{
    bool kernel = kernel_asks();
    u32 known = (LEAF1_EDX | (d->initial && kernel ? MTRR : 0)) & ~(cpu_features.amd ? SEP : 0);

    if (extended)
        extended_features(d, known, out);
    else
        basic_features(d, kernel, known, out);
}

static void structured_features(struct domain *d, u32 subleaf, u32 out[4])
{
    if (subleaf == 0) {
        out[EAX] = MIN(out[EAX], 1U);
        out[EBX] &= LEAF7_EBX;
        out[ECX] &= LEAF7_ECX;
        out[EDX] &= LEAF7_EDX;
        if (d->initial && !cpu_features.amd)
            out[EDX] |= ARCH_CAPS;
    } else {
        out[EAX] &= subleaf == 1 ? LEAF7_1_EAX : 0;
        out[EBX] = out[ECX] = out[EDX] = 0;
    }
}

/* The hardware's answer follows XCR0, which is this guest's while it runs; only components we enable are told. */
static void xsave_leaf(u32 subleaf, u32 out[4])
{
    u64 enabled = cpu_features.xcr0;

    if (subleaf == 0) {
        out[EAX] &= (u32)enabled;
        out[EDX] &= (u32)(enabled >> 32);
        out[ECX] = cpu_features.xsave_size;
    } else if (subleaf == 1) {
        out[EAX] &= 7; /* XSAVEOPT, XSAVEC, XGETBV with 1; no supervisor state */
        out[EBX] = out[ECX] = out[EDX] = 0;
    } else if (subleaf >= 63 || !(enabled >> subleaf & 1)) {
        no_answer(out);
    }
}

static void basic_leaf(struct domain *d, u32 leaf, u32 subleaf, u32 out[4])
{
    switch (leaf) {
    case 0:
        out[EAX] = cpu_features.last_leaf[0];
        break;
    case 2:
    case 4:
        break;
    case 7:
        structured_features(d, subleaf, out);
        break;
    case 0xD:
        if (cpu_features.xsave) {
            xsave_leaf(subleaf, out);
            break;
        }
        /* fall through */
    default: /* MONITOR, power, DCA, performance counters, topology */
        no_answer(out);
        break;
    }
}

static void extended_leaf(struct domain *d, u32 leaf, u32 out[4])
{
    unsigned told = leaf < ARRAY_SIZE(meant) ? meant[leaf] : 0;

    if (cpu_features.amd)
        told >>= 4;
    for (unsigned r = EAX; r <= EDX; r++)
        out[r] &= -(told >> r & 1);
    if (leaf == 0)
        out[EAX] = cpu_features.last_leaf[1];
    if (leaf == 8) {
        out[EAX] = (out[EAX] & 0xFF) | (d->is_32bit ? 32 : 48) << 8; /* no 57-bit addresses */
        out[EBX] &= 0x205;                                           /* CLZERO, RSTR_FP_ERR_PTRS, WBNOINVD */
    }
    if (leaf == 0x21)
        out[EAX] = 4; /* LFENCE always serialises */
}

/* Leaf 3: how this domain's TSC relates to system time. */
static void xen_time_leaf(struct domain *d, u32 subleaf, u32 out[4])
{
    if (subleaf == 0) {
        out[EAX] = (u32)cpu_features.invariant_tsc << 1 | (u32)cpu_features.rdtscp << 2;
        out[EBX] = d->time.tsc_mode;
        out[ECX] = d->time.tsc_khz;
        out[EDX] = d->time.incarnation;
    } else if (subleaf == 2) {
        out[EAX] = (u32)tsc_khz();
    }
}

static void xen_leaf(struct domain *d, u32 leaf, u32 subleaf, u32 out[4])
{
    no_answer(out);
    switch (leaf - XEN_BASE) {
    case 0:
        out[EAX] = XEN_BASE + XEN_LAST;
        out[EBX] = 0x566E6558; /* "XenVMMXenVMM" */
        out[ECX] = 0x65584D4D;
        out[EDX] = 0x4D4D566E;
        break;
    case 1:
        out[EAX] = 4 << 16 | 17;
        break;
    case 2:
        out[EAX] = 1; /* hypercall pages; the MSR that places them */
        out[EBX] = 0x40000000;
        out[ECX] = 1; /* MMU_PT_UPDATE_PRESERVE_AD */
        break;
    case 3:
        xen_time_leaf(d, subleaf, out);
        break;
    case 5:
        if (subleaf == 0)
            out[EBX] = 64 - (u32)__builtin_clzl(max_frame << PAGE_SHIFT);
        break;
    default:
        break;
    }
}

void guest_cpuid(struct domain *d, u32 leaf, u32 subleaf, u32 out[4])
{
    u32 base = leaf & 0xC0000000;

    if (base == XEN_BASE) {
        xen_leaf(d, leaf, subleaf, out);
        return;
    }
    if (base == 0xC0000000 || leaf > cpu_features.last_leaf[base >> 31]) {
        no_answer(out);
        return;
    }
    /* What cpuid() does, in place. */
    __asm__ volatile("cpuid"
                     : "=a"(out[EAX]), "=b"(out[EBX]), "=c"(out[ECX]), "=d"(out[EDX])
                     : "a"(leaf), "c"(subleaf));
    if ((leaf & ~base) == 1)
        features(d, base, out);
    else if (base)
        extended_leaf(d, leaf & 0xFF, out);
    else
        basic_leaf(d, leaf, subleaf, out);
}
