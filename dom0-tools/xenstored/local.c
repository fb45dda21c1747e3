/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The store client's transport inside dom0: the daemon is in the same image, so a request is carried out by the thread
 * that sends it, before the write returns. Only those who wait for events ever wait.
 */
#include <errno.h>

#include <pv/threads.h>

#include "../../guest-pv/xenstore/transport.h"
#include "daemon.h"

static struct client *local;
static struct waitq readable;

/* Replies are fetched by the thread that asked, at once; only events have others to wake. */
static void wake_local(struct client *client)
{
    if (client->events)
        waitq_wake(&readable);
}

int xs_transport_open(void)
{
    if (local)
        return 0;
    if (!daemon_running)
        return -ENOENT;
    local = client_new(&daemon_instance, 0, true);
    if (!local)
        return -ENOMEM;
    local->wake = wake_local;
    return 0;
}

ssize_t xs_transport_read(void *buffer, size_t size)
{
    size_t got = client_output(local, buffer, size);

    if (got)
        return (ssize_t)got;
    return local->broken ? -EIO : -EAGAIN;
}

bool xs_transport_readable(void)
{
    return client_has_output(local) || local->broken;
}

struct waitq *xs_transport_waitq(void)
{
    return &readable;
}

/*
 * The daemon takes no request while memory is short; it may come back. One that it has begun to take is given whole, or
 * nobody would understand the next.
 */
ssize_t xs_transport_write(const void *buffer, size_t size)
{
    const char *bytes = buffer;
    size_t done = 0;
    unsigned int patience = 100;

    while (done < size && !local->broken && (done || patience)) {
        size_t taken = client_input(local, bytes + done, size - done);

        done += taken;
        if (!taken) {
            patience--;
            thread_sleep_ns(10 * 1000 * 1000);
        }
    }
    daemon_kick();
    if (!done && !local->broken)
        return -ENOMEM;
    return done == size ? (ssize_t)size : -EIO;
}
