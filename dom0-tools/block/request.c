/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Block requests in both layouts; see request.h. No hypercall and no thread: the host tests run it as it is.
 */
#include "request.h"

#include <string.h>

#include <abi/io/blkif_widths.h>
#include <abi/io/protocols.h>

#define ENTRIES_OFFSET         offsetof(struct blkif_x86_32_sring, ring)
#define SEGMENTS_PER_PAGE      (4096u / sizeof(struct blkif_request_segment))
#define INDIRECT_SEGMENTS_MOST (SEGMENTS_PER_PAGE * BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST)

_Static_assert(offsetof(struct blkif_x86_32_sring, ring) == offsetof(struct blkif_x86_64_sring, ring),
               "entries begin at the same place in both layouts");

bool block_protocol_parse(const char *name, enum block_protocol *protocol)
{
    if (name == NULL)
        name = XEN_IO_PROTO_ABI_NATIVE;
    *protocol = strcmp(name, XEN_IO_PROTO_ABI_X86_32) == 0 ? BLOCK_X86_32 : BLOCK_X86_64;
    return *protocol == BLOCK_X86_32 || strcmp(name, XEN_IO_PROTO_ABI_X86_64) == 0;
}

static size_t entry_size(enum block_protocol protocol)
{
    return protocol == BLOCK_X86_32 ? sizeof(union blkif_x86_32_sring_entry) : sizeof(union blkif_x86_64_sring_entry);
}

unsigned int block_ring_entries(enum block_protocol protocol, size_t bytes)
{
    return XEN_RING_FLOOR_POW2_((bytes - ENTRIES_OFFSET) / entry_size(protocol));
}

bool block_producer_check(uint32_t producer, uint32_t taken, uint32_t answered, unsigned int entries)
{
    return producer - answered <= entries && producer - answered >= taken - answered;
}

static size_t entry_offset(enum block_protocol protocol, unsigned int entries, uint32_t index)
{
    return ENTRIES_OFFSET + (index & (entries - 1)) * entry_size(protocol);
}

/* Both layouts have the same members in the same order, at different places. */
#define TAKE_DIRECT(out, from)                                                                                         \
    do {                                                                                                               \
        (out)->operation = (from)->operation;                                                                          \
        (out)->segment_count = (from)->nr_segments;                                                                    \
        (out)->id = (from)->id;                                                                                        \
        (out)->sector = (from)->sector_number;                                                                         \
        memcpy((out)->segments, (from)->seg, sizeof((out)->segments));                                                 \
    } while (0)

#define TAKE_INDIRECT(out, from)                                                                                       \
    do {                                                                                                               \
        (out)->operation = (from)->indirect_op;                                                                        \
        (out)->indirect = true;                                                                                        \
        (out)->segment_count = (from)->nr_segments;                                                                    \
        (out)->id = (from)->id;                                                                                        \
        (out)->sector = (from)->sector_number;                                                                         \
        memcpy((out)->indirect_grefs, (from)->indirect_grefs, sizeof((out)->indirect_grefs));                          \
    } while (0)

void block_request_read(enum block_protocol protocol, const void *ring, unsigned int entries, uint32_t index,
                        struct block_request *out)
{
    union {
        uint8_t operation;
        struct blkif_x86_32_request direct32;
        struct blkif_x86_64_request direct64;
        struct blkif_x86_32_request_indirect indirect32;
        struct blkif_x86_64_request_indirect indirect64;
    } copy;

    memset(&copy, 0, sizeof(copy));
    memcpy(&copy, (const char *)ring + entry_offset(protocol, entries, index), entry_size(protocol));
    __asm__ volatile("" ::: "memory"); /* from here on the copy is all there is */
    memset(out, 0, sizeof(*out));
    if (copy.operation != BLKIF_OP_INDIRECT && protocol == BLOCK_X86_32)
        TAKE_DIRECT(out, &copy.direct32);
    else if (copy.operation != BLKIF_OP_INDIRECT)
        TAKE_DIRECT(out, &copy.direct64);
    else if (protocol == BLOCK_X86_32)
        TAKE_INDIRECT(out, &copy.indirect32);
    else
        TAKE_INDIRECT(out, &copy.indirect64);
}

int block_request_check(const struct block_request *request, unsigned int max_indirect_segments)
{
    unsigned int most = request->indirect ? max_indirect_segments : BLKIF_MAX_SEGMENTS_PER_REQUEST;

    switch (request->operation) {
    case BLKIF_OP_READ:
    case BLKIF_OP_WRITE:
        return request->segment_count > 0 && request->segment_count <= most ? BLKIF_RSP_OKAY : BLKIF_RSP_ERROR;
    case BLKIF_OP_WRITE_BARRIER:
    case BLKIF_OP_FLUSH_DISKCACHE:
        if (request->indirect)
            return BLKIF_RSP_ERROR;
        return request->segment_count <= most ? BLKIF_RSP_OKAY : BLKIF_RSP_ERROR;
    default:
        return BLKIF_RSP_EOPNOTSUPP;
    }
}

bool block_segments_check(const struct blkif_request_segment *segments, unsigned int count, uint32_t *sectors)
{
    *sectors = 0;
    for (unsigned int i = 0; i < count; i++) {
        if (segments[i].last_sect >= BLOCK_PAGE_SECTORS || segments[i].first_sect > segments[i].last_sect)
            return false;
        *sectors += segments[i].last_sect - segments[i].first_sect + 1u;
    }
    return true;
}

unsigned int block_indirect_pages(unsigned int segment_count)
{
    if (segment_count > INDIRECT_SEGMENTS_MOST)
        segment_count = INDIRECT_SEGMENTS_MOST;
    return (segment_count + (unsigned int)SEGMENTS_PER_PAGE - 1) / (unsigned int)SEGMENTS_PER_PAGE;
}

#define SAME_PLACE(member)                                                                                             \
    _Static_assert(offsetof(struct blkif_x86_32_response, member) == offsetof(struct blkif_x86_64_response, member),   \
                   "an answer has the same members at the same places in both layouts")
SAME_PLACE(id);
SAME_PLACE(operation);
SAME_PLACE(status);

/* Member by member: what lies between them stays the guest's, and gets nothing of our stack. */
void block_response_write(enum block_protocol protocol, void *ring, unsigned int entries, uint32_t index, uint64_t id,
                          uint8_t operation, int16_t status)
{
    struct blkif_x86_32_response *response = (void *)((char *)ring + entry_offset(protocol, entries, index));

    response->id = id;
    response->operation = operation;
    response->status = status;
}
