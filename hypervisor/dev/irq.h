/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Device interrupts: I/O APIC pins, routed to us (the serial line) or as pirqs to dom0.
 */
#ifndef HYPERVISOR_DEV_IRQ_H
#define HYPERVISOR_DEV_IRQ_H

#include "domain.h"

#define MAX_GSI 48

void irq_init(void);
bool gsi_exists(unsigned gsi);
/* -EINVAL for a GSI that no I/O APIC has, -EEXIST when it is set up alike already. */
long gsi_setup(unsigned gsi, bool level, bool active_low);
long pirq_eoi(unsigned gsi); /* -EINVAL when nobody has bound it */
/* A register of the I/O APIC at that physical address; false when there is none. */
bool ioapic_read_register(u64 address, u32 reg, u32 *value);
bool gsi_is_ours(unsigned gsi); /* the console's */

#endif
