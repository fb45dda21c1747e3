/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A virtual network interface of the domain: front end of the network protocol, one ring page each way, frames of at
 * most one page, no offloads. Threads only.
 */
#ifndef PV_NETFRONT_H
#define PV_NETFRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define NETFRONT_FRAME_MAX 1514u /* Ethernet header and 1500 bytes */

struct netfront;

/*
 * Connects interface `number` under device/vif. NULL with errno: ENOENT (no such interface), ETIMEDOUT (no answer by
 * the deadline, in time_monotonic_ns), EPROTO (the other end wrote nonsense), ENOMEM.
 */
struct netfront *netfront_open(unsigned int number, uint64_t deadline_ns);
void netfront_close(struct netfront *net);

const uint8_t *netfront_mac(const struct netfront *net);

/*
 * The IP address by which the interface announces itself (gratuitous ARP) when the domain has moved; without one it sends
 * a reverse request, from which switches learn as well.
 */
void netfront_set_ip(struct netfront *net, const uint8_t ip[4]);

/* Sends one frame, waiting for room. 0, -EMSGSIZE, or -EPROTO (the other end broke the protocol). */
int netfront_send(struct netfront *net, const void *frame, size_t bytes);

/*
 * Takes the next frame that came, waiting until the deadline. The bytes copied, 0 when the deadline passed, -EPROTO.
 * A frame longer than the buffer is cut.
 */
ssize_t netfront_receive(struct netfront *net, void *frame, size_t size, uint64_t deadline_ns);

#endif
