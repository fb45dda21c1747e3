/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What block and network front ends share: finding the two directories of a device in the store, stepping through the
 * xenbus states with the other end, and lending it ring pages.
 */
#ifndef DEVICES_FRONT_H
#define DEVICES_FRONT_H

#include <abi/event_channel.h>
#include <abi/grant_table.h>
#include <pv/event.h>
#include <pv/suspend.h>
#include <pv/threads.h>
#include <pv/xenbus.h>
#include <xenstore.h>

#define FRONT_PATH_MAX 160

struct front_device {
    struct xs_handle *xs;
    char front[64], back[FRONT_PATH_MAX];
    domid_t backend;
    /* From before a suspension until the other end, a new one if the domain was restored, is connected. */
    bool away;
    bool moving; /* a thread connects to the new one */
    struct waitq moved;
    struct suspend_hook hook;
    const struct front_moves *moves;
    void *own;
};

/* A driver's part of it: rings and port anew, and what then waits to be sent. Lent pages are lent under the same grefs. */
struct front_moves {
    int (*reconnect)(void *own, uint64_t deadline_ns); /* 0 or a negative errno: then the device is `away` for good */
    void (*go_on)(void *own);                          /* after reconnect, or when the suspension was cancelled */
    void (*give_up)(void *own);
};

/* One page lent to the other end as a ring. */
struct front_ring {
    void *page;
    grant_ref_t gref;
};

/* Finds device/KIND/NUMBER and its other end. 0, -ENOENT, -EPROTO, or what the store said. */
int front_find(struct front_device *device, const char *kind, unsigned int number);

/* Waits until the other end waits for us, resetting a device that an earlier user left closed. 0 or -ETIMEDOUT. */
int front_wait_backend(const struct front_device *device, uint64_t deadline_ns);

/* Says that all is set up, waits for the other end to be connected, and says that we are. 0, -ETIMEDOUT, -EIO. */
int front_connect(const struct front_device *device, uint64_t deadline_ns);

/* Closes, waits a while for the other end to close too, and frees the store connection. */
void front_close(struct front_device *device);

/* From now on the device moves with the domain. front_close ends it. */
void front_follow_moves(struct front_device *device, const struct front_moves *moves, void *own);

/* 0, -ENOMEM, -ENOSPC. A ring that was never lent (page NULL) may be taken back too. */
int front_lend_ring(const struct front_device *device, struct front_ring *ring);
void front_take_back_ring(struct front_ring *ring);

#endif
