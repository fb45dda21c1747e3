/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A handler that cannot be entered. When the way out to a guest faults, the hypervisor tells the guest by an exception;
 * if that cannot be entered either it begins anew, and unless interrupts come through in between the processor is lost.
 * This kernel never comes back, and must not need to: dom0 takes its time, sees it run on, and destroys it.
 */
#include "attack.h"

int main(int argc, char **argv)
{
#ifdef __x86_64__
    /* A 64-bit kernel's selectors are the hypervisor's: its loop goes by way of a page fault at the handler itself. */
    struct trap_info traps[] = {{.vector = TRAP_PF, .cs = 0xe033, .address = 0x7ffffffff000UL},
                                {.vector = TRAP_GP, .cs = 0, .address = HV_DATA},
                                {0}};
#else
    struct trap_info traps[] = {{.vector = TRAP_GP, .cs = 3, .address = 0x1000}, {0}};
#endif
    static char stack[PAGE_SIZE];

    printf("expected to spin: its handlers cannot be entered\n");
    time_spin_ns(200000000);
    HYPERVISOR_set_trap_table(traps);
    HYPERVISOR_stack_switch(
#ifdef __x86_64__
        0xe02b,
#else
        0xe021,
#endif
        (unsigned long)stack + sizeof(stack));
    __asm__ volatile("hlt; 1: jmp 1b");
    return 0;
}
