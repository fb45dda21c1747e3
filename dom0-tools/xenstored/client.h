/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * One connection to the store: bytes in, messages, requests, replies and events, bytes out. How the bytes travel (a
 * guest's ring page, a queue inside dom0) is not known here; whoever moves them calls client_input and client_output.
 *
 * A client can cost a bounded amount of memory only. Requests are not taken while too many replies wait; an event that
 * finds the queue full leaves a mark on its watch, which fires once, with the watch's own path, when there is room.
 */
#ifndef XENSTORED_CLIENT_H
#define XENSTORED_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <abi/io/xs_wire.h>

#include "store.h"

struct xenstored;
struct transaction;
struct watch;

struct message {
    TAILQ_ENTRY(message) link;
    const struct watch *watch; /* of an event: its watch while that exists */
    size_t len;                /* header included */
    char bytes[];              /* struct xsd_sockmsg, then the payload */
};

/* The limits that a client can run into; xenstored.h names them. */
enum quota {
    QUOTA_NODES,
    QUOTA_NODE_SIZE,
    QUOTA_WATCHES,
    QUOTA_TRANSACTIONS,
    QUOTA_PERMISSIONS,
    QUOTA_OUTSTANDING,
    QUOTA_TRANSACTION_NODES,
    QUOTA_TRANSACTION_BYTES,
    QUOTA_EVENTS,
    QUOTA_COUNT
};

struct client {
    TAILQ_ENTRY(client) link;  /* of all clients */
    TAILQ_ENTRY(client) dirty; /* of those with new output */
    struct xenstored *xenstored;
    unsigned int domid;
    bool privileged;
    bool has_target;
    unsigned int target;

    bool is_dirty;
    bool broken; /* it violated the protocol: nothing is read or written any more */
    struct xsd_sockmsg header;
    size_t received;       /* of the current message, header included */
    char *payload;         /* NULL until the header is complete */
    struct message *spare; /* for the short answer that a request in any case gets */

    TAILQ_HEAD(message_queue, message) out;
    size_t sent; /* of the first message */
    unsigned int replies, events;

    LIST_HEAD(, watch) watches;
    LIST_HEAD(, transaction) transactions;
    unsigned int nr_watches, nr_transactions, nr_overflowed;
    uint32_t last_transaction_id;
    unsigned int violations[QUOTA_COUNT];
    unsigned int breaks; /* how often it was shut off */

    /* Tells the transport that there is output, once per batch. Must not call back into the store. */
    void (*wake)(struct client *client);
    void *transport;
};

struct client *client_new(struct xenstored *xenstored, unsigned int domid, bool privileged);
void client_free(struct client *client);

/* Drops watches, transactions, and with `everything` also partial input and all output. */
void client_reset(struct client *client, bool everything);

/*
 * Takes bytes that arrived, up to the end of one request, which is then carried out. Returns how many were taken; 0 with
 * len > 0 means that the client must fetch replies first, or is broken.
 */
size_t client_input(struct client *client, const char *bytes, size_t len);
bool client_accepts_input(struct client *client);

/* Hands out up to len bytes of output. */
size_t client_output(struct client *client, char *bytes, size_t len);
bool client_has_output(const struct client *client);

struct message *message_new(size_t payload);

/* Room of the spare message: enough for "OK" and for the name of any error. */
#define SPARE_PAYLOAD 24

/* Queues a reply. */
void client_send(struct client *client, struct message *message, uint32_t type, uint32_t req_id, uint32_t tx_id);

/* Queues an event, unless the same one is waiting already. */
void client_send_event(struct client *client, struct watch *watch, const char *path);

/* Tries again what memory lacked for: a client may hear of nothing else that would make its watch fire. */
void clients_catch_up(struct xenstored *xenstored);

/* The value of a limit for this client; 0 is none. */
unsigned int client_limit(const struct client *client, enum quota quota);

/* Whether the client may have `wanted` of what is limited; logs who hit which limit if not. */
bool client_within(struct client *client, enum quota quota, unsigned long wanted);

#endif
