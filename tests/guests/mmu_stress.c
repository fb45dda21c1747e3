/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Every vCPU at once throws random page-table operations at the hypervisor: a few pages are by turns data, tables of
 * every level, descriptor tables, given back and taken again, with entries that are good, bad or nonsense. Nothing may
 * crash, no table may ever be writable, and in the end the hypervisor's own audit of all frames must find every count
 * right. Genuine Xen has no such audit: there the last check is skipped.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <abi/errno.h>
#include <abi/sysctl.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/smp.h>
#include <pv/traps.h>
#include "../../guest-pv/core/internal.h"
#include "check.h"

#define POOL   24
#define ROUNDS 20000 /* of all vCPUs together */

static unsigned long pool[POOL]; /* machine frames */
static char *window;             /* where they get mapped: one page each, per vCPU */
static volatile unsigned int finished;
static unsigned long refused[8], accepted[8];

struct worker {
    unsigned int cpu, cpus;
    uint32_t seed;
    char *window;
    unsigned long done, failed;
};
static struct worker workers[8];

static uint32_t next(struct worker *w)
{
    w->seed = w->seed * 1664525u + 1013904223u;
    return w->seed >> 8;
}

static unsigned long frame(struct worker *w)
{
    uint32_t r = next(w) % 64;

    if (r == 0)
        return next(w);
    if (r == 1)
        return 0xfffffff;
    return pool[next(w) % POOL];
}

static uint64_t entry(struct worker *w)
{
    static const uint64_t odd[] = {PTE_PSE, PTE_G, PTE_PCD, PTE_PWT, PTE_NX, 0xe00, 1ULL << 52, 1ULL << 62, 1ULL << 51};
    uint64_t value = pte_make(frame(w), PTE_P);
    uint32_t r;

    value |= next(w) % 8;
    r = next(w);

    if (r % 5 == 0)
        value &= ~PTE_P;
    if (r % 7 == 0)
        value |= odd[next(w) % (sizeof(odd) / sizeof(odd[0]))];
    if (r % 3 == 0)
        value &= ~PTE_RW;
    return value;
}

static long ext(unsigned int command, unsigned long mfn, unsigned long second)
{
    struct mmuext_op op = {.cmd = command, .arg1.mfn = mfn, .arg2.src_mfn = second};

    return HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

/* The hypervisor copies nothing through a slot of level 4 that holds, or once held, a linear mapping: those that our own
 * addresses lie in stay free of them. */
static uint64_t slot(struct worker *w)
{
    uint64_t any = next(w) % 512;

    return sizeof(long) == 8 && any < 8 ? any + 8 : any;
}

static long change_entries(struct worker *w)
{
    struct mmu_update batch[4];
    unsigned int count = next(w) % 4 + 1;

    for (unsigned int i = 0; i < count; i++) {
        batch[i].ptr = (uint64_t)frame(w) << 12;
        batch[i].ptr += slot(w) * 8;
        if (next(w) % 8 == 0)
            batch[i].ptr += next(w) % 8;
        batch[i].val = entry(w);
        if ((batch[i].ptr & 3) == MMU_MACHPHYS_UPDATE)
            batch[i].ptr &= ~3ULL;
    }
    return HYPERVISOR_mmu_update(batch, count, NULL, DOMID_SELF);
}

static long map_page(struct worker *w)
{
    unsigned long va = (unsigned long)w->window + next(w) % POOL * PAGE_SIZE;
    uint64_t value = entry(w);

    return HYPERVISOR_update_va_mapping(va, value, next(w) % 2 ? UVMF_INVLPG | UVMF_ALL : UVMF_NONE);
}

/* Writable mappings are written to: if that were a page table, the damage would show. */
static void scribble(struct worker *w)
{
    unsigned long word = next(w) * 2654435761ul & ~1UL;
    char *page = w->window + next(w) % POOL * PAGE_SIZE;

    probe_write(page + next(w) % 512 * 8, word);
}

static long exchange_page(struct worker *w)
{
    unsigned int slot = next(w) % POOL;
    xen_pfn_t old = pool[slot], fresh = 0x100;
    struct xen_memory_reservation r = {.nr_extents = 1, .domid = DOMID_SELF};

    if (!__atomic_compare_exchange_n(&pool[slot], &old, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST) || old == 0)
        return 0;
    set_xen_guest_handle(r.extent_start, &old);
    if (HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r) == 1) {
        set_xen_guest_handle(r.extent_start, &fresh);
        old = HYPERVISOR_memory_op(XENMEM_populate_physmap, &r) == 1 ? fresh : 0;
        ext(MMUEXT_CLEAR_PAGE, old, 0); /* genuine Xen leaves in it what was there */
    }
    pool[slot] = old;
    return 0;
}

static long one(struct worker *w, unsigned int what)
{
    static const unsigned int pins[] = {MMUEXT_PIN_L1_TABLE, MMUEXT_PIN_L2_TABLE, MMUEXT_PIN_L3_TABLE,
                                        MMUEXT_PIN_L4_TABLE};
    unsigned long mfn = frame(w), other;
    xen_pfn_t gdt[1] = {mfn};

    switch (what) {
    case 0:
        return change_entries(w);
    case 1:
        return map_page(w);
    case 2:
        return ext(pins[next(w) % 4], mfn, 0);
    case 3:
        return ext(MMUEXT_UNPIN_TABLE, mfn, 0);
    case 4:
        other = frame(w);
        return ext(next(w) % 2 ? MMUEXT_CLEAR_PAGE : MMUEXT_COPY_PAGE, mfn, other);
    case 5:
        return next(w) % 8 ? 0 : exchange_page(w);
    case 6:
        other = next(w) % 512 * 8;
        return HYPERVISOR_update_descriptor(((uint64_t)mfn << 12) + other, next(w) * 0x100000001b3ULL);
    default:
        return next(w) % 16 ? 0 : HYPERVISOR_set_gdt(gdt, 0) & ~1L;
    }
}

static void work(void *arg)
{
    struct worker *w = arg;

    for (unsigned int i = 0; i < ROUNDS / w->cpus; i++) {
        unsigned int what = next(w) % 7;
        long rc = one(w, what);

        __atomic_add_fetch(rc < 0 ? &refused[what] : &accepted[what], 1, __ATOMIC_RELAXED);
        if (i % 3 == 0 && w->cpu == 0)
            scribble(w);
    }
    __atomic_add_fetch(&finished, 1, __ATOMIC_SEQ_CST);
}

/* The hypervisor's console ring holds the audit's last line. */
static bool audit_is_clean(bool *known)
{
    static char ring[16384];
    struct xen_sysctl op = {.cmd = XEN_SYSCTL_debug_keys, .interface_version = XEN_SYSCTL_INTERFACE_VERSION};
    char key = 'f', *found = NULL, *p;

    *known = false;
    set_xen_guest_handle(op.u.debug_keys.keys, &key);
    op.u.debug_keys.nr_keys = 1;
    if (pv_hypercall1(__HYPERVISOR_sysctl, (unsigned long)&op))
        return false;
    op = (struct xen_sysctl){.cmd = XEN_SYSCTL_readconsole, .interface_version = XEN_SYSCTL_INTERFACE_VERSION};
    set_xen_guest_handle(op.u.readconsole.buffer, ring);
    op.u.readconsole.count = sizeof(ring) - 1;
    if (pv_hypercall1(__HYPERVISOR_sysctl, (unsigned long)&op))
        return false;
    for (p = ring; (p = strstr(p, "frame audit:")) != NULL; p++)
        found = p;
    *known = found != NULL;
    return found != NULL && strstr(found, ", 0 wrong") != NULL;
}

static void test_stress(void)
{
    unsigned int cpus = smp_cpu_count();
    bool known, clean;

    if (cpus > 8)
        cpus = 8;
    check_group("random operations");
    for (unsigned int i = 0; i < POOL; i++) {
        char *page = pages_alloc(1);
        pool[i] = virt_to_mfn(page);
        HYPERVISOR_update_va_mapping((unsigned long)page, 0, UVMF_INVLPG | UVMF_ALL);
    }
    for (unsigned int i = 0; i < cpus; i++) {
        window = vspace_alloc(POOL);
        for (unsigned int j = 0; j < POOL; j++)
            pte_write(window + j * PAGE_SIZE, pte_make(pool[j], PTE_KERNEL_RW));
        workers[i] = (struct worker){.cpu = i, .cpus = cpus, .seed = 12345 + i, .window = window};
    }
    for (unsigned int i = 1; i < cpus; i++)
        CHECK_EQ(smp_start(i, work, &workers[i]), 0, "a vCPU starts");
    work(&workers[0]);
    while (finished < cpus)
        HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
    for (unsigned int i = 0; i < 7; i++)
        printf("  operation %u: %lu accepted, %lu refused\n", i, accepted[i], refused[i]);
    CHECK(accepted[0] && accepted[1] && accepted[2] && accepted[3], "some of everything was accepted");
    CHECK(refused[0] && refused[1] && refused[2] && refused[3], "and some of everything refused");
    clean = audit_is_clean(&known);
    if (known)
        CHECK(clean, "every frame's counts are right in the end");
}

#define TAKES 4000

static struct {
    volatile unsigned long *written, *looked_at; /* two mappings of one page */
    volatile bool runs, ended;
} shared;

/* Its page is away for a moment: once more. */
static bool wait_for_page(struct trap_frame *frame)
{
    return (trap_cr2() & PAGE_MASK) == (unsigned long)shared.written;
}

static void count_on(void *unused)
{
    while (shared.runs)
        ++*shared.written;
    shared.ended = true;
}

/* A kernel takes an entry away by one atomic exchange and asks it whether the page was written. If the processor's mark
 * can get lost in between, what a program wrote to a file never reaches the disk. */
static void test_taken_entries(void)
{
    struct mmuext_op flush = {.cmd = MMUEXT_TLB_FLUSH_ALL};
    trap_handler_t *before;
    unsigned int lost = 0;
    uint64_t *slot;
    xen_pfn_t mfn;
    char *page;

    check_group("an entry that is taken away");
    if (smp_cpu_count() < 2)
        return;
    page = pages_alloc(1);
    mfn = virt_to_mfn(page);
    shared.looked_at = (volatile unsigned long *)page;
    shared.written = map_frames(&mfn, 1, DOMID_SELF, PTE_KERNEL_RW, NULL);
    slot = (uint64_t *)((char *)pfn_to_virt(mfn_to_pfn(pte_slot((void *)shared.written) >> PAGE_SHIFT)) +
                        (pte_slot((void *)shared.written) & (PAGE_SIZE - 1)));
    before = trap_set_handler(TRAP_PF, wait_for_page);
    shared.runs = true;
    while (smp_is_up(1))
        HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
    pte_write((void *)shared.written, 0); /* so that no translation marked as written is left from before */
    CHECK_EQ(smp_start(1, count_on, NULL), 0, "a vCPU writes to a page all the time");
    for (unsigned int i = 0; i < TAKES; i++) {
        unsigned long was, is;
        uint64_t taken;

        pte_write((void *)shared.written, pte_make(mfn, PTE_KERNEL_RW & ~(uint64_t)PTE_D));
        was = *shared.looked_at;
#ifdef __x86_64__
        taken = __atomic_exchange_n(slot, 0, __ATOMIC_SEQ_CST);
#else
        taken = __atomic_exchange_n((uint32_t *)slot, 0, __ATOMIC_SEQ_CST);
#endif
        HYPERVISOR_mmuext_op(&flush, 1, NULL, DOMID_SELF);
        is = *shared.looked_at;
        lost += is != was && !(taken & PTE_D);
    }
    shared.runs = false;
    pte_write((void *)shared.written, pte_make(mfn, PTE_KERNEL_RW));
    while (!shared.ended)
        HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
    trap_set_handler(TRAP_PF, before);
    CHECK_EQ(lost, 0, "tells of every write to its page");
}

int main(int argc, char **argv)
{
    CHECK_EQ(HYPERVISOR_vm_assist(VMASST_CMD_enable, VMASST_TYPE_writable_pagetables), 0, "tables may be written to");
    test_stress();
    test_taken_entries();
    check_summary("mmu_stress");
    return 0;
}
