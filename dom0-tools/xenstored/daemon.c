/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The daemon's thread: takes events, gives each domain its turns, sleeps when there is nothing to do.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <abi/xen.h>
#include <pv/evtchn_wait.h>
#include <pv/threads.h>
#include <pv/time.h>
#include <xenevtchn.h>
#include <xenstore.h>

#include "daemon.h"
#include "domain.h"
#include "start.h"

#define MEMORY_PAUSE_NS 10000000u

struct xenstored daemon_instance;
bool daemon_running;

static int dom_exc_port;
static bool kicked;
static bool ends_wanted;
static struct waitq ends_queue;

void daemon_kick(void)
{
    xenstored_flush(&daemon_instance);
    if (TAILQ_EMPTY(&daemon_instance.domains.runnable) && !daemon_instance.behind)
        return;
    kicked = true;
    waitq_wake(xenevtchn_waitq(platform_evtchn));
}

static void take_event(void)
{
    int port = xenevtchn_pending(platform_evtchn);

    if (port < 0)
        return;
    xenevtchn_unmask(platform_evtchn, (evtchn_port_t)port);
    if (port == dom_exc_port) {
        ends_wanted = true;
        waitq_wake(&ends_queue);
    } else {
        domain_event(&daemon_instance, (unsigned int)port);
    }
}

/*
 * Which domain ended, the event does not say: all are looked at. However many there are and however fast they end, no
 * more than a twentieth of the time goes into looking.
 */
#define ENDS_REST_FACTOR 19
#define ENDS_REST_MAX_NS 50000000u

static void ends_loop(void *arg)
{
    for (;;) {
        uint64_t start, rest;

        wait_event(&ends_queue, ends_wanted);
        ends_wanted = false;
        start = time_monotonic_ns();
        domains_check(&daemon_instance);
        daemon_kick();
        rest = (time_monotonic_ns() - start) * ENDS_REST_FACTOR;
        thread_sleep_ns(rest < ENDS_REST_MAX_NS ? rest : ENDS_REST_MAX_NS);
    }
}

/* A guest that rings without end must not keep dom0's other threads from running: so many events, then a pause. */
#define EVENTS_AT_ONCE 64

/* What memory lacked for is tried again, at once and then after a while. When to look again. */
static uint64_t catch_up(void)
{
    static uint64_t due_ns;
    uint64_t now;

    if (!daemon_instance.behind)
        return WAIT_FOREVER;
    now = time_monotonic_ns();
    if (now < due_ns)
        return due_ns;
    due_ns = now + MEMORY_PAUSE_NS;
    daemon_instance.behind = false;
    clients_catch_up(&daemon_instance);
    domains_catch_up(&daemon_instance);
    return now;
}

static void daemon_loop(void *arg)
{
    for (;;) {
        uint64_t deadline;
        bool more;

        for (unsigned int i = 0; i < EVENTS_AT_ONCE && xenevtchn_is_pending(platform_evtchn); i++)
            take_event();
        kicked = false;
        more = domains_run(&daemon_instance);
        xenstored_flush(&daemon_instance);
        deadline = catch_up();
        if (more || xenevtchn_is_pending(platform_evtchn))
            thread_yield();
        else
            (void)wait_event_until(xenevtchn_waitq(platform_evtchn), kicked || xenevtchn_is_pending(platform_evtchn),
                                   deadline);
    }
}

/* What tools expect to find in every store. */
static bool first_nodes(void)
{
    static const char *const nodes[][2] = {
        {"/tool/xenstored", ""}, {"/local/domain/0/domid", "0"}, {"/local/domain/0/name", "Domain-0"}};
    struct xs_handle *xs = xs_open(0);
    bool ok = xs != NULL;

    for (size_t i = 0; ok && i < sizeof(nodes) / sizeof(nodes[0]); i++)
        ok = xs_write(xs, XBT_NULL, nodes[i][0], nodes[i][1], (unsigned int)strlen(nodes[i][1]));
    xs_close(xs);
    return ok;
}

int xenstored_start(void)
{
    int error = platform_start();

    if (error)
        return error;
    dom_exc_port = xenevtchn_bind_virq(platform_evtchn, VIRQ_DOM_EXC);
    if (dom_exc_port < 0)
        return -errno;
    if (!xenstored_init(&daemon_instance))
        return -ENOMEM;
    daemon_running = true;
    if (!first_nodes() || !thread_create("xenstored", daemon_loop, NULL) ||
        !thread_create("xenstored-ends", ends_loop, NULL))
        return -ENOMEM;
    return 0;
}
