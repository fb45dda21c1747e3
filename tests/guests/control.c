/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The control interface as dom0 uses it: what each call answers to sense and nonsense, and whole lives of domains, which
 * must leave no page behind. Here are the calls about a domain as such; the directory has those about its vCPU and about
 * the machine, and the tiny domains that all are tried on.
 */
#include <string.h>
#include <abi/errno.h>
#include <abi/memory.h>
#include <abi/physdev.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include "check.h"
#include "dom0_calls.h"
#include "control/control.h"
#include "control/tiny.h"

void *nowhere;

static void test_versions(void)
{
    check_group("versions");
    memset(&domctl, 0, sizeof(domctl));
    domctl.cmd = XEN_DOMCTL_getdomaininfo;
    domctl.interface_version = XEN_DOMCTL_INTERFACE_VERSION - 1;
    CHECK_EQ(pv_hypercall1(__HYPERVISOR_domctl, (unsigned long)&domctl), -XEN_EACCES, "an older domctl is refused");
    CHECK_EQ(pv_hypercall1(__HYPERVISOR_domctl, (unsigned long)nowhere), -XEN_EFAULT, "a domctl that is not there");
    memset(&sysctl, 0, sizeof(sysctl));
    sysctl.cmd = XEN_SYSCTL_physinfo;
    sysctl.interface_version = XEN_SYSCTL_INTERFACE_VERSION + 1;
    CHECK_EQ(pv_hypercall1(__HYPERVISOR_sysctl, (unsigned long)&sysctl), -XEN_EACCES, "a newer sysctl is refused");
    CHECK_EQ(call(999, 0), -XEN_ENOSYS, "a domctl that does not exist");
    CHECK_EQ(call(999, 3000), -XEN_ESRCH, "on a domain that does not exist");
    CHECK_EQ(call(XEN_DOMCTL_getdomaininfo, DOMID_SELF), -XEN_EINVAL, "information is about real domains");
    CHECK_EQ(system_call(999), -XEN_ENOSYS, "a sysctl that does not exist");
}

static void test_create_errors(void)
{
    uint64_t before = free_at_rest();
    int domid;

    check_group("creation refused");
    want_domain(0);
    CHECK_EQ(call(XEN_DOMCTL_createdomain, 0), -XEN_EINVAL, "no vCPU");
    want_domain(100000);
    CHECK_EQ(call(XEN_DOMCTL_createdomain, 0), -XEN_EINVAL, "more vCPUs than there can be");
    want_domain(1);
    domctl.u.createdomain.flags = 1U << 31;
    CHECK_EQ(call(XEN_DOMCTL_createdomain, 0), -XEN_EINVAL, "an unknown flag");
    want_domain(1);
    domctl.u.createdomain.iommu_opts = 1;
    CHECK_EQ(call(XEN_DOMCTL_createdomain, 0), -XEN_EINVAL, "options of an IOMMU that it is not to have");
    want_domain(1);
    domctl.u.createdomain.grant_opts = 0;
    CHECK_EQ(call(XEN_DOMCTL_createdomain, 0), -XEN_EINVAL, "no grant table version");
    want_domain(1);
    domctl.u.createdomain.grant_opts = 0x10;
    CHECK_EQ(call(XEN_DOMCTL_createdomain, 0), -XEN_EINVAL, "an unknown grant option");
    want_domain(1);
    domctl.u.createdomain.arch.misc_flags = 2;
    CHECK_EQ(call(XEN_DOMCTL_createdomain, 0), -XEN_EINVAL, "an unknown x86 flag");
    CHECK(free_again(before), "and nothing is kept");
    domid = domain_create(1);
    CHECK(domid > 0, "a domain without anything wrong");
    want_domain(1);
    CHECK_EQ(call(XEN_DOMCTL_createdomain, (unsigned int)domid), -XEN_EEXIST, "its domid again");
    CHECK_EQ(domain_set_vcpus(domid, 2), -XEN_EINVAL, "other vCPUs than were agreed");
    CHECK_EQ(call(XEN_DOMCTL_unpausedomain, (unsigned int)domid), 0, "it can be unpaused");
    CHECK_EQ(call(XEN_DOMCTL_unpausedomain, (unsigned int)domid), -XEN_EINVAL, "but not twice");
    CHECK_EQ(domain_destroy(domid), 0, "it goes");
    CHECK_EQ(domain_destroy(domid), -XEN_ESRCH, "and is gone");
    CHECK(free_again(before), "with all it had");
    want_domain(1);
    domctl.u.createdomain.flags = XEN_DOMCTL_CDF_hvm;
    CHECK_EQ(call(XEN_DOMCTL_createdomain, 0), -XEN_EOPNOTSUPP, "no hardware virtualization");
    CHECK_EQ(domain_destroy(0), -XEN_EINVAL, "dom0 does not destroy itself");
    CHECK_EQ(call(XEN_DOMCTL_pausedomain, 0), -XEN_EINVAL, "nor pause itself");
    CHECK_EQ(domain_destroy(DOMID_SELF), -XEN_ESRCH, "DOMID_SELF is no domain here");
    CHECK_EQ(domain_create(1) != domid, 1, "domids are not reused at once");
    domain_destroy(domctl.domain);
}

static void test_pages(void)
{
    bool narrow = sizeof(long) == 4;
    xen_pfn_t frames[3];
    static const uint8_t slot64[] = {0x51, 0x41, 0x53, 0xb8, 17, 0, 0, 0, 0x0f, 0x05, 0x41, 0x5b, 0x59, 0xc3};
    static const uint8_t slot32[] = {0xb8, 17, 0, 0, 0, 0xcd, 0x82, 0xc3};
    uint8_t *page;
    struct tiny t;

    check_group("pages");
    CHECK_EQ(tiny_create(&t, narrow, SPINS), 0, "a domain");
    domctl.u.hypercall_init.gmfn = t.mfn[STACK];
    CHECK_EQ(call(XEN_DOMCTL_hypercall_init, (unsigned int)t.domid), 0, "a hypercall page");
    page = map_frames(&t.mfn[STACK], 1, (domid_t)t.domid, PTE_KERNEL_RO, NULL);
    CHECK(page && !memcmp(page + 17 * 32, narrow ? slot32 : slot64, narrow ? sizeof(slot32) : sizeof(slot64)),
          "makes the call whose slot is called");
    unmap_frames(page, 1);
    domctl.u.hypercall_init.gmfn = t.mfn[L1];
    CHECK_EQ(call(XEN_DOMCTL_hypercall_init, (unsigned int)t.domid), -XEN_EPERM, "a page table is no place for one");
    domctl.u.hypercall_init.gmfn = 1UL << 28;
    CHECK_EQ(call(XEN_DOMCTL_hypercall_init, (unsigned int)t.domid), -XEN_EINVAL, "nor is a page that is not there");
    frames[0] = t.mfn[STACK];
    frames[1] = t.mfn[t.root];
    frames[2] = virt_to_mfn(&context);
    domctl.u.getpageframeinfo3.num = 3;
    set_xen_guest_handle(domctl.u.getpageframeinfo3.array, frames);
    CHECK_EQ(call(XEN_DOMCTL_getpageframeinfo3, (unsigned int)t.domid), 0, "the types of pages");
    CHECK_EQ(frames[0], XEN_DOMCTL_PFINFO_NOTAB, "a plain one");
    CHECK_EQ(frames[1],
             (xen_pfn_t)(XEN_DOMCTL_PFINFO_LPINTAB | (narrow ? XEN_DOMCTL_PFINFO_L3TAB : XEN_DOMCTL_PFINFO_L4TAB)),
             "a pinned top table");
    CHECK_EQ(frames[2], XEN_DOMCTL_PFINFO_XTAB, "another domain's");
    domctl.u.getpageframeinfo3.num = 100000;
    CHECK_EQ(call(XEN_DOMCTL_getpageframeinfo3, (unsigned int)t.domid), -XEN_E2BIG, "too many at once");
    domctl.u.address_size.size = 16;
    CHECK_EQ(call(XEN_DOMCTL_set_address_size, (unsigned int)t.domid), -XEN_EINVAL, "a 16-bit domain");
    domctl.u.address_size.size = 0;
    CHECK_EQ(call(XEN_DOMCTL_get_address_size, (unsigned int)t.domid), 0, "the width");
    CHECK_EQ(domctl.u.address_size.size, narrow ? 32 : 64, "is the kernel's");
    domain_destroy(t.domid);
}

/* Where genuine Xen does otherwise: interrupts stay dom0's, and a 32-bit dom0 may set memory aside for a domain. */
static void test_own_ways(void)
{
    struct xen_memory_reservation claim = {.nr_extents = TINY};
    struct physdev_map_pirq map = {.type = MAP_PIRQ_TYPE_GSI, .index = 9, .pirq = 9};
    struct tiny t;

    check_group("ways of our own");
    CHECK_EQ(tiny_create(&t, sizeof(long) == 4, SPINS), 0, "a domain");
    memset(&domctl.u, 0, sizeof(domctl.u));
    domctl.u.irq_permission.pirq = 100000;
    CHECK_EQ(call(XEN_DOMCTL_irq_permission, (unsigned int)t.domid), -XEN_EINVAL, "it cannot have what is none");
    domctl.u.irq_permission.pirq = 9;
    CHECK_EQ(call(XEN_DOMCTL_irq_permission, (unsigned int)t.domid), -XEN_EPERM, "nor an interrupt that is one");
    map.domid = claim.domid = (domid_t)t.domid;
    CHECK_EQ(HYPERVISOR_physdev_op(PHYSDEVOP_map_pirq, &map), -XEN_EOPNOTSUPP, "nor is one given a number of its own");
    CHECK_EQ(HYPERVISOR_memory_op(XENMEM_claim_pages, &claim), -XEN_EINVAL, "no memory waits for what has all it may");
    domain_set_memory(t.domid, 2 * TINY);
    claim.nr_extents = 2 * TINY;
    CHECK_EQ(HYPERVISOR_memory_op(XENMEM_claim_pages, &claim), 0, "for what may have more it does");
    claim.nr_extents = 0;
    CHECK_EQ(HYPERVISOR_memory_op(XENMEM_claim_pages, &claim), 0, "or no longer");
    domain_destroy(t.domid);
}

int main(int argc, char **argv)
{
    nowhere = vspace_alloc(1);
    test_versions();
    test_system();
    test_platform();
    test_create_errors();
    test_lives(sizeof(long) == 4);
#ifdef __x86_64__
    test_lives(true);
#endif
    test_held();
    test_context();
    test_reply();
    test_broken_list();
    test_nmi_while_away();
    test_scheduling();
    test_pages();
    test_own_ways();
    test_claims_of_the_dead();
    test_many();
    test_generations();
    return check_summary("control") != 0;
}
