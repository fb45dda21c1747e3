/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The line editor, driven byte by byte as by a terminal, and checked on a small terminal of the test's own: what a user
 * would see must always be the prompt and the line. And the splitting of lines into words.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dom0-tools/vane/lineedit.h"
#include "dom0-tools/vane/words.h"
#include "tests/unit/run_suite.h"

#define COLUMNS 2048

static struct line_editor editor;

/* One row of a terminal: text, cursor, and the state of an escape sequence. */
static char row[COLUMNS];
static size_t column, rows;
static bool in_escape;
static char escape[32];
static size_t escape_length;

static void finish_escape(char final)
{
    size_t count = (size_t)atoi(escape);

    if (final == 'K')
        memset(row + column, 0, sizeof(row) - column);
    else if (final == 'D')
        column -= count < column ? count : column;
    in_escape = false;
}

static void terminal_byte(char c)
{
    if (in_escape) {
        if (c == '[')
            return;
        if (c >= '0' && c <= '9') {
            ck_assert(escape_length + 1 < sizeof(escape));
            escape[escape_length++] = c;
            escape[escape_length] = '\0';
            return;
        }
        finish_escape(c);
    } else if (c == 27) {
        in_escape = true;
        escape_length = 0;
        escape[0] = '\0';
    } else if (c == '\r') {
        column = 0;
    } else if (c == '\n') {
        memset(row, 0, sizeof(row));
        rows++;
    } else if (c != '\a') {
        ck_assert(column + 1 < COLUMNS);
        row[column++] = c;
    }
}

static void on_terminal(void *arg, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        terminal_byte(text[i]);
}

static size_t two_words(void *arg, const char *line, size_t cursor, void (*add)(void *list, const char *word),
                        void *list)
{
    static const char *const words[] = {"create", "console", "destroy"};
    size_t start = cursor;

    while (start > 0 && line[start - 1] != ' ')
        start--;
    for (unsigned int i = 0; i < 3; i++)
        if (strncmp(words[i], line + start, cursor - start) == 0)
            add(list, words[i]);
    return start;
}

static void setup(void)
{
    memset(row, 0, sizeof(row));
    column = rows = 0;
    in_escape = false;
    line_init(&editor, "vane> ", on_terminal, two_words, NULL);
    line_start(&editor);
}

static void teardown(void)
{
    line_free(&editor);
}

static enum line_event type(const char *keys)
{
    enum line_event event = LINE_MORE;

    for (; *keys != '\0'; keys++)
        event = line_feed(&editor, *keys);
    return event;
}

static void expect(const char *text, size_t cursor)
{
    char shown[COLUMNS];

    ck_assert_str_eq(editor.text, text);
    ck_assert_uint_eq(editor.cursor, cursor);
    snprintf(shown, sizeof(shown), "vane> %s", text);
    ck_assert_str_eq(row, shown);
    ck_assert_uint_eq(column, 6 + cursor);
}

#define LEFT  "\033[D"
#define RIGHT "\033[C"
#define UP    "\033[A"
#define DOWN  "\033[B"

START_TEST(typing_and_moving)
{
    type("list");
    expect("list", 4);
    type(LEFT LEFT "X");
    expect("liXst", 3);
    type("\x7f");
    expect("list", 2);
    type("\001>");
    expect(">list", 1);
    type("\005<");
    expect(">list<", 6);
    type("\033[H\033[3~");
    expect("list<", 0);
    type("\033[F\010");
    expect("list", 4);
    type(LEFT LEFT "\013");
    expect("li", 2);
    type("\025");
    expect("", 0);
    type("one two  three\027");
    expect("one two  ", 9);
    type("\027");
    expect("one ", 4);
    type("\033[1~\033[4~" RIGHT RIGHT LEFT);
    expect("one ", 3);
    type("\004");
    expect("one", 3);
}
END_TEST

START_TEST(ends_of_lines)
{
    ck_assert_int_eq(type("list\r"), LINE_DONE);
    ck_assert_str_eq(editor.text, "list");
    line_start(&editor);
    ck_assert_int_eq(type("\n"), LINE_MORE); /* the LF of CR LF */
    ck_assert_int_eq(type("info\n"), LINE_DONE);
    line_start(&editor);
    ck_assert_int_eq(type("half\003"), LINE_CANCELLED);
    line_start(&editor);
    expect("", 0);
    ck_assert_int_eq(type("\004"), LINE_END);
}
END_TEST

START_TEST(history)
{
    type("first\r"), line_start(&editor);
    type("second\r"), line_start(&editor);
    type("second\r"), line_start(&editor); /* not twice */
    type("\r"), line_start(&editor);       /* nor empty */
    type("new" UP);
    expect("second", 6);
    type(UP);
    expect("first", 5);
    type(UP UP);
    expect("first", 5);
    type(DOWN DOWN);
    expect("new", 3);
    type(DOWN);
    expect("new", 3);
    for (unsigned int i = 0; i < 3 * LINE_HISTORY; i++) {
        char line[16];

        snprintf(line, sizeof(line), "\025l%u\r", i);
        type(line), line_start(&editor);
    }
    ck_assert_uint_eq(editor.history_count, LINE_HISTORY);
    type(UP);
    expect("l191", 4);
}
END_TEST

START_TEST(completion)
{
    type("de\t");
    expect("destroy ", 8);
    type("c\t");
    expect("destroy c", 9);
    type("\t\t"); /* shows both and draws the line again below */
    expect("destroy c", 9);
    type("r\t");
    expect("destroy create ", 15);
    type("zz\t");
    expect("destroy create zz", 17);
    type("\025"
         "c x\001" RIGHT "o\t");
    expect("console  x", 8);
}
END_TEST

START_TEST(long_lines_and_noise)
{
    unsigned int seed = 5;

    for (unsigned int i = 0; i < LINE_MAX_LENGTH + 50; i++)
        type("a");
    ck_assert_uint_eq(editor.length, LINE_MAX_LENGTH);
    expect(editor.text, LINE_MAX_LENGTH);
    for (unsigned int i = 0; i < 20000; i++) {
        enum line_event event;
        char byte = (char)(rand_r(&seed) % 3 ? rand_r(&seed) % 32 : rand_r(&seed) % 256);

        if (byte == 12)
            continue; /* clearing the screen is not for the test's terminal */
        event = line_feed(&editor, byte);
        if (event != LINE_MORE)
            line_start(&editor);
        ck_assert(editor.cursor <= editor.length && editor.length <= LINE_MAX_LENGTH);
        ck_assert_uint_eq(strlen(editor.text), editor.length);
    }
}
END_TEST

static void words_are(const char *line, const char *expected)
{
    char copy[256], got[512] = "", *at = copy, *argv[WORDS_MAX];
    const char *why = NULL;
    int count;

    strcpy(copy, line);
    while ((count = words_next(&at, argv, &why)) >= 0) {
        for (int i = 0; i < count; i++) {
            strcat(got, "<");
            strcat(got, argv[i]);
            strcat(got, ">");
        }
        ck_assert(argv[count] == NULL);
        strcat(got, ";");
    }
    strcat(got, count == -2 ? why : "");
    ck_assert_str_eq(got, expected);
}

START_TEST(words)
{
    words_are("", "");
    words_are("list", "<list>;");
    words_are("  list  -l  ", "<list><-l>;");
    words_are("list;info ; ;help", "<list>;<info>;;<help>;");
    words_are("create f 'extra=a b' \"x='y'\" z\\ z", "<create><f><extra=a b><x='y'><z z>;");
    words_are("create disk=['a,b']", "<create><disk=[a,b]>;");
    words_are("say \"a\\\"b\" ''", "<say><a\"b><>;");
    words_are("list # all; of them", "<list>;");
    words_are("a;'b", "<a>;a quote is not closed");
    words_are("a\\", "<a\\>;");
}
END_TEST

START_TEST(too_many_words)
{
    char line[256], *at = line, *argv[WORDS_MAX];
    const char *why;

    for (unsigned int i = 0; i < 100; i++)
        memcpy(line + 2 * i, "x ", 3);
    ck_assert_int_eq(words_next(&at, argv, &why), -2);
    ck_assert_str_eq(why, "too many words in one command");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vane");
    TCase *tests = tcase_create("all");

    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, typing_and_moving);
    tcase_add_test(tests, ends_of_lines);
    tcase_add_test(tests, history);
    tcase_add_test(tests, completion);
    tcase_add_test(tests, long_lines_and_noise);
    tcase_add_test(tests, words);
    tcase_add_test(tests, too_many_words);
    return run_suite(suite);
}
