/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What dom0 may ask about and do to a domain and the machine, call by call, on a domain that never runs: the plain
 * success of each, and the errors of those that have their own. Tools are written against these answers and take any
 * other for a hypervisor that is too old or too new for them. Elsewhere than in dom0 all are refused.
 */
#include <stdio.h>
#include <string.h>
#include <abi/domctl.h>
#include <abi/errno.h>
#include <abi/grant_table.h>
#include <abi/memory.h>
#include <abi/physdev.h>
#include <abi/platform.h>
#include <abi/sched.h>
#include <abi/sysctl.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include "check.h"
#include "dom0_calls.h"

static struct xen_platform_op platform;
static char *page;
static unsigned int domid;

static long fresh(unsigned int cmd)
{
    memset(&domctl.u, 0, sizeof(domctl.u));
    return call(cmd, domid);
}

static long platform_call(unsigned int cmd)
{
    platform.cmd = cmd;
    platform.interface_version = XENPF_INTERFACE_VERSION;
    return pv_hypercall1(__HYPERVISOR_platform_op, (unsigned long)&platform);
}

static void test_domain(void)
{
    check_group("a domain");
    want_domain(1);
    CHECK_EQ(call(XEN_DOMCTL_createdomain, domid), 0, "a domain can be created");
    domid = domctl.domain;
    domctl.u.max_vcpus.max = 1;
    CHECK_EQ(call(XEN_DOMCTL_max_vcpus, domid), 0, "it gets its vCPU");
    CHECK_EQ(fresh(XEN_DOMCTL_setdomainhandle), 0, "a UUID of zeros");
    CHECK_EQ(fresh(XEN_DOMCTL_setdebugging), 0, "no debugger");
    CHECK_EQ(fresh(XEN_DOMCTL_settimeoffset), 0, "the machine's time");
    CHECK_EQ(fresh(XEN_DOMCTL_gettscinfo), 0, "how it sees the TSC");
    CHECK_EQ(call(XEN_DOMCTL_settscinfo, domid), 0, "and it may stay so");
    CHECK_EQ(fresh(XEN_DOMCTL_get_address_size), 0, "its width");
    CHECK_EQ(domctl.u.address_size.size, 64, "is that of the machine");
    CHECK_EQ(call(XEN_DOMCTL_set_address_size, domid), 0, "and may be set to that");
    domctl.u.address_size.size = 16;
    CHECK_EQ(call(XEN_DOMCTL_set_address_size, domid), -XEN_EINVAL, "not to 16");
    CHECK_EQ(fresh(XEN_DOMCTL_irq_permission), -XEN_EPERM, "interrupt 0 is nobody's to give");
    CHECK_EQ(fresh(XEN_DOMCTL_resumedomain), 0, "going on where nothing stopped");
    CHECK_EQ(fresh(XEN_DOMCTL_subscribe), 0, "nobody is told of its suspension");
    memset(&domctl.u, 0, sizeof(domctl.u));
    domctl.u.sendtrigger.trigger = XEN_DOMCTL_SENDTRIGGER_NMI;
    CHECK_EQ(call(XEN_DOMCTL_sendtrigger, domid), 0, "an NMI");
    domctl.u.sendtrigger.trigger = XEN_DOMCTL_SENDTRIGGER_POWER;
    CHECK_EQ(call(XEN_DOMCTL_sendtrigger, domid), -XEN_EINVAL, "not a button that only a machine has");
    domctl.u.sendtrigger.trigger = XEN_DOMCTL_SENDTRIGGER_NMI;
    domctl.u.sendtrigger.vcpu = 7;
    CHECK_EQ(call(XEN_DOMCTL_sendtrigger, domid), -XEN_ESRCH, "not to a vCPU that is none");
    domctl.u.sendtrigger = (struct xen_domctl_sendtrigger){.trigger = 77};
    CHECK_EQ(call(XEN_DOMCTL_sendtrigger, domid), -XEN_ENOSYS, "not of a kind that is none");
    CHECK_EQ(fresh(XEN_DOMCTL_get_ext_vcpucontext), 0, "the rest of a vCPU's state can be read");
    CHECK_EQ(fresh(XEN_DOMCTL_getvcpuextstate), 0, "the size of its extended state");
    CHECK_EQ(fresh(XEN_DOMCTL_get_vcpu_msrs), 0, "how many registers it has");
    CHECK_EQ(fresh(XEN_DOMCTL_set_vcpu_msrs), 0, "none are set");
    CHECK_EQ(fresh(XEN_DOMCTL_get_cpu_policy), 0, "how large its CPUID policy is");
    CHECK_EQ(fresh(XEN_DOMCTL_set_cpu_policy), 0, "nothing of it is changed");
    CHECK_EQ(fresh(XEN_DOMCTL_getnodeaffinity), 0, "nodes it prefers");
    CHECK_EQ(fresh(XEN_DOMCTL_setnodeaffinity), -XEN_EINVAL, "it cannot prefer none");
    CHECK_EQ(fresh(XEN_DOMCTL_ioport_permission), -XEN_EINVAL, "no ports are none to allow");
    CHECK_EQ(fresh(XEN_DOMCTL_hypercall_init), -XEN_EINVAL, "no stubs into a page that is not its own");
    domctl.u.getpageframeinfo3.num = 1025;
    CHECK_EQ(call(XEN_DOMCTL_getpageframeinfo3, domid), -XEN_E2BIG, "a thousand pages at once");
}

/* Each of these hands out less than it is asked for, or changes nothing: what tools rely on is that it is no error. */
static void test_permissions(void)
{
    check_group("what it may reach");
    memset(&domctl.u, 0, sizeof(domctl.u));
    domctl.u.iomem_permission.first_mfn = 0xb8;
    domctl.u.iomem_permission.nr_mfns = 1;
    CHECK_EQ(call(XEN_DOMCTL_iomem_permission, domid), 0, "device memory can be taken from it");
    domctl.u.iomem_permission.first_mfn = ~0ULL;
    domctl.u.iomem_permission.nr_mfns = 2;
    CHECK_EQ(call(XEN_DOMCTL_iomem_permission, domid), -XEN_EINVAL, "but no range that wraps around");
    memset(&domctl.u, 0, sizeof(domctl.u));
    domctl.u.ioport_permission.first_port = 0x2f8;
    domctl.u.ioport_permission.nr_ports = 8;
    CHECK_EQ(call(XEN_DOMCTL_ioport_permission, domid), 0, "ports can be taken from it");
    domctl.u.ioport_permission.first_port = 0xffff;
    CHECK_EQ(call(XEN_DOMCTL_ioport_permission, domid), -XEN_EINVAL, "but none behind the last");
    memset(&domctl.u, 0, sizeof(domctl.u));
    set_xen_guest_handle(domctl.u.nodeaffinity.nodemap.bitmap, (uint8_t *)page);
    domctl.u.nodeaffinity.nodemap.nr_bits = 8;
    page[0] = 1;
    CHECK_EQ(call(XEN_DOMCTL_setnodeaffinity, domid), 0, "its memory may come from the first node");
    page[0] = 0;
    CHECK_EQ(call(XEN_DOMCTL_setnodeaffinity, domid), -XEN_EINVAL, "not from none");
}

/* A tool reads a state and writes it back as it is: what can be read can be set. */
static void test_state(void)
{
    check_group("the state of its vCPU");
    CHECK_EQ(fresh(XEN_DOMCTL_get_ext_vcpucontext), 0, "callbacks and the like are read");
    CHECK_EQ(call(XEN_DOMCTL_set_ext_vcpucontext, domid), 0, "and set again");
    CHECK_EQ(fresh(XEN_DOMCTL_getvcpuextstate), 0, "the extended state has a size");
    CHECK(domctl.u.vcpuextstate.size <= PAGE_SIZE, "of at most a page");
    set_xen_guest_handle(domctl.u.vcpuextstate.buffer, (uint64_t *)page);
    CHECK_EQ(call(XEN_DOMCTL_getvcpuextstate, domid), 0, "it can be read");
    CHECK_EQ(call(XEN_DOMCTL_setvcpuextstate, domid), domctl.u.vcpuextstate.size ? 0 : -XEN_EINVAL,
             "and set again, where the processor has any");
    domctl.u.vcpuextstate.size--;
    CHECK_EQ(call(XEN_DOMCTL_getvcpuextstate, domid), -XEN_EINVAL, "not with room for less");
    memset(&domctl.u, 0, sizeof(domctl.u));
    set_xen_guest_handle(domctl.u.cpu_policy.leaves, (xen_cpuid_leaf_t *)page);
    domctl.u.cpu_policy.nr_leaves = 1;
    CHECK_EQ(call(XEN_DOMCTL_get_cpu_policy, domid), -XEN_ENOBUFS, "a policy of CPUID is more than one leaf");
    CHECK_EQ(fresh(XEN_DOMCTL_unpausedomain), 0, "from when on it may run");
    CHECK_EQ(fresh(XEN_DOMCTL_set_cpu_policy), -XEN_EEXIST, "its processor stays what it is");
}

/* What the tools do to a domain that does not end when it is asked to. */
static void test_end(void)
{
    struct sched_remote_shutdown shutdown = {.domain_id = (domid_t)domid, .reason = SHUTDOWN_crash};

    check_group("its end");
    CHECK_EQ(HYPERVISOR_sched_op(SCHEDOP_remote_shutdown, &shutdown), 0, "it is ended");
    CHECK_EQ(fresh(XEN_DOMCTL_getdomaininfo), 0, "and can be looked at");
    CHECK_EQ(domctl.u.getdomaininfo.flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask, SHUTDOWN_crash,
             "for the reason that was given");
    CHECK_EQ(fresh(XEN_DOMCTL_destroydomain), 0, "then it goes");
}

/* Asked once for the size and once for the table, as a tool that restores a domain does. */
static void test_resource(void)
{
    struct xen_mem_acquire_resource resource = {.domid = (domid_t)domid, .type = XENMEM_resource_grant_table};
    static xen_pfn_t frames[2];

    check_group("its grant table");
    resource.id = XENMEM_resource_grant_table_id_shared;
    CHECK_EQ(HYPERVISOR_memory_op(XENMEM_acquire_resource, &resource), 0, "its size can be asked for");
    CHECK_EQ(resource.nr_frames, 4, "is the one that the domain was created with");
    set_xen_guest_handle(resource.frame_list, frames);
    resource.nr_frames = 1;
    CHECK_EQ(HYPERVISOR_memory_op(XENMEM_acquire_resource, &resource), 0, "its first frame, too");
    CHECK(frames[0] != 0 && frames[1] == 0, "which is named, and no other");
    resource.type = 77;
    CHECK_EQ(HYPERVISOR_memory_op(XENMEM_acquire_resource, &resource), -XEN_EOPNOTSUPP,
             "nothing of a kind that is none");
    resource.pad = 1;
    CHECK_EQ(HYPERVISOR_memory_op(XENMEM_acquire_resource, &resource), -XEN_EINVAL,
             "nor with a word that must be zero");
}

static void test_memory(void)
{
    static const struct {
        uint64_t address, size;
        uint32_t type;
    } __attribute__((packed)) ram = {0, 64 << 20, 1};
    struct xen_foreign_memory_map map = {.domid = (domid_t)domid, .map.nr_entries = 1};
    struct xen_memory_reservation claim = {.domid = (domid_t)domid};
    struct xen_memory_domain who = {.domid = (domid_t)domid};

    check_group("its memory");
    if (sizeof(long) == 8)
        CHECK_EQ(HYPERVISOR_memory_op(XENMEM_claim_pages, &claim), 0, "none is set aside for it");
    claim.domid = DOMID_SELF;
    if (sizeof(long) == 8)
        CHECK_EQ(HYPERVISOR_memory_op(XENMEM_claim_pages, &claim), -XEN_EINVAL, "nor for whoever asks, but by number");
    CHECK_EQ(HYPERVISOR_memory_op(XENMEM_current_reservation, &who), 0, "it has none");
    domctl.u.max_mem.max_memkb = 8192;
    CHECK_EQ(call(XEN_DOMCTL_max_mem, domid), 0, "it has a limit");
    CHECK_EQ(HYPERVISOR_memory_op(XENMEM_maximum_reservation, &who), 2048, "in pages");
    set_xen_guest_handle(map.map.buffer, (void *)&ram);
    CHECK_EQ(HYPERVISOR_memory_op(XENMEM_set_memory_map, &map), 0, "its map of memory can be set");
    map.map.nr_entries = 5000;
    CHECK_EQ(HYPERVISOR_memory_op(XENMEM_set_memory_map, &map), -XEN_EINVAL, "not one of 5000 entries");
}

static void test_machine(void)
{
    check_group("the machine");
    memset(&sysctl, 0, sizeof(sysctl));
    CHECK_EQ(system_call(XEN_SYSCTL_physinfo), 0, "what it is");
    CHECK_EQ(system_call(XEN_SYSCTL_sched_id), 0, "its scheduler");
    memset(&sysctl.u, 0, sizeof(sysctl.u));
    CHECK_EQ(system_call(XEN_SYSCTL_availheap), 0, "its free memory");
    memset(&sysctl.u, 0, sizeof(sysctl.u));
    CHECK_EQ(system_call(XEN_SYSCTL_debug_keys), 0, "no key");
    memset(&sysctl.u, 0, sizeof(sysctl.u));
    CHECK_EQ(system_call(XEN_SYSCTL_get_cpu_levelling_caps), 0, "whether CPUID can be masked");
    memset(&sysctl.u, 0, sizeof(sysctl.u));
    CHECK_EQ(system_call(XEN_SYSCTL_get_cpu_policy), 0, "how large a CPUID policy is");
    memset(&sysctl.u, 0, sizeof(sysctl.u));
    sysctl.u.scheduler_op.cpupool_id = 77;
    sysctl.u.scheduler_op.cmd = XEN_SYSCTL_SCHEDOP_getinfo;
    CHECK_EQ(system_call(XEN_SYSCTL_scheduler_op), -XEN_ESRCH, "no such pool");
    sysctl.u.scheduler_op.cpupool_id = 0;
    sysctl.u.scheduler_op.sched_id = XEN_SCHEDULER_CREDIT2;
    CHECK_EQ(system_call(XEN_SYSCTL_scheduler_op), 0, "the first has parameters");
    memset(&sysctl.u, 0, sizeof(sysctl.u));
    sysctl.u.cpupool_op.op = 77;
    CHECK_EQ(system_call(XEN_SYSCTL_cpupool_op), -XEN_ENOSYS, "nothing else is done to a pool");
    memset(&sysctl.u, 0, sizeof(sysctl.u));
    set_xen_guest_handle(sysctl.u.cpu_policy.leaves, (xen_cpuid_leaf_t *)page);
    sysctl.u.cpu_policy.nr_leaves = 1;
    CHECK_EQ(system_call(XEN_SYSCTL_get_cpu_policy), -XEN_ENOBUFS, "a policy of CPUID is more than one leaf");
    memset(&platform, 0, sizeof(platform));
    platform.u.pcpu_version.xen_cpuid = 0;
    CHECK_EQ(platform_call(XENPF_get_cpu_version), 0, "a processor's version");
    platform.u.pcpu_version.xen_cpuid = 77;
    CHECK_EQ(platform_call(XENPF_get_cpu_version), 0, "of none: no error, and no maker");
    memset(&platform.u, 0, sizeof(platform.u));
    platform.u.pcpu_info.xen_cpuid = 77;
    CHECK_EQ(platform_call(XENPF_get_cpuinfo), 0, "the state of none");
    CHECK_EQ(platform.u.pcpu_info.flags, XEN_PCPU_FLAGS_INVALID, "is that there is none");
    memset(&platform.u, 0, sizeof(platform.u));
    platform.u.firmware_info.type = 77;
    CHECK_EQ(platform_call(XENPF_firmware_info), -XEN_EINVAL, "nothing the firmware said");
    platform.u.firmware_info.type = XEN_FW_DISK_INFO;
    platform.u.firmware_info.index = 77;
    CHECK_EQ(platform_call(XENPF_firmware_info), -XEN_ESRCH, "not of that disk");
    platform.u.firmware_info.type = XEN_FW_KBD_SHIFT_FLAGS;
    platform.u.firmware_info.index = 0;
    CHECK_EQ(platform_call(XENPF_firmware_info), 0, "which keys were held down");
    memset(&platform.u, 0, sizeof(platform.u));
    platform.u.enter_acpi_sleep.sleep_state = 77;
    CHECK_EQ(platform_call(XENPF_enter_acpi_sleep), -XEN_EINVAL, "a sleep that is none");
    memset(&platform.u, 0, sizeof(platform.u));
    CHECK_EQ(pv_hypercall1(__HYPERVISOR_platform_op, 8), -XEN_EFAULT, "a structure that is not there");
}

static void test_clocks(void)
{
    check_group("clocks and keys");
    memset(&platform.u, 0, sizeof(platform.u));
    platform.u.settime32.secs = shared_info->wc_sec;
    platform.u.settime32.nsecs = shared_info->wc_nsec;
    CHECK_EQ(platform_call(XENPF_settime32), 0, "the wall clock may be set to what it is");
    CHECK_EQ(HYPERVISOR_console_io(CONSOLEIO_read, PAGE_SIZE, page), 0, "no key was pressed");
}

static long pin(int cpu)
{
    struct sched_pin_override to = {.pcpu = cpu};

    return HYPERVISOR_sched_op(SCHEDOP_pin_override, &to);
}

/* A driver that must run where the firmware listens pins itself for a moment; two at once would undo each other. */
static void test_pin(void)
{
    check_group("staying on a processor");
    CHECK_EQ(pin(0), 0, "for a while");
    CHECK_EQ(pin(0), -XEN_EBUSY, "not twice");
    CHECK_EQ(pin(-1), 0, "and no longer");
    CHECK_EQ(pin(-1), -XEN_EINVAL, "which ends once");
    CHECK_EQ(pin(4095), -XEN_EINVAL, "not on one that is none");
}

static long memory_op(unsigned int command, void *argument)
{
    return HYPERVISOR_memory_op(command, argument);
}

static long physdev_op(unsigned int command)
{
    uint32_t argument[8] = {1};

    return HYPERVISOR_physdev_op(command, argument);
}

/* Each is the control domain's; a guest that was let in would read or change others. */
static void test_refused(void)
{
    struct xen_memory_map map = {.nr_entries = 1};
    struct xen_foreign_memory_map foreign = {.domid = 0, .map.nr_entries = 1};
    struct xen_mem_acquire_resource resource = {.domid = 0, .type = XENMEM_resource_grant_table};
    struct xen_add_to_physmap place = {.domid = DOMID_SELF, .space = XENMAPSPACE_shared_info};
    struct gnttab_get_version version = {.dom = 0};
    struct sched_remote_shutdown end = {.domain_id = 0};
    struct mmu_update update = {.ptr = 0};
    struct mmuext_op flush = {.cmd = MMUEXT_FLUSH_CACHE}, flush_all = {.cmd = MMUEXT_FLUSH_CACHE_GLOBAL};
    char buffer[8];

    check_group("what is refused to a guest");
    CHECK_EQ(fresh(XEN_DOMCTL_getdomaininfo), -XEN_EPERM, "it manages no domains");
    CHECK_EQ(system_call(XEN_SYSCTL_physinfo), -XEN_EPERM, "nor the machine");
    CHECK_EQ(platform_call(XENPF_get_cpu_version), -XEN_EPERM, "nor its firmware");
    CHECK_EQ(pin(0), -XEN_EPERM, "it stays on no processor");
    CHECK_EQ(HYPERVISOR_sched_op(SCHEDOP_remote_shutdown, &end), -XEN_EPERM, "it ends no other");
    CHECK_EQ(HYPERVISOR_console_io(CONSOLEIO_read, sizeof(buffer), buffer), -XEN_EPERM, "it reads no keys");
    CHECK_EQ(memory_op(XENMEM_machine_memory_map, &map), -XEN_EPERM, "nor the machine's map of memory");
    CHECK_EQ(memory_op(XENMEM_set_memory_map, &foreign), -XEN_EPERM, "and sets no other's");
    CHECK_EQ(memory_op(XENMEM_acquire_resource, &resource), -XEN_EPERM, "it has no other's grant table");
    CHECK_EQ(memory_op(XENMEM_add_to_physmap, &place), -XEN_EACCES, "it has no places to put pages at");
    CHECK_EQ(HYPERVISOR_grant_table_op(GNTTABOP_get_version, &version, 1), -XEN_EPERM, "nor its version");
    CHECK_EQ(HYPERVISOR_update_va_mapping_otherdomain((unsigned long)page, 0, 0, 0), -XEN_EPERM, "nor its pages");
    CHECK_EQ(HYPERVISOR_mmu_update(&update, 1, NULL, 0), -XEN_EPERM, "by whichever call");
    CHECK_EQ(HYPERVISOR_mmuext_op(&flush, 1, NULL, DOMID_SELF), -XEN_EACCES,
             "it has no device that needs caches written");
    CHECK_EQ(HYPERVISOR_mmuext_op(&flush_all, 1, NULL, DOMID_SELF), -XEN_EINVAL, "nor those of all processors");
    CHECK_EQ(physdev_op(PHYSDEVOP_setup_gsi), -XEN_EPERM, "it routes no interrupts");
    CHECK_EQ(physdev_op(PHYSDEVOP_apic_read), -XEN_EPERM, "nor reads where they go");
}

int main(int argc, char **argv)
{
    page = pages_alloc(1);
    if (pv_is_dom0()) {
        test_domain();
        test_permissions();
        test_memory();
        test_resource();
        test_state();
        test_machine();
        test_clocks();
        test_pin();
        test_end();
    } else {
        test_refused();
    }
    return check_summary("managing") != 0;
}
