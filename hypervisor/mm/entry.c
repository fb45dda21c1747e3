/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * One page-table entry: which values a guest may have there, which references they hold, and how one is replaced.
 *
 * Level 1: RAM of the page owner the caller named (a general reference, with a type reference WRITABLE if the entry is
 * read-write); frames that are not RAM for a domain trusted with devices; the M2P, read-only, as DOMID_XEN's. Higher
 * levels: a table of the level below, of the domain itself, or, read-only, a table of the same level (linear.c).
 * 64-bit kernels run in ring 3, so USER is forced into their entries; as on Xen, GUEST_KERNEL then tells what they asked
 * for, and all other leaves are GLOBAL. That has no effect: the hypervisor leaves CR4.PGE clear. Other software bits are
 * the guest's.
 */
#include "internal.h"

#define LAPIC_FRAME        0xFEE00UL
#define IOAPIC_FRAME       0xFEC00UL
#define HYPERTRANSPORT     0xFD00000UL /* AMD CPUs keep these 12 GiB for themselves */
#define HYPERTRANSPORT_END 0x10000000UL

static u64 disallowed_l1(const struct domain *d)
{
    return d->iopl_trusted ? 0 : PTE_CACHE;
}

/* Also for addresses that the CPU does not have: a mapping of those would fault with a reserved bit. */
static COLD int io_get(mfn_t mfn, const struct domain *mapper, unsigned owner)
{
    if (mfn.value == PTE_ADDRESS >> PAGE_SHIFT)
        return -EINVAL;
    if (!mapper->iopl_trusted || (owner != mapper->id && owner != OWNER_IO))
        return -EPERM;
    if (mfn.value == LAPIC_FRAME || mfn.value == IOAPIC_FRAME ||
        (mfn.value >= HYPERTRANSPORT && mfn.value < HYPERTRANSPORT_END) ||
        (mfn.value << PAGE_SHIFT & pte_disallowed_address))
        return -EPERM;
    return 0;
}

/* What is ours is closed but for the M2P, which all may read. */
static int m2p_frame_get(u64 entry, mfn_t mfn, u64 word)
{
    if ((entry & PTE_RW) || mfn.value < m2p_first.value || mfn.value >= m2p_end.value)
        return -EBUSY;
    do
        if (!fw_refs_room(word))
            return -EBUSY;
    while (!frame_swap(mfn, &word, word + 1));
    return 0;
}

static COLD __attribute__((noinline)) int l1e_get_slow(u64 entry, mfn_t mfn, const struct domain *mapper,
                                                       unsigned owner)
{
    u64 word = mfn_valid(mfn) ? frame_word(mfn) : 0;
    if (!mfn_valid(mfn) || (fw_type(word) != FRAME_FREE && fw_owner(word) == OWNER_IO))
        return io_get(mfn, mapper, owner);
    if (owner == OWNER_XEN && (word & FW_SHARED) && fw_owner(word) == domain_zero->id &&
        fw_type(word) <= FRAME_WRITABLE)
        owner = domain_zero->id; /* a trace ring */
    if (owner == OWNER_XEN)
        return m2p_frame_get(entry, mfn, word);
    if (owner == OWNER_IO || owner == OWNER_NONE)
        return -EBUSY;
    struct domain *d = owner_domain(owner);
    if (d == NULL || !page_get(mfn, d))
        return -EBUSY;
    if ((entry & PTE_RW) && frame_get_type(mfn, d, FRAME_WRITABLE, false)) {
        page_put(mfn);
        return -EBUSY;
    }
    return 0;
}

#define PTE_GUEST_KERNEL (1UL << 52)

u64 l1e_adjust(const struct domain *d, u64 entry)
{
    if (d->is_32bit)
        return entry;
    if (!(entry & PTE_US))
        return entry | PTE_US | PTE_GUEST_KERNEL;
    return entry & PTE_GUEST_KERNEL ? entry & ~PTE_G : entry | PTE_G;
}

/* The common case: the frame is RAM of `owner`, in use, and, for a writable entry, of type WRITABLE already. Carry out
 * of the sum says that the type count is full. */
IN_PLACE bool l1e_get_fast(u64 entry, unsigned owner)
{
    mfn_t mfn = pte_mfn(entry);
    if (unlikely(!mfn_valid(mfn)))
        return false;
    u64 word = frame_word(mfn), next;
    do {
        u64 differs = word ^ (FW_OWNER(owner) | FW_VALID(FRAME_WRITABLE));
        bool writable = entry & PTE_RW;
        if (writable ? differs & (FW_OWNER_MASK | FW_STATE_MASK)
                     : (differs & FW_OWNER_MASK) || fw_type(word) == FRAME_FREE)
            return false;
        if (unlikely(!fw_refs_room(word) || __builtin_add_overflow(word, writable ? FW_COUNT_ONE + 1 : 1, &next)))
            return false;
    } while (unlikely(!frame_swap(mfn, &word, next)));
    return true;
}

/* 0, -EINVAL (flags, or all bits of the address), -EPERM (not RAM), -EBUSY (another's frame, or in use under a type that
 * forbids writing). */
IN_PLACE int take_l1e(u64 *entry, struct domain *mapper, unsigned owner)
{
    u64 e = *entry;
    if (unlikely(e & disallowed_l1(mapper)))
        return -EINVAL;
    *entry = l1e_adjust(mapper, e);
    return likely(owner < OWNER_IO && l1e_get_fast(e, owner)) ? 0 : l1e_get_slow(e, pte_mfn(e), mapper, owner);
}

int l1e_get(u64 *entry, struct domain *mapper, unsigned owner)
{
    return take_l1e(entry, mapper, owner);
}

static COLD void drop_ldts(struct domain *d)
{
    for (unsigned i = 0; i < d->max_vcpus; i++)
        if (d->vcpus[i] && d->vcpus[i]->ldt_mapped)
            invalidate_ldt(d->vcpus[i]);
}

static COLD __attribute__((noinline)) void l1e_put_slow(u64 entry, struct domain *mapper)
{
    mfn_t mfn = pte_mfn(entry);
    if (unlikely(!mfn_valid(mfn)))
        return;
    u64 word = frame_word(mfn);
    if (unlikely(fw_owner(word) == OWNER_IO))
        return;
    u64 take = entry & PTE_RW ? FW_COUNT_ONE + 1 : 1;
    if (unlikely(fw_type(word) == FRAME_DESCRIPTOR && fw_count(word) != 0 && fw_owner(word) == mapper->id)) {
        drop_ldts(mapper);
        word = frame_word(mfn);
    }
    /* The owner holds another lock, and may use the frame otherwise as soon as it is let go: the mark comes before. */
    bool foreign = fw_owner(word) != mapper->id;
    if (foreign) {
        mark_stale(mapper);
        if (unlikely(logging_domains) && (entry & PTE_RW))
            frame_written(mfn);
    }
    do { /* or be made a table as soon as the count is zero: of its own CPUs, too, some may still write to it */
        if (take != 1 && fw_count(word) == 1)
            mark_stale(foreign ? owner_domain(fw_owner(word)) : mapper);
    } while (!frame_swap(mfn, &word, word - take));
    word -= take;
    if (unlikely((word & FW_REF_MASK) == 0))
        owned_frame_released(mfn, word);
}

/* The common case: a frame of the mapper's own, and no count of it ends. A writable entry's type reference says that the
 * frame is WRITABLE; the frame of any other may be a descriptor table. */
IN_PLACE bool l1e_put_fast(u64 entry, unsigned owner)
{
    mfn_t mfn = pte_mfn(entry);
    if (unlikely(!mfn_valid(mfn)))
        return false;
    u64 word = frame_word(mfn), take = entry & PTE_RW ? FW_COUNT_ONE + 1 : 1;
    do {
        if ((word & FW_OWNER_MASK) != FW_OWNER(owner) || (word & FW_REF_MASK) <= 1)
            return false;
        if (entry & PTE_RW ? word < 2 * FW_COUNT_ONE : fw_type(word) == FRAME_DESCRIPTOR)
            return false;
    } while (unlikely(!frame_swap(mfn, &word, word - take)));
    return true;
}

IN_PLACE void drop_l1e(u64 entry, struct domain *mapper)
{
    if (unlikely(!l1e_put_fast(entry, mapper->id)))
        l1e_put_slow(entry, mapper);
}

void l1e_put(u64 entry, struct domain *mapper)
{
    drop_l1e(entry, mapper);
}

#define GROUP 8 /* entries looked at together: most tables are mostly empty */

IN_PLACE bool group_is_empty(const u64 *at)
{
    return !((at[0] | at[1] | at[2] | at[3] | at[4] | at[5] | at[6] | at[7]) & PTE_P);
}

/* Entries [0, count) of a table that is BUSY. */
void l1_put_entries(const u64 *table, unsigned count, struct domain *d)
{
    for (unsigned i = 0; i < count; i++) {
        if (i % GROUP == 0 && i + GROUP <= count && group_is_empty(table + i))
            i += GROUP - 1;
        else if (table[i] & PTE_P)
            drop_l1e(table[i], d);
    }
}

/* All entries, or none: 0 or what l1e_get says of the first that is no good. */
int l1_get_entries(u64 *table, struct domain *d)
{
    for (unsigned i = 0; i < 512; i++) {
        if (i % GROUP == 0 && group_is_empty(table + i)) {
            i += GROUP - 1;
        } else if (table[i] & PTE_P) {
            u64 entry = table[i];
            int rc = take_l1e(&entry, d, d->id);
            if (unlikely(rc)) {
                l1_put_entries(table, i, d);
                return rc;
            }
            table[i] = entry;
        }
    }
    return 0;
}

static void store_keeping_ad(u64 *entry, u64 value)
{
    u64 old = READ_ONCE(*entry);
    while (!__atomic_compare_exchange_n(entry, &old, value | (old & (PTE_A | PTE_D)), false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST))
        ;
}

/* Either way the CPU waits until others see it: mark_stale must not ask before which of them may hold the old one. */
IN_PLACE void store(struct domain *d, u64 *entry, u64 value, unsigned flags)
{
    if (unlikely(flags & KEEP_AD) && (value & PTE_P))
        store_keeping_ad(entry, value);
    else
        __atomic_store_n(entry, value, __ATOMIC_SEQ_CST);
    entry_stored(d, entry);
}

#define L1_SIGNIFICANT (PTE_P | PTE_RW | PTE_CACHE | PTE_ADDRESS)

int l1_update(struct domain *d, u64 *entry, u64 value, unsigned owner, unsigned flags)
{
    u64 old = READ_ONCE(*entry);
    if (value & PTE_P) {
        if (((old ^ value) & L1_SIGNIFICANT) == 0) { /* the same references */
            if (value & disallowed_l1(d))
                return -EINVAL;
            store(d, entry, l1e_adjust(d, value), flags);
            return 0;
        }
        int rc = take_l1e(&value, d, owner);
        if (rc)
            return rc;
    }
    store(d, entry, value, flags);
    if (old & PTE_P)
        drop_l1e(old, d);
    return 0;
}

/* As an atomic instruction does: -EAGAIN when the entry is not `old` any more, since the CPU sets bits in it. */
COLD int l1_exchange(struct domain *d, u64 *entry, u64 old, u64 value)
{
    bool same = ((old ^ value) & L1_SIGNIFICANT) == 0;
    u64 gone = old;
    int rc = 0;
    if (value & PTE_P) {
        if (!same)
            rc = l1e_get(&value, d, d->id);
        else if (value & disallowed_l1(d))
            rc = -EINVAL;
        else
            value = l1e_adjust(d, value);
    }
    if (rc)
        return rc;
    if (!__atomic_compare_exchange_n(entry, &old, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
        rc = -EAGAIN;
        gone = value;
    }
    entry_stored(d, entry);
    if (!same && (gone & PTE_P))
        l1e_put(gone, d);
    return rc;
}

#define UPPER_DISALLOWED     (PTE_CACHE | PTE_G)
#define COMPAT_L3_DISALLOWED (UPPER_DISALLOWED | 0xFFF0000000000000UL)

static u64 disallowed_upper(const struct domain *d, enum frame_type type)
{
    return pte_disallowed_address | (d->is_32bit && type == FRAME_L3 ? COMPAT_L3_DISALLOWED : UPPER_DISALLOWED);
}

static u64 upper_adjust(const struct domain *d, enum frame_type type, u64 entry)
{
    if (!d->is_32bit)
        return entry | PTE_US | (type == FRAME_L4 ? PTE_A : 0);
    return type == FRAME_L3 ? entry | PTE_US | PTE_RW : entry;
}

enum frame_type child_type(const struct domain *d, enum frame_type type, unsigned slot)
{
    switch (type) {
    case FRAME_L4:
        return FRAME_L3;
    case FRAME_L3:
        return d->is_32bit && slot == 3 ? FRAME_L2_COMPAT : FRAME_L2;
    default:
        return FRAME_L1;
    }
}

COLD int upper_get(u64 *entry, struct domain *d, enum frame_type type, mfn_t table, unsigned slot, bool preemptible)
{
    u64 e = *entry;
    if (e & disallowed_upper(d, type))
        return -EINVAL;
    mfn_t mfn = pte_mfn(e);
    if (mfn_equal(mfn, table) && !(e & PTE_RW) && !(d->is_32bit && type == FRAME_L3)) {
        if (type == FRAME_L4)
            linear_note_slot(d, table, slot);
        *entry = upper_adjust(d, type, e);
        return 0;
    }
    if (!page_get(mfn, d))
        return -EINVAL;
    enum frame_type child = child_type(d, type, slot);
    int rc = frame_get_type(mfn, d, child, preemptible);
    if (rc == -EINVAL && !(d->is_32bit && type == FRAME_L3) && linear_get(d, type, table, mfn, e)) {
        if (type == FRAME_L4)
            linear_note_slot(d, table, slot);
        *entry = upper_adjust(d, type, e);
        return 0;
    }
    if (rc == 0 && child == FRAME_L2_COMPAT && fw_count(frame_word(mfn)) != 1) {
        page_put_type(mfn); /* the fourth L2 belongs to one L3 alone */
        rc = -EINVAL;
    }
    if (rc)
        page_put(mfn);
    else
        *entry = upper_adjust(d, type, e);
    return rc;
}

/* The reference is gone in any case; -ERESTART: the child is partial and somebody must continue. */
COLD int upper_put(u64 entry, struct domain *d, mfn_t table, bool preemptible)
{
    mfn_t mfn = pte_mfn(entry);
    if (mfn_equal(mfn, table))
        return 0;
    int rc = 0;
    if (unlikely(same_level(page_type(mfn), page_type(table))))
        linear_leave(d, table, mfn);
    if (preemptible)
        rc = page_put_type_preemptible(mfn);
    else
        page_put_type(mfn);
    page_put(mfn);
    return rc;
}

static int slot_check(const struct domain *d, enum frame_type type, unsigned slot)
{
    if (type == FRAME_L2_COMPAT)
        return slot < COMPAT_L2_FIRST_HV_SLOT ? 0 : -EPERM;
    if (type == FRAME_L3 && d->is_32bit)
        return slot < 3 ? 0 : -EINVAL;
    if (type == FRAME_L4)
        return slot < HV_SLOT_FIRST || slot > HV_SLOT_LAST ? 0 : -EINVAL;
    return 0;
}

COLD int upper_update(struct domain *d, enum frame_type type, mfn_t table, u64 *entry, u64 value, unsigned flags)
{
    unsigned slot = ((unsigned long)entry & ~PAGE_MASK) / sizeof(*entry);
    int rc = slot_check(d, type, slot);
    if (rc)
        return rc;
    u64 old = READ_ONCE(*entry);
    if (value & PTE_P) {
        if (((old ^ value) & (PTE_P | PTE_RW | PTE_ADDRESS)) == 0) { /* the same references */
            if (value & disallowed_upper(d, type))
                return -EINVAL;
            store(d, entry, upper_adjust(d, type, value), flags);
            return 0;
        }
        rc = upper_get(&value, d, type, table, slot, true);
        if (rc) {
            if (rc != -ERESTART && page_get(pte_mfn(value), d)) {
                give_back_partial(pte_mfn(value), d);
                page_put(pte_mfn(value));
            }
            return rc;
        }
    }
    store(d, entry, value, flags);
    if ((old & PTE_P) && !mfn_equal(pte_mfn(old), table)) {
        if (unlikely(same_level(page_type(pte_mfn(old)), type)))
            linear_leave(d, table, pte_mfn(old));
        table_release(d, pte_mfn(old));
    }
    return 0;
}
