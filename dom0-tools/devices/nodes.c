/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What is read and written in the store about a device, and what is said when its frontend misbehaves: which writes what
 * it likes, as often as it likes.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dom0-tools/xenstored/start.h"
#include "entry.h"
#include "patience.h"

#define COMPLAINTS_TOLD 8u

void entry_report(const struct backend_device *device, const char *format, ...)
{
    char who[48];
    va_list args;

    snprintf(who, sizeof(who), "%s %u of domain %u", device->kind->name, device->id, device->domid);
    va_start(args, format);
    daemon_vlog(who, format, args);
    va_end(args);
}

bool entry_join(char path[ENTRY_PATH_SIZE], const char *dir, const char *node)
{
    return snprintf(path, ENTRY_PATH_SIZE, "%s/%s", dir, node) < ENTRY_PATH_SIZE;
}

char *backend_read(const struct backend_device *device, bool front, const char *node)
{
    char path[ENTRY_PATH_SIZE], *value;
    unsigned int length, patience = PATIENCE;

    if (!entry_join(path, front ? device->front : device->back, node))
        return NULL;
    while ((value = xs_read(entry_store, XBT_NULL, path, &length)) == NULL && has_patience(&patience))
        ;
    if (value != NULL && strlen(value) != length) { /* a NUL inside is no text */
        free(value);
        errno = EINVAL;
        return NULL;
    }
    return value;
}

bool backend_read_number(const struct backend_device *device, bool front, const char *node, uint64_t *out)
{
    char *text = backend_read(device, front, node), *end = text;
    bool good = false;

    if (text != NULL && *text >= '0' && *text <= '9') {
        errno = 0;
        *out = strtoull(text, &end, 10);
        good = errno == 0 && *end == '\0';
    }
    free(text);
    return good;
}

bool entry_still_there(const struct backend_device *device)
{
    char *frontend = backend_read(device, false, "frontend");
    bool there = frontend != NULL || errno != ENOENT;

    free(frontend);
    return there;
}

static bool write_node(const char *path, const char *value)
{
    unsigned int patience = PATIENCE;
    bool written;

    while (!(written = xs_write(entry_store, XBT_NULL, path, value, (unsigned int)strlen(value))) &&
           has_patience(&patience))
        ;
    return written;
}

/* Writing would make a directory anew that is gone. */
bool backend_write(const struct backend_device *device, const char *node, const char *format, ...)
{
    char path[ENTRY_PATH_SIZE], value[256];
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(value, sizeof(value), format, args);
    va_end(args);
    if (length < 0 || (size_t)length >= sizeof(value) || !entry_join(path, device->back, node)) {
        errno = ENAMETOOLONG;
        return false;
    }
    return entry_still_there(device) && write_node(path, value);
}

static void write_reason(const struct backend_device *device, int error, const char *reason)
{
    char path[ENTRY_PATH_SIZE], value[240];

    snprintf(path, sizeof(path), "/local/domain/0/error/backend/%s/%u/%u/error", device->kind->name, device->domid,
             device->id);
    snprintf(value, sizeof(value), "%d %s", error < 0 ? -error : error, reason);
    (void)backend_write(device, "hotplug-error", "%s", reason); /* and no look at the device after that */
    (void)xs_write(entry_store, XBT_NULL, path, value, (unsigned int)strlen(value));
}

/* A frontend may begin again as often as it likes: after the first few, what is wrong is told each time their number has
 * doubled. */
static bool is_news(struct entry *entry)
{
    unsigned int count = ++entry->complaints;

    return count <= COMPLAINTS_TOLD || (count & (count - 1)) == 0;
}

void backend_error(struct backend_device *device, int error, const char *format, ...)
{
    char reason[200];
    va_list args;

    va_start(args, format);
    vsnprintf(reason, sizeof(reason), format, args);
    va_end(args);
    if (is_news(entry_of(device)))
        entry_report(device, "%s%s%s", reason, error != 0 ? ": " : "",
                     error != 0 ? strerror(error < 0 ? -error : error) : "");
    write_reason(device, error, reason);
}

/* The caller may be any thread: the backend's own state in the store is what wakes ours. The device may go whenever the
 * caller waits. */
void backend_cut_off(struct backend_device *device, const char *format, ...)
{
    struct entry *entry = entry_of(device);
    char reason[200];
    va_list args;

    if (entry->cut)
        return;
    entry->cut = true;
    va_start(args, format);
    vsnprintf(reason, sizeof(reason), format, args);
    va_end(args);
    if (is_news(entry))
        entry_report(device, "cut off: %s", reason);
    if (entry_is_cut(device))
        write_reason(device, EPROTO, reason);
    if (entry_is_cut(device))
        (void)backend_write(device, "state", "%d", (int)XenbusStateClosing);
}

/* What was said about a device goes with it, and the directory of its domain with the last. */
void entry_remove_reasons(const struct backend_device *device)
{
    char path[ENTRY_PATH_SIZE];
    int end = snprintf(path, sizeof(path), "/local/domain/0/error/backend/%s/%u", device->kind->name, device->domid);

    if (entry_any_of(device->domid, device->kind))
        snprintf(path + end, sizeof(path) - (size_t)end, "/%u", device->id);
    (void)xs_rm(entry_store, XBT_NULL, path);
}
