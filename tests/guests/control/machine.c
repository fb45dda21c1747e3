/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The machine as dom0 sees and sets it: its CPUs, memory, scheduler, what it said, its firmware and its clock.
 */
#include <string.h>
#include <abi/errno.h>
#include <abi/platform.h>
#include <pv/hypercall.h>
#include <pv/time.h>
#include "tests/guests/check.h"
#include "tests/guests/dom0_calls.h"
#include "control.h"

void test_system(void)
{
    struct xen_sysctl_cpuinfo cpus[8];
    xen_sysctl_cputopo_t topology[8];
    uint8_t map[2] = {0};
    uint32_t features[32];
    static char text[4096];

    check_group("the machine");
    memset(&sysctl, 0, sizeof(sysctl));
    CHECK_EQ(system_call(XEN_SYSCTL_physinfo), 0, "what it is");
    CHECK(sysctl.u.physinfo.nr_cpus > 0 && sysctl.u.physinfo.nr_cpus == sysctl.u.physinfo.max_cpu_id + 1, "its CPUs");
    CHECK(sysctl.u.physinfo.total_pages > sysctl.u.physinfo.free_pages, "its memory");
    CHECK((sysctl.u.physinfo.capabilities & XEN_SYSCTL_PHYSCAP_pv) != 0, "it runs PV domains");
    memset(&sysctl, 0, sizeof(sysctl));
    CHECK_EQ(system_call(XEN_SYSCTL_sched_id), 0, "its scheduler");
    CHECK_EQ(sysctl.u.sched_id.sched_id, XEN_SCHEDULER_CREDIT2, "has credit2's parameters");
    memset(&sysctl, 0, sizeof(sysctl));
    sysctl.u.cpupool_op.op = XEN_SYSCTL_CPUPOOL_OP_INFO;
    sysctl.u.cpupool_op.cpumap.nr_bits = 16;
    set_xen_guest_handle(sysctl.u.cpupool_op.cpumap.bitmap, map);
    CHECK_EQ(system_call(XEN_SYSCTL_cpupool_op), 0, "its pool");
    CHECK(map[0] & 1, "has CPU 0");
    sysctl.u.cpupool_op.op = XEN_SYSCTL_CPUPOOL_OP_INFO;
    sysctl.u.cpupool_op.cpupool_id = 1;
    CHECK_EQ(system_call(XEN_SYSCTL_cpupool_op), -XEN_ENOENT, "and is the only one");
    sysctl.u.cpupool_op.op = XEN_SYSCTL_CPUPOOL_OP_CREATE;
    CHECK_EQ(system_call(XEN_SYSCTL_cpupool_op), -XEN_ENOSPC, "for which there is room");
    memset(&sysctl, 0, sizeof(sysctl));
    sysctl.u.getcpuinfo.max_cpus = 8;
    set_xen_guest_handle(sysctl.u.getcpuinfo.info, cpus);
    CHECK_EQ(system_call(XEN_SYSCTL_getcpuinfo), 0, "how long they were idle");
    CHECK(sysctl.u.getcpuinfo.nr_cpus > 0, "all of them");
    memset(&sysctl, 0, sizeof(sysctl));
    CHECK_EQ(system_call(XEN_SYSCTL_cputopoinfo), 0, "how many there are");
    CHECK(sysctl.u.cputopoinfo.num_cpus > 0, "to be asked about");
    set_xen_guest_handle(sysctl.u.cputopoinfo.cputopo, topology);
    CHECK_EQ(system_call(XEN_SYSCTL_cputopoinfo), 0, "where they are");
    memset(&sysctl, 0, sizeof(sysctl));
    CHECK_EQ(system_call(XEN_SYSCTL_numainfo), 0, "its nodes");
    CHECK_EQ(sysctl.u.numainfo.num_nodes, 1, "are one");
    memset(&sysctl, 0, sizeof(sysctl));
    sysctl.u.readconsole.count = sizeof(text);
    set_xen_guest_handle(sysctl.u.readconsole.buffer, text);
    CHECK_EQ(system_call(XEN_SYSCTL_readconsole), 0, "what it said");
    CHECK(sysctl.u.readconsole.count > 0, "is something");
    memset(&sysctl, 0, sizeof(sysctl));
    sysctl.u.cpu_featureset.index = XEN_SYSCTL_cpu_featureset_pv;
    CHECK_EQ(system_call(XEN_SYSCTL_get_cpu_featureset), 0, "how many feature words there are");
    CHECK(sysctl.u.cpu_featureset.nr_features > 0 && sysctl.u.cpu_featureset.nr_features <= 32, "is a number");
    set_xen_guest_handle(sysctl.u.cpu_featureset.features, features);
    CHECK_EQ(system_call(XEN_SYSCTL_get_cpu_featureset), 0, "and which");
    sysctl.u.cpu_featureset.nr_features = 1;
    CHECK_EQ(system_call(XEN_SYSCTL_get_cpu_featureset), -XEN_ENOBUFS, "given the room");
}

static long platform(struct xen_platform_op *op, unsigned int cmd)
{
    op->cmd = cmd;
    op->interface_version = XENPF_INTERFACE_VERSION;
    return pv_hypercall1(__HYPERVISOR_platform_op, (unsigned long)op);
}

void test_platform(void)
{
    struct xen_platform_op op;
    struct timespec before, after;

    check_group("the platform");
    memset(&op, 0, sizeof(op));
    CHECK_EQ(pv_hypercall1(__HYPERVISOR_platform_op, (unsigned long)&op), -XEN_EACCES, "no version");
    CHECK_EQ(platform(&op, XENPF_get_cpuinfo), 0, "CPU 0");
    CHECK((op.u.pcpu_info.flags & XEN_PCPU_FLAGS_ONLINE) != 0, "is online");
    memset(&op, 0, sizeof(op));
    op.u.firmware_info.type = 77;
    CHECK_EQ(platform(&op, XENPF_firmware_info), -XEN_EINVAL, "firmware information of no kind");
    memset(&op, 0, sizeof(op));
    op.u.enter_acpi_sleep.sleep_state = 3;
    CHECK_EQ(platform(&op, XENPF_enter_acpi_sleep), -XEN_EPERM, "no sleep from which it would have to wake");
    memset(&op, 0, sizeof(op));
    op.u.settime32.nsecs = 1000000000;
    CHECK_EQ(platform(&op, XENPF_settime32), -XEN_EINVAL, "a second more is no number of nanoseconds");
    time_wallclock(&before);
    memset(&op, 0, sizeof(op));
    op.u.settime64.secs = (uint64_t)before.tv_sec + 1000;
    op.u.settime64.nsecs = (uint32_t)before.tv_nsec;
    op.u.settime64.system_time = time_monotonic_ns();
    op.u.settime64.mbz = 1;
    CHECK_EQ(platform(&op, XENPF_settime64), -XEN_EINVAL, "a time with something behind it");
    op.u.settime64.mbz = 0;
    CHECK_EQ(platform(&op, XENPF_settime64), 0, "the time of day can be set");
    time_wallclock(&after);
    CHECK(after.tv_sec - before.tv_sec >= 999 && after.tv_sec - before.tv_sec <= 1002, "and is that");
    op.u.settime64.secs -= 1000;
    CHECK_EQ(platform(&op, XENPF_settime64), 0, "and set back");
}
