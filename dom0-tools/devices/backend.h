/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What block and network backends share: each device's nodes in the store (backend/KIND/DOMID/ID and the guest's
 * device/KIND/ID), the xenbus states both ends step through, and the thread that follows them. The kind's own part is
 * three functions.
 */
#ifndef DEVICES_BACKEND_H
#define DEVICES_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <abi/io/xenbus.h>
#include <abi/xen.h>
#include <xenstore.h>

struct backend_device {
    const struct backend_kind *kind;
    domid_t domid;      /* of the frontend */
    unsigned int id;    /* 51712 for xvda, 0 for the first interface */
    char *back, *front; /* the two directories' paths in the store */
    XenbusState state;  /* ours */
    void *own;          /* the kind's */
    struct backend_device *next;
};

/* Each runs in the backend thread and may use the store. Errors are negative errno with the reason by backend_error(). */
struct backend_kind {
    const char *name; /* "vbd", "vif" */
    /* The nodes are there: read the parameters, open what is behind, write the features. Then InitWait. */
    int (*create)(struct backend_device *device);
    /* The frontend is Initialised or Connected: map its ring, bind its port, write the properties. Then Connected. */
    int (*connect)(struct backend_device *device);
    /* The frontend closes, lies, or is gone: stop, unmap and unbind. May be called again. Then Closing and Closed. */
    void (*disconnect)(struct backend_device *device);
    /* The nodes are gone: undo create. */
    void (*destroy)(struct backend_device *device);
    /* The frontend is Reconfiguring: read again what it may change while connected. Then Reconfigured. NULL: nothing. */
    void (*reconfigure)(struct backend_device *device);
};

/* Starts serving a kind: existing nodes and those to come. 0 or a negative errno. */
int backend_serve(const struct backend_kind *kind);

/* Waits until the device is none of ours; false when the deadline (time_monotonic_ns) passed first. */
bool backend_gone(const char *kind, domid_t domid, unsigned int id, uint64_t deadline_ns);

/* Waits until no device of the domain is left; false when the deadline (time_monotonic_ns) passed first. */
bool backend_settle(domid_t domid, uint64_t deadline_ns);

/* Writes the reason where tools look (error/backend/KIND/ID/error), into dom0's log and the device's `hotplug-error`. */
void backend_error(struct backend_device *device, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Cuts a device off from its backend because its frontend broke the protocol: reported with the reason, then Closed. */
void backend_cut_off(struct backend_device *device, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Nodes of a device as text or number; false when absent or malformed. `front` reads the guest's side: hostile. Writing
 * fails with ENOENT when the device's nodes are gone.
 */
char *backend_read(const struct backend_device *device, bool front, const char *node);
bool backend_read_number(const struct backend_device *device, bool front, const char *node, uint64_t *out);
bool backend_write(const struct backend_device *device, const char *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
