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

#define MSR_TSC            0x10
#define MSR_PLATFORM_ID    0x17
#define MSR_APIC_BASE      0x1B
#define MSR_UCODE_WRITE    0x79
#define MSR_UCODE_REV      0x8B
#define MSR_MCG_CAP        0x179
#define MSR_MCG_CTL        0x17B
#define MSR_MISC_ENABLE    0x1A0
#define MSR_MC0_CTL        0x400
#define MSR_MC_LAST        0x47F
#define MSR_HYPERCALL_PAGE 0x40000000
#define MSR_K7_EVNTSEL0    0xC0010000
#define MSR_K7_PERFCTR3    0xC0010007
#define MSR_K8_HWCR        0xC0010015
#define MSR_AMD_PATCH      0xC0010020
#define MSR_DE_CFG         0xC0011029
#define DE_CFG_LFENCE      2

#define EFER_LMSLE (1UL << 13)
#define EFER_LME   (1UL << 8)
#define EFER_LMA   (1UL << 10)
#define APIC_ENABLED 0x800
#define APIC_BOOT    0x100

static bool canonical(u64 value)
{
    return (u64)((s64)(value << 16) >> 16) == value;
}

static bool is_segment_base(u32 msr)
{
    return msr >= MSR_FS_BASE && msr <= MSR_KERNEL_GS_BASE;
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
    if (msr >= MSR_MC0_CTL && msr <= MSR_MC_LAST)
        return 0; /* no banks */
    if (msr >= MSR_K7_EVNTSEL0 && msr <= MSR_K7_PERFCTR3)
        return 0;
    switch (msr) {
    case MSR_TSC:
        *value = __builtin_ia32_rdtsc();
        return 0;
    case MSR_EFER:
        *value = rdmsr(MSR_EFER);
        if (v->is_32bit)
            *value &= ~(EFER_LME | EFER_LMA | EFER_LMSLE);
        return 0;
    case MSR_PAT:
        *value = PAT_VALUE;
        return 0;
    case MSR_APIC_BASE:
        *value = 0xFEE00000 | APIC_ENABLED | (v->id == 0 ? APIC_BOOT : 0);
        return 0;
    case MSR_TSC_AUX:
        if (!cpu_features.rdtscp)
            return -EINVAL;
        *value = v->tsc_aux;
        return 0;
    case MSR_DE_CFG:
        *value = DE_CFG_LFENCE;
        return 0;
    case MSR_PLATFORM_ID:
    case MSR_UCODE_REV:
    case MSR_MCG_CAP:
    case MSR_MCG_CAP + 1:
    case MSR_MCG_CTL:
    case MSR_MISC_ENABLE:
    case MSR_K8_HWCR:
        return 0;
    default:
        guest_logf(LOG_DEBUG, "reads unknown MSR %#x\n", msr);
        return -EINVAL;
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

int guest_wrmsr(struct vcpu *v, u32 msr, u64 value)
{
    if (is_segment_base(msr)) {
        if (v->is_32bit || !canonical(value))
            return -EINVAL;
        wrmsr(msr, value);
        return 0;
    }
    if (msr >= MSR_MC0_CTL && msr <= MSR_MC_LAST)
        return 0;
    if (msr >= MSR_K7_EVNTSEL0 && msr <= MSR_K7_PERFCTR3)
        return 0;
    switch (msr) {
    case MSR_TSC_AUX:
        if (!cpu_features.rdtscp || value >> 32)
            return -EINVAL;
        v->tsc_aux = value;
        wrmsr(MSR_TSC_AUX, value);
        return 0;
    case MSR_PAT:
        return value == PAT_VALUE ? 0 : -EINVAL;
    case MSR_HYPERCALL_PAGE:
        return write_hypercall_page(v, value);
    case MSR_UCODE_REV: /* written as 0 before its number is read */
    case MSR_UCODE_WRITE:
    case MSR_AMD_PATCH:
    case MSR_MCG_CAP + 1:
    case MSR_MCG_CTL:
    case MSR_MISC_ENABLE:
    case MSR_K8_HWCR:
    case MSR_DE_CFG:
        return 0;
    default:
        guest_logf(LOG_DEBUG, "writes %#lx to unknown MSR %#x\n", (unsigned long)value, msr);
        return -EINVAL;
    }
}
