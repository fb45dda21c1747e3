/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The one thread that follows every device's states: the list of devices, and the events by which it changes. One that
 * memory lacked for is made good by a look at all there is.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pv/threads.h>
#include <pv/time.h>

#include "entry.h"
#include "patience.h"

#define ROOT      "/local/domain/0/backend/"
#define KINDS_MAX 4
#define FRONT     "front" /* token of the watches on frontends' states; those on backends have their kind's name */

struct xs_handle *entry_store;
static const struct backend_kind *kinds[KINDS_MAX];
static unsigned int kind_count;
static struct backend_device *devices;
static struct waitq departures;
static bool behind; /* short of memory, something was not seen or not done: everything is to be looked at */

/* The device is still there, and the same. */
bool entry_is_cut(const struct backend_device *wanted)
{
    struct backend_device *device = devices;

    while (device != NULL && device != wanted)
        device = device->next;
    return device != NULL && entry_of(device)->cut;
}

/* Whether a domain has devices of a kind; NULL stands for any. */
bool entry_any_of(domid_t domid, const struct backend_kind *kind)
{
    struct backend_device *device = devices;

    while (device != NULL && (device->domid != domid || (kind != NULL && device->kind != kind)))
        device = device->next;
    return device != NULL;
}

static void watch_front(struct entry *entry)
{
    char path[ENTRY_PATH_SIZE];

    (void)entry_join(path, entry->device.front, "state");
    entry->watched = xs_watch(entry_store, path, FRONT) || errno == EEXIST; /* fires at once */
    behind = behind || (!entry->watched && errno == ENOMEM);
}

static void unwatch_front(const struct entry *entry)
{
    unsigned int patience = PATIENCE;
    char path[ENTRY_PATH_SIZE];

    if (entry->watched && entry_join(path, entry->device.front, "state"))
        while (!xs_unwatch(entry_store, path, FRONT) && has_patience(&patience))
            ;
}

static void free_entry(struct entry *entry)
{
    free(entry->device.back);
    free(entry->device.front);
    free(entry);
}

static struct backend_device *find(const struct backend_kind *kind, domid_t domid, unsigned int id)
{
    struct backend_device *device = devices;

    while (device != NULL && (device->kind != kind || device->domid != domid || device->id != id))
        device = device->next;
    return device;
}

static void remove_entry(struct entry *entry)
{
    struct backend_device **link = &devices;

    unwatch_front(entry);
    if (entry->created) {
        entry_disconnect(entry);
        entry->device.kind->destroy(&entry->device);
    }
    while (*link != &entry->device)
        link = &(*link)->next;
    *link = entry->device.next;
    entry_remove_reasons(&entry->device);
    free_entry(entry);
    waitq_wake(&departures);
}

static struct entry *make_entry(const struct backend_kind *kind, domid_t domid, unsigned int id)
{
    struct entry *entry = calloc(1, sizeof(*entry));
    char path[ENTRY_PATH_SIZE];

    if (entry == NULL) {
        behind = true;
        return NULL;
    }
    snprintf(path, sizeof(path), ROOT "%s/%u/%u", kind->name, domid, id);
    entry->device = (struct backend_device){.kind = kind, .domid = domid, .id = id, .state = XenbusStateInitialising};
    entry->device.back = strdup(path);
    entry->device.front = entry->device.back != NULL ? backend_read(&entry->device, false, "frontend") : NULL;
    if (entry->device.front != NULL && strlen(entry->device.front) < ENTRY_PATH_SIZE / 2)
        return entry;
    behind = behind || (entry->device.front == NULL && errno == ENOMEM);
    free_entry(entry);
    return NULL;
}

/* A directory with a frontend named in it is a device; until that is there, there is nothing to follow. */
static void add_entry(const struct backend_kind *kind, domid_t domid, unsigned int id)
{
    struct entry *entry = make_entry(kind, domid, id);
    int status;

    if (entry == NULL)
        return;
    entry->device.next = devices;
    devices = &entry->device;
    status = kind->create(&entry->device);
    entry->created = status == 0;
    if (entry->created) {
        (void)backend_write(&entry->device, "hotplug-status", "connected");
        entry_set_state(entry, XenbusStateInitWait);
        watch_front(entry);
    } else {
        (void)backend_write(&entry->device, "hotplug-status", "error");
        entry_set_state(entry, XenbusStateClosed);
    }
}

static void look_at_front(struct entry *entry)
{
    if (!entry->watched)
        watch_front(entry);
    behind = !entry_follow(entry) || behind;
}

static void look_at(const struct backend_kind *kind, domid_t domid, unsigned int id)
{
    struct backend_device *device = find(kind, domid, id);

    if (device == NULL)
        add_entry(kind, domid, id);
    else if (!entry_still_there(device))
        remove_entry(entry_of(device));
    else if (entry_of(device)->created)
        look_at_front(entry_of(device));
}

/* Directories vanished: each device tells whether its own is among them. */
static void look_for_losses(const struct backend_kind *kind)
{
    struct backend_device *device = devices, *next;

    for (; device != NULL; device = next) {
        next = device->next;
        if (device->kind == kind && !entry_still_there(device))
            remove_entry(entry_of(device));
    }
}

static const struct backend_kind *find_kind(const char *name)
{
    for (unsigned int i = 0; i < kind_count; i++)
        if (strcmp(kinds[i]->name, name) == 0)
            return kinds[i];
    return NULL;
}

/* Nodes that change a device's course; what drivers write for each other to read is passed over. */
static bool matters(const char *node)
{
    return *node == '\0' || strcmp(node, "/state") == 0 || strcmp(node, "/online") == 0 ||
           strcmp(node, "/frontend") == 0;
}

static void take_back_event(const char *path, const struct backend_kind *kind)
{
    unsigned int domid, id;
    int used = 0;

    path += strlen(ROOT) + strlen(kind->name);
    if (sscanf(path, "/%u/%u%n", &domid, &id, &used) == 2 && domid < DOMID_FIRST_RESERVED) {
        if (matters(path + used))
            look_at(kind, (domid_t)domid, id);
    } else {
        look_for_losses(kind);
    }
}

static void take_front_event(const char *path)
{
    for (struct backend_device *device = devices; device != NULL; device = device->next) {
        size_t length = strlen(device->front);

        if (strncmp(path, device->front, length) == 0 && path[length] == '/') {
            look_at(device->kind, device->domid, device->id);
            return;
        }
    }
}

static void take_event(const char *path, const char *token)
{
    const struct backend_kind *kind = find_kind(token);

    if (strcmp(token, FRONT) == 0)
        take_front_event(path);
    else if (kind != NULL && strncmp(path, ROOT, strlen(ROOT)) == 0)
        take_back_event(path, kind);
}

/* Everything so many levels below a directory, as if an event had told of it. */
static void look_below(const struct backend_kind *kind, const char *path, unsigned int levels)
{
    unsigned int count = 0;
    char **names = xs_directory(entry_store, XBT_NULL, path, &count), below[ENTRY_PATH_SIZE];

    behind = behind || (names == NULL && errno == ENOMEM);
    for (unsigned int i = 0; names != NULL && i < count; i++) {
        if (!entry_join(below, path, names[i]))
            continue;
        if (levels > 1)
            look_below(kind, below, levels - 1);
        else
            take_back_event(below, kind);
    }
    free(names);
}

static void look_at_all(void)
{
    char path[ENTRY_PATH_SIZE];

    behind = false;
    for (unsigned int i = 0; i < kind_count; i++) {
        look_for_losses(kinds[i]);
        snprintf(path, sizeof(path), ROOT "%s", kinds[i]->name);
        look_below(kinds[i], path, 2);
    }
}

static void backend_loop(void *arg)
{
    unsigned int count;
    char **event;

    while ((event = xs_read_watch(entry_store, &count)) != NULL || errno == ENOMEM) {
        if (event != NULL)
            take_event(event[XS_WATCH_PATH], event[XS_WATCH_TOKEN]);
        for (behind = behind || event == NULL; behind; look_at_all())
            thread_sleep_ns(PATIENCE_NS);
        free(event);
        thread_yield();
    }
    fprintf(stderr, "devices: lost the store: %s\n", strerror(errno));
}

int backend_serve(const struct backend_kind *kind)
{
    char path[ENTRY_PATH_SIZE];

    if (kind_count == KINDS_MAX)
        return -ENOSPC;
    if (entry_store == NULL) {
        entry_store = xs_open(0);
        if (entry_store == NULL)
            return -errno;
        if (thread_create("devices", backend_loop, NULL) == NULL)
            return -ENOMEM;
    }
    kinds[kind_count++] = kind;
    snprintf(path, sizeof(path), ROOT "%s", kind->name);
    if (!xs_mkdir(entry_store, XBT_NULL, path) || !xs_watch(entry_store, path, kind->name))
        return -errno;
    return 0;
}

bool backend_gone(const char *kind, domid_t domid, unsigned int id, uint64_t deadline_ns)
{
    return wait_event_until(&departures, find(find_kind(kind), domid, id) == NULL, deadline_ns);
}

bool backend_settle(domid_t domid, uint64_t deadline_ns)
{
    return wait_event_until(&departures, !entry_any_of(domid, NULL), deadline_ns);
}
