/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The table of commands as data, and help.
 */
#include "json.h"
#include "vane.h"

#include <string.h>

#define VERB(name, handler, arguments, summary, help, completes) {name, arguments, summary, help, handler, completes},

const struct verb verbs[] = {
#include "verbs.def"
};

const size_t verb_count = sizeof(verbs) / sizeof(verbs[0]);

static void json_verb(struct json *json, const struct verb *verb)
{
    json_open(json, NULL, '{');
    json_string(json, "name", verb->name);
    json_string(json, "arguments", verb->arguments);
    json_string(json, "summary", verb->summary);
    json_string(json, "help", verb->help);
    json_close(json, '}');
}

static int help_all(struct vane *vane)
{
    struct json json;

    json_begin(&json, vane);
    json_open(&json, NULL, '[');
    for (size_t i = 0; i < verb_count; i++) {
        say(vane, "  %-15s %s\n", verbs[i].name, verbs[i].summary);
        json_verb(&json, &verbs[i]);
    }
    json_close(&json, ']');
    json_end(&json);
    say(vane, "help COMMAND explains one; every command takes --json. Try: create -c /examples/hello32.cfg\n");
    return 0;
}

int cmd_help(struct vane *vane, int argc, char **argv)
{
    const struct verb *verb;
    struct json json;

    if (check_arguments(vane, argc, argv, 0, 1) != 0)
        return 1;
    if (argc == 1)
        return help_all(vane);
    verb = verb_find(argv[1]);
    if (verb == NULL)
        return fail(vane, "there is no command \"%s\"; help lists them", argv[1]);
    say(vane, "%s %s\n  %s\n\n%s\n", verb->name, verb->arguments, verb->summary, verb->help);
    json_begin(&json, vane);
    json_verb(&json, verb);
    json_end(&json);
    return 0;
}
