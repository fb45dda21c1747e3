/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The audit of the frame table: counts anew the references each frame should have and compares. They are those of every
 * page table (a granted page's mappings are among them), pin, base register and descriptor table, and of what we
 * ourselves keep for a guest: vcpu_info, the pages of the FIFO form of event channels, device mappings by grants. (What
 * else we write for it we find by its address each time, and shadow tables count nothing.) Page locks are held
 * meanwhile, so a count below ours is wrong. One above it is a leak if the frame still has it when no call is on its
 * way: a call on another CPU may hold a reference for a moment.
 */
#include "internal.h"

struct tally {
    u32 references, types;
};

static struct tally *tallies;
static unsigned long wrong, unexplained;

static u64 word_of(mfn_t mfn)
{
    return mfn_valid(mfn) ? frame_word(mfn) : FW_OWNER(OWNER_IO);
}

static void complain(mfn_t mfn, const char *what)
{
    if (++wrong + unexplained <= 20)
        logf(LOG_ERROR, "frame %lx (word %016lx): %s\n", mfn.value, (unsigned long)word_of(mfn), what);
}

static void hold(mfn_t mfn, bool type)
{
    if (!mfn_valid(mfn))
        return;
    tallies[mfn.value].references++;
    tallies[mfn.value].types += type;
}

static void hold_writable(mfn_t mfn)
{
    hold(mfn, true);
}

static bool counts_as(u64 word, enum frame_type type)
{
    return (word & FW_STATE_MASK) == FW_VALID(type) && fw_count(word) != 0;
}

static void tally_leaf(u64 entry)
{
    mfn_t mfn = pte_mfn(entry);
    u64 word = word_of(mfn);
    if (fw_type(word) == FRAME_FREE)
        complain(mfn, "mapped, and free");
    else if (fw_owner(word) != OWNER_IO) {
        hold(mfn, entry & PTE_RW);
        if ((entry & PTE_RW) && !counts_as(word, FRAME_WRITABLE))
            complain(mfn, "writable, of another type");
    }
}

static enum frame_type below(const struct domain *d, enum frame_type type, unsigned slot)
{
    if (type == FRAME_L4)
        return FRAME_L3;
    if (type == FRAME_L3)
        return d->is_32bit && slot == 3 ? FRAME_L2_COMPAT : FRAME_L2;
    return FRAME_L1;
}

static void tally_table(mfn_t mfn, u64 word, const struct domain *d)
{
    const u64 *table = mfn_to_virt(mfn);
    enum frame_type type = fw_type(word);
    unsigned count = word & FW_PARTIAL ? fw_count(word) : table_entries(d, type);
    for (unsigned i = 0; i < count; i++) {
        u64 entry = table[i];
        if (!(entry & PTE_P) || (type == FRAME_L4 && i >= HV_SLOT_FIRST && i <= HV_SLOT_LAST))
            continue;
        if (type == FRAME_L1) {
            tally_leaf(entry);
        } else if (!mfn_equal(pte_mfn(entry), mfn)) {
            hold(pte_mfn(entry), true);
            u64 child = word_of(pte_mfn(entry));
            bool linear = same_level(fw_type(child), type) && counts_as(child, fw_type(child)) && !(entry & PTE_RW);
            if (!linear && !counts_as(child, below(d, type, i)))
                complain(pte_mfn(entry), "no table of that level");
        } else if (entry & PTE_RW) {
            complain(mfn, "writable linear mapping");
        }
    }
}

static void tally_frame(mfn_t mfn)
{
    u64 word = frame_word(mfn);
    enum frame_type type = fw_type(word);
    if (type == FRAME_FREE)
        return;
    struct domain *d = fw_owner(word) < OWNER_IO ? owner_domain(fw_owner(word)) : NULL;
    if (word & FW_ALLOCATED)
        hold(mfn, false);
    if (d == NULL) {
        if (fw_owner(word) < OWNER_IO)
            complain(mfn, "no such owner");
        return;
    }
    if ((word & FW_SHARED) && type <= FRAME_WRITABLE)
        tallies[mfn.value].types += !!(word & FW_ALLOCATED);
    if (!type_is_table(type))
        return;
    if (word & FW_PINNED)
        hold(mfn, true);
    if (word & FW_PARTIAL)
        hold(mfn, false);
    if ((word & FW_PARTIAL) || counts_as(word, type))
        tally_table(mfn, word, d);
}

static void tally_vcpu(struct vcpu *v)
{
    hold(v->mm.kernel_table, true);
    hold(v->mm.user_table, true);
    hold(v->info_mfn, true);
    if (old_table_pending(v))
        hold(v->mm.old_table, false);
    for (unsigned i = 0; i < (v->gdt_entries + 511) / 512; i++)
        hold(v->gdt_frames[i], true);
    for (unsigned i = 0; i < 16; i++)
        if (v->ldt_mapped >> i & 1)
            hold(mfn_of(v->ldt_frames[i]), true);
}

static void compare(mfn_t mfn)
{
    u64 word = frame_word(mfn);
    const struct tally *t = &tallies[mfn.value];
    enum frame_type type = fw_type(word);
    if (type == FRAME_FREE || fw_owner(word) == OWNER_IO)
        return;
    unsigned long types = fw_count(word), references = word & FW_REF_MASK;
    bool more_types = !(word & FW_PARTIAL) && t->types < types;
    if (t->references > references || (!(word & FW_PARTIAL) && t->types > types) || (more_types && type_is_table(type)))
        complain(mfn, "counts are wrong");
    else if (more_types || (t->references < references && fw_owner(word) != OWNER_NONE)) {
        unexplained++;
        wrong--;
        complain(mfn, "held by nobody known");
    }
}

unsigned long frames_audit(bool exact)
{
    unsigned order = 0;
    while ((PAGE_SIZE << order) < max_frame * sizeof(struct tally))
        order++;
    tallies = hv_alloc_pages(order);
    if (tallies == NULL) {
        logf(LOG_ERROR, "frame audit: no memory\n");
        return 0;
    }
    wrong = unexplained = 0;
    for (struct domain *d = owner_next(NULL); d; d = owner_next(d)) {
        evtchn_frames(d, hold_writable);
        grant_device_frames(d, hold);
    }
    for (struct domain *d = owner_next(NULL); d; d = owner_next(d))
        spin_lock(&d->mm.page_lock);
    for (unsigned long i = 0; i < max_frame; i++)
        tally_frame(mfn_of(i));
    for (struct domain *d = owner_next(NULL); d; d = owner_next(d))
        for (unsigned i = 0; i < d->max_vcpus; i++)
            if (d->vcpus[i])
                tally_vcpu(d->vcpus[i]);
    for (unsigned long i = 0; i < max_frame; i++)
        compare(mfn_of(i));
    for (struct domain *d = owner_next(NULL); d; d = owner_next(d))
        spin_unlock(&d->mm.page_lock);
    hv_free_pages(tallies, order);
    logf(LOG_ERROR, "frame audit: %lu frames, %lu wrong, %lu held by nobody known\n", max_frame, wrong, unexplained);
    return exact ? wrong + unexplained : wrong;
}
