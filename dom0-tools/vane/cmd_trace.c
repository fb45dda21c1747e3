/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * trace: what the hypervisor does, and for whom, as text, sums, pictures or JSON.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dom0-tools/trace/write.h"
#include "domains.h"
#include "json.h"
#include "outfile.h"
#include "tracing.h"

#define TIME_MAX_MS  600000u
#define RING_KIB_MAX 1024u
#define NAMES_MAX    64
#define WINDOW_MS    10u

enum view { VIEW_RECORDS, VIEW_SUMMARY, VIEW_FLAME, VIEW_FOLDED, VIEW_TIMELINE, VIEW_XENTRACE };

struct request {
    struct vane *vane;
    enum view view;
    const char *events, *path; /* NULL: all; the screen */
    bool one_domain;
    domid_t domid;
    uint64_t ms, kib;
};

/* What a view is made of. */
struct show {
    struct request *request;
    struct capture *capture;
    struct trace_out out;
    struct trace_names names;
    struct {
        unsigned int domid;
        char *name;
    } known[NAMES_MAX];
    unsigned int known_count;
    struct account *account;
    struct timeline timeline;
    uint64_t shown;
};

/* Names are asked for once: a domain that is gone stays without. */
static const char *name_of(void *own, unsigned int domid)
{
    struct show *show = own;
    unsigned int i;

    for (i = 0; i < show->known_count; i++)
        if (show->known[i].domid == domid)
            return show->known[i].name;
    if (i == NAMES_MAX || domid >= DOMID_FIRST_RESERVED)
        return NULL;
    show->known[i].domid = domid;
    show->known[i].name = name_of_domain(show->request->vane, (domid_t)domid);
    show->known_count++;
    return show->known[i].name;
}

static int put_screen(void *own, const void *data, size_t size)
{
    (void)own;
    return fwrite(data, 1, size, stdout) == size ? 0 : 1;
}

static int put_file(void *own, const void *data, size_t size)
{
    return outfile_put(own, data, size);
}

/* Whether the comma-separated list has the name. */
static bool listed(const char *list, const char *name)
{
    size_t length = strlen(name);

    for (const char *at = list; at != NULL; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (strncmp(at, name, length) == 0 && (at[length] == '\0' || at[length] == ','))
            return true;
    return false;
}

static int check_events(struct vane *vane, const char *list)
{
    char name[32];

    for (const char *at = list; at != NULL; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(at, ","), at);
        if (!event_name_known(name))
            return fail_usage(vane,
                              "there is no event \"%s\"; there are hypercall, subcall, trap, page-fault, user-call, "
                              "return, switch, runstate, running, lost and other",
                              name);
    }
    return 0;
}

static bool wanted(const struct show *show, const struct trace_record *record, trace_who who)
{
    const struct request *request = show->request;

    if (request->one_domain && who_domain(who) != request->domid &&
        !(record->event == TRC_SCHED_SWITCH && record->extra[0] == request->domid))
        return false;
    return request->events == NULL || listed(request->events, event_name(record->event));
}

static void text_record(struct show *show, const struct trace_record *record, trace_who who)
{
    uint64_t ns = tsc_ns(record->tsc > show->capture->from ? record->tsc - show->capture->from : 0, show->capture->khz);
    char detail[160], name[24] = "-";

    if (who != TRACE_NO_WHO)
        snprintf(name, sizeof(name), who_domain(who) == TRACE_IDLE ? "idle" : "d%uv%u", who_domain(who), who_vcpu(who));
    record_detail(record, detail, sizeof(detail));
    out_text(&show->out, "%6llu.%06llu cpu%u %-6s %-10s %s\n", (unsigned long long)ns / 1000000,
             (unsigned long long)ns % 1000000, record->cpu, name, event_name(record->event), detail);
}

static void json_record(struct show *show, const struct trace_record *record, trace_who who)
{
    uint64_t ns = tsc_ns(record->tsc > show->capture->from ? record->tsc - show->capture->from : 0, show->capture->khz);
    char text[160];
    unsigned int op, sub;

    out_text(&show->out, "%s{\"ns\": %llu, \"cpu\": %u, \"event\": \"%s\"", show->shown ? ",\n" : "",
             (unsigned long long)ns, record->cpu, event_name(record->event));
    if (who != TRACE_NO_WHO)
        out_text(&show->out, ", \"domid\": %u, \"vcpu\": %u", who_domain(who), who_vcpu(who));
    if (record->event == TRC_PV_HYPERCALL_V2 || record->event == TRC_PV_HYPERCALL_SUBCALL) {
        op = record_hypercall(record, &sub);
        hypercall_name(op, sub, text);
        out_text(&show->out, ", \"call\": \"%s\"", text);
    }
    record_detail(record, text, sizeof(text));
    out_text(&show->out, ", \"detail\": ");
    out_json(&show->out, text);
    out_text(&show->out, ", \"number\": %u, \"words\": [", record->event);
    for (unsigned int i = 0; i < record->words; i++)
        out_text(&show->out, "%s%u", i ? ", " : "", record->extra[i]);
    out_text(&show->out, "]}");
}

static void on_span(void *own, const struct trace_span *span)
{
    struct show *show = own;

    if (show->request->one_domain && who_domain(span->who) != show->request->domid)
        return;
    if (show->request->view == VIEW_TIMELINE)
        timeline_add(&show->timeline, span);
    else if (show->account != NULL)
        account_add(show->account, span);
}

/* All records, in order, through the story; the plain view shows them. */
static void walk(struct show *show)
{
    static struct trace_story story;
    const struct trace_record *record;
    size_t next[TRACE_CPUS] = {0};

    story_begin(&story, on_span, show);
    while ((record = capture_next(show->capture, next)) != NULL && show->out.status == 0) {
        trace_who who = story_add(&story, record);

        if (show->request->view != VIEW_RECORDS || !wanted(show, record, who))
            continue;
        if (show->request->vane->json)
            json_record(show, record, who);
        else
            text_record(show, record, who);
        show->shown++;
    }
    story_end(&story, show->capture->to);
}

static void show_json(struct show *show)
{
    const struct capture *capture = show->capture;

    out_text(&show->out,
             "{\"ns\": %llu, \"cpus\": %u, \"tsc_khz\": %llu, \"lost\": %llu, \"broken\": %llu,\n\"records\": [",
             (unsigned long long)tsc_ns(capture->to - capture->from, capture->khz), capture->cpus,
             (unsigned long long)capture->khz, (unsigned long long)capture->lost, (unsigned long long)capture->broken);
    walk(show);
    out_text(&show->out, "],\n\"domains\": [");
    for (unsigned int i = 0, shown = 0; i < 64; i++) {
        const char *name = i < DOMID_FIRST_RESERVED ? name_of(show, i) : NULL;

        if (name == NULL)
            continue;
        out_text(&show->out, "%s{\"domid\": %u, \"name\": ", shown++ ? ", " : "", i);
        out_json(&show->out, name);
        out_text(&show->out, "}");
    }
    out_text(&show->out, "]}\n");
}

static void summary_line(struct show *show, const struct account_line *line)
{
    uint64_t ns = tsc_ns(line->tsc, show->capture->khz), all = show->account->total;
    char who[TRACE_NAME_SIZE], vcpu[TRACE_NAME_SIZE], where[TRACE_NAME_SIZE], what[TRACE_NAME_SIZE] = "";
    bool json = show->request->vane->json;

    frame_name(&show->names, line->key, 0, who);
    frame_name(&show->names, line->key, 1, vcpu);
    frame_name(&show->names, line->key, 2, where);
    if (key_where(line->key) == WHERE_HYPERVISOR)
        frame_name(&show->names, line->key, 3, what);
    if (json) {
        out_text(&show->out, "%s{\"name\": ", show->shown ? ",\n" : "");
        out_json(&show->out, who);
        out_text(&show->out,
                 ", \"domid\": %u, \"vcpu\": %u, \"where\": \"%s\", \"what\": \"%s\", \"ns\": %llu, \"count\": %llu}",
                 who_domain(key_who(line->key)), who_vcpu(key_who(line->key)), where, what, (unsigned long long)ns,
                 (unsigned long long)line->count);
    } else {
        out_text(&show->out, "%-20.20s %-5s %-10s %-36.36s %8llu.%03llu %6.2f %8llu\n", who, vcpu, where, what,
                 (unsigned long long)ns / 1000000, (unsigned long long)ns / 1000 % 1000,
                 all ? 100.0 * (double)line->tsc / (double)all : 0, (unsigned long long)line->count);
    }
    show->shown++;
}

static void show_summary(struct show *show)
{
    if (show->request->vane->json)
        out_text(&show->out, "[");
    else
        out_text(&show->out, "%-20s %-5s %-10s %-36s %12s %6s %8s\n", "Name", "VCPU", "Where", "What", "ms", "%",
                 "times");
    for (uint32_t i = 0; i < show->account->used; i++)
        summary_line(show, &show->account->lines[i]);
    if (show->request->vane->json)
        out_text(&show->out, "]\n");
}

static void show_sums(struct show *show)
{
    walk(show);
    account_sort(show->account);
    if (show->request->view == VIEW_SUMMARY)
        show_summary(show);
    else if (show->request->view == VIEW_FLAME)
        flame_svg(&show->out, show->account, &show->names, show->capture->khz);
    else
        flame_folded(&show->out, show->account, &show->names, show->capture->khz);
}

static void show_windows(struct show *show)
{
    const struct capture *capture = show->capture;
    uint64_t window = capture->khz * WINDOW_MS, until = capture->from;
    size_t next[TRACE_CPUS] = {0}, left = capture->count;

    while (left > 0) {
        until = until > UINT64_MAX - window || until >= capture->to ? UINT64_MAX : until + window;
        for (unsigned int cpu = 0; cpu < capture->cpus; cpu++) {
            const struct capture_list *list = &capture->lists[cpu];
            size_t taken = xentrace_window(&show->out, list->records + next[cpu], list->count - next[cpu], until);

            next[cpu] += taken;
            left -= taken;
        }
    }
}

static int show_all(struct show *show)
{
    const struct capture *capture = show->capture;

    switch (show->request->view) {
    case VIEW_RECORDS:
        if (show->request->vane->json)
            show_json(show);
        else
            walk(show);
        break;
    case VIEW_XENTRACE:
        show_windows(show);
        break;
    case VIEW_TIMELINE:
        timeline_begin(&show->timeline, &show->out, &show->names, capture->from, capture->to, capture->cpus,
                       capture->khz);
        walk(show);
        timeline_end(&show->timeline);
        break;
    default:
        show->account = calloc(1, sizeof(*show->account));
        if (show->account == NULL)
            return fail(show->request->vane, "out of memory");
        show_sums(show);
        free(show->account);
        break;
    }
    return show->out.status;
}

static int to_file(struct show *show)
{
    struct outfile *file = malloc(sizeof(*file));
    int status;

    if (file == NULL)
        return fail(show->request->vane, "out of memory");
    status = outfile_open(file, show->request->vane, show->request->path, 0);
    if (status == 0) {
        show->out.put = put_file;
        show->out.own = file;
        status = show_all(show);
        if (status == 0)
            status = outfile_close(file);
        else
            outfile_abandon(file);
    }
    free(file);
    return status;
}

/* What was taken, and what not, with the way to have more of it. */
static void report(struct show *show)
{
    const struct request *request = show->request;
    const struct capture *capture = show->capture;
    uint64_t us = tsc_ns(capture->to - capture->from, capture->khz) / 1000;
    struct vane *vane = request->vane;
    struct json json;

    say(vane, "%llu records in %llu.%03llu ms%s%s\n", (unsigned long long)capture->count, (unsigned long long)us / 1000,
        (unsigned long long)us % 1000, request->path ? ", written to " : "", request->path ? request->path : "");
    if (capture->lost)
        say(vane,
            request->kib * 4 <= RING_KIB_MAX
                ? "note: %llu more were lost: the rings were full; -b %llu makes larger ones\n"
                : "note: %llu more were lost: the rings of %llu KiB were full\n",
            (unsigned long long)capture->lost,
            (unsigned long long)request->kib * (request->kib * 4 <= RING_KIB_MAX ? 4 : 1));
    if (capture->broken)
        say(vane, "note: %llu times what stood in a ring made no sense and was left out\n",
            (unsigned long long)capture->broken);
    if (capture->full)
        say(vane, "note: it ended early, with as many records as dom0 can keep (%u); a shorter time (-t) needs fewer\n",
            CAPTURE_MAX);
    if (request->path == NULL)
        return;
    json_begin(&json, vane);
    json_open(&json, NULL, '{');
    json_string(&json, "file", request->path);
    json_number(&json, "bytes", show->out.bytes);
    json_number(&json, "records", capture->count);
    json_number(&json, "lost", capture->lost);
    json_close(&json, '}');
    json_end(&json);
}

static int trace(struct request *request)
{
    struct capture capture;
    struct show *show = calloc(1, sizeof(*show));
    int status;

    if (show == NULL)
        return fail(request->vane, "out of memory");
    show->request = request;
    show->capture = &capture;
    show->names = (struct trace_names){name_of, show};
    show->out.put = put_screen;
    status = capture_take(request->vane, &capture, request->ms * 1000000u, (uint32_t)((request->kib + 3) / 4));
    if (status == 0) {
        request->vane->json_started |= request->vane->json && request->path == NULL;
        status = request->path != NULL ? to_file(show) : show_all(show);
        if (status == 0)
            report(show);
        capture_free(&capture);
    }
    for (unsigned int i = 0; i < show->known_count; i++)
        free(show->known[i].name);
    free(show);
    return status;
}

static int parse_view(struct vane *vane, struct request *request, int *argc, char **argv)
{
    static const struct {
        const char *brief, *full;
        enum view view;
    } views[] = {
        {"-s", "--summary", VIEW_SUMMARY},   {NULL, "--flame", VIEW_FLAME},       {NULL, "--flame=folded", VIEW_FOLDED},
        {NULL, "--timeline", VIEW_TIMELINE}, {NULL, "--xentrace", VIEW_XENTRACE},
    };
    unsigned int chosen = 0;

    for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++) {
        if (!option(argc, argv, views[i].brief, views[i].full))
            continue;
        request->view = views[i].view;
        chosen++;
    }
    if (chosen > 1)
        return fail_usage(vane, "one trace gives one view");
    if (request->view == VIEW_XENTRACE && request->path == NULL)
        return fail_usage(vane, "that is no text: -o names a file for it");
    if (vane->json && request->path == NULL && request->view >= VIEW_FLAME)
        return fail_usage(vane, "a picture is no JSON: with --json, -o names a file for it");
    if (request->events != NULL && request->view != VIEW_RECORDS)
        return fail_usage(vane, "-e chooses among records; this view needs all of them");
    return 0;
}

int cmd_trace(struct vane *vane, int argc, char **argv)
{
    struct request request = {.vane = vane, .ms = 100, .kib = 512};
    const char *ms = option_value(&argc, argv, "-t", "--time"), *kib = option_value(&argc, argv, "-b", "--buffer"),
               *domain = option_value(&argc, argv, "-d", "--domain");

    request.events = option_value(&argc, argv, "-e", "--events");
    request.path = option_value(&argc, argv, "-o", "--output");
    if (parse_view(vane, &request, &argc, argv) != 0 || check_arguments(vane, argc, argv, 0, 0) != 0)
        return 1;
    if (ms != NULL && (!parse_unsigned(ms, &request.ms) || request.ms == 0 || request.ms > TIME_MAX_MS))
        return fail_usage(vane, "-t takes milliseconds, 1 to %u", TIME_MAX_MS);
    if (kib != NULL && (!parse_unsigned(kib, &request.kib) || request.kib < 4 || request.kib > RING_KIB_MAX))
        return fail_usage(vane, "-b takes KiB, 4 to %u", RING_KIB_MAX);
    if (request.events != NULL && check_events(vane, request.events) != 0)
        return 1;
    if (domain != NULL && find_domain(vane, domain, &request.domid) != 0)
        return 1;
    request.one_domain = domain != NULL;
    return trace(&request);
}
