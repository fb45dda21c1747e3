/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Linear mappings: a read-only entry of a page table that points to a table of the same level, so that the kernel sees
 * entries as memory. An entry for the table itself holds nothing. One for another table holds references like any, and
 * is counted here at both ends: a table that has such entries is not the target of any, so that releasing one can reach
 * one more table of the level, and never a chain of them. Callers hold the domain's page lock.
 *
 * A linear mapping of level 4 shows our part of the address space as well, one level down, and read-only. User mode is
 * kept out by our entries' supervisor bit, but not our own copies for a guest: once such a slot was part of an address
 * space, those refuse its addresses for the rest of the domain's life.
 */
#include "internal.h"
#include "guest_access.h"

#define SLOTS_ORDER 1
#define SLOTS       ((PAGE_SIZE << SLOTS_ORDER) / sizeof(struct linear_count))
#define PROBES      32

struct linear_count {
    u32 frame;
    s32 count; /* positive: entries it has; negative: entries that point to it; 0: free slot */
};

bool same_level(enum frame_type a, enum frame_type b)
{
    return (a == FRAME_L2_COMPAT ? FRAME_L2 : a) == (b == FRAME_L2_COMPAT ? FRAME_L2 : b);
}

/* The slot of a frame, else a free one, else NULL. */
static struct linear_count *find(struct domain *d, mfn_t mfn)
{
    struct linear_count *free = NULL;
    if (d->mm.linear == NULL && (d->mm.linear = hv_alloc_pages(SLOTS_ORDER)) == NULL)
        return NULL;
    for (unsigned i = 0; i < PROBES; i++) {
        struct linear_count *slot = &d->mm.linear[(mfn.value * 31 + i) % SLOTS];
        if (slot->count && slot->frame == mfn.value)
            return slot;
        if (slot->count == 0 && free == NULL)
            free = slot;
    }
    return free;
}

static void add(struct linear_count *slot, mfn_t mfn, int change)
{
    slot->frame = (u32)mfn.value;
    slot->count += change;
}

static bool enter(struct domain *d, mfn_t table, mfn_t target)
{
    struct linear_count *from = find(d, table), *to;
    if (from == NULL || from->count < 0)
        return false;
    add(from, table, 1);
    to = find(d, target);
    if (to == NULL || to->count > 0) {
        add(from, table, -1);
        return false;
    }
    add(to, target, -1);
    return true;
}

void linear_leave(struct domain *d, mfn_t table, mfn_t target)
{
    struct linear_count *from = find(d, table);
    BUG_ON(from == NULL || from->count <= 0);
    add(from, table, -1);
    struct linear_count *to = find(d, target);
    BUG_ON(to == NULL || to->count >= 0);
    add(to, target, 1);
}

/* The caller holds a general reference to target. Takes a type reference, if target is validated at that level. */
bool linear_get(struct domain *d, enum frame_type type, mfn_t table, mfn_t target, u64 entry)
{
    if ((entry & PTE_RW) || !enter(d, table, target))
        return false;
    u64 word = frame_word(target);
    while (same_level(fw_type(word), type) && (word & FW_STATE_MASK) == FW_VALID(fw_type(word)) &&
           fw_count(word) != 0 && (word & FW_COUNT_MASK) != FW_COUNT_MASK)
        if (frame_swap(target, &word, word + FW_COUNT_ONE))
            return true;
    linear_leave(d, table, target);
    return false;
}

void linear_free(struct domain *d)
{
    if (d->mm.linear)
        hv_free_pages(d->mm.linear, SLOTS_ORDER);
    d->mm.linear = NULL;
}

void linear_set_range(struct vcpu *v)
{
    u64 any = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(v->domain->mm.linear_slots); i++)
        any |= v->domain->mm.linear_slots[i];
    v->mm.copy_end = any ? 0 : v->is_32bit ? 1UL << 32 : 1UL << 47;
    v->mm.copy_start = any || v->is_32bit ? ~0UL : HV_VIRT_END;
    v->mm.words_hole = any ? ~0UL : GUEST_WORDS_HOLE;
}

/* No CPU is in the middle of a copy when it serves a flush: one that begins later knows of the slot. */
static void close_slot(struct domain *d, unsigned slot)
{
    u64 *word = &d->mm.linear_slots[slot / 64], bit = 1UL << slot % 64;
    if (*word & bit)
        return;
    *word |= bit;
    for (unsigned i = 0; i < d->max_vcpus; i++)
        if (d->vcpus[i])
            linear_set_range(d->vcpus[i]);
    flush_tlb_mask(domain_dirty_mask(d));
}

void linear_note_slot(struct domain *d, mfn_t table, unsigned slot)
{
    d->mm.linear_tops = true;
    for (unsigned i = 0; i < d->max_vcpus; i++) {
        const struct vcpu *v = d->vcpus[i];
        if (v && (mfn_equal(v->mm.kernel_table, table) || mfn_equal(v->mm.user_table, table)))
            close_slot(d, slot);
    }
}

void linear_note_base(struct domain *d, mfn_t table)
{
    const u64 *entries = mfn_to_virt(table);
    for (unsigned slot = 0; slot < PAGE_SIZE / sizeof(u64); slot++)
        if ((slot < HV_SLOT_FIRST || slot > HV_SLOT_LAST) && (entries[slot] & PTE_P) &&
            page_type(pte_mfn(entries[slot])) == FRAME_L4)
            close_slot(d, slot);
}

bool linear_range_ok(unsigned long va, unsigned long end)
{
    const struct domain *d = current->domain;
    if (end < va || d->is_32bit || (end > 1UL << 47 && va < HV_VIRT_END))
        return false;
    for (unsigned long slot = va >> 39; slot <= (end - (end > va)) >> 39; slot++)
        if (d->mm.linear_slots[slot % 512 / 64] >> slot % 64 & 1)
            return false;
    return true;
}
