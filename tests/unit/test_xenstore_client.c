/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The store client against the real daemon, over dom0's own transport. There is one thread; what another thread would do
 * while one waits is done by a hook in thread_block.
 */
#include <pv/threads.h>
#include <xenstore.h>

#include "../../dom0-tools/xenstored/daemon.h"
#include "../../guest-pv/xenstore/link.h"
#include "../../guest-pv/xenstore/transport.h"
#include "../../guest-pv/xenstore/watch_depth.h"
#include "short_memory.h"
#include "xenstored_harness.h"
#include "tests/unit/run_suite.h"

struct xenstored daemon_instance;
bool daemon_running = true;
static void (*while_waiting)(void);
static struct xs_handle *xs, *other;
static uint64_t now_ns;
static bool may_sleep, no_memory;

struct client *__real_client_new(struct xenstored *daemon, unsigned int domid, bool privileged);
struct client *__wrap_client_new(struct xenstored *daemon, unsigned int domid, bool privileged)
{
    return no_memory ? NULL : __real_client_new(daemon, domid, privileged);
}

size_t __real_client_input(struct client *client, const char *bytes, size_t len);
size_t __wrap_client_input(struct client *client, const char *bytes, size_t len)
{
    return no_memory ? 0 : __real_client_input(client, bytes, len);
}

void daemon_kick(void)
{
    xenstored_flush(&daemon_instance);
}

void waiter_enter(struct waiter *w, struct waitq *q)
{
}

void waiter_leave(struct waiter *w)
{
}

bool thread_block(uint64_t deadline_ns)
{
    void (*hook)(void) = while_waiting;

    if (deadline_ns != WAIT_FOREVER && hook == NULL) {
        now_ns = deadline_ns;
        return false;
    }
    ck_assert_msg(hook != NULL, "a thread waits for what nobody will do");
    while_waiting = NULL;
    hook();
    return true;
}

void waitq_wake(struct waitq *q)
{
}

void mutex_lock(struct mutex *m)
{
    ck_assert_ptr_null(m->owner);
    m->owner = (struct thread *)m;
}

bool mutex_trylock(struct mutex *m)
{
    if (m->owner != NULL)
        return false;
    m->owner = (struct thread *)m;
    return true;
}

uint64_t time_monotonic_ns(void)
{
    return now_ns += 1000000;
}

void mutex_unlock(struct mutex *m)
{
    ck_assert_ptr_nonnull(m->owner);
    m->owner = NULL;
}

/* Only for transactions that are let to their end; otherwise the daemon takes no input. */
void thread_sleep_ns(uint64_t ns)
{
    ck_assert_msg(may_sleep, "the daemon takes no input");
    now_ns += ns;
}

static void setup(void)
{
    ck_assert(xenstored_init(&daemon_instance));
    xs = xs_open(0);
    other = xs_open(XS_UNWATCH_FILTER);
    ck_assert(xs && other);
}

static void teardown(void)
{
    xs_close(xs);
    xs_close(other);
    ck_assert_uint_eq(store_audit(&daemon_instance.store), 0);
    xenstored_destroy(&daemon_instance);
}

static void expect_value(const char *path, const char *expected)
{
    unsigned int len = 0;
    char *value = xs_read(xs, XBT_NULL, path, &len);

    ck_assert_ptr_nonnull(value);
    ck_assert_str_eq(value, expected);
    ck_assert_uint_eq(len, strlen(expected));
    free(value);
}

static void expect_watch(struct xs_handle *h, const char *path, const char *token)
{
    char **event = xs_check_watch(h);

    ck_assert_msg(event != NULL, "no event of %s", path);
    ck_assert_str_eq(event[XS_WATCH_PATH], path);
    ck_assert_str_eq(event[XS_WATCH_TOKEN], token);
    free(event);
}

static void expect_no_watch(struct xs_handle *h)
{
    errno = 0;
    ck_assert_ptr_null(xs_check_watch(h));
    ck_assert_int_eq(errno, EAGAIN);
}

START_TEST(test_nodes)
{
    unsigned int num = 99;
    char **names;

    ck_assert(xs_write(xs, XBT_NULL, "/a/b", "value", 5));
    expect_value("/a/b", "value");
    ck_assert(xs_mkdir(xs, XBT_NULL, "/a/c"));
    names = xs_directory(xs, XBT_NULL, "/a", &num);
    ck_assert_uint_eq(num, 2);
    ck_assert_str_eq(names[0], "b");
    ck_assert_str_eq(names[1], "c");
    free(names);
    names = xs_directory(xs, XBT_NULL, "/a/c", &num);
    ck_assert(names && num == 0);
    free(names);
    ck_assert(xs_rm(xs, XBT_NULL, "/a/b"));
    ck_assert_ptr_null(xs_read(xs, XBT_NULL, "/a/b", NULL));
    ck_assert_int_eq(errno, ENOENT);
    ck_assert(!xs_write(xs, XBT_NULL, "/bad path", "", 0));
    ck_assert_int_eq(errno, EINVAL);
    ck_assert(!xs_restrict(xs, 1));
    ck_assert_int_eq(errno, EOPNOTSUPP);
}
END_TEST

/* More than a reply can hold comes in parts and is put together. */
START_TEST(test_long_directory)
{
    unsigned int num;
    char **names, name[32];

    for (unsigned int i = 0; i < 1500; i++) {
        snprintf(name, sizeof(name), "/many/entry%04u", i);
        ck_assert(xs_write(xs, XBT_NULL, name, "", 0));
    }
    names = xs_directory(xs, XBT_NULL, "/many", &num);
    ck_assert_ptr_nonnull(names);
    ck_assert_uint_eq(num, 1500);
    for (unsigned int i = 0; i < num; i++) {
        snprintf(name, sizeof(name), "entry%04u", i);
        ck_assert_str_eq(names[i], name);
    }
    free(names);
}
END_TEST

START_TEST(test_payload_limit)
{
    static char big[5000];

    ck_assert(!xs_write(xs, XBT_NULL, "/big", big, sizeof(big)));
    ck_assert_int_eq(errno, E2BIG);
    ck_assert(xs_write(xs, XBT_NULL, "/big", big, 4000));
}
END_TEST

START_TEST(test_permissions)
{
    struct xs_permissions perms[3] = {{5, XS_PERM_NONE}, {6, XS_PERM_READ}, {7, XS_PERM_READ | XS_PERM_WRITE}}, *got;
    unsigned int num;

    ck_assert(xs_write(xs, XBT_NULL, "/p", "", 0));
    ck_assert(xs_set_permissions(xs, XBT_NULL, "/p", perms, 3));
    got = xs_get_permissions(xs, XBT_NULL, "/p", &num);
    ck_assert_uint_eq(num, 3);
    ck_assert(!memcmp(got, perms, sizeof(perms)));
    free(got);
    perms[0].perms = XS_PERM_OWNER;
    ck_assert(!xs_set_permissions(xs, XBT_NULL, "/p", perms, 1));
    ck_assert(!xs_strings_to_perms(perms, 1, "x5"));
    ck_assert(!xs_strings_to_perms(perms, 1, "r"));
    ck_assert(!xs_strings_to_perms(perms, 1, "r5x"));
    ck_assert(!xs_strings_to_perms(perms, 1, ""));
}
END_TEST

START_TEST(test_transactions)
{
    xs_transaction_t t = xs_transaction_start(xs);

    ck_assert_uint_ne(t, XBT_NULL);
    ck_assert(xs_write(xs, t, "/t", "1", 1));
    ck_assert_ptr_null(xs_read(other, XBT_NULL, "/t", NULL));
    ck_assert(xs_transaction_end(xs, t, false));
    expect_value("/t", "1");
    t = xs_transaction_start(xs);
    ck_assert(xs_write(xs, t, "/t", "2", 1));
    ck_assert(xs_write(other, XBT_NULL, "/t", "3", 1));
    ck_assert(!xs_transaction_end(xs, t, false));
    ck_assert_int_eq(errno, EAGAIN);
    t = xs_transaction_start(xs);
    ck_assert(xs_transaction_end(xs, t, true));
    ck_assert(!xs_transaction_end(xs, t, true));
    ck_assert_int_eq(errno, ENOENT);
}
END_TEST

/* Two handles over one connection may use the same path and token, and each hears of its own watches only. */
START_TEST(test_watches)
{
    ck_assert(xs_watch(xs, "/w", "token"));
    ck_assert(xs_watch(other, "/w", "token"));
    ck_assert(!xs_watch(xs, "/w", "token"));
    ck_assert_int_eq(errno, EEXIST);
    expect_watch(xs, "/w", "token");
    expect_no_watch(xs);
    expect_watch(other, "/w", "token");
    ck_assert(xs_unwatch(xs, "/w", "token"));
    ck_assert(!xs_unwatch(xs, "/w", "token"));
    ck_assert_int_eq(errno, ENOENT);
    ck_assert(xs_write(xs, XBT_NULL, "/w/x", "", 0));
    expect_no_watch(xs);
    expect_watch(other, "/w/x", "token");
}
END_TEST

/* With the filter flag nothing of an ended watch is delivered any more; without it, what was under way still is. */
START_TEST(test_unwatch_filter)
{
    ck_assert(xs_watch(other, "/w", "token"));
    ck_assert(xs_watch(other, "/v", "token2"));
    ck_assert(xs_write(xs, XBT_NULL, "/w/x", "", 0));
    ck_assert(xs_unwatch(other, "/w", "token"));
    expect_watch(other, "/v", "token2");
    expect_no_watch(other);
    ck_assert(xs_watch(xs, "/w", "token"));
    ck_assert(xs_unwatch(xs, "/w", "token"));
    expect_watch(xs, "/w", "token");
}
END_TEST

static void write_meanwhile(void)
{
    ck_assert(xs_write(other, XBT_NULL, "/w/meanwhile", "", 0));
}

/* Another thread may receive the event that this one sleeps for. */
static void receive_meanwhile(void)
{
    ck_assert(xs_write(other, XBT_NULL, "/w/meanwhile", "", 0));
    ck_assert(xs_write(other, XBT_NULL, "/elsewhere", "", 0));
}

/* While one thread waits for an event it receives for the others too. */
START_TEST(test_read_watch)
{
    unsigned int num = 0;
    char **event;

    ck_assert(xs_watch(xs, "/w", "token"));
    free(xs_read_watch(xs, &num));
    ck_assert_uint_eq(num, 2);
    expect_no_watch(xs);
    ck_assert(xs_write(other, XBT_NULL, "/w/y", "", 0));
    event = xs_read_watch(xs, &num);
    ck_assert_str_eq(event[XS_WATCH_PATH], "/w/y");
    free(event);
    while_waiting = write_meanwhile;
    event = xs_read_watch(xs, &num);
    ck_assert_str_eq(event[XS_WATCH_PATH], "/w/meanwhile");
    free(event);
    while_waiting = receive_meanwhile;
    event = xs_read_watch(xs, &num);
    ck_assert_str_eq(event[XS_WATCH_PATH], "/w/meanwhile");
    free(event);
    expect_no_watch(xs);
}
END_TEST

/* A closed handle leaves neither watches nor transactions in the daemon. */
START_TEST(test_close)
{
    struct client *client = TAILQ_FIRST(&daemon_instance.clients);
    struct xs_handle *third = xs_open(0);

    ck_assert(xs_watch(third, "/a", "1"));
    ck_assert(xs_watch(third, "@releaseDomain", "2"));
    ck_assert_uint_ne(xs_transaction_start(third), XBT_NULL);
    ck_assert_uint_eq(client->nr_watches, 2);
    xs_close(third);
    ck_assert_uint_eq(client->nr_watches, 0);
    ck_assert_uint_eq(client->nr_transactions, 0);
    ck_assert(xs_write(xs, XBT_NULL, "/a", "", 0));
    xs_close(NULL);
}
END_TEST

static void move_to_a_new_daemon(void)
{
    ck_assert_int_eq(xs_link_quiesce(now_ns + 1000000000), 0);
    client_reset(TAILQ_FIRST(&daemon_instance.clients), true);
    xs_link_release(true);
    xs_link_watch_again();
}

/* A restored domain would wait for ever for events of watches that only the daemon it left behind knows. */
START_TEST(test_new_daemon_watches)
{
    struct xs_watched *gone;

    ck_assert(xs_watch(xs, "/w", "token"));
    ck_assert(xs_watch(other, "/w", "other"));
    ck_assert(xs_watch_depth(xs, "/flat", "flat", 0));
    expect_watch(xs, "/w", "token");
    expect_watch(other, "/w", "other");
    expect_watch(xs, "/flat", "flat");
    ck_assert(xs_write(xs, XBT_NULL, "/w/before", "", 0));
    move_to_a_new_daemon();
    expect_watch(other, "/w", "other");
    expect_watch(xs, "/flat", "flat");
    expect_watch(xs, "/w", "token");
    expect_no_watch(xs);
    ck_assert(xs_write(xs, XBT_NULL, "/flat/below", "", 0));
    ck_assert(xs_write(xs, XBT_NULL, "/w/after", "", 0));
    expect_watch(xs, "/w/after", "token");
    expect_watch(other, "/w/after", "other");
    expect_no_watch(xs);
    /* One that the new daemon was not told of yet is not ended there. */
    gone = LIST_FIRST(&other->watched);
    gone->era--;
    client_reset(TAILQ_FIRST(&daemon_instance.clients), true);
    ck_assert(xs_unwatch(other, "/w", "other"));
    ck_assert(LIST_EMPTY(&other->watched));
}
END_TEST

/* Half a transaction must not end up in another one, or pass for a whole one, with a daemon that saw no part of it. */
START_TEST(test_new_daemon_transactions)
{
    xs_transaction_t t = xs_transaction_start(xs), abandoned = xs_transaction_start(other), fresh;

    may_sleep = true;
    ck_assert(xs_write(xs, t, "/t", "half", 4));
    move_to_a_new_daemon();
    may_sleep = false;
    ck_assert(!xs_write(xs, t, "/t", "x", 1));
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert(!xs_transaction_end(xs, t, false));
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert(xs_transaction_end(other, abandoned, true));
    ck_assert_ptr_null(xs_read(xs, XBT_NULL, "/t", NULL));
    fresh = xs_transaction_start(xs);
    ck_assert(xs_write(xs, fresh, "/t", "whole", 5));
    ck_assert(xs_transaction_end(xs, fresh, false));
    expect_value("/t", "whole");
}
END_TEST

/* A suspension that is called off costs no watch and no event. */
START_TEST(test_quiesce_called_off)
{
    ck_assert(xs_watch(xs, "/w", "token"));
    ck_assert_int_eq(xs_link_quiesce(now_ns + 1000000000), 0);
    ck_assert_int_eq(xs_link_quiesce(now_ns + 1000000), -ETIMEDOUT);
    xs_link_release(false);
    expect_watch(xs, "/w", "token");
    ck_assert(xs_write(xs, XBT_NULL, "/w", "1", 1));
    expect_watch(xs, "/w", "token");
    expect_no_watch(xs);
}
END_TEST

START_TEST(test_domains)
{
    char *path;

    fake_domains[5].state = DOMAIN_RUNNING;
    ck_assert(!xs_is_domain_introduced(xs, 5));
    ck_assert(xs_introduce_domain(xs, 5, 1005, 3));
    ck_assert(xs_is_domain_introduced(xs, 5));
    ck_assert(!xs_introduce_domain(xs, 6, 1006, 3));
    ck_assert(!xs_set_target(xs, 5, 6));
    ck_assert(xs_resume_domain(xs, 5));
    path = xs_get_domain_path(xs, 5);
    ck_assert_str_eq(path, "/local/domain/5");
    free(path);
    ck_assert_int_eq(xs_suspend_evtchn_port(5), -1);
    ck_assert(xs_write(xs, XBT_NULL, "/local/domain/5/device/suspend/event-channel", "17", 2));
    ck_assert_int_eq(xs_suspend_evtchn_port(5), 17);
    ck_assert(xs_release_domain(xs, 5));
    ck_assert(!xs_is_domain_introduced(xs, 5));
}
END_TEST

START_TEST(test_control)
{
    char print[] = "hello";
    char *answer = xs_control_command(xs, "help", NULL, 0);

    ck_assert_ptr_nonnull(strstr(answer, "quota"));
    free(answer);
    answer = xs_debug_command(xs, "print", print, sizeof(print));
    ck_assert_str_eq(answer, "OK");
    free(answer);
    ck_assert_str_eq(last_log, "hello");
}
END_TEST

/* The transport of dom0's own threads. There is none before the daemon runs; and while the daemon takes nothing, for
 * want of memory, the sender waits a while and then hears of it, rather than for ever; a request of which nothing was taken
 * is no reason to give the store up for good. */
START_TEST(test_transport)
{
    char byte;

    ck_assert_int_eq(xs_transport_read(&byte, 1), -EAGAIN);
    ck_assert(!xs_transport_readable());
    may_sleep = true;
    no_memory = true;
    ck_assert(!xs_write(xs, XBT_NULL, "/a", "", 0));
    ck_assert_int_eq(errno, ENOMEM);
    no_memory = may_sleep = false;
    ck_assert(xs_write(xs, XBT_NULL, "/a", "", 0));
}
END_TEST

/* After a reply was lost half-way the stream of messages has no beginning any more: all that follows fails at once. */
START_TEST(test_broken_transport)
{
    static const struct xsd_sockmsg too_long = {XS_WRITE, 1, 0, XENSTORE_PAYLOAD_MAX + 1};
    char byte;

    (void)xs_transport_write(&too_long, sizeof(too_long));
    ck_assert(xs_transport_readable());
    ck_assert_int_eq(xs_transport_write(&too_long, sizeof(too_long)), -EIO);
    while (xs_transport_read(&byte, 1) == 1)
        ;
    ck_assert_int_eq(xs_transport_read(&byte, 1), -EIO);
}
END_TEST

START_TEST(test_no_daemon_yet)
{
    daemon_running = false;
    ck_assert_int_eq(xs_transport_open(), -ENOENT);
    ck_assert_ptr_null(xs_open(0));
    daemon_running = true;
    ck_assert(xenstored_init(&daemon_instance));
    no_memory = true;
    ck_assert_int_eq(xs_transport_open(), -ENOMEM);
    no_memory = false;
    ck_assert_int_eq(xs_transport_open(), 0);
    ck_assert_int_eq(xs_transport_open(), 0); /* the same for all threads */
    xenstored_destroy(&daemon_instance);
}
END_TEST

START_TEST(test_helpers)
{
    ck_assert(xs_path_is_subpath("/a", "/a/b"));
    ck_assert(xs_path_is_subpath("/a", "/a"));
    ck_assert(xs_path_is_subpath("/", "/a"));
    ck_assert(!xs_path_is_subpath("/a", "/ab"));
    ck_assert(!xs_path_is_subpath("/a/b", "/a"));
    ck_assert(!xs_path_is_subpath("/", "a"));
    ck_assert_int_eq(xs_fileno(xs), -1);
    ck_assert_uint_ge(MAX_STRLEN(unsigned int), sizeof("4294967295"));
}
END_TEST

static bool write_node(void)
{
    return xs_write(xs, XBT_NULL, "/m", "v", 1);
}

static bool read_node(void)
{
    char *value;

    if (!xs_write(xs, XBT_NULL, "/m", "a value longer than what is ever reserved", 41))
        return false;
    value = xs_read(xs, XBT_NULL, "/m", NULL);
    free(value);
    return value != NULL;
}

/* What a commit is worth whose answer is lost: nobody knows, so it must not be lost. */
static bool transact(void)
{
    xs_transaction_t t = xs_transaction_start(xs);

    if (t == XBT_NULL)
        return false;
    if (xs_write(xs, t, "/m", "v", 1))
        return xs_transaction_end(xs, t, false);
    ck_assert(xs_transaction_end(xs, t, true));
    return false;
}

static bool hear(void)
{
    char **event;
    bool heard;

    if (!xs_watch(xs, "/m", "token"))
        return false;
    heard = xs_write(xs, XBT_NULL, "/m", "v", 1);
    event = xs_check_watch(xs);
    heard &= event != NULL;
    free(event);
    return heard;
}

static void forget(void)
{
    while (xs_unwatch(xs, "/m", "token"))
        ;
    for (char **event; (event = xs_check_watch(xs)) != NULL || errno == ENOMEM;)
        free(event);
    (void)xs_rm(xs, XBT_NULL, "/m");
}

/* One that nobody ends keeps old nodes alive for ever. */
static bool none_open(void)
{
    char *report = xs_control_command(xs, "memreport", NULL, 0);
    bool none = report && strstr(report, "\ntransactions 0\n");

    free(report);
    return none;
}

static bool (*const uses[])(void) = {write_node, read_node, transact, hear};

/* One allocation that fails, here or in the daemon, once closed the connection of all of dom0 for good. A request that
 * fails for want of memory has changed nothing, the next one works, and an event that is lost is known to be. */
START_TEST(test_memory_lacks)
{
    unsigned int refused = 0;
    bool met = true;

    may_sleep = true;
    for (unsigned int number = 1; met; number++) {
        char *value;
        bool good;

        errno = 0;
        memory_fails_at(number);
        good = uses[_i]();
        met = memory_failed();
        ck_assert_msg(good || errno == ENOMEM, "allocation %u: %s", number, strerror(errno));
        refused += !good;
        value = xs_read(xs, XBT_NULL, "/m", NULL);
        ck_assert_msg(value != NULL || errno == ENOENT, "after allocation %u: %s", number, strerror(errno));
        ck_assert_msg(uses[_i] == read_node || uses[_i] == hear || (value != NULL) == good, "allocation %u", number);
        free(value);
        ck_assert_msg(none_open(), "allocation %u left a transaction", number);
        forget();
    }
    ck_assert_uint_gt(refused, 1);
    may_sleep = false;
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("xenstore client");
    TCase *tcase = tcase_create("client"), *early = tcase_create("before the daemon");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_nodes);
    tcase_add_test(tcase, test_long_directory);
    tcase_add_test(tcase, test_payload_limit);
    tcase_add_test(tcase, test_permissions);
    tcase_add_test(tcase, test_transactions);
    tcase_add_test(tcase, test_watches);
    tcase_add_test(tcase, test_unwatch_filter);
    tcase_add_test(tcase, test_read_watch);
    tcase_add_test(tcase, test_close);
    tcase_add_test(tcase, test_new_daemon_watches);
    tcase_add_test(tcase, test_new_daemon_transactions);
    tcase_add_test(tcase, test_quiesce_called_off);
    tcase_add_test(tcase, test_domains);
    tcase_add_test(tcase, test_control);
    tcase_add_test(tcase, test_helpers);
    tcase_add_test(tcase, test_transport);
    tcase_add_loop_test(tcase, test_memory_lacks, 0, sizeof(uses) / sizeof(uses[0]));
    tcase_add_test(tcase, test_broken_transport);
    tcase_add_test(early, test_no_daemon_yet);
    suite_add_tcase(suite, tcase);
    suite_add_tcase(suite, early);
    return run_suite(suite);
}
