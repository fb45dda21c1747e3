/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Whole tables: taking and dropping the references of all entries. The frame is BUSY meanwhile: no guest can write it,
 * and nobody else validates it. Levels above the first stop between entries when the CPU has something more urgent.
 */
#include "internal.h"
#include "guest_access.h"

unsigned table_entries(const struct domain *d, enum frame_type type)
{
    if (type == FRAME_L2_COMPAT)
        return COMPAT_L2_FIRST_HV_SLOT;
    return type == FRAME_L3 && d->is_32bit ? 4 : 512;
}

static bool is_ours(enum frame_type type, unsigned slot)
{
    return type == FRAME_L4 && slot >= HV_SLOT_FIRST && slot <= HV_SLOT_LAST;
}

/* Before a table is accepted: what no entry alone shows. */
static int precheck(const u64 *table, const struct domain *d, enum frame_type type)
{
    if (type == FRAME_L4)
        return d->is_32bit ? -EINVAL : 0;
    if (type == FRAME_L2_COMPAT)
        return d->is_32bit ? 0 : -EINVAL;
    if (type == FRAME_L3 && d->is_32bit) /* the fourth holds our mappings and must exist */
        return table[3] & PTE_P ? 0 : -EINVAL;
    return 0;
}

/* Our own entries, once the guest's are good. */
static void complete(u64 *table, const struct domain *d, enum frame_type type)
{
    if (type == FRAME_L4)
        hv_fill_l4(table, false);
    else if (type == FRAME_L2_COMPAT)
        memcpy(table + COMPAT_L2_FIRST_HV_SLOT, compat_m2p_l2e, sizeof(compat_m2p_l2e));
    else if (type == FRAME_L3 && d->is_32bit)
        memset(table + 4, 0, PAGE_SIZE - 4 * sizeof(*table));
}

int validate_entries(mfn_t mfn, struct domain *d, enum frame_type type, unsigned *done, bool preemptible)
{
    u64 *table = mfn_to_virt(mfn);
    if (type == FRAME_L1)
        return l1_get_entries(table, d);
    int rc = precheck(table, d, type);
    if (rc)
        return rc;
    unsigned first = *done, count = table_entries(d, type);
    for (unsigned i = first; i < count; i++) {
        u64 entry = table[i];
        if (!(entry & PTE_P) || is_ours(type, i))
            continue;
        *done = i;
        if (i > first && preemptible && hypercall_preempt_check())
            return -ERESTART;
        rc = upper_get(&entry, d, type, mfn, i, preemptible);
        if (rc)
            return rc;
        table[i] = entry;
    }
    complete(table, d, type);
    return 0;
}

/* The entry where work stopped may have a child that was left half done: a table of the level below, or one of the same
 * level behind a linear mapping, which has no such child itself whatever its entries say. */
static int finish_child(mfn_t child, struct domain *d, enum frame_type type, unsigned slot, bool preemptible)
{
    int rc = frame_dismantle_partial(child, d, child_type(d, type, slot), preemptible);
    enum frame_type is = mfn_valid(child) ? page_type(child) : FRAME_NONE;
    if (rc || d->mm.linear_below || !same_level(is, type))
        return rc;
    d->mm.linear_below = true;
    rc = frame_dismantle_partial(child, d, is, preemptible);
    d->mm.linear_below = false;
    return rc;
}

int release_entries(mfn_t mfn, struct domain *d, enum frame_type type, unsigned *done, bool preemptible)
{
    u64 *table = mfn_to_virt(mfn);
    if (type == FRAME_L1) {
        l1_put_entries(table, *done, d);
        *done = 0;
        return 0;
    }
    if (*done < table_entries(d, type) && (table[*done] & PTE_P) && !is_ours(type, *done) &&
        !mfn_equal(pte_mfn(table[*done]), mfn)) {
        int rc = finish_child(pte_mfn(table[*done]), d, type, *done, preemptible);
        if (rc)
            return rc;
    }
    bool progress = false;
    while (*done > 0) {
        u64 entry = table[*done - 1];
        if ((entry & PTE_P) && !is_ours(type, *done - 1)) {
            if (progress && preemptible && hypercall_preempt_check())
                return -ERESTART;
            --*done;
            progress = true;
            int rc = upper_put(entry, d, mfn, preemptible);
            if (rc)
                return rc;
        } else {
            --*done;
        }
    }
    return 0;
}
