/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Where the fields of a guest's shared_info lie, in the layout of the guest's width and not of the width this is
 * compiled for (source: the ABI's struct shared_info and arch_shared_info).
 */
#ifndef MIGRATION_SHARED_INFO_H
#define MIGRATION_SHARED_INFO_H

#include <stdint.h>
#include <string.h>

struct shared_info_layout {
    unsigned int width; /* bytes of the guest's long */
    unsigned int pending, mask, port_bytes;
    unsigned int pending_selector; /* in each vcpu_info */
    unsigned int arch, arch_size;
    unsigned int max_pfn, frame_list_list, p2m_cr3, p2m_vaddr, p2m_generation;
};

#define SHARED_INFO_VCPUS     32u
#define SHARED_INFO_VCPU_SIZE 64u

static inline const struct shared_info_layout *shared_info_layout(unsigned int bits)
{
    static const struct shared_info_layout narrow = {.width = 4,
                                                     .pending = 2048,
                                                     .mask = 2176,
                                                     .port_bytes = 128,
                                                     .pending_selector = 4,
                                                     .arch = 2316,
                                                     .arch_size = 28,
                                                     .max_pfn = 2316,
                                                     .frame_list_list = 2320,
                                                     .p2m_cr3 = 2328,
                                                     .p2m_vaddr = 2332,
                                                     .p2m_generation = 2336},
                                           wide = {.width = 8,
                                                   .pending = 2048,
                                                   .mask = 2560,
                                                   .port_bytes = 512,
                                                   .pending_selector = 8,
                                                   .arch = 3088,
                                                   .arch_size = 48,
                                                   .max_pfn = 3088,
                                                   .frame_list_list = 3096,
                                                   .p2m_cr3 = 3112,
                                                   .p2m_vaddr = 3120,
                                                   .p2m_generation = 3128};

    return bits == 64 ? &wide : &narrow;
}

static inline uint64_t guest_long(const void *page, unsigned int offset, unsigned int width)
{
    uint64_t value = 0;

    memcpy(&value, (const char *)page + offset, width);
    return value;
}

static inline void set_guest_long(void *page, unsigned int offset, unsigned int width, uint64_t value)
{
    memcpy((char *)page + offset, &value, width);
}

#endif
