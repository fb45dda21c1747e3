/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The store when memory runs out: any allocation may fail at any moment. Whatever happens, the daemon goes on, the books
 * agree with the tree, nothing half-done stays, and (says the address sanitizer) nothing leaks.
 */
#include "short_memory.h"
#include "xenstored_harness.h"
#include "tests/unit/run_suite.h"

/* Sends a whole message, as a client does that tries again while the daemon takes nothing. */
static void send_patiently(struct client *client, uint32_t type, uint32_t tx, const char *payload, uint32_t len)
{
    struct xsd_sockmsg header = {type, 1, tx, len};
    char bytes[sizeof(header) + 512];
    size_t done = 0;

    memcpy(bytes, &header, sizeof(header));
    memcpy(bytes + sizeof(header), payload, len);
    for (unsigned int tries = 0; done < sizeof(header) + len; tries++) {
        done += client_input(client, bytes + done, sizeof(header) + len - done);
        ck_assert_uint_lt(tries, 1000);
    }
}

/* The reply, with the events before it dropped; every request gets one. */
static void receive(struct client *client, struct reply *reply)
{
    do
        ck_assert(next_message(client, reply));
    while (reply->header.type == XS_WATCH_EVENT);
}

static int random_payload(uint32_t type, char *payload)
{
    static const char *const names[] = {"/a", "/a/b", "/a/b/c", "x/y/z", "/local/domain/1/x", "@releaseDomain", "/e/f"};
    const char *name = names[rand() % 7];

    switch (type) {
    case XS_WRITE:
        return sprintf(payload, "%s%cvalue%d", name, '\0', rand() % 100);
    case XS_SET_PERMS:
        return sprintf(payload, "%s%c%c%d%cr%d", name, '\0', "nrwb"[rand() % 4], rand() % 3, '\0', rand() % 3) + 1;
    case XS_WATCH:
    case XS_UNWATCH:
        return sprintf(payload, "%s%ct%d", name, '\0', rand() % 3) + 1;
    case XS_TRANSACTION_END:
        return sprintf(payload, "%s", rand() % 3 ? "T" : "F") + 1;
    case XS_TRANSACTION_START:
        return sprintf(payload, "%s", "") + 1;
    default:
        return sprintf(payload, "%s", name) + 1;
    }
}

static const uint32_t types[] = {
    XS_DIRECTORY,       XS_READ,  XS_GET_PERMS, XS_WATCH, XS_UNWATCH,  XS_TRANSACTION_START,
    XS_TRANSACTION_END, XS_WRITE, XS_MKDIR,     XS_RM,    XS_SET_PERMS};

START_TEST(test_random_failures)
{
    struct client *clients[2] = {connect_as(0), connect_as(1)};
    uint32_t open[2] = {0, 0};
    struct reply reply;
    char payload[512];
    unsigned int short_of_memory = 0;

    tell(clients[0], XS_SET_PERMS, 0, "/|b0|");
    put(clients[0], 0, "/local/domain/1", "");
    tell(clients[0], XS_SET_PERMS, 0, "/local/domain/1|b1|");
    srand((unsigned int)_i);
    for (int i = 0; i < 20000; i++) {
        unsigned int who = (unsigned int)rand() % 2;
        uint32_t type = types[(unsigned int)rand() % (sizeof(types) / sizeof(types[0]))];
        uint32_t tx = type == XS_TRANSACTION_START || (type != XS_TRANSACTION_END && rand() % 3 == 0) ? 0 : open[who];
        int len = random_payload(type, payload);

        memory_fails_often(2 + (unsigned int)_i * 10);
        send_patiently(clients[who], type, tx, payload, (uint32_t)len);
        xenstored_flush(&daemon_under_test);
        short_of_memory += memory_failed();
        receive(clients[who], &reply);
        if (type == XS_TRANSACTION_START && reply.header.type == type)
            open[who] = (uint32_t)strtoul(reply.payload, NULL, 10);
        if (i % 100 == 0)
            ck_assert_uint_eq(store_audit(&daemon_under_test.store), 0);
    }
    ck_assert_uint_gt(short_of_memory, 100);
}
END_TEST

/* A client that only waits gives no occasion to try again: its event comes a little later, unasked. */
START_TEST(test_event_comes_later)
{
    struct client *waiting = connect_as(0);
    struct reply reply;

    tell(waiting, XS_WATCH, 0, "/a|t|");
    while (next_message(waiting, &reply))
        ;
    memory_fails_often(1);
    client_send_event(waiting, watch_find(waiting, "/a", "t"), "/a");
    clients_catch_up(&daemon_under_test);
    ck_assert(memory_failed());
    ck_assert(daemon_under_test.behind);
    ck_assert(!next_message(waiting, &reply));
    clients_catch_up(&daemon_under_test);
    ck_assert(next_message(waiting, &reply));
    ck_assert_uint_eq(reply.header.type, XS_WATCH_EVENT);
}
END_TEST

/* A write that got ENOMEM has not happened; one that got OK has. */
START_TEST(test_all_or_nothing)
{
    struct client *dom0 = connect_as(0);
    struct reply reply;
    unsigned int refused = 0;

    srand(1);
    for (int i = 0; i < 3000; i++) {
        char payload[64], path[64];
        bool done;
        int len;

        snprintf(path, sizeof(path), "/deep%d/a/b/c", i);
        len = snprintf(payload, sizeof(payload), "%s%cv", path, '\0');
        memory_fails_often(8);
        send_patiently(dom0, XS_WRITE, 0, payload, (uint32_t)len);
        memory_failed();
        receive(dom0, &reply);
        done = reply.header.type == XS_WRITE;
        refused += !done;
        ck_assert(done || !strcmp(reply.payload, "ENOMEM"));
        ck_assert((value_of(dom0, 0, path) != NULL) == done);
        snprintf(path, sizeof(path), "/deep%d", i);
        ck_assert((value_of(dom0, 0, path) != NULL) == done);
    }
    ck_assert_uint_gt(refused, 10);
}
END_TEST

/* Domains come and go meanwhile: what cannot be connected is not there, and what is gone leaves nothing mapped. */
START_TEST(test_domains)
{
    struct client *dom0 = connect_as(0);
    struct reply reply;
    char payload[64];
    unsigned int introduced = 0;

    srand(2);
    for (unsigned int i = 0; i < 3000; i++) {
        unsigned int domid = 1 + i % 50;
        int len = snprintf(payload, sizeof(payload), "%u%c%u%c5", domid, '\0', 1000 + domid, '\0') + 1;

        fake_domains[domid].state = DOMAIN_RUNNING;
        memory_fails_often(6);
        send_patiently(dom0, XS_INTRODUCE, 0, payload, (uint32_t)len);
        run_daemon();
        memory_failed();
        receive(dom0, &reply);
        introduced += reply.header.type == XS_INTRODUCE;
        ck_assert((reply.header.type == XS_INTRODUCE) == (domain_find(&daemon_under_test, domid) != NULL));
        fake_domains[domid].state = DOMAIN_GONE;
        memory_fails_often(6);
        domains_check(&daemon_under_test);
        memory_failed();
        ck_assert(!fake_domains[domid].mapped);
    }
    ck_assert_uint_gt(introduced, 100);
    ck_assert_uint_lt(introduced, 3000);
}
END_TEST

/* A daemon that starts has all that it needs or nothing at all. */
START_TEST(test_start)
{
    static struct xenstored another;
    unsigned int attempts = 0;

    do
        memory_fails_at(++attempts);
    while (!xenstored_init(&another));
    memory_failed();
    ck_assert_uint_ge(attempts, 4);
    xenstored_destroy(&another);
}
END_TEST

/* The end of a domain, with each allocation on the way failing in turn: a later domain of its number inherits nothing. */
START_TEST(test_nothing_is_inherited)
{
    struct client *dom0 = connect_as(0);
    bool failed = true;

    tell(dom0, XS_SET_PERMS, 0, "/|n0|r5|");
    for (unsigned int attempt = 1; failed; attempt++) {
        introduce(dom0, 5);
        tell(dom0, XS_SET_PERMS, 0, "@introduceDomain|n0|r5|r6|");
        tell(dom0, XS_SET_PERMS, 0, "@releaseDomain|r5|r6|");
        for (const char *const *path = (const char *const[]){"/home", "/shared", "/local/domain/5/x", NULL}; *path;
             path++)
            put(dom0, 0, *path, "");
        tell(dom0, XS_SET_PERMS, 0, "/home|n5|");
        tell(dom0, XS_SET_PERMS, 0, "/shared|n0|b5|r6|");
        tell(dom0, XS_SET_PERMS, 0, "/local/domain/5/x|n5|");
        tell(dom0, XS_SET_PERMS, 0, "/|n0|r5|");
        fake_domains[5].state = DOMAIN_GONE;
        memory_fails_at(attempt);
        domains_check(&daemon_under_test);
        failed = memory_failed();
        ck_assert_uint_eq(daemon_under_test.store.accounts[5].mentions, 0);
        ck_assert_ptr_null(value_of(dom0, 0, "/home"));
        ck_assert_str_eq(ask(dom0, XS_GET_PERMS, 0, "/shared", 8)->payload, "n0");
        ck_assert_int_eq(memcmp(ask(dom0, XS_GET_PERMS, 0, "@introduceDomain", 17)->payload, "n0\0r6", 6), 0);
        ck_assert_int_eq(memcmp(ask(dom0, XS_GET_PERMS, 0, "@releaseDomain", 15)->payload, "n0\0r6", 6), 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("xenstored memory");
    TCase *tcase = tcase_create("memory");

    tcase_add_checked_fixture(tcase, setup_open_store, teardown_daemon);
    tcase_set_timeout(tcase, 100);
    tcase_add_loop_test(tcase, test_random_failures, 0, 8);
    tcase_add_test(tcase, test_event_comes_later);
    tcase_add_test(tcase, test_all_or_nothing);
    tcase_add_test(tcase, test_domains);
    tcase_add_test(tcase, test_start);
    tcase_add_test(tcase, test_nothing_is_inherited);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
