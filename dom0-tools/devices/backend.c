/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The one thread that follows every device's states. What is to be done follows from three facts alone, read anew at
 * each event: do the backend's nodes still exist, is the device online, and which state does the frontend say it is in.
 * So events may be merged or doubled by whoever writes quickly, and nothing is done twice. One that memory lacked for is
 * made good by a look at all there is, and a fact that could not be read decides nothing. The frontend's word is hostile:
 * it only ever chooses among the steps below.
 */
#include "backend.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pv/threads.h>
#include <pv/time.h>

#include "dom0-tools/xenstored/start.h"
#include "patience.h"

#define ROOT            "/local/domain/0/backend/"
#define PATH_SIZE       256
#define KINDS_MAX       4
#define COMPLAINTS_TOLD 8u
#define FRONT           "front" /* token of the watches on frontends' states; those on backends have their kind's name */

struct entry {
    struct backend_device device;
    bool created;   /* the kind's create succeeded */
    bool connected; /* its connect did, and disconnect was not called since */
    bool cut;       /* broke the protocol: no connection before the frontend starts over */
    bool watched;   /* its frontend's state */
    unsigned int complaints;
};

static struct xs_handle *store;
static const struct backend_kind *kinds[KINDS_MAX];
static unsigned int kind_count;
static struct backend_device *devices;
static struct waitq departures;
static bool behind; /* short of memory, something was not seen or not done: everything is to be looked at */

static struct entry *entry_of(struct backend_device *device)
{
    return (struct entry *)((char *)device - offsetof(struct entry, device));
}

static void report(const struct backend_device *device, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void report(const struct backend_device *device, const char *format, ...)
{
    char who[48];
    va_list args;

    snprintf(who, sizeof(who), "%s %u of domain %u", device->kind->name, device->id, device->domid);
    va_start(args, format);
    daemon_vlog(who, format, args);
    va_end(args);
}

static bool join(char path[PATH_SIZE], const char *dir, const char *node)
{
    return snprintf(path, PATH_SIZE, "%s/%s", dir, node) < PATH_SIZE;
}

char *backend_read(const struct backend_device *device, bool front, const char *node)
{
    char path[PATH_SIZE], *value;
    unsigned int length, patience = PATIENCE;

    if (!join(path, front ? device->front : device->back, node))
        return NULL;
    while ((value = xs_read(store, XBT_NULL, path, &length)) == NULL && has_patience(&patience))
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

static bool still_there(const struct backend_device *device)
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

    while (!(written = xs_write(store, XBT_NULL, path, value, (unsigned int)strlen(value))) && has_patience(&patience))
        ;
    return written;
}

/* Writing would make a directory anew that is gone. */
bool backend_write(const struct backend_device *device, const char *node, const char *format, ...)
{
    char path[PATH_SIZE], value[256];
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(value, sizeof(value), format, args);
    va_end(args);
    if (length < 0 || (size_t)length >= sizeof(value) || !join(path, device->back, node)) {
        errno = ENAMETOOLONG;
        return false;
    }
    return still_there(device) && write_node(path, value);
}

static void write_reason(const struct backend_device *device, int error, const char *reason)
{
    char path[PATH_SIZE], value[240];

    snprintf(path, sizeof(path), "/local/domain/0/error/backend/%s/%u/%u/error", device->kind->name, device->domid,
             device->id);
    snprintf(value, sizeof(value), "%d %s", error < 0 ? -error : error, reason);
    (void)backend_write(device, "hotplug-error", "%s", reason); /* and no look at the device after that */
    (void)xs_write(store, XBT_NULL, path, value, (unsigned int)strlen(value));
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
        report(device, "%s%s%s", reason, error != 0 ? ": " : "",
               error != 0 ? strerror(error < 0 ? -error : error) : "");
    write_reason(device, error, reason);
}

/* The device is still there, and the same. */
static bool is_cut(const struct backend_device *wanted)
{
    struct backend_device *device = devices;

    while (device != NULL && device != wanted)
        device = device->next;
    return device != NULL && entry_of(device)->cut;
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
        report(device, "cut off: %s", reason);
    if (is_cut(device))
        write_reason(device, EPROTO, reason);
    if (is_cut(device))
        (void)backend_write(device, "state", "%d", (int)XenbusStateClosing);
}

static void set_state(struct entry *entry, XenbusState state)
{
    if (entry->device.state == state)
        return;
    entry->device.state = state;
    if (!backend_write(&entry->device, "state", "%d", (int)state) && errno != ENOENT)
        report(&entry->device, "its state could not be written: %s", strerror(errno));
}

static void disconnect(struct entry *entry)
{
    entry->device.kind->disconnect(&entry->device);
    entry->connected = false;
}

/* Who asks for a device writes our state as well: it may not hide that the device is closed already. */
static void confirm_closed(struct entry *entry)
{
    uint64_t told;

    if (backend_read_number(&entry->device, false, "state", &told) && told != XenbusStateClosed)
        (void)backend_write(&entry->device, "state", "%d", (int)XenbusStateClosed);
}

static void close_device(struct entry *entry)
{
    if (entry->device.state == XenbusStateClosed) {
        confirm_closed(entry);
        return;
    }
    set_state(entry, XenbusStateClosing);
    if (entry->created)
        disconnect(entry);
    set_state(entry, XenbusStateClosed);
}

static void connect(struct entry *entry)
{
    int status;

    disconnect(entry);
    status = entry->device.kind->connect(&entry->device);
    if (status == 0) {
        entry->connected = true;
        set_state(entry, XenbusStateConnected);
        return;
    }
    entry->cut = true; /* the reason is reported; trying again waits for the frontend to start over */
    close_device(entry);
}

/* A number in the store, 0 when there is none; false when memory lacks. */
static bool look_up(const struct entry *entry, bool front, const char *node, uint64_t *number)
{
    errno = 0;
    if (!backend_read_number(&entry->device, front, node, number))
        *number = 0;
    return errno != ENOMEM;
}

/* The frontend is new, or starts over: a kernel after its boot loader, a driver loaded again. */
static void begin(struct entry *entry, bool online)
{
    entry->cut = false;
    if (!online) {
        close_device(entry);
        return;
    }
    if (entry->connected)
        disconnect(entry);
    set_state(entry, XenbusStateInitWait);
}

/* Only from Connected: a guest cannot skip the checks of connecting this way. */
static void reconfigure(struct entry *entry, bool online)
{
    if (!online) {
        close_device(entry);
    } else if (entry->connected && entry->device.state == XenbusStateConnected) {
        if (entry->device.kind->reconfigure != NULL)
            entry->device.kind->reconfigure(&entry->device);
        set_state(entry, XenbusStateReconfigured);
    }
}

/* The frontend is ready. */
static void serve(struct entry *entry, bool online)
{
    if (!entry->cut && !entry->connected && online)
        connect(entry);
    else if (!online && entry->connected) /* the toolstack asks: the frontend sees it and closes */
        set_state(entry, XenbusStateClosing);
    else if (!online)
        close_device(entry);
    else if (entry->device.state == XenbusStateReconfigured)
        set_state(entry, XenbusStateConnected);
}

static void follow(struct entry *entry)
{
    uint64_t online, state;

    if (!look_up(entry, false, "online", &online) || !look_up(entry, true, "state", &state)) {
        behind = true;
        return;
    }
    if (entry->cut)
        close_device(entry);
    switch (state <= XenbusStateReconfigured ? state : XenbusStateUnknown) {
    case XenbusStateInitialising:
        begin(entry, online);
        break;
    case XenbusStateInitialised:
    case XenbusStateConnected:
        serve(entry, online);
        break;
    case XenbusStateReconfiguring:
        reconfigure(entry, online);
        break;
    case XenbusStateClosing: /* it still ends its work */
        if (entry->connected)
            set_state(entry, XenbusStateClosing);
        else
            close_device(entry);
        break;
    case XenbusStateClosed:
        entry->cut = false;
        close_device(entry);
        break;
    case XenbusStateUnknown:
        close_device(entry);
        break;
    default:
        if (!online)
            close_device(entry);
        break;
    }
}

static void watch_front(struct entry *entry)
{
    char path[PATH_SIZE];

    (void)join(path, entry->device.front, "state");
    entry->watched = xs_watch(store, path, FRONT) || errno == EEXIST; /* fires at once */
    behind = behind || (!entry->watched && errno == ENOMEM);
}

static void unwatch_front(const struct entry *entry)
{
    unsigned int patience = PATIENCE;
    char path[PATH_SIZE];

    if (entry->watched && join(path, entry->device.front, "state"))
        while (!xs_unwatch(store, path, FRONT) && has_patience(&patience))
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

/* Whether a domain has devices of a kind; NULL stands for any. */
static bool any_of(domid_t domid, const struct backend_kind *kind)
{
    struct backend_device *device = devices;

    while (device != NULL && (device->domid != domid || (kind != NULL && device->kind != kind)))
        device = device->next;
    return device != NULL;
}

/* What was said about a device goes with it, and the directory of its domain with the last. */
static void remove_reasons(const struct backend_device *device)
{
    char path[PATH_SIZE];
    int end = snprintf(path, sizeof(path), "/local/domain/0/error/backend/%s/%u", device->kind->name, device->domid);

    if (any_of(device->domid, device->kind))
        snprintf(path + end, sizeof(path) - (size_t)end, "/%u", device->id);
    (void)xs_rm(store, XBT_NULL, path);
}

static void remove_entry(struct entry *entry)
{
    struct backend_device **link = &devices;

    unwatch_front(entry);
    if (entry->created) {
        disconnect(entry);
        entry->device.kind->destroy(&entry->device);
    }
    while (*link != &entry->device)
        link = &(*link)->next;
    *link = entry->device.next;
    remove_reasons(&entry->device);
    free_entry(entry);
    waitq_wake(&departures);
}

static struct entry *make_entry(const struct backend_kind *kind, domid_t domid, unsigned int id)
{
    struct entry *entry = calloc(1, sizeof(*entry));
    char path[PATH_SIZE];

    if (entry == NULL) {
        behind = true;
        return NULL;
    }
    snprintf(path, sizeof(path), ROOT "%s/%u/%u", kind->name, domid, id);
    entry->device = (struct backend_device){.kind = kind, .domid = domid, .id = id, .state = XenbusStateInitialising};
    entry->device.back = strdup(path);
    entry->device.front = entry->device.back != NULL ? backend_read(&entry->device, false, "frontend") : NULL;
    if (entry->device.front != NULL && strlen(entry->device.front) < PATH_SIZE / 2)
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
        set_state(entry, XenbusStateInitWait);
        watch_front(entry);
    } else {
        (void)backend_write(&entry->device, "hotplug-status", "error");
        set_state(entry, XenbusStateClosed);
    }
}

static void look_at_front(struct entry *entry)
{
    if (!entry->watched)
        watch_front(entry);
    follow(entry);
}

static void look_at(const struct backend_kind *kind, domid_t domid, unsigned int id)
{
    struct backend_device *device = find(kind, domid, id);

    if (device == NULL)
        add_entry(kind, domid, id);
    else if (!still_there(device))
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
        if (device->kind == kind && !still_there(device))
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
    char **names = xs_directory(store, XBT_NULL, path, &count), below[PATH_SIZE];

    behind = behind || (names == NULL && errno == ENOMEM);
    for (unsigned int i = 0; names != NULL && i < count; i++) {
        if (!join(below, path, names[i]))
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
    char path[PATH_SIZE];

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

    while ((event = xs_read_watch(store, &count)) != NULL || errno == ENOMEM) {
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
    char path[PATH_SIZE];

    if (kind_count == KINDS_MAX)
        return -ENOSPC;
    if (store == NULL) {
        store = xs_open(0);
        if (store == NULL)
            return -errno;
        if (thread_create("devices", backend_loop, NULL) == NULL)
            return -ENOMEM;
    }
    kinds[kind_count++] = kind;
    snprintf(path, sizeof(path), ROOT "%s", kind->name);
    if (!xs_mkdir(store, XBT_NULL, path) || !xs_watch(store, path, kind->name))
        return -errno;
    return 0;
}

bool backend_gone(const char *kind, domid_t domid, unsigned int id, uint64_t deadline_ns)
{
    return wait_event_until(&departures, find(find_kind(kind), domid, id) == NULL, deadline_ns);
}

bool backend_settle(domid_t domid, uint64_t deadline_ns)
{
    return wait_event_until(&departures, !any_of(domid, NULL), deadline_ns);
}
