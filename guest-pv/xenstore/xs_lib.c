/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Small helpers that libxenstore exports beside the store calls. Contracts are in include/xenstore_lib.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xenstore.h>

static const char *from_environment(const char *name, const char *otherwise)
{
    const char *value = getenv(name);

    return value ? value : otherwise;
}

const char *xs_daemon_rundir(void)
{
    return from_environment("XENSTORED_RUNDIR", "/run/xenstored");
}

const char *xs_daemon_socket(void)
{
    static char path[256];
    const char *given = getenv("XENSTORED_PATH");

    if (given)
        return given;
    if (snprintf(path, sizeof(path), "%s/socket", xs_daemon_rundir()) >= (int)sizeof(path))
        return NULL;
    return path;
}

const char *xs_daemon_socket_ro(void)
{
    return xs_daemon_socket();
}

bool xs_write_all(int fd, const void *data, unsigned int len)
{
    const char *at = data;

    while (len) {
        ssize_t done = write(fd, at, len);

        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        at += done;
        len -= (unsigned int)done;
    }
    return true;
}

static bool letter_to_bits(char letter, unsigned int *bits)
{
    static const char letters[] = "nrwb";
    const char *at = letter ? strchr(letters, letter) : NULL;

    if (!at)
        return false;
    *bits = (unsigned int)(at - letters);
    return true;
}

bool xs_strings_to_perms(struct xs_permissions *perms, unsigned int num, const char *strings)
{
    for (unsigned int i = 0; i < num; i++, strings += strlen(strings) + 1) {
        char *end;

        if (!letter_to_bits(*strings, &perms[i].perms)) {
            errno = EINVAL;
            return false;
        }
        perms[i].id = (unsigned int)strtoul(strings + 1, &end, 0);
        if (end == strings + 1 || *end) {
            errno = EINVAL;
            return false;
        }
    }
    return true;
}

bool xs_path_is_subpath(const char *parent, const char *child)
{
    size_t len = strlen(parent);

    if (len == 1 && *parent == '/')
        return *child == '/';
    return !strncmp(parent, child, len) && (child[len] == '/' || child[len] == '\0');
}
