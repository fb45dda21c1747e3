/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The line editor. After every change the line is drawn anew from its start, with the cursor put back by moving left: two
 * control sequences that every terminal knows. The prompt is written once for each line, so that a program that waits
 * for it on the serial line counts lines and not key presses.
 */
#include "lineedit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CTRL(c)        ((c)&0x1f)
#define KEY_ESCAPE     0x1b
#define KEY_DELETE     0x7f
#define CANDIDATES_MAX 256

static void put(struct line_editor *editor, const char *text)
{
    editor->write(editor->arg, text, strlen(text));
}

static void go_left(struct line_editor *editor, size_t count)
{
    char sequence[32];

    if (count == 0)
        return;
    snprintf(sequence, sizeof(sequence), "\033[%uD", (unsigned int)count);
    put(editor, sequence);
}

static void redraw(struct line_editor *editor)
{
    go_left(editor, editor->column);
    editor->write(editor->arg, editor->text, editor->length);
    put(editor, "\033[K");
    go_left(editor, editor->length - editor->cursor);
    editor->column = editor->cursor;
}

/* Where the line cannot stay: prompt and line on a new row. */
static void redraw_below(struct line_editor *editor)
{
    put(editor, editor->prompt);
    editor->column = 0;
    redraw(editor);
}

void line_init(struct line_editor *editor, const char *prompt, void (*write)(void *, const char *, size_t),
               line_completer *complete, void *arg)
{
    memset(editor, 0, sizeof(*editor));
    editor->prompt = prompt;
    editor->write = write;
    editor->complete = complete;
    editor->arg = arg;
}

void line_free(struct line_editor *editor)
{
    for (unsigned int i = 0; i < editor->history_count; i++)
        free(editor->history[i]);
    editor->history_count = 0;
}

void line_start(struct line_editor *editor)
{
    editor->length = editor->cursor = editor->column = 0;
    editor->text[0] = '\0';
    editor->escape = 0;
    editor->last_was_tab = false;
    editor->history_at = editor->history_count;
    put(editor, editor->prompt);
}

static void set_text(struct line_editor *editor, const char *text)
{
    editor->length = editor->cursor = strlen(text);
    memcpy(editor->text, text, editor->length + 1);
    redraw(editor);
}

static void remember(struct line_editor *editor)
{
    char *copy;

    if (editor->length == 0 ||
        (editor->history_count > 0 && strcmp(editor->history[editor->history_count - 1], editor->text) == 0))
        return;
    copy = strdup(editor->text);
    if (copy == NULL)
        return;
    if (editor->history_count == LINE_HISTORY) {
        free(editor->history[0]);
        memmove(editor->history, editor->history + 1, (LINE_HISTORY - 1) * sizeof(editor->history[0]));
        editor->history_count--;
    }
    editor->history[editor->history_count++] = copy;
}

static void history_go(struct line_editor *editor, unsigned int at)
{
    if (at > editor->history_count || at == editor->history_at)
        return;
    if (editor->history_at == editor->history_count)
        memcpy(editor->saved, editor->text, editor->length + 1);
    editor->history_at = at;
    set_text(editor, at == editor->history_count ? editor->saved : editor->history[at]);
}

static void insert(struct line_editor *editor, const char *text, size_t length)
{
    if (length > LINE_MAX_LENGTH - editor->length) {
        put(editor, "\a");
        return;
    }
    memmove(editor->text + editor->cursor + length, editor->text + editor->cursor, editor->length - editor->cursor + 1);
    memcpy(editor->text + editor->cursor, text, length);
    editor->length += length;
    editor->cursor += length;
    if (editor->cursor < editor->length) {
        redraw(editor);
        return;
    }
    editor->write(editor->arg, text, length);
    editor->column = editor->cursor;
}

/* Takes out [from, to) and leaves the cursor there. */
static void erase(struct line_editor *editor, size_t from, size_t to)
{
    if (from >= to || to > editor->length)
        return;
    memmove(editor->text + from, editor->text + to, editor->length - to + 1);
    editor->length -= to - from;
    editor->cursor = from;
    redraw(editor);
}

static size_t word_start(const struct line_editor *editor)
{
    size_t at = editor->cursor;

    while (at > 0 && editor->text[at - 1] == ' ')
        at--;
    while (at > 0 && editor->text[at - 1] != ' ')
        at--;
    return at;
}

static void move(struct line_editor *editor, size_t to)
{
    if (to > editor->length || to == editor->cursor)
        return;
    editor->cursor = to;
    redraw(editor);
}

struct candidates {
    char *words[CANDIDATES_MAX];
    unsigned int count;
    size_t common; /* length of what all begin with */
};

static void add_candidate(void *arg, const char *word)
{
    struct candidates *list = arg;
    size_t common = 0;

    if (list->count == CANDIDATES_MAX || (list->words[list->count] = strdup(word)) == NULL)
        return;
    if (list->count++ == 0) {
        list->common = strlen(word);
        return;
    }
    while (common < list->common && word[common] == list->words[0][common])
        common++;
    list->common = common;
}

static void show_candidates(struct line_editor *editor, const struct candidates *list)
{
    char column[64];

    put(editor, "\r\n");
    for (unsigned int i = 0; i < list->count; i++) {
        snprintf(column, sizeof(column), "%-18s", list->words[i]);
        put(editor, column);
        if (i % 4 == 3 || i + 1 == list->count)
            put(editor, "\r\n");
    }
    redraw_below(editor);
}

static void complete(struct line_editor *editor)
{
    struct candidates *list = editor->complete != NULL ? calloc(1, sizeof(*list)) : NULL;
    size_t start, typed;

    if (list == NULL)
        return;
    start = editor->complete(editor->arg, editor->text, editor->cursor, add_candidate, list);
    typed = editor->cursor - start;
    if (list->count == 0) {
        put(editor, "\a");
    } else if (list->common > typed) {
        insert(editor, list->words[0] + typed, list->common - typed);
        if (list->count == 1 && list->words[0][list->common - 1] != '/')
            insert(editor, " ", 1);
    } else if (list->count == 1) {
        insert(editor, " ", 1);
    } else if (editor->last_was_tab) {
        show_candidates(editor, list);
    }
    for (unsigned int i = 0; i < list->count; i++)
        free(list->words[i]);
    free(list);
}

static void arrow(struct line_editor *editor, char key)
{
    switch (key) {
    case 'A':
        if (editor->history_at > 0)
            history_go(editor, editor->history_at - 1);
        break;
    case 'B':
        history_go(editor, editor->history_at + 1);
        break;
    case 'C':
        move(editor, editor->cursor + 1);
        break;
    case 'D':
        if (editor->cursor > 0)
            move(editor, editor->cursor - 1);
        break;
    case 'H':
        move(editor, 0);
        break;
    case 'F':
        move(editor, editor->length);
        break;
    default:
        break;
    }
}

/* ESC [ 1 ~ and its like. */
static void numbered_key(struct line_editor *editor, char number)
{
    if (number == '1' || number == '7')
        move(editor, 0);
    else if (number == '4' || number == '8')
        move(editor, editor->length);
    else if (number == '3')
        erase(editor, editor->cursor, editor->cursor + 1);
}

static void feed_escape(struct line_editor *editor, char byte)
{
    if (editor->escape == 1) {
        editor->escape = byte == '[' || byte == 'O' ? 2 : 0;
        editor->parameter = 0;
    } else if (byte >= '0' && byte <= '9') {
        if (editor->parameter == 0)
            editor->parameter = byte;
    } else if (byte != ';') {
        editor->escape = 0;
        if (byte == '~')
            numbered_key(editor, editor->parameter);
        else
            arrow(editor, byte);
    }
}

static enum line_event finish(struct line_editor *editor)
{
    move(editor, editor->length);
    put(editor, "\r\n");
    remember(editor);
    return LINE_DONE;
}

static enum line_event control(struct line_editor *editor, char byte)
{
    switch (byte) {
    case CTRL('a'):
        move(editor, 0);
        break;
    case CTRL('e'):
        move(editor, editor->length);
        break;
    case CTRL('b'):
        arrow(editor, 'D');
        break;
    case CTRL('f'):
        arrow(editor, 'C');
        break;
    case CTRL('p'):
        arrow(editor, 'A');
        break;
    case CTRL('n'):
        arrow(editor, 'B');
        break;
    case CTRL('k'):
        erase(editor, editor->cursor, editor->length);
        break;
    case CTRL('u'):
        erase(editor, 0, editor->cursor);
        break;
    case CTRL('w'):
        erase(editor, word_start(editor), editor->cursor);
        break;
    case CTRL('h'):
    case KEY_DELETE:
        if (editor->cursor > 0)
            erase(editor, editor->cursor - 1, editor->cursor);
        break;
    case CTRL('d'):
        if (editor->length == 0)
            return LINE_END;
        erase(editor, editor->cursor, editor->cursor + 1);
        break;
    case CTRL('c'):
        put(editor, "^C\r\n");
        return LINE_CANCELLED;
    case CTRL('l'):
        put(editor, "\033[H\033[2J");
        redraw_below(editor);
        break;
    default:
        break;
    }
    return LINE_MORE;
}

enum line_event line_feed(struct line_editor *editor, char byte)
{
    bool was_cr = editor->last_was_cr;

    editor->last_was_cr = byte == '\r';
    if (byte == '\n' && was_cr)
        return LINE_MORE;
    if (editor->escape != 0) {
        feed_escape(editor, byte);
        return LINE_MORE;
    }
    if (byte == '\t') {
        complete(editor);
        editor->last_was_tab = true;
        return LINE_MORE;
    }
    editor->last_was_tab = false;
    if (byte == '\r' || byte == '\n')
        return finish(editor);
    if (byte == KEY_ESCAPE) {
        editor->escape = 1;
        return LINE_MORE;
    }
    if ((unsigned char)byte < ' ' || byte == KEY_DELETE)
        return control(editor, byte);
    insert(editor, &byte, 1);
    return LINE_MORE;
}
