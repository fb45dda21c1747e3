/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Splits a line into commands (by ;) and these into words (by blanks), with quotes as a shell has them.
 */
#ifndef VANE_WORDS_H
#define VANE_WORDS_H

#include <stddef.h>

#define WORDS_MAX 66

/*
 * Cuts the next command off *line, in place: argv gets its words and a final NULL. Returns how many there are (0 for an
 * empty command), -1 at the end of the line, -2 with *why for a quote that is not closed or too many words.
 */
int words_next(char **line, char *argv[WORDS_MAX], const char **why);

#endif
