/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Front ends of split devices: the store's part. The other end is a domain like any other: what it writes is checked,
 * and waiting for it has an end.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pv/grant.h>
#include <pv/paging.h>
#include <pv/threads.h>
#include <pv/time.h>
#include "front.h"

#define CLOSE_PATIENCE_NS 2000000000ULL

int front_find(struct front_device *device, const char *kind, unsigned int number)
{
    char path[96], *back;
    long backend;
    int rc;

    device->xs = xs_open(0);
    if (device->xs == NULL)
        return -errno;
    snprintf(device->front, sizeof(device->front), "device/%s/%u", kind, number);
    snprintf(path, sizeof(path), "%s/backend", device->front);
    back = xs_read(device->xs, XBT_NULL, path, NULL);
    rc = back == NULL ? -errno : xenbus_read_long(device->xs, device->front, "backend-id", &backend);
    if (rc == 0 && (backend < 0 || backend >= (long)DOMID_FIRST_RESERVED ||
                    snprintf(device->back, sizeof(device->back), "%s", back) >= (int)sizeof(device->back)))
        rc = -EPROTO;
    free(back);
    if (rc != 0) {
        xs_close(device->xs);
        device->xs = NULL;
        return rc;
    }
    device->backend = (domid_t)backend;
    return 0;
}

int front_wait_backend(const struct front_device *device, uint64_t deadline_ns)
{
    enum xenbus_state seen = xenbus_read_state(device->xs, device->back);
    int rc = xenbus_switch_state(device->xs, device->front, XenbusStateInitialising);

    if (rc != 0)
        return rc;
    while (seen != XenbusStateInitWait) {
        if (time_monotonic_ns() >= deadline_ns)
            return -ETIMEDOUT;
        thread_sleep_ns(1000000);
        seen = xenbus_read_state(device->xs, device->back);
    }
    return 0;
}

int front_connect(const struct front_device *device, uint64_t deadline_ns)
{
    int rc = xenbus_switch_state(device->xs, device->front, XenbusStateInitialised);

    if (rc == 0)
        rc = xenbus_wait_state(device->xs, device->back, XenbusStateConnected, deadline_ns);
    if (rc < 0)
        return rc;
    if (rc > XenbusStateConnected)
        return -EIO;
    return xenbus_switch_state(device->xs, device->front, XenbusStateConnected);
}

void front_close(struct front_device *device)
{
    if (xenbus_switch_state(device->xs, device->front, XenbusStateClosing) == 0) {
        (void)xenbus_wait_state(device->xs, device->back, XenbusStateClosing, time_monotonic_ns() + CLOSE_PATIENCE_NS);
        (void)xenbus_switch_state(device->xs, device->front, XenbusStateClosed);
        (void)xenbus_wait_state(device->xs, device->back, XenbusStateClosed, time_monotonic_ns() + CLOSE_PATIENCE_NS);
    }
    xs_close(device->xs);
    device->xs = NULL;
}

int front_lend_ring(const struct front_device *device, struct front_ring *ring)
{
    int gref;

    ring->page = pages_alloc(1);
    if (ring->page == NULL)
        return -ENOMEM;
    gref = grant_access(device->backend, virt_to_mfn(ring->page), false);
    if (gref < 0) {
        pages_free(ring->page, 1);
        ring->page = NULL;
        return gref;
    }
    ring->gref = (grant_ref_t)gref;
    return 0;
}

/* A page that the other end still has mapped stays lent: it must never be used for anything else. */
void front_take_back_ring(struct front_ring *ring)
{
    if (ring->page != NULL && grant_end_access(ring->gref) == 0)
        pages_free(ring->page, 1);
    ring->page = NULL;
}
