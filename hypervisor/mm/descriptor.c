/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Which segment descriptors a guest's GDT or LDT may hold. Nothing there may give more privilege than the guest kernel
 * has (ring 1 in 32-bit guests, ring 3 in 64-bit ones), and no 32-bit guest may enter 64-bit code.
 */
#include "internal.h"
#include "guest_access.h"

#define DESC_TYPE        (0xFUL << 40)
#define DESC_S           (1UL << 44)
#define DESC_DPL         (3UL << 45)
#define DESC_P           (1UL << 47)
#define DESC_LONG        (1UL << 53)
#define DESC_G           (1UL << 55)
#define DESC_CALL        (0xCUL << 40)
#define FLAT_CS_RING1    0xE019
#define FLAT_CS_RING3    0xE033
#define GATE_RESERVED_32 (0xE0UL << 32)
#define GATE_RESERVED_64 (0xFFUL << 32)

static unsigned long segment_base(u64 e)
{
    return (e >> 16 & 0xFFFFFF) | (e >> 56 & 0xFF) << 24;
}

static unsigned long segment_limit(u64 e)
{
    unsigned long limit = (e & 0xFFFF) | (e >> 48 & 0xF) << 16;
    return e & DESC_G ? limit << 12 | 0xFFF : limit;
}

/* Kernels of old end their flat segments where the hypervisor's hole began for them; ours begins earlier, and the
 * M2P must stay readable. */
static void stretch_flat(u64 *descriptor)
{
    if (segment_base(*descriptor) == 0 && segment_limit(*descriptor) > COMPAT_VIRT_START)
        *descriptor |= 0x000F00000000FFFFUL;
}

static bool gate_target_ok(const struct domain *d, u16 selector)
{
    u16 flat = d->is_32bit ? FLAT_CS_RING1 : FLAT_CS_RING3;
    return selector == flat || (selector & 4) || (selector >> 3) < FIRST_RESERVED_GDT_ENTRY;
}

/* A call gate is kept only as a note of where it leads: at privilege level zero every use faults, and is then emulated
 * with the level that the target's selector remembers. */
static bool gate_ok(const struct domain *d, u64 *descriptor, u64 dpl)
{
    u64 e = *descriptor;
    if (!gate_target_ok(d, (u16)(e >> 16)) || (e & (d->is_32bit ? GATE_RESERVED_32 : GATE_RESERVED_64)))
        return false;
    *descriptor = (e & ~(DESC_DPL | 3UL << 16)) | dpl << 16;
    return true;
}

bool descriptor_ok(const struct domain *d, u64 *descriptor)
{
    u64 e = *descriptor;
    if (!(e & DESC_P) || !(e & (DESC_S | DESC_TYPE)))
        return true; /* every use faults; type 0 is the second half of a 64-bit gate */
    u64 dpl = MAX(e >> 45 & 3, d->is_32bit ? 1UL : 3UL);
    e = (e & ~DESC_DPL) | dpl << 45;
    if (e & DESC_S) {
        if (d->is_32bit) {
            if (e & DESC_LONG)
                return false;
            stretch_flat(&e);
        }
    } else if ((e & DESC_TYPE) != DESC_CALL || !gate_ok(d, &e, dpl)) {
        return false;
    }
    *descriptor = e;
    return true;
}

/* Of a frame that is BUSY becoming a descriptor table: the guest cannot write it meanwhile. */
int validate_descriptors(mfn_t mfn, struct domain *d)
{
    u64 *table = mfn_to_virt(mfn);
    for (unsigned i = 0; i < 512; i++) {
        u64 e = table[i];
        if (e == 0)
            continue;
        if (!descriptor_ok(d, &e))
            return -EINVAL;
        table[i] = e;
    }
    return 0;
}
