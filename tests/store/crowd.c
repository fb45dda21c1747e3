/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Guests that are in the store at the same time. The honest one writes, reads, counts and is told of its own nodes, which
 * everybody may read, and says of each stretch of time how far it came and how many answers were wrong. The others ask for
 * whatever costs the store most, around and below those nodes: transactions that cannot commit, watches that all fire at
 * once, as many nodes as there may be. They say so when something let them in.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pv/pv.h>
#include <pv/time.h>
#include <xenstore.h>

#define STRETCH_NS   100000000ULL
#define NODES        8
#define TRANSACTIONS 9 /* of 10: one never ends */
#define WATCHES      60
#define VALUE_MAX    2048

static struct xs_handle *xs;
static char victim[64]; /* the honest guest's nodes, as others name them */

static bool put(const char *path, const char *value)
{
    return xs_write(xs, XBT_NULL, path, value, (unsigned int)strlen(value));
}

static bool value_is(xs_transaction_t t, const char *path, const char *expected)
{
    char *value = xs_read(xs, t, path, NULL);
    bool same = value && !strcmp(value, expected);

    free(value);
    return same;
}

static bool told_of(const char *expected)
{
    unsigned int num;
    char **event = xs_read_watch(xs, &num);
    bool same = event && !strcmp(event[XS_WATCH_PATH], expected) && !strcmp(event[XS_WATCH_TOKEN], "mine");

    free(event);
    return same;
}

static bool has_children(const char *path, unsigned int expected)
{
    unsigned int num = 0;
    char **names = xs_directory(xs, XBT_NULL, path, &num);

    free(names);
    return names && num == expected;
}

/* From one number to the next in a transaction, which nobody can disturb: nobody else may write what it touches. */
static bool counted(unsigned int from)
{
    xs_transaction_t t = xs_transaction_start(xs);
    char before[16], after[16];
    bool ok;

    snprintf(before, sizeof(before), "%u", from);
    snprintf(after, sizeof(after), "%u", from + 1);
    ok = t && value_is(t, "data/count", before) && xs_write(xs, t, "data/count", after, (unsigned int)strlen(after));
    return xs_transaction_end(xs, t, !ok) && ok;
}

/* How many of a round's answers were wrong. */
static unsigned int honest_round(unsigned int number)
{
    char path[32], value[16];

    snprintf(path, sizeof(path), "data/mine/%u", number % NODES);
    snprintf(value, sizeof(value), "%u", number);
    return !put(path, value) + !told_of(path) + !value_is(XBT_NULL, path, value) + !has_children("data/mine", NODES) +
           !counted(number);
}

static bool prepare(void)
{
    struct xs_permissions readable = {pv_domid(), XS_PERM_READ};
    char path[32];
    bool ok = xs_mkdir(xs, XBT_NULL, "data/mine") && xs_set_permissions(xs, XBT_NULL, "data/mine", &readable, 1) &&
              put("data/count", "0");

    for (unsigned int i = 0; i < NODES; i++) {
        snprintf(path, sizeof(path), "data/mine/%u", i);
        ok = ok && put(path, "");
    }
    return ok && xs_watch(xs, "data/mine", "mine") && told_of("data/mine");
}

static void be_honest(void)
{
    unsigned int number = 0, wrong = !prepare();

    for (;;) {
        uint64_t from = time_monotonic_ns(), now;
        unsigned int first = number;

        do
            wrong += honest_round(number++);
        while ((now = time_monotonic_ns()) < from + STRETCH_NS);
        printf("honest: %u rounds in %u us, %u wrong\n", number - first, (unsigned int)((now - from) / 1000), wrong);
    }
}

static void must_be_refused(bool done, const char *what)
{
    if (done || errno != EACCES)
        printf("INTRUSION: %s the nodes of another: %s\n", what, done ? "done" : strerror(errno));
}

static void intrude(xs_transaction_t t)
{
    struct xs_permissions mine = {pv_domid(), XS_PERM_NONE};
    char path[80];

    snprintf(path, sizeof(path), "%s/1", victim);
    must_be_refused(xs_write(xs, t, path, "", 0), "wrote to");
    must_be_refused(xs_rm(xs, t, path), "removed");
    must_be_refused(xs_set_permissions(xs, t, victim, &mine, 1), "took");
    snprintf(path, sizeof(path), "%s/new", victim);
    must_be_refused(xs_mkdir(xs, t, path), "added to");
}

/* Everything that it saw changes before it ends; whatever it wrote is in the way of the next. */
static void look_and_write(xs_transaction_t t, unsigned int number)
{
    char path[80];
    unsigned int num;

    free(xs_directory(xs, t, victim, &num));
    for (unsigned int i = 0; i < NODES; i++) {
        snprintf(path, sizeof(path), "%s/%u", victim, i);
        free(xs_read(xs, t, path, NULL));
    }
    snprintf(path, sizeof(path), "data/conflict/%u", number % 3);
    if (number % 5 == 0)
        xs_rm(xs, t, "data/conflict");
    xs_write(xs, t, path, "x", 1);
}

static void conflict(unsigned int number)
{
    xs_transaction_t open[TRANSACTIONS];

    if (number == 0)
        look_and_write(xs_transaction_start(xs), 0); /* for ever */
    for (unsigned int i = 0; i < TRANSACTIONS; i++)
        open[i] = xs_transaction_start(xs);
    for (unsigned int i = 0; i < TRANSACTIONS; i++)
        look_and_write(open[i], number + i);
    intrude(open[0]);
    intrude(XBT_NULL);
    for (unsigned int i = 0; i < TRANSACTIONS; i++)
        xs_transaction_end(xs, open[i], (number + i) % 4 == 0);
}

/* Each write of the honest guest, and each of its own, is an event for every watch. */
static void storm(unsigned int number)
{
    struct xs_handle *own = xs_open(0);
    char token[16], **event;

    for (unsigned int i = 0; i < WATCHES; i++) {
        snprintf(token, sizeof(token), "%u", i);
        xs_watch(own, victim, token);
        xs_watch(own, i % 2 ? "data" : "/", token);
    }
    for (unsigned int i = 0; i < WATCHES; i++) {
        snprintf(token, sizeof(token), "data/storm%u", i % 4);
        xs_write(own, XBT_NULL, token, "", 0);
    }
    while ((event = xs_check_watch(own)))
        free(event);
    xs_close(own);
}

/* Until there is no room, in a transaction or not; then all of it goes at once. */
static void fill(unsigned int number)
{
    static char value[VALUE_MAX];
    xs_transaction_t t = number % 2 ? xs_transaction_start(xs) : XBT_NULL;
    char path[64];
    bool fits = true;

    for (unsigned int i = 0; fits && i < 2000; i++) {
        snprintf(path, sizeof(path), "data/full/%u/a/b/c/d/%u", i % 50, i);
        fits = xs_write(xs, t, path, value, sizeof(value) / 4);
    }
    if (fits || errno != ENOSPC)
        printf("INTRUSION: more nodes than there may be: %s\n", fits ? "all" : strerror(errno));
    if (t)
        xs_transaction_end(xs, t, number % 4 == 1);
    xs_rm(xs, XBT_NULL, "data/full");
}

static void attack(const char *name, void (*once)(unsigned int number))
{
    for (unsigned int number = 0;; number++) {
        once(number);
        if (number == 0)
            printf("%s has begun\n", name);
    }
}

int main(int argc, char **argv)
{
    const char *role = argc > 1 ? argv[1] : "honest";

    xs = xs_open(0);
    snprintf(victim, sizeof(victim), "/local/domain/%s/data/mine", argc > 2 ? argv[2] : "0");
    if (!strcmp(role, "conflict"))
        attack(role, conflict);
    else if (!strcmp(role, "storm"))
        attack(role, storm);
    else if (!strcmp(role, "fill"))
        attack(role, fill);
    else
        be_honest();
    return 1;
}
