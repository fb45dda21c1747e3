/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A flame graph: time upward from all to domain, vCPU, where and what; the width is the share of the time. The sums are
 * sorted by key, so that each frame is a run of lines with the same highest bits.
 */
#include "write.h"

#include <stdio.h>
#include <string.h>

#define WIDTH     1200.0
#define LEFT      10.0
#define ROW       20u
#define TOP       40u
#define THINNEST  0.2 /* what is narrower is left out */
#define CHARACTER 7.0 /* the width of one, roughly */

struct flame {
    struct trace_out *out;
    const struct account *account;
    const struct trace_names *names;
    uint64_t khz;
};

static bool has_depth(const struct account_line *line, unsigned int depth)
{
    return depth < 2 ||
           (key_where(line->key) != WHERE_IDLE && (depth == 2 || key_where(line->key) == WHERE_HYPERVISOR));
}

/* The first line behind a run that has the frame of line `first` at the depth; the run's sums. */
static uint32_t run_end(const struct account *account, uint32_t first, unsigned int depth, uint64_t *tsc,
                        uint64_t *count)
{
    unsigned int shift = 64 - account_bits(depth);
    uint64_t prefix = account->lines[first].key >> shift;
    uint32_t i;

    *tsc = *count = 0;
    for (i = first; i < account->used && account->lines[i].key >> shift == prefix; i++) {
        *tsc += account->lines[i].tsc;
        *count += account->lines[i].count;
    }
    return i;
}

static void colour_of(uint64_t key, unsigned int depth, char colour[8])
{
    static const char *const places[] = {"#f0f0f0", "#f5c878", "#a0d28c", "#e6785a"};

    if (depth < 2)
        domain_colour(who_domain(key_who(key)), colour);
    else
        strcpy(colour, depth == 2 ? places[key_where(key) & 3] : "#f0a078");
}

static void draw(struct flame *flame, double x, double width, unsigned int level, const char *colour, const char *name,
                 uint64_t tsc, uint64_t count)
{
    uint64_t ns = tsc_ns(tsc, flame->khz), total = flame->account->total;
    unsigned int y = TOP + (ACCOUNT_DEPTHS - level) * ROW, room = (unsigned int)(width / CHARACTER);
    char label[TRACE_NAME_SIZE];

    out_text(flame->out, "<g><title>");
    out_xml(flame->out, name);
    out_text(flame->out, ": %llu.%03llu ms, %.2f %%, %llu times</title>", (unsigned long long)ns / 1000000,
             (unsigned long long)ns / 1000 % 1000, total ? 100.0 * (double)tsc / (double)total : 0,
             (unsigned long long)count);
    out_text(flame->out, "<rect x=\"%.2f\" y=\"%u\" width=\"%.2f\" height=\"%u\" fill=\"%s\"/>", x, y, width, ROW - 1,
             colour);
    if (room >= 3) {
        snprintf(label, sizeof(label), "%.*s", room < sizeof(label) ? (int)room : (int)sizeof(label) - 1, name);
        out_text(flame->out, "<text x=\"%.2f\" y=\"%u\">", x + 2, y + ROW - 6);
        out_xml(flame->out, label);
        out_text(flame->out, "</text>");
    }
    out_text(flame->out, "</g>\n");
}

/* The frames of one depth, from left to right, each below those that it contains. */
static void draw_depth(struct flame *flame, unsigned int depth, double scale)
{
    const struct account *account = flame->account;
    uint64_t before = 0, tsc, count;
    char name[TRACE_NAME_SIZE], colour[8];

    for (uint32_t i = 0, end; i < account->used; i = end) {
        end = run_end(account, i, depth, &tsc, &count);
        if (has_depth(&account->lines[i], depth) && (double)tsc * scale >= THINNEST) {
            frame_name(flame->names, account->lines[i].key, depth, name);
            colour_of(account->lines[i].key, depth, colour);
            draw(flame, LEFT + (double)before * scale, (double)tsc * scale, depth + 1, colour, name, tsc, count);
        }
        before += tsc;
    }
}

void flame_svg(struct trace_out *out, const struct account *account, const struct trace_names *names, uint64_t khz)
{
    struct flame flame = {out, account, names, khz};
    double scale = account->total ? WIDTH / (double)account->total : 0;
    uint64_t count = 0;

    for (uint32_t i = 0; i < account->used; i++)
        count += account->lines[i].count;
    out_text(out,
             "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" "
             "width=\"%.0f\" height=\"%u\" font-family=\"monospace\" font-size=\"11\">\n",
             WIDTH + 2 * LEFT, TOP + (ACCOUNT_DEPTHS + 1) * ROW + 10);
    out_text(out,
             "<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n"
             "<text x=\"%.0f\" y=\"24\" font-size=\"15\">Where the CPUs' time went</text>\n",
             LEFT);
    draw(&flame, LEFT, WIDTH, 0, "#d2d2d2", "all CPUs", account->total, count);
    for (unsigned int depth = 0; depth < ACCOUNT_DEPTHS; depth++)
        draw_depth(&flame, depth, scale);
    out_text(out, "</svg>\n");
}

void flame_folded(struct trace_out *out, const struct account *account, const struct trace_names *names, uint64_t khz)
{
    char name[TRACE_NAME_SIZE];

    for (uint32_t i = 0; i < account->used; i++) {
        const struct account_line *line = &account->lines[i];

        for (unsigned int depth = 0; depth < ACCOUNT_DEPTHS && has_depth(line, depth); depth++) {
            frame_name(names, line->key, depth, name);
            for (char *c = name; *c; c++)
                if (*c == ';' || *c == ' ')
                    *c = '_';
            out_text(out, "%s%s", depth ? ";" : "", name);
        }
        out_text(out, " %llu\n", (unsigned long long)tsc_ns(line->tsc, khz));
    }
}
