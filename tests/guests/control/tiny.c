/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * How tiny domains are made, and what can be seen of them from outside.
 */
#include <string.h>
#include <abi/memory.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/time.h>
#include "tiny.h"

#define MS 1000000ULL

union context context;

uint64_t free_at_rest(void)
{
    uint64_t most = 0;

    for (int i = 0; i < 20; i++) {
        uint64_t now = free_bytes();

        most = now > most ? now : most;
        time_spin_ns(MS / 4);
    }
    return most;
}

bool free_again(uint64_t before)
{
    for (int i = 0; i < 2000 && free_bytes() < before; i++)
        time_spin_ns(MS);
    return free_bytes() >= before;
}

int domain_create(unsigned int vcpus)
{
    long rc;

    want_domain(vcpus);
    rc = call(XEN_DOMCTL_createdomain, 0);
    return rc ? (int)rc : domctl.domain;
}

long domain_destroy(int domid)
{
    return call(XEN_DOMCTL_destroydomain, (unsigned int)domid);
}

long domain_set_vcpus(int domid, unsigned int vcpus)
{
    domctl.u.max_vcpus.max = vcpus;
    return call(XEN_DOMCTL_max_vcpus, (unsigned int)domid);
}

long domain_set_memory(int domid, unsigned long pages)
{
    domctl.u.max_mem.max_memkb = pages * 4;
    return call(XEN_DOMCTL_max_mem, (unsigned int)domid);
}

long domain_info(int domid)
{
    return call(XEN_DOMCTL_getdomaininfo, (unsigned int)domid);
}

bool domain_exists(int domid)
{
    return domain_info(domid) == 0 && domctl.domain == domid;
}

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

long context_set(int domid, void *from)
{
    domctl.u.vcpucontext.vcpu = 0;
    set_xen_guest_handle(domctl.u.vcpucontext.ctxt, (vcpu_guest_context_t *)from);
    return call(XEN_DOMCTL_setvcpucontext, (unsigned int)domid);
}

long context_get(int domid, unsigned int vcpu)
{
    domctl.u.vcpucontext.vcpu = vcpu;
    set_xen_guest_handle(domctl.u.vcpucontext.ctxt, (vcpu_guest_context_t *)&context);
    return call(XEN_DOMCTL_getvcpucontext, (unsigned int)domid);
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
        memcpy(t->page[CODE], op == SPINS ? spin_code : crash_code, 2);
        return;
    }
    memcpy(t->page[CODE], t->narrow ? call32 : call64, sizeof(call64));
    t->page[CODE][6] = (uint8_t)op;
}

void tiny_write_call(uint8_t *at, bool narrow, uint8_t nr, uint32_t first, uint32_t second)
{
    memcpy(at, narrow ? call32 : call64, sizeof(call64));
    at[1] = nr;
    memcpy(at + 6, &first, 4);
    memcpy(at + 11, &second, 4);
}

long tiny_create(struct tiny *t, bool narrow, int code)
{
    long rc;

    memset(t, 0, sizeof(*t));
    t->narrow = narrow;
    t->domid = domain_create(1);
    if (t->domid < 0)
        return t->domid;
    domctl.u.address_size.size = 32;
    rc = narrow ? call(XEN_DOMCTL_set_address_size, (unsigned int)t->domid) : 0;
    rc = rc ? rc : domain_set_vcpus(t->domid, 1);
    rc = rc ? rc : domain_set_memory(t->domid, TINY);
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
    return context_set(t->domid, &context);
}

bool domain_wait_flag(int domid, uint32_t flag)
{
    for (int i = 0; i < 2000; i++) {
        if (domain_info(domid) || domctl.domain != domid)
            return false;
        if (domctl.u.getdomaininfo.flags & flag)
            return true;
        time_spin_ns(MS / 2);
    }
    return false;
}

uint64_t domain_wait_run(int domid, uint64_t past)
{
    for (int i = 0; i < 5000; i++) {
        if (domain_info(domid) || domctl.u.getdomaininfo.cpu_time > past)
            break;
        time_spin_ns(MS);
    }
    return domctl.u.getdomaininfo.cpu_time;
}

unsigned int shutdown_reason(void)
{
    return domctl.u.getdomaininfo.flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask;
}

long tiny_start(struct tiny *t)
{
    return call(XEN_DOMCTL_unpausedomain, (unsigned int)t->domid);
}
