/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The world of a virtio driver under test: a transport that offers what the test says, and the one thread and the one
 * interrupt that a driver has. Its queues and its configuration are the test's own.
 */
#ifndef TESTS_UNIT_DRIVER_FAKE_H
#define TESTS_UNIT_DRIVER_FAKE_H

#include <stdbool.h>
#include <stdint.h>

struct driver_fake {
    uint64_t features; /* what the device offers */
    uint8_t interrupt_status;
    bool given_up; /* the driver wants no more of the device */
};
extern struct driver_fake transport;

void driver_run(void);                 /* the driver's thread, until it would wait for ever or ends */
void driver_interrupt(uint8_t status); /* the device raises its interrupt, which the driver must take for its own */

#endif
