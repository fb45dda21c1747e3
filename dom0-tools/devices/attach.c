/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The toolstack's side of devices; see attach.h. The guest owns its own directory and may do with it what it likes, so
 * only the backend's directory, which is dom0's, says which devices there are.
 */
#include "attach.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <abi/io/xenbus.h>
#include <pv/threads.h>
#include <pv/time.h>

#include "backend.h"
#include "patience.h"

#define PATH_SIZE    256
#define SECOND_NS    1000000000ull
#define READY_NS     (10 * SECOND_NS)
#define LET_GO_NS    (10 * SECOND_NS)
#define POLL_NS      2000000ull
#define TRIES_MAX    32
#define BACKEND_ROOT "/local/domain/0/backend"

static void make_path(const struct device_name *name, bool front, char path[PATH_SIZE])
{
    if (front)
        snprintf(path, PATH_SIZE, "/local/domain/%u/device/%s/%u", name->domid, name->kind, name->id);
    else
        snprintf(path, PATH_SIZE, BACKEND_ROOT "/%s/%u/%u", name->kind, name->domid, name->id);
}

char *device_path(const struct device_name *name, bool front)
{
    char path[PATH_SIZE];

    make_path(name, front, path);
    return strdup(path);
}

/* A change of several nodes; after the first failure the rest is passed over. */
struct change {
    struct xs_handle *xs;
    xs_transaction_t transaction;
    char dir[PATH_SIZE];
    bool failed;
};

static void put(struct change *change, const char *node, const char *value)
{
    char path[PATH_SIZE + 64];

    snprintf(path, sizeof(path), "%s/%s", change->dir, node);
    if (!change->failed)
        change->failed = !xs_write(change->xs, change->transaction, path, value, (unsigned int)strlen(value));
}

static void put_number(struct change *change, const char *node, unsigned int value)
{
    char text[16];

    snprintf(text, sizeof(text), "%u", value);
    put(change, node, text);
}

/* An empty directory with the rights that all below it gets: its owner's, and reading for the other end. */
static void make_directory(struct change *change, domid_t owner, domid_t reader)
{
    struct xs_permissions rights[2] = {{owner, XS_PERM_NONE}, {reader, XS_PERM_READ}};

    if (!change->failed)
        change->failed = !xs_mkdir(change->xs, change->transaction, change->dir) ||
                         !xs_set_permissions(change->xs, change->transaction, change->dir, rights, 2);
}

static void put_all(struct change *change, const struct device_setting *settings)
{
    for (; settings->node != NULL; settings++)
        put(change, settings->node, settings->value);
}

static void put_device(struct change *change, const struct device_name *name, const struct device_setting *back,
                       const struct device_setting *front)
{
    char other[PATH_SIZE];

    make_path(name, true, change->dir);
    make_path(name, false, other);
    make_directory(change, name->domid, 0);
    put(change, "backend", other);
    put_number(change, "backend-id", 0);
    put_all(change, front);
    put_number(change, "state", XenbusStateInitialising);

    make_path(name, true, other);
    make_path(name, false, change->dir);
    make_directory(change, 0, name->domid);
    put(change, "frontend", other);
    put_number(change, "frontend-id", name->domid);
    put_number(change, "online", 1);
    put_all(change, back);
    put_number(change, "state", XenbusStateInitialising);
}

static bool make_nodes(struct xs_handle *xs, const struct device_name *name, const struct device_setting *back,
                       const struct device_setting *front)
{
    for (unsigned int i = 0; i < TRIES_MAX; i++) {
        struct change change = {.xs = xs, .transaction = xs_transaction_start(xs)};
        int error;

        if (change.transaction == XBT_NULL)
            return false;
        put_device(&change, name, back, front);
        error = errno;
        if (xs_transaction_end(xs, change.transaction, change.failed) && !change.failed)
            return true;
        if (change.failed)
            errno = error;
        if (errno != EAGAIN)
            return false;
    }
    return false;
}

void nodes_remove(struct xs_handle *xs, const char *path)
{
    unsigned int patience = PATIENCE;

    while (!xs_rm(xs, XBT_NULL, path) && has_patience(&patience))
        ;
}

/* Before the backend has let go, the next device of this name would be taken for the one that was there. */
static void remove_nodes(struct xs_handle *xs, const struct device_name *name)
{
    char path[PATH_SIZE];

    make_path(name, true, path);
    nodes_remove(xs, path);
    make_path(name, false, path);
    nodes_remove(xs, path);
    if (!backend_gone(name->kind, name->domid, name->id, time_monotonic_ns() + LET_GO_NS))
        fprintf(stderr, "vane: the backend of %s %u of domain %u did not end in time\n", name->kind, name->id,
                name->domid);
}

char *device_read(struct xs_handle *xs, const struct device_name *name, bool front, const char *node)
{
    char dir[PATH_SIZE], path[PATH_SIZE + 64];

    make_path(name, front, dir);
    snprintf(path, sizeof(path), "%s/%s", dir, node);
    return xs_read(xs, XBT_NULL, path, NULL);
}

int device_read_number(struct xs_handle *xs, const struct device_name *name, bool front, const char *node)
{
    char *text = device_read(xs, name, front, node), *end;
    long value = -1;

    if (text != NULL) {
        errno = 0;
        value = strtol(text, &end, 10);
        if (end == text || *end != '\0' || errno != 0 || value < 0 || value > INT32_MAX)
            value = -1;
    }
    free(text);
    return (int)value;
}

bool device_exists(struct xs_handle *xs, const struct device_name *name)
{
    char *frontend = device_read(xs, name, false, "frontend");

    free(frontend);
    return frontend != NULL;
}

/* The backend's state once it is in [low, high], or what it was when time was up. */
static int wait_for(struct xs_handle *xs, const struct device_name *name, int low, int high, uint64_t time_ns)
{
    uint64_t deadline = time_monotonic_ns() + time_ns;
    int state;

    for (;;) {
        state = device_read_number(xs, name, false, "state");
        if ((state >= low && state <= high) || time_monotonic_ns() >= deadline)
            return state;
        thread_sleep_ns(POLL_NS);
    }
}

static void take_reason(struct xs_handle *xs, const struct device_name *name, const char *otherwise, char *reason)
{
    char *text = device_read(xs, name, false, "hotplug-error");

    snprintf(reason, DEVICE_REASON_SIZE, "%s", text != NULL ? text : otherwise);
    free(text);
}

int device_attach(struct xs_handle *xs, const struct device_name *name, const struct device_setting *back,
                  const struct device_setting *front, char reason[DEVICE_REASON_SIZE])
{
    int state;

    if (device_exists(xs, name)) {
        snprintf(reason, DEVICE_REASON_SIZE, "domain %u has a device %s %u already", name->domid, name->kind, name->id);
        return -1;
    }
    if (!make_nodes(xs, name, back, front)) {
        snprintf(reason, DEVICE_REASON_SIZE, "writing the nodes of %s %u to the xenstore failed: %s", name->kind,
                 name->id, strerror(errno));
        return -1;
    }
    state = wait_for(xs, name, XenbusStateInitWait, XenbusStateClosed, READY_NS);
    if (state >= XenbusStateInitWait && state < XenbusStateClosing)
        return 0;
    take_reason(xs, name, state == XenbusStateInitialising ? "the backend did not take the device up" : "it was closed",
                reason);
    remove_nodes(xs, name);
    return -1;
}

int device_detach(struct xs_handle *xs, const struct device_name *name, bool force, char reason[DEVICE_REASON_SIZE])
{
    struct change change = {.xs = xs, .transaction = XBT_NULL};
    int state;

    make_path(name, false, change.dir);
    if (!force) {
        put_number(&change, "online", 0);
        put_number(&change, "state", XenbusStateClosing);
        state = wait_for(xs, name, XenbusStateClosed, XenbusStateClosed, LET_GO_NS);
        if (state != XenbusStateClosed && device_exists(xs, name)) {
            snprintf(reason, DEVICE_REASON_SIZE,
                     "the guest did not let go of it within %u s (is it mounted?); it was asked, and --force takes the "
                     "device away nevertheless",
                     (unsigned int)(LET_GO_NS / SECOND_NS));
            return -1;
        }
    }
    remove_nodes(xs, name);
    return 0;
}

/* The names below a directory of the store are numbers here; others are passed over. */
static unsigned int *read_numbers(struct xs_handle *xs, const char *path, unsigned int *count)
{
    unsigned int entries = 0, *numbers;
    char **names = xs_directory(xs, XBT_NULL, path, &entries);

    *count = 0;
    numbers = names != NULL && entries > 0 ? calloc(entries, sizeof(*numbers)) : NULL;
    for (unsigned int i = 0; numbers != NULL && i < entries; i++) {
        char *end;
        unsigned long number = strtoul(names[i], &end, 10);

        if (end != names[i] && *end == '\0' && number <= UINT32_MAX)
            numbers[(*count)++] = (unsigned int)number;
    }
    free(names);
    return numbers;
}

static int ascending(const void *a, const void *b)
{
    unsigned int left = *(const unsigned int *)a, right = *(const unsigned int *)b;

    return left < right ? -1 : left > right;
}

unsigned int *devices_list(struct xs_handle *xs, domid_t domid, const char *kind, unsigned int *count)
{
    char path[PATH_SIZE];
    unsigned int *ids;

    snprintf(path, sizeof(path), BACKEND_ROOT "/%s/%u", kind, domid);
    ids = read_numbers(xs, path, count);
    if (ids != NULL)
        qsort(ids, *count, sizeof(*ids), ascending);
    return ids;
}

void devices_remove_all(struct xs_handle *xs, domid_t domid)
{
    unsigned int count = 0, patience = PATIENCE;
    char **kinds, path[PATH_SIZE];

    while ((kinds = xs_directory(xs, XBT_NULL, BACKEND_ROOT, &count)) == NULL && has_patience(&patience))
        ;
    for (unsigned int i = 0; kinds != NULL && i < count; i++) {
        if (strcmp(kinds[i], "console") == 0)
            continue;
        snprintf(path, sizeof(path), "/local/domain/%u/device/%s", domid, kinds[i]);
        nodes_remove(xs, path);
        snprintf(path, sizeof(path), BACKEND_ROOT "/%s/%u", kinds[i], domid);
        nodes_remove(xs, path);
    }
    free(kinds);
    if (!backend_settle(domid, time_monotonic_ns() + LET_GO_NS))
        fprintf(stderr, "vane: the backends of domain %u did not end in time\n", domid);
}
