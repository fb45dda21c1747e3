/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Asking a running guest to suspend and letting it go on, as save, migrate, suspend and resume do. A request that fails
 * leaves the guest running and no request behind.
 */
#ifndef VANE_SUSPENDING_H
#define VANE_SUSPENDING_H

#include "domains.h"

#define SUSPENDING_REASON_SIZE 200

struct suspending {
    uint64_t limit_ns;            /* how long the guest may take; 0: a minute */
    bool (*cancelled)(void *own); /* may be NULL */
    void *own;
    char reason[SUSPENDING_REASON_SIZE]; /* a sentence without its subject, after a failure */
};

/* 0 once every vCPU stands still; -1 with the reason. A record's end by suspend is not told to the user meanwhile. */
int suspend_domain(struct vane *vane, domid_t domid, struct suspending *how);

/*
 * The domain goes on where it stopped, with all it had: its suspend call returns 1. 0, or -1 with errno.
 */
int resume_domain(struct vane *vane, domid_t domid);

/* Devices whose both ends say that they are connected. */
unsigned int count_connected(struct vane *vane, domid_t domid);

/* Waits until the domain has so many of them, does not run, or until then (clock_ns). */
void wait_connected(struct vane *vane, domid_t domid, unsigned int count, uint64_t deadline_ns);

#endif
