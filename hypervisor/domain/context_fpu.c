/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Floating-point and vector state of a vCPU that is on no CPU, as the toolstack and VCPUOP_initialise see it. Nothing
 * that XRSTOR would refuse ever gets into a save area: reserved bits are cleared or the whole state is refused.
 */
#include "domain.h"
#include "emulate.h"
#include "domain/context_fpu.h"

#define LEGACY_SIZE   512
#define FCW_DEFAULT   0x37F
#define MXCSR_OFFSET  24
#define MXCSR_DEFAULT 0x1F80
#define MXCSR_VALID   0xFFFFU
#define HEADER_OFFSET 512
#define XSTATE_LEGACY 3ULL /* x87 and SSE */

static u64 *xsave_header(struct vcpu *v)
{
    return (u64 *)((u8 *)v->xsave_area + HEADER_OFFSET);
}

/* image is in FXSAVE format; NULL: the state of a CPU after FNINIT. */
void fpu_set_legacy(struct vcpu *v, const void *image)
{
    u8 *area = v->xsave_area;

    memset(area, 0, LEGACY_SIZE);
    if (image)
        memcpy(area, image, LEGACY_SIZE);
    else
        *(u16 *)area = FCW_DEFAULT;
    *(u32 *)(area + MXCSR_OFFSET) = image ? *(u32 *)(area + MXCSR_OFFSET) & MXCSR_VALID : MXCSR_DEFAULT;
    if (!cpu_features.xsave)
        return;
    memset(xsave_header(v), 0, 64);
    *xsave_header(v) = XSTATE_LEGACY;
}

void fpu_get_legacy(struct vcpu *v, void *image)
{
    u8 *area = v->xsave_area;

    memcpy(image, area, LEGACY_SIZE);
    if (!cpu_features.xsave || (*xsave_header(v) & XSTATE_LEGACY) == XSTATE_LEGACY)
        return;
    /* Parts in their initial state are not written by XSAVE. */
    if (!(*xsave_header(v) & 1)) {
        memset(image, 0, MXCSR_OFFSET);
        memset((u8 *)image + 32, 0, 128);
        *(u16 *)image = FCW_DEFAULT;
    }
    if (!(*xsave_header(v) & 2))
        memset((u8 *)image + 160, 0, 256);
}

size_t fpu_state_size(void)
{
    return cpu_features.xsave ? cpu_features.xsave_size : 0;
}

const void *fpu_state(const struct vcpu *v)
{
    return v->xsave_area;
}

/* A whole XSAVE image in the uncompacted format; -EINVAL when a CPU of ours would not load it. */
int fpu_set_state(struct vcpu *v, const void *image, size_t size)
{
    const u8 *from = image;
    u64 header[8];

    if (!cpu_features.xsave || size < HEADER_OFFSET + sizeof(header) || size > cpu_features.xsave_size)
        return -EINVAL;
    memcpy(header, from + HEADER_OFFSET, sizeof(header));
    if (header[0] & ~cpu_features.xcr0)
        return -EINVAL;
    for (unsigned i = 1; i < ARRAY_SIZE(header); i++)
        if (header[i])
            return -EINVAL;
    if (*(const u32 *)(from + MXCSR_OFFSET) & ~MXCSR_VALID)
        return -EINVAL;
    memset(v->xsave_area, 0, cpu_features.xsave_size);
    memcpy(v->xsave_area, from, size);
    return 0;
}
