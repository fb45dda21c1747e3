/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a guest asks about the hypervisor and how it wants to be treated: versions and features, assists, the NMI
 * callback.
 */
#include "domain.h"
#include "guest_access.h"
#include "hypercall_prototypes.h"
#include "cpu/cpu.h"
#include "boot/multiboot.h"
#include "abi/nmi.h"
#include "abi/version.h"

#define VERSION_MAJOR 4
#define VERSION_MINOR 17

static const char extra_version[XEN_EXTRAVERSION_LEN] = ".0-paravane";
static const char capabilities[] = "xen-3.0-x86_64 xen-3.0-x86_32p ";
static const char denied[] = "<denied>";

/* A string at the start of an array of zeros. */
static long copy_string(unsigned long arg, const char *text, size_t array)
{
    size_t length = MIN(strlen(text), array - 1);

    if (copy_to_guest(arg, text, length) || clear_guest(arg + length, array - length))
        return -EFAULT;
    return 0;
}

static long compile_info(unsigned long arg)
{
    struct xen_compile_info info = {.compiler = "gcc " __VERSION__, .compile_by = "paravane"};

    return copy_to_guest(arg, &info, sizeof(info));
}

static long platform_parameters(unsigned long arg)
{
    u32 narrow = M2P_COMPAT_START;
    u64 wide = HV_VIRT_START;

    return current->is_32bit ? copy_to_guest(arg, &narrow, sizeof(narrow)) : copy_to_guest(arg, &wide, sizeof(wide));
}

static long get_features(unsigned long arg)
{
    const struct domain *d = current->domain;
    struct xen_feature_info info;

    if (copy_from_guest(&info, arg, sizeof(info)))
        return -EFAULT;
    if (info.submap_idx)
        return -EINVAL;
    info.submap = 1U << XENFEAT_mmu_pt_update_preserve_ad | 1U << XENFEAT_highmem_assist |
                  1U << XENFEAT_gnttab_map_avail_bits | 1U << XENFEAT_memory_op_vnode_supported |
                  1U << XENFEAT_direct_mapped;
    if (d->vm_assist & 1U << VMASST_TYPE_pae_extended_cr3)
        info.submap |= 1U << XENFEAT_pae_pgdir_above_4gb;
    if (d->initial)
        info.submap |= 1U << XENFEAT_dom0;
    return copy_to_guest(arg, &info, sizeof(info));
}

long do_xen_version(unsigned long cmd, unsigned long arg)
{
    const struct domain *d = current->domain;

    switch ((int)cmd) {
    case XENVER_version:
        return VERSION_MAJOR << 16 | VERSION_MINOR;
    case XENVER_extraversion:
        return copy_to_guest(arg, extra_version, sizeof(extra_version));
    case XENVER_compile_info:
        return compile_info(arg);
    case XENVER_capabilities:
        return copy_string(arg, capabilities, XEN_CAPABILITIES_INFO_LEN);
    case XENVER_changeset:
        return copy_string(arg, "", XEN_CHANGESET_INFO_LEN);
    case XENVER_platform_parameters:
        return platform_parameters(arg);
    case XENVER_get_features:
        return get_features(arg);
    case XENVER_pagesize:
        return arg ? -EINVAL : (long)PAGE_SIZE;
    case XENVER_guest_handle:
        return copy_to_guest(arg, d->handle, sizeof(d->handle));
    case XENVER_commandline:
        return copy_string(arg, d->privileged ? boot_info.command_line : denied, sizeof(xen_commandline_t));
    case XENVER_build_id:
        return d->privileged ? -ENODATA : -EPERM;
    default:
        return -ENOSYS;
    }
}

long do_vm_assist(unsigned long cmd, unsigned long type)
{
    struct domain *d = current->domain;
    u64 valid = d->is_32bit ? (u32)VM_ASSIST_VALID : VM_ASSIST_VALID;

    if ((u32)type >= 64 || !(valid & 1UL << (u32)type))
        return -EINVAL;
    switch ((u32)cmd) {
    case VMASST_CMD_enable:
        set_bit((u32)type, &d->vm_assist);
        return 0;
    case VMASST_CMD_disable:
        clear_bit((u32)type, &d->vm_assist);
        return 0;
    default:
        return -ENOSYS;
    }
}

/* An NMI that came before there was a handler is still pending. */
static long register_nmi(unsigned long arg)
{
    struct vcpu *v = current;
    unsigned long address, padding;

    if (read_guest_long(&padding, arg, 1) || read_guest_long(&address, arg, 0))
        return -EFAULT;
    if (!v->is_32bit && (u64)((s64)(address << 16) >> 16) != address)
        return -EINVAL;
    v->traps[TRAP_NMI] = (struct compact_trap){
        .address = address,
        .cs = v->is_32bit ? COMPAT_FLAT_RING1_CS : GUEST64_CS,
        .flags = 4, /* events masked on entry */
    };
    return 0;
}

long do_nmi_op(unsigned long cmd, unsigned long arg)
{
    switch ((u32)cmd) {
    case XENNMI_register_callback:
        return register_nmi(arg);
    case XENNMI_unregister_callback:
        memset(&current->traps[TRAP_NMI], 0, sizeof(current->traps[TRAP_NMI]));
        return 0;
    default:
        return -ENOSYS;
    }
}
