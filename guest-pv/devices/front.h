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
#include <pv/xenbus.h>
#include <xenstore.h>

#define FRONT_PATH_MAX 160

struct front_device {
    struct xs_handle *xs;
    char front[64], back[FRONT_PATH_MAX];
    domid_t backend;
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

/* 0, -ENOMEM, -ENOSPC. A ring that was never lent (page NULL) may be taken back too. */
int front_lend_ring(const struct front_device *device, struct front_ring *ring);
void front_take_back_ring(struct front_ring *ring);

#endif
