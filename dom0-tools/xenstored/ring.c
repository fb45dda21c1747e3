/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Moving bytes through a guest's ring page; see ring.h.
 */
#include <string.h>

#include "client.h"
#include "ring.h"

#define LOAD(field)         __atomic_load_n(&(field), __ATOMIC_ACQUIRE)
#define STORE(field, value) __atomic_store_n(&(field), (value), __ATOMIC_RELEASE)
#define FENCE()             __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define PUSH_ROUNDS         64 /* a guest that keeps emptying its ring does not keep us */

#define FEATURES            (XENSTORE_SERVER_FEATURE_RECONNECTION | XENSTORE_SERVER_FEATURE_ERROR)

void ring_open(struct xenstore_domain_interface *ring)
{
    STORE(ring->server_features, FEATURES);
    STORE(ring->error, XENSTORE_ERROR_NONE);
}

bool ring_wants_reconnect(const struct xenstore_domain_interface *ring)
{
    return LOAD(ring->connection) == XENSTORE_RECONNECT;
}

void ring_reconnect(struct xenstore_domain_interface *ring)
{
    STORE(ring->req_cons, 0);
    STORE(ring->req_prod, 0);
    STORE(ring->rsp_cons, 0);
    STORE(ring->rsp_prod, 0);
    STORE(ring->error, XENSTORE_ERROR_NONE);
    STORE(ring->connection, XENSTORE_CONNECTED);
}

void ring_shut(struct xenstore_domain_interface *ring, uint32_t error)
{
    STORE(ring->error, error);
}

/* How many bytes lie in one piece from the index on, of `count` in the ring. */
static uint32_t contiguous(uint32_t index, uint32_t count)
{
    uint32_t to_end = XENSTORE_RING_SIZE - MASK_XENSTORE_IDX(index);

    return count < to_end ? count : to_end;
}

/* The bytes are copied out before anything looks at them: the guest may change them meanwhile. */
static uint32_t feed(struct client *client, const char *from, uint32_t len, unsigned int *limit)
{
    char bytes[XENSTORE_RING_SIZE];
    uint32_t done = 0;

    memcpy(bytes, from, len);
    while (done < len && *limit) {
        size_t taken = client_input(client, bytes + done, len - done);

        if (!taken)
            break;
        done += (uint32_t)taken;
        if (!client->received)
            (*limit)--;
    }
    return done;
}

uint32_t ring_pull(struct xenstore_domain_interface *ring, struct client *client, unsigned int limit, bool *moved,
                   bool *more)
{
    uint32_t producer = LOAD(ring->req_prod), consumer = LOAD(ring->req_cons), count = producer - consumer;

    if (count > XENSTORE_RING_SIZE)
        return XENSTORE_ERROR_RINGIDX;
    while (count && limit) {
        uint32_t part = contiguous(consumer, count);
        uint32_t done = feed(client, ring->req + MASK_XENSTORE_IDX(consumer), part, &limit);

        if (client->broken)
            return XENSTORE_ERROR_PROTO;
        if (!done)
            return XENSTORE_ERROR_NONE;
        consumer += done;
        count -= done;
        *moved = true;
        STORE(ring->req_cons, consumer);
    }
    /* A guest that adds to what it sees unread sends no event: whether there is more is asked after it can see. */
    FENCE();
    *more = LOAD(ring->req_prod) != consumer;
    return XENSTORE_ERROR_NONE;
}

/* Fills the room there is in one go. */
static void push_room(struct xenstore_domain_interface *ring, struct client *client, uint32_t room)
{
    uint32_t producer = LOAD(ring->rsp_prod);

    while (room && client_has_output(client)) {
        uint32_t part = contiguous(producer, room);
        uint32_t done = (uint32_t)client_output(client, ring->rsp + MASK_XENSTORE_IDX(producer), part);

        producer += done;
        room -= done;
    }
    STORE(ring->rsp_prod, producer);
    FENCE();
}

/* A guest that makes room in a ring it has not seen full sends no event: so room is looked for again after each round. */
uint32_t ring_push(struct xenstore_domain_interface *ring, struct client *client, bool *moved)
{
    for (unsigned int round = 0; round < PUSH_ROUNDS; round++) {
        uint32_t used = LOAD(ring->rsp_prod) - LOAD(ring->rsp_cons);

        if (used > XENSTORE_RING_SIZE)
            return XENSTORE_ERROR_RINGIDX;
        if (used == XENSTORE_RING_SIZE || !client_has_output(client))
            break;
        push_room(ring, client, XENSTORE_RING_SIZE - used);
        *moved = true;
    }
    return XENSTORE_ERROR_NONE;
}
