/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Model-specific registers as a guest kernel sees them. No guest value reaches a register of the hardware except the
 * segment bases and TSC_AUX, which are the guest's own. An unknown register is -EINVAL, which becomes #GP.
 */
#include "cpu/cpu.h"
#include "control/control.h"
#include "emulate.h"
#include "guest_access.h"

#define MSR_TSC             0x10
#define MSR_PLATFORM_ID     0x17
#define MSR_APIC_BASE       0x1B
#define MSR_FEATURE_CONTROL 0x3A
#define MSR_UCODE_REV       0x8B
#define MSR_MISC_FEATURES   0x140
#define MSR_MCG_CAP         0x179
#define MSR_MC0_CTL         0x400
#define MSR_MC1_CTL         0x404
#define MSR_HYPERCALL_PAGE  0x40000000
#define MSR_DE_CFG          0xC0011029
#define DE_CFG_LFENCE       2
#define MCG_BANKS           2
#define MCG_INTEL           0x1000C00 /* interrupts at a threshold, status by it, recovery */

#define EFER_SCE            1UL
#define EFER_LMSLE          (1UL << 13)
#define EFER_LME            (1UL << 8)
#define EFER_LMA            (1UL << 10)
#define FEATURES_LOCKED     1
#define APIC_ENABLED        0x800
#define APIC_BOOT           0x100

static bool canonical(u64 value)
{
    return (u64)((s64)(value << 16) >> 16) == value;
}

static bool is_segment_base(u32 msr)
{
    return msr >= MSR_FS_BASE && msr <= MSR_KERNEL_GS_BASE;
}

/* Registers that kernels look at and that mean nothing to a guest: they read as zero, and writes are forgotten. Those of
 * one vendor are on its processors alone; HIGH ones have AMD's numbers. */
enum { READ = 1, WRITE = 2, BOTH = 3, AMD = 4, INTEL = 8, HIGH = 16 };
#define HIGH_FIRST 0xC0010000U
static const struct {
    u16 first;
    u8 more, allowed;
} quiet[] = {
    {0x000, 1, READ},         /* machine check of old */
    {0x0C1, 7, INTEL | BOTH}, /* performance counters */
    {0x0CE, 0, READ},         /* platform information: no CPUID faulting */
    {0x0E7, 1, WRITE},        /* performance clocks */
    {0x10A, 0, INTEL | READ}, /* no flaw is said to be mended */
    {0x140, 0, BOTH},         /* optional features */
    {0x179, 2, BOTH},         /* machine check */
    {0x186, 3, INTEL | BOTH}, /* performance counters */
    {0x198, 0, INTEL | READ}, /* frequency as it is, and as it shall be */
    {0x199, 0, INTEL | BOTH},
    {0x19A, 0, INTEL | WRITE},      /* clock modulation */
    {0x19C, 0, INTEL | READ},       /* temperature */
    {0x1A0, 0, BOTH},               /* miscellaneous features */
    {0x1B0, 0, INTEL | WRITE},      /* performance or energy */
    {0x280, 31, BOTH},              /* machine check banks */
    {0x309, 2, INTEL | BOTH},       /* performance counters */
    {0x345, 0, READ},               /* performance capabilities */
    {0x38D, 3, INTEL | BOTH},       /* performance counters */
    {0x400, 127, BOTH},             /* machine check banks */
    {0x0000, 7, HIGH | AMD | BOTH}, /* performance counters */
    {0x0010, 0, HIGH | AMD | READ}, /* system configuration, memory ranges */
    {0x0015, 0, HIGH | AMD | BOTH},
    {0x0016, 4, HIGH | AMD | READ},
    {0x001D, 0, HIGH | AMD | READ},
    {0x001F, 0, HIGH | BOTH},
    {0x0041, 1, HIGH | AMD | BOTH}, /* frequency and voltage */
    {0x0061, 10, HIGH | AMD | BOTH},
    {0x0112, 1, HIGH | AMD | READ},
    {0x0200, 11, HIGH | AMD | BOTH}, /* performance counters */
};

static bool is_quiet(u32 msr, unsigned access)
{
    for (unsigned i = 0; i < ARRAY_SIZE(quiet); i++) {
        unsigned allowed = quiet[i].allowed;

        if (msr - quiet[i].first - (allowed & HIGH ? HIGH_FIRST : 0) <= quiet[i].more)
            return (allowed & access) && !(allowed & (cpu_features.amd ? INTEL : AMD));
    }
    return false;
}

static u64 guest_efer(struct vcpu *v)
{
    u64 hidden = EFER_LME | EFER_LMA | EFER_LMSLE | (cpu_features.amd ? 0 : EFER_SCE);

    return rdmsr(MSR_EFER) & (v->is_32bit ? ~hidden : ~0UL);
}

/* What says how the processor is made: the same for every guest at every time. */
static int read_trait(u32 msr, u64 *value)
{
    switch (msr) {
    case MSR_PAT:
        *value = PAT_VALUE;
        return 0;
    case MSR_DE_CFG:
        *value = DE_CFG_LFENCE;
        return cpu_features.amd ? 0 : -EINVAL;
    case MSR_MCG_CAP:
        *value = MCG_BANKS | (cpu_features.amd ? 0 : MCG_INTEL);
        return 0;
    case MSR_MC0_CTL:
    case MSR_MC1_CTL:
        *value = ~0UL;
        return 0;
    case MSR_FEATURE_CONTROL:
        *value = FEATURES_LOCKED;
        /* fall through */
    case MSR_PLATFORM_ID:
        return cpu_features.amd ? -EINVAL : 0;
    default:
        if (is_quiet(msr, READ))
            return 0;
        guest_logf(LOG_DEBUG, "reads unknown MSR %#x\n", msr);
        return -EINVAL;
    }
}

int guest_rdmsr(struct vcpu *v, u32 msr, u64 *value)
{
    *value = 0;
    if (is_segment_base(msr)) {
        if (v->is_32bit)
            return -EINVAL;
        *value = rdmsr(msr);
        return 0;
    }
    switch (msr) {
    case MSR_TSC:
        *value = __builtin_ia32_rdtsc();
        return 0;
    case MSR_EFER:
        *value = guest_efer(v);
        return 0;
    case MSR_APIC_BASE:
        *value = 0xFEE00000 | APIC_ENABLED | (v->id == 0 ? APIC_BOOT : 0);
        return 0;
    case MSR_TSC_AUX:
        *value = v->tsc_aux;
        return cpu_features.rdtscp ? 0 : -EINVAL;
    case MSR_UCODE_REV:
        *value = rdmsr(MSR_UCODE_REV);
        return 0;
    case MSR_HYPERCALL_PAGE:
        return 0;
    default:
        return read_trait(msr, value);
    }
}

/* The other way to a hypercall page: bits 12 and up of the value are the guest's frame, the rest the page's index. */
static int write_hypercall_page(struct vcpu *v, u64 value)
{
    mfn_t mfn = mfn_of(value >> PAGE_SHIFT);

    if ((value & ~PAGE_MASK) || page_get_and_type(mfn, v->domain, FRAME_WRITABLE, false))
        return -EINVAL;
    hypercall_page_fill(mfn_to_virt(mfn), v->is_32bit);
    page_put_and_type(mfn);
    return 0;
}

/* Nothing can be switched on; a machine check is acknowledged by a zero. */
static bool takes_only_zero(u32 msr)
{
    return msr == MSR_MISC_FEATURES || (msr > MSR_MC0_CTL && msr < MSR_MC0_CTL + 4 * MCG_BANKS && (msr & 3));
}

int guest_wrmsr(struct vcpu *v, u32 msr, u64 value)
{
    if (is_segment_base(msr)) {
        if (v->is_32bit || !canonical(value))
            return -EINVAL;
        wrmsr(msr, value);
        return 0;
    }
    switch (msr) {
    case MSR_TSC_AUX:
        if (!cpu_features.rdtscp || value >> 32)
            return -EINVAL;
        v->tsc_aux = value;
        wrmsr(MSR_TSC_AUX, value);
        return 0;
    case MSR_EFER:
        return value == guest_efer(v) ? 0 : -EINVAL;
    case MSR_HYPERCALL_PAGE:
        return write_hypercall_page(v, value);
    case MSR_UCODE_REV: /* Intel's is written as 0 before the number is read */
        return cpu_features.amd || value ? -EINVAL : 0;
    case MSR_DE_CFG:
        return cpu_features.amd ? 0 : -EINVAL;
    default:
        if (value && takes_only_zero(msr))
            return -EINVAL;
        if (is_quiet(msr, WRITE))
            return 0;
        guest_logf(LOG_DEBUG, "writes %#lx to unknown MSR %#x\n", (unsigned long)value, msr);
        return -EINVAL;
    }
}
