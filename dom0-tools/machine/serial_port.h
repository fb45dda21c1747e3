/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Named byte pipes out of the machine: the ports of virtio serial devices. What is on the other side may come and go;
 * bytes on their way are then lost, and the connection count says that it happened. One thread at a time reads, and one
 * writes; none of the functions but serial_port_wait waits.
 */
#ifndef MACHINE_SERIAL_PORT_H
#define MACHINE_SERIAL_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct serial_port;

/* Calls `added` for every port there is and for those that appear later, once for each, from the device's thread. */
void serial_port_listen(void (*added)(struct serial_port *port));
const char *serial_port_name(const struct serial_port *port);

/* Odd while someone is connected; every change counts. A port that broke stays even. */
unsigned int serial_port_connection(const struct serial_port *port);

/* What has come and is not consumed yet, as far as it lies together; NULL: nothing. */
const uint8_t *serial_port_peek(struct serial_port *port, size_t *size);
void serial_port_consume(struct serial_port *port, size_t size);

/* Takes as much as there is room for, and sends when much has gathered or at serial_port_flush. */
size_t serial_port_write(struct serial_port *port, const void *data, size_t size);
void serial_port_flush(struct serial_port *port);

/* Something about a port may have changed since serial_port_moment: false when the deadline (time_monotonic_ns) came first. */
unsigned int serial_port_moment(const struct serial_port *port);
bool serial_port_wait(struct serial_port *port, unsigned int moment, uint64_t deadline_ns);

/* Makes whoever waits for the port look again. */
void serial_port_wake(struct serial_port *port);

#endif
