/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What only the control domain may ask for, asked for by a guest: every control call there is, on dom0, on itself and on
 * numbers that are no domain; other domains' frames, ports, tables and reservations; the console; the machine. Each is
 * refused, and refused before anything is read into a buffer or changed.
 */
#include <stdio.h>
#include <string.h>
#include <abi/domctl.h>
#include <abi/errno.h>
#include <abi/event_channel.h>
#include <abi/memory.h>
#include <abi/physdev.h>
#include <abi/platform.h>
#include <abi/sysctl.h>
#include <abi/version.h>
#include <pv/grant.h>
#include "attack.h"

#define FILL 0xA7

/* Larger than any argument: what lies behind the first words shows what the hypervisor wrote. */
static uint8_t buffer[1024] __attribute__((aligned(64)));

static bool untouched(size_t from)
{
    for (size_t i = from; i < sizeof(buffer); i++)
        if (buffer[i] != FILL)
            return false;
    return true;
}

static bool refused(long result)
{
    return result == -XEN_EPERM || result == -XEN_ENOSYS || result == -XEN_EACCES || result == -XEN_ESRCH ||
           result == -XEN_EOPNOTSUPP || result == -XEN_EINVAL;
}

/* A control call that a guest could make would be the end of every other rule. */
static void test_domctl(void)
{
    static const domid_t targets[] = {0, DOMID_SELF, 0x7100, 0xffff};
    struct xen_domctl *op = (void *)buffer;
    bool all = true, kept = true;

    check_group("domctl");
    for (unsigned int cmd = 0; cmd < 128; cmd++) {
        for (unsigned int t = 0; t < sizeof(targets) / sizeof(targets[0]); t++) {
            long result;

            memset(buffer, FILL, sizeof(buffer));
            op->cmd = cmd;
            op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
            op->domain = targets[t];
            result = pv_hypercall1(__HYPERVISOR_domctl, (unsigned long)op);
            if (!refused(result))
                printf("powers: domctl %u on %x is %ld\n", cmd, targets[t], result);
            all = all && refused(result);
            kept = kept && untouched(16);
        }
    }
    CHECK(all, "no domctl is a guest's to make, on whatever domain");
    CHECK(kept, "and none answers into the buffer before it is refused");
}

static void test_sysctl(void)
{
    struct xen_sysctl *op = (void *)buffer;
    struct xen_platform_op *platform = (void *)buffer;
    bool all = true, kept = true;

    check_group("sysctl and platform_op");
    for (unsigned int cmd = 0; cmd < 80; cmd++) {
        memset(buffer, FILL, sizeof(buffer));
        op->cmd = cmd;
        op->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
        all = all && refused(pv_hypercall1(__HYPERVISOR_sysctl, (unsigned long)op));
        kept = kept && untouched(8);
        memset(buffer, FILL, sizeof(buffer));
        platform->cmd = cmd;
        platform->interface_version = XENPF_INTERFACE_VERSION;
        all = all && refused(pv_hypercall1(__HYPERVISOR_platform_op, (unsigned long)platform));
        kept = kept && untouched(8);
    }
    CHECK(all, "the machine's state, log and scheduler are not for guests");
    CHECK(kept, "and none of it is told before the refusal");
}

static void test_other_calls(void)
{
    static const unsigned int closed[] = {__HYPERVISOR_kexec_op,  __HYPERVISOR_tmem_op, __HYPERVISOR_argo_op,
                                          __HYPERVISOR_xenpmu_op, __HYPERVISOR_xsm_op,  __HYPERVISOR_xenoprof_op,
                                          __HYPERVISOR_hvm_op,    __HYPERVISOR_dm_op,   __HYPERVISOR_hypfs_op,
                                          __HYPERVISOR_mca};
    bool all = true, kept = true;

    check_group("calls that are closed, or do not exist");
    for (unsigned int i = 0; i < sizeof(closed) / sizeof(closed[0]); i++) {
        for (unsigned long cmd = 0; cmd < 32; cmd++) {
            memset(buffer, FILL, sizeof(buffer));
            all = all && pv_hypercall4(closed[i], cmd, (unsigned long)buffer, (unsigned long)buffer, 1) < 0;
            kept = kept && untouched(0);
        }
    }
    for (unsigned int number = 43; number < 300; number++)
        if (number < 48 || number > 55)
            all = all && pv_hypercall2(number, 0, (unsigned long)buffer) == -XEN_ENOSYS;
    all = all && pv_hypercall1(~0UL, 0) == -XEN_ENOSYS;
    all = all && pv_hypercall1(0x80000000UL, 0) == -XEN_ENOSYS;
    CHECK(all, "each is refused: a number past the table must not be an index into what lies behind it");
    CHECK(kept, "and nothing is written");
}

static void test_console(void)
{
    char text[32] = "powers: not for the console\n";
    long result;

    check_group("the hypervisor's console");
    memset(buffer, FILL, sizeof(buffer));
    result = pv_hypercall3(__HYPERVISOR_console_io, CONSOLEIO_read, sizeof(buffer), (unsigned long)buffer);
    CHECK_EQ(result, -XEN_EPERM, "what is typed there is dom0's");
    CHECK(untouched(0), "and not told");
    CHECK_EQ(pv_hypercall3(__HYPERVISOR_console_io, CONSOLEIO_write, ~0UL, (unsigned long)text), -XEN_EPERM,
             "a guest could fill the log without end");
    CHECK(pv_hypercall3(__HYPERVISOR_console_io, 2, 1, (unsigned long)text) < 0, "nor anything else");
}

static void test_version(void)
{
    check_group("xen_version");
    memset(buffer, FILL, sizeof(buffer));
    CHECK_EQ(HYPERVISOR_xen_version(XENVER_commandline, buffer), 0, "the command line may be asked for");
    CHECK(strcmp((char *)buffer, "<denied>") == 0, "but is not told");
    CHECK(untouched(1024), "in no more than its kilobyte");
    memset(buffer, FILL, sizeof(buffer));
    CHECK(HYPERVISOR_xen_version(XENVER_build_id, buffer) < 0 && untouched(0), "nor is the build");
}

static void test_memory(void)
{
    unsigned long foreign = foreign_mfn();
    xen_pfn_t frame = (xen_pfn_t)foreign;
    struct xen_memory_reservation r = {.nr_extents = 1, .domid = 0};
    struct mmu_update update = {.ptr = entry_of(top_mfn(), 0), .val = 0};
    unsigned int tables_of_dom0 = (0U + 1) << 16;
    struct xen_add_to_physmap add = {.domid = 0, .space = XENMAPSPACE_shared_info};
    struct xen_memory_exchange exchange = {.in = {.domid = 0}, .out = {.domid = 0}};
    domid_t dom0 = 0;
    char *at = vspace_alloc(1);

    check_group("other domains' memory");
    set_xen_guest_handle(r.extent_start, &frame);
    CHECK(HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r) <= 0, "dom0's frames are not ours to give back");
    CHECK(HYPERVISOR_memory_op(XENMEM_populate_physmap, &r) <= 0, "nor does it get more by us");
    r.domid = DOMID_SELF;
    CHECK_EQ(HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r), 0,
             "its frames are not ours to give back as our own");
    CHECK_EQ(HYPERVISOR_memory_op(XENMEM_current_reservation, &dom0), -XEN_EPERM, "how much it has is not told");
    CHECK(HYPERVISOR_memory_op(XENMEM_claim_pages, &r) < 0, "a claim would keep memory from all others");
    CHECK(HYPERVISOR_memory_op(XENMEM_set_memory_map, buffer) < 0, "memory maps are set by dom0");
    CHECK(HYPERVISOR_memory_op(XENMEM_machine_memory_map, buffer) < 0, "and the machine's is its own");
    CHECK(HYPERVISOR_mmu_update(&update, 1, NULL, tables_of_dom0 | DOMID_SELF) < 0, "page tables of dom0");
    CHECK(HYPERVISOR_mmu_update(&update, 1, NULL, 0) < 0, "frames of dom0 in our tables, by number");
    CHECK(HYPERVISOR_mmu_update(&update, 1, NULL, DOMID_XEN) < 0, "the hypervisor's");
    CHECK(HYPERVISOR_update_va_mapping_otherdomain((unsigned long)at, pte_make(foreign, PTE_KERNEL_RO), 0, 0) < 0,
          "and by address");
    CHECK(HYPERVISOR_update_va_mapping_otherdomain((unsigned long)at, pte_make(foreign, PTE_KERNEL_RO), 0, DOMID_IO) <
              0,
          "and as if they were a device's");
    CHECK_EQ(HYPERVISOR_update_va_mapping_otherdomain((unsigned long)at, 0, 0, DOMID_IO), -XEN_EPERM,
             "which is no name for a guest to use, whatever for");
    CHECK_EQ(HYPERVISOR_memory_op(XENMEM_add_to_physmap, &add), -XEN_EACCES, "no domain has a map of frames to change");
    CHECK_EQ(HYPERVISOR_memory_op(XENMEM_exchange, &exchange), 0, "to trade nothing for nothing is nobody's loss");
    CHECK(set_pte(at, pte_make(0xfee00, PTE_KERNEL_RO)) < 0, "the interrupt controller");
    CHECK(set_pte(at, pte_make(0xb8, PTE_KERNEL_RO)) < 0, "the screen");
    vspace_free(at, 1);
}

static void test_events_and_grants(void)
{
    struct evtchn_alloc_unbound alloc = {.dom = 0, .remote_dom = DOMID_SELF};
    struct evtchn_status status = {.dom = 0, .port = 1};
    struct evtchn_reset reset = {.dom = 0};
    struct evtchn_bind_pirq pirq = {.pirq = 1};
    struct evtchn_bind_interdomain bind = {.remote_dom = 0};
    struct gnttab_query_size size = {.dom = 0};
    struct gnttab_get_version version = {.dom = 0};
    struct xen_mem_acquire_resource resource = {.domid = 0, .type = XENMEM_resource_grant_table, .nr_frames = 1};
    xen_pfn_t frame;
    bool bound = false;

    check_group("other domains' ports and grants");
    CHECK_EQ(HYPERVISOR_event_channel_op(EVTCHNOP_alloc_unbound, &alloc), -XEN_EPERM, "a port of dom0's");
    CHECK_EQ(HYPERVISOR_event_channel_op(EVTCHNOP_status, &status), -XEN_EPERM, "what its ports are");
    CHECK_EQ(HYPERVISOR_event_channel_op(EVTCHNOP_reset, &reset), -XEN_EPERM, "closing them all");
    CHECK_EQ(HYPERVISOR_event_channel_op(EVTCHNOP_bind_pirq, &pirq), -XEN_EPERM, "the keyboard's interrupt");
    for (bind.remote_port = 0; bind.remote_port < 5000; bind.remote_port++)
        bound = bound || HYPERVISOR_event_channel_op(EVTCHNOP_bind_interdomain, &bind) == 0;
    CHECK(!bound, "no port of dom0's takes us that is not meant for us");
    HYPERVISOR_grant_table_op(GNTTABOP_query_size, &size, 1);
    CHECK_EQ(size.status, GNTST_permission_denied, "the size of its grant table");
    CHECK_EQ(HYPERVISOR_grant_table_op(GNTTABOP_get_version, &version, 1), -XEN_EPERM, "its version");
    set_xen_guest_handle(resource.frame_list, &frame);
    CHECK(HYPERVISOR_memory_op(XENMEM_acquire_resource, &resource) < 0, "and its frames");
    resource.domid = DOMID_SELF;
    CHECK(HYPERVISOR_memory_op(XENMEM_acquire_resource, &resource) < 0, "our own come by setup_table");
}

static void test_machine(void)
{
    struct sched_remote_shutdown shutdown = {.domain_id = 0, .reason = SHUTDOWN_crash};
    struct sched_pin_override pin = {.pcpu = 0};
    bool all = true;

    check_group("the machine");
    CHECK_EQ(HYPERVISOR_sched_op(SCHEDOP_remote_shutdown, &shutdown), -XEN_EPERM, "dom0 is not shut down by a guest");
    CHECK_EQ(HYPERVISOR_sched_op(SCHEDOP_pin_override, &pin), -XEN_EPERM, "nor does one choose its processor");
    for (unsigned int cmd = 0; cmd < 64; cmd++) {
        long result;

        if (cmd == PHYSDEVOP_set_iopl || cmd == PHYSDEVOP_IRQ_UNMASK_NOTIFY) /* ends the asker's own interrupts */
            continue;
        memset(buffer, 0, sizeof(buffer));
        result = HYPERVISOR_physdev_op(cmd, buffer);
        if (result == 0 && cmd != PHYSDEVOP_irq_status_query && cmd != PHYSDEVOP_set_iobitmap && cmd != PHYSDEVOP_eoi &&
            cmd != PHYSDEVOP_get_free_pirq)
            printf("powers: physdev_op %u is allowed\n", cmd), all = false;
    }
    CHECK(all, "devices, their interrupts and PCI are dom0's");
}

int main(int argc, char **argv)
{
    if (pv_is_dom0()) {
        printf("contain-powers: 0 passed, 0 failed\n");
        return 0;
    }
    test_domctl();
    test_sysctl();
    test_other_calls();
    test_console();
    test_version();
    test_memory();
    test_events_and_grants();
    test_machine();
    check_summary("contain-powers");
    return 0;
}
