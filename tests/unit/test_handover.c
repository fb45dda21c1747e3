/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The hand-over between two hosts that are two threads, over a channel that is cut after every possible byte, with either
 * host losing its memory or none, and a second cut while the two settle the first. Guards against the one bug a migration
 * must not have: two copies that run, or none.
 */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dom0-tools/migration/message.h"
#include "tests/unit/run_suite.h"

#define NEVER     UINT64_MAX
#define PIPE_SIZE 8192

/* One direction: what is written, and how much of it the other side gets to read. */
struct pipe {
    uint8_t bytes[PIPE_SIZE];
    size_t written, read;
};

struct wire {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct pipe pipes[2];
    uint64_t cut_at[2];             /* bytes that get through in each direction */
    bool cut, closed[2], lose_rest; /* lose_rest: what was not read at the cut is lost */
    struct end {
        struct wire *wire;
        int number;
        struct channel channel;
    } ends[2];
};

static int end_write(void *own, const void *data, size_t size)
{
    struct end *end = own;
    struct wire *wire = end->wire;
    struct pipe *pipe = &wire->pipes[end->number];
    int rc = 0;

    pthread_mutex_lock(&wire->lock);
    for (size_t i = 0; i < size && !wire->cut; i++) {
        if (pipe->written == wire->cut_at[end->number]) {
            wire->cut = true;
            break;
        }
        ck_assert_uint_lt(pipe->written, PIPE_SIZE);
        pipe->bytes[pipe->written++] = ((const uint8_t *)data)[i];
    }
    if (pipe->written == wire->cut_at[end->number] && wire->lose_rest)
        wire->cut = true;
    if (wire->cut || wire->closed[!end->number])
        rc = -ECONNRESET;
    pthread_cond_broadcast(&wire->changed);
    pthread_mutex_unlock(&wire->lock);
    return rc;
}

static ssize_t end_read(void *own, void *data, size_t size)
{
    struct end *end = own;
    struct wire *wire = end->wire;
    struct pipe *pipe = &wire->pipes[!end->number];
    ssize_t got = 0;

    pthread_mutex_lock(&wire->lock);
    while (pipe->read == pipe->written && !wire->cut && !wire->closed[!end->number])
        pthread_cond_wait(&wire->changed, &wire->lock);
    if (wire->cut && (wire->lose_rest || pipe->read == pipe->written)) {
        got = -ECONNRESET;
    } else {
        while ((size_t)got < size && pipe->read < pipe->written)
            ((uint8_t *)data)[got++] = pipe->bytes[pipe->read++];
    }
    pthread_mutex_unlock(&wire->lock);
    return got;
}

static void end_close(struct channel *channel)
{
    struct end *end = channel->in.own;

    pthread_mutex_lock(&end->wire->lock);
    end->wire->closed[end->number] = true;
    pthread_cond_broadcast(&end->wire->changed);
    pthread_mutex_unlock(&end->wire->lock);
}

static void wire_start(struct wire *wire, uint64_t cut0, uint64_t cut1, bool lose_rest)
{
    memset(wire, 0, sizeof(*wire));
    pthread_mutex_init(&wire->lock, NULL);
    pthread_cond_init(&wire->changed, NULL);
    wire->cut_at[0] = cut0;
    wire->cut_at[1] = cut1;
    wire->lose_rest = lose_rest;
    for (int i = 0; i < 2; i++) {
        struct end *end = &wire->ends[i];

        end->wire = wire;
        end->number = i;
        end->channel =
            (struct channel){.in = {end, end_read}, .out = {end, end_write, NULL}, .close = end_close, .name = "link0"};
    }
}

/* The copies of the one domain there is. */
enum { SENDER, RECEIVER };

struct side {
    struct handover_host host;
    bool exists, live, dead;
    unsigned int settled;
    enum handover_outcome outcome;
    bool refuses, damaged, sticks; /* prepare, receive, activate fail */
    struct stream_error error;
};

static struct side sides[2];
static pthread_mutex_t lives = PTHREAD_MUTEX_INITIALIZER;
static unsigned int most_live;

static void set(struct side *side, bool exists, bool live)
{
    if (side->dead)
        return;
    pthread_mutex_lock(&lives);
    side->exists = exists;
    side->live = live;
    if ((unsigned int)sides[0].live + sides[1].live > most_live)
        most_live = (unsigned int)sides[0].live + sides[1].live;
    pthread_mutex_unlock(&lives);
}

static int side_send(void *own, const struct byte_sink *sink, struct stream_error *error)
{
    int rc = sink->write(sink->own, "a saved domain", 14);

    set(own, true, false);
    if (rc != 0)
        strcpy(error->text, "the stream broke");
    return rc;
}

static int side_resume(void *own)
{
    struct side *side = own;

    ck_assert(side->exists || side->dead);
    set(side, true, true);
    return 0;
}

static void side_destroy(void *own)
{
    set(own, false, false);
}

static int side_prepare(void *own, const struct handover_offer *offer, struct stream_error *error)
{
    struct side *side = own;

    ck_assert_str_eq(offer->name, "ticker");
    ck_assert_uint_eq(offer->memory_kib, 16384);
    strcpy(error->text, "it needs 16384 KiB, and 4096 are free");
    return side->refuses ? -1 : 0;
}

static int side_receive(void *own, const struct byte_source *source, struct stream_error *error)
{
    struct side *side = own;
    char text[14];

    for (size_t i = 0; i < sizeof(text); i++)
        if (source->read(source->own, text + i, 1) != 1) {
            strcpy(error->text, "the stream is cut");
            return -1;
        }
    ck_assert(memcmp(text, "a saved domain", sizeof(text)) == 0);
    strcpy(error->text, "record 3 is damaged");
    if (side->damaged)
        return -1;
    set(side, true, false);
    return 0;
}

static int side_activate(void *own, struct stream_error *error)
{
    struct side *side = own;

    ck_assert(side->exists || side->dead);
    strcpy(error->text, "its disk is away");
    if (side->sticks)
        return -1;
    set(side, true, true);
    return 0;
}

static void side_settled(void *own, enum handover_outcome outcome)
{
    struct side *side = own;

    side->settled++;
    side->outcome = outcome;
}

static struct handover_sender sender(void)
{
    return (struct handover_sender){&sides[SENDER], side_send, side_resume, side_destroy, side_settled};
}

static struct handover_receiver receiver(void)
{
    return (struct handover_receiver){&sides[RECEIVER], side_prepare, side_receive,
                                      side_activate,    side_destroy, side_settled};
}

static void forget_all(struct handover_host *host)
{
    while (host->records != NULL) {
        struct handover_record *next = host->records->next;

        free(host->records);
        host->records = next;
    }
}

static void start(void)
{
    forget_all(&sides[0].host);
    forget_all(&sides[1].host);
    memset(sides, 0, sizeof(sides));
    handover_host_start(&sides[0].host);
    handover_host_start(&sides[1].host);
    sides[SENDER].exists = sides[SENDER].live = true;
    most_live = 1;
}

/* The host is switched off and on again. */
static void lose(struct side *side)
{
    forget_all(&side->host);
    memset(side, 0, sizeof(*side));
    handover_host_start(&side->host);
}

static void *run_send(void *own)
{
    struct wire *wire = own;
    struct handover_offer offer = {.memory_kib = 16384, .vcpus = 1, .name = "ticker"};
    struct handover_sender ops = sender();

    handover_random(offer.transaction);
    sides[SENDER].outcome =
        handover_send(&sides[SENDER].host, &wire->ends[0].channel, &offer, &ops, &sides[SENDER].error);
    end_close(&wire->ends[0].channel);
    return NULL;
}

static void *run_receive(void *own)
{
    struct wire *wire = own;
    struct handover_receiver ops = receiver();

    sides[RECEIVER].outcome =
        handover_receive(&sides[RECEIVER].host, &wire->ends[1].channel, &ops, &sides[RECEIVER].error);
    end_close(&wire->ends[1].channel);
    return NULL;
}

static void both(struct wire *wire, void *(*one)(void *), void *(*other)(void *))
{
    pthread_t threads[2];

    ck_assert(pthread_create(&threads[0], NULL, one, wire) == 0);
    ck_assert(pthread_create(&threads[1], NULL, other, wire) == 0);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
}

/* The side that asks has end 0 of the wire. */
static struct side *asker, *answerer;

static void *run_ask(void *own)
{
    struct wire *wire = own;

    (void)handover_settle(&asker->host, &wire->ends[0].channel);
    end_close(&wire->ends[0].channel);
    return NULL;
}

static void *run_answer(void *own)
{
    struct wire *wire = own;
    struct stream_error error;

    (void)handover_receive(&answerer->host, &wire->ends[1].channel, NULL, &error);
    end_close(&wire->ends[1].channel);
    return NULL;
}

static void talk(int who, uint64_t cut0, uint64_t cut1, size_t *bytes)
{
    static struct wire wire;

    wire_start(&wire, cut0, cut1, false);
    asker = &sides[who];
    answerer = &sides[!who];
    both(&wire, run_ask, run_answer);
    if (bytes != NULL)
        *bytes = wire.pipes[0].written + wire.pipes[1].written;
}

/* Connections without a cut, by either side, until nothing is unsettled: two must do. */
static void talk_it_over(int first)
{
    if (sides[first].host.records != NULL)
        talk(first, NEVER, NEVER, NULL);
    if (sides[!first].host.records != NULL)
        talk(!first, NEVER, NEVER, NULL);
    ck_assert_ptr_null(sides[0].host.records);
    ck_assert_ptr_null(sides[1].host.records);
}

static void check_one_left(void)
{
    ck_assert_uint_eq(most_live, 1);
    ck_assert_int_eq(sides[0].live + sides[1].live, 1);
    ck_assert_int_eq(sides[0].exists + sides[1].exists, 1);
}

enum loss { NOBODY, LOSE_SENDER, LOSE_RECEIVER, LOSSES };

/* One migration cut in one place; the number of bytes that went in each direction. */
static void migrate(uint64_t cut0, uint64_t cut1, bool lose_rest, size_t *bytes0, size_t *bytes1)
{
    static struct wire wire;

    start();
    wire_start(&wire, cut0, cut1, lose_rest);
    both(&wire, run_send, run_receive);
    if (bytes0 != NULL)
        *bytes0 = wire.pipes[0].written;
    if (bytes1 != NULL)
        *bytes1 = wire.pipes[1].written;
}

START_TEST(test_moves)
{
    migrate(NEVER, NEVER, false, NULL, NULL);
    ck_assert_int_eq(sides[SENDER].outcome, HANDOVER_MOVED);
    ck_assert_int_eq(sides[RECEIVER].outcome, HANDOVER_MOVED);
    ck_assert(sides[RECEIVER].live);
    check_one_left();
    talk_it_over(SENDER);
}
END_TEST

/* A copy that only the lost host had whole is lost with it, as any domain is; every other one must go on. */
static void cut_and_settle(uint64_t cut0, uint64_t cut1, bool lose_rest, enum loss loss, int first)
{
    unsigned int whole;

    migrate(cut0, cut1, lose_rest, NULL, NULL);
    if (loss == LOSE_SENDER)
        lose(&sides[SENDER]);
    if (loss == LOSE_RECEIVER)
        lose(&sides[RECEIVER]);
    whole = (unsigned int)sides[0].exists + sides[1].exists;
    ck_assert(whole > 0 || loss != NOBODY);
    talk_it_over(first);
    if (whole > 0)
        check_one_left();
    ck_assert_uint_eq(most_live, 1);
}

START_TEST(test_cut_anywhere)
{
    size_t bytes[2];

    migrate(NEVER, NEVER, false, &bytes[0], &bytes[1]);
    ck_assert_uint_gt(bytes[0], 200);
    for (int direction = 0; direction < 2; direction++)
        for (uint64_t at = 0; at < bytes[direction]; at++)
            for (int loss = 0; loss < LOSSES; loss++)
                cut_and_settle(direction == 0 ? at : NEVER, direction == 1 ? at : NEVER, at & 1, (enum loss)loss,
                               (int)(at >> 1 & 1));
}
END_TEST

/* The second cut comes while the two settle the first. */
static void cut_twice(uint64_t cut0, uint64_t cut1, enum loss loss, int first)
{
    size_t bytes = 1;

    for (uint64_t second = 0; second < bytes; second += 16) {
        for (int direction = 0; direction < 2; direction++) {
            migrate(cut0, cut1, false, NULL, NULL);
            talk(first, direction == 0 ? second : NEVER, direction == 1 ? second : NEVER, NULL);
            if (loss == LOSE_SENDER && sides[RECEIVER].exists)
                lose(&sides[SENDER]);
            if (loss == LOSE_RECEIVER && sides[SENDER].exists)
                lose(&sides[RECEIVER]);
            talk_it_over(!first);
            check_one_left();
        }
        migrate(cut0, cut1, false, NULL, NULL);
        talk(first, NEVER, NEVER, &bytes);
    }
}

START_TEST(test_cut_twice)
{
    size_t bytes[2];

    migrate(NEVER, NEVER, false, &bytes[0], &bytes[1]);
    for (int variant = 0; variant < 2 * LOSSES; variant++) {
        /* The last two messages of either side have 32 bytes each: COMMIT and DONE, COMPLETE and RUNNING. */
        for (uint64_t at = bytes[0] - 65; at <= bytes[0]; at += 16)
            cut_twice(at, NEVER, (enum loss)(variant / 2), variant & 1);
        for (uint64_t at = bytes[1] - 65; at <= bytes[1]; at += 16)
            cut_twice(NEVER, at, (enum loss)(variant / 2), variant & 1);
    }
}
END_TEST

START_TEST(test_refused)
{
    static struct wire wire;

    start();
    sides[RECEIVER].refuses = true;
    wire_start(&wire, NEVER, NEVER, false);
    both(&wire, run_send, run_receive);
    ck_assert_int_eq(sides[SENDER].outcome, HANDOVER_KEPT);
    ck_assert_str_eq(sides[SENDER].error.text, "link0: the other host says: it needs 16384 KiB, and 4096 are free");
    ck_assert(sides[SENDER].live);
    check_one_left();
}
END_TEST

START_TEST(test_receiver_fails)
{
    static struct wire wire;

    for (int when = 0; when < 2; when++) {
        start();
        sides[RECEIVER].damaged = when == 0;
        sides[RECEIVER].sticks = when == 1;
        wire_start(&wire, NEVER, NEVER, false);
        both(&wire, run_send, run_receive);
        ck_assert_int_eq(sides[SENDER].outcome, HANDOVER_KEPT);
        ck_assert_ptr_nonnull(strstr(sides[SENDER].error.text, when == 0 ? "record 3 is damaged" : "its disk is away"));
        ck_assert(sides[SENDER].live);
        check_one_left();
        ck_assert_ptr_null(sides[0].host.records);
        ck_assert_ptr_null(sides[1].host.records);
    }
}
END_TEST

/* Without a receiver that waits, the offer is refused with the way to have one. */
START_TEST(test_nobody_expects)
{
    static struct wire wire;

    start();
    wire_start(&wire, NEVER, NEVER, false);
    answerer = &sides[RECEIVER];
    both(&wire, run_send, run_answer);
    ck_assert_int_eq(sides[SENDER].outcome, HANDOVER_KEPT);
    ck_assert_ptr_nonnull(strstr(sides[SENDER].error.text, "migrate-receive"));
    check_one_left();
}
END_TEST

static int answer;

static void *run_question(void *own)
{
    struct wire *wire = own;
    struct handover_offer offer = {.memory_kib = 16384, .vcpus = 1, .name = "ticker", .asked = true};

    handover_random(offer.transaction);
    answer = handover_ask(&sides[SENDER].host, &wire->ends[0].channel, &offer, &sides[SENDER].error);
    end_close(&wire->ends[0].channel);
    return NULL;
}

/* Who only asks whether a domain could come hears what one that comes would hear, and nothing is left of the question. */
START_TEST(test_asked)
{
    static const char *const words[] = {"", "it needs 16384 KiB, and 4096 are free", "migrate-receive"};
    static struct wire wire;

    for (int why = 0; why < 3; why++) {
        start();
        sides[RECEIVER].refuses = why == 1;
        answerer = &sides[RECEIVER];
        wire_start(&wire, NEVER, NEVER, false);
        both(&wire, run_question, why == 2 ? run_answer : run_receive);
        ck_assert_int_eq(answer, why == 0 ? 0 : -1);
        ck_assert_ptr_nonnull(strstr(sides[SENDER].error.text, words[why]));
        ck_assert(why != 0 || sides[RECEIVER].outcome == HANDOVER_TALKED);
        ck_assert_ptr_null(sides[0].host.records);
        ck_assert_ptr_null(sides[1].host.records);
        ck_assert(sides[SENDER].live);
        check_one_left();
    }
}
END_TEST

/* COMMIT is cut: both are in doubt until someone decides; what the other learns later must agree. */
START_TEST(test_users_word)
{
    size_t bytes[2];
    struct stream_error error;

    migrate(NEVER, NEVER, false, &bytes[0], &bytes[1]);
    for (int who = 0; who < 2; who++)
        for (int keep = 0; keep < 2; keep++) {
            migrate(bytes[0] - 40, NEVER, false, NULL, NULL);
            ck_assert_int_eq(sides[SENDER].outcome, HANDOVER_IN_DOUBT);
            ck_assert_int_eq(sides[RECEIVER].outcome, HANDOVER_IN_DOUBT);
            ck_assert_ptr_nonnull(handover_in_doubt(&sides[who].host, "ticker"));
            ck_assert_int_eq(handover_decide(&sides[who].host, "other", keep, &error), -1);
            ck_assert_int_eq(handover_decide(&sides[who].host, "ticker", keep, &error), 0);
            ck_assert_ptr_null(handover_in_doubt(&sides[who].host, "ticker"));
            ck_assert_int_eq(sides[who].live, keep);
            talk_it_over(!who);
            ck_assert_uint_eq(sides[0].settled, 1);
            ck_assert_uint_eq(sides[1].settled, 1);
            ck_assert_int_eq(sides[who].live, keep);
            check_one_left();
        }
}
END_TEST

/* What a peer that is no host of ours may say. */
static ssize_t memory_read(void *own, void *data, size_t size)
{
    struct pipe *pipe = own;
    size_t left = pipe->written - pipe->read;

    size = size < left ? size : left;
    memcpy(data, pipe->bytes + pipe->read, size);
    pipe->read += size;
    return (ssize_t)size;
}

static int drop(void *own, const void *data, size_t size)
{
    return 0;
}

static void put(struct pipe *pipe, uint32_t type, uint32_t length, const void *body, size_t size)
{
    memcpy(pipe->bytes + pipe->written, &type, 4);
    memcpy(pipe->bytes + pipe->written + 4, &length, 4);
    memcpy(pipe->bytes + pipe->written + 8, body, size);
    pipe->written += 8 + size;
}

static enum handover_outcome hear(struct pipe *pipe)
{
    struct channel channel = {.in = {pipe, memory_read}, .out = {pipe, drop, NULL}, .name = "link0"};
    struct handover_receiver ops = receiver();
    enum handover_outcome outcome;

    start();
    outcome = handover_receive(&sides[RECEIVER].host, &channel, &ops, &sides[RECEIVER].error);
    ck_assert(!sides[RECEIVER].exists);
    ck_assert_ptr_null(sides[RECEIVER].host.records);
    return outcome;
}

START_TEST(test_nonsense)
{
    struct message_hello hello = {.magic = MESSAGE_MAGIC, .version = MESSAGE_VERSION};
    struct message_offer offer = {.memory_kib = 16384};
    static uint8_t filler[1024];
    struct pipe pipe = {.written = 0};

    put(&pipe, 77, 4, filler, 4);
    ck_assert_int_eq(hear(&pipe), HANDOVER_TALKED);
    pipe = (struct pipe){.written = 0};
    hello.version = 9;
    put(&pipe, MESSAGE_HELLO, sizeof(hello), &hello, sizeof(hello));
    ck_assert_int_eq(hear(&pipe), HANDOVER_TALKED);
    hello.version = MESSAGE_VERSION;
    pipe = (struct pipe){.written = 0};
    put(&pipe, MESSAGE_HELLO, sizeof(hello), &hello, sizeof(hello));
    put(&pipe, MESSAGE_OFFER, 0xffffffff, filler, sizeof(filler));
    ck_assert_int_eq(hear(&pipe), HANDOVER_TALKED);
    pipe = (struct pipe){.written = 0};
    memset(offer.name, 'x', sizeof(offer.name));
    put(&pipe, MESSAGE_HELLO, sizeof(hello), &hello, sizeof(hello));
    put(&pipe, MESSAGE_OFFER, sizeof(offer), &offer, sizeof(offer));
    ck_assert_int_eq(hear(&pipe), HANDOVER_KEPT);
    ck_assert_ptr_nonnull(strstr(sides[RECEIVER].error.text, "has no proper name"));
    pipe = (struct pipe){.written = 0};
    memset(offer.name, 0, sizeof(offer.name));
    strcpy(offer.name, "\x1b[2Jticker");
    put(&pipe, MESSAGE_HELLO, sizeof(hello), &hello, sizeof(hello));
    put(&pipe, MESSAGE_OFFER, sizeof(offer), &offer, sizeof(offer));
    ck_assert_int_eq(hear(&pipe), HANDOVER_KEPT);
    ck_assert_ptr_nonnull(strstr(sides[RECEIVER].error.text, "has no proper name"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("handover");
    TCase *tests = tcase_create("handover");

    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, test_moves);
    tcase_add_test(tests, test_refused);
    tcase_add_test(tests, test_receiver_fails);
    tcase_add_test(tests, test_nobody_expects);
    tcase_add_test(tests, test_asked);
    tcase_add_test(tests, test_users_word);
    tcase_add_test(tests, test_nonsense);
    tcase_add_test(tests, test_cut_anywhere);
    tcase_add_test(tests, test_cut_twice);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
