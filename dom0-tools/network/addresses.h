/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Which port an Ethernet address was last seen on. Each port has room for so many addresses and no more; one that shows
 * more of them loses its own oldest, never another's.
 */
#ifndef NETWORK_ADDRESSES_H
#define NETWORK_ADDRESSES_H

#include "switch.h"

#define ADDRESSES_PER_PORT 128u
#define ADDRESS_AGE_NS     (300ull * 1000000000)

/* The toolstack's address of a port stays until the port goes; false when another port of the bridge holds it. */
bool address_fix(struct switch_port *port, const uint8_t address[6]);

/* false: it is another port's fixed address, or memory is short. */
bool address_learn(struct switch_port *port, const uint8_t address[6], uint64_t now_ns);

/* NULL: not seen for ADDRESS_AGE_NS, or never. */
struct switch_port *address_find(const char *bridge, const uint8_t address[6], uint64_t now_ns);

void addresses_forget(struct switch_port *port);

/* Newest first; `index` counts from 0. false: there are no more. */
bool address_of_port(const struct switch_port *port, unsigned int index, uint8_t address[6], uint64_t *seen_ns);

#endif
