/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The local APIC, by memory or, if the firmware left it so, by x2APIC MSRs. Interrupts are off whenever we send one, so
 * the two-register write is never torn.
 */
#include "cpu/cpu.h"
#include "emulate.h"
#include "dev/acpi.h"
#include "dev/apic.h"

#define MSR_APIC_BASE  0x1B
#define X2APIC_ENABLED (1U << 10)

#define REG_ID         0x020
#define REG_TPR        0x080
#define REG_EOI        0x0B0
#define REG_SPURIOUS   0x0F0
#define REG_ICR_LOW    0x300
#define REG_ICR_HIGH   0x310
#define REG_TIMER      0x320
#define REG_LINT0      0x350
#define REG_LINT1      0x360
#define REG_ERROR      0x370
#define REG_INITIAL    0x380
#define REG_COUNT      0x390
#define REG_DIVIDE     0x3E0
#define LVT_MASKED     0x10000
#define ICR_BUSY       0x1000
#define ICR_INIT       0x4500
#define ICR_STARTUP    0x4600
#define DIVIDE_BY_1    0xB

#define SCALE_SHIFT    32

static volatile u32 *registers;
static bool x2apic;
static u64 ticks_scale; /* timer ticks a ns, shifted */

static u32 read_reg(unsigned reg)
{
    return x2apic ? (u32)rdmsr(0x800 + reg / 16) : registers[reg / 4];
}

static void write_reg(unsigned reg, u32 value)
{
    if (x2apic)
        wrmsr(0x800 + reg / 16, value);
    else
        registers[reg / 4] = value;
}

u32 apic_id(void)
{
    return x2apic ? read_reg(REG_ID) : read_reg(REG_ID) >> 24;
}

void apic_eoi(void)
{
    write_reg(REG_EOI, 0);
}

static void send(u32 target, u32 command)
{
    if (x2apic) {
        wrmsr(0x830, (u64)target << 32 | command);
        return;
    }
    while (read_reg(REG_ICR_LOW) & ICR_BUSY)
        __asm__ volatile("pause");
    write_reg(REG_ICR_HIGH, target << 24);
    write_reg(REG_ICR_LOW, command);
}

void apic_send_ipi(u32 target, u8 vector)
{
    send(target, 0x4000u | vector);
}

static void wait_ns(ns_t duration)
{
    ns_t end = time_now() + duration;

    while (time_now() < end)
        __asm__ volatile("pause");
}

void apic_start_cpu(u32 target, maddr_t entry)
{
    send(target, ICR_INIT);
    wait_ns(200000);
    send(target, ICR_STARTUP | (u32)(entry >> PAGE_SHIFT));
    wait_ns(200000);
    send(target, ICR_STARTUP | (u32)(entry >> PAGE_SHIFT));
}

void apic_init_cpu(void)
{
    write_reg(REG_TPR, 0);
    write_reg(REG_LINT0, LVT_MASKED);
    write_reg(REG_LINT1, 0x400); /* NMI */
    write_reg(REG_ERROR, VECTOR_APIC_ERROR);
    write_reg(REG_DIVIDE, DIVIDE_BY_1);
    write_reg(REG_TIMER, VECTOR_TIMER);
    write_reg(REG_SPURIOUS, 0x100 | VECTOR_SPURIOUS);
    this_cpu()->apic_id = apic_id();
}

void apic_init(void)
{
    u64 base = rdmsr(MSR_APIC_BASE);

    x2apic = (base & X2APIC_ENABLED) != 0;
    if (!x2apic) {
        registers = hv_map_device(acpi.local_apic, PAGE_SIZE);
        if (!registers)
            panic("the local APIC at %#lx cannot be mapped", (unsigned long)acpi.local_apic);
    }
    apic_init_cpu();
}

/* Both ends read the counter first and the clock second, so that what an access costs is in neither difference. */
static u64 measure_scale(void)
{
    u32 first = read_reg(REG_COUNT);
    ns_t start = time_now();

    wait_ns(1000000);
    u32 counted = first - read_reg(REG_COUNT);

    return ((u64)counted << SCALE_SHIFT) / (time_now() - start);
}

/*
 * The timer counts down by a clock of its own: how far it gets in a millisecond of the TSC. The first measurement is
 * thrown away: it includes the first run of the code, which an emulator translates and a processor has to fetch.
 */
void apic_timer_calibrate(void)
{
    write_reg(REG_TIMER, LVT_MASKED | VECTOR_TIMER);
    write_reg(REG_INITIAL, 0xFFFFFFFF);
    (void)measure_scale();
    ticks_scale = measure_scale();
    write_reg(REG_INITIAL, 0);
    write_reg(REG_TIMER, VECTOR_TIMER);
    if (ticks_scale == 0)
        panic("the local APIC timer does not count");
}

void apic_timer_arm(ns_t deadline)
{
    ns_t now;
    u64 ticks;

    if (deadline == 0) {
        write_reg(REG_INITIAL, 0);
        return;
    }
    now = time_now();
    if (deadline <= now)
        deadline = now + 1000;
    /* A deadline far away is reached in steps: the timer's interrupt arms it again. */
    ticks = (u64)((unsigned __int128)MIN(deadline - now, 4000000000UL) * ticks_scale >> SCALE_SHIFT);
    write_reg(REG_INITIAL, (u32)MIN(MAX(ticks, 1UL), 0xFFFFFFFFUL));
}
