/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Sizes that images state about themselves; see image.h. The head is whatever somebody put there: every number read
 * from it is bounded before it is multiplied.
 */
#include "image.h"

#include <stdbool.h>
#include <string.h>

#define EXT_OFFSET   1024u
#define EXT_MAGIC_AT (EXT_OFFSET + 56)
#define ISO_OFFSET   32768u
#define MBR_ENTRIES  446u

struct head {
    const uint8_t *bytes;
    size_t size;
};

static uint32_t little32(const struct head *head, size_t at)
{
    return (uint32_t)head->bytes[at] | (uint32_t)head->bytes[at + 1] << 8 | (uint32_t)head->bytes[at + 2] << 16 |
           (uint32_t)head->bytes[at + 3] << 24;
}

static uint64_t little64(const struct head *head, size_t at)
{
    return little32(head, at) | (uint64_t)little32(head, at + 4) << 32;
}

/* s_blocks_count << (1 + s_log_block_size); the high half counts with the 64bit feature (0x80 of feature_incompat). */
static uint64_t ext_sectors(const struct head *head)
{
    uint64_t blocks;
    uint32_t shift;

    if (head->size < EXT_OFFSET + 1024 || head->bytes[EXT_MAGIC_AT] != 0x53 || head->bytes[EXT_MAGIC_AT + 1] != 0xef)
        return 0;
    shift = little32(head, EXT_OFFSET + 24);
    blocks = little32(head, EXT_OFFSET + 4);
    if (little32(head, EXT_OFFSET + 96) & 0x80)
        blocks |= (uint64_t)(little32(head, EXT_OFFSET + 336) & 0xffff) << 32;
    return shift <= 6 ? blocks << (1 + shift) : 0;
}

/* The primary volume descriptor: so many blocks of 2048 bytes. */
static uint64_t iso_sectors(const struct head *head)
{
    if (head->size < ISO_OFFSET + 2048 || memcmp(head->bytes + ISO_OFFSET, "\1CD001\1", 7) != 0)
        return 0;
    return (uint64_t)little32(head, ISO_OFFSET + 80) * 4;
}

/* The last sector of a GPT is its second header, whose place the first one names. */
static uint64_t gpt_sectors(const struct head *head)
{
    uint64_t last;

    if (head->size < 1024 || memcmp(head->bytes + 512, "EFI PART", 8) != 0)
        return 0;
    last = little64(head, 512 + 32);
    return last < UINT64_MAX / 1024 ? last + 1 : 0;
}

/* The end of the partition that ends last; no table when an entry has an impossible flag, as boot code would. */
static uint64_t mbr_sectors(const struct head *head)
{
    uint64_t most = 0;

    if (head->size < 512 || head->bytes[510] != 0x55 || head->bytes[511] != 0xaa)
        return 0;
    for (unsigned int i = 0; i < 4; i++) {
        size_t at = MBR_ENTRIES + 16 * i;
        uint64_t end = (uint64_t)little32(head, at + 8) + little32(head, at + 12);

        if ((head->bytes[at] & 0x7f) != 0)
            return 0;
        if (head->bytes[at + 4] != 0 && head->bytes[at + 4] != 0xee && end > most)
            most = end;
    }
    return most;
}

uint64_t image_claimed_sectors(const void *bytes, size_t size, const char **what)
{
    static const struct {
        const char *name;
        uint64_t (*sectors)(const struct head *head);
    } kinds[] = {
        {"its GPT partition table", gpt_sectors},
        {"its ISO 9660 file system", iso_sectors},
        {"its ext file system", ext_sectors},
        {"its partition table", mbr_sectors},
    };
    struct head head = {bytes, size};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        uint64_t sectors = kinds[i].sectors(&head);

        *what = kinds[i].name;
        if (sectors != 0)
            return sectors;
    }
    return 0;
}
