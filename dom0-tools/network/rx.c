/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Filling the receive ring; see rx.h. Requests are answered in order and each exactly once, so an answer lies in the
 * place of its request. Answers are written when a frame is placed, corrected when its copy failed, and never read back.
 */
#include "rx.h"

#include <stdlib.h>
#include <string.h>

#include "copy.h"
#include "platform.h"

static uint32_t all_waiting_bytes;

void rx_init(struct rx *rx, void *shared, domid_t domid)
{
    memset(rx, 0, sizeof(*rx));
    BACK_RING_ATTACH(&rx->ring, (struct netif_rx_sring *)shared, 0, COPY_PAGE_BYTES);
    rx->domid = domid;
    rx->last = &rx->first;
    rx->progress_ns = network_now_ns();
}

/* What a frame of so many bytes costs while it waits. */
static uint32_t cost(uint32_t bytes)
{
    return (uint32_t)sizeof(struct rx_waiting) + bytes;
}

static struct rx_waiting *unqueue(struct rx *rx)
{
    struct rx_waiting *waiting = rx->first;

    rx->first = waiting->next;
    if (rx->first == NULL)
        rx->last = &rx->first;
    rx->waiting_bytes -= cost(waiting->bytes);
    all_waiting_bytes -= cost(waiting->bytes);
    return waiting;
}

void rx_clear(struct rx *rx)
{
    while (rx->first != NULL)
        free(unqueue(rx));
}

/* How many pages the guest has posted. */
static unsigned int posted(struct rx *rx)
{
    RING_IDX produced = *(volatile RING_IDX *)&rx->ring.sring->req_prod;

    if (rx->lied || RING_REQUEST_PROD_OVERFLOW(&rx->ring, produced) ||
        produced - rx->ring.req_cons > RING_SIZE(&rx->ring)) {
        rx->lied = true;
        return 0;
    }
    xen_rmb();
    return produced - rx->ring.req_cons;
}

/* The bytes of a page that a frame may fill. */
static uint32_t room(const struct rx *rx)
{
    return COPY_PAGE_BYTES - rx->headroom;
}

static unsigned int slots_for(const struct rx *rx, const struct frame *frame)
{
    return (frame->bytes + room(rx) - 1) / room(rx) + (frame->gso_type != 0);
}

static struct netif_rx_request take_request(struct rx *rx)
{
    struct netif_rx_request request;

    RING_COPY_REQUEST(&rx->ring, rx->ring.req_cons, &request);
    rx->failed[rx->ring.req_cons % RX_RING_MAX] = false;
    rx->ring.req_cons++;
    return request;
}

static void answer(struct rx *rx, uint16_t id, uint16_t flags, uint32_t bytes)
{
    struct netif_rx_response *response = RING_GET_RESPONSE(&rx->ring, rx->ring.rsp_prod_pvt);

    response->id = id;
    response->offset = rx->headroom;
    response->flags = flags;
    response->status = (int16_t)bytes;
    rx->ring.rsp_prod_pvt++;
}

static void answer_extra(struct rx *rx, const struct frame *frame)
{
    struct netif_extra_info extra = {.type = XEN_NETIF_EXTRA_TYPE_GSO};
    volatile void *response = RING_GET_RESPONSE(&rx->ring, rx->ring.rsp_prod_pvt);

    extra.u.gso.size = frame->gso_size;
    extra.u.gso.type = frame->gso_type;
    *(volatile struct netif_extra_info *)response = extra;
    rx->ring.rsp_prod_pvt++;
}

/* Where in the frame's pieces the next byte is. */
struct cursor {
    const struct frame *frame;
    unsigned int piece;
    uint32_t from;
};

/* Fills one page with what comes next; the id of its request. */
static uint16_t fill_page(struct rx *rx, struct cursor *cursor, uint32_t bytes)
{
    unsigned int slot = rx->ring.req_cons % RX_RING_MAX;
    struct netif_rx_request request = take_request(rx);
    struct copy_target target = {rx->domid, request.gref, rx->headroom, &rx->failed[slot]};

    while (bytes > 0) {
        const struct frame_piece *piece = &cursor->frame->pieces[cursor->piece];
        uint32_t part = piece->bytes - cursor->from;

        if (part > bytes)
            part = bytes;
        if (part > 0)
            copy_add(piece, cursor->from, part, &target, cursor->frame->unreadable);
        target.offset = (uint16_t)(target.offset + part);
        bytes -= part;
        cursor->from += part;
        if (cursor->from == piece->bytes) {
            cursor->piece++;
            cursor->from = 0;
        }
    }
    return request.id;
}

/* There are pages enough. */
static void place(struct rx *rx, const struct frame *frame)
{
    struct cursor cursor = {.frame = frame};
    uint16_t id, flags = frame->gso_type != 0 ? NETRXF_extra_info : 0;

    if (frame->checksum_blank)
        flags |= NETRXF_csum_blank | NETRXF_data_validated;
    else if (frame->data_validated)
        flags |= NETRXF_data_validated;
    for (uint32_t done = 0, part; done < frame->bytes; done += part) {
        part = frame->bytes - done < room(rx) ? frame->bytes - done : room(rx);
        id = fill_page(rx, &cursor, part);
        answer(rx, id, (uint16_t)(flags | (done + part < frame->bytes ? NETRXF_more_data : 0)), part);
        if ((flags & NETRXF_extra_info) != 0) {
            (void)take_request(rx);
            answer_extra(rx, frame);
        }
        flags = 0;
    }
    rx->stalled = false;
    rx->progress_ns = network_now_ns();
}

/* A copy of ours, for later. */
static bool enqueue(struct rx *rx, const struct frame *frame)
{
    struct rx_waiting *waiting;

    if (rx->stalled || rx->no_queue || rx->waiting_bytes + cost(frame->bytes) > RX_QUEUE_BYTES ||
        all_waiting_bytes + cost(frame->bytes) > RX_QUEUES_BYTES)
        return false;
    waiting = malloc(cost(frame->bytes));
    if (waiting == NULL || !frame_copy(frame, waiting->data)) {
        free(waiting);
        return false;
    }
    if (rx->first == NULL)
        rx->progress_ns = network_now_ns();
    waiting->next = NULL;
    waiting->bytes = frame->bytes;
    waiting->flags = (uint16_t)((frame->checksum_blank ? NETRXF_csum_blank : 0) |
                                (frame->data_validated ? NETRXF_data_validated : 0));
    waiting->gso_type = frame->gso_type;
    waiting->gso_size = frame->gso_size;
    *rx->last = waiting;
    rx->last = &waiting->next;
    rx->waiting_bytes += cost(frame->bytes);
    all_waiting_bytes += cost(frame->bytes);
    return true;
}

bool rx_frame(struct rx *rx, const struct frame *frame)
{
    if (rx->first == NULL && posted(rx) >= slots_for(rx, frame)) {
        place(rx, frame);
        return true;
    }
    if (rx->lied || slots_for(rx, frame) > RING_SIZE(&rx->ring) || !enqueue(rx, frame))
        return false;
    rx_resume(rx); /* asks to be told of pages; some may have come already */
    return true;
}

static void make_frame(const struct rx_waiting *waiting, struct frame *frame)
{
    uint32_t done = 0;

    memset(frame, 0, sizeof(*frame));
    frame->bytes = waiting->bytes;
    frame->checksum_blank = (waiting->flags & NETRXF_csum_blank) != 0;
    frame->data_validated = (waiting->flags & NETRXF_data_validated) != 0;
    frame->gso_type = waiting->gso_type;
    frame->gso_size = waiting->gso_size;
    while (done < waiting->bytes) {
        uint32_t part = COPY_PAGE_BYTES - (uint32_t)((uintptr_t)(waiting->data + done) % COPY_PAGE_BYTES);

        if (part > waiting->bytes - done)
            part = waiting->bytes - done;
        frame->pieces[frame->piece_count++] = (struct frame_piece){.data = waiting->data + done, .bytes = part};
        done += part;
    }
}

/* True when there are pages for the first that waits; otherwise the guest is asked for a signal when it posts them. */
static bool may_place(struct rx *rx, unsigned int slots)
{
    if (posted(rx) >= slots)
        return true;
    rx->ring.sring->req_event = rx->ring.req_cons + slots;
    xen_mb();
    return posted(rx) >= slots;
}

void rx_resume(struct rx *rx)
{
    static struct frame frame;
    struct rx_waiting *done = NULL, *waiting;

    while (rx->first != NULL && !rx->lied) {
        make_frame(rx->first, &frame);
        if (!may_place(rx, slots_for(rx, &frame)))
            break;
        place(rx, &frame);
        waiting = unqueue(rx);
        waiting->next = done;
        done = waiting;
    }
    if (done != NULL)
        copy_flush();
    while ((waiting = done) != NULL) {
        done = waiting->next;
        free(waiting);
    }
}

unsigned int rx_expire(struct rx *rx, uint64_t now_ns)
{
    unsigned int count = 0;

    if (rx->first == NULL || now_ns - rx->progress_ns < RX_STALL_NS)
        return 0;
    rx->stalled = true;
    for (; rx->first != NULL; count++)
        free(unqueue(rx));
    return count;
}

bool rx_push(struct rx *rx)
{
    bool notify;

    for (; rx->pushed != rx->ring.rsp_prod_pvt; rx->pushed++) {
        unsigned int slot = rx->pushed % RX_RING_MAX;

        if (!rx->failed[slot])
            continue;
        rx->errors++;
        RING_GET_RESPONSE(&rx->ring, rx->pushed)->status = NETIF_RSP_ERROR;
    }
    RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(&rx->ring, notify);
    return notify;
}
