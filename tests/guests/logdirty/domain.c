/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * How the domain is made: a copy of this kernel with page tables of its own, all of whose frames are mapped here.
 */
#include <string.h>
#include <abi/arch_x86.h>
#include <abi/memory.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include "tests/guests/check.h"
#include "logdirty.h"

#define STACK_TOP 64

extern char _text[], _end[];

struct logged dom;
static struct vcpu_guest_context context;

long dom_call(unsigned int cmd)
{
    return call(cmd, (unsigned int)dom.domid);
}

static long create_domain(void)
{
    long rc;

    want_domain(dom.vcpus);
    rc = call(XEN_DOMCTL_createdomain, 0);
    dom.domid = domctl.domain;
#ifndef __x86_64__
    domctl.u.address_size.size = 32;
    rc = rc ? rc : dom_call(XEN_DOMCTL_set_address_size);
#endif
    domctl.u.max_vcpus.max = dom.vcpus;
    rc = rc ? rc : dom_call(XEN_DOMCTL_max_vcpus);
    domctl.u.max_mem.max_memkb = dom.count * 4;
    return rc ? rc : dom_call(XEN_DOMCTL_max_mem);
}

static bool populate(void)
{
    struct xen_memory_reservation r = {.nr_extents = dom.count, .domid = (domid_t)dom.domid};

    memcpy(dom.mfn, dom.pfn, sizeof(dom.mfn));
    set_xen_guest_handle(r.extent_start, dom.mfn);
    return HYPERVISOR_memory_op(XENMEM_populate_physmap, &r) == (long)dom.count;
}

static void put(char *pages, unsigned int table, unsigned long slot, unsigned int to, uint64_t flags)
{
    ((pte_t *)(pages + area_index(table) * PAGE_SIZE))[slot] = pte_make(mfn_at(to), flags);
}

static void build_tables(char *pages)
{
    for (unsigned long i = 0; i < dom.count; i++) {
        bool table = i >= area_index(L1_IMAGE);
        unsigned int l1 = (unsigned int)(i < dom.image_pages ? L1_IMAGE + (dom.pfn[i] >> 9)
                                                             : L1_AREA + (dom.pfn[i] - (AREA >> PAGE_SHIFT) >= 512));
        ((pte_t *)(pages + area_index(l1) * PAGE_SIZE))[dom.pfn[i] & 511] =
            pte_make(dom.mfn[i], table ? PTE_P | PTE_US : PTE_P | PTE_US | PTE_RW);
        put(pages, L2, l1 < L1_AREA ? dom.pfn[i] >> 9 : L2_SLOT(AREA) + (l1 - L1_AREA), l1, PTE_P | PTE_RW | PTE_US);
    }
    put(pages, L2, L2_SLOT(WINDOWS), L1_WINDOWS, PTE_KERNEL_RW);
    put(pages, L1_WINDOWS, MAX_VCPUS, DATA, PTE_KERNEL_RO);
    for (unsigned int i = 0; i < MANY; i++) {
        put(pages, L1_MANY + i, 0, DATA + i % DATA_PAGES, PTE_P | PTE_US);
        put(pages, L2, L2_SLOT(MANY_TABLES) + i, L1_MANY + i, PTE_P | PTE_US);
    }
#ifdef __x86_64__
    put(pages, L3_A, 0, L2, PTE_P | PTE_RW | PTE_US);
    put(pages, TOP_A, 0, L3_A, PTE_P | PTE_RW | PTE_US);
    put(pages, TOP_B, 0, L3_A, PTE_P | PTE_RW | PTE_US);
#else
    put(pages, TOP_A, 0, L2, PTE_P);
    put(pages, TOP_B, 0, L2, PTE_P);
    put(pages, TOP_A, 3, L3_A, PTE_P); /* each needs a level-2 table of its own there */
    put(pages, TOP_B, 3, L3_B, PTE_P);
#endif
}

static void build_memory(char *pages)
{
    struct shared *s = (struct shared *)(pages + area_index(SHARED) * PAGE_SIZE);

    memset(pages, 0, dom.count * PAGE_SIZE);
    memcpy(pages, _text, dom.image_pages * PAGE_SIZE);
    for (unsigned int i = 0; i < AREA_PAGES; i++)
        s->mfn[i] = mfn_at(i);
    s->vcpus = dom.vcpus;
    s->root[0] = mfn_at(TOP_A);
    s->root[1] = mfn_at(TOP_B);
    for (unsigned int i = 0; i < DATA_PAGES; i++)
        *(unsigned long *)(pages + area_index(DATA + i) * PAGE_SIZE + PAGE_SIZE - 8) = i;
#ifndef __x86_64__
    for (unsigned int i = 0; i < dom.vcpus; i++) /* guest_main's argument, above where it would return to */
        ((uint32_t *)(pages + area_index(STACKS + 2 * i + 2) * PAGE_SIZE - STACK_TOP))[1] = i;
#endif
    build_tables(pages);
}

static long pin(unsigned int table)
{
#ifdef __x86_64__
    struct mmuext_op op = {.cmd = MMUEXT_PIN_L4_TABLE};
#else
    struct mmuext_op op = {.cmd = MMUEXT_PIN_L3_TABLE};
#endif
    op.arg1.mfn = mfn_at(table);
    return HYPERVISOR_mmuext_op(&op, 1, NULL, (unsigned int)dom.domid);
}

static long set_vcpu(unsigned int vcpu)
{
    unsigned long stack = area_va(STACKS + 2 * vcpu + 2) - STACK_TOP;

    memset(&context, 0, sizeof(context));
    context.flags = VGCF_in_kernel | VGCF_online;
    context.ctrlreg[3] = xen_pfn_to_cr3(mfn_at(TOP_A));
    context.kernel_sp = stack;
    context.kernel_ss = FLAT_KERNEL_SS;
    context.user_regs.cs = FLAT_KERNEL_CS;
    context.user_regs.ss = FLAT_KERNEL_SS;
#ifdef __x86_64__
    context.user_regs.rip = (unsigned long)guest_main;
    context.user_regs.rsp = stack - 8;
    context.user_regs.rdi = vcpu;
#else
    context.user_regs.eip = (unsigned long)guest_main;
    context.user_regs.esp = stack;
    context.user_regs.ds = context.user_regs.es = FLAT_KERNEL_DS;
#endif
    domctl.u.vcpucontext.vcpu = vcpu;
    set_xen_guest_handle(domctl.u.vcpucontext.ctxt, &context);
    return dom_call(XEN_DOMCTL_setvcpucontext);
}

bool dom_build(unsigned int vcpus)
{
    char *pages;
    long rc;

    dom.vcpus = vcpus;
    dom.image_pages = (unsigned long)(_end - _text) / PAGE_SIZE;
    dom.count = dom.image_pages + AREA_PAGES;
    for (unsigned long i = 0; i < dom.count; i++)
        dom.pfn[i] =
            i < dom.image_pages ? ((unsigned long)_text >> PAGE_SHIFT) + i : (AREA >> PAGE_SHIFT) + i - dom.image_pages;
    rc = dom.count <= PAGES_MAX ? create_domain() : -1;
    if (!CHECK_EQ(rc, 0, "a domain") || !CHECK(populate(), "with memory"))
        return false;
    pages = map_frames(dom.mfn, dom.count, (domid_t)dom.domid, PTE_KERNEL_RW, NULL);
    if (!CHECK(pages != NULL, "mapped here"))
        return false;
    build_memory(pages);
    unmap_frames(pages, dom.count);
    rc = pin(TOP_A) | pin(TOP_B);
    for (unsigned int i = 0; i < vcpus; i++)
        rc |= set_vcpu(i);
    dom.view = map_frames(dom.mfn, dom.count, (domid_t)dom.domid, PTE_KERNEL_RO, NULL);
    return CHECK_EQ(rc, 0, "with pinned tables and vCPUs") && CHECK(dom.view != NULL, "read-only from now on");
}

void dom_drop(void)
{
    unmap_frames(dom.view, dom.count);
    CHECK_EQ(dom_call(XEN_DOMCTL_destroydomain), 0, "it goes");
}

const struct shared *dom_sees(void)
{
    return (const struct shared *)(dom.view + area_index(SHARED) * PAGE_SIZE);
}
