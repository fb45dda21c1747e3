/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Canonical form of page tables and vCPU contexts; see canonical.h.
 */
#include "canonical.h"

#include <abi/xen.h>

#include "dom0-tools/builder/wire.h"

#define PRESENT         0x1u
#define LARGE           0x80u
#define FRAME_MASK      0x000FFFFFFFFFF000ull
#define HYPERVISOR_64   256u /* slots 256 to 271 of an L4 table are the hypervisor's */
#define HYPERVISOR_END  272u
#define L3_ENTRIES_32   4u
#define HYPERVISOR_L2   428u /* of the L2 table for the last GiB: 0xF5800000 on */
#define GDT_FRAMES      14u
#define GDT_PER_FRAME   512u
#define USER_TABLE_MARK 1u /* tells a user page table at frame 0 from none */

static uint64_t read_entry(const uint64_t *entry)
{
    return *(const volatile uint64_t *)entry;
}

static bool is_last_l2(const struct table_kind *kind, uint64_t entry)
{
    return (entry & PRESENT) != 0 && (entry & FRAME_MASK) >> 12 == kind->compat_mark;
}

/* The slots that are not the guest's: from *first up to *end. */
static void hypervisor_slots(const struct table_kind *kind, const uint64_t *in, unsigned int *first, unsigned int *end)
{
    *first = *end = CANONICAL_ENTRIES;
    if (kind->bits == 64 && kind->level == 4) {
        *first = HYPERVISOR_64;
        *end = HYPERVISOR_END;
    } else if (kind->bits == 32 && kind->level == 3) {
        *first = L3_ENTRIES_32;
    } else if (kind->bits == 32 && kind->level == 2 && kind->compat_mark != CANONICAL_NONE &&
               is_last_l2(kind, read_entry(&in[HYPERVISOR_L2]))) {
        *first = HYPERVISOR_L2;
    }
}

int canonical_table(const struct table_kind *kind, const struct frame_map *map, const uint64_t *in, uint64_t *out,
                    struct table_fault *fault)
{
    unsigned int first, end;

    hypervisor_slots(kind, in, &first, &end);
    for (unsigned int i = 0; i < CANONICAL_ENTRIES; i++) {
        uint64_t entry = i >= first && i < end ? 0 : read_entry(&in[i]), other;

        out[i] = entry;
        if ((entry & PRESENT) == 0)
            continue;
        *fault = (struct table_fault){i, entry, kind->level > 1 && (entry & LARGE) != 0};
        other = fault->large ? CANONICAL_NONE : map->other(map->own, (entry & FRAME_MASK) >> 12);
        if (other == CANONICAL_NONE)
            return -1;
        out[i] = (entry & ~FRAME_MASK) | other << 12;
    }
    return 0;
}

static int convert(const struct frame_map *map, const char *field, uint64_t *frame, struct context_fault *fault)
{
    uint64_t other = map->other(map->own, *frame);

    *fault = (struct context_fault){field, *frame};
    *frame = other;
    return other == CANONICAL_NONE ? -1 : 0;
}

static int convert_gdt_64(const struct frame_map *map, struct vcpu_guest_context_64 *context,
                          struct context_fault *fault)
{
    if (context->gdt_ents > GDT_FRAMES * GDT_PER_FRAME) {
        *fault = (struct context_fault){"number of GDT entries", context->gdt_ents};
        return -1;
    }
    for (unsigned int i = 0; i * GDT_PER_FRAME < context->gdt_ents; i++) {
        uint64_t frame = context->gdt_frames[i];

        if (convert(map, "GDT frame", &frame, fault) != 0)
            return -1;
        context->gdt_frames[i] = frame;
    }
    return 0;
}

static int convert_64(bool restoring, const struct frame_map *map, struct vcpu_guest_context_64 *context,
                      struct context_fault *fault)
{
    uint64_t top = (context->ctrlreg[3] & FRAME_MASK) >> 12, user = context->ctrlreg[1] >> 12;

    if (convert_gdt_64(map, context, fault) != 0 || convert(map, "ctrlreg[3]", &top, fault) != 0)
        return -1;
    context->ctrlreg[3] = top << 12;
    if (restoring ? (context->ctrlreg[1] & USER_TABLE_MARK) == 0 : context->ctrlreg[1] == 0) {
        context->ctrlreg[1] = 0;
        return 0;
    }
    if (convert(map, "ctrlreg[1]", &user, fault) != 0)
        return -1;
    context->ctrlreg[1] = user << 12 | (restoring ? 0 : USER_TABLE_MARK);
    return 0;
}

static int convert_32(const struct frame_map *map, struct vcpu_guest_context_32 *context, struct context_fault *fault)
{
    uint64_t top = (uint32_t)(context->ctrlreg[3] >> 12 | context->ctrlreg[3] << 20);

    if (context->gdt_ents > GDT_FRAMES * GDT_PER_FRAME) {
        *fault = (struct context_fault){"number of GDT entries", context->gdt_ents};
        return -1;
    }
    for (unsigned int i = 0; i * GDT_PER_FRAME < context->gdt_ents; i++) {
        uint64_t frame = context->gdt_frames[i];

        if (convert(map, "GDT frame", &frame, fault) != 0)
            return -1;
        context->gdt_frames[i] = (uint32_t)frame;
    }
    if (convert(map, "ctrlreg[3]", &top, fault) != 0)
        return -1;
    context->ctrlreg[3] = (uint32_t)top << 12 | (uint32_t)top >> 20;
    return 0;
}

size_t canonical_context_size(unsigned int bits)
{
    return bits == 64 ? sizeof(struct vcpu_guest_context_64) : sizeof(struct vcpu_guest_context_32);
}

int canonical_context(unsigned int bits, bool restoring, const struct frame_map *map, void *context,
                      struct context_fault *fault)
{
    return bits == 64 ? convert_64(restoring, map, context, fault) : convert_32(map, context, fault);
}

uint64_t canonical_start_info(unsigned int bits, const void *context)
{
    if (bits == 64)
        return ((const struct vcpu_guest_context_64 *)context)->user_regs.rdx;
    return ((const struct vcpu_guest_context_32 *)context)->user_regs.edx;
}

void canonical_set_start_info(unsigned int bits, void *context, uint64_t frame)
{
    if (bits == 64)
        ((struct vcpu_guest_context_64 *)context)->user_regs.rdx = frame;
    else
        ((struct vcpu_guest_context_32 *)context)->user_regs.edx = (uint32_t)frame;
}
