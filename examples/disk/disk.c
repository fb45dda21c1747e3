/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Writes a pattern over the first disk, reads it back in pieces of other sizes, and says what differs. Each word of the
 * pattern names its own place and the round, so that a sector that landed elsewhere, or an old one, is recognised.
 *   rounds=N   how often (1; 0: for ever)   kib=N   how much of the disk (1024, at most all of it)
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pv/blkfront.h>
#include <pv/paging.h>
#include <pv/pv.h>
#include <pv/time.h>

#define PATIENCE_NS  10000000000ULL
#define BUFFER_PAGES 64U
#define SECTOR_WORDS (BLKFRONT_SECTOR / sizeof(uint64_t))

static uint64_t pattern(uint64_t sector, unsigned int word, unsigned long round)
{
    return (sector << 32 | (uint64_t)word << 16 | (round & 0xffff)) * 0x9e3779b97f4a7c15ULL;
}

static void fill(uint64_t *words, uint64_t sector, uint64_t sectors, unsigned long round)
{
    for (uint64_t i = 0; i < sectors * SECTOR_WORDS; i++)
        words[i] = pattern(sector + i / SECTOR_WORDS, i % SECTOR_WORDS, round);
}

static uint64_t differences(const uint64_t *words, uint64_t sector, uint64_t sectors, unsigned long round)
{
    uint64_t count = 0;

    for (uint64_t i = 0; i < sectors * SECTOR_WORDS; i++)
        if (words[i] != pattern(sector + i / SECTOR_WORDS, i % SECTOR_WORDS, round))
            count++;
    return count;
}

static void check(int rc, const char *what, uint64_t sector)
{
    if (rc == 0)
        return;
    printf("disk: %s at sector %" PRIu64 " failed: %s\n", what, sector, strerror(-rc));
    exit(1);
}

/* Pieces of `step` sectors, each at its own offset inside a page: no segment is like the one that wrote it. */
static uint64_t read_back(struct blkfront *disk, uint8_t *buffer, uint64_t end, unsigned int step, unsigned long round)
{
    uint64_t wrong = 0;

    for (uint64_t sector = 0; sector < end; sector += step) {
        uint64_t count = end - sector < step ? end - sector : step;
        uint8_t *at = buffer + sector % 8 * BLKFRONT_SECTOR;

        check(blkfront_read(disk, sector, at, count * BLKFRONT_SECTOR), "reading", sector);
        wrong += differences((uint64_t *)at, sector, count, round);
    }
    return wrong;
}

static void one_round(struct blkfront *disk, uint8_t *buffer, uint64_t end, unsigned long round)
{
    const uint64_t step = (BUFFER_PAGES - 1) * PAGE_SIZE / BLKFRONT_SECTOR;
    uint64_t wrong, start = time_monotonic_ns();

    for (uint64_t sector = 0; sector < end; sector += step) {
        uint64_t count = end - sector < step ? end - sector : step;

        fill((uint64_t *)buffer, sector, count, round);
        check(blkfront_write(disk, sector, buffer, count * BLKFRONT_SECTOR), "writing", sector);
    }
    if (blkfront_info(disk).can_flush)
        check(blkfront_flush(disk), "flushing", 0);
    wrong = read_back(disk, buffer, end, 37, round);
    printf("disk: round %lu, %" PRIu64 " sectors written and read in %" PRIu64 " us, %" PRIu64 " words wrong\n", round,
           end, (time_monotonic_ns() - start) / 1000, wrong);
    if (wrong != 0)
        exit(1);
}

static void try_bad_requests(struct blkfront *disk, uint8_t *buffer, uint64_t sectors)
{
    printf("disk: past the end: %s\n", strerror(-blkfront_read(disk, sectors, buffer, BLKFRONT_SECTOR)));
    printf("disk: half a sector: %s\n", strerror(-blkfront_read(disk, 0, buffer, BLKFRONT_SECTOR / 2)));
}

int main(int argc, char **argv)
{
    struct blkfront *disk = blkfront_open(BLKFRONT_XVDA, time_monotonic_ns() + PATIENCE_NS);
    uint8_t *buffer = pages_alloc(BUFFER_PAGES);
    unsigned long rounds = pv_option_number("rounds", 1), kib = pv_option_number("kib", 1024);
    struct blkfront_info info;
    uint64_t end;

    if (disk == NULL || buffer == NULL) {
        printf("disk: xvda: %s\n", strerror(errno));
        return 1;
    }
    info = blkfront_info(disk);
    printf("disk: xvda has %" PRIu64 " sectors, %s\n", info.sectors, info.read_only ? "read-only" : "writable");
    try_bad_requests(disk, buffer, info.sectors);
    end = kib * 2 < info.sectors ? kib * 2 : info.sectors;
    if (info.read_only)
        printf("disk: writing: %s\n", strerror(-blkfront_write(disk, 0, buffer, BLKFRONT_SECTOR)));
    for (unsigned long round = 1; !info.read_only && (rounds == 0 || round <= rounds); round++)
        one_round(disk, buffer, end, round);
    blkfront_close(disk);
    printf("disk: done\n");
    return 0;
}
