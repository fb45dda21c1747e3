/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Words of a command line. Single quotes keep everything, double quotes all but the backslash; # starts a comment. A
 * word only ever shrinks, so it is written over itself.
 */
#include "words.h"

#include <stdbool.h>

static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Copies one word from *at to `to`; the end of it, or NULL when a quote stays open. */
static char *read_word(char **at, char *to)
{
    char quote = 0;

    for (; **at != '\0'; (*at)++) {
        char c = **at;

        if (quote == 0 && (blank(c) || c == ';'))
            break;
        if (quote == 0 && (c == '"' || c == '\'')) {
            quote = c;
        } else if (c == quote) {
            quote = 0;
        } else if (c == '\\' && quote != '\'' && (*at)[1] != '\0') {
            *to++ = *++(*at);
        } else {
            *to++ = c;
        }
    }
    return quote == 0 ? to : NULL;
}

int words_next(char **line, char *argv[WORDS_MAX], const char **why)
{
    int count = 0;

    if (**line == '\0')
        return -1;
    for (;;) {
        char *word, *end, stop;

        while (blank(**line))
            (*line)++;
        if (**line == '#')
            **line = '\0';
        if (**line == '\0' || **line == ';')
            break;
        if (count == WORDS_MAX - 1) {
            *why = "too many words in one command";
            return -2;
        }
        word = *line;
        end = read_word(line, word);
        if (end == NULL) {
            *why = "a quote is not closed";
            return -2;
        }
        argv[count++] = word;
        stop = **line;
        if (stop != '\0')
            (*line)++;
        *end = '\0';
        if (stop == ';' || stop == '\0') {
            argv[count] = NULL;
            return count;
        }
    }
    if (**line == ';')
        (*line)++;
    argv[count] = NULL;
    return count;
}
