/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Restart by the ACPI reset register, the keyboard controller, then a triple fault; power-off by ACPI's S5.
 */
#include "lib.h"
#include "boot/cmdline.h"
#include "dev/acpi.h"
#include "dev/io.h"
#include "dev/power.h"

#define SLP_EN (1U << 13)

void machine_restart(void)
{
    struct {
        u16 limit;
        u64 base;
    } __attribute__((packed)) no_idt = {0, 0};

    if (acpi.reset_port)
        outb(acpi.reset_port, acpi.reset_value);
    outb(0xCF9, 0x06);
    for (unsigned i = 0; i < 100; i++)
        outb(0x64, 0xFE);
    __asm__ volatile("lidt %0; int3" : : "m"(no_idt));
    for (;;)
        __asm__ volatile("hlt");
}

void machine_poweroff(void)
{
    if (acpi.pm1a_control) {
        outw(acpi.pm1a_control, (u16)(acpi.s5_type_a << 10 | SLP_EN));
        if (acpi.pm1b_control)
            outw(acpi.pm1b_control, (u16)(acpi.s5_type_b << 10 | SLP_EN));
        for (unsigned i = 0; i < 100000000; i++) /* it takes a moment */
            __asm__ volatile("pause");
    }
    logf(LOG_ERROR, "this machine has no way to power off that we know: halted\n");
    for (;;)
        __asm__ volatile("cli; hlt");
}
