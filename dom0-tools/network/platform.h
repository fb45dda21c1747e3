/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the switch and the rings need of the kernel below them: the clock, copies by grant, signals. platform.c has it
 * for the embedded dom0; the tests on the building machine bring their own.
 */
#ifndef NETWORK_PLATFORM_H
#define NETWORK_PLATFORM_H

#include <stdint.h>

#include <abi/grant_table.h>

uint64_t network_now_ns(void);

/* Carries the copies out; each says in its status how it went. */
void network_copy(struct gnttab_copy *copies, unsigned int count);

/* The frame to name in a copy for memory of ours. */
unsigned long network_frame(const void *data);

/* Tells the other end of an event channel. */
void network_notify(unsigned int port);

#endif
