/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * dom0's files: ls, cat, cp, rm, mkdir. The RAM disk can be read, /tmp written; disks of the machine are in /dev.
 */
#include "json.h"
#include "outfile.h"
#include "system.h"
#include "vane.h"
#include "wholefile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest-pv/libc/mounts.h"

#define PATH_SIZE 512

static void show_file(struct vane *vane, struct json *json, const char *name, const struct stat *status)
{
    bool directory = S_ISDIR(status->st_mode);

    if (directory)
        say(vane, "%10s  %s/\n", "", name);
    else
        say(vane, "%10llu  %s\n", (unsigned long long)file_bytes(status), name);
    json_open(json, NULL, '{');
    json_string(json, "name", name);
    json_bool(json, "directory", directory);
    json_number(json, "size", directory ? 0 : file_bytes(status));
    json_close(json, '}');
}

int cmd_ls(struct vane *vane, int argc, char **argv)
{
    const char *directory;
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
        char path[PATH_SIZE];

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

static int json_file(struct vane *vane, const char *path)
{
    struct whole_file file;
    struct json json;

    if (whole_file_open(path, &file) != 0)
        return fail(vane, "%s: %s", path, strerror(errno));
    json_begin(&json, vane);
    json_open(&json, NULL, '{');
    json_string(&json, "name", path);
    json_text(&json, "text", file.data, file.size);
    json_close(&json, '}');
    json_end(&json);
    whole_file_close(&file);
    return 0;
}

/* Piece by piece: a file may be larger than dom0's memory, and Ctrl-C ends what turns out to be no text. */
static int show_contents(struct vane *vane, const char *path)
{
    int fd = open(path, O_RDONLY), status = 0;
    char piece[1024];
    long got = -1;

    while (fd >= 0 && status == 0 && (got = read(fd, piece, sizeof(piece))) > 0) {
        fwrite(piece, 1, (size_t)got, stdout);
        if (terminal_interrupted(0))
            status = fail(vane, "%s: interrupted", path);
    }
    if (got < 0)
        status = fail(vane, "%s: %s", path, strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    return status;
}

int cmd_cat(struct vane *vane, int argc, char **argv)
{
    int status = 0;

    if (check_arguments(vane, argc, argv, 1, vane->json ? 1 : 16) != 0)
        return 1;
    if (vane->json)
        return json_file(vane, argv[1]);
    for (int i = 1; i < argc && status == 0; i++)
        status = show_contents(vane, argv[i]);
    return status;
}

static bool same_file(const char *one, const char *other)
{
    struct place a, b;

    return place_find(one, &a) == 0 && place_find(other, &b) == 0 && a.mount == b.mount && strcmp(a.path, b.path) == 0;
}

/* Into a directory means under its own name there. */
static int target_path(const char *source, const char *target, char path[PATH_SIZE])
{
    const char *slash = strrchr(source, '/');
    struct stat st;
    int length;

    if (stat(target, &st) == 0 && S_ISDIR(st.st_mode))
        length = snprintf(path, PATH_SIZE, "%s/%s", target, slash != NULL ? slash + 1 : source);
    else
        length = snprintf(path, PATH_SIZE, "%s", target);
    return length < PATH_SIZE ? 0 : -1;
}

static int copy_bytes(struct vane *vane, const char *source, int fd, struct outfile *out)
{
    static char piece[65536];
    long got;

    while ((got = read(fd, piece, sizeof(piece))) > 0)
        if (outfile_put(out, piece, (size_t)got) != 0)
            return 1;
    return got < 0 ? fail(vane, "%s: %s", source, strerror(errno)) : 0;
}

static int copy(struct vane *vane, const char *source, const char *target, uint64_t *bytes)
{
    struct outfile *out = malloc(sizeof(*out));
    int fd = open(source, O_RDONLY), status;
    struct stat st;

    if (fd < 0 || out == NULL)
        status = fail(vane, "%s: %s", source, strerror(fd < 0 ? errno : ENOMEM));
    else if (fstat(fd, &st) != 0 || S_ISDIR(st.st_mode))
        status = fail(vane, "%s is a directory; cp copies files", source);
    else
        status = outfile_open(out, vane, target, file_bytes(&st));
    if (status == 0) {
        status = copy_bytes(vane, source, fd, out);
        if (status != 0)
            outfile_abandon(out);
        else
            status = outfile_close(out);
        *bytes = out->written;
    }
    if (fd >= 0)
        (void)close(fd);
    free(out);
    return status;
}

int cmd_cp(struct vane *vane, int argc, char **argv)
{
    char path[PATH_SIZE];
    struct json json;
    uint64_t bytes;

    if (check_arguments(vane, argc, argv, 2, 2) != 0)
        return 1;
    if (target_path(argv[1], argv[2], path) != 0)
        return fail(vane, "%s: %s", argv[2], strerror(ENAMETOOLONG));
    if (same_file(argv[1], path))
        return fail(vane, "%s and %s are the same file", argv[1], path);
    if (copy(vane, argv[1], path, &bytes) != 0)
        return 1;
    json_begin(&json, vane);
    json_open(&json, NULL, '{');
    json_string(&json, "name", path);
    json_number(&json, "bytes", bytes);
    json_close(&json, '}');
    json_end(&json);
    return 0;
}

int cmd_rm(struct vane *vane, int argc, char **argv)
{
    if (check_arguments(vane, argc, argv, 1, 16) != 0)
        return 1;
    for (int i = 1; i < argc; i++)
        if (unlink(argv[i]) != 0)
            return fail(vane, "%s: %s", argv[i],
                        errno == EROFS ? "read-only; files can be removed in /tmp" : strerror(errno));
    json_ok(vane);
    return 0;
}

int cmd_mkdir(struct vane *vane, int argc, char **argv)
{
    if (check_arguments(vane, argc, argv, 1, 1) != 0)
        return 1;
    if (mkdir(argv[1], 0755) != 0)
        return fail(vane, "%s: %s", argv[1],
                    errno == EROFS ? "read-only; directories can be made in /tmp" : strerror(errno));
    json_ok(vane);
    return 0;
}
