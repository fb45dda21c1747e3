/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * I/O APIC pins and the interrupts they raise. GSI n has vector 0x30 + n on CPU 0. A level-triggered pirq stays masked
 * from its arrival until the guest's end of interrupt, so that a guest cannot keep us in it; an edge one is finished
 * at once.
 */
#include "cpu/cpu.h"
#include "boot/cmdline.h"
#include "dev/acpi.h"
#include "dev/apic.h"
#include "dev/console.h"
#include "dev/io.h"
#include "dev/irq.h"

#define FIRST_VECTOR  0x30
#define IOAPIC_SELECT 0
#define IOAPIC_WINDOW 4
#define REG_VERSION   1
#define PIN_MASKED    0x10000U
#define PIN_LEVEL     0x8000U
#define PIN_LOW       0x2000U

struct pin {
    volatile u32 *ioapic;
    u8 index;
    bool configured, level, active_low, masked;
    struct domain *owner; /* dom0 when bound */
};

static struct pin pins[MAX_GSI];
static volatile u32 *ioapics[ACPI_MAX_IOAPICS];
static spinlock_t lock = SPINLOCK_INIT;

static u32 ioapic_read(volatile u32 *ioapic, u32 reg)
{
    ioapic[IOAPIC_SELECT] = reg;
    return ioapic[IOAPIC_WINDOW];
}

static void ioapic_write(volatile u32 *ioapic, u32 reg, u32 value)
{
    ioapic[IOAPIC_SELECT] = reg;
    ioapic[IOAPIC_WINDOW] = value;
}

/* All but the destination, which never changes. */
static void write_pin(unsigned gsi)
{
    struct pin *p = &pins[gsi];
    u32 low = (FIRST_VECTOR + gsi) | (p->level ? PIN_LEVEL : 0) | (p->active_low ? PIN_LOW : 0) |
              (p->masked ? PIN_MASKED : 0);

    ioapic_write(p->ioapic, 0x10 + p->index * 2u, low);
}

bool ioapic_read_register(u64 address, u32 reg, u32 *value)
{
    for (unsigned n = 0; n < acpi.ioapic_count; n++) {
        if (acpi.ioapics[n].address != address || !ioapics[n] || reg > 0xFF)
            continue;
        spin_lock(&lock);
        *value = ioapic_read(ioapics[n], reg);
        spin_unlock(&lock);
        return true;
    }
    return false;
}

bool gsi_exists(unsigned gsi)
{
    return gsi < MAX_GSI && pins[gsi].ioapic;
}

bool gsi_is_ours(unsigned gsi)
{
    return options.serial && gsi == 4;
}

long gsi_setup(unsigned gsi, bool level, bool active_low)
{
    struct pin *p = &pins[gsi];
    long rc = -EEXIST;

    if (!gsi_exists(gsi))
        return -EINVAL;
    if (gsi_is_ours(gsi))
        return 0;
    spin_lock(&lock);
    if (!p->configured) {
        p->configured = true;
        p->level = level;
        p->active_low = active_low;
        write_pin(gsi);
        rc = 0;
    }
    spin_unlock(&lock);
    return rc;
}

static void add_ioapic(unsigned n)
{
    volatile u32 *ioapic = hv_map_device(acpi.ioapics[n].address, PAGE_SIZE);
    unsigned count;

    ioapics[n] = ioapic;
    if (!ioapic)
        return;
    count = (ioapic_read(ioapic, REG_VERSION) >> 16 & 0xFF) + 1;
    for (unsigned i = 0; i < count && acpi.ioapics[n].gsi_base + i < MAX_GSI; i++) {
        unsigned gsi = acpi.ioapics[n].gsi_base + i;
        pins[gsi] =
            (struct pin){.ioapic = ioapic, .index = (u8)i, .masked = true, .level = gsi >= 16, .active_low = gsi >= 16};
        ioapic_write(ioapic, 0x11 + i * 2, percpu_of(0)->apic_id << 24);
        write_pin(gsi);
    }
}

static void apply_overrides(void)
{
    for (unsigned i = 0; i < acpi.override_count; i++) {
        unsigned gsi = acpi.overrides[i].gsi;
        if (!gsi_exists(gsi))
            continue;
        pins[gsi].active_low = (acpi.overrides[i].flags & 3) == 3;
        pins[gsi].level = (acpi.overrides[i].flags >> 2 & 3) == 3;
        write_pin(gsi);
    }
}

void irq_init(void)
{
    outb(0x21, 0xFF); /* the old PICs stay silent */
    outb(0xA1, 0xFF);
    for (unsigned n = 0; n < acpi.ioapic_count; n++)
        add_ioapic(n);
    apply_overrides();
    if (gsi_exists(4) && options.serial) {
        pins[4].masked = false;
        write_pin(4);
    }
}

long pirq_bind(struct vcpu *v, unsigned pirq, bool share)
{
    if (!gsi_exists(pirq) || gsi_is_ours(pirq))
        return -EINVAL;
    if (v->domain != domain_zero)
        return -EPERM;
    spin_lock(&lock);
    pins[pirq].owner = v->domain;
    pins[pirq].masked = false;
    write_pin(pirq);
    spin_unlock(&lock);
    return 0;
}

void pirq_unbind(struct domain *d, unsigned pirq)
{
    if (!gsi_exists(pirq))
        return;
    spin_lock(&lock);
    if (pins[pirq].owner == d) {
        pins[pirq].owner = NULL;
        pins[pirq].masked = true;
        write_pin(pirq);
    }
    spin_unlock(&lock);
}

long pirq_eoi(unsigned gsi)
{
    bool bound;

    if (!gsi_exists(gsi))
        return -EINVAL;
    spin_lock(&lock);
    bound = pins[gsi].owner != NULL;
    if (bound && pins[gsi].level && pins[gsi].masked) {
        pins[gsi].masked = false;
        write_pin(gsi);
    }
    spin_unlock(&lock);
    return bound ? 0 : -EINVAL;
}

static void device_interrupt(unsigned gsi)
{
    struct pin *p = &pins[gsi];
    struct domain *owner = NULL;

    if (gsi_is_ours(gsi)) {
        raise_softirq(this_cpu()->cpu, SOFTIRQ_INPUT);
    } else if (gsi_exists(gsi)) {
        spin_lock(&lock);
        owner = p->owner;
        if (p->level || !owner) {
            p->masked = true;
            write_pin(gsi);
        }
        spin_unlock(&lock);
    }
    apic_eoi();
    if (owner)
        send_guest_pirq(owner, gsi);
}

void do_interrupt(struct cpu_regs *regs)
{
    u32 vector = regs->entry_vector;

    switch (vector) {
    case VECTOR_TIMER:
        apic_eoi();
        timer_interrupt();
        break;
    case VECTOR_IPI_CALL:
        apic_eoi();
        smp_serve_requests();
        break;
    case VECTOR_IPI_RESCHEDULE:
    case VECTOR_APIC_ERROR:
        apic_eoi();
        break;
    case VECTOR_SPURIOUS:
        break;
    default:
        if (vector >= FIRST_VECTOR && vector < FIRST_VECTOR + MAX_GSI)
            device_interrupt(vector - FIRST_VECTOR);
        else if (vector >= 0x20)
            apic_eoi();
        break;
    }
}
