/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Answers of the table that no other test gets: each call's plain success and each error it names, one by one, with the
 * least that provokes it. A caller who cannot tell "no such domain" from "not yours" from "bad pointer" retries what is
 * hopeless and gives up on what is not.
 */
#include <stdio.h>
#include <string.h>
#include <abi/errno.h>
#include <abi/memory.h>
#include <abi/nmi.h>
#include <pv/event.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/traps.h>
#include "../../guest-pv/core/internal.h"
#include "check.h"
#include "table_calls.h"

#define NOBODY     0x7000
#define LOCAL_APIC 0xfee00

static char *page, *nowhere;

static void test_entries(void)
{
    struct trap_info traps[2] = {{.vector = 3, .flags = 3, .cs = FLAT_KERNEL_CS, .address = 0}};
    struct mmu_update update = {.ptr = (uint64_t)virt_to_mfn(page) << PAGE_SHIFT | MMU_PT_UPDATE_NO_TRANSLATE};
    pte_t pte = pte_read(page),
          table = pte_make(virt_to_mfn((void *)(unsigned long)start_info->pt_base), PTE_KERNEL_RW);

    check_group("tables and traps");
    CHECK_EQ(HYPERVISOR_set_trap_table((void *)nowhere), -XEN_EFAULT, "a trap table in a hole");
    CHECK_EQ(HYPERVISOR_set_trap_table(traps), 0, "one whose list ends at once");
    CHECK_EQ(HYPERVISOR_mmu_update(&update, 1, NULL, DOMID_SELF), 0, "an update without translation");
    update.ptr |= 7;
    CHECK_EQ(HYPERVISOR_mmu_update(&update, 1, NULL, DOMID_SELF), -XEN_ENOSYS, "one of a kind that is none");
    CHECK_EQ(HYPERVISOR_set_gdt((void *)nowhere, 512), -XEN_EFAULT, "frames named in a hole");
    CHECK_EQ(HYPERVISOR_mmuext_op((void *)nowhere, 1, NULL, DOMID_SELF), -XEN_EFAULT, "operations in a hole");
#ifdef __x86_64__
    CHECK_EQ(HYPERVISOR_set_debugreg(7, 1UL << 32), -XEN_EINVAL, "the upper half of register 7 is zero");
    traps[0].address = 1UL << 63;
    CHECK_EQ(HYPERVISOR_set_trap_table(traps), -XEN_EINVAL, "a handler at an address that is none");
#else
    CHECK_EQ(pv_hypercall2(__HYPERVISOR_set_segment_base, 0, 0), -XEN_ENOSYS,
             "in 32-bit mode bases come of descriptors");
#endif
    CHECK_EQ(HYPERVISOR_set_debugreg(9, 0), -XEN_ENODEV, "a debug register that is none");
    CHECK_EQ(HYPERVISOR_get_debugreg(9), -XEN_ENODEV, "nor can it be read");
    CHECK_EQ(HYPERVISOR_fpu_taskswitch(0), 0, "the FPU is there for us");
    CHECK_EQ(HYPERVISOR_update_va_mapping((unsigned long)page, pte, UVMF_INVLPG | (unsigned long)nowhere), -XEN_EFAULT,
             "processors named in a hole");
    CHECK_EQ(HYPERVISOR_update_va_mapping((unsigned long)page, pte_make(LOCAL_APIC, PTE_KERNEL_RW), UVMF_NONE),
             -XEN_EPERM, "the processor's interrupt controller is for nobody to map");
    CHECK_EQ(HYPERVISOR_update_va_mapping((unsigned long)page, pte, 3), 0, "a kind of flush that is none is none");
    CHECK_EQ(HYPERVISOR_update_va_mapping_otherdomain((unsigned long)page, pte, UVMF_NONE, NOBODY), -XEN_ESRCH,
             "a page of nobody");
    CHECK_EQ(HYPERVISOR_update_va_mapping_otherdomain((unsigned long)page, table, UVMF_NONE, DOMID_SELF), -XEN_EBUSY,
             "a page table that would be written to");
    CHECK_EQ(HYPERVISOR_update_va_mapping_otherdomain(0x3f000000, pte, UVMF_NONE, DOMID_SELF), -XEN_EINVAL,
             "an address without tables");
    CHECK_EQ(HYPERVISOR_update_va_mapping_otherdomain((unsigned long)page, pte, (unsigned long)nowhere | UVMF_INVLPG,
                                                      DOMID_SELF),
             -XEN_EFAULT, "processors named in a hole");
    CHECK_EQ(HYPERVISOR_set_timer_op(0), 0, "a timer that is stopped");
}

static void test_extended(void)
{
    unsigned long processors = 1, table = virt_to_mfn(new_table());
    struct mmuext_op op = {.cmd = MMUEXT_INVLPG_MULTI, .arg1.linear_addr = (unsigned long)page};

    check_group("tables and flushes");
    op.arg2.vcpumask.p = NULL;
    set_xen_guest_handle(op.arg2.vcpumask, (void *)&processors);
    CHECK_EQ(HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF), 0, "a page on the processors of some vCPUs");
    op.cmd = MMUEXT_TLB_FLUSH_MULTI;
    CHECK_EQ(HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF), 0, "everything there");
    CHECK_EQ(ext(MMUEXT_INVLPG_LOCAL, (unsigned long)page), 0, "a page here");
    CHECK_EQ(ext(MMUEXT_FLUSH_CACHE, 0), pv_is_dom0() ? 0 : -XEN_EACCES, "the cache: only for whoever has devices");
    CHECK_EQ(ext(MMUEXT_FLUSH_CACHE_GLOBAL, 0), pv_is_dom0() ? 0 : -XEN_EINVAL, "every cache");
#ifdef __x86_64__
    CHECK_EQ(ext(MMUEXT_PIN_L3_TABLE, table), 0, "a table below the top can be pinned by itself");
    CHECK_EQ(ext(MMUEXT_UNPIN_TABLE, table), 0, "and let go");
#else
    CHECK_EQ(ext(MMUEXT_PIN_L4_TABLE, table), 0,
             "nothing is done on a level that this width lacks, nor is it an error");
    CHECK_EQ(ext(MMUEXT_UNPIN_TABLE, table), -XEN_EINVAL, "so that nothing is to be undone");
#endif
    CHECK_EQ(ext(MMUEXT_MARK_SUPER, virt_to_mfn(page)), -XEN_EOPNOTSUPP, "large pages are not to be had");
    CHECK_EQ(ext(MMUEXT_UNMARK_SUPER, virt_to_mfn(page)), -XEN_EOPNOTSUPP, "nor to be given back");
}

static void test_memory(void)
{
    struct xen_memory_domain who = {.domid = DOMID_SELF};
    struct xen_remove_from_physmap remove = {.domid = DOMID_SELF, .gpfn = ~0UL >> 12};
    struct xen_machphys_mapping mapping;
    xen_pfn_t frames[4] = {1};
    xen_ulong_t indices[1] = {0};
    int errors[1];
    struct xen_add_to_physmap_batch batch = {.domid = DOMID_SELF, .space = XENMAPSPACE_shared_info, .size = 1};
    struct xen_machphys_mfn_list list = {.max_extents = 1};

    check_group("memory");
    CHECK_EQ(HYPERVISOR_memory_op(XENMEM_maximum_ram_page, NULL) > 0, 1, "there is a highest frame");
    CHECK_EQ(HYPERVISOR_memory_op(XENMEM_current_reservation, &who) > 0, 1, "we have pages");
    CHECK_EQ(HYPERVISOR_memory_op(XENMEM_maximum_gpfn, &who) >= 0, 1, "and a highest number of them");
    CHECK_EQ(HYPERVISOR_memory_op(XENMEM_get_sharing_freed_pages, NULL), 0, "none freed by sharing");
    CHECK_EQ(HYPERVISOR_memory_op(XENMEM_get_sharing_shared_pages, NULL), 0, "none shared");
    CHECK_EQ(HYPERVISOR_memory_op(XENMEM_remove_from_physmap, &remove), -XEN_EACCES,
             "a PV guest's frames are its own business");
    set_xen_guest_handle(batch.idxs, indices);
    set_xen_guest_handle(batch.gpfns, frames);
    set_xen_guest_handle(batch.errs, errors);
    CHECK_EQ(HYPERVISOR_memory_op(XENMEM_add_to_physmap_batch, &batch), -XEN_EACCES, "one by one or many at once");
    CHECK_EQ(HYPERVISOR_memory_op(XENMEM_maximum_reservation, &who) != 0, 1, "and a limit");
    CHECK_EQ(HYPERVISOR_memory_op(XENMEM_machphys_mapping, &mapping), 0, "the table of frame numbers has a place");
    set_xen_guest_handle(list.extent_start, frames);
    CHECK_EQ(HYPERVISOR_memory_op(XENMEM_machphys_mfn_list, &list), 0, "and frames");
    CHECK_EQ(HYPERVISOR_memory_op(XENMEM_current_reservation, (void *)nowhere), -XEN_EFAULT, "a question in a hole");
    who.domid = NOBODY;
    CHECK_EQ(HYPERVISOR_memory_op(XENMEM_current_reservation, &who), -XEN_ESRCH, "about nobody");
    CHECK_EQ(HYPERVISOR_memory_op(63, NULL), -XEN_ENOSYS, "an operation that is none");
}

static void test_version(void)
{
    static const int texts[] = {XENVER_extraversion,        XENVER_compile_info, XENVER_changeset,
                                XENVER_platform_parameters, XENVER_guest_handle, XENVER_commandline,
                                XENVER_capabilities};
    struct xen_feature_info info = {.submap_idx = 1};

    check_group("version");
    for (unsigned int i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        CHECK_EQ(HYPERVISOR_xen_version(texts[i], page), 0, "a question is answered");
        CHECK_EQ(HYPERVISOR_xen_version(texts[i], nowhere), -XEN_EFAULT, "but not into a hole");
    }
    CHECK_EQ(HYPERVISOR_xen_version(XENVER_pagesize, page), -XEN_EINVAL, "the page size needs no room");
    CHECK_EQ(HYPERVISOR_xen_version(XENVER_get_features, &info), -XEN_EINVAL, "features have one word");
}

static void test_callbacks(void)
{
    struct xennmi_callback nmi = {.handler_address = (unsigned long)test_callbacks};

    check_group("callbacks");
    CHECK_EQ(pv_hypercall2(__HYPERVISOR_nmi_op, XENNMI_register_callback, (unsigned long)&nmi), 0, "an NMI handler");
    CHECK_EQ(pv_hypercall2(__HYPERVISOR_nmi_op, XENNMI_unregister_callback, 0), 0, "none");
    CHECK_EQ(pv_hypercall2(__HYPERVISOR_nmi_op, XENNMI_register_callback, (unsigned long)nowhere), -XEN_EFAULT,
             "one named in a hole");
    CHECK_EQ(pv_hypercall2(__HYPERVISOR_nmi_op, 99, 0), -XEN_ENOSYS, "nothing of the kind");
#ifdef __x86_64__
    nmi.handler_address = 0x8000000000000000UL;
    CHECK_EQ(pv_hypercall2(__HYPERVISOR_nmi_op, XENNMI_register_callback, (unsigned long)&nmi), -XEN_EINVAL,
             "an address that is none");
    CHECK_EQ(pv_hypercall3(__HYPERVISOR_set_callbacks, (unsigned long)upcall_entry, (unsigned long)failsafe_entry,
                           0x8000000000000000UL),
             0, "the old call does not tell, and leaves that entry as it was");
#endif
    CHECK_EQ(HYPERVISOR_callback_op(CALLBACKOP_register, (void *)nowhere), -XEN_EFAULT, "a callback named in a hole");
    CHECK_EQ(HYPERVISOR_sched_op(SCHEDOP_shutdown, (void *)nowhere), -XEN_EFAULT, "a reason in a hole ends nothing");
    CHECK_EQ(HYPERVISOR_vcpu_op(VCPUOP_is_up, 77, NULL), -XEN_ENOENT, "a vCPU that is none");
    CHECK_EQ(HYPERVISOR_vcpu_op(99, 0, NULL), -XEN_ENOSYS, "an operation that is none");
    CHECK_EQ(HYPERVISOR_vcpu_op(VCPUOP_set_periodic_timer, 0, (void *)nowhere), -XEN_EFAULT, "a period in a hole");
}

/* Mistakes of old: each was told as success, or with another error, once. */
static void test_mended(void)
{
    struct evtchn_init_control control = {.control_gfn = ~0ULL >> 12, .vcpu = 0};
    struct evtchn_expand_array expand = {.array_gfn = virt_to_mfn(page)};
    char *other = pages_alloc(1);
    unsigned int done = 0;
    struct mmuext_op op = {.cmd = MMUEXT_TLB_FLUSH_LOCAL};

    check_group("what was wrong once");
    CHECK_EQ(HYPERVISOR_event_channel_op(EVTCHNOP_init_control, &control), -XEN_EINVAL, "a control block in no page");
    CHECK_EQ(HYPERVISOR_event_channel_op(EVTCHNOP_expand_array, &expand), -XEN_EOPNOTSUPP,
             "leaves the domain with its bitmaps");
    CHECK_EQ(HYPERVISOR_mmuext_op(&op, 1, (unsigned int *)nowhere, DOMID_SELF), 0,
             "what is done is done, though its count has nowhere to go");
    CHECK_EQ(HYPERVISOR_mmuext_op(&op, 1, &done, DOMID_IO), -XEN_EPERM, "devices' pages have no translations to flush");
    CHECK_EQ(
        HYPERVISOR_update_va_mapping((unsigned long)other, pte_make(virt_to_mfn(page), PTE_P | PTE_RW), UVMF_INVLPG), 0,
        "a page for the kernel alone");
#ifdef __x86_64__
    CHECK_EQ(pte_read(other) >> 52 & 1, 1, "is marked as that, since ring 3 needs the user bit");
    CHECK_EQ(pte_read(other) & (PTE_US | PTE_G), PTE_US, "and is not global");
    HYPERVISOR_update_va_mapping((unsigned long)other, pte_make(virt_to_mfn(page), PTE_KERNEL_RW), UVMF_INVLPG);
    CHECK_EQ(pte_read(other) & (PTE_US | PTE_G), PTE_US | PTE_G, "one for all is global, as entries say on Xen");
#else
    CHECK_EQ(ext(MMUEXT_NEW_USER_BASEPTR, 1), -XEN_EINVAL, "a 32-bit kernel has one set of tables");
#endif
}

static void test_grants(void)
{
    struct gnttab_get_version version = {.dom = NOBODY};
    struct gnttab_cache_flush flush = {.a.dev_bus_addr = (uint64_t)virt_to_mfn(page) << PAGE_SHIFT};
    struct gnttab_get_status_frames status = {.dom = DOMID_SELF};
    struct gnttab_swap_grant_ref swap = {.ref_a = 9, .ref_b = 9};
    struct gnttab_transfer transfer = {.mfn = ~0UL >> 12, .domid = NOBODY};

    check_group("grants");
    CHECK_EQ(HYPERVISOR_grant_table_op(GNTTABOP_get_version, &version, 1), -XEN_ESRCH, "a version of nobody's");
    flush.length = 64;
    flush.op = GNTTAB_CACHE_CLEAN;
    CHECK_EQ(HYPERVISOR_grant_table_op(GNTTABOP_cache_flush, &flush, 1), 0, "a page of ours is written back");
    flush.op = GNTTAB_CACHE_INVAL;
    CHECK_EQ(HYPERVISOR_grant_table_op(GNTTABOP_cache_flush, &flush, 1), -XEN_EOPNOTSUPP, "it cannot be forgotten");
    flush.a.dev_bus_addr = 0x1000;
    flush.op = GNTTAB_CACHE_CLEAN;
    CHECK_EQ(HYPERVISOR_grant_table_op(GNTTABOP_cache_flush, &flush, 1), -XEN_EPERM, "a page of another's");
    CHECK_EQ(HYPERVISOR_grant_table_op(GNTTABOP_get_status_frames, &status, 1), 0, "no status frames asked for");
    CHECK_EQ(HYPERVISOR_grant_table_op(GNTTABOP_swap_grant_ref, &swap, 1), 0, "an entry for itself");
    CHECK_EQ(HYPERVISOR_grant_table_op(GNTTABOP_transfer, &transfer, 1), 0, "a transfer of nothing has a status");
    CHECK_EQ(transfer.status, GNTST_bad_page, "which says so");
}

static void test_hardware(void)
{
    struct physdev_eoi eoi = {.irq = 0x7fffffff};
    struct physdev_irq_status_query query = {.irq = 9};
    struct physdev_irq vector = {.irq = 9};
    struct physdev_op old = {.cmd = PHYSDEVOP_SET_IOPL, .u.set_iopl.iopl = 4};
    struct evtchn_bind_pirq bind = {.pirq = 9};
    struct physdev_map_pirq map = {.domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_GSI, .index = 9, .pirq = 9};
    struct sched_remote_shutdown remote = {.domain_id = NOBODY};

    check_group("hardware");
    CHECK_EQ(HYPERVISOR_physdev_op(PHYSDEVOP_eoi, &eoi), -XEN_EINVAL, "the end of no interrupt");
    CHECK_EQ(HYPERVISOR_physdev_op(PHYSDEVOP_set_iopl, (void *)nowhere), -XEN_EFAULT, "a privilege in a hole");
    CHECK_EQ(pv_hypercall1(__HYPERVISOR_physdev_op_compat, (unsigned long)nowhere), -XEN_EFAULT,
             "in the old call, too");
    CHECK_EQ(pv_hypercall1(__HYPERVISOR_physdev_op_compat, (unsigned long)&old), -XEN_EINVAL,
             "by which there is no privilege below ring 3 either");
    CHECK_EQ(HYPERVISOR_sched_op(SCHEDOP_remote_shutdown, &remote), -XEN_ESRCH, "nobody is not ended");
    if (!pv_is_dom0()) {
        CHECK_EQ(HYPERVISOR_event_channel_op(EVTCHNOP_bind_pirq, &bind), -XEN_EPERM, "a guest has no interrupts");
        CHECK_EQ(HYPERVISOR_physdev_op(PHYSDEVOP_manage_pci_add, page), -XEN_EPERM, "and announces no devices");
        CHECK_EQ(HYPERVISOR_physdev_op(PHYSDEVOP_manage_pci_add, (void *)nowhere), -XEN_EFAULT,
                 "though what it would announce is looked at first");
        CHECK_EQ(HYPERVISOR_physdev_op(99, page), -XEN_ENOSYS, "an operation that is none is none for a guest, too");
        return;
    }
    map.domid = 0x7123;
    CHECK_EQ(HYPERVISOR_physdev_op(PHYSDEVOP_map_pirq, &map), -XEN_ESRCH, "an interrupt for a domain that is none");
    CHECK_EQ(HYPERVISOR_physdev_op(PHYSDEVOP_unmap_pirq, &map), -XEN_ESRCH, "nor is one taken from it");
    map.domid = DOMID_SELF;
    CHECK_EQ(HYPERVISOR_physdev_op(99, page), -XEN_ENOSYS, "an operation that is none");
    CHECK_EQ(HYPERVISOR_physdev_op(PHYSDEVOP_irq_status_query, &query), 0, "whether an interrupt needs its end told");
    CHECK_EQ(HYPERVISOR_physdev_op(PHYSDEVOP_alloc_irq_vector, &vector), 0, "an interrupt's vector is its number");
    CHECK_EQ(query.flags & XENIRQSTAT_needs_eoi, XENIRQSTAT_needs_eoi, "it does, of whichever kind");
    CHECK_EQ(HYPERVISOR_physdev_op(PHYSDEVOP_map_pirq, &map), 0, "a pin's interrupt can be ours");
    CHECK_EQ(HYPERVISOR_event_channel_op(EVTCHNOP_bind_pirq, &bind), 0, "and be bound");
    evtchn_port_t port = bind.port;
    CHECK_EQ(HYPERVISOR_event_channel_op(EVTCHNOP_bind_pirq, &bind), -XEN_EEXIST, "once");
    eoi.irq = 9;
    CHECK_EQ(HYPERVISOR_physdev_op(PHYSDEVOP_eoi, &eoi), 0, "and its end be told");
    struct evtchn_close close = {.port = port};
    CHECK_EQ(HYPERVISOR_event_channel_op(EVTCHNOP_close, &close), 0, "it is let go");
    bind.pirq = 0;
    CHECK_EQ(HYPERVISOR_event_channel_op(EVTCHNOP_bind_pirq, &bind), -XEN_EPERM, "the machine's timer stays ours");
}

/* What dom0's kernel tells of its devices as it finds them, in the order in which Linux does. */
static void test_devices(void)
{
    struct physdev_manage_pci device = {.devfn = 8};
    struct physdev_manage_pci_ext extended = {.devfn = 8};
    struct physdev_pci_device_add add = {.devfn = 8};
    struct physdev_pci_device bare = {.devfn = 8};
    struct physdev_dbgp_op debug_port = {.bus = PHYSDEVOP_DBGP_BUS_UNKNOWN};
    struct physdev_setup_gsi setup = {.gsi = 20, .triggering = 1, .polarity = 1};
    struct physdev_unmap_pirq unmap = {.domid = DOMID_SELF, .pirq = 9};
    struct physdev_apic apic = {.apic_physbase = 0xfec00000, .reg = 1};

    check_group("devices");
    CHECK_EQ(HYPERVISOR_physdev_op(PHYSDEVOP_IRQ_UNMASK_NOTIFY, NULL), 0, "whoever it is may end all its interrupts");
    if (!pv_is_dom0())
        return;
    CHECK_EQ(HYPERVISOR_physdev_op(PHYSDEVOP_unmap_pirq, &unmap), 0, "an interrupt that was ours is given back");
    CHECK_EQ(HYPERVISOR_physdev_op(PHYSDEVOP_manage_pci_add, &device), 0, "a device is announced");
    CHECK_EQ(HYPERVISOR_physdev_op(PHYSDEVOP_manage_pci_remove, &device), 0, "and withdrawn");
    CHECK_EQ(HYPERVISOR_physdev_op(PHYSDEVOP_manage_pci_add_ext, &extended), 0, "with what kind of function it is");
    CHECK_EQ(HYPERVISOR_physdev_op(PHYSDEVOP_pci_device_add, &add), 0, "with its segment: once more is no error");
    CHECK_EQ(HYPERVISOR_physdev_op(PHYSDEVOP_pci_device_remove, &bare), 0, "which goes likewise");
    CHECK_EQ(HYPERVISOR_physdev_op(PHYSDEVOP_dbgp_op, &debug_port), 0, "a debug port is left alone or was none");
    CHECK_EQ(HYPERVISOR_physdev_op(PHYSDEVOP_setup_gsi, &setup), 0, "a pin is told how its interrupt comes");
    CHECK_EQ(HYPERVISOR_physdev_op(PHYSDEVOP_setup_gsi, &setup), -XEN_EEXIST, "once: what runs is not turned over");
    CHECK_EQ(HYPERVISOR_physdev_op(PHYSDEVOP_apic_read, &apic), 0, "the interrupt controller's version is read");
    CHECK_EQ(apic.value & 0xff00ffc0, 0, "and is one");
    CHECK_EQ(HYPERVISOR_physdev_op(PHYSDEVOP_apic_write, &apic), 0, "writing it changes nothing, and is no error");
}

/* The least that a vCPU can start with. It stays down: what it would run does not matter. */
static void test_second(void)
{
    static struct vcpu_guest_context context;
    unsigned long tables = virt_to_mfn((void *)(unsigned long)start_info->pt_base);

    check_group("another vCPU");
    if (HYPERVISOR_vcpu_op(VCPUOP_is_up, 1, NULL) < 0)
        return;
    context.flags = VGCF_IN_KERNEL;
    context.user_regs.cs = FLAT_KERNEL_CS;
    context.user_regs.ss = context.kernel_ss = FLAT_KERNEL_SS;
    context.ctrlreg[3] = xen_pfn_to_cr3(tables);
    CHECK_EQ(HYPERVISOR_vcpu_op(VCPUOP_initialise, 1, &context), 0,
             "page tables and selectors are enough to begin with");
    CHECK_EQ(HYPERVISOR_vcpu_op(VCPUOP_initialise, 1, &context), -XEN_EEXIST, "once");
}

/* For tools to see, should they kill the domain: until then it goes on. */
static void test_reason(void)
{
    struct sched_shutdown shutdown = {.reason = SHUTDOWN_poweroff};

    check_group("a reason");
    CHECK_EQ(HYPERVISOR_sched_op(SCHEDOP_shutdown_code, &shutdown), 0, "one that is left for later ends nothing now");
}

int main(int argc, char **argv)
{
    page = pages_alloc(1);
    nowhere = vspace_alloc(1);
    test_entries();
    test_extended();
    test_memory();
    test_version();
    test_callbacks();
    test_mended();
    test_grants();
    test_hardware();
    test_devices();
    test_second();
    test_reason();
    return check_summary("answered") != 0;
}
