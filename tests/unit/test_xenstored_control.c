/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * CONTROL: what an administrator asks the daemon. The answers are text, so they are read here as a person would; and a
 * command that is not understood changes nothing.
 */
#include "xenstored_harness.h"
#include "tests/unit/run_suite.h"

/* The answer to a command whose words are separated by '|'. */
static const char *answer(struct client *client, const char *command)
{
    char payload[256];
    size_t len = strlen(command) + 1;

    ck_assert_uint_le(len, sizeof(payload));
    memcpy(payload, command, len);
    for (char *at = payload; (at = strchr(at, '|'));)
        *at++ = '\0';
    return ask(client, XS_CONTROL, 0, payload, len)->payload;
}

static void expect_in(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) != NULL, "\"%s\" is not in: %s", part, text);
}

START_TEST(test_control)
{
    struct client *dom0 = connect_as(0), *guest = connect_as(3);

    ck_assert_int_eq(tell(guest, XS_CONTROL, 0, "check|"), EACCES);
    ck_assert_int_eq(tell(dom0, XS_CONTROL, 0, "check|"), 0);
    ck_assert_int_eq(tell(dom0, XS_CONTROL, 0, "nonsense|"), EINVAL);
    ck_assert_ptr_nonnull(strstr(ask(dom0, XS_CONTROL, 0, "help", 5)->payload, "quota"));
    ck_assert_ptr_nonnull(strstr(ask(dom0, XS_CONTROL, 0, "quota", 6)->payload, "watches"));
    ck_assert_int_eq(tell(dom0, XS_CONTROL, 0, "quota|set|watches|2|"), 0);
    ck_assert_int_eq(tell(guest, XS_WATCH, 0, "/a|1|"), 0);
    ck_assert_int_eq(tell(guest, XS_WATCH, 0, "/a|2|"), 0);
    ck_assert_int_eq(tell(guest, XS_WATCH, 0, "/a|3|"), E2BIG);
    ck_assert_int_eq(tell(dom0, XS_CONTROL, 0, "quota|set|nonsense|2|"), EINVAL);
    ck_assert_int_eq(tell(dom0, XS_CONTROL, 0, "print|hello there|"), 0);
    ck_assert_str_eq(last_log, "hello there");
    ck_assert_ptr_nonnull(strstr(ask(dom0, XS_CONTROL, 0, "memreport", 10)->payload, "watches 2"));
}
END_TEST

/* Whether a guest listens to a path must not be guessed: a watch on a neighbour or below is none on the path. */
START_TEST(test_control_watches)
{
    static const char about_b[] = "watches\0003\0/a/b";
    struct client *dom0 = connect_as(0), *guest = connect_as(3), *other = connect_as(4);

    ck_assert_int_eq(tell(guest, XS_WATCH, 0, "/a|1|"), 0);
    ck_assert_int_eq(tell(guest, XS_WATCH, 0, "/a/bc|2|"), 0);
    ck_assert_int_eq(tell(guest, XS_WATCH, 0, "/a/b/c|3|"), 0);
    ck_assert_int_eq(tell(other, XS_WATCH, 0, "/a/b|4|"), 0);
    ck_assert_str_eq(ask(dom0, XS_CONTROL, 0, about_b, sizeof(about_b))->payload, "/a\n");
    ck_assert_str_eq(ask(dom0, XS_CONTROL, 0, "watches\0004", 10)->payload, "/a/b\n");
    ck_assert_str_eq(ask(dom0, XS_CONTROL, 0, "watches\0005", 10)->payload, "");
    ck_assert_int_eq(tell(dom0, XS_CONTROL, 0, "watches|nobody|"), EINVAL);
    ck_assert_int_eq(tell(guest, XS_CONTROL, 0, "watches|3|"), EACCES);
}
END_TEST

/* Which of a guest's requests the log shows is switched on and off, and by these two words alone. */
START_TEST(test_control_log)
{
    struct client *dom0 = connect_as(0);

    ck_assert_int_eq(tell(dom0, XS_CONTROL, 0, "log|on|"), 0);
    ck_assert(daemon_under_test.trace);
    ck_assert_int_eq(tell(dom0, XS_CONTROL, 0, "log|maybe|"), EINVAL);
    ck_assert_int_eq(tell(dom0, XS_CONTROL, 0, "log|"), EINVAL);
    ck_assert_int_eq(tell(dom0, XS_CONTROL, 0, "log|off|off|"), EINVAL);
    ck_assert(daemon_under_test.trace);
    ck_assert_int_eq(tell(dom0, XS_CONTROL, 0, "log|off|"), 0);
    ck_assert(!daemon_under_test.trace);
    ck_assert_int_eq(tell(dom0, XS_CONTROL, 0, "print|two|words|"), EINVAL);
    ck_assert_int_eq(tell(dom0, XS_CONTROL, 0, ""), EINVAL);
}
END_TEST

/* A check that never finds anything is worth nothing: books that are wrong by one node are found, and said so. */
START_TEST(test_control_check)
{
    struct client *dom0 = connect_as(0);

    daemon_under_test.store.accounts[0].nodes++;
    ck_assert_int_eq(tell(dom0, XS_CONTROL, 0, "check|"), EIO);
    expect_in(last_log, "1 domains do not agree");
    daemon_under_test.store.accounts[0].nodes--;
    ck_assert_int_eq(tell(dom0, XS_CONTROL, 0, "check|"), 0);
}
END_TEST

/* What a guest has, and which limits it ran into: how one finds the guest that fills the store. */
START_TEST(test_control_quota)
{
    struct client *dom0 = connect_as(0), *guest;

    introduce(dom0, 5);
    guest = domain_find(&daemon_under_test, 5)->client;
    guest->wake = NULL;
    put(dom0, 0, "/home", "");
    ck_assert_int_eq(tell(dom0, XS_SET_PERMS, 0, "/home|n5|"), 0);
    ck_assert_int_eq(tell(dom0, XS_CONTROL, 0, "quota|set|watches|1|"), 0);
    ck_assert_int_eq(tell(guest, XS_WATCH, 0, "/home|1|"), 0);
    ck_assert_int_eq(tell(guest, XS_WATCH, 0, "/home|2|"), E2BIG);
    ck_assert_int_eq(tell(guest, XS_WATCH, 0, "/home|2|"), E2BIG);
    begin(guest);
    expect_in(answer(dom0, "quota|5"), "Domain 5:\nnodes                     1\nwatches                   1\n"
                                       "transactions              1\nlimit of watches hit 2 times\n");
    ck_assert_int_eq(tell(dom0, XS_CONTROL, 0, "quota|6|"), ENOENT);
    ck_assert_int_eq(tell(dom0, XS_CONTROL, 0, "quota|five|"), EINVAL);
    ck_assert_int_eq(tell(dom0, XS_CONTROL, 0, "quota|5|6|"), EINVAL);
    ck_assert_int_eq(tell(dom0, XS_CONTROL, 0, "quota|get|watches|1|"), EINVAL);
    ck_assert_int_eq(tell(dom0, XS_CONTROL, 0, "quota|set|watches|many|"), EINVAL);
    ck_assert_int_eq(tell(dom0, XS_CONTROL, 0, "quota|set|watches|4294967296|"), EINVAL); /* not 0 */
    expect_in(answer(dom0, "quota"), "watches                   1  watches");
}
END_TEST

START_TEST(test_control_memreport)
{
    struct client *dom0 = connect_as(0);
    unsigned long nodes, bytes, before;

    ck_assert_int_eq(sscanf(answer(dom0, "memreport"), "nodes %lu, %lu bytes", &nodes, &before), 2);
    ck_assert_uint_eq(nodes, 1);
    put(dom0, 0, "/a", "0123456789");
    ck_assert_int_eq(tell(dom0, XS_MKDIR, 0, "/b|"), 0);
    ck_assert_int_eq(sscanf(answer(dom0, "memreport"), "nodes %lu, %lu bytes", &nodes, &bytes), 2);
    ck_assert_uint_eq(nodes, 3);
    ck_assert_uint_gt(bytes, before + 10);
}
END_TEST

/* A watch on the root hears of everything; and an answer that does not fit is cut, not written past its end. */
START_TEST(test_control_many_watches)
{
    struct client *dom0 = connect_as(0), *guest = connect_as(3);
    char path[600];

    ck_assert_int_eq(tell(guest, XS_WATCH, 0, "/|t|"), 0);
    ck_assert_str_eq(answer(dom0, "watches|3|/a/b"), "/\n");
    ck_assert_int_eq(tell(dom0, XS_CONTROL, 0, "watches|"), EINVAL);
    ck_assert_int_eq(tell(dom0, XS_CONTROL, 0, "watches|3|/a|/b|"), EINVAL);
    for (unsigned int i = 0; i < 20; i++) {
        snprintf(path, sizeof(path), "/%0500u|t|", i);
        ck_assert_int_eq(tell(guest, XS_WATCH, 0, path), 0);
    }
    ck_assert_uint_eq(strlen(answer(dom0, "watches|3")), XENSTORE_PAYLOAD_MAX - 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("xenstored control");
    TCase *tcase = tcase_create("control");

    tcase_add_checked_fixture(tcase, setup_open_store, teardown_daemon);
    tcase_add_test(tcase, test_control);
    tcase_add_test(tcase, test_control_watches);
    tcase_add_test(tcase, test_control_log);
    tcase_add_test(tcase, test_control_check);
    tcase_add_test(tcase, test_control_quota);
    tcase_add_test(tcase, test_control_memreport);
    tcase_add_test(tcase, test_control_many_watches);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
