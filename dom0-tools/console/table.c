/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Consoles of live and dead domains; see table.h and console.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

#define BUCKETS 256

static TAILQ_HEAD(console_list, console) live = TAILQ_HEAD_INITIALIZER(live), dead = TAILQ_HEAD_INITIALIZER(dead);
static LIST_HEAD(, console) buckets[BUCKETS], ports[BUCKETS];
static unsigned int nr_dead;
static size_t dead_bytes; /* memory of their logs */

struct console *table_find(domid_t domid)
{
    struct console *console;

    LIST_FOREACH(console, &buckets[domid % BUCKETS], by_domid)
    {
        if (console->domid == domid)
            return console;
    }
    return NULL;
}

struct console *table_find_port(unsigned int port)
{
    struct console *console;

    LIST_FOREACH(console, &ports[port % BUCKETS], by_port)
    {
        if (console->port == port)
            return console;
    }
    return NULL;
}

void table_connected(struct console *console, unsigned int port)
{
    console->port = port;
    LIST_INSERT_HEAD(&ports[port % BUCKETS], console, by_port);
}

void table_disconnected(struct console *console)
{
    LIST_REMOVE(console, by_port);
    console->ring = NULL;
    console->throttled = false;
}

struct console *table_first_live(void)
{
    return TAILQ_FIRST(&live);
}

struct console *table_add(domid_t domid)
{
    struct console *console = table_find(domid);

    if (console)
        return console;
    console = calloc(1, sizeof(*console));
    if (!console)
        return NULL;
    console->domid = domid;
    console->log.limit = CONSOLE_LOG_DEFAULT;
    TAILQ_INSERT_TAIL(&live, console, link);
    LIST_INSERT_HEAD(&buckets[domid % BUCKETS], console, by_domid);
    return console;
}

static void deliver(struct console *console, const char *bytes, size_t len)
{
    log_append(&console->log, bytes, len);
    for (struct console_sink *sink = console->sinks; sink; sink = sink->next)
        sink->bytes(sink->arg, bytes, len);
}

/* One ring's worth of output. */
static size_t drain_once(struct console *console)
{
    char bytes[CONSOLE_OUT_SIZE];
    bool lied;
    size_t len = console_ring_drain(console->ring, bytes, &lied);

    console->lies += lied;
    if (lied && !(console->lies & (console->lies - 1)))
        console_report("d%u: its ring indices are inconsistent, output was dropped (%u time%s so far)", console->domid,
                       console->lies, console->lies == 1 ? "" : "s");
    if (len) {
        deliver(console, bytes, len);
        console_notify(console->port);
    }
    return len;
}

void table_drain(struct console *console, uint64_t now)
{
    if (!console->ring || console->throttled)
        return;
    if (flood_exceeded(&console->flood, now, drain_once(console))) {
        console->throttled = true;
        console->times_throttled++;
    }
}

static void say_goodbye(struct console *console)
{
    struct console_sink *sink;

    while ((sink = console->sinks)) {
        console->sinks = sink->next;
        sink->attached = false;
        sink->bytes(sink->arg, NULL, 0);
    }
}

static void forget_oldest(void)
{
    struct console *oldest = TAILQ_LAST(&dead, console_list);

    TAILQ_REMOVE(&dead, oldest, link);
    nr_dead--;
    dead_bytes -= oldest->log.size;
    log_free(&oldest->log);
    free(oldest);
}

/* A guest that prints much and restarts for ever must not fill dom0's memory with what it said in earlier lives. */
static void bury(struct console *console)
{
    console->dead = true;
    TAILQ_INSERT_HEAD(&dead, console, link);
    nr_dead++;
    dead_bytes += console->log.size;
    while (nr_dead > CONSOLE_DEAD_KEPT || (nr_dead > 1 && dead_bytes > CONSOLE_DEAD_BYTES))
        forget_oldest();
}

void table_retire(struct console *console)
{
    if (console->ring) {
        drain_once(console);
        console_disconnect(console);
    }
    TAILQ_REMOVE(&live, console, link);
    LIST_REMOVE(console, by_domid);
    say_goodbye(console);
    bury(console);
}

void table_clear(void)
{
    struct console *console;

    while ((console = TAILQ_FIRST(&live)))
        table_retire(console);
    while (nr_dead > 0)
        forget_oldest();
}

struct console *console_find(domid_t domid)
{
    struct console *console = table_find(domid);

    if (console && console->ring)
        return console;
    console_discover(domid);
    return table_find(domid);
}

struct console *console_find_name(const char *name)
{
    struct console *console;

    TAILQ_FOREACH(console, &live, link)
    {
        if (*name && !strcmp(console->name, name))
            return console;
    }
    return NULL;
}

void console_catch_up(domid_t domid)
{
    struct console *console = table_find(domid);

    if (console && console->ring)
        drain_once(console);
}

struct console *console_find_dead(domid_t domid)
{
    struct console *console;

    TAILQ_FOREACH(console, &dead, link)
    {
        if (console->domid == domid)
            return console;
    }
    return NULL;
}

struct console *console_find_dead_name(const char *name)
{
    struct console *console;

    TAILQ_FOREACH(console, &dead, link)
    {
        if (*name && !strcmp(console->name, name))
            return console;
    }
    return NULL;
}

struct console *console_next(struct console *after)
{
    struct console *next;

    if (!after)
        return TAILQ_FIRST(&live) ? TAILQ_FIRST(&live) : TAILQ_FIRST(&dead);
    next = TAILQ_NEXT(after, link);
    return next || after->dead ? next : TAILQ_FIRST(&dead);
}

void console_rename(domid_t domid, const char *name)
{
    struct console *console = table_find(domid);

    if (console)
        snprintf(console->name, sizeof(console->name), "%s", name);
}

void console_get_info(const struct console *console, struct console_info *info)
{
    *info = (struct console_info){.domid = console->domid,
                                  .dead = console->dead,
                                  .log_first = console->log.first,
                                  .log_end = console->log.end,
                                  .throttled = console->times_throttled};
    memcpy(info->name, console->name, sizeof(info->name));
}

size_t console_log(const struct console *console, uint64_t offset, void *buf, size_t len, uint64_t *at)
{
    return log_read(&console->log, offset, buf, len, at);
}

int console_attach(domid_t domid, struct console_sink *sink)
{
    struct console *console = console_find(domid);

    if (!console)
        return -ENOENT;
    if (!console->ring)
        return -ENXIO;
    sink->domid = domid;
    sink->next = console->sinks;
    sink->attached = true;
    console->sinks = sink;
    return 0;
}

void console_detach(struct console_sink *sink)
{
    struct console *console = sink->attached ? table_find(sink->domid) : NULL;

    sink->attached = false;
    for (struct console_sink **at = console ? &console->sinks : NULL; at && *at; at = &(*at)->next) {
        if (*at == sink) {
            *at = sink->next;
            return;
        }
    }
}

ssize_t console_input(domid_t domid, const void *bytes, size_t len)
{
    struct console *console = console_find(domid);
    size_t done;

    if (!console)
        return -ENOENT;
    if (!console->ring)
        return -ENXIO;
    done = console_ring_fill(console->ring, bytes, len);
    if (done)
        console_notify(console->port);
    return (ssize_t)done;
}
