/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Runs one command: finds its verb, takes the options that all verbs share, and prints results and errors in the form
 * asked for.
 */
#include "vane.h"
#include "json.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dom0-tools/config/domain_config.h"

bool vane_open(struct vane *vane)
{
    memset(vane, 0, sizeof(*vane));
    vane->ctl = ctl_open();
    vane->xs = xs_open(0);
    vane->memory = xenforeignmemory_open(NULL, 0);
    if (vane->ctl != NULL && vane->xs != NULL && vane->memory != NULL)
        return true;
    fprintf(stderr, "vane: cannot reach %s: %s\n",
            vane->ctl == NULL  ? "the hypervisor"
            : vane->xs == NULL ? "the xenstore"
                               : "the memory of other domains",
            strerror(errno));
    vane_close(vane);
    return false;
}

void vane_close(struct vane *vane)
{
    if (vane->ctl != NULL)
        ctl_close(vane->ctl);
    xs_close(vane->xs);
    xenforeignmemory_close(vane->memory);
}

void say(const struct vane *vane, const char *format, ...)
{
    va_list args;

    if (vane->json || vane->error_text != NULL)
        return;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
}

static int fail_text(struct vane *vane, const char *text)
{
    struct json json;

    if (vane->error_text != NULL) {
        snprintf(vane->error_text, VANE_ERROR_SIZE, "%s", text);
        return 1;
    }
    if (!vane->json || vane->json_started) {
        fflush(stdout);
        fprintf(stderr, "%s: %s\n", vane->verb ? vane->verb : "vane", text);
        fflush(stderr);
        return 1;
    }
    json_begin(&json, vane);
    json_open(&json, NULL, '{');
    json_string(&json, "error", text);
    json_close(&json, '}');
    json_end(&json);
    return 1;
}

int fail(struct vane *vane, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return fail_text(vane, text);
}

int fail_usage(struct vane *vane, const char *format, ...)
{
    const struct verb *verb = verb_find(vane->verb);
    char text[512];
    va_list args;
    size_t used;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    used = strlen(text);
    if (verb != NULL)
        snprintf(text + used, sizeof(text) - used, "; usage: %s%s%s", verb->name, verb->arguments[0] != '\0' ? " " : "",
                 verb->arguments);
    return fail_text(vane, text);
}

static void take_out(int *argc, char **argv, int index)
{
    for (int i = index; i < *argc; i++)
        argv[i] = argv[i + 1];
    (*argc)--;
}

bool option(int *argc, char **argv, const char *brief, const char *full)
{
    for (int i = 1; i < *argc && strcmp(argv[i], "--") != 0; i++) {
        if ((brief == NULL || strcmp(argv[i], brief) != 0) && (full == NULL || strcmp(argv[i], full) != 0))
            continue;
        take_out(argc, argv, i);
        return true;
    }
    return false;
}

/* The value inside `argument` when it is that option glued to its value, or NULL. */
static const char *glued(const char *argument, const char *brief, const char *full)
{
    if (full != NULL && strncmp(argument, full, strlen(full)) == 0 && argument[strlen(full)] == '=')
        return argument + strlen(full) + 1;
    if (brief != NULL && strncmp(argument, brief, strlen(brief)) == 0 && argument[strlen(brief)] != '\0')
        return argument + strlen(brief) + (argument[strlen(brief)] == '=');
    return NULL;
}

const char *option_value(int *argc, char **argv, const char *brief, const char *full)
{
    for (int i = 1; i < *argc && strcmp(argv[i], "--") != 0; i++) {
        const char *value = glued(argv[i], brief, full);
        bool apart = (brief != NULL && strcmp(argv[i], brief) == 0) || (full != NULL && strcmp(argv[i], full) == 0);

        if (value == NULL && apart && i + 1 < *argc) {
            value = argv[i + 1];
            take_out(argc, argv, i + 1);
        }
        if (value == NULL)
            continue;
        take_out(argc, argv, i);
        return value;
    }
    return NULL;
}

int check_arguments(struct vane *vane, int argc, char **argv, int least, int most)
{
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-' && argv[i][1] != '\0' && !isdigit((unsigned char)argv[i][1]))
            return fail_usage(vane, "unknown option %s", argv[i]);
    }
    if (argc - 1 < least)
        return fail_usage(vane, "%s missing", least - (argc - 1) == 1 ? "an argument is" : "arguments are");
    if (argc - 1 > most)
        return fail_usage(vane, "too many arguments (\"%s\")", argv[most + 1]);
    return 0;
}

bool parse_unsigned(const char *text, uint64_t *value)
{
    char *end;

    if (!isdigit((unsigned char)text[0]))
        return false;
    errno = 0;
    *value = strtoull(text, &end, 0);
    return errno == 0 && *end == '\0';
}

bool parse_memory(const char *text, uint64_t *kib)
{
    static const char letters[] = "bkmgt";
    static const int shifts[] = {-10, 0, 10, 20, 30};
    char *end;
    const char *letter = "m";
    uint64_t number;
    int shift;

    if (!isdigit((unsigned char)text[0]))
        return false;
    errno = 0;
    number = strtoull(text, &end, 0);
    if (errno != 0 || (*end != '\0' && end[1] != '\0'))
        return false;
    letter = strchr(letters, *end == '\0' ? 'm' : tolower((unsigned char)*end));
    if (letter == NULL || *letter == '\0')
        return false;
    shift = shifts[letter - letters];
    if (shift > 0 && number > DOMAIN_MEMORY_MAX >> shift)
        return false;
    *kib = shift < 0 ? number >> -shift : number << shift;
    return *kib <= DOMAIN_MEMORY_MAX;
}

const struct verb *verb_find(const char *name)
{
    for (size_t i = 0; name != NULL && i < verb_count; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

static int unknown_verb(struct vane *vane, const char *name)
{
    const char *nearest = NULL;
    unsigned int best = 3;

    for (size_t i = 0; i < verb_count; i++) {
        unsigned int distance = edit_distance(name, verbs[i].name);

        if (distance < best && distance < strlen(name)) {
            best = distance;
            nearest = verbs[i].name;
        }
    }
    if (nearest != NULL)
        return fail(vane, "there is no command \"%s\"; did you mean \"%s\"?", name, nearest);
    return fail(vane, "there is no command \"%s\"; help lists them", name);
}

int vane_run(struct vane *vane, int argc, char **argv)
{
    const struct verb *verb = verb_find(argv[0]);
    int status;

    vane->json = option(&argc, argv, NULL, "--json");
    vane->json_started = false;
    vane->verb = verb != NULL ? verb->name : NULL;
    if (verb == NULL) {
        status = unknown_verb(vane, argv[0]);
    } else if (option(&argc, argv, "-h", "--help")) {
        char *help[] = {argv[0], argv[0], NULL}; /* its verb is not looked at again */

        status = cmd_help(vane, 2, help);
    } else {
        status = verb->run(vane, argc, argv);
    }
    vane->verb = NULL;
    fflush(stdout);
    return status;
}
