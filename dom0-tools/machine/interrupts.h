/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Device interrupts by the machine's pins, which devices may share. A pin stays masked from the interrupt until every
 * device on it was asked.
 */
#ifndef MACHINE_INTERRUPTS_H
#define MACHINE_INTERRUPTS_H

#include <stdbool.h>

/* In interrupt context: true when the device had raised the interrupt, which it now no longer does. */
typedef bool interrupt_handler_t(void *data);

/* Adds a device to a pin; 0 or a negative errno. */
int interrupt_attach(unsigned int gsi, interrupt_handler_t *handler, void *data);

#endif
