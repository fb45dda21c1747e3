/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The base tables of a vCPU. 64-bit: a level-4 table for the kernel and one for user mode, loaded as they are. 32-bit:
 * a level-3 table of four entries, hung under the first slot of a level-4 table of ours. Each holds a general and a
 * type reference.
 */
#include "internal.h"

int vcpu_mm_init(struct vcpu *v)
{
    linear_set_range(v);
    v->mm.kernel_table = v->mm.user_table = v->mm.old_table = mfn_of(INVALID_FRAME);
    return 0;
}

void vcpu_mm_destroy(struct vcpu *v)
{
    vcpu_drop_bases(v);
    if (v->mm.compat_l4)
        hv_free_pages(v->mm.compat_l4, 0);
    v->mm.compat_l4 = NULL;
}

void vcpu_update_cr3(struct vcpu *v)
{
    mfn_t table = v->is_32bit || v->kernel_mode ? v->mm.kernel_table : v->mm.user_table;
    bool none = table.value == INVALID_FRAME;
    if (v->is_32bit && v->mm.compat_l4)
        v->mm.cr3 = virt_to_maddr(v->mm.compat_l4);
    else
        v->mm.cr3 = none ? 0 : table.value << PAGE_SHIFT;
    if (unlikely(v->domain->mm.shadow != NULL) && !none)
        shadow_set_root(v);
    else if (v->is_32bit && v->mm.compat_l4)
        v->mm.compat_l4[0] = none ? 0 : pte_of(table, PTE_TABLE);
}

static int make_compat_l4(struct vcpu *v)
{
    if (v->mm.compat_l4)
        return 0;
    v->mm.compat_l4 = hv_alloc_pages(0);
    if (v->mm.compat_l4 == NULL)
        return -ENOMEM;
    hv_fill_l4(v->mm.compat_l4, true);
    return 0;
}

/* A kernel sees the M2P. Programs see it only in a table that is the kernel's as well, and if that did not ask for more
 * (m2p_strict). */
static void show_m2p(const struct domain *d, u64 *l4, bool user)
{
    if (!user)
        l4[HV_SLOT_FIRST] = m2p_l4e;
    else if (d->vm_assist >> VMASST_TYPE_m2p_strict & 1)
        l4[HV_SLOT_FIRST] = 0;
}

/* It becomes the base under the page lock: a linear mapping that appears in it is seen here, or sees that it is one. */
static int take_base(struct vcpu *v, mfn_t *base, mfn_t table, bool preemptible)
{
    struct domain *d = v->domain;
    int rc = v->is_32bit ? make_compat_l4(v) : 0;
    if (rc)
        return rc;
    spin_lock(&d->mm.page_lock);
    rc = page_get_and_type(table, d, v->is_32bit ? FRAME_L3 : FRAME_L4, preemptible);
    if (likely(rc == 0)) {
        *base = table;
        if (!v->is_32bit)
            show_m2p(d, mfn_to_virt(table), base == &v->mm.user_table);
        if (unlikely(d->mm.linear_tops))
            linear_note_base(d, table);
    }
    spin_unlock(&d->mm.page_lock);
    return rc;
}

/* On this CPU now if v runs here: before the old table's references go. */
static void switch_base(struct vcpu *v)
{
    vcpu_update_cr3(v);
    if (v == current)
        mm_load_cr3(v);
}

static void release_base(struct vcpu *v, mfn_t table)
{
    spin_lock(&v->domain->mm.page_lock);
    table_release(v->domain, table);
    spin_unlock(&v->domain->mm.page_lock);
}

/* table INVALID_FRAME with user: none. The old table may be released over several hypercalls (finish_old_table). */
int vcpu_set_base(struct vcpu *v, mfn_t table, bool user, bool preemptible)
{
    mfn_t *base = user ? &v->mm.user_table : &v->mm.kernel_table, old = *base;
    if (user && v->is_32bit)
        return -EINVAL;
    if (mfn_equal(old, table)) {
        switch_base(v);
        return 0;
    }
    if (table.value == INVALID_FRAME) {
        *base = table;
    } else {
        int rc = take_base(v, base, table, preemptible);
        if (rc)
            return rc;
    }
    switch_base(v);
    if (old.value != INVALID_FRAME)
        release_base(v, old);
    return 0;
}

/* Without finishing a long release: the table then stays partial, which rule 5 of frame.c allows for as long as it
 * takes; the end of the domain collects it. */
static void abandon_base(struct vcpu *v, mfn_t table)
{
    spin_lock(&v->domain->mm.page_lock);
    int rc = page_put_type_preemptible(table);
    spin_unlock(&v->domain->mm.page_lock);
    if (rc == 0 || rc == -ERESTART)
        page_put(table);
}

/* Of a vCPU that runs nowhere. */
void vcpu_drop_bases(struct vcpu *v)
{
    mfn_t kernel = v->mm.kernel_table, user = v->mm.user_table, old = v->mm.old_table;
    bool old_pending = old_table_pending(v);
    v->mm.kernel_table = v->mm.user_table = v->mm.old_table = mfn_of(INVALID_FRAME);
    vcpu_update_cr3(v);
    if (old_pending)
        page_put(old);
    if (kernel.value != INVALID_FRAME && kernel.value != 0)
        abandon_base(v, kernel);
    if (user.value != INVALID_FRAME && user.value != 0)
        abandon_base(v, user);
}
