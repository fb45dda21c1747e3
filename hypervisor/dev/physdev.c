/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * physdev_op: I/O privilege for any PV kernel; interrupt routing, the I/O APIC and PCI announcements for dom0. pirq
 * numbers are GSI numbers. There are no message-signalled interrupts.
 */
#include "domain.h"
#include "guest_access.h"
#include "hypercall_prototypes.h"
#include "dev/irq.h"
#include "abi/physdev.h"

static long set_iopl(unsigned long arg)
{
    struct physdev_set_iopl op;

    if (copy_from_guest(&op, arg, sizeof(op)))
        return -EFAULT;
    if (op.iopl > 3)
        return -EINVAL;
    current->iopl = (u8)op.iopl;
    return 0;
}

static long set_iobitmap(unsigned long arg)
{
    struct {
        u64 bitmap;
        u32 ports;
    } op;

    if (read_guest_struct(&op, arg, "pw"))
        return -EFAULT;
    if (op.ports > 65536)
        return -EINVAL;
    current->io_bitmap = op.bitmap;
    current->io_bitmap_ports = op.ports;
    return 0;
}

static long irq_status_query(unsigned long arg)
{
    struct physdev_irq_status_query op;

    if (copy_from_guest(&op, arg, sizeof(op)))
        return -EFAULT;
    if (!gsi_exists(op.irq))
        return -EINVAL;
    op.flags = XENIRQSTAT_needs_eoi; /* of any kind: it may have been masked */
    return copy_to_guest(arg, &op, sizeof(op));
}

static long eoi(unsigned long arg)
{
    struct physdev_eoi op;

    if (copy_from_guest(&op, arg, sizeof(op)))
        return -EFAULT;
    return pirq_eoi(op.irq);
}

static long alloc_irq_vector(unsigned long arg)
{
    struct physdev_irq op;

    if (copy_from_guest(&op, arg, sizeof(op)))
        return -EFAULT;
    op.vector = op.irq;
    return copy_to_guest(arg, &op, sizeof(op));
}

/* The part of the structure in front of the MSI fields, which is alike in both widths. */
struct map_pirq {
    domid_t domid;
    s32 type, index, pirq;
};

static long map_pirq(unsigned long arg)
{
    struct map_pirq op;

    if (copy_from_guest(&op, arg, sizeof(op)))
        return -EFAULT;
    if (op.domid != DOMID_SELF && op.domid != current->domain->id) {
        struct domain *d = domain_get(op.domid);

        if (!d)
            return -ESRCH;
        domain_put(d);
        return -EOPNOTSUPP;
    }
    if (op.type != MAP_PIRQ_TYPE_GSI)
        return -EINVAL;
    if (op.index < 0 || !gsi_exists((unsigned)op.index) || (op.pirq >= 0 && op.pirq != op.index))
        return -EINVAL;
    op.pirq = op.index;
    return copy_to_guest(arg, &op, sizeof(op));
}

static long setup_gsi(unsigned long arg)
{
    struct physdev_setup_gsi op;

    if (copy_from_guest(&op, arg, sizeof(op)))
        return -EFAULT;
    if (op.gsi < 0)
        return -EINVAL;
    return gsi_setup((unsigned)op.gsi, op.triggering, op.polarity);
}

static long apic_read(unsigned long arg)
{
    struct {
        u64 address;
        u32 reg, value;
    } op;

    if (read_guest_struct(&op, arg, "lww"))
        return -EFAULT;
    if (!ioapic_read_register((u64)op.address, op.reg, &op.value))
        return -EINVAL;
    return write_guest_struct(arg, &op, "lww");
}

/* Routing is ours: a write to a register that exists is accepted and changes nothing. */
static long apic_write(unsigned long arg)
{
    struct {
        u64 address;
        u32 reg, value;
    } op;
    u32 old;

    if (read_guest_struct(&op, arg, "lww"))
        return -EFAULT;
    return ioapic_read_register(op.address, op.reg, &old) ? 0 : -EINVAL;
}

static long unmap_pirq(unsigned long arg)
{
    struct {
        domid_t domid;
        s32 pirq;
    } op;

    if (copy_from_guest(&op, arg, sizeof(op)))
        return -EFAULT;
    if (op.domid != DOMID_SELF && op.domid != current->domain->id)
        return -ESRCH;
    return op.pirq > 0 && gsi_exists((unsigned)op.pirq) ? 0 : -EINVAL;
}

/* Calls that only need an answer: PCI devices are announced to whoever wants to know, and there are no message-signalled
 * interrupts. The argument must be there all the same. A guest has no devices: what is about pirqs finds none, and the
 * rest is not for it. */
static long other(u32 cmd, unsigned long arg)
{
    static const struct {
        u8 cmd, size;
        s8 result;
    } answers[] = {
        {PHYSDEVOP_manage_pci_add, 2, 0},
        {PHYSDEVOP_manage_pci_remove, 2, 0},
        {PHYSDEVOP_manage_pci_add_ext, 16, 0},
        {PHYSDEVOP_pci_device_add, 12, 0},
        {PHYSDEVOP_pci_device_remove, 4, 0},
        {PHYSDEVOP_pci_mmcfg_reserved, 16, -ENODEV},
        {PHYSDEVOP_restore_msi, 2, -ENODEV},
        {PHYSDEVOP_restore_msi_ext, 4, -ENODEV},
        {PHYSDEVOP_prepare_msix, 4, -ENODEV},
        {PHYSDEVOP_release_msix, 4, -ENODEV},
        {PHYSDEVOP_get_free_pirq, 8, -ENOSPC},
        {PHYSDEVOP_dbgp_op, 6, 0},
        {PHYSDEVOP_irq_status_query, 8, -EINVAL},
        {PHYSDEVOP_eoi, 4, -EINVAL},
        {PHYSDEVOP_map_pirq, 16, 0},
        {PHYSDEVOP_unmap_pirq, 8, 0},
        {PHYSDEVOP_alloc_irq_vector, 8, 0},
        {PHYSDEVOP_setup_gsi, 6, 0},
        {PHYSDEVOP_apic_read, 16, 0},
        {PHYSDEVOP_apic_write, 16, 0},
    };
    u8 bytes[16];

    if (cmd == PHYSDEVOP_IRQ_UNMASK_NOTIFY)
        return 0;
    for (unsigned i = 0; i < ARRAY_SIZE(answers); i++) {
        if (answers[i].cmd != cmd)
            continue;
        if (copy_from_guest(bytes, arg, answers[i].size))
            return -EFAULT;
        return current->domain->privileged || answers[i].result == -EINVAL ? answers[i].result : -EPERM;
    }
    return -ENOSYS;
}

long do_physdev_op(unsigned long number, unsigned long arg)
{
    u32 cmd = (u32)number;

    if (cmd == PHYSDEVOP_set_iopl)
        return set_iopl(arg);
    if (cmd == PHYSDEVOP_set_iobitmap)
        return set_iobitmap(arg);
    if (!current->domain->privileged)
        return other(cmd, arg);
    switch (cmd) {
    case PHYSDEVOP_irq_status_query:
        return irq_status_query(arg);
    case PHYSDEVOP_eoi:
        return eoi(arg);
    case PHYSDEVOP_alloc_irq_vector:
        return alloc_irq_vector(arg);
    case PHYSDEVOP_map_pirq:
        return map_pirq(arg);
    case PHYSDEVOP_setup_gsi:
        return setup_gsi(arg);
    case PHYSDEVOP_apic_read:
        return apic_read(arg);
    case PHYSDEVOP_apic_write:
        return apic_write(arg);
    case PHYSDEVOP_unmap_pirq:
        return unmap_pirq(arg);
    default:
        return other(cmd, arg);
    }
}

/* The old form: { u32 cmd; union } with the union 8-aligned in 64-bit kernels, 4-aligned in 32-bit ones. */
long do_physdev_op_compat(unsigned long arg)
{
    u32 cmd;
    unsigned long body = arg + (current->is_32bit ? 4 : 8);

    if (copy_from_guest(&cmd, arg, sizeof(cmd)))
        return -EFAULT;
    switch (cmd) {
    case PHYSDEVOP_IRQ_UNMASK_NOTIFY:
        return 0;
    case PHYSDEVOP_IRQ_STATUS_QUERY:
    case PHYSDEVOP_SET_IOPL:
    case PHYSDEVOP_SET_IOBITMAP:
    case PHYSDEVOP_APIC_READ:
    case PHYSDEVOP_APIC_WRITE:
    case PHYSDEVOP_ASSIGN_VECTOR:
        return do_physdev_op(cmd, body);
    default:
        return -ENOSYS;
    }
}
