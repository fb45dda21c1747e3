/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Gathered copies; see copy.h. Memory of ours is named by frame, so each copy ends at our page's end as well.
 */
#include "copy.h"

#include <string.h>

#include <abi/xen.h>

#include "platform.h"

#define COPIES_MAX 512u

/* Whom to tell about a copy. */
struct note {
    bool *failed, *unreadable;
};

static struct gnttab_copy copies[COPIES_MAX];
static struct note notes[COPIES_MAX];
static unsigned int copy_count;
static _Alignas(COPY_PAGE_BYTES) const uint8_t zeros[COPY_PAGE_BYTES];

static uint32_t page_offset(const void *data)
{
    return (uint32_t)((uintptr_t)data % COPY_PAGE_BYTES);
}

/* The source half of one copy; how many of the bytes it can do. */
static uint32_t name_source(struct gnttab_copy *copy, const struct frame_piece *piece, uint32_t from, uint32_t bytes)
{
    const uint8_t *data = piece->data;

    memset(copy, 0, sizeof(*copy));
    if (data == NULL) {
        copy->source.u.ref = piece->gref;
        copy->source.domid = piece->gref_domid;
        copy->source.offset = (uint16_t)(piece->offset + from);
        copy->flags = GNTCOPY_source_gref;
    } else {
        uint32_t offset = page_offset(data + from);

        if (bytes > COPY_PAGE_BYTES - offset)
            bytes = COPY_PAGE_BYTES - offset;
        copy->source.u.gmfn = network_frame(data + from);
        copy->source.domid = DOMID_SELF;
        copy->source.offset = (uint16_t)offset;
    }
    copy->len = (uint16_t)bytes;
    return bytes;
}

void copy_add(const struct frame_piece *piece, uint32_t from, uint32_t bytes, const struct copy_target *target,
              bool *unreadable)
{
    uint16_t offset = target->offset;

    while (bytes > 0) {
        struct gnttab_copy *copy;
        uint32_t part;

        if (copy_count == COPIES_MAX)
            copy_flush();
        copy = &copies[copy_count];
        notes[copy_count++] = (struct note){target->failed, unreadable};
        part = name_source(copy, piece, from, bytes);
        copy->dest.u.ref = target->gref;
        copy->dest.domid = target->domid;
        copy->dest.offset = offset;
        copy->flags |= GNTCOPY_dest_gref;
        from += part;
        bytes -= part;
        offset = (uint16_t)(offset + part);
    }
}

/* One side was at fault. With zeros instead of the sender's bytes it is the receiver's if it fails again. */
static void look_into(struct gnttab_copy *copy, const struct note *note)
{
    bool from_guest = (copy->flags & GNTCOPY_source_gref) != 0;

    if (from_guest) {
        copy->source.u.gmfn = network_frame(zeros);
        copy->source.domid = DOMID_SELF;
        copy->source.offset = 0;
        copy->flags &= (uint16_t)~GNTCOPY_source_gref;
        network_copy(copy, 1);
    }
    if (copy->status != GNTST_okay)
        *note->failed = true;
    else if (note->unreadable != NULL)
        *note->unreadable = true;
}

void copy_flush(void)
{
    if (copy_count > 0)
        network_copy(copies, copy_count);
    for (unsigned int i = 0; i < copy_count; i++)
        if (copies[i].status != GNTST_okay)
            look_into(&copies[i], &notes[i]);
    copy_count = 0;
}

/* Ours to ours is plain copying; the others are gathered here, apart from those that wait for the batch's end. */
bool frame_copy(const struct frame *frame, void *to)
{
    static struct gnttab_copy own[2 * FRAME_PIECES_MAX + FRAME_BYTES_MAX / COPY_PAGE_BYTES];
    unsigned int count = 0;
    uint8_t *at = to;

    for (unsigned int i = 0; i < frame->piece_count; i++) {
        const struct frame_piece *piece = &frame->pieces[i];

        if (piece->data != NULL) {
            memcpy(at, piece->data, piece->bytes);
            at += piece->bytes;
            continue;
        }
        for (uint32_t done = 0, part; done < piece->bytes; done += part, at += part) {
            part = piece->bytes - done;
            if (part > COPY_PAGE_BYTES - page_offset(at))
                part = COPY_PAGE_BYTES - page_offset(at);
            (void)name_source(&own[count], piece, done, part);
            own[count].dest.u.gmfn = network_frame(at);
            own[count].dest.domid = DOMID_SELF;
            own[count++].dest.offset = (uint16_t)page_offset(at);
        }
    }
    if (count > 0)
        network_copy(own, count);
    for (unsigned int i = 0; i < count; i++)
        if (own[i].status != GNTST_okay) {
            if (frame->unreadable != NULL)
                *frame->unreadable = true;
            return false;
        }
    return true;
}
