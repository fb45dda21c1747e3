/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The heap: free frames in blocks of 2^order frames, aligned to their size. The lists run through the frame words
 * themselves. The first frame of a block carries order, links and whether the block is dirty; the others only say FREE.
 *
 *   bits  0-22 next, low part   23 zero (not allocated)   24-38 previous, low part   39-42 FRAME_FREE
 *         43-53 previous, high part   54-56 next, high part   57-61 order   62 dirty   63 first frame of a block
 *
 * Two buddies merge when both are whole, free and equally clean.
 */
#include "internal.h"

#define LINK_NONE   0x3FFFFFFUL
#define FREE_HEAD   (1UL << 63)
#define FREE_DIRTY  (1UL << 62)

#define STOCK_ORDER 9

static spinlock_t heap_lock;
static u32 heads[2][HEAP_MAX_ORDER + 1];
static unsigned long free_count;
static unsigned long stock;    /* clean frames in blocks of at least STOCK_ORDER: crumbs make no guest */
static unsigned long cleaning; /* taken out to be cleaned: nobody's, and soon to be had again */

static u64 encode(unsigned long next, unsigned long prev, unsigned order, bool dirty)
{
    return FREE_HEAD | (dirty ? FREE_DIRTY : 0) | (u64)order << 57 | (next >> 23) << 54 | (prev >> 15) << 43 |
           FW_TYPE(FRAME_FREE) | (prev & 0x7FFF) << 24 | (next & 0x7FFFFF);
}

static unsigned long next_of(u64 word)
{
    return (word & 0x7FFFFF) | (word >> 54 & 7) << 23;
}

static unsigned long prev_of(u64 word)
{
    return (word >> 24 & 0x7FFF) | (word >> 43 & 0x7FF) << 15;
}

static unsigned order_of(u64 word)
{
    return word >> 57 & 31;
}

static void set_word(unsigned long frame, u64 word)
{
    WRITE_ONCE(frame_table[frame].word, word);
}

static void set_prev(unsigned long frame, unsigned long prev)
{
    u64 word = frame_table[frame].word;
    set_word(frame, word ^ encode(0, prev ^ prev_of(word), 0, false) ^ encode(0, 0, 0, false));
}

static void set_next(unsigned long frame, unsigned long next)
{
    u64 word = frame_table[frame].word;
    set_word(frame, word ^ encode(next ^ next_of(word), 0, 0, false) ^ encode(0, 0, 0, false));
}

static void push(unsigned long frame, unsigned order, bool dirty)
{
    unsigned long next = heads[dirty][order];
    set_word(frame, encode(next, LINK_NONE, order, dirty));
    if (next != LINK_NONE)
        set_prev(next, frame);
    heads[dirty][order] = (u32)frame;
    stock += !dirty && order >= STOCK_ORDER ? 1UL << order : 0;
}

static void unlink_block(unsigned long frame)
{
    u64 word = frame_table[frame].word;
    unsigned long next = next_of(word), prev = prev_of(word);
    if (next != LINK_NONE)
        set_prev(next, prev);
    if (prev != LINK_NONE)
        set_next(prev, next);
    else
        heads[!!(word & FREE_DIRTY)][order_of(word)] = (u32)next;
    stock -= !(word & FREE_DIRTY) && order_of(word) >= STOCK_ORDER ? 1UL << order_of(word) : 0;
    set_word(frame, FW_TYPE(FRAME_FREE));
}

static bool is_free_block(unsigned long frame, unsigned order, bool dirty)
{
    if (frame >= max_frame)
        return false;
    u64 word = READ_ONCE(frame_table[frame].word);
    return fw_type(word) == FRAME_FREE && (word & FREE_HEAD) && order_of(word) == order &&
           !(word & FREE_DIRTY) == !dirty;
}

void heap_init(void)
{
    for (unsigned order = 0; order <= HEAP_MAX_ORDER; order++)
        heads[0][order] = heads[1][order] = LINK_NONE;
    free_count = stock = cleaning = 0;
}

/* The frames' words already say FREE. */
static void give_locked(unsigned long frame, unsigned order, bool dirty)
{
    free_count += 1UL << order;
    while (order < HEAP_MAX_ORDER && is_free_block(frame ^ (1UL << order), order, dirty)) {
        unlink_block(frame ^ (1UL << order));
        set_word(frame, FW_TYPE(FRAME_FREE));
        frame &= ~(1UL << order);
        order++;
    }
    push(frame, order, dirty);
}

void heap_give(mfn_t first, unsigned order, bool dirty)
{
    spin_lock(&heap_lock);
    set_frame_words(first.value, 1UL << order, FW_TYPE(FRAME_FREE));
    give_locked(first.value, order, dirty);
    spin_unlock(&heap_lock);
}

void heap_give_cleaned(mfn_t first, unsigned order)
{
    spin_lock(&heap_lock);
    set_frame_words(first.value, 1UL << order, FW_TYPE(FRAME_FREE));
    cleaning -= 1UL << order;
    give_locked(first.value, order, false);
    spin_unlock(&heap_lock);
}

void heap_add(mfn_t first, unsigned long count, bool dirty)
{
    unsigned long frame = first.value;
    while (count) {
        unsigned order = 0;
        while (order < HEAP_MAX_ORDER && !(frame & (1UL << order)) && (2UL << order) <= count)
            order++;
        heap_give(mfn_of(frame), order, dirty);
        frame += 1UL << order;
        count -= 1UL << order;
    }
}

/* The first block of a list that starts low enough for `order` frames. */
static unsigned long search(unsigned long frame, unsigned order, unsigned long limit)
{
    while (frame != LINK_NONE && frame + (1UL << order) > limit)
        frame = next_of(frame_table[frame].word);
    return frame;
}

/* Small requests take the smallest block; those that guests are made of rather split a clean one than clear one. */
static unsigned long take_locked(unsigned order, unsigned long limit, bool *dirty)
{
    unsigned sizes = HEAP_MAX_ORDER + 1 - order;
    for (unsigned i = 0; i < 2 * sizes; i++) {
        unsigned state = order < STOCK_ORDER ? i % 2 : i / sizes;
        unsigned size = order + (order < STOCK_ORDER ? i / 2 : i % sizes);
        unsigned long frame = search(heads[state][size], order, limit);
        if (frame == LINK_NONE)
            continue;
        unlink_block(frame);
        while (size > order) {
            size--;
            push(frame + (1UL << size), size, state);
        }
        free_count -= 1UL << order;
        *dirty = state;
        return frame;
    }
    return LINK_NONE;
}

mfn_t heap_take(unsigned order, unsigned long limit, u64 word, bool *dirty)
{
    if (order > HEAP_MAX_ORDER)
        return mfn_of(INVALID_FRAME);
    spin_lock(&heap_lock);
    unsigned long frame = take_locked(order, limit, dirty);
    if (frame != LINK_NONE)
        set_frame_words(frame, 1UL << order, word);
    spin_unlock(&heap_lock);
    return mfn_of(frame == LINK_NONE ? INVALID_FRAME : frame);
}

/* A dirty block of at most 2^order frames, for cleaning. The order is returned; -1 when none is dirty, or enough is
 * clean: a new guest finds its memory ready, and a machine that sits idle does not touch all it has. */
int heap_take_dirty(unsigned order, u64 word, mfn_t *first)
{
    int found = -1;
    spin_lock(&heap_lock);
    for (unsigned size = 0; size <= HEAP_MAX_ORDER && found < 0 && stock < HEAP_CLEAN_ENOUGH; size++) {
        unsigned long frame = heads[1][size];
        if (frame == LINK_NONE)
            continue;
        unlink_block(frame);
        for (found = (int)size; (unsigned)found > order;) {
            found--;
            push(frame + (1UL << found), (unsigned)found, true);
        }
        free_count -= 1UL << found;
        cleaning += 1UL << found;
        set_frame_words(frame, 1UL << found, word);
        *first = mfn_of(frame);
    }
    spin_unlock(&heap_lock);
    return found;
}

unsigned long free_frames(void)
{
    spin_lock(&heap_lock);
    unsigned long count = free_count + cleaning;
    spin_unlock(&heap_lock);
    return count;
}
