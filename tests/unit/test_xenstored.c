/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The store's protocol: nodes, permissions, watches, limits, malformed requests.
 */
#include "xenstored_harness.h"
#include "tests/unit/run_suite.h"

/* A value comes back as it was written, NULs included, and parents appear as needed. */
START_TEST(test_write_and_read)
{
    struct client *dom0 = connect_as(0);
    struct reply *reply;

    ck_assert_int_eq(put(dom0, 0, "/a/b/c", "hello"), 0);
    ck_assert_str_eq(value_of(dom0, 0, "/a/b/c"), "hello");
    ck_assert_str_eq(value_of(dom0, 0, "/a/b"), "");
    ck_assert_int_eq(tell(dom0, XS_WRITE, 0, "/a/bin|x|y|"), 0);
    reply = ask(dom0, XS_READ, 0, "/a/bin", 7);
    ck_assert_uint_eq(reply->header.len, 4);
    ck_assert(!memcmp(reply->payload, "x\0y", 4));
    ck_assert_int_eq(put(dom0, 0, "/a/b/c", ""), 0);
    ck_assert_str_eq(value_of(dom0, 0, "/a/b/c"), "");
    ck_assert_ptr_null(value_of(dom0, 0, "/a/nope"));
    ck_assert_int_eq(errno, ENOENT);
}
END_TEST

/* A directory lists the names of its children, each once. */
START_TEST(test_directory)
{
    struct client *dom0 = connect_as(0);
    struct reply *reply;

    put(dom0, 0, "/d/two", "");
    put(dom0, 0, "/d/one/deep", "");
    put(dom0, 0, "/d/one", "again");
    reply = ask(dom0, XS_DIRECTORY, 0, "/d", 3);
    ck_assert_uint_eq(reply->header.len, 8);
    ck_assert(!memcmp(reply->payload, "one\0two", 8));
    ck_assert_uint_eq(ask(dom0, XS_DIRECTORY, 0, "/d/two", 7)->header.len, 0);
    ck_assert_int_eq(tell(dom0, XS_DIRECTORY, 0, "/nope|"), ENOENT);
    reply = ask(dom0, XS_DIRECTORY, 0, "/", 2);
    ck_assert_str_eq(reply->payload, "d");
}
END_TEST

/* A list that is too long for one reply is E2BIG, and can be fetched in parts of one generation. */
START_TEST(test_long_directory)
{
    struct client *dom0 = connect_as(0);
    char path[64], name[32], request[64], generation[32] = "";
    unsigned int seen = 0, parts = 0;
    size_t offset = 0;

    for (unsigned int i = 0; i < 600; i++) {
        snprintf(path, sizeof(path), "/long/child-%05u", i);
        put(dom0, 0, path, "");
    }
    ck_assert_int_eq(tell(dom0, XS_DIRECTORY, 0, "/long|"), E2BIG);
    for (;;) {
        int len = snprintf(request, sizeof(request), "/long%c%zu", '\0', offset) + 1;
        struct reply *reply = ask(dom0, XS_DIRECTORY_PART, 0, request, (size_t)len);
        const char *at = reply->payload + strlen(reply->payload) + 1, *stop = reply->payload + reply->header.len;

        ck_assert_uint_eq(reply->header.type, XS_DIRECTORY_PART);
        if (!parts++)
            strcpy(generation, reply->payload);
        ck_assert_str_eq(reply->payload, generation);
        while (at < stop && *at) {
            snprintf(name, sizeof(name), "child-%05u", seen++);
            ck_assert_str_eq(at, name);
            offset += strlen(at) + 1;
            at += strlen(at) + 1;
        }
        if (at < stop)
            break;
        ck_assert_uint_lt(parts, 10);
    }
    ck_assert_uint_eq(seen, 600);
    ck_assert_uint_gt(parts, 1);
    put(dom0, 0, "/long/another", "");
    ck_assert_str_ne(ask(dom0, XS_DIRECTORY_PART, 0,
                         "/long\0"
                         "0",
                         8)
                         ->payload,
                     generation);
}
END_TEST

/* mkdir leaves an existing node alone; rm takes the children along, and forgives a missing node but not its parent. */
START_TEST(test_mkdir_and_rm)
{
    struct client *dom0 = connect_as(0);

    put(dom0, 0, "/m", "kept");
    ck_assert_int_eq(tell(dom0, XS_MKDIR, 0, "/m|"), 0);
    ck_assert_str_eq(value_of(dom0, 0, "/m"), "kept");
    ck_assert_int_eq(tell(dom0, XS_MKDIR, 0, "/m/x/y|"), 0);
    ck_assert_str_eq(value_of(dom0, 0, "/m/x/y"), "");
    ck_assert_int_eq(tell(dom0, XS_RM, 0, "/m/x|"), 0);
    ck_assert_ptr_null(value_of(dom0, 0, "/m/x/y"));
    ck_assert_str_eq(value_of(dom0, 0, "/m"), "kept");
    ck_assert_int_eq(tell(dom0, XS_RM, 0, "/m/x|"), 0);
    ck_assert_int_eq(tell(dom0, XS_RM, 0, "/m/x/y|"), ENOENT);
    ck_assert_int_eq(tell(dom0, XS_RM, 0, "/|"), EINVAL);
}
END_TEST

/* Names outside the allowed characters, doubled or trailing slashes and over-long paths are refused. */
START_TEST(test_bad_paths)
{
    struct client *dom0 = connect_as(0);
    static const char *const bad[] = {"/a//b", "/a/",       "//", "",   "/a b", "/a.b",
                                      "/a\tb", "/\xc3\xa4", "@x", "a/", "a//b"};
    static char path[4000];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(put(dom0, 0, bad[i], "v") == EINVAL, "'%s' was taken", bad[i]);
    memset(path, 'x', sizeof(path));
    path[0] = '/';
    path[3073] = '\0';
    ck_assert_int_eq(put(dom0, 0, path, ""), EINVAL);
    path[3072] = '\0';
    ck_assert_int_eq(put(dom0, 0, path, ""), 0);
    ck_assert_int_eq(put(dom0, 0, path + 1, ""), EINVAL);
    path[2049] = '\0';
    ck_assert_int_eq(put(dom0, 0, path + 1, ""), 0);
    ck_assert_int_eq(put(dom0, 0, "/azAZ09-_@/@", ""), 0);
}
END_TEST

/* A payload whose strings do not end, or which has too few, is EINVAL for every kind of request. */
START_TEST(test_malformed_payloads)
{
    struct client *dom0 = connect_as(0);

    for (uint32_t type = 0; type < XS_TYPE_COUNT; type++) {
        struct reply *reply;

        if (type == XS_RESET_WATCHES || type == XS_TRANSACTION_START)
            continue;
        reply = ask(dom0, type, 0, NULL, 0);
        ck_assert_msg(reply->header.type == XS_ERROR, "type %u took an empty payload", type);
        reply = ask(dom0, type, 0, "/x", 2);
        ck_assert_msg(reply->header.type == XS_ERROR, "type %u took an unterminated payload", type);
        reply = ask(dom0, type, 0, "\0\0\0", 3);
        ck_assert_msg(reply->header.type == XS_ERROR, "type %u took empty strings", type);
    }
    ck_assert_int_eq(tell(dom0, XS_READ, 0, "/x|/y|"), EINVAL);
    ck_assert_int_eq(tell(dom0, 20, 0, "1|"), ENOSYS);
    ck_assert_int_eq(tell(dom0, XS_WATCH_EVENT, 0, "1|"), ENOSYS);
    ck_assert_int_eq(tell(dom0, XS_ERROR, 0, "1|"), ENOSYS);
    ck_assert_int_eq(tell(dom0, 4711, 0, "1|"), ENOSYS);
    ck_assert_int_eq(tell(dom0, XS_INVALID, 0, "1|"), ENOSYS);
    ck_assert_int_eq(tell(dom0, XS_READ, 99, "/|"), ENOENT);
}
END_TEST

/* A message may arrive byte by byte. */
START_TEST(test_fragments)
{
    struct client *dom0 = connect_as(0);
    char message[sizeof(struct xsd_sockmsg) + 6];
    struct xsd_sockmsg header = {XS_WRITE, 77, 0, 6};
    struct reply reply;

    memcpy(message, &header, sizeof(header));
    memcpy(message + sizeof(header), "/f\0abc", 6);
    for (size_t i = 0; i < sizeof(message); i++) {
        ck_assert(!next_message(dom0, &reply));
        ck_assert_uint_eq(client_input(dom0, message + i, 1), 1);
    }
    ck_assert(next_message(dom0, &reply));
    ck_assert_uint_eq(reply.header.req_id, 77);
    ck_assert_str_eq(value_of(dom0, 0, "/f"), "abc");
}
END_TEST

/* A payload above 4096 bytes ends the connection, and only that one. */
START_TEST(test_oversized_message)
{
    struct client *dom0 = connect_as(0), *guest = connect_as(5);
    struct xsd_sockmsg header = {XS_WRITE, 1, 0, XENSTORE_PAYLOAD_MAX + 1};
    struct reply reply;

    client_input(guest, (char *)&header, sizeof(header));
    ck_assert(guest->broken);
    ck_assert_uint_eq(client_input(guest, (char *)&header, sizeof(header)), 0);
    ck_assert(!next_message(guest, &reply));
    ck_assert_int_eq(put(dom0, 0, "/still", "here"), 0);
}
END_TEST

/* A relative path means the domain's home, in requests and in events. */
START_TEST(test_relative_paths)
{
    struct client *dom0 = connect_as(0), *guest = connect_as(7);

    put(dom0, 0, "/local/domain/7", "");
    ck_assert_int_eq(tell(dom0, XS_SET_PERMS, 0, "/local/domain/7|n7|"), 0);
    ck_assert_int_eq(put(guest, 0, "data/x", "mine"), 0);
    ck_assert_str_eq(value_of(dom0, 0, "/local/domain/7/data/x"), "mine");
    ck_assert_int_eq(tell(guest, XS_WATCH, 0, "data|tok|"), 0);
    expect_event(guest, "data", "tok");
    put(dom0, 0, "/local/domain/7/data/y", "2");
    expect_event(guest, "data/y", "tok");
    ck_assert_int_eq(tell(guest, XS_WATCH, 0, "/local/domain/7/data|abs|"), 0);
    expect_event(guest, "/local/domain/7/data", "abs");
    ck_assert_str_eq(ask(guest, XS_GET_DOMAIN_PATH, 0, "7", 2)->payload, "/local/domain/7");
}
END_TEST

/* Who may read, write and see what: owner, listed, everyone else, dom0. */
START_TEST(test_permissions)
{
    struct client *dom0 = connect_as(0), *one = connect_as(1), *two = connect_as(2), *three = connect_as(3);

    put(dom0, 0, "/p", "v");
    ck_assert_int_eq(tell(dom0, XS_SET_PERMS, 0, "/p|n1|r2|"), 0);
    ck_assert_str_eq(value_of(one, 0, "/p"), "v");
    ck_assert_str_eq(value_of(two, 0, "/p"), "v");
    ck_assert_ptr_null(value_of(three, 0, "/p"));
    ck_assert_int_eq(errno, EACCES);
    ck_assert_int_eq(put(one, 0, "/p", "w"), 0);
    ck_assert_int_eq(put(two, 0, "/p", "x"), EACCES);
    ck_assert_int_eq(put(three, 0, "/p/new", "x"), EACCES);
    ck_assert_int_eq(tell(three, XS_RM, 0, "/p|"), EACCES);
    ck_assert_int_eq(tell(two, XS_SET_PERMS, 0, "/p|b2|"), EACCES);
    ck_assert_int_eq(tell(one, XS_SET_PERMS, 0, "/p|n2|"), EPERM);
    ck_assert_int_eq(tell(one, XS_SET_PERMS, 0, "/p|w1|b3|"), 0);
    ck_assert_int_eq(put(two, 0, "/p", "y"), 0);
    ck_assert_ptr_null(value_of(two, 0, "/p"));
    ck_assert_str_eq(value_of(three, 0, "/p"), "y");
    ck_assert_str_eq(ask(dom0, XS_GET_PERMS, 0, "/p", 3)->payload, "w1");
    ck_assert_int_eq(tell(three, XS_READ, 0, "/p/none|"), ENOENT);
    ck_assert_int_eq(tell(two, XS_READ, 0, "/p/none|"), EACCES);
}
END_TEST

/* A fresh store shows guests nothing that dom0 has not opened to them. */
START_TEST(test_closed_at_first)
{
    struct client *dom0, *guest;

    teardown_daemon();
    setup_daemon();
    dom0 = connect_as(0);
    guest = connect_as(3);
    put(dom0, 0, "/local/domain/3/secret", "x");
    ck_assert_int_eq(tell(guest, XS_DIRECTORY, 0, "/|"), EACCES);
    ck_assert_int_eq(tell(guest, XS_READ, 0, "secret|"), EACCES);
    ck_assert_int_eq(tell(guest, XS_READ, 0, "missing|"), EACCES);
    ck_assert_int_eq(put(guest, 0, "mine", ""), EACCES);
    ck_assert_int_eq(tell(dom0, XS_SET_PERMS, 0, "/local/domain/3|n0|r3|"), 0);
    ck_assert_int_eq(tell(guest, XS_DIRECTORY, 0, "/local/domain/3|"), 0);
    ck_assert_int_eq(tell(guest, XS_READ, 0, "secret|"), EACCES);
}
END_TEST

/* A guest owns what it creates, with its parent's other permissions; dom0 passes the owner on. */
START_TEST(test_inheritance)
{
    struct client *dom0 = connect_as(0), *guest = connect_as(4);
    struct reply *reply;

    put(dom0, 0, "/i", "");
    tell(dom0, XS_SET_PERMS, 0, "/i|n9|b4|r6|");
    put(guest, 0, "/i/own/deep", "");
    reply = ask(dom0, XS_GET_PERMS, 0, "/i/own/deep", 12);
    ck_assert_uint_eq(reply->header.len, 9);
    ck_assert(!memcmp(reply->payload, "n4\0b4\0r6", 9));
    put(dom0, 0, "/i/by-dom0", "");
    ck_assert_str_eq(ask(dom0, XS_GET_PERMS, 0, "/i/by-dom0", 11)->payload, "n9");
}
END_TEST

START_TEST(test_bad_permissions)
{
    struct client *dom0 = connect_as(0);
    static const char *const bad[] = {"/p|x1|",  "/p|r|",      "/p|r1x|",          "/p|r1",  "/p|", "/p||",
                                      "/p|r-1|", "/p|r65535|", "/p|r99999999999|", "/p|r1||"};

    put(dom0, 0, "/p", "");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(tell(dom0, XS_SET_PERMS, 0, bad[i]) == EINVAL, "%s was taken", bad[i]);
    ck_assert_int_eq(tell(dom0, XS_SET_PERMS, 0, "/none|r1|"), ENOENT);
    ck_assert_str_eq(ask(dom0, XS_GET_PERMS, 0, "/p", 3)->payload, "r0");
}
END_TEST

/* A domain that targets another has its rights as well as its own. */
START_TEST(test_target)
{
    struct client *dom0 = connect_as(0), *helper;

    introduce(dom0, 20);
    introduce(dom0, 21);
    helper = domain_find(&daemon_under_test, 20)->client;
    put(dom0, 0, "/t", "");
    tell(dom0, XS_SET_PERMS, 0, "/t|n21|");
    ck_assert_int_eq(put(helper, 0, "/t", "x"), EACCES);
    ck_assert_int_eq(tell(helper, XS_SET_TARGET, 0, "20|21|"), EACCES);
    ck_assert_int_eq(tell(dom0, XS_SET_TARGET, 0, "20|99|"), ENOENT);
    ck_assert_int_eq(tell(dom0, XS_SET_TARGET, 0, "20|21|"), 0);
    ck_assert_int_eq(put(helper, 0, "/t", "x"), 0);
    ck_assert_int_eq(tell(dom0, XS_RELEASE, 0, "21|"), 0);
    fake_domains[21].state = DOMAIN_GONE;
}
END_TEST

/* Each watch fires once when set, then for its node and everything below, and no more after unwatch. */
START_TEST(test_watches)
{
    struct client *dom0 = connect_as(0), *other = connect_as(0);

    ck_assert_int_eq(tell(dom0, XS_WATCH, 0, "/w|tok|"), 0);
    expect_event(dom0, "/w", "tok");
    ck_assert_int_eq(tell(dom0, XS_WATCH, 0, "/w|tok|"), EEXIST);
    ck_assert_int_eq(tell(dom0, XS_WATCH, 0, "/w|tok2|"), 0);
    expect_event(dom0, "/w", "tok2");
    ck_assert_int_eq(tell(dom0, XS_UNWATCH, 0, "/w|tok2|"), 0);
    put(other, 0, "/w/a/b", "1");
    expect_event(dom0, "/w/a/b", "tok");
    put(other, 0, "/ww", "1");
    put(other, 0, "/v", "1");
    expect_silence(dom0);
    tell(other, XS_SET_PERMS, 0, "/w/a|r5|");
    expect_event(dom0, "/w/a", "tok");
    tell(other, XS_MKDIR, 0, "/w/c|");
    expect_event(dom0, "/w/c", "tok");
    tell(other, XS_MKDIR, 0, "/w/c|");
    expect_silence(dom0);
    tell(other, XS_RM, 0, "/w/a|");
    expect_event(dom0, "/w/a", "tok");
    expect_silence(dom0);
    ck_assert_int_eq(tell(dom0, XS_UNWATCH, 0, "/w|wrong|"), ENOENT);
    ck_assert_int_eq(tell(dom0, XS_UNWATCH, 0, "/w|tok|"), 0);
    put(other, 0, "/w", "2");
    expect_silence(dom0);
}
END_TEST

/* Removing a parent tells a watch below it of its own path. */
START_TEST(test_watch_below_removed)
{
    struct client *dom0 = connect_as(0);

    put(dom0, 0, "/r/a/b", "");
    tell(dom0, XS_WATCH, 0, "/r/a/b|deep|");
    expect_event(dom0, "/r/a/b", "deep");
    tell(dom0, XS_RM, 0, "/r|");
    expect_event(dom0, "/r/a/b", "deep");
    expect_silence(dom0);
}
END_TEST

/* The optional third string limits how far down a watch looks. */
START_TEST(test_watch_depth)
{
    struct client *dom0 = connect_as(0);

    ck_assert_int_eq(tell(dom0, XS_WATCH, 0, "/d|zero|0|"), 0);
    ck_assert_int_eq(tell(dom0, XS_WATCH, 0, "/|root|1|"), 0);
    expect_event(dom0, "/d", "zero");
    expect_event(dom0, "/", "root");
    put(dom0, 0, "/d/x", "");
    expect_silence(dom0);
    put(dom0, 0, "/d", "");
    expect_event(dom0, "/d", "root");
    expect_event(dom0, "/d", "zero");
    ck_assert_int_eq(tell(dom0, XS_WATCH, 0, "/d|bad|x|"), EINVAL);
    ck_assert_int_eq(tell(dom0, XS_WATCH, 0, "/d|bad|1|2|"), EINVAL);
}
END_TEST

/* A guest hears nothing of nodes that it can read neither themselves nor in their parent. */
START_TEST(test_watch_permissions)
{
    struct client *dom0 = connect_as(0), *guest = connect_as(8);

    put(dom0, 0, "/s/open", "");
    put(dom0, 0, "/s/closed", "");
    tell(dom0, XS_SET_PERMS, 0, "/s|n0|");
    tell(dom0, XS_SET_PERMS, 0, "/s/closed|n0|");
    ck_assert_int_eq(tell(guest, XS_WATCH, 0, "/s|g|"), 0);
    expect_event(guest, "/s", "g");
    put(dom0, 0, "/s/closed", "secret");
    put(dom0, 0, "/s/closed/x", "secret");
    expect_silence(guest);
    put(dom0, 0, "/s/open", "public");
    expect_event(guest, "/s/open", "g");
    tell(dom0, XS_SET_PERMS, 0, "/s/open|n0|");
    expect_event(guest, "/s/open", "g");
    put(dom0, 0, "/s/open", "not any more");
    expect_silence(guest);
}
END_TEST

/* The reply to a request comes before the events that it causes for the same client. */
START_TEST(test_reply_before_event)
{
    struct client *dom0 = connect_as(0);
    struct xsd_sockmsg header = {XS_WRITE, 5, 0, 4};
    struct reply reply;

    tell(dom0, XS_WATCH, 0, "/o|t|");
    expect_event(dom0, "/o", "t");
    client_input(dom0, (char *)&header, sizeof(header));
    client_input(dom0, "/o\0x", 4);
    ck_assert(next_message(dom0, &reply));
    ck_assert_uint_eq(reply.header.type, XS_WRITE);
    ck_assert(next_message(dom0, &reply));
    ck_assert_uint_eq(reply.header.type, XS_WATCH_EVENT);
}
END_TEST

/* An event that waits already is not queued a second time. */
START_TEST(test_duplicate_events)
{
    struct client *dom0 = connect_as(0), *guest = connect_as(9);

    put(dom0, 0, "/dup", "");
    tell(guest, XS_WATCH, 0, "/dup|t|");
    expect_event(guest, "/dup", "t");
    for (int i = 0; i < 10; i++)
        put(dom0, 0, "/dup", "x");
    expect_event(guest, "/dup", "t");
    expect_silence(guest);
}
END_TEST

/* A guest that reads no events costs bounded memory, and learns afterwards that it missed some. */
START_TEST(test_event_overflow)
{
    struct client *dom0 = connect_as(0), *guest = connect_as(9);
    char path[64];
    unsigned int limit = daemon_under_test.quotas[QUOTA_EVENTS];
    struct reply reply;
    bool told = false;

    put(dom0, 0, "/flood", "");
    tell(guest, XS_WATCH, 0, "/flood|t|");
    expect_event(guest, "/flood", "t");
    for (unsigned int i = 0; i < limit * 2; i++) {
        snprintf(path, sizeof(path), "/flood/%u", i);
        put(dom0, 0, path, "x");
    }
    ck_assert_uint_eq(guest->events, limit);
    ck_assert_ptr_nonnull(strstr(last_log, "d9 hit its limit"));
    while (next_message(guest, &reply))
        told = !strcmp(reply.payload, "/flood");
    ck_assert(told);
    put(dom0, 0, "/flood/again", "x");
    expect_event(guest, "/flood/again", "t");
}
END_TEST

START_TEST(test_reset_watches)
{
    struct client *dom0 = connect_as(0), *guest = connect_as(9);
    uint32_t tx = begin(guest);

    tell(guest, XS_WATCH, 0, "/x|t|");
    expect_event(guest, "/x", "t");
    ck_assert_int_eq(tell(guest, XS_RESET_WATCHES, 0, "|"), 0);
    put(dom0, 0, "/x", "");
    expect_silence(guest);
    ck_assert_int_eq(end(guest, tx, true), ENOENT);
    ck_assert_uint_eq(guest->nr_watches + guest->nr_transactions, 0);
}
END_TEST

/* Every limit stops a guest with the errno that guests expect, says so in the log, and does not stop dom0. */
START_TEST(test_quotas)
{
    struct client *dom0 = connect_as(0), *guest = connect_as(3);
    static char big[4000];
    char text[64];
    int error = 0;
    unsigned int count;

    put(dom0, 0, "/q", "");
    tell(dom0, XS_SET_PERMS, 0, "/q|n3|");
    put(dom0, 0, "/mine", "");
    for (count = 0; !error; count++) {
        snprintf(text, sizeof(text), "/q/%u", count);
        error = put(guest, 0, text, "");
    }
    ck_assert_int_eq(error, ENOSPC);
    ck_assert_uint_eq(count, 1000);
    ck_assert_str_eq(last_log, "d3 hit its limit of 1000 nodes: asked for 1001 (1 time so far)");
    ck_assert_int_eq(tell(guest, XS_RM, 0, "/q/5|"), 0);
    ck_assert_int_eq(tell(guest, XS_MKDIR, 0, "/q/again|"), 0);
    ck_assert_int_eq(tell(guest, XS_MKDIR, 0, "/q/toomany|"), ENOSPC);

    memset(big, 'v', sizeof(big) - 1);
    ck_assert_int_eq(put(guest, 0, "/q/1", big), ENOSPC);
    big[2048] = '\0';
    ck_assert_int_eq(put(guest, 0, "/q/1", big), 0);
    big[2048] = 'v';
    ck_assert_int_eq(put(dom0, 0, "/q/1", big), 0);

    for (count = 0, error = 0; !error; count++) {
        snprintf(text, sizeof(text), "/q|%u|", count);
        error = tell(guest, XS_WATCH, 0, text);
    }
    ck_assert_int_eq(error, E2BIG);
    ck_assert_uint_eq(count, 129);
    ck_assert_int_eq(tell(guest, XS_SET_PERMS, 0, "/q/1|n3|r1|r2|r4|r5|"), 0);
    ck_assert_int_eq(tell(guest, XS_SET_PERMS, 0, "/q/1|n3|r1|r2|r4|r5|r6|"), ENOSPC);
    for (count = 0; count < 10; count++)
        begin(guest);
    ck_assert_int_eq(tell(guest, XS_TRANSACTION_START, 0, "|"), ENOSPC);
    ck_assert_ptr_nonnull(strstr(last_log, "d3 hit its limit of 10 open transactions"));
}
END_TEST

/* Repeated violations do not flood the log. */
START_TEST(test_quota_log_is_bounded)
{
    struct client *guest = connect_as(3);

    for (int i = 0; i < 10; i++)
        begin(guest);
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(tell(guest, XS_TRANSACTION_START, 0, "|"), ENOSPC);
    ck_assert_uint_le(log_lines, 10);
}
END_TEST

/* Requests are not taken while the guest leaves too many replies unread. */
START_TEST(test_outstanding_replies)
{
    struct client *guest = connect_as(3);
    struct xsd_sockmsg header = {XS_READ, 1, 0, 2};
    struct reply reply;
    unsigned int sent = 0;

    while (client_input(guest, (char *)&header, sizeof(header))) {
        ck_assert_uint_eq(client_input(guest, "/\0", 2), 2);
        ck_assert_uint_lt(++sent, 100);
    }
    ck_assert_uint_eq(sent, 20);
    ck_assert(next_message(guest, &reply));
    ck_assert_uint_gt(client_input(guest, (char *)&header, sizeof(header)), 0);
}
END_TEST

/* A guest chooses how deep its tree is: walks and removals must not recurse. */
START_TEST(test_deep_tree)
{
    struct client *dom0 = connect_as(0);
    static char path[3100];

    for (size_t i = 0; i < 3072; i += 2)
        memcpy(path + i, "/d", 3);
    ck_assert_int_eq(put(dom0, 0, path, "bottom"), 0);
    ck_assert_str_eq(value_of(dom0, 0, path), "bottom");
    ck_assert_uint_eq(store_audit(&daemon_under_test.store), 0);
    ck_assert_uint_eq(daemon_under_test.store.accounts[0].nodes, 1537);
    tell(dom0, XS_WATCH, 0, "/d/d/d|t|");
    expect_event(dom0, "/d/d/d", "t");
    ck_assert_int_eq(tell(dom0, XS_RM, 0, "/d|"), 0);
    expect_event(dom0, "/d/d/d", "t");
    ck_assert_uint_eq(daemon_under_test.store.accounts[0].nodes, 1);
}
END_TEST

/* Random messages of random kinds: whatever happens, the books agree with the tree afterwards. */
START_TEST(test_random_requests)
{
    struct client *clients[3] = {connect_as(0), connect_as(1), connect_as(2)};
    static const char *const names[] = {"/a", "/a/b", "/a/b/c", "x", "x/y", "/local/domain/1", "@releaseDomain", "/"};
    uint32_t open[3] = {0};

    put(clients[0], 0, "/local/domain/1", "");
    tell(clients[0], XS_SET_PERMS, 0, "/local/domain/1|b1|");
    tell(clients[0], XS_SET_PERMS, 0, "/|b0|");
    srand(12345);
    for (int i = 0; i < 60000; i++) {
        unsigned int who = (unsigned int)rand() % 3;
        uint32_t type = (uint32_t)rand() % XS_TYPE_COUNT;
        char payload[256];
        int len =
            snprintf(payload, sizeof(payload), "%s%c%c%d", names[rand() % 8], '\0', "nrwbTF0"[rand() % 7], rand() % 4) +
            rand() % 3 - 1;
        struct reply *reply;

        if (type == XS_INTRODUCE || type == XS_CONTROL)
            continue;
        if (type == XS_READ || type == XS_DIRECTORY || type == XS_RM || type == XS_MKDIR || type == XS_GET_PERMS)
            len = (int)strlen(payload) + 1;
        if (type == XS_TRANSACTION_END)
            len = snprintf(payload, sizeof(payload), "%s", rand() % 4 ? "T" : "F") + 1;
        reply =
            ask(clients[who], type, type == XS_TRANSACTION_START || rand() % 2 ? 0 : open[who], payload, (size_t)len);
        if (type == XS_TRANSACTION_START && reply->header.type == type)
            open[who] = (uint32_t)strtoul(reply->payload, NULL, 10);
        if (i % 512 == 0)
            ck_assert_uint_eq(store_audit(&daemon_under_test.store), 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("xenstored");
    TCase *tcase = tcase_create("protocol");

    tcase_add_checked_fixture(tcase, setup_open_store, teardown_daemon);
    tcase_add_test(tcase, test_closed_at_first);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_write_and_read);
    tcase_add_test(tcase, test_directory);
    tcase_add_test(tcase, test_long_directory);
    tcase_add_test(tcase, test_mkdir_and_rm);
    tcase_add_test(tcase, test_bad_paths);
    tcase_add_test(tcase, test_malformed_payloads);
    tcase_add_test(tcase, test_fragments);
    tcase_add_test(tcase, test_oversized_message);
    tcase_add_test(tcase, test_relative_paths);
    tcase_add_test(tcase, test_permissions);
    tcase_add_test(tcase, test_inheritance);
    tcase_add_test(tcase, test_bad_permissions);
    tcase_add_test(tcase, test_target);
    tcase_add_test(tcase, test_watches);
    tcase_add_test(tcase, test_watch_below_removed);
    tcase_add_test(tcase, test_watch_depth);
    tcase_add_test(tcase, test_watch_permissions);
    tcase_add_test(tcase, test_reply_before_event);
    tcase_add_test(tcase, test_duplicate_events);
    tcase_add_test(tcase, test_event_overflow);
    tcase_add_test(tcase, test_reset_watches);
    tcase_add_test(tcase, test_quotas);
    tcase_add_test(tcase, test_quota_log_is_bounded);
    tcase_add_test(tcase, test_outstanding_replies);
    tcase_add_test(tcase, test_deep_tree);
    tcase_add_test(tcase, test_random_requests);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
