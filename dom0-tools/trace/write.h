/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Where a trace's text goes: a file or the screen. The first failure is remembered and ends the writing.
 */
#ifndef TRACE_WRITE_H
#define TRACE_WRITE_H

#include "names.h"

struct trace_out {
    int (*put)(void *own, const void *data, size_t size); /* 0, or anything else for good */
    void *own;
    int status;
    uint64_t bytes;
};

void out_text(struct trace_out *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* As text of XML, with what is special there replaced; a byte that is no printable ASCII becomes a question mark. */
void out_xml(struct trace_out *out, const char *text);

/* As a string of JSON, with its quotes. */
void out_json(struct trace_out *out, const char *text);

/* The pictures: a flame graph of sorted sums; the same as text, "dom;vcpu;where;what NANOSECONDS" a line. */
void flame_svg(struct trace_out *out, const struct account *account, const struct trace_names *names, uint64_t khz);
void flame_folded(struct trace_out *out, const struct account *account, const struct trace_names *names, uint64_t khz);

/* A window of xentrace's file: the records of one CPU before a time. How many those are. */
size_t xentrace_window(struct trace_out *out, const struct trace_record *records, size_t count, uint64_t until);

/*
 * Who was on each CPU. Stretches are given as they come and drawn when they are long enough to be seen, or else when
 * nothing was drawn at that place yet: so the picture has an upper size.
 */
struct timeline {
    struct trace_out *out;
    const struct trace_names *names;
    uint64_t from, to, khz;
    unsigned int cpus;
    struct timeline_row {
        uint64_t from, to, drawn; /* TSC; drawn: up to where */
        unsigned int domid;
        bool open;
    } rows[TRACE_CPUS];
    struct timeline_domain {
        unsigned int domid;
        uint64_t tsc;
    } domains[64];
    unsigned int domain_count;
};

void timeline_begin(struct timeline *line, struct trace_out *out, const struct trace_names *names, uint64_t from,
                    uint64_t to, unsigned int cpus, uint64_t khz);
void timeline_add(struct timeline *line, const struct trace_span *span);
void timeline_end(struct timeline *line);

/* TSC to nanoseconds; khz is not 0. */
uint64_t tsc_ns(uint64_t tsc, uint64_t khz);

/* A colour for a domain, "#rrggbb"; the idle one's is light grey. */
void domain_colour(unsigned int domid, char colour[8]);

#endif
