/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The log of written frames, as who migrates a domain uses it: a copy of the domain's memory, brought up to date with
 * the frames that each report names, equals that memory when the domain is stopped. The domain is a copy of this kernel
 * whose vCPUs write, remap, make and unmake page tables, switch base tables, and have the hypervisor write for them. They
 * also check that every address shows the page it should, and that A and D bits come as from a CPU.
 */
#include <stdio.h>
#include <string.h>
#include <abi/arch_x86.h>
#include <abi/domctl.h>
#include <abi/errno.h>
#include <abi/memory.h>
#include <abi/sysctl.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/smp.h>
#include <pv/time.h>
#include "check.h"

#define MS          1000000ULL
#define MAX_VCPUS   4
#define AREA        0x1000000UL /* pages that are not the image's, frame n at n << 12 like those */
#define WINDOWS     0x1200000UL /* a page each, and one for all */
#define OWN_TABLES  0x1400000UL /* 2 MiB each, of a table that the vCPU makes and unmakes */
#define MANY_TABLES 0x10000000UL
#define SLOT(va)    ((va) >> 12 & 511)
#define L2_SLOT(va) ((va) >> 21 & 511)
#define PFN_ROOM    8192
#define PAGES_MAX   2048
#define STACK_TOP   64
#ifdef __x86_64__
#define IP rip
#define SP rsp
#else
#define IP eip
#define SP esp
#endif

enum {
    SHARED, /* struct shared */
    STACKS = SHARED + 4,
    PRIVATE = STACKS + 2 * MAX_VCPUS,
    DATA = PRIVATE + MAX_VCPUS,
    DATA_PAGES = 64,
    QUIET = DATA + DATA_PAGES, /* never written */
    QUIET_PAGES = 16,
    SCRATCH = QUIET + QUIET_PAGES,     /* becomes a table and a page again */
    DESCRIPTORS = SCRATCH + MAX_VCPUS, /* a GDT each */
    L1_IMAGE = DESCRIPTORS + MAX_VCPUS,
    L1_AREA = L1_IMAGE + 8,
    L1_WINDOWS = L1_AREA + 2,
    L2,
    L3_A,
    L3_B,
    TOP_A,
    TOP_B,
    L1_MANY,
    MANY = 320,
    AREA_PAGES = L1_MANY + MANY
};

extern char _text[], _end[];

struct shared {
    volatile unsigned long operations[MAX_VCPUS];
    volatile unsigned int wrong[MAX_VCPUS]; /* line of the first check that failed */
    volatile unsigned int load_segments;    /* dom0 asks for it */
    unsigned long mfn[AREA_PAGES];
    unsigned long root[2];
    unsigned int vcpus;
    volatile unsigned int generation, page; /* of the window for all: odd while it changes */
};

#define area_va(index) (AREA + (unsigned long)(index)*PAGE_SIZE)
static struct shared *const shared = (struct shared *)AREA;

/* The part that runs in the domain. */

struct worker {
    unsigned int vcpu, random, root;
    bool has_gdt;
    unsigned long value;
};

#define EXPECT(w, condition)                                                                                           \
    do {                                                                                                               \
        if (!(condition) && !shared->wrong[(w)->vcpu])                                                                 \
            shared->wrong[(w)->vcpu] = __LINE__;                                                                       \
    } while (0)

static unsigned int rnd(struct worker *w, unsigned int below)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 17;
    w->random ^= w->random << 5;
    return w->random % below;
}

static long mmuext(unsigned int cmd, unsigned long arg1, const void *mask)
{
    struct mmuext_op op = {.cmd = cmd};

    op.arg1.linear_addr = arg1;
    set_xen_guest_handle(op.arg2.vcpumask, (void *)(unsigned long)mask);
    return HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

static long update(unsigned int table, unsigned int slot, pte_t value)
{
    struct mmu_update req = {.ptr = ((uint64_t)shared->mfn[table] << PAGE_SHIFT) + slot * 8, .val = value};

    return HYPERVISOR_mmu_update(&req, 1, NULL, DOMID_SELF);
}

/* A word of a data page that only this vCPU writes. */
static unsigned long place(struct worker *w)
{
    return w->vcpu * 512 + rnd(w, 64) * 8;
}

static volatile unsigned long *data(unsigned int page, unsigned long offset)
{
    return (volatile unsigned long *)(area_va(DATA + page) + offset);
}

static void set_base(struct worker *w)
{
    w->root ^= 1;
    EXPECT(w, mmuext(MMUEXT_NEW_BASEPTR, shared->root[w->root], NULL) == 0);
}

static void write_trapped(unsigned int slot, pte_t value)
{
#ifdef __x86_64__
    *(volatile pte_t *)(area_va(L1_WINDOWS) + slot * 8) = value;
#else
    volatile uint32_t *half = (volatile uint32_t *)(area_va(L1_WINDOWS) + slot * 8);
    half[0] = 0;
    half[1] = (uint32_t)(value >> 32);
    half[0] = (uint32_t)value;
#endif
}

static void flush_some_way(struct worker *w, unsigned long va)
{
    unsigned long all = ~0UL;

    switch (rnd(w, 6)) {
    case 0:
        mmuext(MMUEXT_INVLPG_ALL, va, NULL);
        break;
    case 1:
        mmuext(MMUEXT_TLB_FLUSH_ALL, 0, NULL);
        break;
    case 2:
        mmuext(MMUEXT_INVLPG_MULTI, va, &all);
        break;
    case 3:
        mmuext(MMUEXT_TLB_FLUSH_MULTI, 0, &all);
        break;
    case 4:
        set_base(w);
        break;
    default:
        mmuext(MMUEXT_INVLPG_LOCAL, va, NULL);
        break;
    }
}

static void remap(struct worker *w, unsigned long va, pte_t pte)
{
    switch (rnd(w, 4)) {
    case 0:
        EXPECT(w, HYPERVISOR_update_va_mapping(va, pte, UVMF_INVLPG) == 0);
        return;
    case 1:
        EXPECT(w, update(L1_WINDOWS, SLOT(va), pte) == 0);
        break;
    case 2:
        write_trapped(SLOT(va), pte);
        break;
    default:
        EXPECT(w, HYPERVISOR_update_va_mapping(va, pte, 0) == 0);
        break;
    }
    flush_some_way(w, va);
}

static pte_t window_entry(unsigned long va)
{
    return *(volatile pte_t *)(area_va(L1_WINDOWS) + SLOT(va) * 8);
}

static void use_window(struct worker *w)
{
    unsigned long va = WINDOWS + w->vcpu * PAGE_SIZE, offset = place(w);
    unsigned int page = rnd(w, DATA_PAGES);
    bool writable = rnd(w, 2), preset = rnd(w, 2);
    pte_t pte = pte_make(shared->mfn[DATA + page], PTE_P | PTE_US);
    volatile unsigned long *there = (volatile unsigned long *)(va + offset);

    pte |= (writable ? PTE_RW : 0) | (preset ? PTE_A | (writable ? PTE_D : 0) : 0);
    remap(w, va, pte);
    EXPECT(w, (window_entry(va) & PTE_A) == (pte & PTE_A));
    EXPECT(w, *there == *data(page, offset));
    EXPECT(w, (window_entry(va) & (PTE_A | PTE_D)) == (PTE_A | (pte & PTE_D)));
    if (!writable)
        return;
    *there = ++w->value;
    EXPECT(w, *data(page, offset) == w->value);
    EXPECT(w, (window_entry(va) & (PTE_A | PTE_D)) == (PTE_A | PTE_D));
}

/* vCPU 0 moves the window for all; the others must never see an old page in it once it is told. */
static void use_common_window(struct worker *w)
{
    unsigned long va = WINDOWS + MAX_VCPUS * PAGE_SIZE;
    unsigned int before = shared->generation, page = shared->page;
    unsigned long seen;

    if (w->vcpu == 0) {
        page = rnd(w, DATA_PAGES);
        shared->generation = before + 1;
        remap(w, va, pte_make(shared->mfn[DATA + page], PTE_P | PTE_US | PTE_A));
        mmuext(MMUEXT_INVLPG_ALL, va, NULL);
        shared->page = page;
        __atomic_store_n(&shared->generation, before + 2, __ATOMIC_SEQ_CST);
        return;
    }
    if (before & 1)
        return;
    seen = *(volatile unsigned long *)(va + PAGE_SIZE - 8);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    EXPECT(w, before != shared->generation || seen == page);
}

static void make_table(struct worker *w)
{
    unsigned int table = SCRATCH + w->vcpu, page = rnd(w, DATA_PAGES), other = rnd(w, DATA_PAGES);
    unsigned int slot = rnd(w, 3) * 128; /* few: an old one comes again */
    unsigned long va = OWN_TABLES + w->vcpu * 0x200000UL, offset = place(w);
    pte_t *entries = (pte_t *)area_va(table), own = pte_make(shared->mfn[table], PTE_P | PTE_US | PTE_A);
    volatile unsigned long *there = (volatile unsigned long *)(va + slot * PAGE_SIZE + offset);

    memset(entries, 0, PAGE_SIZE);
    entries[slot] = pte_make(shared->mfn[DATA + page], PTE_KERNEL_RW);
    entries[slot + 1] = pte_make(shared->mfn[DATA + other], PTE_KERNEL_RW);
    EXPECT(w, HYPERVISOR_update_va_mapping(area_va(table), own, UVMF_INVLPG) == 0);
    EXPECT(w, update(L2, L2_SLOT(va), pte_make(shared->mfn[table], PTE_KERNEL_RW)) == 0);
    *there = ++w->value;
    EXPECT(w, *data(page, offset) == w->value);
    EXPECT(w, *(there + PAGE_SIZE / sizeof(long)) == *data(other, offset));
    EXPECT(w, update(L2, L2_SLOT(va), 0) == 0);
    mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0, NULL);
    EXPECT(w, HYPERVISOR_update_va_mapping(area_va(table), own | PTE_RW, UVMF_INVLPG) == 0);
    memset(entries, (int)w->value, PAGE_SIZE);
}

/* The hypervisor writes: by machine frame and through the guest's addresses. */
static void have_written(struct worker *w)
{
    unsigned int private = PRIVATE + w->vcpu, page = rnd(w, DATA_PAGES);
    struct mmuext_op op = {.cmd = MMUEXT_CLEAR_PAGE};
    volatile unsigned long *words = (volatile unsigned long *)area_va(private);

    op.arg1.mfn = shared->mfn[private];
    words[5] = ++w->value;
    if (rnd(w, 2)) {
        EXPECT(w, HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF) == 0);
        EXPECT(w, words[5] == 0);
        return;
    }
    op.cmd = MMUEXT_COPY_PAGE;
    op.arg2.src_mfn = shared->mfn[DATA + page];
    EXPECT(w, HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF) == 0);
    EXPECT(w, words[PAGE_SIZE / sizeof(long) - 8 / sizeof(long)] == page);
    EXPECT(w, HYPERVISOR_vcpu_op(VCPUOP_get_runstate_info, w->vcpu, (void *)area_va(private)) == 0);
}

static void guest_step(struct worker *w)
{
    unsigned long offset = place(w);
    unsigned int page = rnd(w, DATA_PAGES);

    switch (rnd(w, 10)) {
    case 0:
    case 1:
        use_window(w);
        break;
    case 2:
        use_common_window(w);
        break;
    case 3:
        make_table(w);
        break;
    case 4:
        have_written(w);
        break;
    case 5:
        set_base(w);
        break;
    case 6:
    case 7:
        EXPECT(w, *(volatile unsigned long *)(MANY_TABLES + rnd(w, MANY) * 0x200000UL + PAGE_SIZE - 8) < DATA_PAGES);
        break;
    default:
        *data(page, offset) = ++w->value;
        EXPECT(w, *data(page, offset) == w->value);
        break;
    }
}

#define GDT_ENTRIES   512
#define ACCESSED      (1ULL << 40)
#define SEGMENT_LEVEL (FLAT_KERNEL_SS & 3)
#define FRESH_SEGMENT (0x00CF92000000FFFFULL | (uint64_t)SEGMENT_LEVEL << 45) /* flat, writable, never loaded */

static void make_gdt(struct worker *w)
{
    unsigned int page = DESCRIPTORS + w->vcpu;
    unsigned long frame = shared->mfn[page];
    uint64_t *gdt = (uint64_t *)area_va(page);

    for (unsigned int i = 1; i < GDT_ENTRIES; i++)
        gdt[i] = FRESH_SEGMENT;
    EXPECT(w, HYPERVISOR_update_va_mapping(area_va(page), pte_make(frame, PTE_KERNEL_RO), UVMF_INVLPG) == 0);
    EXPECT(w, HYPERVISOR_set_gdt(&frame, GDT_ENTRIES) == 0);
    w->has_gdt = true;
}

/* The CPU marks a descriptor when it is loaded: a write that no page table and no hypercall tells of. */
static void load_segment(struct worker *w)
{
    unsigned int page = DESCRIPTORS + w->vcpu, slot = 1 + rnd(w, GDT_ENTRIES - 1);
    volatile uint64_t *entry = (volatile uint64_t *)area_va(page) + slot;

    if (*entry & ACCESSED) {
        uint64_t at = ((uint64_t)shared->mfn[page] << PAGE_SHIFT) + slot * 8;
        EXPECT(w, HYPERVISOR_update_descriptor(at, *entry & ~ACCESSED) == 0);
        EXPECT(w, *entry == FRESH_SEGMENT);
        return;
    }
    __asm__ volatile("mov %w0, %%gs; mov %w1, %%gs" : : "r"(slot * 8 | SEGMENT_LEVEL), "r"(0) : "memory");
    EXPECT(w, *entry == (FRESH_SEGMENT | ACCESSED));
}

static void use_segments(struct worker *w)
{
    if (!shared->load_segments)
        return;
    if (!w->has_gdt)
        make_gdt(w);
    load_segment(w);
}

static void guest_main(unsigned long vcpu)
{
    struct worker w = {.vcpu = (unsigned int)vcpu, .random = 0x1234567 + (unsigned int)vcpu * 77};

    for (;;) {
        guest_step(&w);
        use_segments(&w);
        shared->operations[vcpu]++;
    }
}

/* The part that runs here. */

static struct {
    int domid;
    unsigned int vcpus;
    unsigned long count, image_pages;
    unsigned long held; /* pages that every report names */
    xen_pfn_t pfn[PAGES_MAX], mfn[PAGES_MAX];
    char *view, *copy;
} dom;

static struct xen_domctl domctl;
static uint8_t bitmap[PFN_ROOM / 8];
static struct vcpu_guest_context context;

static long call(unsigned int cmd)
{
    domctl.cmd = cmd;
    domctl.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    domctl.domain = (domid_t)dom.domid;
    return pv_hypercall1(__HYPERVISOR_domctl, (unsigned long)&domctl);
}

static long shadow_op(unsigned int op)
{
    memset(&domctl, 0, sizeof(domctl));
    domctl.u.shadow_op.op = op;
    domctl.u.shadow_op.pages = PFN_ROOM;
    set_xen_guest_handle(domctl.u.shadow_op.dirty_bitmap, bitmap);
    return call(XEN_DOMCTL_shadow_op);
}

static bool is_dirty(unsigned long index)
{
    return bitmap[dom.pfn[index] / 8] >> (dom.pfn[index] % 8) & 1;
}

#define area_index(a) (dom.image_pages + (unsigned long)(a))
#define mfn_at(a)     (dom.mfn[area_index(a)])

static long create_domain(void)
{
    long rc;

    memset(&domctl, 0, sizeof(domctl));
    dom.domid = 0;
    domctl.u.createdomain.max_vcpus = dom.vcpus;
    domctl.u.createdomain.max_evtchn_port = 1023;
    domctl.u.createdomain.max_grant_frames = 4;
    domctl.u.createdomain.max_maptrack_frames = 4;
    domctl.u.createdomain.grant_opts = XEN_DOMCTL_GRANT_version(1);
    rc = call(XEN_DOMCTL_createdomain);
    dom.domid = domctl.domain;
#ifndef __x86_64__
    domctl.u.address_size.size = 32;
    rc = rc ? rc : call(XEN_DOMCTL_set_address_size);
#endif
    domctl.u.max_vcpus.max = dom.vcpus;
    rc = rc ? rc : call(XEN_DOMCTL_max_vcpus);
    domctl.u.max_mem.max_memkb = dom.count * 4;
    return rc ? rc : call(XEN_DOMCTL_max_mem);
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
    return call(XEN_DOMCTL_setvcpucontext);
}

/* A paused domain. */
static bool build(unsigned int vcpus)
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

static void drop(void)
{
    unmap_frames(dom.view, dom.count);
    CHECK_EQ(call(XEN_DOMCTL_destroydomain), 0, "it goes");
}

static const struct shared *seen(void)
{
    return (const struct shared *)(dom.view + area_index(SHARED) * PAGE_SIZE);
}

/* Whether a vCPU comes to this many operations. However slow the machine is, some are done in half a minute: with the
 * host's CPUs shared by many, one TLB flush waits as long as the host lets the other CPU stand. */
static bool gets_to(unsigned int vcpu, unsigned long goal)
{
    unsigned long last = 0, now;
    uint64_t since = time_monotonic_ns();

    while ((now = seen()->operations[vcpu]) < goal) {
        if (now != last)
            since = time_monotonic_ns();
        last = now;
        if (time_monotonic_ns() - since > 30000 * MS || call(XEN_DOMCTL_getdomaininfo) ||
            (domctl.u.getdomaininfo.flags & XEN_DOMINF_shutdown))
            return false;
        time_spin_ns(MS / 20);
    }
    return true;
}

/* Lets it do some more, on every vCPU; fewer where many CPUs wait for each other's TLBs. */
static bool let_work(unsigned long operations)
{
    unsigned long goal[MAX_VCPUS];
    bool all = true;

    for (unsigned int i = 0; i < dom.vcpus; i++)
        goal[i] = seen()->operations[i] + operations / (dom.vcpus * dom.vcpus) + 1;
    for (unsigned int i = 0; i < dom.vcpus; i++)
        all = all && gets_to(i, goal[i]);
    return all;
}

static void take(bool all)
{
    for (unsigned long i = 0; i < dom.count; i++)
        if (all || is_dirty(i))
            memcpy(dom.copy + i * PAGE_SIZE, dom.view + i * PAGE_SIZE, PAGE_SIZE);
}

static unsigned long dirty_pages(void)
{
    unsigned long count = 0;

    for (unsigned int i = 0; i < sizeof(bitmap); i++)
        count += (unsigned long)__builtin_popcount(bitmap[i]);
    return count;
}

static unsigned long differing(void)
{
    for (unsigned long i = 0; i < dom.count; i++)
        if (memcmp(dom.copy + i * PAGE_SIZE, dom.view + i * PAGE_SIZE, PAGE_SIZE))
            return dom.pfn[i];
    return 0;
}

/* What a failure can be understood by: which words, and where the vCPUs stand. */
static void tell_difference(void)
{
    unsigned int lines = 0;

    for (unsigned long i = 0; i < dom.count; i++) {
        const unsigned long *copy = (const unsigned long *)(dom.copy + i * PAGE_SIZE);
        const unsigned long *now = (const unsigned long *)(dom.view + i * PAGE_SIZE);
        for (unsigned int w = 0; w < PAGE_SIZE / sizeof(long) && lines < 40; w++)
            if (copy[w] != now[w]) {
                printf("frame %lx%s, word %x: %lx, copied %lx\n", (unsigned long)dom.pfn[i],
                       is_dirty(i) ? " (reported)" : "", w, now[w], copy[w]);
                lines++;
            }
    }
    for (unsigned int i = 0; i < dom.vcpus; i++) {
        domctl.u.vcpucontext.vcpu = i;
        set_xen_guest_handle(domctl.u.vcpucontext.ctxt, &context);
        if (!call(XEN_DOMCTL_getvcpucontext))
            printf("vCPU %u after %lx operations: ip %lx sp %lx\n", i, seen()->operations[i],
                   (unsigned long)context.user_regs.IP, (unsigned long)context.user_regs.SP);
    }
}

static unsigned int wrong(void)
{
    for (unsigned int i = 0; i < dom.vcpus; i++)
        if (seen()->wrong[i])
            return seen()->wrong[i];
    return 0;
}

static bool quiet_dirty(void)
{
    for (unsigned int i = 0; i < QUIET_PAGES; i++)
        if (is_dirty(area_index(QUIET + i)))
            return true;
    return false;
}

/* Stopped at any moment, the few writes since the report before are in the last one. */
static unsigned long stop_and_go(unsigned int times)
{
    unsigned long different = 0;

    for (unsigned int i = 0; i < times && !different; i++) {
        if (shadow_op(XEN_DOMCTL_SHADOW_OP_CLEAN))
            return 1;
        take(false);
        time_spin_ns(MS / 50 * (i % 8));
        call(XEN_DOMCTL_pausedomain);
        if (shadow_op(XEN_DOMCTL_SHADOW_OP_CLEAN))
            return 2;
        take(false);
        different = differing();
        if (different)
            tell_difference();
        call(XEN_DOMCTL_unpausedomain);
    }
    return different;
}

/* Rounds as a migration makes them, then the end. */
static void migrate(unsigned int rounds, unsigned long operations)
{
    bool ran = true, quiet = true;
    long rc = 0;

    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY), 0, "the log is switched on under a running domain");
    take(true);
    for (unsigned int i = 0; i < rounds; i++) {
        ran &= let_work(operations);
        rc |= shadow_op(XEN_DOMCTL_SHADOW_OP_CLEAN);
        quiet &= !quiet_dirty();
        take(false);
    }
    CHECK_EQ(stop_and_go(40 / dom.vcpus), 0, "at every stop the copy is the original");
    CHECK(ran, "the domain works on");
    CHECK_EQ(rc, 0, "while reports are made");
    CHECK(quiet, "which name no page that is not written");
    CHECK_EQ(call(XEN_DOMCTL_pausedomain), 0, "it is stopped");
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_PEEK), 0, "a look at the log");
    unsigned long peeked = dirty_pages();
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_CLEAN), 0, "the last report");
    CHECK_EQ(dirty_pages(), peeked, "says the same");
    CHECK_EQ(domctl.u.shadow_op.pages, PFN_ROOM, "about as many frames as were asked for");
    take(false);
    CHECK_EQ(differing(), 0, "with all reported pages the copy is the original");
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_CLEAN), 0, "one report more");
    CHECK_EQ(dirty_pages(), dom.held, "finds nothing written but what may be at any moment");
    CHECK_EQ(wrong(), 0, "no vCPU saw a page or a bit that was wrong");
}

static void resume_direct(void)
{
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_OFF), 0, "the log is switched off");
    CHECK_EQ(call(XEN_DOMCTL_unpausedomain), 0, "and the domain goes on");
    CHECK(let_work(100), "on its own tables");
}

static void test_modes(void)
{
    check_group("modes");
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_OFF), 0, "what is off can be switched off");
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_CLEAN), -XEN_EINVAL, "without a log there is no report");
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY), 0, "on");
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY), -XEN_EINVAL, "but not twice");
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_ENABLE_TEST), -XEN_EINVAL, "nor without the log then");
    CHECK_EQ(shadow_op(99), -XEN_EINVAL, "no such operation");
    set_xen_guest_handle(domctl.u.shadow_op.dirty_bitmap, (uint8_t *)8);
    domctl.u.shadow_op.op = XEN_DOMCTL_SHADOW_OP_PEEK;
    CHECK_EQ(call(XEN_DOMCTL_shadow_op), -XEN_EFAULT, "a bitmap that is not there");
    set_xen_guest_handle(domctl.u.shadow_op.dirty_bitmap, (uint8_t *)NULL);
    CHECK_EQ(call(XEN_DOMCTL_shadow_op), 0, "none at all: only numbers");
    domctl.u.shadow_op.mode = 8;
    CHECK_EQ(call(XEN_DOMCTL_shadow_op), -XEN_EINVAL, "an unknown mode");
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION), -XEN_EINVAL, "no room for tables while there are some");
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_OFF), 0, "off");
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_ENABLE_TEST), 0, "tables without a log");
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_PEEK), -XEN_EINVAL, "have no report");
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY), 0, "until a log is added");
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_OFF), 0, "both go together");
    dom.domid = 0;
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY), -XEN_EINVAL, "domain 0 stays on its own tables");
}

static void test_allocation(void)
{
    check_group("few tables");
    memset(&domctl, 0, sizeof(domctl));
    domctl.u.shadow_op.op = XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION;
    domctl.u.shadow_op.mb = 1;
    CHECK_EQ(call(XEN_DOMCTL_shadow_op), 0, "room for fewer tables than the domain has");
    migrate(3, 2000);
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_GET_ALLOCATION), 0, "the room is told");
    CHECK_EQ(domctl.u.shadow_op.mb, 1, "in MiB");
    memset(&domctl, 0, sizeof(domctl));
    domctl.u.shadow_op.op = XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION;
    domctl.u.shadow_op.mb = 3;
    CHECK_EQ(call(XEN_DOMCTL_shadow_op), 0, "and changed while they are in use");
    CHECK_EQ(call(XEN_DOMCTL_unpausedomain), 0, "under a domain");
    CHECK(let_work(800), "that goes on");
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_OFF), 0, "off");
}

#define NEW_PFN 7000 /* of none of its frames yet */

static long retype(xen_pfn_t mfn, unsigned int cmd)
{
    struct mmuext_op op = {.cmd = cmd};

    op.arg1.mfn = mfn;
    return HYPERVISOR_mmuext_op(&op, 1, NULL, (unsigned int)dom.domid);
}

/* What dom0 wrote shows when its mapping goes, a new frame and a frame's new number at once. */
static void test_writes_of_others(void)
{
    unsigned long index = area_index(QUIET + 3);
    struct mmu_update req = {.ptr = ((uint64_t)dom.mfn[index] << PAGE_SHIFT) | MMU_MACHPHYS_UPDATE};
    xen_pfn_t fresh = NEW_PFN;
    struct xen_memory_reservation r = {.nr_extents = 1, .domid = (domid_t)dom.domid};
    char *page;

    check_group("writes of others");
    call(XEN_DOMCTL_pausedomain);
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY), 0, "on");
    page = map_frames(&dom.mfn[index], 1, (domid_t)dom.domid, PTE_KERNEL_RW, NULL);
    if (!CHECK(page != NULL, "a page mapped by dom0"))
        return;
    page[7] = 1;
    unmap_frames(page, 1);
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_CLEAN), 0, "a report");
    CHECK(is_dirty(index) && dirty_pages() == 1, "names just that page");
    req.val = dom.pfn[index];
    CHECK_EQ(HYPERVISOR_mmu_update(&req, 1, NULL, (unsigned int)dom.domid), 0, "a frame gets its number anew");
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_CLEAN), 0, "a report");
    CHECK(is_dirty(index) && dirty_pages() == 1, "names that frame");
    domctl.u.max_mem.max_memkb = dom.count * 4 + 4;
    CHECK_EQ(call(XEN_DOMCTL_max_mem), 0, "it may have one page more");
    set_xen_guest_handle(r.extent_start, &fresh);
    CHECK_EQ(HYPERVISOR_memory_op(XENMEM_populate_physmap, &r), 1, "and gets it");
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_CLEAN), 0, "a report");
    CHECK(bitmap[NEW_PFN / 8] == 1 << NEW_PFN % 8 && dirty_pages() == 1, "names the new page");
    CHECK_EQ(retype(fresh, MMUEXT_PIN_L1_TABLE), 0, "it becomes a page table");
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_CLEAN), 0, "a report");
    CHECK(dirty_pages() == 1, "says so");
    CHECK_EQ(retype(fresh, MMUEXT_UNPIN_TABLE), 0, "and is none any more");
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_CLEAN), 0, "a report");
    CHECK(dirty_pages() == 1, "says that, too: or the copy would have a table where plain memory is");
    CHECK_EQ(retype(mfn_at(L1_MANY + 5), MMUEXT_PIN_L1_TABLE), 0, "a table in use is pinned");
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_CLEAN), 0, "a report");
    CHECK(is_dirty(area_index(L1_MANY + 5)) && dirty_pages() == 1, "names it: the copy's kernel could not unpin it");
    CHECK_EQ(retype(mfn_at(L1_MANY + 5), MMUEXT_UNPIN_TABLE), 0, "and unpinned, still in use");
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_CLEAN), 0, "a report");
    CHECK(is_dirty(area_index(L1_MANY + 5)) && dirty_pages() == 1, "names it: or it stayed a table for ever there");
    CHECK_EQ(HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r), 1, "the domain gives it back");
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_OFF), 0, "off");
    call(XEN_DOMCTL_unpausedomain);
}

/* Which descriptors a kernel has loaded, it can read: its copy must not have forgotten. */
static void test_descriptors(void)
{
    char *page = map_frames(&dom.mfn[area_index(SHARED)], 1, (domid_t)dom.domid, PTE_KERNEL_RW, NULL);

    check_group("descriptor tables");
    if (!CHECK(page != NULL, "its vCPUs are asked"))
        return;
    ((struct shared *)page)->load_segments = 1;
    unmap_frames(page, 1);
    CHECK(let_work(20), "to load segments of tables of their own");
    dom.held = dom.vcpus;
    migrate(2, 400);
    CHECK_EQ(shadow_op(XEN_DOMCTL_SHADOW_OP_OFF), 0, "off");
}

static uint64_t free_pages(void)
{
    static struct xen_sysctl op;

    memset(&op, 0, sizeof(op));
    op.cmd = XEN_SYSCTL_availheap;
    op.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    op.u.availheap.node = -1;
    return pv_hypercall1(__HYPERVISOR_sysctl, (unsigned long)&op) ? 0 : op.u.availheap.avail_bytes / PAGE_SIZE;
}

static void test_cycles(void)
{
    unsigned int done = 0, cycles = 300 / (dom.vcpus * dom.vcpus);
    uint64_t before;

    check_group("on and off");
    CHECK(let_work(10), "the domain runs");
    before = free_pages();
    while (done < cycles && shadow_op(XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY) == 0 &&
           shadow_op(done % 3 ? XEN_DOMCTL_SHADOW_OP_CLEAN : XEN_DOMCTL_SHADOW_OP_PEEK) == 0 &&
           shadow_op(XEN_DOMCTL_SHADOW_OP_OFF) == 0)
        done++;
    CHECK_EQ(done, cycles, "many times under a running domain");
    CHECK(let_work(10), "which runs");
    CHECK_EQ(wrong(), 0, "and saw nothing wrong");
    for (int i = 0; i < 1000 && free_pages() < before; i++)
        time_spin_ns(MS / 4);
    CHECK(free_pages() >= before, "no page is lost");
}

int main(int argc, char **argv)
{
    dom.copy = pages_alloc(PAGES_MAX);
    check_group("a domain on its own tables");
    if (CHECK(dom.copy != NULL, "room for the copy") &&
        build(smp_cpu_count() < MAX_VCPUS ? smp_cpu_count() : MAX_VCPUS)) {
        int domid = dom.domid;
        test_modes();
        dom.domid = domid;
        CHECK_EQ(call(XEN_DOMCTL_unpausedomain), 0, "started");
        CHECK(let_work(200), "it works");
        check_group("rounds");
        migrate(8, 600);
        resume_direct();
        test_cycles();
        check_group("again");
        migrate(4, 400);
        resume_direct();
        test_allocation();
        test_writes_of_others();
        test_descriptors();
        drop();
    }
    return check_summary("logdirty");
}
