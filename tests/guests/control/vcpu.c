/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What dom0 may set and read of a domain's vCPU: its registers, the answer to the call it is in, its next NMI, where and
 * how much it runs.
 */
#include <string.h>
#include <abi/errno.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include "tests/guests/check.h"
#include "control.h"
#include "tiny.h"

#define CR4_DE   8
#define DR7_PORT 0x20002 /* the first breakpoint, on a port */

#ifdef __x86_64__
#define ANSWER rax
#else
#define ANSWER eax
#endif

void test_context(void)
{
    bool narrow = sizeof(long) == 4;
    struct vcpu_guest_context *c = &context.own;
    static struct vcpu_guest_context good;
    struct tiny t;

    check_group("contexts");
    CHECK_EQ(tiny_create(&t, narrow, SPINS), 0, "a domain");
    good = context.own;
    CHECK_EQ(context_get(t.domid, 5), -XEN_EINVAL, "the context of a vCPU that is not there");
    CHECK_EQ(context_get(0, 0), -XEN_EINVAL, "of the caller itself");
    CHECK_EQ(context_get(t.domid, 0), 0, "of the domain's");
    CHECK_EQ(c->ctrlreg[3], good.ctrlreg[3], "has the page tables that were set");
    CHECK_EQ(c->kernel_sp, good.kernel_sp, "and the stack");
    CHECK_EQ(c->user_regs.cs, good.user_regs.cs, "and the code segment");
    CHECK((c->flags & VGCF_online) != 0, "and is online");
    CHECK((c->flags & VGCF_in_kernel) != 0, "in its kernel");
    *c = good;
    CHECK_EQ(context_set(t.domid, c), 0, "a context can be set again");
    c->ctrlreg[3] += 0x1000;
    CHECK_EQ(context_set(t.domid, c), -XEN_EOPNOTSUPP, "but not with other page tables");
    CHECK_EQ(context_set(t.domid, NULL), 0, "a vCPU can be reset");
    CHECK_EQ(context_get(t.domid, 0), -XEN_ENODATA, "then it has no context");
    *c = good;
    c->ctrlreg[3] = xen_pfn_to_cr3(t.mfn[CODE]);
    CHECK(context_set(t.domid, c) < 0, "code is no page table");
    c->ctrlreg[3] = xen_pfn_to_cr3(virt_to_mfn(&context));
    CHECK_EQ(context_set(t.domid, c), -XEN_EINVAL, "nor is another domain's page");
    *c = good;
    c->gdt_ents = 512;
    c->gdt_frames[0] = virt_to_mfn(&context);
    CHECK_EQ(context_set(t.domid, c), -XEN_EINVAL, "a GDT in another domain's page");
    *c = good;
    c->ldt_ents = 9000;
    CHECK_EQ(context_set(t.domid, c), -XEN_EINVAL, "an LDT that is too long");
    *c = good;
    c->ldt_base = 8;
    CHECK_EQ(context_set(t.domid, c), -XEN_EINVAL, "an LDT that begins inside a page");
#ifdef __x86_64__
    *c = good;
    c->user_regs.rip = 1UL << 63;
    CHECK_EQ(context_set(t.domid, c), -XEN_EINVAL, "an address that no CPU can have");
    *c = good;
    c->flags = VGCF_online;
    CHECK_EQ(context_set(t.domid, c), -XEN_EINVAL, "user mode without user page tables");
    *c = good;
    c->gs_base_kernel = 1UL << 62;
    CHECK_EQ(context_set(t.domid, c), -XEN_EINVAL, "a segment base that no CPU can have");
#endif
    CHECK_EQ(context_set(t.domid, nowhere), -XEN_EFAULT, "a context that is not there");
    *c = good;
    c->user_regs.cs &= (uint16_t)~3;
    c->user_regs.ss &= (uint16_t)~3;
    CHECK_EQ(context_set(t.domid, c), 0, "a context that asks for ring 0");
    CHECK_EQ(context_get(t.domid, 0), 0, "is taken");
    CHECK_EQ(c->user_regs.cs & 3, narrow ? 1 : 3, "but gets the ring of a guest kernel");
    CHECK_EQ(c->user_regs.ss & 3, narrow ? 1 : 3, "for its stack too");
    /* Breakpoints on ports are kept apart, since it is we who execute IN and OUT. */
    *c = good;
    c->ctrlreg[4] = CR4_DE;
    c->debugreg[0] = 0x80;
    c->debugreg[7] = DR7_PORT;
    CHECK_EQ(context_set(t.domid, c), 0, "a context with a breakpoint on a port");
    CHECK_EQ(context_get(t.domid, 0), 0, "can be read");
    CHECK_EQ(c->debugreg[7] & DR7_PORT, DR7_PORT, "and names it, or a domain that moves would lose it");
    CHECK_EQ(c->debugreg[5], 0, "in its own place alone");
    CHECK_EQ(context_set(t.domid, c), 0, "what was read can be set");
    context_get(t.domid, 0);
    CHECK_EQ(c->debugreg[7] & DR7_PORT, DR7_PORT, "and is the same");
    domain_destroy(t.domid);
}

/* A suspended kernel learns by this number whether it was moved: the tools write another when they let it go on here. */
void test_reply(void)
{
    struct tiny t;

    check_group("the answer to a call that ends a domain");
    CHECK_EQ(tiny_create(&t, sizeof(long) == 4, SCHEDOP_shutdown), 0, "a domain that switches itself off");
    tiny_start(&t);
    CHECK(domain_wait_flag(t.domid, XEN_DOMINF_shutdown), "it has");
    CHECK_EQ(context_get(t.domid, 0), 0, "its registers");
    CHECK_EQ(check_watch(__HYPERVISOR_sched_op, SCHEDOP_shutdown, (long)context.own.user_regs.ANSWER), 0,
             "tell that this was done");
    CHECK_EQ(call(XEN_DOMCTL_resumedomain, (unsigned int)t.domid), 0, "it goes on from there");
    CHECK(domain_wait_flag(t.domid, XEN_DOMINF_shutdown), "and comes to do it again");
    domain_destroy(t.domid);
}

#define LIST_AT 0x80 /* in the page of its stack */

/* A kernel whose list of calls is broken off by its own end believes, when it goes on, that all of them were made. */
void test_broken_list(void)
{
    struct multicall_entry *list;
    struct tiny t;
    uint8_t *stack;

    check_group("a list of calls in which the domain ends");
    CHECK_EQ(tiny_create(&t, sizeof(long) == 4, SCHEDOP_shutdown), 0, "a domain");
    t.page[CODE] = map_frames(&t.mfn[CODE], 1, (domid_t)t.domid, PTE_KERNEL_RW, NULL);
    stack = map_frames(&t.mfn[STACK], 1, (domid_t)t.domid, PTE_KERNEL_RW, NULL);
    tiny_write_call(t.page[CODE], t.narrow, __HYPERVISOR_multicall, CODE_VA + PAGE_SIZE + LIST_AT, 2);
    list = (struct multicall_entry *)(stack + LIST_AT);
    list[0] = (struct multicall_entry){.op = __HYPERVISOR_sched_op, .args = {SCHEDOP_shutdown, CODE_VA + 0x40}};
    list[1] = (struct multicall_entry){.op = __HYPERVISOR_xen_version, .args = {XENVER_version}};
    tiny_start(&t);
    CHECK(domain_wait_flag(t.domid, XEN_DOMINF_shutdown), "it ends in the first");
    CHECK_EQ(call(XEN_DOMCTL_resumedomain, (unsigned int)t.domid), 0, "and goes on");
    CHECK(domain_wait_flag(t.domid, XEN_DOMINF_shutdown), "till it comes there again");
    CHECK_EQ(list[1].result >> 16, 4, "with the second made in between");
    unmap_frames(stack, 1);
    unmap_frames(t.page[CODE], 1);
    domain_destroy(t.domid);
}

/* An NMI is for a kernel that does nothing else any more: it comes with the processor, not with the next event. */
void test_nmi_while_away(void)
{
    struct tiny t;

    check_group("an NMI to a vCPU that waits for a processor");
    CHECK_EQ(tiny_create(&t, sizeof(long) == 4, SCHEDOP_shutdown), 0, "a domain that ends");
    t.page[CODE] = map_frames(&t.mfn[CODE], 1, (domid_t)t.domid, PTE_KERNEL_RW, NULL);
    tiny_write_call(t.page[CODE] + 0x20, t.narrow, __HYPERVISOR_sched_op, SCHEDOP_shutdown, CODE_VA + 0x50);
    t.page[CODE][0x50] = SHUTDOWN_crash;
    unmap_frames(t.page[CODE], 1);
    context.own.trap_ctxt[2].vector = 2;
    context.own.trap_ctxt[2].cs = (uint16_t)context.own.user_regs.cs;
    context.own.trap_ctxt[2].address = CODE_VA + 0x20;
    CHECK_EQ(context_set(t.domid, &context), 0, "or, at an NMI, ends in another way");
    memset(&domctl.u, 0, sizeof(domctl.u));
    domctl.u.sendtrigger.trigger = XEN_DOMCTL_SENDTRIGGER_NMI;
    CHECK_EQ(call(XEN_DOMCTL_sendtrigger, (unsigned int)t.domid), 0, "which comes before it runs");
    tiny_start(&t);
    CHECK(domain_wait_flag(t.domid, XEN_DOMINF_shutdown), "it has ended");
    CHECK_EQ(shutdown_reason(), SHUTDOWN_crash, "in the other way");
    domain_destroy(t.domid);
}

void test_scheduling(void)
{
    uint8_t hard = 1, soft = 1, none = 0;
    struct xen_domctl_vcpuaffinity *a = &domctl.u.vcpuaffinity;
    struct tiny t;

    check_group("scheduling");
    CHECK_EQ(tiny_create(&t, sizeof(long) == 4, SPINS), 0, "a domain");
    memset(&domctl.u, 0, sizeof(domctl.u));
    domctl.u.scheduler_op.sched_id = XEN_SCHEDULER_CREDIT2;
    domctl.u.scheduler_op.cmd = XEN_DOMCTL_SCHEDOP_getinfo;
    CHECK_EQ(call(XEN_DOMCTL_scheduler_op, (unsigned int)t.domid), 0, "its share can be read");
    CHECK_EQ(domctl.u.scheduler_op.u.credit2.weight, 256, "by default 256");
    CHECK_EQ(domctl.u.scheduler_op.u.credit2.cap, 0, "without a cap");
    domctl.u.scheduler_op.cmd = XEN_DOMCTL_SCHEDOP_putinfo;
    domctl.u.scheduler_op.u.credit2.weight = 512;
    domctl.u.scheduler_op.u.credit2.cap = 20;
    CHECK_EQ(call(XEN_DOMCTL_scheduler_op, (unsigned int)t.domid), 0, "and set");
    domctl.u.scheduler_op.cmd = XEN_DOMCTL_SCHEDOP_getinfo;
    call(XEN_DOMCTL_scheduler_op, (unsigned int)t.domid);
    CHECK_EQ(domctl.u.scheduler_op.u.credit2.weight, 512, "the weight");
    CHECK_EQ(domctl.u.scheduler_op.u.credit2.cap, 20, "and the cap");
    domctl.u.scheduler_op.sched_id = XEN_SCHEDULER_RTDS;
    CHECK_EQ(call(XEN_DOMCTL_scheduler_op, (unsigned int)t.domid), -XEN_EINVAL, "of this scheduler only");
    memset(&domctl.u, 0, sizeof(domctl.u));
    CHECK_EQ(call(XEN_DOMCTL_setvcpuaffinity, (unsigned int)t.domid), -XEN_EINVAL, "an affinity of no kind");
    a->vcpu = 7;
    CHECK_EQ(call(XEN_DOMCTL_setvcpuaffinity, (unsigned int)t.domid), -XEN_EINVAL, "of a vCPU that cannot be");
    a->vcpu = 0;
    a->flags = XEN_VCPUAFFINITY_HARD;
    a->cpumap_hard.nr_bits = 8;
    set_xen_guest_handle(a->cpumap_hard.bitmap, &none);
    CHECK_EQ(call(XEN_DOMCTL_setvcpuaffinity, (unsigned int)t.domid), -XEN_EINVAL, "to no CPU");
    a->flags = XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT;
    a->cpumap_soft.nr_bits = 8;
    set_xen_guest_handle(a->cpumap_hard.bitmap, &hard);
    set_xen_guest_handle(a->cpumap_soft.bitmap, &soft);
    CHECK_EQ(call(XEN_DOMCTL_setvcpuaffinity, (unsigned int)t.domid), 0, "to CPU 0");
    hard = soft = 0xff;
    CHECK_EQ(call(XEN_DOMCTL_getvcpuaffinity, (unsigned int)t.domid), 0, "it can be asked for");
    CHECK_EQ(hard, 1, "and is what was set");
    memset(&domctl.u, 0, sizeof(domctl.u));
    domctl.u.getvcpuinfo.vcpu = 1;
    CHECK_EQ(call(XEN_DOMCTL_getvcpuinfo, (unsigned int)t.domid), -XEN_EINVAL, "a vCPU that is not there");
    domctl.u.getvcpuinfo.vcpu = 0;
    CHECK_EQ(call(XEN_DOMCTL_getvcpuinfo, (unsigned int)t.domid), 0, "and one that is");
    CHECK_EQ(domctl.u.getvcpuinfo.online, 1, "online");
    domain_destroy(t.domid);
}
