/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * platform_op: the machine's clock, firmware and power in dom0's hands.
 */
#include "control/control.h"
#include "dev/power.h"
#include "guest_access.h"
#include "hypercall_prototypes.h"
#include "abi/platform.h"

#define NANOSECONDS 1000000000U
#define STATE_RAM   3 /* S3 to S5: asleep with memory on, with memory on disk, off */
#define STATE_OFF   5

static long set_time(u64 seconds, u32 nanoseconds, u64 system_time)
{
    if (nanoseconds >= NANOSECONDS)
        return -EINVAL;
    set_wall_clock(seconds, nanoseconds, system_time);
    return 0;
}

static long set_time64(const struct xenpf_settime64 *t)
{
    return t->mbz ? -EINVAL : set_time(t->secs, t->nsecs, t->system_time);
}

/* The boot loader tells us nothing of what a BIOS or EFI would have said. */
static long firmware_info(struct xenpf_firmware_info *f)
{
    switch (f->type) {
    case XEN_FW_DISK_INFO:
    case XEN_FW_DISK_MBR_SIGNATURE:
    case XEN_FW_VBEDDC_INFO:
        return -ESRCH;
    case XEN_FW_EFI_INFO:
        return -ENOSYS;
    case XEN_FW_KBD_SHIFT_FLAGS:
        if (f->index)
            return -ESRCH;
        f->u.kbd_shift_flags = 0;
        return 0;
    default:
        return -EINVAL;
    }
}

static long enter_sleep(const struct xenpf_enter_acpi_sleep *s)
{
    if (s->flags & ~(u32)XENPF_ACPI_SLEEP_EXTENDED || s->sleep_state < STATE_RAM || s->sleep_state > STATE_OFF)
        return -EINVAL;
    if (s->sleep_state != STATE_OFF)
        return -EPERM;
    logf(LOG_ERROR, "dom0 switches the machine off\n");
    machine_poweroff();
}

static long cpu_info(struct xenpf_pcpuinfo *i)
{
    u32 cpu = i->xen_cpuid;

    i->max_present = cpu_count - 1;
    i->flags = cpu < cpu_count ? XEN_PCPU_FLAGS_ONLINE : XEN_PCPU_FLAGS_INVALID;
    i->apic_id = i->acpi_id = cpu < cpu_count ? percpu_of(cpu)->apic_id : 0;
    return 0;
}

static long cpu_version(struct xenpf_pcpu_version *v)
{
    u32 r[4];

    v->max_present = cpu_count - 1;
    memset(v->vendor_id, 0, sizeof(v->vendor_id));
    v->family = v->model = v->stepping = 0;
    if (v->xen_cpuid >= cpu_count)
        return 0;
    __asm__ volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "a"(0), "c"(0));
    memcpy(v->vendor_id, &r[1], 4);
    memcpy(v->vendor_id + 4, &r[3], 4);
    memcpy(v->vendor_id + 8, &r[2], 4);
    __asm__ volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "a"(1), "c"(0));
    v->family = (r[0] >> 8 & 15) + ((r[0] >> 8 & 15) == 15 ? r[0] >> 20 & 255 : 0);
    v->model = (r[0] >> 4 & 15) | (r[0] >> 12 & 0xF0);
    v->stepping = r[0] & 15;
    return 0;
}

static long run(struct xen_platform_op *op)
{
    switch (op->cmd) {
    case XENPF_settime32:
        return set_time(op->u.settime32.secs, op->u.settime32.nsecs, op->u.settime32.system_time);
    case XENPF_settime64:
        return set_time64(&op->u.settime64);
    case XENPF_firmware_info:
        return firmware_info(&op->u.firmware_info);
    case XENPF_enter_acpi_sleep:
        return enter_sleep(&op->u.enter_acpi_sleep);
    case XENPF_get_cpuinfo:
        return cpu_info(&op->u.pcpu_info);
    case XENPF_get_cpu_version:
        return cpu_version(&op->u.pcpu_version);
    default:
        return -ENOSYS;
    }
}

long do_platform_op(unsigned long arg)
{
    struct xen_platform_op op;
    long rc;

    if (copy_from_guest(&op, arg, sizeof(op)))
        return -EFAULT;
    if (op.interface_version != XENPF_INTERFACE_VERSION)
        return -EACCES;
    if (!current->domain->privileged)
        return -EPERM;
    rc = run(&op);
    if (!rc && copy_to_guest(arg, &op, sizeof(op)))
        return -EFAULT;
    return rc;
}
