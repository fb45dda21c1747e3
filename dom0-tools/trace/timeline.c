/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Who was on each CPU, as a picture; see write.h.
 */
#include "write.h"

#include <string.h>

#define WIDTH     1200.0
#define LEFT      60.0
#define TOP       50u
#define ROW       30u
#define BAR       22u
#define COLUMNS   4800u /* shorter than one of so many parts is not seen */
#define TICKS_MAX 12u

static double place(const struct timeline *line, uint64_t tsc)
{
    return LEFT + WIDTH * (double)(tsc - line->from) / (double)(line->to - line->from);
}

static unsigned int row_top(unsigned int cpu)
{
    return TOP + cpu * ROW;
}

/* The time from one tick to the next, in ns: 1, 2 or 5 times a power of ten. */
static uint64_t tick_step(uint64_t ns)
{
    uint64_t step = 1;

    while (ns / step > TICKS_MAX) {
        if (ns / (step * 2) <= TICKS_MAX)
            return step * 2;
        if (ns / (step * 5) <= TICKS_MAX)
            return step * 5;
        step *= 10;
    }
    return step;
}

static void draw_axis(struct timeline *line)
{
    uint64_t ns = tsc_ns(line->to - line->from, line->khz), step = tick_step(ns ? ns : 1);
    unsigned int bottom = row_top(line->cpus);

    for (uint64_t at = 0; at <= ns; at += step) {
        double x = LEFT + WIDTH * (double)at / (double)(ns ? ns : 1);

        out_text(line->out, "<line x1=\"%.1f\" y1=\"%u\" x2=\"%.1f\" y2=\"%u\" stroke=\"#c0c0c0\"/>", x, TOP - 6, x,
                 bottom);
        out_text(line->out, "<text x=\"%.1f\" y=\"%u\" text-anchor=\"middle\">%g ms</text>\n", x, bottom + 14,
                 (double)at / 1e6);
    }
}

void timeline_begin(struct timeline *line, struct trace_out *out, const struct trace_names *names, uint64_t from,
                    uint64_t to, unsigned int cpus, uint64_t khz)
{
    memset(line, 0, sizeof(*line));
    line->out = out;
    line->names = names;
    line->from = from;
    line->to = to > from ? to : from + 1;
    line->cpus = cpus < TRACE_CPUS ? cpus : TRACE_CPUS;
    line->khz = khz;
    out_text(out,
             "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" "
             "width=\"%.0f\" height=\"%u\" font-family=\"monospace\" font-size=\"11\">\n",
             WIDTH + LEFT + 40, row_top(line->cpus) + 60);
    out_text(out, "<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n"
                  "<text x=\"10\" y=\"24\" font-size=\"15\">Who was on each CPU</text>\n");
    draw_axis(line);
    for (unsigned int cpu = 0; cpu < line->cpus; cpu++)
        out_text(out, "<text x=\"10\" y=\"%u\">cpu %u</text>\n", row_top(cpu) + BAR - 6, cpu);
}

static struct timeline_domain *domain_of(struct timeline *line, unsigned int domid)
{
    unsigned int room = sizeof(line->domains) / sizeof(line->domains[0]), i;

    for (i = 0; i < line->domain_count; i++)
        if (line->domains[i].domid == domid)
            return &line->domains[i];
    if (line->domain_count == room)
        return NULL;
    line->domains[i].domid = domid;
    line->domain_count++;
    return &line->domains[i];
}

static void draw(struct timeline *line, unsigned int cpu)
{
    struct timeline_row *row = &line->rows[cpu];
    uint64_t least = (line->to - line->from) / COLUMNS + 1, ns = tsc_ns(row->to - row->from, line->khz);
    uint64_t to = row->to - row->from < least ? row->from + least : row->to;
    char colour[8], name[TRACE_NAME_SIZE];

    row->open = false;
    if (row->domid == TRACE_IDLE || (row->to - row->from < least && row->from < row->drawn))
        return;
    row->drawn = to;
    domain_colour(row->domid, colour);
    domain_label(line->names, row->domid, name);
    out_text(line->out, "<rect x=\"%.2f\" y=\"%u\" width=\"%.2f\" height=\"%u\" fill=\"%s\"><title>",
             place(line, row->from), row_top(cpu), place(line, to) - place(line, row->from), BAR, colour);
    out_xml(line->out, name);
    out_text(line->out, ": %llu.%03llu ms from %.3f ms on</title></rect>\n", (unsigned long long)ns / 1000000,
             (unsigned long long)ns / 1000 % 1000, (double)tsc_ns(row->from - line->from, line->khz) / 1e6);
}

void timeline_add(struct timeline *line, const struct trace_span *span)
{
    uint64_t from = span->from > line->from ? span->from : line->from, to = span->to < line->to ? span->to : line->to;
    struct timeline_domain *domain = domain_of(line, who_domain(span->who));
    struct timeline_row *row;

    if (span->cpu >= line->cpus || from >= to)
        return;
    row = &line->rows[span->cpu];
    if (domain != NULL)
        domain->tsc += to - from;
    if (row->open && row->domid == who_domain(span->who) && row->to == from) {
        row->to = to;
        return;
    }
    if (row->open)
        draw(line, span->cpu);
    row->from = from;
    row->to = to;
    row->domid = who_domain(span->who);
    row->open = true;
}

void timeline_end(struct timeline *line)
{
    unsigned int y = row_top(line->cpus) + 30;
    double x = LEFT, all = (double)(line->to - line->from) * line->cpus;
    char colour[8], name[TRACE_NAME_SIZE];

    for (unsigned int cpu = 0; cpu < line->cpus; cpu++)
        if (line->rows[cpu].open)
            draw(line, cpu);
    for (unsigned int i = 0; i < line->domain_count && all > 0; i++, x += 150) {
        domain_colour(line->domains[i].domid, colour);
        domain_label(line->names, line->domains[i].domid, name);
        out_text(line->out,
                 "<rect x=\"%.0f\" y=\"%u\" width=\"12\" height=\"12\" fill=\"%s\"/><text x=\"%.0f\" y=\"%u\">", x, y,
                 colour, x + 16, y + 10);
        out_xml(line->out, name);
        out_text(line->out, " %.1f %%</text>\n", 100 * (double)line->domains[i].tsc / all);
    }
    out_text(line->out, "</svg>\n");
}
