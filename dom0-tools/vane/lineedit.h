/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A line editor for a raw terminal: fed with the bytes that come from the keyboard, it writes what the screen must show.
 * It knows no terminal and waits for nothing, so a test can drive it byte by byte.
 */
#ifndef VANE_LINEEDIT_H
#define VANE_LINEEDIT_H

#include <stdbool.h>
#include <stddef.h>

#define LINE_MAX_LENGTH 1023
#define LINE_HISTORY    64

enum line_event { LINE_MORE, LINE_DONE, LINE_CANCELLED, LINE_END };

/*
 * Completes the word before the cursor: `line` up to `cursor`. Calls add() for every candidate for the word that starts
 * at the offset it returns.
 */
typedef size_t line_completer(void *arg, const char *line, size_t cursor, void (*add)(void *list, const char *word),
                              void *list);

struct line_editor {
    void (*write)(void *arg, const char *text, size_t length);
    line_completer *complete;
    void *arg;
    const char *prompt;

    char text[LINE_MAX_LENGTH + 1];
    size_t length, cursor;
    size_t column;       /* where the terminal's cursor is, from the start of the text */
    unsigned int escape; /* how far into an escape sequence */
    char parameter;      /* its number, when it has one */
    bool last_was_cr;    /* the LF of a CR LF pair is dropped */
    bool last_was_tab;   /* a second Tab lists the candidates */

    char *history[LINE_HISTORY]; /* oldest first */
    unsigned int history_count, history_at;
    char saved[LINE_MAX_LENGTH + 1]; /* the new line, while older ones are shown */
};

void line_init(struct line_editor *editor, const char *prompt, void (*write)(void *, const char *, size_t),
               line_completer *complete, void *arg);
void line_free(struct line_editor *editor);

/* Shows the prompt for a new line. */
void line_start(struct line_editor *editor);

/* Takes one byte. LINE_DONE: the line is in `text`, and joins the history; then line_start again. */
enum line_event line_feed(struct line_editor *editor, char byte);

#endif
