/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Serving block rings. What keeps it safe: a request is judged by its copy; its pages stay mapped until it has ended,
 * and the connection exists until its last request has; a connection that waits (for slots, for a barrier) is looked at
 * again when one of its requests ends. What keeps it fair: a turn takes so many requests and bytes, then the next
 * connection and dom0's other threads have theirs.
 */
#include "connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <pv/evtchn_wait.h>
#include <pv/threads.h>
#include <pv/time.h>

#include "dom0-tools/devices/backend.h"
#include "io.h"

#define TURN_REQUESTS  32u
#define TURN_BYTES     (512u * 1024)
#define EVENTS_AT_ONCE 32u
#define PATIENCE_NS    5000000000ull

static xenevtchn_handle *evtchn;
static xengnttab_handle *gnttab;
static struct connection *abandoned; /* closed, with requests that their volumes have not ended */
static struct connection *connections, *ready_first, **ready_end = &ready_first;

static struct blkif_sring *shared(const struct connection *connection)
{
    return connection->ring;
}

static void make_ready(struct connection *connection)
{
    if (connection->ready || connection->stopping)
        return;
    connection->ready = true;
    connection->next_ready = NULL;
    *ready_end = connection;
    ready_end = &connection->next_ready;
    waitq_wake(xenevtchn_waitq(evtchn));
}

static struct connection *take_ready(void)
{
    struct connection *connection = ready_first;

    if (connection == NULL)
        return NULL;
    ready_first = connection->next_ready;
    if (ready_first == NULL)
        ready_end = &ready_first;
    connection->ready = false;
    return connection;
}

static void drop_ready(struct connection *connection)
{
    struct connection **link = &ready_first;

    while (*link != NULL && *link != connection)
        link = &(*link)->next_ready;
    if (*link == NULL)
        return;
    *link = connection->next_ready;
    if (*link == NULL)
        ready_end = link;
    connection->ready = false;
}

/* Tells the guest of the responses written since the last time; an event only if it asked for one. */
static void publish(struct connection *connection)
{
    uint32_t old = connection->published, now = connection->answered;

    if (old == now)
        return;
    __atomic_store_n(&shared(connection)->rsp_prod, now, __ATOMIC_SEQ_CST);
    connection->published = now;
    if (now - __atomic_load_n(&shared(connection)->rsp_event, __ATOMIC_SEQ_CST) < now - old)
        (void)xenevtchn_notify(evtchn, connection->port);
}

static void respond(struct connection *connection, const struct block_request *asked, int status)
{
    block_response_write(connection->setup.protocol, connection->ring, connection->entries, connection->answered++,
                         asked->id, asked->operation, (int16_t)status);
    if (!connection->busy)
        publish(connection);
}

static void leave(struct connection **link, const struct connection *connection)
{
    while (*link != connection)
        link = &(*link)->next;
    *link = connection->next;
}

static void release(struct connection *connection)
{
    struct io *io = connection->free_ios, *next;

    for (; io != NULL; io = next) {
        next = io->next;
        io_free(io);
    }
    pool_destroy(&connection->pool);
    if (connection->port != 0)
        (void)xenevtchn_unbind(evtchn, connection->port);
    if (connection->ring != NULL)
        (void)xengnttab_unmap(gnttab, connection->ring, connection->setup.ring_pages);
    if (connection->parked != NULL)
        io_free(connection->parked);
    if (connection->abandoned) {
        leave(&abandoned, connection);
        volume_close(connection->setup.volume, !connection->setup.read_only);
    }
    free(connection);
}

/* Pages go before the answer: the guest may take its grants back as soon as it has that. */
void connection_finish(struct io *io, int status)
{
    struct connection *connection = io->connection;

    pool_release(&connection->pool, io->pages, io->page_count);
    respond(connection, &io->asked, status);
    if (io->asked.operation == BLKIF_OP_WRITE_BARRIER)
        connection->barrier = false;
    io_return(io);
    connection->under_way--;
    if (connection->waiting)
        make_ready(connection);
    if (connection->under_way > 0)
        return;
    waitq_wake(&connection->quiet);
    if (connection->abandoned && !connection->busy)
        release(connection);
}

/* False: it is parked until another request ends. */
static bool start(struct io *io)
{
    struct connection *connection = io->connection;
    int status = io_map(io);

    if (status == -EAGAIN && connection->under_way > 0) {
        connection->parked = io;
        return false;
    }
    connection->under_way++;
    if (status != 0) {
        connection_finish(io, BLKIF_RSP_ERROR);
        return true;
    }
    io_run(io);
    return true;
}

/* Judges a request by its own words. True when it was answered without being started. */
static bool refuse(struct io *io)
{
    const struct block_request *asked = &io->asked;
    int status = block_request_check(asked, CONNECTION_INDIRECT_SEGMENTS_MAX);

    if (status == BLKIF_RSP_OKAY && asked->operation != BLKIF_OP_READ && io->connection->setup.read_only)
        status = BLKIF_RSP_ERROR;
    if (status == BLKIF_RSP_OKAY)
        return false;
    respond(io->connection, asked, status);
    io_return(io);
    return true;
}

/* A barrier starts when all before it have ended. */
static bool must_wait(const struct connection *connection)
{
    return connection->barrier || connection->parked != NULL;
}

enum taken { TAKEN, NOTHING_THERE, LATER, BROKEN };

/* Takes the next request from the ring and starts it. */
static enum taken take_request(struct connection *connection, unsigned int *bytes)
{
    uint32_t producer = __atomic_load_n(&shared(connection)->req_prod, __ATOMIC_ACQUIRE);
    struct io *io;

    if (producer == connection->taken)
        return NOTHING_THERE;
    if (!block_producer_check(producer, connection->taken, connection->answered, connection->entries)) {
        backend_cut_off(connection->setup.device,
                        "its request index is %u after request %u and response %u, in a ring of %u entries", producer,
                        connection->taken, connection->answered, connection->entries);
        return BROKEN;
    }
    io = io_take(connection);
    if (io == NULL)
        return LATER;
    block_request_read(connection->setup.protocol, connection->ring, connection->entries, connection->taken++,
                       &io->asked);
    if (refuse(io))
        return TAKEN;
    *bytes += io->asked.segment_count * 4096u;
    if (io->asked.operation == BLKIF_OP_WRITE_BARRIER) {
        connection->barrier = true;
        if (connection->under_way > 0) {
            connection->parked = io;
            return LATER;
        }
    }
    return start(io) ? TAKEN : LATER;
}

/* The parked request again. True when it is under way now, or has ended. */
static bool retry_parked(struct connection *connection)
{
    struct io *io = connection->parked;

    if (io->asked.operation == BLKIF_OP_WRITE_BARRIER && connection->under_way > 0)
        return false;
    connection->parked = NULL;
    return start(io);
}

/* Asks for an event at the next request, then looks once more. True when there is none. */
static bool fall_asleep(struct connection *connection)
{
    __atomic_store_n(&shared(connection)->req_event, connection->taken + 1, __ATOMIC_SEQ_CST);
    return __atomic_load_n(&shared(connection)->req_prod, __ATOMIC_SEQ_CST) == connection->taken;
}

/* One turn. True when there is more to do at once. */
static bool serve(struct connection *connection)
{
    unsigned int bytes = 0;

    connection->waiting = false;
    for (unsigned int i = 0; i < TURN_REQUESTS && bytes < TURN_BYTES; i++) {
        if (connection->stopping)
            return false;
        if (connection->parked != NULL && !retry_parked(connection))
            break;
        if (must_wait(connection))
            break;
        switch (take_request(connection, &bytes)) {
        case NOTHING_THERE:
            if (fall_asleep(connection)) {
                (void)xenevtchn_unmask(evtchn, connection->port);
                return false;
            }
            break;
        case LATER:
            connection->waiting = true;
            return connection->under_way == 0;
        case BROKEN:
            connection->stopping = true;
            return false;
        case TAKEN:
            break;
        }
    }
    if (!must_wait(connection))
        return true;
    connection->waiting = true;
    return connection->under_way == 0;
}

static void take_turn(struct connection *connection)
{
    bool more;

    connection->busy = true;
    more = serve(connection);
    publish(connection);
    connection->busy = false;
    if (connection->abandoned && connection->under_way == 0)
        release(connection);
    else if (connection->stopping)
        waitq_wake(&connection->quiet);
    else if (more)
        make_ready(connection);
}

static void take_events(void)
{
    for (unsigned int i = 0; i < EVENTS_AT_ONCE && xenevtchn_is_pending(evtchn); i++) {
        int port = xenevtchn_pending(evtchn);
        struct connection *connection = connections;

        while (connection != NULL && (int)connection->port != port)
            connection = connection->next;
        if (connection != NULL)
            make_ready(connection);
    }
}

static void serving_loop(void *arg)
{
    struct connection *connection;

    for (;;) {
        wait_event(xenevtchn_waitq(evtchn), xenevtchn_is_pending(evtchn) || ready_first != NULL);
        take_events();
        connection = take_ready();
        if (connection != NULL)
            take_turn(connection);
        thread_yield();
    }
}

int connection_start(void)
{
    if (evtchn != NULL)
        return 0;
    gnttab = xengnttab_open(NULL, 0);
    evtchn = xenevtchn_open(NULL, 0);
    if (gnttab == NULL || evtchn == NULL)
        return -errno;
    return thread_create("block", serving_loop, NULL) != NULL ? 0 : -ENOMEM;
}

static bool bind(struct connection *connection, const char **what)
{
    const struct connection_setup *setup = &connection->setup;
    grant_ref_t refs[CONNECTION_RING_PAGES_MAX];
    int port;

    memcpy(refs, setup->ring_refs, sizeof(refs));
    *what = "mapping its ring";
    connection->ring =
        xengnttab_map_domain_grant_refs(gnttab, setup->ring_pages, setup->domid, refs, PROT_READ | PROT_WRITE);
    if (connection->ring == NULL)
        return false;
    *what = "binding its event channel";
    port = xenevtchn_bind_interdomain(evtchn, setup->domid, setup->remote_port);
    if (port < 0)
        return false;
    connection->port = (evtchn_port_t)port;
    return true;
}

/* A new kernel may take over a ring in which responses are still counted: the indices go on from there. */
static void take_over(struct connection *connection)
{
    connection->entries = block_ring_entries(connection->setup.protocol, connection->setup.ring_pages * 4096u);
    connection->taken = connection->answered = connection->published =
        __atomic_load_n(&shared(connection)->rsp_prod, __ATOMIC_ACQUIRE);
}

/* What lingers of a disk's last connection would grow without end, and its late writes hit what the next one writes. */
static bool lingers(const struct connection_setup *setup)
{
    const struct connection *connection = abandoned;

    while (connection != NULL && (connection->setup.domid != setup->domid || connection->setup.volume != setup->volume))
        connection = connection->next;
    return connection != NULL;
}

struct connection *connection_open(const struct connection_setup *setup, const char **what)
{
    struct connection *connection;
    int error;

    if (lingers(setup)) {
        *what = "connecting while requests of its last connection are under way";
        errno = EBUSY;
        return NULL;
    }
    *what = "making room for it";
    connection = calloc(1, sizeof(*connection));
    if (connection == NULL)
        return NULL;
    connection->setup = *setup;
    if (!bind(connection, what)) {
        error = errno;
        if (connection->ring != NULL)
            (void)xengnttab_unmap(gnttab, connection->ring, setup->ring_pages);
        free(connection);
        errno = error;
        return NULL;
    }
    pool_init(&connection->pool, setup->domid, setup->persistent);
    take_over(connection);
    connection->next = connections;
    connections = connection;
    make_ready(connection); /* requests may have been there before us */
    return connection;
}

void connection_close(struct connection *connection)
{
    connection->stopping = true;
    drop_ready(connection);
    leave(&connections, connection);
    if (wait_event_until(&connection->quiet, connection->under_way == 0 && !connection->busy,
                         time_monotonic_ns() + PATIENCE_NS)) {
        release(connection);
        return;
    }
    connection->abandoned = true;
    connection->next = abandoned;
    abandoned = connection;
    /* What is under way still uses the volume: nobody else has it alone before that ends. */
    (*(connection->setup.read_only ? &connection->setup.volume->readers : &connection->setup.volume->writers))++;
    backend_error(connection->setup.device, ETIMEDOUT,
                  "the volume does not end %u requests; their memory stays mapped until it does",
                  connection->under_way);
}
