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
#include <abi/memory.h>
#include <abi/platform.h>
#include <abi/sysctl.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include "check.h"

static struct xen_domctl domctl;
static struct xen_sysctl sysctl;
static struct xen_platform_op platform;
static char *page;
static unsigned int domid;

static long call(unsigned int cmd)
{
    domctl.cmd = cmd;
    domctl.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    domctl.domain = (domid_t)domid;
    return pv_hypercall1(__HYPERVISOR_domctl, (unsigned long)&domctl);
}

static long fresh(unsigned int cmd)
{
    memset(&domctl.u, 0, sizeof(domctl.u));
    return call(cmd);
}

static long system_call(unsigned int cmd)
{
    sysctl.cmd = cmd;
    sysctl.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    return pv_hypercall1(__HYPERVISOR_sysctl, (unsigned long)&sysctl);
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
    memset(&domctl, 0, sizeof(domctl));
    domctl.u.createdomain.max_vcpus = 1;
    domctl.u.createdomain.max_evtchn_port = 1023;
    domctl.u.createdomain.max_grant_frames = 4;
    domctl.u.createdomain.max_maptrack_frames = 4;
    domctl.u.createdomain.grant_opts = XEN_DOMCTL_GRANT_version(1);
    CHECK_EQ(call(XEN_DOMCTL_createdomain), 0, "a domain can be created");
    domid = domctl.domain;
    domctl.u.max_vcpus.max = 1;
    CHECK_EQ(call(XEN_DOMCTL_max_vcpus), 0, "it gets its vCPU");
    CHECK_EQ(fresh(XEN_DOMCTL_setdomainhandle), 0, "a UUID of zeros");
    CHECK_EQ(fresh(XEN_DOMCTL_setdebugging), 0, "no debugger");
    CHECK_EQ(fresh(XEN_DOMCTL_settimeoffset), 0, "the machine's time");
    CHECK_EQ(fresh(XEN_DOMCTL_gettscinfo), 0, "how it sees the TSC");
    CHECK_EQ(call(XEN_DOMCTL_settscinfo), 0, "and it may stay so");
    CHECK_EQ(fresh(XEN_DOMCTL_get_address_size), 0, "its width");
    CHECK_EQ(domctl.u.address_size.size, 64, "is that of the machine");
    CHECK_EQ(call(XEN_DOMCTL_set_address_size), 0, "and may be set to that");
    domctl.u.address_size.size = 16;
    CHECK_EQ(call(XEN_DOMCTL_set_address_size), -XEN_EINVAL, "not to 16");
    CHECK_EQ(fresh(XEN_DOMCTL_irq_permission), -XEN_EPERM, "interrupt 0 is nobody's to give");
    CHECK_EQ(fresh(XEN_DOMCTL_resumedomain), 0, "going on where nothing stopped");
    CHECK_EQ(fresh(XEN_DOMCTL_subscribe), 0, "nobody is told of its suspension");
    memset(&domctl.u, 0, sizeof(domctl.u));
    domctl.u.sendtrigger.trigger = XEN_DOMCTL_SENDTRIGGER_NMI;
    CHECK_EQ(call(XEN_DOMCTL_sendtrigger), 0, "an NMI");
    domctl.u.sendtrigger.vcpu = 7;
    CHECK_EQ(call(XEN_DOMCTL_sendtrigger), -XEN_ESRCH, "not to a vCPU that is none");
    domctl.u.sendtrigger = (struct xen_domctl_sendtrigger){.trigger = 77};
    CHECK_EQ(call(XEN_DOMCTL_sendtrigger), -XEN_ENOSYS, "not of a kind that is none");
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
    CHECK_EQ(call(XEN_DOMCTL_getpageframeinfo3), -XEN_E2BIG, "a thousand pages at once");
}

static void test_memory(void)
{
    struct xen_memory_reservation claim = {.domid = (domid_t)domid};
    struct xen_memory_domain who = {.domid = (domid_t)domid};

    check_group("its memory");
    if (sizeof(long) == 8)
        CHECK_EQ(HYPERVISOR_memory_op(XENMEM_claim_pages, &claim), 0, "none is set aside for it");
    CHECK_EQ(HYPERVISOR_memory_op(XENMEM_current_reservation, &who), 0, "it has none");
    CHECK_EQ(HYPERVISOR_memory_op(XENMEM_maximum_reservation, &who) >= 0, 1, "it has a limit");
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
    memset(&platform.u, 0, sizeof(platform.u));
    platform.u.enter_acpi_sleep.sleep_state = 77;
    CHECK_EQ(platform_call(XENPF_enter_acpi_sleep), -XEN_EINVAL, "a sleep that is none");
    memset(&platform.u, 0, sizeof(platform.u));
    CHECK_EQ(pv_hypercall1(__HYPERVISOR_platform_op, 8), -XEN_EFAULT, "a structure that is not there");
}

int main(int argc, char **argv)
{
    page = pages_alloc(1);
    if (pv_is_dom0()) {
        test_domain();
        test_memory();
        test_machine();
        CHECK_EQ(fresh(XEN_DOMCTL_destroydomain), 0, "it goes");
    } else {
        CHECK_EQ(fresh(XEN_DOMCTL_getdomaininfo), -XEN_EPERM, "a guest manages no domains");
        CHECK_EQ(system_call(XEN_SYSCTL_physinfo), -XEN_EPERM, "nor the machine");
        CHECK_EQ(platform_call(XENPF_get_cpu_version), -XEN_EPERM, "nor its firmware");
    }
    return check_summary("managing") != 0;
}
