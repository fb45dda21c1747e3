/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Formatted printing: %d %i %u %x %X %o %c %s %p %%, widths, zero and left padding, precision of strings, h l ll z.
 */
#include "lib.h"

struct out {
    char *at, *end; /* end: where the terminating zero goes at the latest */
    size_t total;
};

struct spec {
    bool left, zero, plus, alternate;
    int width, precision, longs;
};

static void put(struct out *o, char c)
{
    if (o->at < o->end)
        *o->at++ = c;
    o->total++;
}

static void pad(struct out *o, char c, int count)
{
    while (count-- > 0)
        put(o, c);
}

static void put_text(struct out *o, const struct spec *s, const char *text, size_t length)
{
    int fill = s->width - (int)length;

    if (!s->left)
        pad(o, ' ', fill);
    for (size_t i = 0; i < length; i++)
        put(o, text[i]);
    if (s->left)
        pad(o, ' ', fill);
}

static void put_number(struct out *o, const struct spec *s, u64 value, unsigned base, bool negative, bool upper)
{
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    char text[32], prefix[3] = "";
    int count = 0, length, fill;
    bool prefixed = s->alternate && base == 16 && value;

    do {
        text[count++] = digits[value % base];
        value /= base;
    } while (value);
    strlcpy(prefix, negative ? "-" : prefixed ? "0x" : s->plus ? "+" : "", sizeof(prefix));
    length = MAX(count, s->precision) + (int)strlen(prefix);
    fill = s->width - length;
    if (!s->left && !(s->zero && s->precision < 0))
        pad(o, ' ', fill);
    for (const char *p = prefix; *p; p++)
        put(o, *p);
    if (!s->left && s->zero && s->precision < 0)
        pad(o, '0', fill);
    pad(o, '0', s->precision - count);
    while (count)
        put(o, text[--count]);
    if (s->left)
        pad(o, ' ', fill);
}

static const char *parse_spec(const char *f, struct spec *s, va_list *args)
{
    *s = (struct spec){.precision = -1};
    for (;; f++) {
        if (*f == '-')
            s->left = true;
        else if (*f == '0')
            s->zero = true;
        else if (*f == '+')
            s->plus = true;
        else if (*f == '#')
            s->alternate = true;
        else
            break;
    }
    if (*f == '*') {
        s->width = va_arg(*args, int);
        f++;
    }
    for (; *f >= '0' && *f <= '9'; f++)
        s->width = s->width * 10 + (*f - '0');
    if (*f == '.') {
        s->precision = 0;
        if (*++f == '*') {
            s->precision = va_arg(*args, int);
            f++;
        }
        for (; *f >= '0' && *f <= '9'; f++)
            s->precision = s->precision * 10 + (*f - '0');
    }
    for (; *f == 'l' || *f == 'z' || *f == 'h'; f++)
        s->longs += *f != 'h';
    return f;
}

static void convert(struct out *o, char type, const struct spec *s, va_list *args)
{
    u64 value;
    struct spec pointer = *s;

    switch (type) {
    case 'd':
    case 'i': {
        s64 number = s->longs ? va_arg(*args, s64) : va_arg(*args, int);
        put_number(o, s, number < 0 ? 0 - (u64)number : (u64)number, 10, number < 0, false);
        break;
    }
    case 'u':
    case 'x':
    case 'X':
    case 'o':
        value = s->longs ? va_arg(*args, u64) : va_arg(*args, unsigned);
        put_number(o, s, value, type == 'u' ? 10 : type == 'o' ? 8 : 16, false, type == 'X');
        break;
    case 'p':
        pointer.alternate = true;
        put_number(o, &pointer, (u64)va_arg(*args, void *), 16, false, false);
        break;
    case 'c': {
        char c = (char)va_arg(*args, int);
        put_text(o, s, &c, 1);
        break;
    }
    case 's': {
        const char *text = va_arg(*args, const char *);
        size_t length = 0;
        text = text ? text : "(null)";
        while ((s->precision < 0 || length < (size_t)s->precision) && text[length])
            length++;
        put_text(o, s, text, length);
        break;
    }
    default:
        put(o, type);
        break;
    }
}

int vsnprintf(char *out, size_t size, const char *f, va_list list)
{
    struct out o = {out, size ? out + size - 1 : out, 0};
    struct spec spec;
    va_list args;

    va_copy(args, list);
    for (; *f; f++) {
        if (*f != '%') {
            put(&o, *f);
            continue;
        }
        f = parse_spec(f + 1, &spec, &args);
        if (!*f)
            break;
        convert(&o, *f, &spec, &args);
    }
    va_end(args);
    if (size)
        *o.at = 0;
    return (int)o.total;
}

int snprintf(char *out, size_t size, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int length = vsnprintf(out, size, format, args);
    va_end(args);
    return length;
}
