/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The console backend: rings whose guest lies, the log, the flood limit, listeners, and what outlives a domain.
 */
#include <check.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../dom0-tools/console/table.h"
#include "tests/unit/run_suite.h"

static struct xencons_interface rings[200];
static unsigned int notified, reports, discovered;
static char heard[100000];
static size_t heard_len;
static unsigned int goodbyes;

void console_notify(unsigned int port)
{
    notified++;
}

void console_report(const char *format, ...)
{
    reports++;
}

void console_discover(domid_t domid)
{
    discovered++;
}

void console_disconnect(struct console *console)
{
    table_disconnected(console);
}

static struct console *connected(domid_t domid)
{
    struct console *console = table_add(domid);

    console->ring = &rings[domid % 200];
    memset(console->ring, 0, sizeof(*console->ring));
    table_connected(console, 1000u + domid);
    snprintf(console->name, sizeof(console->name), "guest%u", domid);
    return console;
}

static void guest_prints(struct console *console, const char *text)
{
    struct xencons_interface *ring = console->ring;

    for (; *text; text++)
        ring->out[MASK_XENCONS_IDX(ring->out_prod++, ring->out)] = *text;
}

static void listen(void *arg, const char *bytes, size_t len)
{
    if (!bytes) {
        ck_assert_uint_eq(len, 0);
        goodbyes++;
        return;
    }
    memcpy(heard + heard_len, bytes, len);
    heard_len += len;
    heard[heard_len] = '\0';
}

static void teardown(void)
{
    table_clear();
}

START_TEST(test_output)
{
    struct console *console = connected(5);
    struct console_sink sink = {.bytes = listen};
    char log[64] = "";
    uint64_t at;

    console->ring->out_prod = console->ring->out_cons = 0xfffffff8u;
    ck_assert_int_eq(console_attach(5, &sink), 0);
    guest_prints(console, "Hello, world\n");
    table_drain(console, 1);
    ck_assert_str_eq(heard, "Hello, world\n");
    ck_assert_uint_eq(notified, 1);
    ck_assert_uint_eq(console->ring->out_cons, console->ring->out_prod);
    table_drain(console, 1);
    ck_assert_uint_eq(notified, 1);
    console_detach(&sink);
    guest_prints(console, "unheard");
    table_drain(console, 1);
    ck_assert_str_eq(heard, "Hello, world\n");
    ck_assert_uint_eq(console_log(console, 7, log, sizeof(log), &at), 13);
    ck_assert_str_eq(log, "world\nunheard");
    ck_assert_uint_eq(at, 7);
    ck_assert_uint_eq(console_log(console, 20, log, sizeof(log), NULL), 0);
    ck_assert_uint_eq(console_log(console, 1000, log, sizeof(log), NULL), 0);
}
END_TEST

/* Whatever indices the guest invents: no byte from outside the ring, and it can go on afterwards. */
START_TEST(test_lying_indices)
{
    static const uint32_t lies[][2] = {{0, 2049}, {1, 0}, {0, 0xffffffff}, {0x80000000u, 0}, {2049, 4100}};
    struct console *console = connected(5);

    console->ring->out_cons = lies[_i][0];
    console->ring->out_prod = lies[_i][1];
    table_drain(console, 1);
    ck_assert_uint_eq(console->log.end, 0);
    ck_assert_uint_eq(reports, 1);
    guest_prints(console, "again");
    table_drain(console, 1);
    ck_assert_uint_eq(console->log.end, 5);
    for (int i = 0; i < 1000; i++) {
        console->ring->out_prod += 5000;
        table_drain(console, 1);
    }
    ck_assert_uint_le(reports, 10);
}
END_TEST

START_TEST(test_input)
{
    struct console *console = connected(5);
    static char big[3000];

    ck_assert_int_eq(console_input(5, "ls\n", 3), 3);
    ck_assert(!memcmp(console->ring->in, "ls\n", 3));
    ck_assert_uint_eq(console->ring->in_prod, 3);
    ck_assert_uint_eq(notified, 1);
    ck_assert_int_eq(console_input(5, big, sizeof(big)), 1021);
    ck_assert_int_eq(console_input(5, big, 1), 0);
    ck_assert_uint_eq(notified, 2);
    console->ring->in_cons = 3;
    ck_assert_int_eq(console_input(5, "abcd", 4), 3);
    console->ring->in_cons = console->ring->in_prod + 7;
    ck_assert_int_eq(console_input(5, "x", 1), 0);
    ck_assert_int_eq(console_input(99, "x", 1), -ENOENT);
    ck_assert_uint_eq(discovered, 1);
    table_add(6);
    ck_assert_int_eq(console_input(6, "x", 1), -ENXIO);
}
END_TEST

/* The log keeps the newest bytes, and its memory grows only as far as its limit. */
START_TEST(test_log)
{
    struct console_log_buffer log = {.limit = 10000};
    char line[32], all[10001];
    size_t len;
    uint64_t at;

    for (unsigned int i = 0; i < 3000; i++) {
        snprintf(line, sizeof(line), "line %05u\n", i);
        log_append(&log, line, 11);
        if (i == 5)
            ck_assert_uint_le(log.size, 2048);
    }
    ck_assert_uint_eq(log.size, 10000);
    ck_assert_uint_eq(log.end, 33000);
    ck_assert_uint_eq(log.first, 23000);
    len = log_read(&log, 0, all, sizeof(all), &at);
    ck_assert_uint_eq(len, 10000);
    ck_assert_uint_eq(at, 23000);
    ck_assert(!memcmp(all + len - 11, "line 02999\n", 11));
    ck_assert_uint_eq(log_read(&log, 32989, line, 11, NULL), 11);
    ck_assert(!memcmp(line, "line 02999\n", 11));
    log_append(&log, all, 5000);
    log_append(&log, all, 10000);
    ck_assert_uint_eq(log.end - log.first, 10000);
    log_free(&log);
}
END_TEST

/* A guest that prints without end is stopped for the rest of the period, and loses nothing by it. */
START_TEST(test_flood)
{
    struct console *console = connected(5);
    unsigned int drains = 0;
    uint64_t now = 1000;

    while (!console->throttled) {
        console->ring->out_prod += 2048;
        table_drain(console, now++);
        ck_assert_uint_lt(++drains, 1000);
    }
    ck_assert_uint_eq(drains, FLOOD_BYTES / 2048);
    console->ring->out_prod += 2048;
    table_drain(console, now);
    ck_assert_uint_eq(console->ring->out_prod - console->ring->out_cons, 2048);
    console->throttled = false;
    table_drain(console, now + FLOOD_PERIOD_NS);
    ck_assert_uint_eq(console->ring->out_prod, console->ring->out_cons);
    ck_assert(!console->throttled);
    for (drains = 0; !console->throttled; drains++)
        table_drain(console, now + 2 * FLOOD_PERIOD_NS);
    ck_assert_uint_eq(drains, FLOOD_DRAINS);
}
END_TEST

/*
 * Guards against a crash report without the crash: a guest that printed so much that it was stopped dies with its last
 * lines in the ring. Whoever reports its end takes them, and finds the log by name before the backend has buried it.
 */
START_TEST(test_last_words_of_a_throttled_guest)
{
    struct console *console = connected(5);
    char log[16] = "";

    for (uint64_t now = 1; !console->throttled; now++) {
        console->ring->out_prod += 2048;
        table_drain(console, now);
    }
    guest_prints(console, "last words");
    table_drain(console, 1000);
    ck_assert_ptr_eq(console_find_name("guest5"), console);
    ck_assert_ptr_null(console_find_name(""));
    console_catch_up(5);
    console_catch_up(6);
    console_log(console, console->log.end - 10, log, sizeof(log), NULL);
    ck_assert_str_eq(log, "last words");
    ck_assert(console->throttled);
    table_retire(console);
    ck_assert_ptr_null(console_find_name("guest5"));
}
END_TEST

/* The last words are kept, listeners hear of the end, and the console is found among the dead by number and by name. */
START_TEST(test_death)
{
    struct console *console = connected(5);
    struct console_sink sink = {.bytes = listen};
    struct console_info info;
    char log[64] = "";

    console_attach(5, &sink);
    guest_prints(console, "panic: ");
    table_drain(console, 1);
    guest_prints(console, "last words");
    table_retire(console);
    ck_assert_uint_eq(goodbyes, 1);
    ck_assert(!sink.attached);
    console_detach(&sink);
    ck_assert_str_eq(heard, "panic: last words");
    ck_assert_ptr_null(table_find(5));
    ck_assert_int_eq(console_attach(5, &sink), -ENOENT);
    ck_assert_ptr_eq(console_find_dead(5), console);
    ck_assert_ptr_eq(console_find_dead_name("guest5"), console);
    ck_assert_ptr_null(console_find_dead_name(""));
    console_log(console, 0, log, sizeof(log), NULL);
    ck_assert_str_eq(log, "panic: last words");
    console_get_info(console, &info);
    ck_assert(info.dead && info.domid == 5);
    ck_assert_uint_eq(info.log_end, 17);
}
END_TEST

/* The last 64 dead are kept, the newest first; the same domid or name finds the newest. */
START_TEST(test_graveyard)
{
    struct console *console;
    unsigned int seen = 0;

    connected(150);
    for (unsigned int i = 1; i <= 100; i++) {
        console = connected((domid_t)i);
        strcpy(console->name, "same");
        table_retire(console);
    }
    ck_assert_uint_eq(console_find_dead_name("same")->domid, 100);
    ck_assert_ptr_null(console_find_dead(36));
    ck_assert_ptr_nonnull(console_find_dead(37));
    for (console = console_next(NULL); console; console = console_next(console))
        ck_assert_uint_eq(console->domid, seen++ ? 102 - seen : 150);
    ck_assert_uint_eq(seen, 65);
}
END_TEST

/* Guards against dom0's memory filling with the logs of a guest that prints without end and restarts for ever. */
START_TEST(logs_of_the_dead_are_bounded)
{
    static char page[4096];

    for (domid_t domid = 1; domid <= 40; domid++) {
        struct console *console = connected(domid);

        console->log.limit = 1u << 20;
        for (unsigned int i = 0; i < 256; i++)
            log_append(&console->log, page, sizeof(page));
        table_retire(console);
    }
    ck_assert_ptr_nonnull(console_find_dead(40));
    ck_assert_ptr_nonnull(console_find_dead(25));
    ck_assert_ptr_null(console_find_dead(24));
}
END_TEST

START_TEST(test_many_sinks)
{
    struct console *console = connected(5);
    static struct console_sink sinks[5];

    for (int i = 0; i < 5; i++) {
        sinks[i] = (struct console_sink){.bytes = listen};
        ck_assert_int_eq(console_attach(5, &sinks[i]), 0);
    }
    console_detach(&sinks[2]);
    console_detach(&sinks[4]);
    console_detach(&sinks[4]);
    guest_prints(console, "x");
    table_drain(console, 1);
    ck_assert_str_eq(heard, "xxx");
    ck_assert_ptr_eq(table_find_port(1005), console);
    ck_assert_ptr_null(table_find_port(1006));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("console backend");
    TCase *tcase = tcase_create("console");

    tcase_add_checked_fixture(tcase, NULL, teardown);
    tcase_add_test(tcase, test_output);
    tcase_add_loop_test(tcase, test_lying_indices, 0, 5);
    tcase_add_test(tcase, test_input);
    tcase_add_test(tcase, test_log);
    tcase_add_test(tcase, test_flood);
    tcase_add_test(tcase, test_last_words_of_a_throttled_guest);
    tcase_add_test(tcase, test_death);
    tcase_add_test(tcase, test_graveyard);
    tcase_add_test(tcase, logs_of_the_dead_are_bounded);
    tcase_add_test(tcase, test_many_sinks);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
