/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * console and log. Output is read from the backend's log by offset and not from the listener, which only wakes: so
 * nothing is lost or shown twice, and a slow terminal slows nobody down.
 */
#include "console.h"
#include "domains.h"
#include "json.h"
#include "lifecycle.h"
#include "system.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dom0-tools/console/console.h"

#define ESCAPE_KEY 0x1d /* Ctrl-] */
#define CHUNK      512
#define DRAIN_NS   50000000u /* for the backend to fetch what a stopped domain left in its ring */

struct attachment {
    struct console_sink sink;
    bool ended;
};

static void on_bytes(void *arg, const char *bytes, size_t length)
{
    struct attachment *attachment = arg;

    if (length == 0)
        attachment->ended = true;
    terminal_wake();
}

/* Shows the log from *offset on and moves it there. */
static void show_log(const struct console *console, uint64_t *offset)
{
    char buffer[CHUNK];
    uint64_t from;
    size_t got;

    while ((got = console_log(console, *offset, buffer, sizeof(buffer), &from)) > 0) {
        terminal_write(buffer, got);
        *offset = from + got;
    }
}

/* Sends what was typed; false when the escape key was among it. */
static bool send_input(domid_t domid, const char *buffer, size_t length)
{
    size_t sent = 0, end = length;

    for (size_t i = 0; i < length; i++) {
        if (buffer[i] == ESCAPE_KEY) {
            end = i;
            break;
        }
    }
    for (unsigned int tries = 0; sent < end && tries < 100; tries++) {
        ssize_t took = console_input(domid, buffer + sent, end - sent);

        if (took < 0)
            break;
        sent += (size_t)took;
        if (sent < end)
            sleep_ns(10 * 1000 * 1000); /* the guest's ring is full: give it a moment to read */
    }
    return end == length;
}

/* A domain that has ended and is preserved keeps its console, and will never say anything again. */
static bool has_stopped(struct vane *vane, domid_t domid)
{
    struct xen_domctl_getdomaininfo info;

    return ctl_domain_info(vane->ctl, domid, &info) == 0 && (info.flags & XEN_DOMINF_shutdown) != 0;
}

static void converse(struct vane *vane, domid_t domid, struct console *console, struct attachment *attachment,
                     uint64_t *offset)
{
    char buffer[CHUNK];

    for (;;) {
        size_t got;

        show_log(console, offset);
        if (!attachment->ended && has_stopped(vane, domid)) {
            sleep_ns(DRAIN_NS);
            show_log(console, offset);
            if (!attachment->ended)
                console_detach(&attachment->sink);
            attachment->ended = true;
        }
        if (attachment->ended)
            return;
        got = terminal_read(buffer, sizeof(buffer), UINT64_MAX);
        if (got > 0 && !send_input(domid, buffer, got)) {
            console_detach(&attachment->sink);
            return;
        }
    }
}

int console_session(struct vane *vane, domid_t domid)
{
    struct attachment attachment = {.sink = {.bytes = on_bytes, .arg = &attachment}};
    struct domain_record *record = record_find(domid);
    uint64_t offset = record != NULL ? record->console_seen : 0;
    struct console *console = console_find(domid);
    char *name = name_of_domain(vane, domid);
    int status = console != NULL ? console_attach(domid, &attachment.sink) : -ENXIO;

    if (status != 0) {
        free(name);
        return fail(vane, "domain %u has no console yet or any more; log %u shows what it printed", domid, domid);
    }
    say(vane, "Console of %s (domain %u). Ctrl-] leaves it.\n", name ? name : "?", domid);
    fflush(stdout);
    attachment.ended = false;
    converse(vane, domid, console, &attachment, &offset);
    record = record_find(domid);
    if (record != NULL)
        record->console_seen = offset;
    say(vane, "\n[%s: %s]\n", name ? name : "?", attachment.ended ? "the domain has ended" : "left; it runs on");
    free(name);
    return 0;
}

int cmd_console(struct vane *vane, int argc, char **argv)
{
    const char *type = option_value(&argc, argv, "-t", "--type");
    const struct console *dead;
    domid_t domid;

    if (check_arguments(vane, argc, argv, 1, 1) != 0)
        return 1;
    if (type != NULL && strcmp(type, "pv") != 0)
        return fail(vane, "console type \"%s\" is not possible here; there is pv", type);
    if (vane->json)
        return fail(vane, "a console is a conversation; log %s --json gives what was printed", argv[1]);
    dead = console_find_dead_name(argv[1]);
    if (dead != NULL && !domain_name_taken(vane, argv[1], &domid))
        return fail(vane, "\"%s\" is dead; log %s shows what it printed", argv[1], argv[1]);
    if (find_domain(vane, argv[1], &domid) != 0)
        return 1;
    if (domid == 0)
        return fail(vane, "domain 0's console is this one");
    return console_session(vane, domid);
}

/* The console of a live domain, or else of the one that died last under that id or name. */
static const struct console *find_any(struct vane *vane, const char *text)
{
    const struct console *console = NULL;
    uint64_t number;
    domid_t domid;

    if (parse_unsigned(text, &number)) {
        console = number < DOMID_FIRST_RESERVED ? console_find((domid_t)number) : NULL;
        if (console == NULL && number < DOMID_FIRST_RESERVED)
            console = console_find_dead((domid_t)number);
        return console;
    }
    if (domain_name_taken(vane, text, &domid))
        console = console_find(domid);
    return console != NULL ? console : console_find_dead_name(text);
}

static int list_logs(struct vane *vane)
{
    struct json json;

    json_begin(&json, vane);
    json_open(&json, NULL, '[');
    say(vane, "%-40s %5s %10s\n", "Name", "ID", "Bytes");
    for (struct console *console = console_next(NULL); console != NULL; console = console_next(console)) {
        struct console_info info;

        console_get_info(console, &info);
        say(vane, "%-40s %5u %10llu%s\n", info.name, info.domid, (unsigned long long)info.log_end,
            info.dead ? "  (dead)" : "");
        json_open(&json, NULL, '{');
        json_string(&json, "name", info.name);
        json_number(&json, "domid", info.domid);
        json_number(&json, "bytes", info.log_end);
        json_bool(&json, "dead", info.dead);
        json_close(&json, '}');
    }
    json_close(&json, ']');
    json_end(&json);
    return 0;
}

static int json_log(struct vane *vane, const struct console *console, const struct console_info *info)
{
    size_t room = (size_t)(info->log_end - info->log_first);
    char *text = malloc(room + 1);
    struct json json;
    size_t got;

    if (text == NULL)
        return fail(vane, "out of memory for %zu bytes of log", room);
    got = console_log(console, info->log_first, text, room, NULL);
    json_begin(&json, vane);
    json_open(&json, NULL, '{');
    json_string(&json, "name", info->name);
    json_number(&json, "domid", info->domid);
    json_bool(&json, "dead", info->dead);
    json_number(&json, "lost", info->log_first);
    json_text(&json, "log", text, got);
    json_close(&json, '}');
    json_end(&json);
    free(text);
    return 0;
}

int cmd_log(struct vane *vane, int argc, char **argv)
{
    const struct console *console;
    struct console_info info;
    uint64_t offset;

    if (check_arguments(vane, argc, argv, 0, 1) != 0)
        return 1;
    if (argc == 1)
        return list_logs(vane);
    console = find_any(vane, argv[1]);
    if (console == NULL)
        return fail(vane, "no log of \"%s\": no such domain lives, and none of the %u that died last was called so",
                    argv[1], CONSOLE_DEAD_KEPT);
    console_get_info(console, &info);
    if (vane->json)
        return json_log(vane, console, &info);
    if (info.log_first > 0)
        say(vane, "[the first %llu bytes are no longer kept]\n", (unsigned long long)info.log_first);
    fflush(stdout);
    offset = info.log_first;
    show_log(console, &offset);
    return 0;
}
