/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Taking back all memory of a dying domain. It runs nowhere and gets no new frame; its base tables are dropped already.
 * Pass one unpins tables and finishes partial ones: that releases what entries hold. Pass two gives up every frame's own
 * reference; a frame that another domain maps stays until that mapping goes.
 */
#include "internal.h"
#include "guest_access.h"
#include "mm/reservation.h"

enum { STAGE_START, STAGE_TABLES, STAGE_FRAMES, STAGE_DONE };

static bool owned_by(u64 word, const struct domain *d)
{
    return fw_type(word) != FRAME_FREE && fw_owner(word) == d->id;
}

/* Under the page lock, which keeps the pin of a table as it is. */
bool clear_pin(mfn_t mfn)
{
    u64 word = frame_word(mfn);
    if (!(word & FW_PINNED) || !type_is_table(fw_type(word)))
        return false;
    __atomic_fetch_and(&frame_table[mfn.value].word, ~FW_PINNED, __ATOMIC_SEQ_CST);
    return true;
}

/* One frame of pass one. -ERESTART leaves it partial: the next visit goes on. In which order the tables come does not
 * matter: the last of its pin and the entries that point to it takes a table down, and what that leaves half done is
 * finished by whoever goes on with the table above. */
static int drop_table(struct domain *d, mfn_t mfn)
{
    u64 word = frame_word(mfn);
    if (!owned_by(word, d) || !type_is_table(fw_type(word)))
        return 0;
    if (frame_is_partial(word))
        return frame_dismantle_partial(mfn, d, FRAME_NONE, true);
    if (!clear_pin(mfn))
        return 0;
    int rc = page_put_type_preemptible(mfn);
    page_put(mfn); /* partial frames hold a reference of their own */
    return rc == 0 && hypercall_preempt_check() ? -ERESTART : rc;
}

#define RUN_MAX 512

void frame_run_end(struct domain *d, struct frame_run *run)
{
    if (run->count == 0)
        return;
    mark_stale(d);
    heap_add(mfn_of(run->first), run->count, true);
    uncharge_frames(d, run->count);
    run->count = 0;
}

/* Nobody else holds a reference, as with nearly all: the frame is ours from here on. */
bool frame_run_add(struct domain *d, mfn_t mfn, struct frame_run *run)
{
    if (!mfn_valid(mfn))
        return false;
    u64 word = frame_word(mfn);
    do {
        if ((word & (FW_ALLOCATED | FW_OWNER_MASK | FW_PINNED | FW_REF_MASK)) != (FW_ALLOCATED | FW_OWNER(d->id) | 1))
            return false;
    } while (!frame_swap(mfn, &word, WORD_OURS));
    m2p_set(mfn, pfn_of(INVALID_FRAME));
    *frame_mark(mfn) = d->mm.mark;
    if (mfn.value != run->first + run->count || run->count == RUN_MAX)
        frame_run_end(d, run);
    if (run->count++ == 0)
        run->first = mfn.value;
    return true;
}

static void drop_frame(struct domain *d, mfn_t mfn)
{
    u64 word = frame_word(mfn);
    do {
        if (!owned_by(word, d) || !(word & FW_ALLOCATED) || (word & FW_SHARED))
            return;
    } while (!frame_swap(mfn, &word, word & ~FW_ALLOCATED));
    page_put(mfn);
}

/* The next frame that may be d's, or one at or behind end. A free frame's links may look so too, or the end of a part of
 * memory or of all that it ever had is reached; whoever handles it looks closer. */
static unsigned long next_owned(const struct domain *d, unsigned long at, unsigned long end)
{
    unsigned long behind = READ_ONCE(d->mm.frames_to) + 1UL;

    at = MAX(at, (unsigned long)READ_ONCE(d->mm.frames_from));
    if (at >= behind)
        return max_frame;
    unsigned part = (unsigned)(at >> part_shift());
    u64 ahead = READ_ONCE(d->mm.parts) >> part;

    if (!(ahead & 1))
        return ahead ? (unsigned long)(part + (unsigned)__builtin_ctzl(ahead)) << part_shift() : max_frame;
    end = MIN(MIN(end, behind), (part + 1UL) << part_shift());
    const struct frame *frame = frame_table + at, *last = frame_table + end;
    u32 owner = d->id;

    while (frame < last && fw_owner(READ_ONCE(frame->word)) != owner)
        frame++;
    return (unsigned long)(frame - frame_table);
}

#define SCAN_CHUNK 4096 /* frames passed over between two looks at more urgent work */

static int run_stage(struct domain *d)
{
    unsigned long end = max_frame;
    bool frames = d->mm.relinquish_stage == STAGE_FRAMES;
    struct frame_run run = {0, 0};
    int rc = 0;
    spin_lock(&d->mm.page_lock);
    while (rc == 0 && d->mm.relinquish_next < end && d->mm.tot_pages > run.count) {
        unsigned long stop = MIN(end, d->mm.relinquish_next + SCAN_CHUNK);
        d->mm.relinquish_next = next_owned(d, d->mm.relinquish_next, stop);
        if (d->mm.relinquish_next < stop) {
            mfn_t mfn = mfn_of(d->mm.relinquish_next);
            if (!frames)
                rc = drop_table(d, mfn);
            else if (!frame_run_add(d, mfn, &run))
                drop_frame(d, mfn);
            if (rc || ++d->mm.relinquish_next & 63)
                continue;
        }
        if (hypercall_preempt_check())
            rc = -ERESTART;
    }
    frame_run_end(d, &run);
    spin_unlock(&d->mm.page_lock);
    return rc;
}

int domain_relinquish_memory(struct domain *d)
{
    if (d->mm.relinquish_stage == STAGE_START) {
        (void)claim_pages(d, 0);
        hv_free(d->mm.map);
        d->mm.map = NULL;
    }
    while (d->mm.relinquish_stage < STAGE_DONE) {
        if (d->mm.relinquish_stage != STAGE_START) {
            int rc = run_stage(d);
            if (rc)
                return rc;
        }
        d->mm.relinquish_stage++;
        d->mm.relinquish_next = 0;
    }
    linear_free(d);
    return 0;
}

void domain_mm_dump(struct domain *d)
{
    unsigned long types[16] = {0}, pinned = 0, unowned = 0;
    for (unsigned long i = next_owned(d, 0, max_frame); i < max_frame; i = next_owned(d, i + 1, max_frame)) {
        u64 word = frame_word(mfn_of(i));
        if (!owned_by(word, d))
            continue;
        types[fw_count(word) ? fw_type(word) : FRAME_NONE]++;
        pinned += (word & FW_PINNED) != 0 && type_is_table(fw_type(word));
        unowned += !(word & FW_ALLOCATED);
    }
    logf(LOG_INFO, "d%u memory: %lu pages of at most %lu, %lu of ours shared\n", d->id, d->mm.tot_pages,
         d->mm.max_pages, d->mm.shared_frames);
    logf(LOG_INFO,
         "  l1 %lu, l2 %lu, l3 %lu, l4 %lu, descriptor %lu, writable %lu, pinned %lu, given back but used %lu\n",
         types[FRAME_L1], types[FRAME_L2] + types[FRAME_L2_COMPAT], types[FRAME_L3], types[FRAME_L4],
         types[FRAME_DESCRIPTOR], types[FRAME_WRITABLE], pinned, unowned);
}
