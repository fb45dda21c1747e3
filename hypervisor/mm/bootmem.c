/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * From the firmware's memory map to a frame table and a heap. One block near the top of the RAM below 4 GiB holds the
 * M2Ps, the frame table and the first page tables; whatever else is RAM, above the first MiB and not reserved, becomes
 * the heap. Frames that are no RAM belong to OWNER_IO: only a domain trusted with devices maps them.
 */
#include "internal.h"
#include "boot/boot.h"
#include "mm/bootmem.h"

#define RANGES_MAX 288
#define LOW_END    0x100000UL
#define BOOT_REACH 0x100000000UL /* what the boot page tables map */
#define LARGE_PAGE 0x200000UL

struct ranges {
    unsigned count;
    u64 at[RANGES_MAX][2];
};

static struct ranges ram, usable;

static void range_add(struct ranges *r, u64 start, u64 end)
{
    start = ROUND_UP(start, PAGE_SIZE);
    end &= PAGE_MASK;
    if (start >= end || r->count == RANGES_MAX)
        return;
    r->at[r->count][0] = start;
    r->at[r->count++][1] = end;
}

static void range_remove(struct ranges *r, u64 start, u64 end)
{
    start &= PAGE_MASK;
    end = ROUND_UP(end, PAGE_SIZE);
    for (unsigned i = 0, count = r->count; i < count; i++) {
        u64 s = r->at[i][0], e = r->at[i][1];
        if (end <= s || start >= e || start >= end)
            continue;
        r->at[i][1] = MAX(s, start); /* the part below; may be empty */
        if (start <= s)
            r->at[i][1] = s;
        if (end < e)
            range_add(r, end, e);
    }
}

static void read_firmware_map(void)
{
    for (unsigned i = 0; i < boot_memory.count; i++)
        if (boot_memory.map[i].type == BOOT_RAM) {
            range_remove(&ram, boot_memory.map[i].start, boot_memory.map[i].end);
            range_add(&ram, boot_memory.map[i].start, boot_memory.map[i].end);
        }
    for (unsigned i = 0; i < boot_memory.count; i++)
        if (boot_memory.map[i].type != BOOT_RAM)
            range_remove(&ram, boot_memory.map[i].start, boot_memory.map[i].end);
    range_remove(&ram, HEAP_MAX_FRAMES << PAGE_SHIFT, ~0UL & PAGE_MASK);
    for (unsigned i = 0; i < ram.count; i++) {
        total_frames += (ram.at[i][1] - ram.at[i][0]) >> PAGE_SHIFT;
        if (ram.at[i][1] > ram.at[i][0])
            max_frame = MAX(max_frame, ram.at[i][1] >> PAGE_SHIFT);
    }
    usable = ram;
    range_remove(&usable, 0, LOW_END);
    for (unsigned i = 0; i < boot_memory.reserved_count; i++)
        range_remove(&usable, boot_memory.reserved[i][0], boot_memory.reserved[i][1]);
}

/* The highest place for `size` bytes, aligned to 2 MiB, in usable RAM that the boot tables reach. */
static u64 place(u64 size)
{
    u64 best = 0;
    for (unsigned i = 0; i < usable.count; i++) {
        u64 end = MIN(usable.at[i][1], BOOT_REACH), start = usable.at[i][0];
        if (end < start + size)
            continue;
        u64 at = (end - size) & ~(LARGE_PAGE - 1);
        if (at >= start && at > best)
            best = at;
    }
    return best;
}

static void fill(void *at, u64 value, unsigned long count)
{
    __asm__ volatile("rep stosq" : "+D"(at), "+c"(count) : "a"(value) : "memory");
}

/* All frames first as no RAM; then RAM as ours; then what is usable goes to the heap. */
static void fill_frame_table(void)
{
    fill(frame_table, FW_OWNER(OWNER_IO) | FW_VALID(FRAME_NONE), max_frame);
    for (unsigned i = 0; i < ram.count; i++) {
        u64 start = MAX(ram.at[i][0], LOW_END), end = ram.at[i][1];
        if (start < end)
            fill(&frame_table[start >> PAGE_SHIFT], WORD_OURS, (end - start) >> PAGE_SHIFT);
    }
    heap_init();
    for (unsigned i = 0; i < usable.count; i++) {
        u64 start = usable.at[i][0], end = usable.at[i][1];
        if (start < end)
            heap_add(mfn_of(start >> PAGE_SHIFT), (end - start) >> PAGE_SHIFT, true);
    }
}

void bootmem_init(struct boot_block *block)
{
    read_firmware_map();
    block->m2p_bytes = ROUND_UP(max_frame * 8, LARGE_PAGE);
    block->compat_bytes = ROUND_UP(max_frame * 4, LARGE_PAGE);
    u64 table_bytes = ROUND_UP(max_frame * sizeof(struct frame), PAGE_SIZE);
    u64 pool_bytes = (64 + (max_frame >> 18)) * PAGE_SIZE;
    u64 size = block->m2p_bytes + block->compat_bytes + table_bytes + pool_bytes;
    u64 start = place(size);
    if (start == 0)
        panic("not enough memory: %lu KiB of RAM, and %lu KiB in one piece below 4 GiB are needed to start",
              total_frames * 4, (unsigned long)size >> 10);
    range_remove(&usable, start, start + size);
    block->m2p = start;
    block->compat = start + block->m2p_bytes;
    frame_table = maddr_to_virt(block->compat + block->compat_bytes);
    block->pool = block->compat + block->compat_bytes + table_bytes;
    block->pool_end = start + size;
    m2p_first = mfn_of(start >> PAGE_SHIFT);
    m2p_end = mfn_of((block->compat + block->compat_bytes) >> PAGE_SHIFT);
    fill(maddr_to_virt(block->m2p), ~0UL, (block->m2p_bytes + block->compat_bytes) / 8);
    fill_frame_table();
    hypervisor_frames = total_frames - free_frames();
}

bool bootmem_ram(unsigned index, u64 *start, u64 *end)
{
    if (index >= ram.count)
        return false;
    *start = ram.at[index][0];
    *end = ram.at[index][1];
    return true;
}

void boot_release(u64 start, u64 end)
{
    for (u64 at = ROUND_UP(start, PAGE_SIZE); at + PAGE_SIZE <= end; at += PAGE_SIZE) {
        mfn_t mfn = mfn_of(at >> PAGE_SHIFT);
        if (mfn_valid(mfn) && frame_word(mfn) == WORD_OURS)
            frame_free(mfn, 0);
    }
}
