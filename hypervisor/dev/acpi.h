/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What we take from the firmware's ACPI tables.
 */
#ifndef HYPERVISOR_DEV_ACPI_H
#define HYPERVISOR_DEV_ACPI_H

#include "lib.h"

#define ACPI_MAX_IOAPICS   4
#define ACPI_MAX_OVERRIDES 16

struct acpi {
    unsigned cpu_count;
    u32 apic_ids[MAX_CPUS]; /* enabled CPUs; the boot CPU is among them */
    u64 local_apic;
    unsigned ioapic_count;
    struct {
        u32 id, gsi_base;
        u64 address;
    } ioapics[ACPI_MAX_IOAPICS];
    unsigned override_count;
    struct {
        u8 irq;
        u32 gsi;
        u16 flags; /* bits 0-1 polarity (3 low), 2-3 trigger (3 level) */
    } overrides[ACPI_MAX_OVERRIDES];
    u16 pm1a_control, pm1b_control, pm_timer, reset_port;
    u8 reset_value, s5_type_a, s5_type_b;
    bool pm_timer_wide;
};

extern struct acpi acpi;
/* rsdp: the boot loader's copy, or NULL to search the BIOS area. Without ACPI there is one CPU and no power-off. */
void acpi_init(const void *rsdp);

#endif
