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
#define MOVE_PATIENCE_NS  10000000000ULL
#define MOVE_STACK        (16UL << 10)

static int find_other_end(struct front_device *device)
{
    char path[96], *back;
    long backend;
    int rc;

    snprintf(path, sizeof(path), "%s/backend", device->front);
    back = xs_read(device->xs, XBT_NULL, path, NULL);
    rc = back == NULL ? -errno : xenbus_read_long(device->xs, device->front, "backend-id", &backend);
    if (rc == 0 && (backend < 0 || backend >= (long)DOMID_FIRST_RESERVED ||
                    snprintf(device->back, sizeof(device->back), "%s", back) >= (int)sizeof(device->back)))
        rc = -EPROTO;
    free(back);
    if (rc == 0)
        device->backend = (domid_t)backend;
    return rc;
}

int front_find(struct front_device *device, const char *kind, unsigned int number)
{
    int rc;

    device->xs = xs_open(0);
    if (device->xs == NULL)
        return -errno;
    snprintf(device->front, sizeof(device->front), "device/%s/%u", kind, number);
    rc = find_other_end(device);
    if (rc != 0) {
        xs_close(device->xs);
        device->xs = NULL;
    }
    return rc;
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

/* What is lent is lent to the domain number of before: another one would find nothing. */
static int move(struct front_device *device)
{
    uint64_t deadline = time_monotonic_ns() + MOVE_PATIENCE_NS;
    domid_t before = device->backend;
    int rc = find_other_end(device);

    if (rc == 0 && device->backend != before)
        rc = -EXDEV;
    return rc == 0 ? device->moves->reconnect(device->own, deadline) : rc;
}

static void move_main(void *arg)
{
    struct front_device *device = arg;
    int rc = move(device);

    if (rc == 0) {
        device->away = false;
        device->moves->go_on(device->own);
    } else {
        pv_printk("%s: not connected again after the move: error %d\n", device->front, -rc);
        device->moves->give_up(device->own);
    }
    device->moving = false;
    waitq_wake(&device->moved);
}

static int before_suspension(void *own)
{
    struct front_device *device = own;

    if (!wait_event_until(&device->moved, !device->moving, time_monotonic_ns() + MOVE_PATIENCE_NS))
        return -EBUSY;
    device->away = true;
    return 0;
}

/* Several devices connect at the same time, each in its own thread. */
static void after_suspension(void *own, bool cancelled)
{
    struct front_device *device = own;
    struct thread *thread;

    if (cancelled) {
        device->away = false;
        device->moves->go_on(device->own);
        return;
    }
    device->moving = true;
    thread = thread_create_stack("front end", move_main, device, MOVE_STACK);
    if (thread != NULL)
        thread_detach(thread);
    else
        move_main(device);
}

void front_follow_moves(struct front_device *device, const struct front_moves *moves, void *own)
{
    device->moves = moves;
    device->own = own;
    device->hook = (struct suspend_hook){.before = before_suspension, .after = after_suspension, .own = device};
    suspend_hook_add(&device->hook);
}

void front_close(struct front_device *device)
{
    if (device->moves != NULL) {
        suspend_hook_remove(&device->hook);
        wait_event(&device->moved, !device->moving);
    }
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
