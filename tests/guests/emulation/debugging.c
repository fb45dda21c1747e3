/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Debug registers, breakpoints and single steps around instructions that the hypervisor carries out.
 */
#include <abi/errno.h>
#include <pv/hypercall.h>
#include <pv/traps.h>
#include "tests/guests/check.h"
#include "emulation.h"

#define FLAG_TF 0x100UL

#ifdef __x86_64__
static void do_set_dr0(void *value)
{
    __asm__ volatile("mov %0, %%dr0" : : "r"(value));
}
#endif

static volatile unsigned int hits;
static volatile unsigned long hit_dr6;

static bool on_debug(struct trap_frame *frame)
{
    hits++;
    hit_dr6 = (unsigned long)HYPERVISOR_get_debugreg(6);
    frame->flags &= ~FLAG_TF;
    return true;
}

/* With CR4.DE, breakpoints on ports are the hypervisor's to find, since port accesses are. */
static void test_port_breakpoint(void)
{
    unsigned long cr4 = read_cr(4), value = 0;
    struct physdev_set_iopl op = {.iopl = 1};

    HYPERVISOR_physdev_op(PHYSDEVOP_set_iopl, &op);
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4 | 8));
    CHECK_EQ(HYPERVISOR_set_debugreg(0, 0x80), 0, "a port");
    CHECK_EQ(HYPERVISOR_set_debugreg(7, 0x00020001), 0, "an I/O breakpoint with CR4.DE");
    CHECK_EQ(HYPERVISOR_get_debugreg(7), 0x00020401, "reads back");
    hits = 0;
    __asm__ volatile("inb $0x80, %%al" : "+a"(value));
    CHECK(hits == 1 && (hit_dr6 & 0xF) == 1, "is hit");
    __asm__ volatile("inb $0x81, %%al" : "+a"(value));
    CHECK_EQ(hits, 1, "by its port alone");
    HYPERVISOR_set_debugreg(7, 0);
    CHECK_EQ(HYPERVISOR_get_debugreg(7), 0x400, "nothing of it stays behind");
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4));
}

static void do_step(void)
{
#ifdef __x86_64__
    __asm__ volatile("pushf\n\torq $0x100, (%%rsp)\n\tpopf\n\tnop" ::: "memory", "cc");
#else
    __asm__ volatile("pushf\n\torl $0x100, (%%esp)\n\tpopf\n\tnop" ::: "memory", "cc");
#endif
}

/* A debugger that finds one reason in DR6 and overlooks the other loses a breakpoint: no reason goes by itself. */
static void test_status_stays(volatile long *watched)
{
    HYPERVISOR_set_debugreg(6, 0);
    HYPERVISOR_set_debugreg(7, 0x000D0001);
    *watched = 3;
    HYPERVISOR_set_debugreg(7, 0);
    do_step();
    CHECK_EQ(hit_dr6 & 0x400F, 0x4001, "DR6 keeps what it told, until the kernel clears it");
    HYPERVISOR_set_debugreg(6, 0);
    do_step();
    CHECK_EQ(hit_dr6 & 0x400F, 0x4000, "which it can");
    HYPERVISOR_set_debugreg(7, 0x000D0001);
    HYPERVISOR_set_debugreg(6, 0x8000);
    HYPERVISOR_set_debugreg(7, 0);
    HYPERVISOR_set_debugreg(6, 0);
    do_step();
    CHECK_EQ(hit_dr6 & 0xC00F, 0x4000, "what it wrote there itself included");
}

void test_debug_registers(void)
{
    static volatile long watched;
    unsigned long value;

    check_group("debug registers");
    CHECK_EQ(HYPERVISOR_set_debugreg(0, (unsigned long)&watched), 0, "an address of ours");
    __asm__ volatile("mov %%dr0, %0" : "=r"(value));
    CHECK_EQ(value, (unsigned long)&watched, "can be read back by a move");
#ifdef __x86_64__
    CHECK_EQ(HYPERVISOR_set_debugreg(1, 0xFFFF800000000000UL), -XEN_EPERM, "the hypervisor's cannot be watched");
    CHECK(faults(do_set_dr0, (void *)0xFFFF830000000000UL, TRAP_GP), "nor by a move");
#endif
    CHECK_EQ(HYPERVISOR_set_debugreg(7, 0x2000), -XEN_EPERM, "general detect is not for guests");
    CHECK_EQ(HYPERVISOR_set_debugreg(7, 0x00020001), -XEN_EPERM, "nor are I/O breakpoints without CR4.DE");
#ifdef __x86_64__
    CHECK_EQ(HYPERVISOR_set_debugreg(1, 0x0000800000000000UL), -XEN_EPERM, "an address that is none cannot be watched");
#endif
    CHECK_EQ(HYPERVISOR_set_debugreg(8, 0), -XEN_ENODEV, "register 8");
    CHECK_EQ(HYPERVISOR_set_debugreg(6, 0), 0, "DR6 is cleared");
    CHECK_EQ(HYPERVISOR_get_debugreg(6), 0xFFFF0FF0L, "but for its fixed bits");
    trap_set_handler(TRAP_DB, on_debug);
    CHECK_EQ(HYPERVISOR_set_debugreg(7, 0x000D0001), 0, "a write watchpoint");
    CHECK_EQ(HYPERVISOR_get_debugreg(7) & 0xFFFFFFFFL, 0x000D0401L, "DR7 reads back, its fixed bit set");
    watched = 1;
    CHECK_EQ(hits, 1, "hits once");
    CHECK_EQ(hit_dr6 & 0xF, 1, "and DR6 tells which");
    HYPERVISOR_set_debugreg(7, 0);
    watched = 2;
    CHECK_EQ(hits, 1, "switched off it does not");
    test_status_stays(&watched);
    test_port_breakpoint();
    trap_set_handler(TRAP_DB, NULL);
}

static volatile unsigned long step_ip;

static bool on_step(struct trap_frame *frame)
{
    hits++;
    step_ip = frame->ip;
    frame->flags &= ~FLAG_TF;
    return true;
}

void test_single_step(void)
{
    unsigned long after, value;

    check_group("single step");
    trap_set_handler(TRAP_DB, on_step);
    hits = 0;
#ifdef __x86_64__
    __asm__ volatile("lea 2f(%%rip), %1\n\tpushf\n\torq $0x100, (%%rsp)\n\tpopf\n\tmov %%cr0, %0\n2: nop"
                     : "=&r"(value), "=&r"(after)
                     :
                     : "memory", "cc");
#else
    __asm__ volatile("mov $2f, %1\n\tpushf\n\torl $0x100, (%%esp)\n\tpopf\n\tmov %%cr0, %0\n2: nop"
                     : "=&r"(value), "=&r"(after)
                     :
                     : "memory", "cc");
#endif
    CHECK_EQ(hits, 1, "one step over an emulated instruction");
    CHECK_EQ(step_ip, after, "ends right behind it");
    trap_set_handler(TRAP_DB, NULL);
}
