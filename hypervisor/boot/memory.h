/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Adding to boot_memory: ranges of the firmware's map, and what must stay out of the heap.
 */
#ifndef HYPERVISOR_BOOT_MEMORY_H
#define HYPERVISOR_BOOT_MEMORY_H

#include "types.h"

void boot_memory_add(u64 start, u64 end, u32 type);
void boot_memory_reserve(u64 start, u64 end);

#endif
