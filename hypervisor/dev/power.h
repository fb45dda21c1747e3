/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The end of the machine.
 */
#ifndef HYPERVISOR_DEV_POWER_H
#define HYPERVISOR_DEV_POWER_H

#include "types.h"

void machine_restart(void) __attribute__((noreturn));
void machine_poweroff(void) __attribute__((noreturn));

#endif
