/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Registers of devices in memory.
 */
#ifndef MACHINE_MMIO_H
#define MACHINE_MMIO_H

#include <stdint.h>

#define MMIO_BYTES_MAX (1u << 20)

/* Maps whole devices' pages, uncached, for good. NULL: larger than MMIO_BYTES_MAX, or the hypervisor refuses. */
volatile uint8_t *mmio_map(uint64_t machine, uint64_t bytes);

#endif
