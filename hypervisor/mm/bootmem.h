/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Where bootmem.c put the M2Ps and the pool for the first page tables: physical addresses.
 */
#ifndef HYPERVISOR_MM_BOOTMEM_H
#define HYPERVISOR_MM_BOOTMEM_H

#include "types.h"

struct boot_block {
    u64 m2p, m2p_bytes, compat, compat_bytes, pool, pool_end;
};

void bootmem_init(struct boot_block *block);
bool bootmem_ram(unsigned index, u64 *start, u64 *end); /* RAM ranges, in no order; false past the last */

#endif
