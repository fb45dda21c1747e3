/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The ends of domains; see ends.h.
 */
#define _GNU_SOURCE /* memmem */
#include "ends.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "dom0-tools/console/console.h"

#define ENDS_KEPT  32u
#define TAIL_BYTES 8192u
#define LINES      6u
#define LINE_MAX   160u
#define MARGIN     "    | "

static struct domain_end ends[ENDS_KEPT];
static unsigned int count;

void end_add(domid_t domid, unsigned int reason)
{
    ends[count++ % ENDS_KEPT] = (struct domain_end){.domid = domid, .reason = reason};
}

static struct domain_end *find(domid_t domid)
{
    for (unsigned int i = count; i > 0 && count - i < ENDS_KEPT; i--)
        if (ends[(i - 1) % ENDS_KEPT].domid == domid)
            return &ends[(i - 1) % ENDS_KEPT];
    return NULL;
}

void end_succeeded(domid_t domid, domid_t successor)
{
    struct domain_end *end = find(domid);

    if (end == NULL)
        return;
    end->has_successor = true;
    end->successor = successor;
}

const struct domain_end *end_find(domid_t domid)
{
    return find(domid);
}

/* Takes escape sequences and control characters out of size bytes, in place; the new size. */
static size_t plain(char *text, size_t size)
{
    enum { TEXT, ESCAPE, SEQUENCE } state = TEXT;
    size_t out = 0;

    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c == 0x1b)
            state = ESCAPE;
        else if (state == ESCAPE)
            state = c == '[' ? SEQUENCE : TEXT;
        else if (state == SEQUENCE)
            state = c >= '@' && c <= '~' ? TEXT : SEQUENCE;
        else if (c == '\n' || (c >= ' ' && c < 0x7f))
            text[out++] = text[i];
    }
    return out;
}

/* Where the last LINES lines that are not empty begin. */
static size_t tail_start(const char *text, size_t size)
{
    unsigned int lines = 0;
    size_t at = size;

    while (at > 0) {
        size_t end = at;

        while (at > 0 && text[at - 1] != '\n')
            at--;
        if (end > at && ++lines == LINES)
            break;
        at -= at > 0;
    }
    return at;
}

/* One line from `text` on, to `out`; where it goes on. */
static const char *add_line(char **out, const char *text, const char *end)
{
    const char *newline = memchr(text, '\n', (size_t)(end - text));
    size_t length = (size_t)((newline != NULL ? newline : end) - text);
    size_t shown = length < LINE_MAX ? length : LINE_MAX;

    if (length > 0) {
        memcpy(*out, MARGIN, sizeof(MARGIN) - 1);
        memcpy(*out + sizeof(MARGIN) - 1, text, shown);
        *out += sizeof(MARGIN) - 1 + shown;
        *(*out)++ = '\n';
    }
    return text + length + 1;
}

static bool gives_reason(const char *line, size_t length)
{
    static const char *const words[] = {"Kernel panic", "panic: ", "BUG: ", "Oops: "};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (memmem(line, length, words[i], strlen(words[i])) != NULL)
            return true;
    return false;
}

/* The last line in front of `end` that gives the reason, as kernels put it; or NULL. */
static const char *find_reason(const char *text, const char *end)
{
    const char *found = NULL;

    for (const char *line = text; line < end; line++) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        const char *stop = newline != NULL ? newline : end;

        if (gives_reason(line, (size_t)(stop - line)))
            found = line;
        line = stop;
    }
    return found;
}

static char *format_lines(const char *text, size_t size)
{
    char *out = calloc(LINES + 1, sizeof(MARGIN) + LINE_MAX + 2), *at = out;
    const char *end = text + size, *tail = text + tail_start(text, size);
    const char *reason = find_reason(text, tail);

    if (out == NULL)
        return NULL;
    if (reason != NULL)
        (void)add_line(&at, reason, tail);
    while (tail < end)
        tail = add_line(&at, tail, end);
    return out;
}

char *last_words(domid_t domid)
{
    struct console *console = console_find(domid);
    struct console_info info;
    char *text, *lines;
    uint64_t from;
    size_t size;

    if (console == NULL)
        console = console_find_dead(domid);
    if (console == NULL)
        return calloc(1, 1);
    console_get_info(console, &info);
    from = info.log_end > TAIL_BYTES ? info.log_end - TAIL_BYTES : 0;
    text = malloc(TAIL_BYTES);
    if (text == NULL)
        return NULL;
    size = console_log(console, from, text, TAIL_BYTES, NULL);
    lines = format_lines(text, plain(text, size));
    free(text);
    return lines;
}
