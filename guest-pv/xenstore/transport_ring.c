/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The store client's transport in an ordinary guest: the ring page that the domain builder gave it.
 */
#include <pv/xenbus_ring.h>

#include "transport.h"

int xs_transport_open(void)
{
    return xenbus_ring_init();
}

ssize_t xs_transport_read(void *buffer, size_t size)
{
    return xenbus_ring_read(buffer, size, false);
}

bool xs_transport_readable(void)
{
    return xenbus_ring_readable();
}

struct waitq *xs_transport_waitq(void)
{
    return &xenbus_ring_waitq;
}

ssize_t xs_transport_write(const void *buffer, size_t size)
{
    return xenbus_ring_write(buffer, size);
}
