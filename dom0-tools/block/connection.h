/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A connected frontend: its ring, its port, and its requests under way. One thread serves all connections in turn, a
 * bounded share each; a volume may end requests in any other thread.
 */
#ifndef BLOCK_CONNECTION_H
#define BLOCK_CONNECTION_H

#include <xenevtchn.h>
#include <xengnttab.h>

#include "pages.h"
#include "request.h"
#include "volume.h"

#define CONNECTION_RING_PAGES_MAX        16u /* as an order: 4 */
#define CONNECTION_INDIRECT_SEGMENTS_MAX 256u

struct backend_device;

struct connection_setup {
    struct backend_device *device;
    struct volume *volume; /* stays open while connections to it are */
    bool read_only;
    bool persistent;
    enum block_protocol protocol;
    domid_t domid;
    evtchn_port_t remote_port;
    unsigned int ring_pages;
    grant_ref_t ring_refs[CONNECTION_RING_PAGES_MAX];
};

struct connection;

/* Starts the serving thread, once. 0 or a negative errno. */
int connection_start(void);

/* NULL with errno; *what says which step failed. */
struct connection *connection_open(const struct connection_setup *setup, const char **what);

/*
 * Ends it: no request is taken any more, those under way are waited for, then everything is unmapped and unbound. When
 * the volume does not answer for five seconds that is left to the last request, and until then the domain cannot connect
 * to this volume again (-EBUSY).
 */
void connection_close(struct connection *connection);

#endif
