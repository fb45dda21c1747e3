/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the table of hypercalls says is not there must answer with the one error that says so, whoever asks and whatever
 * the argument: a kernel probes for features by these errors, and takes another for a feature that is broken. Driven by
 * the table, so that nothing can be forgotten in one place and promised in the other.
 */
#include <stdio.h>
#include <string.h>
#include <abi/domctl.h>
#include <abi/errno.h>
#include <abi/platform.h>
#include <abi/sysctl.h>
#include <abi/version.h>
#include <hypercall_expectations.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include "check.h"

static uint32_t *page;

static bool by_structure(unsigned int call)
{
    return call == __HYPERVISOR_platform_op || call == __HYPERVISOR_sysctl || call == __HYPERVISOR_domctl ||
           call == __HYPERVISOR_mmuext_op;
}

static uint32_t version_of(unsigned int call)
{
    return call == __HYPERVISOR_platform_op ? XENPF_INTERFACE_VERSION
           : call == __HYPERVISOR_sysctl    ? XEN_SYSCTL_INTERFACE_VERSION
                                            : XEN_DOMCTL_INTERFACE_VERSION;
}

static bool for_dom0(unsigned int call)
{
    return call == __HYPERVISOR_platform_op || call == __HYPERVISOR_sysctl || call == __HYPERVISOR_domctl ||
           call == __HYPERVISOR_physdev_op;
}

/* The error that stands for "not there". */
static long wanted(const struct hypercall_expectation *e)
{
    unsigned int last = 0;

    if (e->status == 'e')
        return e->call == __HYPERVISOR_xenpmu_op ? -XEN_EOPNOTSUPP : -XEN_ENOSYS;
    while (last < 15 && e->failures[last + 1])
        last++;
    return e->failures[last]; /* the operation's own comes behind those of its call */
}

static void check_absent(const struct hypercall_expectation *e)
{
    unsigned long arguments[3] = {e->sub, (unsigned long)page, 1};

    memset(page, 0, PAGE_SIZE);
    if (e->sub == HYPERCALL_WHOLE) {
        arguments[0] = 0;
    } else if (by_structure(e->call)) {
        page[0] = e->sub;
        if (e->call != __HYPERVISOR_mmuext_op)
            page[1] = version_of(e->call);
        arguments[0] = (unsigned long)page;
        arguments[1] = 1;
        arguments[2] = 0;
    }
    if (e->call == __HYPERVISOR_mmuext_op)
        CHECK_EQ(HYPERVISOR_mmuext_op((const void *)page, 1, NULL, DOMID_SELF), wanted(e), e->name);
    else
        CHECK_EQ(pv_hypercall3(e->call, arguments[0], arguments[1], arguments[2]), wanted(e), e->name);
}

/* Refused as such: one error, always. What has several is asked about elsewhere. */
static bool only_refused(const struct hypercall_expectation *e)
{
    return e->status == 'e' ||
           (e->status == 'r' && e->sub != HYPERCALL_WHOLE && e->call != __HYPERVISOR_memory_op &&
            e->call != __HYPERVISOR_vcpu_op && e->call != __HYPERVISOR_xen_version && e->failures[0] != 0);
}

int main(int argc, char **argv)
{
    const unsigned int count = sizeof(hypercall_expectations) / sizeof(hypercall_expectations[0]);
    unsigned int asked = 0;

    page = pages_alloc(1);
    check_group("absent calls and operations");
    for (unsigned int i = 0; i < count; i++) {
        const struct hypercall_expectation *e = &hypercall_expectations[i];

        if (!only_refused(e) || (for_dom0(e->call) && !pv_is_dom0()))
            continue;
        check_absent(e);
        asked++;
    }
    CHECK(asked > 10, "the table names some");
    CHECK_EQ(HYPERVISOR_xen_version(XENVER_build_id, NULL), pv_is_dom0() ? -XEN_ENODATA : -XEN_EPERM,
             "the binary has no fingerprint, and others need not know even that");
    return check_summary("absent") != 0;
}
