/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * console and log.
 */
#include "console.h"
#include "domains.h"
#include "json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dom0-tools/console/console.h"

int cmd_console(struct vane *vane, int argc, char **argv)
{
    const char *type = option_value(&argc, argv, "-t", "--type"), *number = option_value(&argc, argv, "-n", "--num");
    const struct console *dead;
    domid_t domid;

    if (check_arguments(vane, argc, argv, 1, 1) != 0)
        return 1;
    if (type != NULL && strcmp(type, "pv") != 0)
        return fail(vane, "console type \"%s\" is not possible here; there is pv", type);
    if (number != NULL && strcmp(number, "0") != 0)
        return fail(vane, "there is no console number %s: a domain has one, number 0", number);
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

/* The console of a live domain, or else of the one that died last under that id or name: one that is just being
 * destroyed is not among the dead yet. */
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
    else
        console = console_find_name(text);
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
    struct guest_text text = {0};

    if (check_arguments(vane, argc, argv, 0, 1) != 0)
        return 1;
    if (argc == 1)
        return list_logs(vane);
    console = find_any(vane, argv[1]);
    if (console == NULL)
        return fail(vane, "no log of \"%s\": no such domain lives, and none of the %u that died last was called so",
                    argv[1], CONSOLE_DEAD_KEPT);
    console_get_info(console, &info);
    if (!info.dead)
        console_catch_up(info.domid);
    console_get_info(console, &info);
    if (vane->json)
        return json_log(vane, console, &info);
    if (info.log_first > 0)
        say(vane, "[the first %llu bytes are no longer kept]\n", (unsigned long long)info.log_first);
    fflush(stdout);
    text.offset = info.log_first;
    while (text.offset < info.log_end && show_guest_text(info.domid, &text, 1))
        ;
    return 0;
}
