/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A printf without state. Output past the buffer is cut, never written.
 */
#include <stdbool.h>
#include <stdint.h>
#include "format.h"

struct sink {
    char *out;
    size_t size, used;
};

static void put(struct sink *sink, char c)
{
    if (sink->used + 1 < sink->size)
        sink->out[sink->used++] = c;
}

static void put_number(struct sink *sink, uint64_t value, unsigned int base, unsigned int width, char fill)
{
    char digits[24];
    unsigned int count = 0;

    do {
        digits[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    for (; width > count; width--)
        put(sink, fill);
    while (count > 0)
        put(sink, digits[--count]);
}

static void put_text(struct sink *sink, const char *text, unsigned int width)
{
    unsigned int length = 0;

    if (text == NULL)
        text = "(null)";
    for (; *text != '\0'; length++)
        put(sink, *text++);
    for (; length < width; length++)
        put(sink, ' ');
}

static void put_signed(struct sink *sink, int64_t value, unsigned int width, char fill)
{
    if (value < 0) {
        put(sink, '-');
        put_number(sink, 0 - (uint64_t)value, 10, width > 0 ? width - 1 : 0, fill);
    } else {
        put_number(sink, (uint64_t)value, 10, width, fill);
    }
}

/* The argument's C type: 0 int, 1 long, 2 long long. */
static uint64_t fetch(va_list *args, unsigned int longs, bool is_signed)
{
    if (longs >= 2)
        return va_arg(*args, unsigned long long);
    if (longs == 1)
        return is_signed ? (uint64_t)(int64_t)va_arg(*args, long) : va_arg(*args, unsigned long);
    return is_signed ? (uint64_t)(int64_t)va_arg(*args, int) : va_arg(*args, unsigned int);
}

struct conversion {
    unsigned int width, longs;
    char fill, kind;
};

/* Reads what stands between '%' and the letter; returns the letter's place. */
static const char *parse(const char *format, struct conversion *c)
{
    *c = (struct conversion){.fill = ' '};
    if (*format == '-')
        format++;
    if (*format == '0')
        c->fill = *format++;
    for (; *format >= '0' && *format <= '9'; format++)
        c->width = c->width * 10 + (unsigned int)(*format - '0');
    for (; *format == 'l' || *format == 'h' || *format == 'z'; format++)
        c->longs += *format != 'h';
    c->kind = *format;
    return format;
}

static void convert(struct sink *sink, const struct conversion *c, va_list *args)
{
    switch (c->kind) {
    case 'd':
    case 'i':
        put_signed(sink, (int64_t)fetch(args, c->longs, true), c->width, c->fill);
        break;
    case 'u':
        put_number(sink, fetch(args, c->longs, false), 10, c->width, c->fill);
        break;
    case 'x':
        put_number(sink, fetch(args, c->longs, false), 16, c->width, c->fill);
        break;
    case 'p':
        put_text(sink, "0x", 0);
        put_number(sink, (uintptr_t)va_arg(*args, void *), 16, 0, c->fill);
        break;
    case 's':
        put_text(sink, va_arg(*args, const char *), c->width);
        break;
    case 'c':
        put(sink, (char)va_arg(*args, int));
        break;
    default:
        put(sink, c->kind);
    }
}

size_t format_text(char *out, size_t size, const char *format, va_list arguments)
{
    struct sink sink = {out, size, 0};
    struct conversion c;
    va_list args;

    va_copy(args, arguments);
    for (; *format != '\0'; format++) {
        if (*format != '%') {
            put(&sink, *format);
            continue;
        }
        format = parse(format + 1, &c);
        if (c.kind == '\0')
            break;
        convert(&sink, &c, &args);
    }
    va_end(args);
    if (size > 0)
        out[sink.used] = '\0';
    return sink.used;
}
