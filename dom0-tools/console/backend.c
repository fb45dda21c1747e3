/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The console backend's two threads: one follows the store to learn which domains come and go, the other moves bytes
 * when guests ring. They and the callers of console.h take turns: only store requests let another thread run, and those
 * happen under the lock.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <abi/grant_table.h>
#include <pv/evtchn_wait.h>
#include <pv/threads.h>
#include <pv/time.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>
#include <xengnttab.h>
#include <xenstore.h>

#include "../../guest-pv/xenstore/watch_depth.h"
#include "../xenstored/start.h"
#include "table.h"

#define MEMORY_PAUSE_NS 10000000u

#define LOG_LIMIT_MIN   (4ul * 1024)
#define LOG_LIMIT_MAX   (1024ul * 1024)

enum mapping { BY_GRANT, BY_FRAME };

static struct mutex lock = MUTEX_INITIALIZER;
static xenevtchn_handle *evtchn;
static xengnttab_handle *gnttab;
static xenforeignmemory_handle *foreign;
static struct xs_handle *store;
static unsigned int nr_throttled;

void console_report(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    daemon_vlog("console", format, args);
    va_end(args);
}

void console_notify(unsigned int port)
{
    xenevtchn_notify(evtchn, port);
}

/* Reads a number below the domain's home; false if it is not there or not one. */
static bool read_number(domid_t domid, const char *node, unsigned long *out)
{
    char path[64], *value, *end;
    bool ok;

    snprintf(path, sizeof(path), "/local/domain/%u/%s", domid, node);
    value = xs_read(store, XBT_NULL, path, NULL);
    if (!value)
        return false;
    errno = 0;
    *out = strtoul(value, &end, 10);
    ok = !errno && end != value && *end == '\0';
    free(value);
    return ok;
}

/* The name as it is now; an old one stays if the store has none any more. */
static void read_name(struct console *console)
{
    char path[64], *value;

    snprintf(path, sizeof(path), "/local/domain/%u/name", console->domid);
    value = xs_read(store, XBT_NULL, path, NULL);
    if (value)
        snprintf(console->name, sizeof(console->name), "%s", value);
    free(value);
}

static void read_limit(struct console *console)
{
    unsigned long limit;

    if (!read_number(console->domid, "console/limit", &limit))
        return;
    if (limit < LOG_LIMIT_MIN)
        limit = LOG_LIMIT_MIN;
    console->log.limit = limit > LOG_LIMIT_MAX ? LOG_LIMIT_MAX : limit;
}

static void unmap(struct xencons_interface *ring, unsigned int how)
{
    if (how == BY_GRANT)
        xengnttab_unmap(gnttab, ring, 1);
    else
        xenforeignmemory_unmap(foreign, ring, 1);
}

static void *map(domid_t domid, unsigned long ring_ref, unsigned int *how)
{
    xen_pfn_t frame = ring_ref;
    void *ring = xengnttab_map_grant_ref(gnttab, domid, GNTTAB_RESERVED_CONSOLE, PROT_READ | PROT_WRITE);

    *how = BY_GRANT;
    if (!ring) {
        *how = BY_FRAME;
        ring = xenforeignmemory_map(foreign, domid, PROT_READ | PROT_WRITE, 1, &frame, NULL);
    }
    return ring;
}

void console_disconnect(struct console *console)
{
    xenevtchn_unbind(evtchn, console->port);
    unmap(console->ring, console->how_mapped);
    if (console->throttled)
        nr_throttled--;
    table_disconnected(console);
}

/* The port stays masked while its guest is throttled. */
static void drain(struct console *console)
{
    table_drain(console, time_monotonic_ns());
    if (console->throttled)
        nr_throttled++;
    else
        xenevtchn_unmask(evtchn, console->port);
}

static void connect(struct console *console, unsigned long ring_ref, unsigned int remote_port)
{
    unsigned int how;
    struct xencons_interface *ring;
    int port;

    if (console->ring && console->ring_ref == ring_ref && console->remote_port == remote_port)
        return;
    if (console->ring)
        console_disconnect(console);
    ring = map(console->domid, ring_ref, &how);
    if (!ring)
        return;
    port = xenevtchn_bind_interdomain(evtchn, console->domid, remote_port);
    if (port < 0) {
        unmap(ring, how);
        return;
    }
    console->ring = ring;
    console->how_mapped = how;
    console->ring_ref = ring_ref;
    console->remote_port = remote_port;
    table_connected(console, (unsigned int)port);
    drain(console);
}

static void watch_domain(domid_t domid, bool on)
{
    char path[64];

    snprintf(path, sizeof(path), "/local/domain/%u/console", domid);
    if (on)
        xs_watch(store, path, "console");
    else
        xs_unwatch(store, path, "console");
}

/* Connects if the store has what that takes; else the watch will tell when it has. */
static void update_domain(domid_t domid)
{
    struct console *console = table_find(domid);
    unsigned long ring_ref, port;

    if (!console) {
        if (!xs_is_domain_introduced(store, domid) || !(console = table_add(domid)))
            return;
        watch_domain(domid, true);
    }
    if (!read_number(domid, "console/ring-ref", &ring_ref) || !read_number(domid, "console/port", &port))
        return;
    read_name(console);
    read_limit(console);
    connect(console, ring_ref, (unsigned int)port);
}

void console_discover(domid_t domid)
{
    if (domid == 0 || !store)
        return;
    mutex_lock(&lock);
    update_domain(domid);
    mutex_unlock(&lock);
}

/* A domain was shut down, or is gone; only the latter ends its console. */
static void check_released(domid_t domid)
{
    struct console *console = table_find(domid);

    if (!console || xs_is_domain_introduced(store, domid))
        return;
    read_name(console);
    watch_domain(domid, false);
    table_retire(console);
}

/* Looks at everything, when an event does not say which domain it is about. */
static void check_all(void)
{
    unsigned int count = 0;
    char **domids = xs_directory(store, XBT_NULL, "/local/domain", &count);
    struct console *console = table_first_live(), *next;

    for (unsigned int i = 0; i < count; i++)
        if (strcmp(domids[i], "0"))
            update_domain((domid_t)strtoul(domids[i], NULL, 10));
    free(domids);
    for (; console; console = next) {
        next = console_next(console);
        if (next && next->dead)
            next = NULL;
        check_released(console->domid);
    }
}

static bool ends_with(const char *path, const char *end)
{
    size_t len = strlen(path), end_len = strlen(end);

    return len >= end_len && !strcmp(path + len - end_len, end);
}

static void take_store_event(const char *path, const char *token)
{
    static const char home[] = "/local/domain/";
    const char *slash;

    if (!strcmp(token, "console")) {
        if (!strncmp(path, home, sizeof(home) - 1) && (ends_with(path, "/port") || ends_with(path, "/ring-ref")))
            update_domain((domid_t)strtoul(path + sizeof(home) - 1, NULL, 10));
        return;
    }
    slash = strchr(path, '/');
    if (!slash)
        check_all();
    else if (!strcmp(token, "in"))
        update_domain((domid_t)strtoul(slash + 1, NULL, 10));
    else
        check_released((domid_t)strtoul(slash + 1, NULL, 10));
}

static void store_loop(void *arg)
{
    unsigned int count;
    char **event;

    while ((event = xs_read_watch(store, &count)) || errno == ENOMEM) {
        if (!event) /* one is lost, nobody knows which */
            thread_sleep_ns(MEMORY_PAUSE_NS);
        mutex_lock(&lock);
        if (event)
            take_store_event(event[XS_WATCH_PATH], event[XS_WATCH_TOKEN]);
        else
            check_all();
        mutex_unlock(&lock);
        free(event);
        thread_yield();
    }
    console_report("lost the store: %s", strerror(errno));
}

static void take_event(void)
{
    int port = xenevtchn_pending(evtchn);
    struct console *console = port < 0 ? NULL : table_find_port((unsigned int)port);

    if (console && !console->throttled)
        drain(console);
}

/* Lets those go on whose time is over; returns when the next one may. */
static uint64_t release_throttled(void)
{
    uint64_t now = time_monotonic_ns(), next = WAIT_FOREVER;
    struct console *console;

    for (console = nr_throttled ? table_first_live() : NULL; console && !console->dead;
         console = console_next(console)) {
        if (!console->throttled)
            continue;
        if (now >= console->flood.period_end) {
            console->throttled = false;
            nr_throttled--;
            drain(console);
        }
        if (console->throttled && console->flood.period_end < next)
            next = console->flood.period_end;
    }
    return next;
}

/* Guests that ring without end must not keep dom0's other threads from running: so many events, then a pause. */
#define EVENTS_AT_ONCE 32

static void ring_loop(void *arg)
{
    for (;;) {
        uint64_t deadline = release_throttled();

        if (!xenevtchn_wait_until(evtchn, deadline))
            continue;
        mutex_lock(&lock);
        for (unsigned int i = 0; i < EVENTS_AT_ONCE && xenevtchn_is_pending(evtchn); i++)
            take_event();
        mutex_unlock(&lock);
        thread_yield();
    }
}

int console_start(void)
{
    evtchn = xenevtchn_open(NULL, 0);
    gnttab = xengnttab_open(NULL, 0);
    foreign = xenforeignmemory_open(NULL, 0);
    store = xs_open(0);
    if (!evtchn || !gnttab || !foreign || !store)
        return -errno;
    if (!xs_watch_depth(store, "@introduceDomain", "in", 1) || !xs_watch_depth(store, "@releaseDomain", "out", 1))
        return -errno;
    if (!thread_create("console-store", store_loop, NULL) || !thread_create("console", ring_loop, NULL))
        return -ENOMEM;
    return 0;
}
