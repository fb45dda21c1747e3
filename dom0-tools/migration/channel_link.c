/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A port of the machine as a link to another host, and one conversation after the other on it. What a port loses when its
 * connection comes and goes may be any run of bytes, and bytes of an earlier connection may come late. So nothing that
 * arrives is believed before the peer has repeated a number (RESET, SYNC) that was drawn for this connection: a guest's
 * memory, which is what travels here, cannot contain it. From there on frames follow each other without a gap.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pv/threads.h>
#include <pv/time.h>

#include "channel.h"
#include "dom0-tools/machine/serial_port.h"

#define SECOND        1000000000ull
#define RESET_EVERY   (SECOND / 2)
#define OPEN_PATIENCE (5 * SECOND)
#define PATIENCE      (60 * SECOND) /* with a peer that is connected and silent */
#define ASK_EVERY     (SECOND / 2)  /* whether somebody still wants to wait for it */
#define TURNS_AT_ONCE 1024
#define FRAME_MAGIC   0x6c6b6e69766e6170ull
#define FRAME_DATA    (65536u - sizeof(struct frame))

enum frame_kind { FRAME_RESET = 1, FRAME_SYNC, FRAME_OPEN, FRAME_ACCEPT, FRAME_DATA_OF, FRAME_CLOSE };

/* In front of every frame; only DATA has bytes behind it. */
struct frame {
    uint64_t magic;
    uint32_t kind, length;
    uint8_t id[HANDOVER_ID_SIZE]; /* of the conversation; of RESET and SYNC: the number drawn */
};

_Static_assert(sizeof(struct frame) == 32, "the same on both sides of a link");

struct talk {
    struct channel channel;
    struct link *link;
    uint8_t id[HANDOVER_ID_SIZE];
    bool opening, accepted, yielded, peer_closed, we_closed, dead;
    char name[HANDOVER_LINK_SIZE];
};

struct link {
    struct serial_port *port;
    unsigned int connection; /* the port's, as last seen */
    uint8_t drawn[HANDOVER_ID_SIZE], answered[HANDOVER_ID_SIZE];
    bool in_step; /* the peer has repeated what we drew: frames follow */
    bool greeted; /* we have repeated what the peer drew */
    uint64_t reset_due;

    uint8_t head[sizeof(struct frame)];
    unsigned int have;  /* bytes of the next frame's head */
    uint32_t left;      /* bytes of a DATA frame that are still to come */
    bool left_is_talks; /* and belong to the conversation */
    struct talk *talk;
    bool incoming; /* the peer began it, and nobody serves it yet */

    bool sending;           /* a frame is being written */
    bool (*unwanted)(void); /* by whoever writes it; NULL: it will be wanted */
    uint32_t owed;          /* of a frame that was given up on */

    unsigned int turns;
};

static int send_frame(struct link *link, enum frame_kind kind, const uint8_t *id);

const char *link_name(const struct link *link)
{
    return serial_port_name(link->port);
}

bool link_is_up(const struct link *link)
{
    return link->in_step && link->greeted;
}

static bool same(const uint8_t *one, const uint8_t *other)
{
    return memcmp(one, other, HANDOVER_ID_SIZE) == 0;
}

/* The conversation is over; who holds its channel finds out when it next uses it. */
static void kill_talk(struct link *link)
{
    struct talk *talk = link->talk;

    link->talk = NULL;
    link->left_is_talks = false;
    if (talk == NULL)
        return;
    talk->dead = true;
    if (talk->we_closed || link->incoming)
        free(talk);
    link->incoming = false;
}

static void fall_out_of_step(struct link *link)
{
    kill_talk(link);
    link->in_step = false;
    link->have = link->left = 0;
    link->reset_due = 0;
    handover_random(link->drawn);
}

static void follow_connection(struct link *link)
{
    unsigned int connection = serial_port_connection(link->port);

    if (connection == link->connection)
        return;
    link->connection = connection;
    link->greeted = false;
    link->owed = 0;
    memset(link->answered, 0, sizeof(link->answered));
    fall_out_of_step(link);
}

/* Until something happens at the port: -ETIMEDOUT when nothing does, -EINTR when nobody cares any more. */
static int wait_port(const struct link *link, unsigned int moment, uint64_t deadline, bool (*unwanted)(void))
{
    for (uint64_t now = time_monotonic_ns(); now < deadline; now = time_monotonic_ns()) {
        uint64_t ask = unwanted != NULL ? now + ASK_EVERY : deadline;

        if (serial_port_wait(link->port, moment, ask < deadline ? ask : deadline))
            return 0;
        if (unwanted != NULL && unwanted())
            return -EINTR;
    }
    return -ETIMEDOUT;
}

static int write_all(struct link *link, const void *data, size_t size, size_t *done)
{
    unsigned int connection = link->connection;
    int rc;

    for (*done = 0; *done < size;) {
        unsigned int moment = serial_port_moment(link->port);
        size_t part = serial_port_write(link->port, (const uint8_t *)data + *done, size - *done);

        *done += part;
        if (serial_port_connection(link->port) != connection)
            return -ECONNRESET;
        if (part == 0 && (rc = wait_port(link, moment, time_monotonic_ns() + PATIENCE, link->unwanted)) != 0)
            return rc;
    }
    return 0;
}

/* Ends a frame that was given up on, so that the next one is read as one. */
static int pay(struct link *link)
{
    static const uint8_t nothing[256];
    int rc = 0;

    while (rc == 0 && link->owed > 0) {
        size_t done, part = link->owed < sizeof(nothing) ? link->owed : sizeof(nothing);

        rc = write_all(link, nothing, part, &done);
        link->owed -= (uint32_t)done;
    }
    return rc;
}

static int send_whole(struct link *link, const struct frame *frame, const void *data)
{
    size_t done = 0, more = 0;
    int rc = pay(link);

    if (rc != 0)
        return rc;
    rc = write_all(link, frame, sizeof(*frame), &done);
    if (rc == 0 && frame->length > 0)
        rc = write_all(link, data, frame->length, &more);
    if (rc == -ETIMEDOUT || rc == -EINTR)
        link->owed = (uint32_t)(sizeof(*frame) + frame->length - done - more);
    return rc;
}

/* Small frames leave at once, data when its buffer is full or the writer flushes. */
static int send_bytes(struct link *link, enum frame_kind kind, const uint8_t *id, const void *data, size_t size,
                      bool (*unwanted)(void))
{
    struct frame frame = {.magic = FRAME_MAGIC, .kind = kind, .length = (uint32_t)size};
    unsigned int connection = link->connection;
    int rc;

    memcpy(frame.id, id, sizeof(frame.id));
    while (link->sending) {
        rc = wait_port(link, serial_port_moment(link->port), time_monotonic_ns() + PATIENCE, unwanted);
        if (rc != 0)
            return rc;
    }
    if (!(connection & 1) || serial_port_connection(link->port) != connection)
        return -ECONNRESET;
    link->sending = true;
    link->unwanted = unwanted;
    rc = send_whole(link, &frame, data);
    if (kind != FRAME_DATA_OF)
        serial_port_flush(link->port);
    link->sending = false;
    serial_port_wake(link->port);
    return rc;
}

static int send_frame(struct link *link, enum frame_kind kind, const uint8_t *id)
{
    return send_bytes(link, kind, id, NULL, 0, NULL);
}

static void on_reset(struct link *link, const struct frame *frame)
{
    if (!same(frame->id, link->answered) || !link->greeted) {
        kill_talk(link);
        memcpy(link->answered, frame->id, sizeof(link->answered));
    }
    if (send_frame(link, FRAME_SYNC, frame->id) == 0)
        link->greeted = true;
}

static struct talk *talk_new(struct link *link, const uint8_t *id);

/* Both may begin at once: the smaller id wins, as both can tell. */
static void on_open(struct link *link, const struct frame *frame)
{
    struct talk *talk = link->talk, *new;

    if (talk != NULL && talk->opening && memcmp(frame->id, talk->id, sizeof(talk->id)) > 0)
        return;
    new = talk == NULL || talk->opening ? talk_new(link, frame->id) : NULL;
    if (new == NULL) {
        (void)send_frame(link, FRAME_CLOSE, frame->id);
        return;
    }
    if (talk != NULL)
        talk->yielded = true;
    kill_talk(link);
    link->talk = new;
    link->incoming = true;
    new->accepted = true;
    (void)send_frame(link, FRAME_ACCEPT, frame->id);
}

static void on_close(struct link *link)
{
    struct talk *talk = link->talk;

    talk->peer_closed = true;
    if (!talk->we_closed)
        return;
    link->talk = NULL;
    free(talk);
}

static void on_frame(struct link *link, const struct frame *frame)
{
    bool talks = link->talk != NULL && same(frame->id, link->talk->id);

    switch (frame->kind) {
    case FRAME_RESET:
        on_reset(link, frame);
        break;
    case FRAME_OPEN:
        on_open(link, frame);
        break;
    case FRAME_ACCEPT:
        if (talks && link->talk->opening)
            link->talk->accepted = true;
        break;
    case FRAME_DATA_OF:
        link->left = frame->length;
        link->left_is_talks = talks && !link->talk->we_closed;
        break;
    case FRAME_CLOSE:
        if (talks)
            on_close(link);
        break;
    default:
        break;
    }
}

/* Out of step: any byte may be the first of a frame; only RESET and SYNC are looked for. */
static void look_for_step(struct link *link, uint8_t byte)
{
    static const uint64_t magic = FRAME_MAGIC;
    struct frame frame;

    if (link->have < sizeof(magic) && byte != ((const uint8_t *)&magic)[link->have])
        link->have = 0;
    if (link->have < sizeof(magic) && byte != ((const uint8_t *)&magic)[link->have])
        return;
    link->head[link->have++] = byte;
    if (link->have < sizeof(frame))
        return;
    memcpy(&frame, link->head, sizeof(frame));
    link->have = 0;
    if (frame.length != 0)
        return;
    if (frame.kind == FRAME_SYNC && same(frame.id, link->drawn))
        link->in_step = true;
    if (frame.kind == FRAME_RESET)
        on_reset(link, &frame);
}

static void take_head(struct link *link, const uint8_t *bytes, size_t *size)
{
    struct frame frame;
    size_t part = sizeof(frame) - link->have;

    if (part > *size)
        part = *size;
    memcpy(link->head + link->have, bytes, part);
    link->have += (unsigned int)part;
    *size = part;
    if (link->have < sizeof(frame))
        return;
    memcpy(&frame, link->head, sizeof(frame));
    link->have = 0;
    if (frame.magic != FRAME_MAGIC || frame.kind < FRAME_RESET || frame.kind > FRAME_CLOSE ||
        frame.length > FRAME_DATA || (frame.length != 0) != (frame.kind == FRAME_DATA_OF))
        fall_out_of_step(link);
    else
        on_frame(link, &frame);
}

/* Who sends without end does not keep dom0's other threads from running. */
static void one_turn(struct link *link)
{
    if (++link->turns % TURNS_AT_ONCE == 0)
        thread_yield();
}

/* Takes what has come, up to the bytes that the conversation's reader must take itself. */
static void pump(struct link *link)
{
    const uint8_t *bytes;
    size_t size;

    follow_connection(link);
    while (!(link->left > 0 && link->left_is_talks) && (bytes = serial_port_peek(link->port, &size)) != NULL) {
        uint8_t head[sizeof(struct frame)];

        if (link->left > 0) {
            size = size < link->left ? size : link->left;
            link->left -= (uint32_t)size;
            serial_port_consume(link->port, size);
            one_turn(link);
            continue;
        }
        size = !link->in_step ? 1 : size < sizeof(head) ? size : sizeof(head);
        if (link->in_step && size > sizeof(head) - link->have)
            size = sizeof(head) - link->have;
        memcpy(head, bytes, size);
        serial_port_consume(link->port, size); /* before a frame is acted upon, which may wait */
        if (link->in_step)
            take_head(link, head, &size);
        else
            look_for_step(link, head[0]);
        follow_connection(link);
        one_turn(link);
    }
}

static int state_of(const struct talk *talk)
{
    return talk->dead ? -ECONNRESET : talk->we_closed ? -EBADF : 0;
}

static ssize_t take_data(struct link *link, void *data, size_t size)
{
    size_t there;
    const uint8_t *bytes = serial_port_peek(link->port, &there);

    if (bytes == NULL)
        return 0;
    there = there < size ? there : size;
    there = there < link->left ? there : link->left;
    memcpy(data, bytes, there);
    link->left -= (uint32_t)there;
    serial_port_consume(link->port, there);
    return (ssize_t)there;
}

static ssize_t talk_read(void *own, void *data, size_t size)
{
    struct talk *talk = own;

    for (;;) {
        struct link *link = talk->link;
        unsigned int moment = serial_port_moment(link->port);
        ssize_t got;
        int rc;

        if (state_of(talk) != 0)
            return state_of(talk);
        pump(link);
        if (state_of(talk) != 0)
            return state_of(talk);
        if (link->left > 0 && link->left_is_talks && (got = take_data(link, data, size)) > 0) {
            one_turn(link);
            return got;
        }
        if (link->left == 0 && talk->peer_closed)
            return 0;
        rc = wait_port(link, moment, time_monotonic_ns() + PATIENCE, talk->channel.unwanted);
        if (rc != 0)
            return rc;
    }
}

static int talk_write(void *own, const void *data, size_t size)
{
    struct talk *talk = own;
    int rc = 0;

    for (size_t done = 0; done < size && rc == 0;) {
        size_t part = size - done < FRAME_DATA ? size - done : FRAME_DATA;

        rc = state_of(talk);
        if (rc == 0 && talk->peer_closed)
            rc = -EPIPE;
        if (rc == 0)
            rc = send_bytes(talk->link, FRAME_DATA_OF, talk->id, (const uint8_t *)data + done, part,
                            talk->channel.unwanted);
        done += part;
    }
    return rc != 0 ? rc : state_of(talk);
}

static int talk_flush(void *own)
{
    struct talk *talk = own;

    if (state_of(talk) != 0)
        return state_of(talk);
    if (!talk->link->sending) /* whoever is, flushes or is followed by one who does */
        serial_port_flush(talk->link->port);
    return 0;
}

/* What the peer still sends is dropped until it closes, too. One that has stopped reading is left to the link's thread. */
static void talk_close(struct channel *channel)
{
    struct talk *talk = (struct talk *)channel;
    struct link *link = talk->link;

    if (!talk->dead && link->owed > 0)
        fall_out_of_step(link);
    if (!talk->dead)
        (void)send_bytes(link, FRAME_CLOSE, talk->id, NULL, 0, talk->channel.unwanted);
    if (talk->dead || talk->peer_closed) {
        if (link->talk == talk)
            link->talk = NULL;
        link->left_is_talks = link->left_is_talks && link->talk != NULL;
        free(talk);
    } else {
        talk->we_closed = true;
        link->left_is_talks = false;
    }
    serial_port_wake(link->port);
}

static struct talk *talk_new(struct link *link, const uint8_t *id)
{
    struct talk *talk = calloc(1, sizeof(*talk));

    if (talk == NULL)
        return NULL;
    talk->link = link;
    memcpy(talk->id, id, sizeof(talk->id));
    snprintf(talk->name, sizeof(talk->name), "%s", link_name(link));
    talk->channel = (struct channel){
        .in = {talk, talk_read}, .out = {talk, talk_write, talk_flush}, .close = talk_close, .name = talk->name};
    return talk;
}

struct link *link_new(struct serial_port *port)
{
    struct link *link = calloc(1, sizeof(*link));

    if (link != NULL)
        link->port = port;
    return link;
}

static struct channel *no_channel(const struct link *link, struct stream_error *error)
{
    const char *why = !(serial_port_connection(link->port) & 1) ? "nobody is connected at its other end"
                      : !link_is_up(link)                       ? "its other end does not answer"
                                                                : "it is busy with another conversation";

    snprintf(error->text, sizeof(error->text), "%s: %s", link_name(link), why);
    return NULL;
}

/* One attempt: the conversation, or NULL if the peer did not take it. */
static struct talk *try_open(struct link *link, uint64_t deadline, bool (*unwanted)(void))
{
    uint8_t id[HANDOVER_ID_SIZE];
    struct talk *talk;

    handover_random(id);
    talk = talk_new(link, id);
    if (talk == NULL)
        return NULL;
    talk->opening = true;
    talk->channel.unwanted = unwanted;
    link->talk = talk;
    (void)send_frame(link, FRAME_OPEN, id);
    while (!talk->dead && !talk->accepted && !talk->peer_closed) {
        unsigned int moment = serial_port_moment(link->port);

        pump(link);
        if (!talk->dead && !talk->accepted && !talk->peer_closed && wait_port(link, moment, deadline, unwanted) != 0)
            break;
    }
    talk->opening = false;
    if (!talk->dead && talk->accepted)
        return talk;
    talk_close(&talk->channel);
    return NULL;
}

struct channel *link_open(struct link *link, bool (*unwanted)(void), struct stream_error *error)
{
    uint64_t deadline = time_monotonic_ns() + OPEN_PATIENCE;

    for (;;) {
        unsigned int moment = serial_port_moment(link->port);
        struct talk *talk;

        pump(link);
        if (link_is_up(link) && link->talk == NULL && (talk = try_open(link, deadline, unwanted)) != NULL)
            return &talk->channel;
        if (unwanted != NULL && unwanted()) {
            snprintf(error->text, sizeof(error->text), "cancelled");
            return NULL;
        }
        if (time_monotonic_ns() >= deadline || (!(link->connection & 1) && link->talk == NULL))
            return no_channel(link, error);
        (void)serial_port_wait(link->port, moment, time_monotonic_ns() + RESET_EVERY);
    }
}

/* The link's own thread does this: it may wait for long before the peer takes it. */
static void look_for_peer(struct link *link)
{
    if (!(link->connection & 1) || link_is_up(link) || time_monotonic_ns() < link->reset_due)
        return;
    link->reset_due = time_monotonic_ns() + RESET_EVERY;
    (void)send_frame(link, FRAME_RESET, link->drawn);
}

struct channel *link_await(struct link *link, uint64_t deadline_ns)
{
    while (time_monotonic_ns() < deadline_ns) {
        unsigned int moment = serial_port_moment(link->port);
        uint64_t until = deadline_ns;

        pump(link);
        look_for_peer(link);
        if (link->incoming) {
            link->incoming = false;
            return &link->talk->channel;
        }
        if ((link->connection & 1) && !link_is_up(link) && link->reset_due < until)
            until = link->reset_due;
        (void)serial_port_wait(link->port, moment, until);
    }
    return NULL;
}
