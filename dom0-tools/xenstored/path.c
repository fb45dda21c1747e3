/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Names of nodes; see path.h.
 */
#include <stdio.h>
#include <string.h>

#include "path.h"

/* Every request checks its path, so this is no search through a list of characters. */
static bool allowed(const char *path)
{
    for (; *path != '\0'; path++)
        if (!((*path >= 'a' && *path <= 'z') || (*path >= '-' && *path <= '9' && *path != '.') || *path == '_' ||
              (*path >= '@' && *path <= 'Z')))
            return false;
    return true;
}

bool path_is_valid(const char *path)
{
    size_t len = strlen(path);

    if (*path != '/' || len > XENSTORE_ABS_PATH_MAX || !allowed(path))
        return false;
    if (len > 1 && path[len - 1] == '/')
        return false;
    return !strstr(path, "//");
}

bool path_resolve(unsigned int domid, const char *name, char *out, bool *relative)
{
    size_t len = strlen(name);

    *relative = *name != '/';
    if (!len || *name == '@' || len > (*relative ? XENSTORE_REL_PATH_MAX : XENSTORE_ABS_PATH_MAX))
        return false;
    if (*relative)
        snprintf(out, PATH_BUFFER, "/local/domain/%u/%s", domid, name);
    else
        memcpy(out, name, len + 1);
    return path_is_valid(out);
}

size_t path_home_len(unsigned int domid)
{
    return (size_t)snprintf(NULL, 0, "/local/domain/%u/", domid);
}

size_t path_parent_len(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == path ? 1 : (size_t)(slash - path);
}

unsigned int path_levels_below(const char *child, const char *ancestor)
{
    unsigned int levels = 0;
    size_t len = strlen(ancestor);

    if (len == 1) /* the root's own slash counts for its children */
        len = child[1] ? 0 : 1;
    for (child += len; *child; child++)
        levels += *child == '/';
    return levels;
}

bool parse_number(const char *string, unsigned long max, unsigned long *out)
{
    unsigned long value = 0;

    if (!*string)
        return false;
    for (; *string; string++) {
        unsigned long digit = (unsigned long)(*string - '0');

        if (*string < '0' || *string > '9' || value > (max - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}
