/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A look into the xenstore, and into the RAM disk: xenstore-ls, -read, -write, -rm, ls, cat.
 */
#include "json.h"
#include "vane.h"
#include "wholefile.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

static void show_file(struct vane *vane, struct json *json, const char *name, const struct stat *status)
{
    bool directory = S_ISDIR(status->st_mode);

    if (directory)
        say(vane, "%10s  %s/\n", "", name);
    else
        say(vane, "%10lu  %s\n", (unsigned long)status->st_size, name);
    json_open(json, NULL, '{');
    json_string(json, "name", name);
    json_bool(json, "directory", directory);
    json_number(json, "size", directory ? 0 : (uint64_t)status->st_size);
    json_close(json, '}');
}

int cmd_ls(struct vane *vane, int argc, char **argv)
{
    const char *directory = argc > 1 ? argv[1] : "/";
    struct dirent *entry;
    struct stat status;
    struct json json;
    DIR *open;

    (void)option(&argc, argv, "-l", NULL);
    if (check_arguments(vane, argc, argv, 0, 1) != 0)
        return 1;
    directory = argc > 1 ? argv[1] : "/";
    if (stat(directory, &status) != 0)
        return fail(vane, "%s: %s", directory, strerror(errno));
    open = S_ISDIR(status.st_mode) ? opendir(directory) : NULL;
    json_begin(&json, vane);
    json_open(&json, NULL, '[');
    if (open == NULL)
        show_file(vane, &json, directory, &status);
    while (open != NULL && (entry = readdir(open)) != NULL) {
        char path[512];

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
        if (stat(path, &status) == 0)
            show_file(vane, &json, entry->d_name, &status);
    }
    json_close(&json, ']');
    json_end(&json);
    if (open != NULL)
        closedir(open);
    return 0;
}

int cmd_cat(struct vane *vane, int argc, char **argv)
{
    struct whole_file file;

    if (check_arguments(vane, argc, argv, 1, 16) != 0)
        return 1;
    for (int i = 1; i < argc; i++) {
        if (whole_file_open(argv[i], &file) != 0)
            return fail(vane, "%s: %s", argv[i], strerror(errno));
        if (vane->json) {
            struct json json;

            json_begin(&json, vane);
            json_open(&json, NULL, '{');
            json_string(&json, "name", argv[i]);
            json_text(&json, "text", file.data, file.size);
            json_close(&json, '}');
            json_end(&json);
        } else {
            fwrite(file.data, 1, file.size, stdout);
        }
        whole_file_close(&file);
    }
    return 0;
}
