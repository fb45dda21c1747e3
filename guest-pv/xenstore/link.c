/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The shared connection; see link.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pv/threads.h>
#include <pv/time.h>

#include "link.h"
#include "transport.h"

/* Short ones are let to their end before a suspension; long ones will have to begin again. */
#define TRANSACTION_PATIENCE_NS 20000000u
/* Answers other than to a question fit in: what changes something is not asked for without memory for the answer. */
#define REPLY_ROOM          32u
#define TRANSACTION_POLL_NS 200000u

/* A request under way; lives on the stack of the thread that waits for it. */
struct exchange {
    LIST_ENTRY(exchange) link;
    uint32_t req_id;
    uint32_t type;
    bool waited_for; /* its thread sleeps until the reply comes */
    bool done;
    int error;
    char *payload; /* REPLY_ROOM before the request is sent */
    size_t len;
};

static struct {
    struct mutex write_lock;
    int error; /* set once the connection is beyond repair */
    uint32_t last_req_id, last_number;
    uint32_t era; /* how many daemons we had before this one */
    LIST_HEAD(, exchange) exchanges;
    LIST_HEAD(, xs_handle) handles;
    struct xsd_sockmsg header;
    size_t received; /* of the current message, header included */
    char payload[XENSTORE_PAYLOAD_MAX + 1];
    char in[XENSTORE_RING_SIZE]; /* received and not looked at yet: [in_start, in_end) */
    size_t in_start, in_end;
    char out[sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX]; /* under write_lock */
} connection;

int xs_link_attach(struct xs_handle *handle)
{
    int error = -xs_transport_open();

    if (error)
        return error;
    if (connection.error)
        return connection.error;
    handle->number = ++connection.last_number;
    STAILQ_INIT(&handle->events);
    LIST_INSERT_HEAD(&connection.handles, handle, link);
    return 0;
}

void xs_link_detach(struct xs_handle *handle)
{
    struct xs_event *event;

    LIST_REMOVE(handle, link);
    while ((event = STAILQ_FIRST(&handle->events))) {
        STAILQ_REMOVE_HEAD(&handle->events, link);
        free(event);
    }
}

static struct xs_handle *find_handle(unsigned long number)
{
    struct xs_handle *handle;

    LIST_FOREACH(handle, &connection.handles, link)
    {
        if (handle->number == number)
            return handle;
    }
    return NULL;
}

static void wake_waiting(bool *waited_for)
{
    if (*waited_for)
        waitq_wake(xs_transport_waitq());
    *waited_for = false;
}

/* An event of a watch that is gone has no handle any more, and is dropped. */
static int deliver_event(const char *payload, size_t len)
{
    size_t path_size = strnlen(payload, len) + 1, token_size;
    struct xs_handle *handle;
    struct xs_event *event;
    char *token;

    if (path_size >= len || payload[len - 1] != '\0')
        return EIO;
    handle = find_handle(strtoul(payload + path_size, &token, 16));
    if (!handle || *token != ':')
        return 0;
    token_size = strlen(++token) + 1;
    event = malloc(sizeof(*event) + path_size + token_size);
    if (event) {
        event->path_size = path_size;
        event->token_size = token_size;
        memcpy(event->bytes, payload, path_size);
        memcpy(event->bytes + path_size, token, token_size);
        STAILQ_INSERT_TAIL(&handle->events, event, link);
    }
    handle->lost |= !event;
    wake_waiting(&handle->waited_for);
    return 0;
}

static int error_of_name(const char *name)
{
    for (size_t i = 0; i < sizeof(xsd_errors) / sizeof(xsd_errors[0]); i++)
        if (!strcmp(name, xsd_errors[i].errstring))
            return xsd_errors[i].errnum;
    return EINVAL;
}

static void keep_reply(struct exchange *exchange, const char *payload, size_t len)
{
    char *larger = len < REPLY_ROOM ? exchange->payload : realloc(exchange->payload, len + 1);

    if (!larger) {
        exchange->error = ENOMEM;
        return;
    }
    memcpy(larger, payload, len + 1);
    exchange->payload = larger;
    exchange->len = len;
}

/* A reply that nobody waits for is a broken server. */
static int deliver_reply(const struct xsd_sockmsg *header, const char *payload)
{
    struct exchange *exchange;

    LIST_FOREACH(exchange, &connection.exchanges, link)
    {
        if (exchange->req_id == header->req_id && !exchange->done)
            break;
    }
    if (!exchange || (header->type != exchange->type && header->type != XS_ERROR))
        return EIO;
    exchange->done = true;
    wake_waiting(&exchange->waited_for);
    if (header->type == XS_ERROR)
        exchange->error = error_of_name(payload);
    else
        keep_reply(exchange, payload, header->len);
    return 0;
}

static int deliver(void)
{
    connection.received = 0;
    connection.payload[connection.header.len] = '\0';
    if (connection.header.type == XS_WATCH_EVENT)
        return deliver_event(connection.payload, connection.header.len);
    return deliver_reply(&connection.header, connection.payload);
}

/* A read tells the other side that there is room again, which costs: so it takes all there is. */
static ssize_t take_bytes(char *to, size_t size)
{
    size_t have = connection.in_end - connection.in_start;

    if (!have) {
        ssize_t got = xs_transport_read(connection.in, sizeof(connection.in));

        if (got <= 0)
            return got;
        connection.in_start = 0;
        connection.in_end = have = (size_t)got;
    }
    if (size > have)
        size = have;
    memcpy(to, connection.in + connection.in_start, size);
    connection.in_start += size;
    return (ssize_t)size;
}

/* Receives until one message is complete, or EAGAIN. */
static int receive_message(void)
{
    const size_t head = sizeof(connection.header);

    for (;;) {
        bool begun = connection.received >= head;
        size_t whole = head + (begun ? connection.header.len : 0);
        char *to = begun ? connection.payload + (connection.received - head)
                         : (char *)&connection.header + connection.received;
        ssize_t got;

        if (begun && connection.header.len > XENSTORE_PAYLOAD_MAX)
            return EIO;
        if (begun && connection.received == whole)
            return deliver();
        got = take_bytes(to, whole - connection.received);
        if (got <= 0)
            return got ? (int)-got : EIO;
        connection.received += (size_t)got;
    }
}

/* Makes progress if that is possible without waiting: 0, EAGAIN, or an error that is final for the connection. */
static int pump(void)
{
    int error = connection.error ? connection.error : receive_message();

    if (error && error != EAGAIN && !connection.error) {
        connection.error = error;
        waitq_wake(xs_transport_waitq());
    }
    return error;
}

static bool receivable(void)
{
    return connection.in_start < connection.in_end || xs_transport_readable();
}

/* Sleeps until there is something to receive, or another thread received what this one waits for. */
static void sleep_until(const bool *not_any_more)
{
    wait_event(xs_transport_waitq(), !*not_any_more || connection.error || receivable());
}

static int send_request(struct exchange *exchange, xs_transaction_t transaction, const struct xs_piece *pieces,
                        unsigned int count)
{
    struct xsd_sockmsg header = {exchange->type, 0, transaction, 0};
    size_t used = sizeof(header);
    ssize_t written;

    mutex_lock(&connection.write_lock);
    for (unsigned int i = 0; i < count; i++) {
        memcpy(connection.out + used, pieces[i].bytes, pieces[i].len);
        used += pieces[i].len;
    }
    exchange->req_id = header.req_id = ++connection.last_req_id;
    header.len = (uint32_t)(used - sizeof(header));
    memcpy(connection.out, &header, sizeof(header));
    LIST_INSERT_HEAD(&connection.exchanges, exchange, link);
    written = xs_transport_write(connection.out, used);
    mutex_unlock(&connection.write_lock);
    return written < 0 ? (int)-written : 0;
}

static bool begun_in_vain(xs_transaction_t transaction)
{
    const struct xs_handle *handle;
    const struct xs_begun *begun;
    bool old = false;

    LIST_FOREACH(handle, &connection.handles, link)
    {
        LIST_FOREACH(begun, &handle->begun, link)
        {
            if (begun->id == transaction && begun->era == connection.era)
                return false;
            old = old || begun->id == transaction;
        }
    }
    return old;
}

static int exchange_messages(struct exchange *exchange, xs_transaction_t transaction, const struct xs_piece *pieces,
                             unsigned int count)
{
    int error = send_request(exchange, transaction, pieces, count);

    if (error && error != ENOMEM)
        connection.error = error; /* the server may have got half of it */
    while (!exchange->done && (!error || error == EAGAIN)) {
        error = pump();
        if (error == EAGAIN && !exchange->done) {
            exchange->waited_for = true;
            sleep_until(&exchange->waited_for);
        }
    }
    LIST_REMOVE(exchange, link);
    return exchange->done ? exchange->error : error;
}

char *xs_link_ask(uint32_t type, xs_transaction_t transaction, const struct xs_piece *pieces, unsigned int count,
                  size_t *len)
{
    struct exchange exchange = {.type = type, .payload = malloc(REPLY_ROOM)};
    size_t total = 0;
    int error;

    for (unsigned int i = 0; i < count; i++)
        total += pieces[i].len;
    if (!exchange.payload)
        error = ENOMEM;
    else if (total > XENSTORE_PAYLOAD_MAX)
        error = E2BIG;
    else if (connection.error || (transaction != XBT_NULL && begun_in_vain(transaction)))
        error = connection.error ? connection.error : EAGAIN;
    else
        error = exchange_messages(&exchange, transaction, pieces, count);
    if (error) {
        free(exchange.payload);
        errno = error;
        return NULL;
    }
    if (len)
        *len = exchange.len;
    return exchange.payload;
}

struct xs_event *xs_link_event(struct xs_handle *handle, bool block)
{
    struct xs_event *event;

    while (!(event = STAILQ_FIRST(&handle->events))) {
        int error = handle->lost ? ENOMEM : pump();

        if (error == EAGAIN && block && !handle->lost && STAILQ_EMPTY(&handle->events)) {
            handle->waited_for = true;
            sleep_until(&handle->waited_for);
        } else if (error) {
            handle->lost = false;
            errno = error;
            return NULL;
        }
    }
    STAILQ_REMOVE_HEAD(&handle->events, link);
    return event;
}

uint32_t xs_link_era(void)
{
    return connection.era;
}

static bool all_answered(void)
{
    struct exchange *exchange;

    LIST_FOREACH(exchange, &connection.exchanges, link)
    {
        if (!exchange->done)
            return false;
    }
    return true;
}

static bool in_transactions(void)
{
    const struct xs_handle *handle;

    LIST_FOREACH(handle, &connection.handles, link)
    {
        if (!LIST_EMPTY(&handle->begun))
            return true;
    }
    return false;
}

/* Holding the lock that writers take keeps further requests out; threads that wait for answers go on receiving. */
int xs_link_quiesce(uint64_t deadline_ns)
{
    uint64_t patience = time_monotonic_ns() + TRANSACTION_PATIENCE_NS;

    while (in_transactions() && time_monotonic_ns() < patience)
        thread_sleep_ns(TRANSACTION_POLL_NS);
    while (!mutex_trylock(&connection.write_lock))
        if (!wait_event_until(&connection.write_lock.waiters, connection.write_lock.owner == NULL, deadline_ns))
            return -ETIMEDOUT;
    while (!all_answered()) {
        int error = pump();

        if (error == EAGAIN && !all_answered() &&
            !wait_event_until(xs_transport_waitq(), all_answered() || connection.error || receivable(), deadline_ns))
            error = ETIMEDOUT;
        if (error && error != EAGAIN) {
            mutex_unlock(&connection.write_lock);
            return -error;
        }
    }
    return 0;
}

void xs_link_release(bool new_daemon)
{
    if (new_daemon) {
        connection.era++;
        connection.received = connection.in_start = connection.in_end = 0;
    }
    mutex_unlock(&connection.write_lock);
}

static struct xs_watched *find_old_watch(struct xs_handle **handle)
{
    struct xs_watched *watched;

    LIST_FOREACH(*handle, &connection.handles, link)
    {
        LIST_FOREACH(watched, &(*handle)->watched, link)
        {
            if (watched->era != connection.era)
                return watched;
        }
    }
    return NULL;
}

/* The lists may change while one watch is set, so the search begins anew for each. */
void xs_link_watch_again(void)
{
    struct xs_watched *watched;
    struct xs_handle *handle;

    while ((watched = find_old_watch(&handle))) {
        watched->era = connection.era;
        xs_watch_again(handle, watched);
    }
}
