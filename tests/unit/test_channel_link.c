/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Links over ports that lose bytes: conversations begin and end in order, also when both sides begin one; after a cut at
 * any byte the next one works; nothing that an earlier connection left on its way, not even frames forged in a guest's
 * memory, is taken for the peer's word; a peer that sends without end does not keep the host's other threads waiting, nor
 * one that says and reads nothing the user, who may have had enough of it before its minute is over.
 */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <pv/threads.h>
#include <pv/time.h>

#include "dom0-tools/machine/serial_port.h"
#include "dom0-tools/migration/channel.h"
#include "tests/unit/run_suite.h"

#define WIRE_BYTES 40000u /* less than a frame: writers wait */
#define SECOND     1000000000ull

/* One end of the pipe between two machines. `in` is what comes. */
struct serial_port {
    uint8_t in[WIRE_BYTES];
    size_t first, count;
    unsigned int connection;
    struct serial_port *peer;
};

static struct serial_port ports[2];

/* Threads of a host switch only where they wait: one lock, given up there. */
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned int moment;
static size_t cut_after = SIZE_MAX; /* bytes from port 0 to port 1 */
static size_t flood;                /* bytes that are still to come to port 1, each as soon as there is room */
static unsigned int others_turns;

uint64_t time_monotonic_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

const char *serial_port_name(const struct serial_port *port)
{
    return "link0";
}

unsigned int serial_port_connection(const struct serial_port *port)
{
    return port->connection;
}

static void change(void)
{
    moment++;
    pthread_cond_broadcast(&changed);
}

/* What was on its way to port 0 stays there: bytes of an earlier connection. What goes to port 1 is lost. */
static void cut(void)
{
    ports[0].connection++;
    ports[1].connection++;
    ports[1].count = 0;
    change();
}

size_t serial_port_write(struct serial_port *port, const void *data, size_t size)
{
    struct serial_port *to = port->peer;
    size_t done = 0;

    if (!(port->connection & 1))
        return size; /* as QEMU: nobody is there to read it */
    for (; done < size && to->count < WIRE_BYTES; done++) {
        if (port == &ports[0] && cut_after != SIZE_MAX && cut_after-- == 0) {
            cut_after = SIZE_MAX;
            cut();
            return done;
        }
        to->in[(to->first + to->count++) % WIRE_BYTES] = ((const uint8_t *)data)[done];
    }
    if (done > 0)
        change();
    return done;
}

void serial_port_flush(struct serial_port *port)
{
}

const uint8_t *serial_port_peek(struct serial_port *port, size_t *size)
{
    *size = port->count < WIRE_BYTES - port->first ? port->count : WIRE_BYTES - port->first;
    return *size > 0 ? port->in + port->first : NULL;
}

void serial_port_consume(struct serial_port *port, size_t size)
{
    port->first = (port->first + size) % WIRE_BYTES;
    port->count -= size;
    for (; port == &ports[1] && flood > 0 && port->count < WIRE_BYTES; flood--)
        port->in[(port->first + port->count++) % WIRE_BYTES] = (uint8_t)flood;
    change();
}

unsigned int serial_port_moment(const struct serial_port *port)
{
    return moment;
}

bool serial_port_wait(struct serial_port *port, unsigned int since, uint64_t deadline)
{
    struct timespec until;

    while (moment == since && time_monotonic_ns() < deadline) {
        uint64_t step = 5000000;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += (long)step;
        if (until.tv_nsec >= (long)SECOND)
            until = (struct timespec){until.tv_sec + 1, until.tv_nsec - (long)SECOND};
        pthread_cond_timedwait(&changed, &turn, &until);
    }
    return moment != since;
}

void serial_port_wake(struct serial_port *port)
{
    change();
}

void thread_yield(void)
{
    others_turns++;
    pthread_mutex_unlock(&turn);
    sched_yield();
    pthread_mutex_lock(&turn);
}

static struct link *links[2];
static bool over;

static bool mute;

/* What the thread of a host's link does with a conversation: sends back what it hears, byte by byte one more. */
static void answer(struct channel *channel)
{
    uint8_t buffer[3000];
    ssize_t got;

    while (mute)
        (void)serial_port_wait(NULL, moment, time_monotonic_ns() + SECOND);
    while ((got = channel->in.read(channel->in.own, buffer, sizeof(buffer))) > 0) {
        for (ssize_t i = 0; i < got; i++)
            buffer[i]++;
        if (channel->out.write(channel->out.own, buffer, (size_t)got) != 0 || channel->out.flush(channel->out.own) != 0)
            break;
    }
    channel->close(channel);
}

static void *serve(void *own)
{
    pthread_mutex_lock(&turn);
    while (!over) {
        struct channel *channel = link_await(own, time_monotonic_ns() + SECOND / 50);

        if (channel != NULL)
            answer(channel);
    }
    pthread_mutex_unlock(&turn);
    return NULL;
}

static pthread_t servers[2];

static void begin(void)
{
    memset(ports, 0, sizeof(ports));
    ports[0].peer = &ports[1];
    ports[1].peer = &ports[0];
    ports[0].connection = ports[1].connection = 1;
    cut_after = SIZE_MAX;
    over = false;
    pthread_mutex_lock(&turn);
    for (int i = 0; i < 2; i++) {
        links[i] = link_new(&ports[i]);
        ck_assert(pthread_create(&servers[i], NULL, serve, links[i]) == 0);
    }
}

/* A conversation that one end has closed lives on in its link until the other end's word arrives. */
static void end(void)
{
    for (int i = 0; i < 2; i++)
        ck_assert_ptr_null(link_await(links[i], time_monotonic_ns() + SECOND / 5));
    over = true;
    pthread_mutex_unlock(&turn);
    for (int i = 0; i < 2; i++)
        pthread_join(servers[i], NULL);
    for (int i = 0; i < 2; i++)
        free(links[i]);
}

static struct channel *opened(int side)
{
    struct stream_error error;
    struct channel *channel = link_open(links[side], NULL, &error);

    if (channel == NULL)
        ck_abort_msg("%s", error.text);
    return channel;
}

/* Sends and reads back; false: the connection was cut. */
static bool echo(struct channel *channel, size_t size)
{
    static uint8_t out[5000], in[5000];
    size_t done = 0;

    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)(i * 7 + size);
    if (channel->out.write(channel->out.own, out, size) != 0 || channel->out.flush(channel->out.own) != 0)
        return false;
    while (done < size) {
        ssize_t got = channel->in.read(channel->in.own, in + done, size - done);

        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    for (size_t i = 0; i < size; i++)
        if (in[i] != (uint8_t)(out[i] + 1))
            ck_abort_msg("byte %zu of %zu is not what was sent", i, size);
    return true;
}

START_TEST(test_conversations)
{
    begin();
    for (int round = 0; round < 6; round++) {
        struct channel *channel = opened(round & 1);

        ck_assert_str_eq(channel->name, "link0");
        for (size_t size = 1; size < 5000; size = size * 3 + 1)
            ck_assert(echo(channel, size));
        channel->close(channel);
    }
    end();
}
END_TEST

/* The end of a conversation with unread bytes in it does not hold up the next. */
START_TEST(test_leaves_unread)
{
    static uint8_t much[4000];

    begin();
    for (int round = 0; round < 4; round++) {
        struct channel *channel = opened(0);

        for (int i = 0; i < 8; i++)
            ck_assert_int_eq(channel->out.write(channel->out.own, much, sizeof(much)), 0);
        channel->close(channel);
        channel = opened(0);
        ck_assert(echo(channel, 100));
        channel->close(channel);
    }
    end();
}
END_TEST

static void *open_often(void *own)
{
    int side = *(int *)own;

    pthread_mutex_lock(&turn);
    for (int i = 0; i < 20; i++) {
        struct channel *channel = opened(side);

        ck_assert(echo(channel, 50));
        channel->close(channel);
    }
    pthread_mutex_unlock(&turn);
    return NULL;
}

/* Both begin at once, again and again: each gets its turn. */
START_TEST(test_both_begin)
{
    pthread_t threads[2];
    static int sides[2] = {0, 1};

    begin();
    pthread_mutex_unlock(&turn);
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, open_often, &sides[i]);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    pthread_mutex_lock(&turn);
    end();
}
END_TEST

/* After a cut at any byte: an error at once, and then a link as good as before. */
START_TEST(test_cut_anywhere)
{
    begin();
    for (size_t at = 0; at < 400; at += 7) {
        struct channel *channel = opened(0);
        uint64_t started = time_monotonic_ns();

        cut_after = at;
        for (int i = 0; i < 20 && echo(channel, 30); i++)
            ;
        ck_assert_uint_eq(cut_after, SIZE_MAX);
        ck_assert_uint_lt(time_monotonic_ns() - started, SECOND);
        ck_assert_int_eq(channel->out.write(channel->out.own, "x", 1), -ECONNRESET);
        channel->close(channel);
        ports[0].connection++;
        ports[1].connection++;
        change();
        channel = opened((int)(at & 1));
        ck_assert(echo(channel, 300));
        channel->close(channel);
    }
    end();
}
END_TEST

/* Frames as they stand in a guest's memory, which an earlier connection left on its way. */
START_TEST(test_forged)
{
    struct {
        uint64_t magic;
        uint32_t kind, length;
        uint8_t id[16];
    } frames[] = {{0x6c6b6e69766e6170ull, 1, 0, "forged number"},
                  {0x6c6b6e69766e6170ull, 2, 0, "forged number"},
                  {0x6c6b6e69766e6170ull, 3, 0, "a conversation"},
                  {0x6c6b6e69766e6170ull, 5, 4000, "a conversation"}};
    struct channel *channel;

    begin();
    channel = opened(1);
    ck_assert(echo(channel, 10));
    channel->close(channel);
    cut();
    for (int i = 0; i < 4; i++)
        for (size_t j = 0; j < sizeof(frames[i]); j++)
            ports[0].in[(ports[0].first + ports[0].count++) % WIRE_BYTES] = ((uint8_t *)&frames[i])[j];
    ports[0].connection++;
    ports[1].connection++;
    change();
    channel = opened(0);
    ck_assert(echo(channel, 1000));
    channel->close(channel);
    end();
}
END_TEST

/* Threads of a host switch only where they wait, and a link whose port is never empty does not wait. */
START_TEST(test_endless)
{
    struct channel *channel;

    begin();
    channel = opened(0);
    ck_assert(echo(channel, 10));
    channel->close(channel);
    others_turns = 0;
    flood = 1000000;
    ports[1].in[(ports[1].first + ports[1].count++) % WIRE_BYTES] = 0;
    ck_assert_ptr_null(link_await(links[1], time_monotonic_ns() + SECOND / 5));
    ck_assert_uint_gt(others_turns, 100);
    flood = 0;
    end();
}
END_TEST

/* Nobody is connected: said at once, and not after a minute. */
START_TEST(test_nobody)
{
    struct stream_error error;

    begin();
    cut();
    ck_assert_ptr_null(link_open(links[0], NULL, &error));
    ck_assert_str_eq(error.text, "link0: nobody is connected at its other end");
    end();
}
END_TEST

static unsigned int questions;

static bool is_unwanted(void)
{
    return ++questions > 1;
}

/* Waiting for its word, for it to take ours, or for it to begin at all: each ends when the user has had enough. */
START_TEST(test_silent)
{
    static uint8_t much[2 * WIRE_BYTES];
    struct stream_error error;
    struct channel *channel;

    begin();
    mute = true;
    channel = opened(0);
    channel->unwanted = is_unwanted;
    questions = 0;
    ck_assert_int_eq(channel->in.read(channel->in.own, much, 1), -EINTR);
    ck_assert_uint_eq(questions, 2);
    ck_assert_int_eq(channel->out.write(channel->out.own, "x", 1), 0);
    questions = 0;
    ck_assert_int_eq(channel->out.write(channel->out.own, much, sizeof(much)), -EINTR);
    ck_assert_uint_eq(questions, 2);
    channel->close(channel);
    ck_assert_ptr_null(link_open(links[0], is_unwanted, &error));
    ck_assert_str_eq(error.text, "cancelled");
    mute = false;
    change();
    while ((channel = link_open(links[0], NULL, &error)) == NULL) /* it first reads over what it was sent */
        ck_assert_str_eq(error.text, "link0: its other end does not answer");
    ck_assert(echo(channel, 1000));
    channel->close(channel);
    end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("channel_link");
    TCase *tests = tcase_create("channel_link");

    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_conversations);
    tcase_add_test(tests, test_leaves_unread);
    tcase_add_test(tests, test_both_begin);
    tcase_add_test(tests, test_cut_anywhere);
    tcase_add_test(tests, test_forged);
    tcase_add_test(tests, test_endless);
    tcase_add_test(tests, test_nobody);
    tcase_add_test(tests, test_silent);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
