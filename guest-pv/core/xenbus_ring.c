/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The byte stream to the xenstore through the page the builder set up. Indices of the other side are read once and
 * checked: a distance larger than the ring is an error and not data.
 */
#include <errno.h>
#include <string.h>
#include <abi/io/xs_wire.h>
#include <pv/event.h>
#include <pv/paging.h>
#include <pv/xenbus_ring.h>
#include "internal.h"

static struct xenstore_domain_interface *ring;

struct waitq xenbus_ring_waitq;

static void ring_event(evtchn_port_t port, void *data)
{
    waitq_wake(&xenbus_ring_waitq);
}

int xenbus_ring_init(void)
{
    unsigned long pfn;

    if (ring != NULL)
        return 0;
    if (pv_is_dom0() || start_info->store_mfn == 0)
        return -ENODEV;
    pfn = mfn_to_pfn(start_info->store_mfn);
    if (pfn == INVALID_P2M)
        return -ENODEV;
    ring = pfn_to_virt(pfn);
    return event_set_handler(start_info->store_evtchn, ring_event, NULL);
}

static uint32_t load(const XENSTORE_RING_IDX *index)
{
    return __atomic_load_n(index, __ATOMIC_ACQUIRE);
}

bool xenbus_ring_readable(void)
{
    return ring != NULL && load(&ring->rsp_prod) != ring->rsp_cons;
}

static ssize_t take(char *out, size_t size)
{
    XENSTORE_RING_IDX cons = ring->rsp_cons;
    uint32_t available = load(&ring->rsp_prod) - cons;

    if (available > XENSTORE_RING_SIZE)
        return -EIO;
    if (size > available)
        size = available;
    for (size_t i = 0; i < size; i++)
        out[i] = ring->rsp[MASK_XENSTORE_IDX(cons + i)];
    __atomic_store_n(&ring->rsp_cons, cons + (uint32_t)size, __ATOMIC_SEQ_CST);
    return (ssize_t)size;
}

ssize_t xenbus_ring_read(void *buffer, size_t size, bool block)
{
    ssize_t count;

    if (ring == NULL)
        return -ENODEV;
    while (!xenbus_ring_readable()) {
        if (!block)
            return -EAGAIN;
        wait_event(&xenbus_ring_waitq, xenbus_ring_readable());
    }
    count = take(buffer, size);
    if (count > 0)
        event_notify(start_info->store_evtchn);
    return count;
}

/* Room for requests, or a negative errno. */
static ssize_t ring_room(void)
{
    uint32_t used = ring->req_prod - load(&ring->req_cons);

    return used <= XENSTORE_RING_SIZE ? (ssize_t)(XENSTORE_RING_SIZE - used) : -EIO;
}

ssize_t xenbus_ring_write(const void *buffer, size_t size)
{
    const char *from = buffer;
    size_t sent = 0;

    if (ring == NULL)
        return -ENODEV;
    while (sent < size) {
        XENSTORE_RING_IDX prod = ring->req_prod;
        ssize_t room = ring_room();

        if (room < 0)
            return room;
        if (room == 0) {
            wait_event(&xenbus_ring_waitq, ring_room() != 0);
            continue;
        }
        if ((size_t)room > size - sent)
            room = (ssize_t)(size - sent);
        for (ssize_t i = 0; i < room; i++)
            ring->req[MASK_XENSTORE_IDX(prod + (uint32_t)i)] = from[sent++];
        __atomic_store_n(&ring->req_prod, prod + (uint32_t)room, __ATOMIC_SEQ_CST);
        event_notify(start_info->store_evtchn);
    }
    return (ssize_t)size;
}

void xenbus_ring_touch(void)
{
    if (ring != NULL)
        __atomic_store_n(&ring->req_prod, ring->req_prod, __ATOMIC_SEQ_CST);
}

/* The new daemon owes no answer to anything: what is left of the old one's is dropped. */
void xenbus_ring_resume(bool restored)
{
    if (ring == NULL || !restored)
        return;
    __atomic_store_n(&ring->rsp_cons, load(&ring->rsp_prod), __ATOMIC_SEQ_CST);
    event_set_handler(start_info->store_evtchn, ring_event, NULL);
}
