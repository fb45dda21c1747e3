/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The control interface as dom0 uses it: what each call answers to sense and nonsense, and whole lives of domains, which
 * must leave no page behind. The domains are tiny: a page of code, a stack, and just the page tables that map them.
 */
#include <stdio.h>
#include <string.h>
#include <abi/arch_x86.h>
#include <abi/compat.h>
#include <abi/domctl.h>
#include <abi/errno.h>
#include <abi/memory.h>
#include <abi/physdev.h>
#include <abi/platform.h>
#include <abi/sysctl.h>
#include <pv/event.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/time.h>
#include "check.h"
#include "controls.h"

#define MS       1000000ULL
#define CODE_VA  0x100000UL
#define TINY     8 /* pages of a tiny domain: up to four tables and L2s for a whole PAE L3, code, stack */
#define LIVES    200
#define MANY     60
#define CR4_DE   8
#define DR7_PORT 0x20002 /* the first breakpoint, on a port */

#ifdef __x86_64__
#define ANSWER rax
#else
#define ANSWER eax
#endif

static void *nowhere; /* an address without a page */

/* An idle CPU holds a few pages while it cleans them. The most that is free within some time... */
static uint64_t free_at_rest(void)
{
    uint64_t most = 0;

    for (int i = 0; i < 20; i++) {
        uint64_t now = free_bytes();

        most = now > most ? now : most;
        time_spin_ns(MS / 4);
    }
    return most;
}

/* ... and whether as much comes to be free again. */
static bool free_again(uint64_t before)
{
    for (int i = 0; i < 2000 && free_bytes() < before; i++)
        time_spin_ns(MS);
    return free_bytes() >= before;
}

static int create(unsigned int vcpus)
{
    long rc;

    want_domain(vcpus);
    rc = call(XEN_DOMCTL_createdomain, 0);
    return rc ? (int)rc : domctl.domain;
}

static long destroy(int domid)
{
    return call(XEN_DOMCTL_destroydomain, (unsigned int)domid);
}

static long set_vcpus(int domid, unsigned int vcpus)
{
    domctl.u.max_vcpus.max = vcpus;
    return call(XEN_DOMCTL_max_vcpus, (unsigned int)domid);
}

static long set_memory(int domid, unsigned long pages)
{
    domctl.u.max_mem.max_memkb = pages * 4;
    return call(XEN_DOMCTL_max_mem, (unsigned int)domid);
}

static long info(int domid)
{
    return call(XEN_DOMCTL_getdomaininfo, (unsigned int)domid);
}

static bool exists(int domid)
{
    return info(domid) == 0 && domctl.domain == domid;
}

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
    domid = create(1);
    CHECK(domid > 0, "a domain without anything wrong");
    want_domain(1);
    CHECK_EQ(call(XEN_DOMCTL_createdomain, (unsigned int)domid), -XEN_EEXIST, "its domid again");
    CHECK_EQ(set_vcpus(domid, 2), -XEN_EINVAL, "other vCPUs than were agreed");
    CHECK_EQ(call(XEN_DOMCTL_unpausedomain, (unsigned int)domid), 0, "it can be unpaused");
    CHECK_EQ(call(XEN_DOMCTL_unpausedomain, (unsigned int)domid), -XEN_EINVAL, "but not twice");
    CHECK_EQ(destroy(domid), 0, "it goes");
    CHECK_EQ(destroy(domid), -XEN_ESRCH, "and is gone");
    CHECK(free_again(before), "with all it had");
    want_domain(1);
    domctl.u.createdomain.flags = XEN_DOMCTL_CDF_hvm;
    CHECK_EQ(call(XEN_DOMCTL_createdomain, 0), -XEN_EOPNOTSUPP, "no hardware virtualization");
    CHECK_EQ(destroy(0), -XEN_EINVAL, "dom0 does not destroy itself");
    CHECK_EQ(call(XEN_DOMCTL_pausedomain, 0), -XEN_EINVAL, "nor pause itself");
    CHECK_EQ(destroy(DOMID_SELF), -XEN_ESRCH, "DOMID_SELF is no domain here");
    CHECK_EQ(create(1) != domid, 1, "domids are not reused at once");
    destroy(domctl.domain);
}

/* The page tables and memory of a tiny domain. */
struct tiny {
    int domid;
    bool narrow;
    xen_pfn_t mfn[TINY];
    uint8_t *page[TINY];
    unsigned long root; /* index of the top table */
};

enum { CODE, STACK, L1, L2, L3, L4 };

static long populate(struct tiny *t)
{
    struct xen_memory_reservation r = {.nr_extents = TINY, .domid = (domid_t)t->domid};

    for (unsigned int i = 0; i < TINY; i++)
        t->mfn[i] = i;
    set_xen_guest_handle(r.extent_start, t->mfn);
    return HYPERVISOR_memory_op(XENMEM_populate_physmap, &r);
}

static void entry(struct tiny *t, unsigned int table, unsigned int slot, unsigned int to, uint64_t flags)
{
    ((uint64_t *)t->page[table])[slot] = ((uint64_t)t->mfn[to] << PAGE_SHIFT) | flags;
}

static void build_tables(struct tiny *t)
{
    entry(t, L1, CODE_VA >> 12 & 511, CODE, 0x25);
    entry(t, L1, (CODE_VA >> 12 & 511) + 1, STACK, 0x67);
    entry(t, L2, 0, L1, 0x67);
    if (t->narrow) {
        entry(t, L3, 0, L2, 1);
        entry(t, L3, 3, L4, 1); /* a PAE kernel's fourth level-2 table has to be there */
        t->root = L3;
    } else {
        entry(t, L3, 0, L2, 0x67);
        entry(t, L4, 0, L3, 0x67);
        t->root = L4;
    }
}

static long pin(struct tiny *t)
{
    struct mmuext_op op = {.cmd = t->narrow ? MMUEXT_PIN_L3_TABLE : MMUEXT_PIN_L4_TABLE};

    op.arg1.mfn = t->mfn[t->root];
    return HYPERVISOR_mmuext_op(&op, 1, NULL, (unsigned int)t->domid);
}

static union {
    struct vcpu_guest_context own;
    struct compat_vcpu_guest_context narrow;
} context;

#ifdef __x86_64__
static void fill_context(struct tiny *t)
{
    memset(&context, 0, sizeof(context));
    if (t->narrow) {
        struct compat_vcpu_guest_context *c = &context.narrow;

        c->flags = VGCF_in_kernel | VGCF_online;
        c->user_regs.eip = CODE_VA;
        c->user_regs.esp = CODE_VA + 2 * PAGE_SIZE;
        c->user_regs.cs = COMPAT_FLAT_RING1_CS;
        c->user_regs.ss = c->user_regs.ds = c->user_regs.es = COMPAT_FLAT_RING1_DS;
        c->kernel_ss = COMPAT_FLAT_RING1_SS;
        c->kernel_sp = CODE_VA + 2 * PAGE_SIZE;
        c->ctrlreg[3] = compat_pfn_to_cr3(t->mfn[t->root]);
        return;
    }
    context.own.flags = VGCF_in_kernel | VGCF_online;
    context.own.user_regs.rip = CODE_VA;
    context.own.user_regs.rsp = context.own.kernel_sp = CODE_VA + 2 * PAGE_SIZE;
    context.own.user_regs.cs = FLAT_KERNEL_CS;
    context.own.user_regs.ss = context.own.kernel_ss = FLAT_KERNEL_SS;
    context.own.ctrlreg[3] = xen_pfn_to_cr3(t->mfn[t->root]);
}
#else
static void fill_context(struct tiny *t)
{
    memset(&context, 0, sizeof(context));
    context.own.flags = VGCF_in_kernel | VGCF_online;
    context.own.user_regs.eip = CODE_VA;
    context.own.user_regs.esp = context.own.kernel_sp = CODE_VA + 2 * PAGE_SIZE;
    context.own.user_regs.cs = FLAT_KERNEL_CS;
    context.own.user_regs.ss = context.own.user_regs.ds = context.own.user_regs.es = FLAT_KERNEL_DS;
    context.own.kernel_ss = FLAT_KERNEL_SS;
    context.own.ctrlreg[3] = xen_pfn_to_cr3(t->mfn[t->root]);
}
#endif

static long set_context(int domid, void *from)
{
    domctl.u.vcpucontext.vcpu = 0;
    set_xen_guest_handle(domctl.u.vcpucontext.ctxt, (vcpu_guest_context_t *)from);
    return call(XEN_DOMCTL_setvcpucontext, (unsigned int)domid);
}

/* Machine code that makes one sched_op after another with the argument at code + 64; ends in a jump to itself. */
static const uint8_t spin_code[] = {0xeb, 0xfe};
static const uint8_t crash_code[] = {0x0f, 0x0b};
static const uint8_t call64[] = {0xb8, 29,   0,    0,    0, 0xbf, 0,    0,    0,   0,
                                 0xbe, 0x40, 0x00, 0x10, 0, 0x0f, 0x05, 0xeb, 0xed};
static const uint8_t call32[] = {0xb8, 29,   0,    0,    0, 0xbb, 0,    0,    0,   0,
                                 0xb9, 0x40, 0x00, 0x10, 0, 0xcd, 0x82, 0xeb, 0xed};

static void put_code(struct tiny *t, int op)
{
    if (op < 0) {
        memcpy(t->page[CODE], op == -1 ? spin_code : crash_code, 2);
        return;
    }
    memcpy(t->page[CODE], t->narrow ? call32 : call64, sizeof(call64));
    t->page[CODE][6] = (uint8_t)op;
}

/* Code -1: spins; -2: crashes; else the sched_op that it makes for ever. A paused domain, or a negative error. */
static long tiny_create(struct tiny *t, bool narrow, int code)
{
    long rc;

    memset(t, 0, sizeof(*t));
    t->narrow = narrow;
    t->domid = create(1);
    if (t->domid < 0)
        return t->domid;
    domctl.u.address_size.size = 32;
    rc = narrow ? call(XEN_DOMCTL_set_address_size, (unsigned int)t->domid) : 0;
    rc = rc ? rc : set_vcpus(t->domid, 1);
    rc = rc ? rc : set_memory(t->domid, TINY);
    if (rc)
        return rc;
    if (populate(t) != TINY)
        return -1;
    for (unsigned int i = 0; i < TINY; i++) {
        t->page[i] = map_frames(&t->mfn[i], 1, (domid_t)t->domid, PTE_KERNEL_RW, NULL);
        if (!t->page[i])
            return -2;
        memset(t->page[i], 0, PAGE_SIZE);
    }
    put_code(t, code);
    build_tables(t);
    for (unsigned int i = 0; i < TINY; i++) {
        unmap_frames(t->page[i], 1);
        t->page[i] = NULL;
    }
    rc = pin(t);
    if (rc)
        return rc;
    fill_context(t);
    return set_context(t->domid, &context);
}

static bool wait_flag(int domid, uint32_t flag)
{
    for (int i = 0; i < 2000; i++) {
        if (info(domid) || domctl.domain != domid)
            return false;
        if (domctl.u.getdomaininfo.flags & flag)
            return true;
        time_spin_ns(MS / 2);
    }
    return false;
}

/* Its run time, once that is more than `past` or a long time is over. */
static uint64_t wait_run(int domid, uint64_t past)
{
    for (int i = 0; i < 5000; i++) {
        if (info(domid) || domctl.u.getdomaininfo.cpu_time > past)
            break;
        time_spin_ns(MS);
    }
    return domctl.u.getdomaininfo.cpu_time;
}

static unsigned int reason(void)
{
    return domctl.u.getdomaininfo.flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask;
}

static long start(struct tiny *t)
{
    return call(XEN_DOMCTL_unpausedomain, (unsigned int)t->domid);
}

static void test_lives(bool narrow)
{
    uint64_t before = free_at_rest(), ran;
    struct tiny t;

    check_group(narrow ? "lives of 32-bit domains" : "lives of 64-bit domains");
    CHECK_EQ(tiny_create(&t, narrow, SCHEDOP_shutdown), 0, "a domain that switches itself off");
    CHECK_EQ(info(t.domid), 0, "it is known");
    CHECK((domctl.u.getdomaininfo.flags & XEN_DOMINF_paused) != 0, "it begins paused");
    CHECK_EQ(domctl.u.getdomaininfo.tot_pages, TINY, "it has its pages");
    CHECK_EQ(domctl.u.getdomaininfo.max_pages, TINY, "and its limit");
    CHECK_EQ(domctl.u.getdomaininfo.nr_online_vcpus, 1, "and its vCPU");
    CHECK_EQ(start(&t), 0, "it starts");
    CHECK(wait_flag(t.domid, XEN_DOMINF_shutdown), "it shuts down");
    CHECK_EQ(reason(), SHUTDOWN_poweroff, "for the reason it gave");
    CHECK_EQ(destroy(t.domid), 0, "and can be destroyed");
    CHECK(!exists(t.domid), "it is not known any more");

    CHECK_EQ(tiny_create(&t, narrow, -2), 0, "a domain that crashes");
    start(&t);
    CHECK(wait_flag(t.domid, XEN_DOMINF_shutdown), "it is shut down");
    CHECK_EQ(reason(), SHUTDOWN_crash, "as crashed");
    CHECK_EQ(destroy(t.domid), 0, "and goes");

    CHECK_EQ(tiny_create(&t, narrow, -1), 0, "a domain that runs for ever");
    start(&t);
    ran = wait_run(t.domid, 0);
    CHECK(ran > 0, "it has run");
    CHECK_EQ(call(XEN_DOMCTL_pausedomain, (unsigned int)t.domid), 0, "it can be paused");
    info(t.domid);
    ran = domctl.u.getdomaininfo.cpu_time;
    time_spin_ns(30 * MS);
    info(t.domid);
    CHECK_EQ(domctl.u.getdomaininfo.cpu_time, ran, "paused it does not run");
    CHECK(!(domctl.u.getdomaininfo.flags & XEN_DOMINF_running), "and says so");
    start(&t);
    CHECK(wait_run(t.domid, ran) > ran, "unpaused it does");
    CHECK_EQ(destroy(t.domid), 0, "it can be destroyed while it runs");
    CHECK(free_again(before), "no page is lost");
}

/* A foreign mapping keeps the page, and with it the dead domain's number, until it goes. */
static void test_held(void)
{
    uint64_t before = free_at_rest();
    struct tiny t;
    uint8_t *held;

    check_group("a page that someone holds");
    CHECK_EQ(tiny_create(&t, sizeof(long) == 4, -1), 0, "a domain");
    held = map_frames(&t.mfn[CODE], 1, (domid_t)t.domid, PTE_KERNEL_RO, NULL);
    CHECK(held != NULL, "its code is mapped here");
    CHECK_EQ(destroy(t.domid), 0, "it is destroyed");
    CHECK(exists(t.domid) && (domctl.u.getdomaininfo.flags & XEN_DOMINF_dying),
          "it is dying as long as the page is held");
    CHECK_EQ(held[0], 0xeb, "the page is still what it was");
    unmap_frames(held, 1);
    CHECK(!exists(t.domid), "then it is gone");
    CHECK(free_again(before), "and all of it is free");
}

static long get_context(int domid, unsigned int vcpu)
{
    domctl.u.vcpucontext.vcpu = vcpu;
    set_xen_guest_handle(domctl.u.vcpucontext.ctxt, (vcpu_guest_context_t *)&context);
    return call(XEN_DOMCTL_getvcpucontext, (unsigned int)domid);
}

static void test_context(void)
{
    bool narrow = sizeof(long) == 4;
    struct vcpu_guest_context *c = &context.own;
    static struct vcpu_guest_context good;
    struct tiny t;

    check_group("contexts");
    CHECK_EQ(tiny_create(&t, narrow, -1), 0, "a domain");
    good = context.own;
    CHECK_EQ(get_context(t.domid, 5), -XEN_EINVAL, "the context of a vCPU that is not there");
    CHECK_EQ(get_context(0, 0), -XEN_EINVAL, "of the caller itself");
    CHECK_EQ(get_context(t.domid, 0), 0, "of the domain's");
    CHECK_EQ(c->ctrlreg[3], good.ctrlreg[3], "has the page tables that were set");
    CHECK_EQ(c->kernel_sp, good.kernel_sp, "and the stack");
    CHECK_EQ(c->user_regs.cs, good.user_regs.cs, "and the code segment");
    CHECK((c->flags & VGCF_online) != 0, "and is online");
    CHECK((c->flags & VGCF_in_kernel) != 0, "in its kernel");
    *c = good;
    CHECK_EQ(set_context(t.domid, c), 0, "a context can be set again");
    c->ctrlreg[3] += 0x1000;
    CHECK_EQ(set_context(t.domid, c), -XEN_EOPNOTSUPP, "but not with other page tables");
    CHECK_EQ(set_context(t.domid, NULL), 0, "a vCPU can be reset");
    CHECK_EQ(get_context(t.domid, 0), -XEN_ENODATA, "then it has no context");
    *c = good;
    c->ctrlreg[3] = xen_pfn_to_cr3(t.mfn[CODE]);
    CHECK(set_context(t.domid, c) < 0, "code is no page table");
    c->ctrlreg[3] = xen_pfn_to_cr3(virt_to_mfn(&context));
    CHECK_EQ(set_context(t.domid, c), -XEN_EINVAL, "nor is another domain's page");
    *c = good;
    c->gdt_ents = 512;
    c->gdt_frames[0] = virt_to_mfn(&context);
    CHECK_EQ(set_context(t.domid, c), -XEN_EINVAL, "a GDT in another domain's page");
    *c = good;
    c->ldt_ents = 9000;
    CHECK_EQ(set_context(t.domid, c), -XEN_EINVAL, "an LDT that is too long");
    *c = good;
    c->ldt_base = 8;
    CHECK_EQ(set_context(t.domid, c), -XEN_EINVAL, "an LDT that begins inside a page");
#ifdef __x86_64__
    *c = good;
    c->user_regs.rip = 1UL << 63;
    CHECK_EQ(set_context(t.domid, c), -XEN_EINVAL, "an address that no CPU can have");
    *c = good;
    c->flags = VGCF_online;
    CHECK_EQ(set_context(t.domid, c), -XEN_EINVAL, "user mode without user page tables");
    *c = good;
    c->gs_base_kernel = 1UL << 62;
    CHECK_EQ(set_context(t.domid, c), -XEN_EINVAL, "a segment base that no CPU can have");
#endif
    CHECK_EQ(set_context(t.domid, nowhere), -XEN_EFAULT, "a context that is not there");
    *c = good;
    c->user_regs.cs &= (uint16_t)~3;
    c->user_regs.ss &= (uint16_t)~3;
    CHECK_EQ(set_context(t.domid, c), 0, "a context that asks for ring 0");
    CHECK_EQ(get_context(t.domid, 0), 0, "is taken");
    CHECK_EQ(c->user_regs.cs & 3, narrow ? 1 : 3, "but gets the ring of a guest kernel");
    CHECK_EQ(c->user_regs.ss & 3, narrow ? 1 : 3, "for its stack too");
    /* Breakpoints on ports are kept apart, since it is we who execute IN and OUT. */
    *c = good;
    c->ctrlreg[4] = CR4_DE;
    c->debugreg[0] = 0x80;
    c->debugreg[7] = DR7_PORT;
    CHECK_EQ(set_context(t.domid, c), 0, "a context with a breakpoint on a port");
    CHECK_EQ(get_context(t.domid, 0), 0, "can be read");
    CHECK_EQ(c->debugreg[7] & DR7_PORT, DR7_PORT, "and names it, or a domain that moves would lose it");
    CHECK_EQ(c->debugreg[5], 0, "in its own place alone");
    CHECK_EQ(set_context(t.domid, c), 0, "what was read can be set");
    get_context(t.domid, 0);
    CHECK_EQ(c->debugreg[7] & DR7_PORT, DR7_PORT, "and is the same");
    destroy(t.domid);
}

/* A suspended kernel learns by this number whether it was moved: the tools write another when they let it go on here. */
static void test_reply(void)
{
    struct tiny t;

    check_group("the answer to a call that ends a domain");
    CHECK_EQ(tiny_create(&t, sizeof(long) == 4, SCHEDOP_shutdown), 0, "a domain that switches itself off");
    start(&t);
    CHECK(wait_flag(t.domid, XEN_DOMINF_shutdown), "it has");
    CHECK_EQ(get_context(t.domid, 0), 0, "its registers");
    CHECK_EQ(check_watch(__HYPERVISOR_sched_op, SCHEDOP_shutdown, (long)context.own.user_regs.ANSWER), 0,
             "tell that this was done");
    CHECK_EQ(call(XEN_DOMCTL_resumedomain, (unsigned int)t.domid), 0, "it goes on from there");
    CHECK(wait_flag(t.domid, XEN_DOMINF_shutdown), "and comes to do it again");
    destroy(t.domid);
}

/* The code of a tiny domain anew, while it waits: a call of number `nr` with two arguments, for ever. */
static void write_call(uint8_t *at, bool narrow, uint8_t nr, uint32_t first, uint32_t second)
{
    memcpy(at, narrow ? call32 : call64, sizeof(call64));
    at[1] = nr;
    memcpy(at + 6, &first, 4);
    memcpy(at + 11, &second, 4);
}

#define LIST_AT 0x80 /* in the page of its stack */

/* A kernel whose list of calls is broken off by its own end believes, when it goes on, that all of them were made. */
static void test_broken_list(void)
{
    struct multicall_entry *list;
    struct tiny t;
    uint8_t *stack;

    check_group("a list of calls in which the domain ends");
    CHECK_EQ(tiny_create(&t, sizeof(long) == 4, SCHEDOP_shutdown), 0, "a domain");
    t.page[CODE] = map_frames(&t.mfn[CODE], 1, (domid_t)t.domid, PTE_KERNEL_RW, NULL);
    stack = map_frames(&t.mfn[STACK], 1, (domid_t)t.domid, PTE_KERNEL_RW, NULL);
    write_call(t.page[CODE], t.narrow, __HYPERVISOR_multicall, CODE_VA + PAGE_SIZE + LIST_AT, 2);
    list = (struct multicall_entry *)(stack + LIST_AT);
    list[0] = (struct multicall_entry){.op = __HYPERVISOR_sched_op, .args = {SCHEDOP_shutdown, CODE_VA + 0x40}};
    list[1] = (struct multicall_entry){.op = __HYPERVISOR_xen_version, .args = {XENVER_version}};
    start(&t);
    CHECK(wait_flag(t.domid, XEN_DOMINF_shutdown), "it ends in the first");
    CHECK_EQ(call(XEN_DOMCTL_resumedomain, (unsigned int)t.domid), 0, "and goes on");
    CHECK(wait_flag(t.domid, XEN_DOMINF_shutdown), "till it comes there again");
    CHECK_EQ(list[1].result >> 16, 4, "with the second made in between");
    unmap_frames(stack, 1);
    unmap_frames(t.page[CODE], 1);
    destroy(t.domid);
}

/* An NMI is for a kernel that does nothing else any more: it comes with the processor, not with the next event. */
static void test_nmi_while_away(void)
{
    struct tiny t;

    check_group("an NMI to a vCPU that waits for a processor");
    CHECK_EQ(tiny_create(&t, sizeof(long) == 4, SCHEDOP_shutdown), 0, "a domain that ends");
    t.page[CODE] = map_frames(&t.mfn[CODE], 1, (domid_t)t.domid, PTE_KERNEL_RW, NULL);
    write_call(t.page[CODE] + 0x20, t.narrow, __HYPERVISOR_sched_op, SCHEDOP_shutdown, CODE_VA + 0x50);
    t.page[CODE][0x50] = SHUTDOWN_crash;
    unmap_frames(t.page[CODE], 1);
    context.own.trap_ctxt[2].vector = 2;
    context.own.trap_ctxt[2].cs = (uint16_t)context.own.user_regs.cs;
    context.own.trap_ctxt[2].address = CODE_VA + 0x20;
    CHECK_EQ(set_context(t.domid, &context), 0, "or, at an NMI, ends in another way");
    memset(&domctl.u, 0, sizeof(domctl.u));
    domctl.u.sendtrigger.trigger = XEN_DOMCTL_SENDTRIGGER_NMI;
    CHECK_EQ(call(XEN_DOMCTL_sendtrigger, (unsigned int)t.domid), 0, "which comes before it runs");
    start(&t);
    CHECK(wait_flag(t.domid, XEN_DOMINF_shutdown), "it has ended");
    CHECK_EQ(domctl.u.getdomaininfo.flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask, SHUTDOWN_crash,
             "in the other way");
    destroy(t.domid);
}

static void test_scheduling(void)
{
    uint8_t hard = 1, soft = 1, none = 0;
    struct xen_domctl_vcpuaffinity *a = &domctl.u.vcpuaffinity;
    struct tiny t;

    check_group("scheduling");
    CHECK_EQ(tiny_create(&t, sizeof(long) == 4, -1), 0, "a domain");
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
    destroy(t.domid);
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
    CHECK_EQ(tiny_create(&t, narrow, -1), 0, "a domain");
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
    destroy(t.domid);
}

/* Where genuine Xen does otherwise: interrupts stay dom0's, and a 32-bit dom0 may set memory aside for a domain. */
static void test_own_ways(void)
{
    struct xen_memory_reservation claim = {.nr_extents = TINY};
    struct physdev_map_pirq map = {.type = MAP_PIRQ_TYPE_GSI, .index = 9, .pirq = 9};
    struct tiny t;

    check_group("ways of our own");
    CHECK_EQ(tiny_create(&t, sizeof(long) == 4, -1), 0, "a domain");
    memset(&domctl.u, 0, sizeof(domctl.u));
    domctl.u.irq_permission.pirq = 100000;
    CHECK_EQ(call(XEN_DOMCTL_irq_permission, (unsigned int)t.domid), -XEN_EINVAL, "it cannot have what is none");
    domctl.u.irq_permission.pirq = 9;
    CHECK_EQ(call(XEN_DOMCTL_irq_permission, (unsigned int)t.domid), -XEN_EPERM, "nor an interrupt that is one");
    map.domid = claim.domid = (domid_t)t.domid;
    CHECK_EQ(HYPERVISOR_physdev_op(PHYSDEVOP_map_pirq, &map), -XEN_EOPNOTSUPP, "nor is one given a number of its own");
    CHECK_EQ(HYPERVISOR_memory_op(XENMEM_claim_pages, &claim), -XEN_EINVAL, "no memory waits for what has all it may");
    set_memory(t.domid, 2 * TINY);
    claim.nr_extents = 2 * TINY;
    CHECK_EQ(HYPERVISOR_memory_op(XENMEM_claim_pages, &claim), 0, "for what may have more it does");
    claim.nr_extents = 0;
    CHECK_EQ(HYPERVISOR_memory_op(XENMEM_claim_pages, &claim), 0, "or no longer");
    destroy(t.domid);
}

/* What was set aside for a domain that is no more would be missing for ever: few moves that fail, and no guest starts. */
static void test_claims_of_the_dead(void)
{
    struct xen_memory_reservation claim = {0};
    struct tiny t;

    check_group("memory set aside");
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(tiny_create(&t, sizeof(long) == 4, -1), 0, "a domain");
        system_call(XEN_SYSCTL_physinfo);
        claim.nr_extents = sysctl.u.physinfo.free_pages / 4 * 3;
        claim.domid = (domid_t)t.domid;
        set_memory(t.domid, claim.nr_extents);
        CHECK_EQ(HYPERVISOR_memory_op(XENMEM_claim_pages, &claim), 0, "most of the memory waits for it");
        destroy(t.domid);
    }
}

static void test_many(void)
{
    static struct tiny all[MANY];
    static const int codes[] = {-1, SCHEDOP_yield, SCHEDOP_block, SCHEDOP_shutdown, -2};
    uint64_t before = free_at_rest();
    struct xen_domctl_getdomaininfo *list = pages_alloc(8);
    unsigned int made = 0;

    check_group("many");
    for (; made < MANY; made++) {
        if (tiny_create(&all[made], sizeof(long) == 4 || made % 2, codes[made % 5]))
            break;
        start(&all[made]);
    }
    CHECK_EQ(made, MANY, "all of them start");
    memset(&sysctl, 0, sizeof(sysctl));
    sysctl.u.getdomaininfolist.first_domain = (domid_t)all[3].domid;
    sysctl.u.getdomaininfolist.max_domains = 10;
    set_xen_guest_handle(sysctl.u.getdomaininfolist.buffer, list);
    CHECK_EQ(system_call(XEN_SYSCTL_getdomaininfolist), 0, "a part of the list");
    CHECK_EQ(sysctl.u.getdomaininfolist.num_domains, 10, "as long as asked for");
    CHECK_EQ(list[0].domain, all[3].domid, "from the first wanted");
    CHECK_EQ(list[9].domain, all[12].domid, "in order");
    time_spin_ns(50 * MS);
    for (unsigned int i = 0; i < made; i++)
        CHECK_EQ(destroy(all[(i * 7) % MANY].domid), 0, "each goes, whatever it is doing");
    CHECK(free_again(before), "no page is lost");
    pages_free(list, 8);
}

static void test_generations(void)
{
    static const int codes[] = {-1, SCHEDOP_yield, SCHEDOP_block, SCHEDOP_shutdown, -2};
    uint64_t before = free_at_rest(), start_ns = time_monotonic_ns();
    unsigned int lives = 0;
    struct tiny t;

    check_group("generations");
    for (unsigned int i = 0; i < LIVES; i++) {
        if (tiny_create(&t, sizeof(long) == 4 || i % 2, codes[i % 5]) || (i % 3 && start(&t)))
            break;
        if (i % 4 == 0)
            time_spin_ns(i * 5000);
        if (destroy(t.domid))
            break;
        lives++;
    }
    CHECK_EQ(lives, LIVES, "domains live and die one after the other");
    CHECK(free_again(before), "no page is lost");
    printf("  %u lives in %lu ms\n", lives, (unsigned long)((time_monotonic_ns() - start_ns) / MS));
}

static void test_system(void)
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

static void test_platform(void)
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
