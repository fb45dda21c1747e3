/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Floating point and vector state, switched eagerly with the vCPU: what one guest left in a register no other sees.
 */
#include "cpu/cpu.h"
#include "cpu/features.h"
#include "emulate.h"

#define FXSAVE_SIZE   512
#define FCW_DEFAULT   0x37F
#define MXCSR_DEFAULT 0x1F80

#define AREA_ALIGN    64

static size_t area_size(void)
{
    return cpu_features.xsave ? cpu_features.xsave_size : FXSAVE_SIZE;
}

static bool area_is_large(void)
{
    return area_size() + AREA_ALIGN > PAGE_SIZE;
}

int fpu_vcpu_init(struct vcpu *v)
{
    u8 *area;

    v->xsave_block = area_is_large() ? hv_alloc_pages(1) : hv_alloc(area_size() + AREA_ALIGN);
    if (!v->xsave_block)
        return -ENOMEM;
    area = (u8 *)ROUND_UP((unsigned long)v->xsave_block, AREA_ALIGN);
    *(u16 *)area = FCW_DEFAULT;
    *(u32 *)(area + 24) = MXCSR_DEFAULT;
    v->xsave_area = area;
    v->xcr0 = cpu_features.xcr0 & (XCR0_X87 | XCR0_SSE); /* what a vCPU starts with */
    return 0;
}

void fpu_vcpu_destroy(struct vcpu *v)
{
    if (v->xsave_block && area_is_large())
        hv_free_pages(v->xsave_block, 1);
    else
        hv_free(v->xsave_block);
    v->xsave_block = v->xsave_area = NULL;
}

/* A vCPU that has switched components off runs with its own XCR0; its area holds all components all the same. */
static void load_xcr0(u64 value)
{
    __asm__ volatile("xsetbv" : : "c"(0), "a"((u32)value), "d"((u32)(value >> 32)));
}

void fpu_save(struct vcpu *v)
{
    if (v->ctrlreg[0] & CR0_TS)
        __asm__ volatile("clts");
    if (unlikely(v->xcr0 != cpu_features.xcr0))
        load_xcr0(cpu_features.xcr0);
    if (cpu_features.xsave)
        __asm__ volatile("xsave64 (%0)" : : "r"(v->xsave_area), "a"(~0U), "d"(~0U) : "memory");
    else
        __asm__ volatile("fxsave64 (%0)" : : "r"(v->xsave_area) : "memory");
}

/* Not every CPU loads the pointers of the last x87 instruction from the area; FNINIT clears another vCPU's everywhere. */
void fpu_restore(struct vcpu *v)
{
    __asm__ volatile("fninit");
    if (cpu_features.xsave)
        __asm__ volatile("xrstor64 (%0)" : : "r"(v->xsave_area), "a"(~0U), "d"(~0U) : "memory");
    else
        __asm__ volatile("fxrstor64 (%0)" : : "r"(v->xsave_area) : "memory");
    if (unlikely(v->xcr0 != cpu_features.xcr0))
        load_xcr0(v->xcr0);
    if (v->ctrlreg[0] & CR0_TS)
        write_cr0(read_cr0() | CR0_TS);
}

long do_fpu_taskswitch(unsigned long set);
long do_fpu_taskswitch(unsigned long set)
{
    struct vcpu *v = current;

    if ((u32)set) {
        v->ctrlreg[0] |= CR0_TS;
        write_cr0(read_cr0() | CR0_TS);
    } else {
        v->ctrlreg[0] &= ~CR0_TS;
        __asm__ volatile("clts");
    }
    return 0;
}
