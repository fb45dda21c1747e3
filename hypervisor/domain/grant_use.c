/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * How an entry of a grant table is put to use. The granter may change the entry at any instant, so type, domid and
 * flags are judged and the reading and writing bits set in one atomic step (version 1: one compare-and-swap of flags
 * and domid together) or are judged again after the bits are seen (version 2: they live apart). Once in use, our own
 * record counts and not the entry. The granter's grant lock covers all of it; no other lock is taken inside.
 */
#include "grant_internal.h"

#define CAS_TRIES 5

struct head {
    u16 flags;
    domid_t domid;
};

static inline struct head head_of(u32 word)
{
    return (struct head){(u16)word, (domid_t)(word >> 16)};
}

static int refuse(struct domain *d, unsigned ref, struct head h, const char *why)
{
    guest_logf(LOG_WARNING, "grant %u of d%u: %s (flags %x, for d%u)\n", ref, d->id, why, h.flags, h.domid);
    return GNTST_general_error;
}

/* May `user` use an entry with this head? */
static const char *objection(struct head h, unsigned user, bool readonly, bool for_map, bool v2)
{
    unsigned type = h.flags & GTF_type_mask;

    if (type != GTF_permit_access && !(v2 && !for_map && type == GTF_transitive))
        return "not offered for access";
    if (for_map && (h.flags & GTF_sub_page))
        return "only part of the page is offered";
    if (h.domid != user)
        return "offered to another domain";
    if (!readonly && (h.flags & GTF_readonly))
        return "offered read-only";
    return NULL;
}

static int claim_v1(struct domain *d, unsigned ref, unsigned user, bool readonly, bool for_map)
{
    u32 *word = (u32 *)entry_v1(&d->grant, ref), old = READ_ONCE(*word);
    u32 bits = readonly ? GTF_reading : GTF_reading | GTF_writing;

    for (unsigned i = 0; i < CAS_TRIES; i++) {
        const char *why = objection(head_of(old), user, readonly, for_map, false);
        if (why)
            return refuse(d, ref, head_of(old), why);
        if (__atomic_compare_exchange_n(word, &old, old | bits, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            return GNTST_okay;
    }
    return refuse(d, ref, head_of(old), "the entry keeps changing");
}

IN_PLACE void clear_unused_bits(u16 *status, const struct grant_active *act)
{
    u16 unused = (u16)((act->uses ? 0 : GTF_reading) | GTF_writing);

    if (!act->writes)
        __atomic_fetch_and(status, (u16)~unused, __ATOMIC_SEQ_CST);
}

static int claim_v2(struct domain *d, unsigned ref, unsigned user, bool readonly, bool for_map, u16 *flags)
{
    u32 *word = (u32 *)&entry_v2(&d->grant, ref)->hdr, before = READ_ONCE(*word), after;
    u16 *status = entry_status(&d->grant, ref);
    const char *why = objection(head_of(before), user, readonly, for_map, true);

    if (why)
        return refuse(d, ref, head_of(before), why);
    __atomic_fetch_or(status, (u16)(readonly ? GTF_reading : GTF_reading | GTF_writing), __ATOMIC_SEQ_CST);
    after = READ_ONCE(*word);
    why = after == before ? NULL : "changed while it was put to use";
    if (why) {
        clear_unused_bits(status, grant_active_of(&d->grant, ref));
        return refuse(d, ref, head_of(after), why);
    }
    *flags = head_of(before).flags;
    return GNTST_okay;
}

/* What a version 2 entry stands for; for transitive ones the answer is in `out` alone. Each field is read once. */
static int resolve_v2(const struct domain_grant *g, unsigned ref, u16 flags, struct grant_active *act,
                      struct grant_use *out)
{
    union grant_entry_v2 *entry = entry_v2(g, ref);
    u64 frame = READ_ONCE(entry->full_page.frame);

    act->start = 0;
    act->length = PAGE_SIZE;
    act->copy_only = 0;
    if ((flags & GTF_type_mask) == GTF_transitive) {
        out->transitive = true;
        out->next_domid = READ_ONCE(entry->transitive.trans_domid);
        out->next_ref = READ_ONCE(entry->transitive.gref);
        act->copy_only = COPY_TRANSITIVE;
        act->mfn = 0;
        return GNTST_okay;
    }
    if (flags & GTF_sub_page) {
        act->start = READ_ONCE(entry->sub_page.page_off);
        act->length = READ_ONCE(entry->sub_page.length);
        act->copy_only = COPY_SUB_PAGE;
    }
    if (frame != (u32)frame)
        return GNTST_bad_page;
    act->mfn = (u32)frame;
    return GNTST_okay;
}

/* Checks the entry afresh, and fills in our record when this is the first use. */
static int claim(struct domain *d, unsigned ref, unsigned user, bool readonly, bool for_map, struct grant_active *act,
                 struct grant_use *out)
{
    bool first = !act->uses;
    struct grant_active found = *act;
    u16 flags = 0;
    int status;

    if (d->grant.version == 2) {
        status = claim_v2(d, ref, user, readonly, for_map, &flags);
        if (!status && (first || (flags & GTF_type_mask) == GTF_transitive))
            status = resolve_v2(&d->grant, ref, flags, &found, out);
    } else {
        status = claim_v1(d, ref, user, readonly, for_map);
        if (!status && first) {
            found.start = found.copy_only = 0;
            found.length = PAGE_SIZE;
            found.mfn = READ_ONCE(entry_v1(&d->grant, ref)->frame);
        }
    }
    if (!status && !first && out->transitive != (act->copy_only == COPY_TRANSITIVE))
        status =
            refuse(d, ref, (struct head){flags, (domid_t)user}, "became transitive, or no longer is, while in use");
    if (status) {
        clear_unused_bits(entry_status(&d->grant, ref), act);
        return status;
    }
    found.domid = (domid_t)user;
    *act = found;
    return GNTST_okay;
}

static __attribute__((noinline)) int use_locked(struct domain *d, unsigned ref, unsigned user, bool readonly,
                                                bool for_map, unsigned uses, struct grant_use *out)
{
    struct grant_active *act;
    int status;

    if (unlikely(ref >= d->grant.entries)) {
        guest_logf(LOG_WARNING, "grant %u of d%u: its table has %u entries\n", ref, d->id, d->grant.entries);
        return GNTST_bad_gntref;
    }
    if (unlikely(ref >= d->grant.recorded) && grant_record(&d->grant, ref))
        return GNTST_general_error;
    act = grant_active_of(&d->grant, ref);
    if (act->uses && (act->domid != user || act->reads + act->writes >= MAX_USES || (for_map && act->copy_only)))
        return GNTST_general_error;
    /* A copy through a transitive entry follows the entry as it is now. */
    if (!act->uses || (!readonly && !act->writes) || act->copy_only == COPY_TRANSITIVE) {
        status = claim(d, ref, user, readonly, for_map, act, out);
        if (status)
            return status;
    }
    if (readonly)
        act->reads = (u16)(act->reads + uses);
    else
        act->writes = (u16)(act->writes + uses);
    out->mfn = mfn_of(act->mfn);
    out->start = act->start;
    out->length = act->length;
    return GNTST_okay;
}

/* One comparison judges the whole head. No frame of an entry is INVALID_FRAME, which is wider than it. */
mfn_t grant_use_page(struct domain *d, unsigned ref, unsigned user, bool readonly, bool for_map, unsigned uses)
{
    struct domain_grant *g = &d->grant;
    u32 mask = 0xFFFF0000U | GTF_type_mask | (readonly ? 0 : GTF_readonly) | (for_map ? GTF_sub_page : 0), *word, old;
    mfn_t mfn = mfn_of(INVALID_FRAME);
    struct grant_active *act;

    spin_lock(&g->lock);
    if (unlikely(g->version != 1 || ref >= g->recorded))
        goto out;
    act = grant_active_of(g, ref);
    word = (u32 *)entry_v1(g, ref);
    old = READ_ONCE(*word);
    if (unlikely(act->uses || (old & mask) != (user << 16 | GTF_permit_access)))
        goto out;
    if (unlikely(!__atomic_compare_exchange_n(word, &old, old | (readonly ? GTF_reading : GTF_reading | GTF_writing),
                                              false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)))
        goto out;
    act->mfn = READ_ONCE(((struct grant_entry_v1 *)word)->frame);
    act->uses = readonly ? uses : uses << 16;
    act->domid = (domid_t)user;
    act->start = act->copy_only = 0;
    act->length = PAGE_SIZE;
    mfn = mfn_of(act->mfn);
out:
    spin_unlock(&g->lock);
    return mfn;
}

int grant_use(struct domain *d, unsigned ref, unsigned user, bool readonly, bool for_map, unsigned uses,
              struct grant_use *out)
{
    int status = GNTST_okay;

    *out = (struct grant_use){.length = PAGE_SIZE};
    out->mfn = grant_use_page(d, ref, user, readonly, for_map, uses);
    if (unlikely(out->mfn.value == INVALID_FRAME)) {
        spin_lock(&d->grant.lock);
        status = use_locked(d, ref, user, readonly, for_map, uses, out);
        spin_unlock(&d->grant.lock);
    }
    return status;
}

/* The entry itself may be gone, if its domain is dying; our record never is while it counts a use. */
void grant_unuse(struct domain *d, unsigned ref, bool readonly, unsigned uses)
{
    struct domain_grant *g = &d->grant;
    struct grant_active *act;

    spin_lock(&g->lock);
    act = grant_active_of(g, ref);
    act->uses -= readonly ? uses : uses << 16;
    if (likely(ref < g->entries))
        clear_unused_bits(entry_status(g, ref), act);
    spin_unlock(&g->lock);
}
