/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * From the boot loader's hand to dom0's first instruction, in the order the parts need each other.
 */
#include "cpu/cpu.h"
#include "cpu/features.h"
#include "emulate.h"
#include "boot/boot.h"
#include "boot/cmdline.h"
#include "boot/dom0.h"
#include "boot/memory.h"
#include "boot/multiboot.h"
#include "dev/acpi.h"
#include "dev/apic.h"
#include "dev/console.h"
#include "dev/irq.h"

void boot_main(u32 magic, u32 info);

static void start_dom0(void)
{
    domain_controller_unpause(domain_zero);
    raise_softirq(0, SOFTIRQ_SCHEDULE);
    idle_loop();
}

/* On the CPU's own stack and the final page tables. */
static void boot_on_own_stack(void)
{
    cpu_tables_init(0);
    fpu_init_cpu();
    acpi_init(boot_info.rsdp);
    apic_init();
    time_boot();
    apic_timer_calibrate();
    irq_init();
    sched_init();
    sched_init_cpu(0);
    this_cpu()->vcpu = this_cpu()->idle = idle_vcpu_create(0);
    smp_boot();
    dom0_build();
    for (unsigned i = 0; i < boot_info.module_count; i++)
        boot_release(boot_info.modules[i].start, boot_info.modules[i].end);
    logf(LOG_INFO, "RAM %lu KiB, ours %lu KiB; starting dom0\n", total_frames * 4, hypervisor_frames * 4);
    reset_stack_and_call(start_dom0);
}

void boot_main(u32 magic, u32 info)
{
    struct percpu *p;

    multiboot_parse(magic, info);
    boot_memory_reserve(IMAGE_PHYS, IMAGE_PHYS + (u64)(_image_end - _image_start));
    cmdline_parse(boot_info.command_line);
    console_init();
    logf(LOG_INFO, "Paravane, speaking Xen's PV ABI 4.17\n");
    logf(LOG_INFO, "command line: %s\n", boot_info.command_line);
    features_init();
    mm_boot();
    if (mm_map_cpu_area(0))
        panic("no memory for the boot CPU's stack");
    p = percpu_of(0);
    memset(p, 0, sizeof(*p));
    p->gdt_is_64 = 1;
    p->cr4 = cpu_features.cr4;
    __asm__ volatile("mov %0, %%rsp; xor %%ebp, %%ebp; call *%1" : : "r"(p), "r"(boot_on_own_stack) : "memory");
    __builtin_unreachable();
}
