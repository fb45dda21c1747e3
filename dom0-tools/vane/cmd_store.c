/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A look into the xenstore: xenstore-ls, -read, -write, -rm; and -control, which speaks to the daemon itself.
 */
#include "json.h"
#include "vane.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_SIZE 3200 /* longer than any path the store accepts */
#define DEPTH_MAX 64

static void say_value(const struct vane *vane, const char *value, unsigned int length)
{
    for (unsigned int i = 0; i < length; i++) {
        unsigned char c = (unsigned char)value[i];

        if (isprint(c) && c != '"' && c != '\\')
            say(vane, "%c", c);
        else
            say(vane, "\\%03o", c);
    }
}

static void list_node(struct vane *vane, struct json *json, char *path, unsigned int depth)
{
    size_t end = strlen(path);
    unsigned int count, length;
    char **names = xs_directory(vane->xs, XBT_NULL, path, &count);

    for (unsigned int i = 0; names != NULL && i < count; i++) {
        char *value;

        if (end + strlen(names[i]) + 2 > PATH_SIZE)
            continue;
        snprintf(path + end, PATH_SIZE - end, "%s%s", end > 0 && path[end - 1] == '/' ? "" : "/", names[i]);
        value = xs_read(vane->xs, XBT_NULL, path, &length);
        say(vane, "%*s%s = \"", (int)depth, "", names[i]);
        say_value(vane, value ? value : "", value ? length : 0);
        say(vane, "\"\n");
        json_text(json, path, value ? value : "", value ? length : 0);
        free(value);
        if (depth < DEPTH_MAX)
            list_node(vane, json, path, depth + 1);
        path[end] = '\0';
    }
    free(names);
}

int cmd_xenstore_ls(struct vane *vane, int argc, char **argv)
{
    char *path;
    struct json json;
    unsigned int count;
    char **names;

    (void)option(&argc, argv, "-f", NULL);
    if (check_arguments(vane, argc, argv, 0, 1) != 0)
        return 1;
    names = xs_directory(vane->xs, XBT_NULL, argc > 1 ? argv[1] : "/", &count);
    if (names == NULL)
        return fail(vane, "%s: %s", argc > 1 ? argv[1] : "/", strerror(errno));
    free(names);
    path = malloc(PATH_SIZE);
    if (path == NULL)
        return fail(vane, "out of memory");
    snprintf(path, PATH_SIZE, "%s", argc > 1 ? argv[1] : "/");
    json_begin(&json, vane);
    json_open(&json, NULL, '{');
    list_node(vane, &json, path, 0);
    json_close(&json, '}');
    json_end(&json);
    free(path);
    return 0;
}

int cmd_xenstore_read(struct vane *vane, int argc, char **argv)
{
    struct json json;
    unsigned int length;
    char *value;

    if (check_arguments(vane, argc, argv, 1, 1) != 0)
        return 1;
    value = xs_read(vane->xs, XBT_NULL, argv[1], &length);
    if (value == NULL)
        return fail(vane, "%s: %s", argv[1], strerror(errno));
    say_value(vane, value, length);
    say(vane, "\n");
    json_begin(&json, vane);
    json_open(&json, NULL, '{');
    json_text(&json, "value", value, length);
    json_close(&json, '}');
    json_end(&json);
    free(value);
    return 0;
}

int cmd_xenstore_write(struct vane *vane, int argc, char **argv)
{
    if (check_arguments(vane, argc, argv, 2, 2) != 0)
        return 1;
    if (!xs_write(vane->xs, XBT_NULL, argv[1], argv[2], (unsigned int)strlen(argv[2])))
        return fail(vane, "%s: %s", argv[1], strerror(errno));
    json_ok(vane);
    return 0;
}

int cmd_xenstore_rm(struct vane *vane, int argc, char **argv)
{
    if (check_arguments(vane, argc, argv, 1, 1) != 0)
        return 1;
    if (!xs_rm(vane->xs, XBT_NULL, argv[1]))
        return fail(vane, "%s: %s", argv[1], strerror(errno));
    json_ok(vane);
    return 0;
}

/* The words behind the command, each with its NUL, as the daemon takes them; 0 when they are too long. */
static size_t pack_words(char *to, size_t room, int count, char **words)
{
    size_t length = 0;

    for (int i = 0; i < count; i++) {
        size_t size = strlen(words[i]) + 1;

        if (size > room - length)
            return 0;
        memcpy(to + length, words[i], size);
        length += size;
    }
    return length;
}

int cmd_xenstore_control(struct vane *vane, int argc, char **argv)
{
    char words[256], *answer;
    struct json json;
    size_t length;

    if (check_arguments(vane, argc, argv, 1, 8) != 0)
        return 1;
    length = pack_words(words, sizeof(words), argc - 2, argv + 2);
    if (length == 0 && argc > 2)
        return fail(vane, "%s: %s", argv[1], strerror(E2BIG));
    answer = xs_control_command(vane->xs, argv[1], words, (unsigned int)length);
    if (answer == NULL)
        return fail(vane, "%s: %s", argv[1], strerror(errno));
    say(vane, "%s%s", answer, strchr(answer, '\n') ? "" : "\n");
    json_begin(&json, vane);
    json_open(&json, NULL, '{');
    json_text(&json, "answer", answer, strlen(answer));
    json_close(&json, '}');
    json_end(&json);
    free(answer);
    return 0;
}
