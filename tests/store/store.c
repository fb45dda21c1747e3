/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A domU's view of the xenstore, through its own ring: requests, watches, transactions, rights, limits. Runs as a domain
 * whose home has a writable "data" directory, as every toolstack makes it. It leaves nothing behind.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pv/threads.h>
#include <pv/time.h>
#include <xenstore.h>

#include "../guests/check.h"

static struct xs_handle *xs;

static bool value_is(const char *path, const char *expected)
{
    unsigned int len;
    char *value = xs_read(xs, XBT_NULL, path, &len);
    bool same = value && len == strlen(expected) && !memcmp(value, expected, len);

    free(value);
    return same;
}

static bool put(const char *path, const char *value)
{
    return xs_write(xs, XBT_NULL, path, value, (unsigned int)strlen(value));
}

static bool refused(bool done, int error)
{
    return !done && errno == error;
}

static void test_home(void)
{
    char *domid = xs_read(xs, XBT_NULL, "domid", NULL), *home, path[64] = "";

    check_group("home");
    CHECK(domid != NULL, "a relative path means the domain's home, where the toolstack put the domid");
    home = domid ? xs_get_domain_path(xs, (unsigned int)atoi(domid)) : NULL;
    CHECK(home && !strncmp(home, "/local/domain/", 14), "GET_DOMAIN_PATH names that home");
    snprintf(path, sizeof(path), "%s/domid", home ? home : "");
    CHECK(domid && value_is(path, domid), "the absolute path leads to the same node");
    CHECK(refused(xs_is_domain_introduced(xs, 0), EACCES), "which domains there are is dom0's business");
    free(domid);
    free(home);
}

static void test_nodes(void)
{
    char big[2048], *back;
    unsigned int len, num = 0;
    char **names;

    check_group("nodes");
    CHECK(put("data/t/a", "one") && value_is("data/t/a", "one"), "a value comes back as written");
    memset(big, 'b', sizeof(big));
    CHECK(xs_write(xs, XBT_NULL, "data/t/big", big, sizeof(big)), "2048 bytes fit into a node");
    back = xs_read(xs, XBT_NULL, "data/t/big", &len);
    CHECK(back && len == sizeof(big) && !memcmp(back, big, len), "and come back through a ring of 1024");
    free(back);
    CHECK(xs_mkdir(xs, XBT_NULL, "data/t/dir"), "mkdir");
    names = xs_directory(xs, XBT_NULL, "data/t", &num);
    CHECK_EQ(num, 3, "the directory lists three children");
    free(names);
    CHECK(refused(put("data/bad path", ""), EINVAL), "a blank in a path is EINVAL");
    CHECK(refused(xs_rm(xs, XBT_NULL, "data/none/none"), ENOENT), "rm without a parent is ENOENT");
    CHECK(xs_rm(xs, XBT_NULL, "data/t/none"), "rm of a missing node is fine");
    CHECK(!xs_read(xs, XBT_NULL, "data/t/none", NULL) && errno == ENOENT, "a missing node reads as ENOENT");
}

static void test_rights(void)
{
    struct xs_permissions perms[1] = {{0, XS_PERM_NONE}}, *got;
    unsigned int num = 0;

    check_group("rights");
    CHECK(refused(put("/local/domain/0/intruder", "x"), EACCES), "dom0's home is not writable");
    CHECK(refused(put("name", "other"), EACCES), "nor is one's own name");
    CHECK(refused(xs_rm(xs, XBT_NULL, "/local"), EACCES), "nor can everything be removed");
    CHECK(refused(xs_introduce_domain(xs, 5, 1, 1), EACCES), "INTRODUCE is dom0's");
    CHECK(!xs_control_command(xs, "check", NULL, 0) && errno == EACCES, "CONTROL is dom0's");
    CHECK(refused(xs_set_permissions(xs, XBT_NULL, "data/t", perms, 1), EPERM), "a node cannot be given away");
    got = xs_get_permissions(xs, XBT_NULL, "data/t/a", &num);
    CHECK(got && num >= 1 && got[0].id != 0, "what a guest creates belongs to it");
    free(got);
}

static void test_transactions(void)
{
    xs_transaction_t t = xs_transaction_start(xs), t2;

    check_group("transactions");
    CHECK(t != XBT_NULL, "a transaction starts");
    CHECK(xs_write(xs, t, "data/t/a", "two", 3) && value_is("data/t/a", "one"), "its writes are invisible outside");
    CHECK(xs_transaction_end(xs, t, false) && value_is("data/t/a", "two"), "until it ends");
    t = xs_transaction_start(xs);
    free(xs_read(xs, t, "data/t/a", NULL));
    put("data/t/a", "three");
    CHECK(refused(xs_transaction_end(xs, t, false), EAGAIN), "a changed node that it read is a conflict");
    t = xs_transaction_start(xs);
    t2 = xs_transaction_start(xs);
    CHECK(xs_write(xs, t, "data/t/x", "", 0) && xs_write(xs, t2, "data/t/y", "", 0), "two write side by side");
    CHECK(xs_transaction_end(xs, t, false), "the first ends well");
    CHECK(xs_transaction_end(xs, t2, true), "the other can be dropped");
    CHECK(!xs_read(xs, XBT_NULL, "data/t/y", NULL), "and leaves nothing");
}

static char *next_event(void)
{
    unsigned int num;
    char **event = xs_read_watch(xs, &num), *path = event ? strdup(event[XS_WATCH_PATH]) : NULL;

    free(event);
    return path;
}

static bool next_event_is(const char *expected)
{
    char *path = next_event();
    bool same = path && !strcmp(path, expected);

    if (!same)
        printf("    event of %s instead of %s\n", path ? path : "nothing", expected);
    free(path);
    return same;
}

static void write_later(void *arg)
{
    struct xs_handle *own = xs_open(0);

    thread_sleep_ns(20 * 1000 * 1000);
    CHECK(own && xs_write(own, XBT_NULL, "data/t/later", "", 0), "another thread writes while one waits");
    xs_close(own);
}

static void test_watches(void)
{
    check_group("watches");
    CHECK(xs_watch(xs, "data/t", "token"), "a watch is set");
    CHECK(next_event_is("data/t"), "it fires once at the start, with the relative path that was given");
    put("data/t/a", "four");
    CHECK(next_event_is("data/t/a"), "it fires for what lies below");
    CHECK(!xs_check_watch(xs) && errno == EAGAIN, "and only once");
    thread_create("writer", write_later, NULL);
    CHECK(next_event_is("data/t/later"), "a waiting thread is woken");
    CHECK(xs_unwatch(xs, "data/t", "token"), "the watch is removed");
    CHECK(refused(xs_unwatch(xs, "data/t", "token"), ENOENT), "once");
    put("data/t/a", "five");
    CHECK(!xs_check_watch(xs), "it fires no more");
}

static unsigned int fill(const char *format, unsigned int max, bool (*one)(const char *path))
{
    char path[64];

    for (unsigned int i = 0; i < max; i++) {
        snprintf(path, sizeof(path), format, i);
        if (!one(path))
            return i;
    }
    return max;
}

static bool make_node(const char *path)
{
    return xs_mkdir(xs, XBT_NULL, path);
}

static bool make_watch(const char *path)
{
    return xs_watch(xs, path, "limit");
}

static void test_limits(void)
{
    char big[2049];
    unsigned int transactions = 0;
    struct xs_handle *outer = xs;

    check_group("limits");
    memset(big, 'b', sizeof(big));
    CHECK(refused(xs_write(xs, XBT_NULL, "data/t/big", big, sizeof(big)), ENOSPC), "2049 bytes do not fit");
    CHECK(fill("data/t/n%u", 2000, make_node) < 1000 && errno == ENOSPC, "a guest has fewer than 1000 nodes");
    xs = xs_open(0);
    CHECK(fill("data/t/n%u", 200, make_watch) <= 128 && errno == E2BIG, "and at most 128 watches");
    while (transactions < 50 && xs_transaction_start(xs))
        transactions++;
    CHECK_EQ(transactions, 10, "and 10 transactions at once");
    CHECK_EQ(errno, ENOSPC, "the next answers ENOSPC");
    xs_close(xs);
    xs = outer;
    CHECK(xs_transaction_end(xs, xs_transaction_start(xs), true), "closing the handle made room again");
}

static void writer(void *arg)
{
    struct xs_handle *own = xs_open(0);
    const char *name = arg;
    unsigned int good = 0;
    char path[64], text[16], *value;

    for (unsigned int i = 0; i < 200; i++) {
        snprintf(path, sizeof(path), "data/t/%s/%u", name, i % 7);
        snprintf(text, sizeof(text), "%u", i);
        value =
            xs_write(own, XBT_NULL, path, text, (unsigned int)strlen(text)) ? xs_read(own, XBT_NULL, path, NULL) : NULL;
        good += value && !strcmp(value, text);
        free(value);
        if (i % 3 == 0)
            thread_yield();
    }
    CHECK_EQ(good, 200, "each thread gets the answers to its own questions");
    xs_close(own);
}

static void test_threads(void)
{
    static const char *const names[] = {"alpha", "beta", "gamma", "delta"};
    struct thread *threads[4];
    uint64_t start = time_monotonic_ns();

    check_group("threads");
    for (int i = 0; i < 4; i++)
        threads[i] = thread_create(names[i], writer, (void *)(uintptr_t)names[i]);
    for (int i = 0; i < 4; i++)
        thread_join(threads[i]);
    printf("    1600 requests in %u ms\n", (unsigned int)((time_monotonic_ns() - start) / 1000000));
}

int main(int argc, char **argv)
{
    xs = xs_open(0);
    if (CHECK(xs != NULL, "the store answers")) {
        (void)xs_rm(xs, XBT_NULL, "data/t");
        test_home();
        test_nodes();
        test_rights();
        test_transactions();
        test_watches();
        test_limits();
        CHECK(xs_rm(xs, XBT_NULL, "data/t"), "everything is removed at once");
        test_threads();
        CHECK(xs_rm(xs, XBT_NULL, "data/t"), "and again");
        xs_close(xs);
    }
    return check_summary("store");
}
