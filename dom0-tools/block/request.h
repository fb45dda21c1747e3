/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The entries of a block ring, in the layout of either width, as one shape. The ring is memory of the guest, which
 * changes it when it likes: an entry is read once, and everything is judged by that copy.
 */
#ifndef BLOCK_REQUEST_H
#define BLOCK_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <abi/io/blkif.h>

#define BLOCK_PAGE_SECTORS 8u

enum block_protocol { BLOCK_X86_32, BLOCK_X86_64 };

struct block_request {
    uint8_t operation; /* of an indirect request: the one inside */
    bool indirect;
    uint16_t segment_count;
    uint64_t id, sector;
    struct blkif_request_segment segments[BLKIF_MAX_SEGMENTS_PER_REQUEST]; /* unless indirect */
    grant_ref_t indirect_grefs[BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST];
};

/* "x86_32-abi", "x86_64-abi"; NULL stands for our own width. False for any other. */
bool block_protocol_parse(const char *name, enum block_protocol *protocol);

/* How many entries a ring of so many bytes has. */
unsigned int block_ring_entries(enum block_protocol protocol, size_t bytes);

/* Whether a request index is one that an honest frontend may have: none taken back, none past the room there is. */
bool block_producer_check(uint32_t producer, uint32_t taken, uint32_t answered, unsigned int entries);

/* Copies an entry out. `index` runs freely; `entries` is a power of two. */
void block_request_read(enum block_protocol protocol, const void *ring, unsigned int entries, uint32_t index,
                        struct block_request *out);

/* BLKIF_RSP_OKAY when the request may be carried out, else what to answer. Segments are judged by their own check. */
int block_request_check(const struct block_request *request, unsigned int max_indirect_segments);

/* False when a segment lies outside its page or has no sector; *sectors is their sum. */
bool block_segments_check(const struct blkif_request_segment *segments, unsigned int count, uint32_t *sectors);

/* How many pages of segments an indirect request has. */
unsigned int block_indirect_pages(unsigned int segment_count);

/* Fills the entry; the producer index is the caller's. */
void block_response_write(enum block_protocol protocol, void *ring, unsigned int entries, uint32_t index, uint64_t id,
                          uint8_t operation, int16_t status);

#endif
