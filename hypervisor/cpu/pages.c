/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Whole pages, copied and cleared by 32 bytes where the CPU has such registers, else by words. The registers hold a
 * guest's values, whose vCPU may have switched them off: the one that is used, CR0.TS and XCR0 are as before when a
 * function returns. No handler of ours touches a vector register, and interrupts are off.
 */
#include "cpu/cpu.h"
#include "cpu/features.h"
#include "emulate.h"

#define XCR0_VECTORS (XCR0_SSE | XCR0_AVX)
#define STEP         256

struct borrowed {
    u64 ymm0[4];
    u64 cr0;
    u32 xcr0, xcr0_high;
};

IN_PLACE void load_xcr0(const struct borrowed *b, u32 more)
{
    __asm__ volatile("xsetbv" : : "c"(0), "a"(b->xcr0 | more), "d"(b->xcr0_high));
}

IN_PLACE void borrow_ymm0(struct borrowed *b)
{
    b->cr0 = read_cr0();
    if (b->cr0 & CR0_TS)
        __asm__ volatile("clts");
    __asm__ volatile("xgetbv" : "=a"(b->xcr0), "=d"(b->xcr0_high) : "c"(0));
    if (~b->xcr0 & XCR0_VECTORS)
        load_xcr0(b, XCR0_VECTORS);
    __asm__ volatile("vmovdqu %%ymm0, %0" : "=m"(b->ymm0));
}

IN_PLACE void return_ymm0(const struct borrowed *b)
{
    __asm__ volatile("vmovdqu %0, %%ymm0" : : "m"(b->ymm0));
    if (~b->xcr0 & XCR0_VECTORS)
        load_xcr0(b, 0);
    if (b->cr0 & CR0_TS)
        write_cr0(b->cr0);
}

/* A write to YMM0 clears the rest of ZMM0: a CPU whose guests may have something there goes by words. */
IN_PLACE bool has_vectors(void)
{
    return likely((cpu_features.xcr0 & (XCR0_VECTORS | XCR0_AVX512)) == XCR0_VECTORS);
}

#define AT_EACH(what) what("-128") what("-96") what("-64") what("-32") what("0") what("32") what("64") what("96")

#define COPY(offset)                                                                                                   \
    "vmovdqu " offset "(%2, %0), %%ymm0\n\t"                                                                           \
    "vmovdqu %%ymm0, " offset "(%1, %0)\n\t"
#define STORE(offset) "vmovdqu %%ymm0, " offset "(%1, %0)\n\t"

void copy_page(void *to, const void *from)
{
    struct borrowed b;
    long at = -(long)PAGE_SIZE;

    if (!has_vectors()) {
        memcpy(to, from, PAGE_SIZE);
        return;
    }
    borrow_ymm0(&b);
    __asm__ volatile("1:\n\t" AT_EACH(COPY) "add %3, %0\n\tjnz 1b"
                     : "+r"(at)
                     : "r"((char *)to + PAGE_SIZE + STEP / 2), "r"((const char *)from + PAGE_SIZE + STEP / 2),
                       "r"((long)STEP)
                     : "memory");
    return_ymm0(&b);
}

void *clear_pages(void *pages, unsigned order)
{
    struct borrowed b;
    long size = (long)PAGE_SIZE << order, at = -size;

    if (!has_vectors())
        return memset(pages, 0, (size_t)size);
    borrow_ymm0(&b);
    __asm__ volatile("vpxor %%xmm0, %%xmm0, %%xmm0\n1:\n\t" AT_EACH(STORE) "add %2, %0\n\tjnz 1b"
                     : "+r"(at)
                     : "r"((char *)pages + size + STEP / 2), "r"((long)STEP)
                     : "memory");
    return_ymm0(&b);
    return pages;
}
