/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * libxenevtchn over guest-pv. A port that fires is masked in the handler and put on its handle's list, where it stays
 * until xenevtchn_pending takes it; xenevtchn_unmask opens it again. So a port is on the list at most once.
 */
#include <errno.h>
#include <stdlib.h>
#include <pv/event.h>
#include <pv/evtchn_wait.h>
#include <pv/time.h>

#define FIRST_FD 0x1000
#define HANDLES  256

struct port {
    struct port *next;       /* ports of one handle */
    struct port *next_fired; /* those that fired */
    struct xenevtchn_handle *handle;
    evtchn_port_t number;
    bool fired;
};

struct xenevtchn_handle {
    struct port *ports;
    struct port *fired_first, *fired_last;
    struct waitq waiters;
    int fd;
    bool restricted;
    domid_t only;
};

static struct xenevtchn_handle *handles[HANDLES];

static int fail(int error)
{
    errno = error;
    return -1;
}

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger, unsigned int flags)
{
    xenevtchn_handle *xce;
    int slot = 0;

    if (flags & ~(unsigned int)XENEVTCHN_NO_CLOEXEC) {
        errno = EINVAL;
        return NULL;
    }
    while (slot < HANDLES && handles[slot] != NULL)
        slot++;
    if (slot == HANDLES) {
        errno = EMFILE;
        return NULL;
    }
    xce = calloc(1, sizeof(*xce));
    if (xce == NULL)
        return NULL;
    xce->fd = FIRST_FD + slot;
    handles[slot] = xce;
    return xce;
}

xenevtchn_handle *xenevtchn_fdopen(struct xentoollog_logger *logger, int fd, unsigned open_flags)
{
    if (fd < FIRST_FD || fd >= FIRST_FD + HANDLES || handles[fd - FIRST_FD] == NULL || open_flags != 0) {
        errno = EINVAL;
        return NULL;
    }
    return handles[fd - FIRST_FD];
}

int xenevtchn_fd(xenevtchn_handle *xce)
{
    return xce->fd;
}

static struct port *find(xenevtchn_handle *xce, evtchn_port_t number)
{
    struct port *port = xce->ports;

    while (port != NULL && port->number != number)
        port = port->next;
    return port;
}

static void fired(evtchn_port_t number, void *data)
{
    struct port *port = data;
    struct xenevtchn_handle *xce = port->handle;

    event_mask(number);
    if (port->fired)
        return;
    port->fired = true;
    port->next_fired = NULL;
    if (xce->fired_first == NULL)
        xce->fired_first = port;
    else
        xce->fired_last->next_fired = port;
    xce->fired_last = port;
    waitq_wake(&xce->waiters);
}

static void unlink_fired(xenevtchn_handle *xce, struct port *port)
{
    struct port **link = &xce->fired_first, *last = NULL;

    while (*link != NULL && *link != port) {
        last = *link;
        link = &(*link)->next_fired;
    }
    if (*link == NULL)
        return;
    *link = port->next_fired;
    if (xce->fired_last == port)
        xce->fired_last = last;
    port->fired = false;
}

static void forget(xenevtchn_handle *xce, struct port *port)
{
    struct port **link = &xce->ports;
    bool enabled = irq_save();

    unlink_fired(xce, port);
    irq_restore(enabled);
    while (*link != port)
        link = &(*link)->next;
    *link = port->next;
    event_close(port->number);
    free(port);
}

int xenevtchn_close(xenevtchn_handle *xce)
{
    if (xce == NULL)
        return 0;
    while (xce->ports != NULL)
        forget(xce, xce->ports);
    handles[xce->fd - FIRST_FD] = NULL;
    free(xce);
    return 0;
}

/* Gives a port of ours its handler, which starts its life on the handle. */
static xenevtchn_port_or_error_t adopt(xenevtchn_handle *xce, int number)
{
    struct port *port;
    int rc;

    if (number < 0)
        return fail(-number);
    port = calloc(1, sizeof(*port));
    if (port == NULL) {
        event_close((evtchn_port_t)number);
        return fail(ENOMEM);
    }
    port->number = (evtchn_port_t)number;
    port->handle = xce;
    port->next = xce->ports;
    xce->ports = port;
    rc = event_set_handler(port->number, fired, port);
    if (rc != 0) {
        forget(xce, port);
        return fail(-rc);
    }
    return number;
}

static bool allowed(const xenevtchn_handle *xce, uint32_t domid)
{
    return !xce->restricted || domid == xce->only;
}

xenevtchn_port_or_error_t xenevtchn_bind_unbound_port(xenevtchn_handle *xce, uint32_t domid)
{
    if (!allowed(xce, domid))
        return fail(EPERM);
    return adopt(xce, event_alloc_unbound((domid_t)domid, NULL, NULL));
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *xce, uint32_t domid, evtchn_port_t remote_port)
{
    if (!allowed(xce, domid))
        return fail(EPERM);
    return adopt(xce, event_bind_interdomain((domid_t)domid, remote_port, NULL, NULL));
}

xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle *xce, unsigned int virq)
{
    if (xce->restricted)
        return fail(EPERM);
    return adopt(xce, event_bind_virq(virq, 0, NULL, NULL));
}

int xenevtchn_unbind(xenevtchn_handle *xce, evtchn_port_t number)
{
    struct port *port = find(xce, number);

    if (port == NULL)
        return fail(EINVAL);
    forget(xce, port);
    return 0;
}

int xenevtchn_notify(xenevtchn_handle *xce, evtchn_port_t number)
{
    int rc;

    if (find(xce, number) == NULL)
        return fail(EINVAL);
    rc = event_notify(number);
    return rc < 0 ? fail(-rc) : 0;
}

bool xenevtchn_is_pending(xenevtchn_handle *xce)
{
    return __atomic_load_n(&xce->fired_first, __ATOMIC_ACQUIRE) != NULL;
}

bool xenevtchn_wait_until(xenevtchn_handle *xce, uint64_t deadline_ns)
{
    return wait_event_until(&xce->waiters, xenevtchn_is_pending(xce), deadline_ns);
}

struct waitq *xenevtchn_waitq(xenevtchn_handle *xce)
{
    return &xce->waiters;
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *xce)
{
    struct port *port;
    bool enabled;

    xenevtchn_wait_until(xce, WAIT_FOREVER);
    enabled = irq_save();
    port = xce->fired_first;
    if (port != NULL)
        unlink_fired(xce, port);
    irq_restore(enabled);
    /* Another thread may have been faster. */
    return port != NULL ? (xenevtchn_port_or_error_t)port->number : fail(EAGAIN);
}

int xenevtchn_unmask(xenevtchn_handle *xce, evtchn_port_t number)
{
    if (find(xce, number) == NULL)
        return fail(EINVAL);
    event_unmask(number);
    return 0;
}

int xenevtchn_restrict(xenevtchn_handle *xce, domid_t domid)
{
    if (xce->restricted && xce->only != domid)
        return fail(EACCES);
    xce->restricted = true;
    xce->only = domid;
    return 0;
}
