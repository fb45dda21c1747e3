/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The part of the kernel that runs in the domain: it writes, remaps, makes and unmakes page tables, and notes the first
 * thing that is not as it must be.
 */
#include <string.h>
#include <abi/arch_x86.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include "logdirty.h"

static struct shared *const shared = (struct shared *)AREA;

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

void guest_main(unsigned long vcpu)
{
    struct worker w = {.vcpu = (unsigned int)vcpu, .random = 0x1234567 + (unsigned int)vcpu * 77};

    EXPECT(&w, HYPERVISOR_vm_assist(VMASST_CMD_enable, VMASST_TYPE_writable_pagetables) == 0);
    for (;;) {
        guest_step(&w);
        use_segments(&w);
        shared->operations[vcpu]++;
    }
}
