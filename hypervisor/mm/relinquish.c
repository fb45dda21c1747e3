/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Taking back all memory of a dying domain. It runs nowhere and gets no new frame; its base tables are dropped already.
 * Pass one unpins, from the highest tables down, and finishes partial ones: that releases what entries hold. Pass two
 * breaks linear mappings of what is still a table and gives up every frame's own reference; a frame that another domain
 * maps stays until that mapping goes.
 */
#include "internal.h"
#include "guest_access.h"

enum { STAGE_START, STAGE_L4, STAGE_L3, STAGE_L2, STAGE_L1, STAGE_FRAMES, STAGE_DONE };

static bool owned_by(u64 word, const struct domain *d)
{
    return fw_type(word) != FRAME_FREE && fw_owner(word) == d->id;
}

static bool in_stage(enum frame_type type, unsigned stage)
{
    switch (stage) {
    case STAGE_L4:
        return type == FRAME_L4;
    case STAGE_L3:
        return type == FRAME_L3;
    case STAGE_L2:
        return type == FRAME_L2 || type == FRAME_L2_COMPAT;
    default:
        return type == FRAME_L1;
    }
}

static bool take_pin(mfn_t mfn, u64 word)
{
    do {
        if (!(word & FW_PINNED) || !type_is_table(fw_type(word)))
            return false;
    } while (!frame_swap(mfn, &word, word & ~FW_PINNED));
    return true;
}

/* One frame of pass one. -ERESTART leaves it partial: the next visit goes on. */
static int drop_table(struct domain *d, mfn_t mfn, unsigned stage)
{
    u64 word = frame_word(mfn);
    if (!owned_by(word, d) || !in_stage(fw_type(word), stage))
        return 0;
    if (frame_is_partial(word))
        return frame_dismantle_partial(mfn, d, FRAME_NONE, true);
    if (!take_pin(mfn, word))
        return 0;
    int rc = page_put_type_preemptible(mfn);
    page_put(mfn); /* partial frames hold a reference of their own */
    return rc;
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

/* The next frame that looks like d's, or end. A free frame's links may look so too; whoever handles it looks closer. */
static unsigned long next_owned(const struct domain *d, unsigned long at, unsigned long end)
{
    const u64 owner = FW_OWNER(d->id);

    while (at < end && (READ_ONCE(frame_table[at].word) & FW_OWNER_MASK) != owner)
        at++;
    return at;
}

#define SCAN_CHUNK 4096 /* frames passed over between two looks at more urgent work */

static int run_stage(struct domain *d)
{
    unsigned stage = d->mm.relinquish_stage;
    unsigned long end = MIN(d->mm.mfn_high, max_frame);
    int rc = 0;
    spin_lock(&d->mm.page_lock);
    while (rc == 0 && d->mm.relinquish_next < end && (stage != STAGE_FRAMES || d->mm.tot_pages)) {
        unsigned long stop = MIN(end, d->mm.relinquish_next + SCAN_CHUNK);
        d->mm.relinquish_next = next_owned(d, d->mm.relinquish_next, stop);
        if (d->mm.relinquish_next < stop) {
            mfn_t mfn = mfn_of(d->mm.relinquish_next);
            if (stage == STAGE_FRAMES)
                drop_frame(d, mfn);
            else
                rc = drop_table(d, mfn, stage);
            if (rc || ++d->mm.relinquish_next & 63)
                continue;
        }
        if (hypercall_preempt_check())
            rc = -ERESTART;
    }
    spin_unlock(&d->mm.page_lock);
    return rc;
}

int domain_relinquish_memory(struct domain *d)
{
    if (d->mm.relinquish_stage == STAGE_START && d->mm.map) {
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
        d->mm.relinquish_next = d->mm.mfn_low;
        if (d->mm.relinquish_stage == STAGE_L4 && d->is_32bit)
            d->mm.relinquish_stage = STAGE_L3;
    }
    linear_free(d);
    return 0;
}

void domain_mm_dump(struct domain *d)
{
    unsigned long types[16] = {0}, pinned = 0, unowned = 0;
    for (unsigned long i = d->mm.mfn_low; i < MIN(d->mm.mfn_high, max_frame); i++) {
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
