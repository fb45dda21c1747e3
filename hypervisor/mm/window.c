/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The GDT and LDT of the current vCPU, as its CPU sees them: each CPU has a window (layout.h) of level-1 entries that
 * change with the vCPU. GDT frames are there from set_gdt on. LDT pages come on demand, at the first fault, and go when
 * the guest changes anything about them. Each frame in use holds a general reference and one of type DESCRIPTOR.
 * ldt_lock guards ldt_frames and ldt_mapped; whoever clears a page of a vCPU that runs elsewhere flushes that CPU
 * before the references go.
 */
#include "internal.h"
#include "guest_access.h"

#define WINDOW_FLAGS (PTE_P | PTE_RW | PTE_A | PTE_D | PTE_NX)
#define EMPTY_FLAGS  (PTE_P | PTE_A | PTE_NX)
#define GDT_PAGES    14

static u64 *window_entries(unsigned cpu)
{
    return hv_l1e(WINDOWS_START + cpu * (unsigned long)WINDOW_SIZE, false);
}

static bool runs_here(const struct vcpu *v)
{
    return v == current;
}

static unsigned gdt_pages(const struct vcpu *v)
{
    return (v->gdt_entries + 511) / 512;
}

/* Where the guest has no frame the CPU finds empty descriptors: to ask about one of them is no fault. */
static u8 no_descriptors[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

static void load_gdt(const struct vcpu *v, u64 *entries)
{
    unsigned long count = v->idle ? 0 : gdt_pages(v), rest = GDT_PAGES - count;
    for (unsigned long i = 0; i < count; i++)
        *entries++ = pte_of(v->gdt_frames[i], WINDOW_FLAGS);
    __asm__ volatile("rep stosq"
                     : "+D"(entries), "+c"(rest)
                     : "a"((unsigned long)no_descriptors - IMAGE_START + IMAGE_PHYS + EMPTY_FLAGS)
                     : "memory");
}

/* The CR3 load that follows flushes the old translations. Once prev's entries are gone nobody looks at its LDT from
 * this CPU. */
void mm_switch_windows(struct vcpu *prev, struct vcpu *next)
{
    u64 *entries = window_entries(this_cpu()->cpu), *ldt = entries + WINDOW_LDT / PAGE_SIZE;
    load_gdt(next, entries);
    if (prev->ldt_mapped)
        memset(ldt, 0, 16 * sizeof(*ldt));
    if (next->idle || !next->ldt_mapped)
        return;
    spin_lock(&next->ldt_lock);
    for (unsigned i = 0; i < 16; i++)
        ldt[i] = next->ldt_mapped >> i & 1 ? pte_of(mfn_of(next->ldt_frames[i]), WINDOW_FLAGS) : 0;
    spin_unlock(&next->ldt_lock);
}

void destroy_gdt(struct vcpu *v)
{
    unsigned count = gdt_pages(v);
    v->gdt_entries = 0;
    if (count && runs_here(v)) {
        load_gdt(v, window_entries(this_cpu()->cpu));
        flush_tlb_local();
    }
    for (unsigned i = 0; i < count; i++)
        page_put_and_type(v->gdt_frames[i]);
}

/* Frames are checked by the reference; on failure the old GDT stays. */
long set_gdt_frames(struct vcpu *v, const u64 *frames, unsigned entries)
{
    unsigned count = (entries + 511) / 512;
    if (entries > FIRST_RESERVED_GDT_ENTRY)
        return -EINVAL;
    for (unsigned i = 0; i < count; i++) {
        if (page_get_and_type(mfn_of(frames[i]), v->domain, FRAME_DESCRIPTOR, false) == 0)
            continue;
        while (i-- > 0)
            page_put_and_type(mfn_of(frames[i]));
        return -EINVAL;
    }
    destroy_gdt(v);
    for (unsigned i = 0; i < count; i++)
        v->gdt_frames[i] = mfn_of(frames[i]);
    v->gdt_entries = entries;
    if (runs_here(v)) {
        load_gdt(v, window_entries(this_cpu()->cpu));
        flush_tlb_local();
    }
    return 0;
}

void invalidate_ldt(struct vcpu *v)
{
    u32 frames[16];
    spin_lock(&v->ldt_lock);
    /* Asked before ldt_mapped is cleared: a CPU that leaves v meanwhile clears its window by that, or is still on it. And
     * the window is cleared before: a CPU that finds nothing mapped leaves it to whom it takes up next. */
    bool runs = runs_here(v) || __atomic_load_n(&v->sched.on_cpu, __ATOMIC_SEQ_CST);
    unsigned cpu = READ_ONCE(v->processor);
    u32 mapped = v->ldt_mapped;
    memcpy(frames, v->ldt_frames, sizeof(frames));
    if (mapped && runs)
        memset(window_entries(cpu) + WINDOW_LDT / PAGE_SIZE, 0, 16 * sizeof(u64));
    __atomic_store_n(&v->ldt_mapped, 0, __ATOMIC_RELEASE);
    spin_unlock(&v->ldt_lock);
    if (mapped == 0)
        return;
    if (runs)
        flush_tlb_mask(1U << cpu);
    for (unsigned i = 0; i < 16; i++)
        if (mapped >> i & 1)
            page_put_and_type(mfn_of(frames[i]));
}

/* The frame behind page `page` of v's LDT, with both references; v is current. */
static bool take_ldt_frame(struct vcpu *v, unsigned page, mfn_t *mfn)
{
    struct domain *d = v->domain;
    unsigned long va = v->ldt_base + page * PAGE_SIZE;
    if (v->is_32bit)
        va = (u32)va;
    spin_lock(&d->mm.page_lock);
    u64 *entry = guest_l1e(v, va);
    u64 e = entry ? READ_ONCE(*entry) : 0;
    bool ok = (e & PTE_P) && page_get_and_type(pte_mfn(e), d, FRAME_DESCRIPTOR, false) == 0;
    spin_unlock(&d->mm.page_lock);
    *mfn = pte_mfn(e);
    return ok;
}

bool mm_fixup_ldt_fault(struct vcpu *v, unsigned long offset)
{
    unsigned page = offset >> PAGE_SHIFT;
    mfn_t mfn;
    if (offset / 8 >= v->ldt_entries || page >= 16)
        return false;
    u64 *entry = &window_entries(this_cpu()->cpu)[WINDOW_LDT / PAGE_SIZE + page];
    spin_lock(&v->ldt_lock);
    bool mapped = v->ldt_mapped >> page & 1, lost = mapped && !(*entry & PTE_P);
    if (lost) /* invalidate_ldt meant another vCPU, which had just left this CPU */
        *entry = pte_of(mfn_of(v->ldt_frames[page]), WINDOW_FLAGS);
    spin_unlock(&v->ldt_lock);
    if (mapped || !take_ldt_frame(v, page, &mfn))
        return lost;
    spin_lock(&v->ldt_lock);
    v->ldt_frames[page] = (u32)mfn.value;
    v->ldt_mapped |= 1U << page;
    *entry = pte_of(mfn, WINDOW_FLAGS);
    spin_unlock(&v->ldt_lock);
    return true;
}
