/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Linked with SPECULATION=1 only: what one domain taught a CPU's branch predictors, or left in its buffers, is gone
 * before another runs there.
 */
#include "cpu/cpu.h"
#include "cpu/features.h"
#include "speculation.h"

#define MSR_PRED_CMD 0x49
#define PRED_IBPB    1

static u64 last_mark[MAX_CPUS]; /* of the domain that ran last on each */

static u32 leaf_register(u32 leaf, unsigned which)
{
    u32 out[4];

    cpuid(leaf & 0x80000000, 0, out);
    if (out[0] < leaf)
        return 0;
    cpuid(leaf, 0, out);
    return out[which];
}

static bool has_ibpb(void)
{
    return leaf_register(7, 3) >> 26 & 1 || leaf_register(0x80000008, 1) >> 12 & 1;
}

static bool has_md_clear(void)
{
    return leaf_register(7, 3) >> 10 & 1;
}

void speculation_switch(const struct vcpu *next)
{
    static const u16 null_selector;
    static enum { UNKNOWN, KNOWN } probed;
    static bool ibpb, md_clear;
    u64 *last = &last_mark[this_cpu()->cpu];

    if (*last == next->domain->mm.mark)
        return;
    *last = next->domain->mm.mark;
    if (READ_ONCE(probed) == UNKNOWN) { /* two CPUs may: they find the same */
        ibpb = has_ibpb();
        md_clear = has_md_clear();
        __atomic_store_n(&probed, KNOWN, __ATOMIC_RELEASE);
    }
    if (ibpb)
        wrmsr(MSR_PRED_CMD, PRED_IBPB);
    if (md_clear)
        __asm__ volatile("verw %0" : : "m"(null_selector) : "cc");
}
