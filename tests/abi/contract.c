/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Every hypercall and sub-operation of abi/hypercalls.tbl, called with arguments that cannot work: what is said to be
 * implemented must be there, what is not must say so, and no answer may be one that the reference page lacks. Runs as
 * dom0. Guards against a handler that follows a pointer it should refuse, and a page that promises what nobody wrote.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <hypercall_stubs.h>
#include <hypercall_expectations.h>
#include <abi/domctl.h>
#include <abi/event_channel.h>
#include <abi/grant_table.h>
#include <abi/memory.h>
#include <abi/platform.h>
#include <abi/sysctl.h>
#include <abi/vcpu.h>

#ifdef __x86_64__
static const unsigned long bad_addresses[] = {0xffff810000000000UL, 0x8000000000000000UL};
#else
static const unsigned long bad_addresses[] = {0xe0000000UL, 0xfffff000UL};
#endif

static unsigned int passed, failed;

static void judge(int good, const char *name, const char *how, long result)
{
    if (good) {
        passed++;
        return;
    }
    failed++;
    printf("contract: FAIL %s, %s: %ld\n", name, how, result);
}

static int documented(const struct hypercall_expectation *e, long result)
{
    if (result >= 0)
        return e->positive;
    for (unsigned int i = 0; i < 16 && e->failures[i]; i++)
        if (e->failures[i] == result)
            return 1;
    return 0;
}

/* These answer how many extents, or bytes, were done: none. */
static int counts_what_was_done(const struct hypercall_expectation *e)
{
    return (e->call == __HYPERVISOR_memory_op &&
            (e->sub == XENMEM_increase_reservation || e->sub == XENMEM_decrease_reservation ||
             e->sub == XENMEM_populate_physmap)) ||
           (e->call == __HYPERVISOR_console_io && e->sub == CONSOLEIO_read);
}

/* A result with which an operation of that status may refuse an argument that cannot be read. */
static void judge_bad_pointer(const struct hypercall_expectation *e, long result)
{
    judge(documented(e, result), e->name, "bad pointer, undocumented answer", result);
    if (e->status == 'i')
        judge(result != -XEN_ENOSYS, e->name, "bad pointer, implemented", result);
    if (e->status == 'i' && e->pointer && !counts_what_was_done(e))
        judge(result < 0, e->name, "bad pointer was accepted", result);
}

/* Operations that end or stop the caller. */
static int dangerous(const struct hypercall_expectation *e)
{
    return e->call == __HYPERVISOR_sched_op && e->sub == SCHEDOP_block;
}

static long call_with_pointer(const struct hypercall_expectation *e, unsigned long bad)
{
    switch (e->call) {
    case __HYPERVISOR_grant_table_op:
        return HYPERVISOR_grant_table_op(e->sub, (void *)bad, 1);
    case __HYPERVISOR_vcpu_op:
        return HYPERVISOR_vcpu_op(e->sub, e->pointer ? 0 : 9999, (void *)bad);
    case __HYPERVISOR_console_io:
        return HYPERVISOR_console_io(e->sub, 16, (void *)bad);
    default:
        return hypercall_raw2_(e->call, e->sub, bad);
    }
}

static void try_command(const struct hypercall_expectation *e)
{
    for (unsigned int i = 0; i < 2; i++)
        judge_bad_pointer(e, call_with_pointer(e, bad_addresses[i]));
}

static void try_platform(const struct hypercall_expectation *e)
{
    struct xen_platform_op op;
    long result;

    memset(&op, 0, sizeof(op));
    op.cmd = e->sub;
    op.interface_version = XENPF_INTERFACE_VERSION + 1;
    result = HYPERVISOR_platform_op(&op);
    judge(result == -XEN_EACCES, e->name, "another version", result);
    if (e->status == 'i')
        return;
    op.interface_version = XENPF_INTERFACE_VERSION;
    result = HYPERVISOR_platform_op(&op);
    judge(documented(e, result), e->name, "not implemented", result);
}

static void try_sysctl(const struct hypercall_expectation *e)
{
    struct xen_sysctl op;
    long result;

    memset(&op, 0, sizeof(op));
    op.cmd = e->sub;
    op.interface_version = XEN_SYSCTL_INTERFACE_VERSION + 1;
    result = HYPERVISOR_sysctl(&op);
    judge(result == -XEN_EACCES, e->name, "another version", result);
    op.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    result = HYPERVISOR_sysctl(&op);
    judge(documented(e, result), e->name, "all fields zero, undocumented answer", result);
    if (e->sub != XEN_SYSCTL_cpupool_op) /* zero is none of its own operations */
        judge((result == -XEN_ENOSYS) == (e->status == 'e'), e->name, "whether it is implemented", result);
}

static void try_domctl(const struct hypercall_expectation *e)
{
    struct xen_domctl op;
    long result;

    memset(&op, 0, sizeof(op));
    op.cmd = e->sub;
    op.interface_version = XEN_DOMCTL_INTERFACE_VERSION + 1;
    result = HYPERVISOR_domctl(&op);
    judge(result == -XEN_EACCES, e->name, "another version", result);
    op.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    if (e->status == 'i' && e->sub != XEN_DOMCTL_createdomain) {
        op.domain = DOMID_INVALID;
        result = HYPERVISOR_domctl(&op);
        /* getdomaininfo looks for the next domain too, and so checks the number first. */
        judge(result == (e->sub == XEN_DOMCTL_getdomaininfo ? -XEN_EINVAL : -XEN_ESRCH), e->name, "no such domain",
              result);
    }
    if (e->status != 'i') {
        result = HYPERVISOR_domctl(&op);
        judge(documented(e, result), e->name, "not implemented", result);
    }
}

static void try_mmu_update(const struct hypercall_expectation *e)
{
    struct mmu_update update = {0xffffffffff000ULL | e->sub, 0};
    unsigned int done = 77;
    long result = HYPERVISOR_mmu_update(&update, 1, &done, DOMID_SELF);

    judge(documented(e, result) && result < 0, e->name, "a frame beyond memory", result);
    judge(done == 0, e->name, "how many were done", done);
    result = HYPERVISOR_mmu_update((void *)bad_addresses[0], 1, NULL, DOMID_SELF);
    judge(result == -XEN_EFAULT, e->name, "bad pointer", result);
}

static void try_mmuext(const struct hypercall_expectation *e)
{
    struct mmuext_op op;
    long result;

    memset(&op, 0, sizeof(op));
    op.cmd = e->sub;
    op.arg1.mfn = 0xffffffUL;
    op.arg2.src_mfn = 0xffffffUL;
    result = HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF);
    judge(documented(e, result), e->name, "a frame beyond memory, undocumented answer", result);
    judge(e->status != 'i' || result != -XEN_ENOSYS, e->name, "whether it is implemented", result);
    result = HYPERVISOR_mmuext_op((void *)bad_addresses[0], 1, NULL, DOMID_SELF);
    judge(result == -XEN_EFAULT, e->name, "bad pointer", result);
}

static void try_whole(const struct hypercall_expectation *e)
{
    long result;

    if (e->status == 'i')
        return;
    result = hypercall_raw5_(e->call, 0, bad_addresses[0], 0, 0, 0);
    judge(documented(e, result), e->name, "not implemented", result);
}

static void try_one(const struct hypercall_expectation *e)
{
    if (dangerous(e))
        return;
    if (e->sub == HYPERCALL_WHOLE)
        try_whole(e);
    else if (e->call == __HYPERVISOR_platform_op)
        try_platform(e);
    else if (e->call == __HYPERVISOR_sysctl)
        try_sysctl(e);
    else if (e->call == __HYPERVISOR_domctl)
        try_domctl(e);
    else if (e->call == __HYPERVISOR_mmu_update)
        try_mmu_update(e);
    else if (e->call == __HYPERVISOR_mmuext_op)
        try_mmuext(e);
    else
        try_command(e);
}

/* Numbers that nobody listed, near and far. */
static void try_unlisted(void)
{
    static const unsigned long numbers[] = {11, 43, 47, 49, 55, 56, 63, 64, 65, 255, 4096, 0x7fffffff, 0xffffffff};

    for (unsigned int i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        long result = hypercall_raw5_(numbers[i], 0, 0, 0, 0, 0);
        judge(result == -XEN_ENOSYS, "an unlisted number", "not implemented", result);
    }
}

int main(void)
{
    for (unsigned int i = 0; i < sizeof(hypercall_expectations) / sizeof(hypercall_expectations[0]); i++)
        try_one(&hypercall_expectations[i]);
    try_unlisted();
    printf("contract: %u passed, %u failed\n", passed, failed);
    return failed != 0;
}
