/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Text of a trace; see write.h.
 */
#include "write.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void put(struct trace_out *out, const char *text, size_t size)
{
    if (out->status == 0)
        out->status = out->put(out->own, text, size);
    out->bytes += size;
}

void out_text(struct trace_out *out, const char *format, ...)
{
    char text[512];
    va_list list;
    int length;

    va_start(list, format);
    length = vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    if (length > 0)
        put(out, text, (size_t)length < sizeof(text) ? (size_t)length : sizeof(text) - 1);
}

void out_xml(struct trace_out *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '<':
            put(out, "&lt;", 4);
            break;
        case '>':
            put(out, "&gt;", 4);
            break;
        case '&':
            put(out, "&amp;", 5);
            break;
        case '"':
            put(out, "&quot;", 6);
            break;
        default:
            put(out, *text < 0x20 || *text > 0x7e ? "?" : text, 1);
            break;
        }
    }
}

void out_json(struct trace_out *out, const char *text)
{
    put(out, "\"", 1);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            put(out, "\\", 1);
        if (*text < 0x20 || *text > 0x7e)
            out_text(out, "\\u%04x", (unsigned char)*text);
        else
            put(out, text, 1);
    }
    put(out, "\"", 1);
}

/* Without a product that overflows: the TSC of years fits. */
uint64_t tsc_ns(uint64_t tsc, uint64_t khz)
{
    return tsc / khz * 1000000u + tsc % khz * 1000000u / khz;
}

void domain_colour(unsigned int domid, char colour[8])
{
    static const char *const colours[] = {"#e6873c", "#3c78c8", "#46a050", "#c84b50", "#8c64b4",
                                          "#96785a", "#dc78b4", "#b4b43c", "#3cb4be", "#64648c"};

    strcpy(colour, domid == TRACE_IDLE ? "#f0f0f0" : colours[domid % (sizeof(colours) / sizeof(colours[0]))]);
}
