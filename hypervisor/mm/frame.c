/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The frame word and the rules of types.
 *
 * 1. A frame is of one owner. Every use holds a general reference; being allocated is itself one. The frame returns to
 *    the heap when the last goes, never before.
 * 2. A frame has one type at a time. Each use that depends on the type holds a type reference besides its general one:
 *    a writable mapping (WRITABLE), an entry or a base register that points to a page table (L1 to L4), a GDT or LDT
 *    slot (DESCRIPTOR). So no page or descriptor table has a writable mapping in any guest.
 * 3. The type changes only while the type count is zero, and only after every CPU that may still hold a translation
 *    made under the old type has been flushed.
 * 4. A table's type counts only once all its entries were validated; VALIDATED says so and goes at count zero. The
 *    entries of a validated table hold the references they need.
 * 5. A table type is taken and dropped under the owner's page lock. A preempted validation or release leaves the frame
 *    PARTIAL: entries [0, count field) hold their references, the frame holds one reference of its own, and nobody
 *    holds a type reference. Taking the same type continues upward; anyone may continue downward.
 */
#include "internal.h"

struct frame *frame_table;
unsigned long max_frame;

static bool may_take(u64 word, u64 owner_bits)
{
    return (word & FW_OWNER_MASK) == owner_bits && fw_type(word) != FRAME_FREE && fw_refs_room(word);
}

bool page_get(mfn_t mfn, const struct domain *d)
{
    if (!mfn_valid(mfn))
        return false;
    u64 owner_bits = FW_OWNER(d->id);
    u64 word = frame_word(mfn);
    do {
        if (!may_take(word, owner_bits))
            return false;
    } while (!frame_swap(mfn, &word, word + 1));
    return true;
}

void page_put(mfn_t mfn)
{
    u64 word = __atomic_sub_fetch(&frame_table[mfn.value].word, 1, __ATOMIC_SEQ_CST);
    if (unlikely((word & FW_REF_MASK) == 0))
        owned_frame_released(mfn, word);
}

bool frame_is_partial(u64 word)
{
    return (word & FW_PARTIAL) && fw_type(word) != FRAME_FREE;
}

/* Replaces everything outside the reference count, keeping concurrent changes of that; `references` is added to it. */
static void settle(mfn_t mfn, u64 clear, u64 set, long references)
{
    u64 word = frame_word(mfn);
    while (!frame_swap(mfn, &word, ((word & ~clear) | set) + (unsigned long)references))
        ;
}

#define SETTLE_MASK (FW_VALIDATED | FW_BUSY | FW_PARTIAL | FW_COUNT_MASK)

static void settle_partial(mfn_t mfn, unsigned done, bool had_own_reference)
{
    settle(mfn, SETTLE_MASK, FW_PARTIAL | (unsigned long)done << FW_COUNT_SHIFT, had_own_reference ? 0 : 1);
}

/* The frame is BUSY with `done` entries taken. Ends VALIDATED with one type reference, or PARTIAL. */
static COLD int validate(mfn_t mfn, struct domain *d, enum frame_type type, unsigned done, bool resumed,
                         bool preemptible)
{
    int rc =
        type == FRAME_DESCRIPTOR ? validate_descriptors(mfn, d) : validate_entries(mfn, d, type, &done, preemptible);
    if (unlikely(logging_domains))
        frame_written(mfn); /* entries were adjusted */
    if (rc == 0) {
        settle(mfn, SETTLE_MASK, FW_VALIDATED | FW_COUNT_ONE, resumed ? -1 : 0);
    } else if (done == 0 && type != FRAME_L3 && type != FRAME_L4 && rc != -ERESTART) {
        settle(mfn, SETTLE_MASK, 0, 0);
        if (resumed)
            page_put(mfn);
    } else {
        settle_partial(mfn, done, resumed);
    }
    return rc;
}

/* The frame is BUSY, entries [0, done) hold references: drop them. */
static COLD int dismantle(mfn_t mfn, struct domain *d, enum frame_type type, unsigned done, bool resumed,
                          bool preemptible)
{
    if (unlikely(READ_ONCE(d->mm.shadow) != NULL))
        shadow_table_gone(d, mfn);
    int rc = type == FRAME_DESCRIPTOR ? 0 : release_entries(mfn, d, type, &done, preemptible);
    mark_stale(d);
    if (rc) {
        settle_partial(mfn, done, resumed);
        return rc;
    }
    settle(mfn, SETTLE_MASK, 0, 0);
    if (resumed)
        page_put(mfn);
    return 0;
}

/* Claims a partial frame of d for one party; false when it is not partial (any more). type: FRAME_NONE for any. */
static COLD bool claim_partial(mfn_t mfn, const struct domain *d, enum frame_type type, u64 *word)
{
    if (!mfn_valid(mfn))
        return false;
    *word = frame_word(mfn);
    do {
        if (!frame_is_partial(*word) || fw_owner(*word) != d->id || (type != FRAME_NONE && fw_type(*word) != type))
            return false;
    } while (!frame_swap(mfn, word, (*word & ~SETTLE_MASK) | FW_BUSY));
    return true;
}

COLD int frame_dismantle_partial(mfn_t mfn, struct domain *d, enum frame_type wanted, bool preemptible)
{
    u64 word;
    if (!claim_partial(mfn, d, wanted, &word))
        return 0;
    return dismantle(mfn, d, fw_type(word), fw_count(word), true, preemptible);
}

/* Type count zero and not partial: make it a frame of the wanted type. Returns true with the frame BUSY for types that
 * need validation, or with a type reference for WRITABLE. */
static COLD bool begin_type(mfn_t mfn, u64 *word, enum frame_type type)
{
    bool same = fw_type(*word) == type;
    if (!frame_swap(mfn, word, (*word & ~(FW_TYPE_MASK | SETTLE_MASK)) | FW_TYPE(type) | FW_BUSY))
        return false;
    if (!same) /* rule 3: what is stale is asked once the old type can no longer be taken */
        flush_stale();
    if (type == FRAME_WRITABLE)
        settle(mfn, SETTLE_MASK, FW_VALIDATED | FW_COUNT_ONE, 0);
    return true;
}

static int get_type_slow(mfn_t mfn, struct domain *d, enum frame_type type, bool preemptible)
{
    u64 word = frame_word(mfn);
    for (;;) {
        if ((word & FW_STATE_MASK) == FW_VALID(type)) {
            if ((word & FW_COUNT_MASK) == FW_COUNT_MASK)
                return -EBUSY;
            if (type == FRAME_WRITABLE || fw_count(word) != 0) {
                if (frame_swap(mfn, &word, word + FW_COUNT_ONE))
                    return 0;
                continue;
            }
        }
        if (word & FW_BUSY) {
            if (fw_type(word) != type)
                return -EINVAL;
            if (type_is_table(type))
                return -EBUSY; /* cannot be, under the page lock */
            sched_relax();     /* another CPU makes it that, and may flush us before */
            word = frame_word(mfn);
            continue;
        }
        if (frame_is_partial(word)) {
            if (!type_is_table(type))
                return -EBUSY;
            if (!claim_partial(mfn, d, FRAME_NONE, &word))
                return -EBUSY;
            if (fw_type(word) == type)
                return validate(mfn, d, type, fw_count(word), true, preemptible);
            int rc = dismantle(mfn, d, fw_type(word), fw_count(word), true, preemptible);
            if (rc)
                return rc;
            word = frame_word(mfn);
            continue;
        }
        if (fw_count(word) != 0 || (word & FW_PINNED)) /* FW_SHARED: given back, never retyped */
            return -EINVAL;
        if (begin_type(mfn, &word, type))
            return type == FRAME_WRITABLE ? 0 : validate(mfn, d, type, 0, false, preemptible);
    }
}

/* The caller holds a general reference, and d's page lock for a table type. A failure may leave the frame partial. */
int frame_get_type(mfn_t mfn, struct domain *d, enum frame_type type, bool preemptible)
{
    u64 word = frame_word(mfn);
    if (likely((word & FW_STATE_MASK) == FW_VALID(type) && (word & FW_COUNT_MASK) != FW_COUNT_MASK &&
               fw_count(word) != 0 && frame_swap(mfn, &word, word + FW_COUNT_ONE)))
        return 0;
    return get_type_slow(mfn, d, type, preemptible);
}

/* After a failed validation: what was taken before the bad entry is given back, however long that takes. */
COLD void give_back_partial(mfn_t mfn, struct domain *d)
{
    if (!page_get(mfn, d))
        return;
    if (frame_dismantle_partial(mfn, d, FRAME_NONE, true) == -ERESTART)
        hold_old_table(mfn);
    else
        page_put(mfn);
}

int page_get_type(mfn_t mfn, enum frame_type type, bool preemptible)
{
    struct domain *d = owner_domain(fw_owner(frame_word(mfn)));
    if (d == NULL)
        return -EINVAL;
    int rc = frame_get_type(mfn, d, type, preemptible);
    if (unlikely(rc && rc != -ERESTART && type_is_table(type)))
        give_back_partial(mfn, d);
    return rc;
}

int page_get_and_type(mfn_t mfn, const struct domain *d, enum frame_type type, bool preemptible)
{
    if (!mfn_valid(mfn))
        return -EINVAL;
    /* One comparison and one swap for both; a frame that is writable or in use as what is asked for is never free. */
    u64 word = frame_word(mfn), wanted = FW_OWNER(d->id) | FW_VALID(type);
    while ((word & (FW_OWNER_MASK | FW_STATE_MASK)) == wanted && fw_refs_room(word) &&
           (word & FW_COUNT_MASK) != FW_COUNT_MASK && (type == FRAME_WRITABLE || fw_count(word) != 0))
        if (likely(frame_swap(mfn, &word, word + FW_COUNT_ONE + 1)))
            return 0;
    if (!page_get(mfn, d))
        return -EINVAL;
    int rc = page_get_type(mfn, type, preemptible);
    if (rc)
        page_put(mfn);
    return rc;
}

static int put_type(mfn_t mfn, bool preemptible)
{
    u64 word = frame_word(mfn);
    for (;;) {
        BUG_ON(fw_count(word) == 0 || (word & (FW_BUSY | FW_PARTIAL)));
        enum frame_type type = fw_type(word);
        if (fw_count(word) > 1 || type == FRAME_WRITABLE || type == FRAME_NONE) {
            struct domain *owner = fw_count(word) == 1 ? owner_domain(fw_owner(word)) : NULL;
            if (owner) /* before anybody can take it for a table */
                mark_stale(owner);
            if (!frame_swap(mfn, &word, word - FW_COUNT_ONE))
                continue;
            return 0;
        }
        if (frame_swap(mfn, &word, (word & ~SETTLE_MASK) | FW_BUSY)) {
            struct domain *d = owner_domain(fw_owner(word));
            return dismantle(mfn, d, type, table_entries(d, type), false, preemptible);
        }
    }
}

void page_put_type(mfn_t mfn)
{
    int rc = put_type(mfn, false);
    BUG_ON(rc);
}

/* A partial frame has no type references: then this call continues an earlier one. */
COLD int page_put_type_preemptible(mfn_t mfn)
{
    u64 word = frame_word(mfn);
    if (unlikely(frame_is_partial(word)))
        return frame_dismantle_partial(mfn, owner_domain(fw_owner(word)), FRAME_NONE, true);
    return put_type(mfn, true);
}

void page_put_and_type(mfn_t mfn)
{
    if (unlikely(logging_domains))
        frame_written(mfn);
    u64 word = frame_word(mfn);
    /* Neither count ends: one swap for both. */
    while (word >= 2 * FW_COUNT_ONE && (word & FW_REF_MASK) > 1 && !(word & (FW_BUSY | FW_PARTIAL)))
        if (likely(frame_swap(mfn, &word, word - FW_COUNT_ONE - 1)))
            return;
    page_put_type(mfn);
    page_put(mfn);
}

COLD void hold_old_table(mfn_t mfn)
{
    struct vcpu *v = current;
    if (!old_table_pending(v))
        v->mm.old_table = mfn;
    else /* only one can wait; another stays partial until it is reused or its domain ends */
        page_put(mfn);
}

void table_release(struct domain *d, mfn_t mfn)
{
    if (page_put_type_preemptible(mfn) == -ERESTART)
        hold_old_table(mfn);
    else
        page_put(mfn);
}

COLD int finish_old_table(struct vcpu *v)
{
    mfn_t mfn = v->mm.old_table;
    if (likely(!old_table_pending(v)))
        return 0;
    struct domain *d = owner_domain(fw_owner(frame_word(mfn)));
    spin_lock(&d->mm.page_lock);
    int rc = frame_dismantle_partial(mfn, d, FRAME_NONE, true);
    if (rc == 0)
        v->mm.old_table = mfn_of(INVALID_FRAME);
    spin_unlock(&d->mm.page_lock);
    if (rc == 0)
        page_put(mfn);
    return rc;
}

COLD unsigned page_owner_id(mfn_t mfn)
{
    if (!mfn_valid(mfn))
        return OWNER_IO;
    u64 word = frame_word(mfn);
    return fw_type(word) == FRAME_FREE ? OWNER_NONE : fw_owner(word);
}

enum frame_type page_type(mfn_t mfn)
{
    return fw_type(frame_word(mfn));
}

COLD bool page_is_guest_ram(mfn_t mfn)
{
    unsigned owner = page_owner_id(mfn);
    return owner != OWNER_NONE && owner != OWNER_IO;
}
