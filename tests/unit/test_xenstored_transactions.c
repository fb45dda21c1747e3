/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Transactions of the store: isolation, conflicts that are real and those that are not, limits, watches at the end.
 */
#include "xenstored_harness.h"
#include "tests/unit/run_suite.h"

static struct client *dom0, *other;

static void setup(void)
{
    setup_open_store();
    dom0 = connect_as(0);
    other = connect_as(0);
    put(dom0, 0, "/a", "a0");
    put(dom0, 0, "/b", "b0");
    put(dom0, 0, "/dir/one", "1");
}

/* What happens inside is invisible outside until the end, and what happens outside is invisible inside. */
START_TEST(test_isolation)
{
    uint32_t tx = begin(dom0);

    put(dom0, tx, "/a", "a1");
    ck_assert_str_eq(value_of(dom0, tx, "/a"), "a1");
    ck_assert_str_eq(value_of(other, 0, "/a"), "a0");
    put(other, 0, "/b", "b1");
    ck_assert_str_eq(value_of(dom0, tx, "/b"), "b0");
    ck_assert_int_eq(end(dom0, tx, true), EAGAIN);
    ck_assert_str_eq(value_of(dom0, 0, "/a"), "a0");
    ck_assert_int_eq(end(dom0, tx, true), ENOENT);
}
END_TEST

START_TEST(test_commit_and_abort)
{
    uint32_t tx = begin(dom0);

    put(dom0, tx, "/a", "a1");
    put(dom0, tx, "/new/deep", "n");
    tell(dom0, XS_RM, tx, "/dir|");
    ck_assert_int_eq(end(dom0, tx, true), 0);
    ck_assert_str_eq(value_of(other, 0, "/a"), "a1");
    ck_assert_str_eq(value_of(other, 0, "/new/deep"), "n");
    ck_assert_ptr_null(value_of(other, 0, "/dir/one"));
    tx = begin(dom0);
    put(dom0, tx, "/a", "a2");
    ck_assert_int_eq(end(dom0, tx, false), 0);
    ck_assert_str_eq(value_of(other, 0, "/a"), "a1");
}
END_TEST

/* Writes elsewhere, even of siblings in the same directory, are no conflict. */
START_TEST(test_no_false_conflict)
{
    uint32_t tx = begin(dom0), tx2 = begin(other);

    ck_assert_str_eq(value_of(dom0, tx, "/dir/one"), "1");
    put(dom0, tx, "/dir/two", "2");
    put(other, 0, "/dir/three", "3");
    put(other, 0, "/b", "b1");
    put(other, tx2, "/dir/four", "4");
    ck_assert_int_eq(end(dom0, tx, true), 0);
    ck_assert_int_eq(end(other, tx2, true), 0);
    ck_assert_str_eq(value_of(dom0, 0, "/dir/two"), "2");
    ck_assert_str_eq(value_of(dom0, 0, "/dir/three"), "3");
    ck_assert_str_eq(value_of(dom0, 0, "/dir/four"), "4");
    ck_assert_str_eq(value_of(dom0, 0, "/b"), "b1");
}
END_TEST

/* Each pair of what is done inside and outside, and whether the transaction may still commit. */
struct conflict {
    uint32_t inside;
    const char *inside_payload;
    uint32_t outside;
    const char *outside_payload;
    int expected;
};

static const struct conflict conflicts[] = {
    {XS_READ, "/a|", XS_WRITE, "/a|x", EAGAIN},
    {XS_READ, "/a|", XS_WRITE, "/a/child|x", 0},
    {XS_READ, "/a|", XS_SET_PERMS, "/a|r1|", EAGAIN},
    {XS_READ, "/a|", XS_RM, "/a|", EAGAIN},
    {XS_READ, "/a|", XS_WRITE, "/b|x", 0},
    {XS_READ, "/none|", XS_WRITE, "/none|x", EAGAIN},
    {XS_READ, "/none/deep|", XS_WRITE, "/none|x", 0},
    {XS_WRITE, "/a|mine", XS_WRITE, "/a|x", EAGAIN},
    {XS_WRITE, "/new|mine", XS_MKDIR, "/new|", EAGAIN},
    {XS_WRITE, "/new/x|mine", XS_MKDIR, "/new|", EAGAIN},
    {XS_WRITE, "/new/x|mine", XS_MKDIR, "/new2|", 0},
    {XS_WRITE, "/dir/x|mine", XS_RM, "/dir|", EAGAIN},
    {XS_WRITE, "/dir/x|mine", XS_SET_PERMS, "/dir|r1|", EAGAIN},
    {XS_WRITE, "/dir/x|mine", XS_WRITE, "/dir/one|x", 0},
    {XS_DIRECTORY, "/dir|", XS_WRITE, "/dir/two|x", EAGAIN},
    {XS_DIRECTORY, "/dir|", XS_RM, "/dir/one|", EAGAIN},
    {XS_DIRECTORY, "/dir|", XS_WRITE, "/dir/one|x", 0},
    {XS_DIRECTORY, "/dir|", XS_WRITE, "/dir/one/sub|x", 0},
    {XS_GET_PERMS, "/a|", XS_SET_PERMS, "/a|r1|", EAGAIN},
    {XS_SET_PERMS, "/a|r2|", XS_SET_PERMS, "/a|r1|", EAGAIN},
    {XS_RM, "/dir|", XS_WRITE, "/dir/one|x", EAGAIN},
    {XS_RM, "/dir|", XS_WRITE, "/dir/one/deep|x", EAGAIN},
    {XS_RM, "/dir|", XS_WRITE, "/a|x", 0},
    {XS_RM, "/dir/none|", XS_WRITE, "/dir/none|x", EAGAIN},
    {XS_RM, "/dir/one|", XS_WRITE, "/dir/two|x", 0},
    {XS_MKDIR, "/new|", XS_MKDIR, "/new|", EAGAIN},
    {XS_MKDIR, "/dir|", XS_RM, "/dir|", EAGAIN},
};

START_TEST(test_conflicts)
{
    const struct conflict *conflict = &conflicts[_i];
    uint32_t tx = begin(dom0);
    int error;

    tell(dom0, conflict->inside, tx, conflict->inside_payload);
    ck_assert_int_eq(tell(other, conflict->outside, 0, conflict->outside_payload), 0);
    error = end(dom0, tx, true);
    ck_assert_msg(error == conflict->expected, "%s against %s: %d, expected %d", conflict->inside_payload,
                  conflict->outside_payload, error, conflict->expected);
}
END_TEST

/* The same, when the interfering change comes from another transaction's commit. */
START_TEST(test_conflicts_between_transactions)
{
    const struct conflict *conflict = &conflicts[_i];
    uint32_t tx = begin(dom0), tx2 = begin(other);

    tell(dom0, conflict->inside, tx, conflict->inside_payload);
    ck_assert_int_eq(tell(other, conflict->outside, tx2, conflict->outside_payload), 0);
    ck_assert_int_eq(end(other, tx2, true), 0);
    ck_assert_int_eq(end(dom0, tx, true), conflict->expected);
}
END_TEST

/* A value that was changed and changed back is a conflict all the same; a node removed and created anew too. */
START_TEST(test_changed_back)
{
    uint32_t tx = begin(dom0);

    value_of(dom0, tx, "/a");
    tell(other, XS_RM, 0, "/a|");
    put(other, 0, "/a", "a0");
    ck_assert_int_eq(end(dom0, tx, true), EAGAIN);
}
END_TEST

/* Inside, deeds build on each other in every order. */
START_TEST(test_deeds_in_order)
{
    uint32_t tx = begin(dom0);

    put(dom0, tx, "/n/x", "1");
    put(dom0, tx, "/n/x", "2");
    tell(dom0, XS_SET_PERMS, tx, "/n/x|r5|");
    tell(dom0, XS_RM, tx, "/n|");
    ck_assert_ptr_null(value_of(dom0, tx, "/n/x"));
    put(dom0, tx, "/n/x", "3");
    tell(dom0, XS_MKDIR, tx, "/n/y|");
    put(dom0, tx, "/n/y", "4");
    put(dom0, tx, "/n/x", "5");
    ck_assert_int_eq(end(dom0, tx, true), 0);
    ck_assert_str_eq(value_of(dom0, 0, "/n/x"), "5");
    ck_assert_str_eq(value_of(dom0, 0, "/n/y"), "4");
    ck_assert_str_eq(ask(dom0, XS_GET_PERMS, 0, "/n/x", 5)->payload, "r0");
}
END_TEST

/* Watches fire at the commit, once per changed node, and not for what was dropped or only lived inside. */
START_TEST(test_watches_at_commit)
{
    uint32_t tx = begin(other);

    tell(dom0, XS_WATCH, 0, "/dir|d|");
    expect_event(dom0, "/dir", "d");
    tell(dom0, XS_WATCH, 0, "/dir/one|o|");
    expect_event(dom0, "/dir/one", "o");
    put(other, tx, "/dir/two", "1");
    put(other, tx, "/dir/two", "2");
    tell(other, XS_RM, tx, "/dir|");
    put(other, tx, "/dir/three", "3");
    expect_silence(dom0);
    ck_assert_int_eq(end(other, tx, true), 0);
    expect_event(dom0, "/dir/one", "o");
    expect_event(dom0, "/dir", "d");
    expect_event(dom0, "/dir/three", "d");
    expect_silence(dom0);
    tx = begin(other);
    put(other, tx, "/dir/two", "1");
    end(other, tx, false);
    expect_silence(dom0);
}
END_TEST

START_TEST(test_bad_use)
{
    uint32_t tx = begin(dom0);

    ck_assert_int_eq(tell(dom0, XS_TRANSACTION_START, tx, "|"), EBUSY);
    ck_assert_int_eq(tell(dom0, XS_TRANSACTION_END, tx, "X|"), EINVAL);
    ck_assert_int_eq(tell(dom0, XS_TRANSACTION_END, 0, "T|"), ENOENT);
    ck_assert_int_eq(put(other, tx, "/a", "x"), ENOENT);
    ck_assert_int_eq(end(dom0, tx, true), 0);
}
END_TEST

/* The number of nodes is limited inside a transaction as outside, and again when it commits. */
START_TEST(test_node_quota)
{
    struct client *guest = connect_as(3);
    uint32_t tx1, tx2;
    char path[32];
    int error = 0;
    unsigned int i;

    daemon_under_test.quotas[QUOTA_NODES] = 50;
    put(dom0, 0, "/g", "");
    tell(dom0, XS_SET_PERMS, 0, "/g|b0|");
    tx1 = begin(guest);
    tx2 = begin(guest);
    for (i = 0; i < 30; i++) {
        snprintf(path, sizeof(path), "/g/x%u", i);
        ck_assert_int_eq(put(guest, tx1, path, ""), 0);
        path[3] = 'y';
        ck_assert_int_eq(put(guest, tx2, path, ""), 0);
    }
    ck_assert_int_eq(end(guest, tx1, true), 0);
    ck_assert_int_eq(end(guest, tx2, true), ENOSPC);
    tx1 = begin(guest);
    for (i = 0; !error; i++) {
        snprintf(path, sizeof(path), "/g/z%u", i);
        error = put(guest, tx1, path, "");
    }
    ck_assert_int_eq(error, ENOSPC);
    ck_assert_uint_eq(i, 21);
    tell(guest, XS_RM, tx1, "/g/x1|");
    ck_assert_int_eq(put(guest, tx1, "/g/w", ""), 0);
    ck_assert_int_eq(end(guest, tx1, true), 0);
    ck_assert_uint_eq(daemon_under_test.store.accounts[3].nodes, 50);
}
END_TEST

/* What a guest can make a transaction remember is bounded, whatever it repeats. */
START_TEST(test_memory_bounds)
{
    struct client *guest = connect_as(3);
    static char big[2049];
    uint32_t tx;
    char path[32];
    int error = 0;
    unsigned int i;

    put(dom0, 0, "/g", "");
    tell(dom0, XS_SET_PERMS, 0, "/g|b0|");
    tx = begin(guest);
    memset(big, 'x', 2048);
    for (i = 0; i < 5000; i++)
        ck_assert_int_eq(put(guest, tx, "/g", big), 0);
    for (i = 0; !error; i++) {
        snprintf(path, sizeof(path), "/none%u", i);
        error = tell(guest, XS_READ, tx, "/nothing|") == ENOENT ? 0 : 1;
        ck_assert_int_eq(error, 0);
        value_of(guest, tx, path);
        error = errno == ENOENT ? 0 : errno;
    }
    ck_assert_int_eq(error, ENOSPC);
    ck_assert_uint_le(i, 1025);
    end(guest, tx, false);
    tx = begin(guest);
    for (i = 0, error = 0; !error; i++) {
        error = put(guest, tx, "/g/again", "");
        tell(guest, XS_RM, tx, "/g/again|");
    }
    ck_assert_int_eq(error, ENOSPC);
    end(guest, tx, false);
    tx = begin(guest);
    for (i = 0, error = 0; !error; i++) {
        snprintf(path, sizeof(path), "/g/%u", i);
        error = put(guest, tx, path, big);
    }
    ck_assert_int_eq(error, ENOSPC);
    ck_assert_uint_le(i, 520);
}
END_TEST

/* Looking takes memory as well: of long names that do not even exist, in all transactions at once, a guest could have
 * remembered thirty times what it may write. */
START_TEST(test_names_looked_at)
{
    struct client *guest = connect_as(5);
    char path[1500];
    size_t remembered = 0;
    int error = 0;

    for (unsigned int t = 0; t < 10 && !error; t++) {
        uint32_t tx = begin(guest);

        for (unsigned int i = 0; i < 1000 && !error; i++) {
            int len = snprintf(path, sizeof(path), "/a/%0*u|", 1400, t * 1000 + i);

            error = tell(guest, XS_READ, tx, path) == ENOSPC ? ENOSPC : 0;
            remembered += (size_t)len;
        }
    }
    ck_assert_int_eq(error, ENOSPC);
    ck_assert_uint_le(remembered, 1024 * 1024 + sizeof(path));
    ck_assert_str_eq(value_of(guest, 0, "/a"), "a0");
}
END_TEST

/* A guest that never ends its transaction does not keep old versions of the store alive for ever. */
START_TEST(test_old_transaction)
{
    struct client *guest = connect_as(3);
    uint32_t tx = begin(guest), tx0 = begin(dom0);

    ck_assert_str_eq(value_of(guest, tx, "/a"), "a0");
    for (unsigned int i = 0; i <= TRANSACTION_MAX_AGE + 1; i++)
        put(other, 0, "/b", "x");
    put(other, 0, "/a", "a9");
    ck_assert_str_eq(value_of(guest, tx, "/a"), "a9");
    ck_assert_int_eq(put(guest, tx, "local/x", "x"), EACCES);
    ck_assert_int_eq(end(guest, tx, true), EAGAIN);
    ck_assert_str_eq(value_of(dom0, tx0, "/a"), "a0");
    ck_assert_int_eq(end(dom0, tx0, true), EAGAIN);
}
END_TEST

/* A connection that ends takes its transactions along. */
START_TEST(test_client_gone)
{
    struct client *guest = connect_as(3);

    put(guest, begin(guest), "/a/b", "x");
    begin(guest);
    client_free(guest);
    ck_assert_ptr_null(value_of(dom0, 0, "/a/b"));
}
END_TEST

/* Two clients count up one number in turns: no increment is lost. */
START_TEST(test_counter)
{
    struct client *clients[2] = {dom0, other};
    unsigned int done = 0, retried = 0;
    uint32_t tx[2] = {0, 0};
    char text[16];

    put(dom0, 0, "/n", "0");
    srand(1);
    while (done < 500) {
        unsigned int who = (unsigned int)rand() % 2;

        if (!tx[who]) {
            tx[who] = begin(clients[who]);
            snprintf(text, sizeof(text), "%d", atoi(value_of(clients[who], tx[who], "/n")) + 1);
            put(clients[who], tx[who], "/n", text);
        } else if (end(clients[who], tx[who], true) == 0) {
            done++;
            tx[who] = 0;
        } else {
            retried++;
            tx[who] = 0;
        }
    }
    ck_assert_int_eq(atoi(value_of(dom0, 0, "/n")), 500);
    ck_assert_uint_gt(retried, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("xenstored transactions");
    TCase *tcase = tcase_create("transactions");
    int count = (int)(sizeof(conflicts) / sizeof(conflicts[0]));

    tcase_add_checked_fixture(tcase, setup, teardown_daemon);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_isolation);
    tcase_add_test(tcase, test_commit_and_abort);
    tcase_add_test(tcase, test_no_false_conflict);
    tcase_add_loop_test(tcase, test_conflicts, 0, count);
    tcase_add_loop_test(tcase, test_conflicts_between_transactions, 0, count);
    tcase_add_test(tcase, test_changed_back);
    tcase_add_test(tcase, test_deeds_in_order);
    tcase_add_test(tcase, test_watches_at_commit);
    tcase_add_test(tcase, test_bad_use);
    tcase_add_test(tcase, test_node_quota);
    tcase_add_test(tcase, test_memory_bounds);
    tcase_add_test(tcase, test_names_looked_at);
    tcase_add_test(tcase, test_old_transaction);
    tcase_add_test(tcase, test_client_gone);
    tcase_add_test(tcase, test_counter);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
