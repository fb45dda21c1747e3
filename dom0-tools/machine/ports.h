/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * I/O ports, naturally aligned, 1, 2 or 4 bytes. The hypervisor carries the instructions out for a domain that has the
 * hardware, once ports_open has raised this vCPU's I/O privilege level.
 */
#ifndef MACHINE_PORTS_H
#define MACHINE_PORTS_H

#include <stdint.h>

/* 0 or a negative errno. */
int ports_open(void);

uint32_t port_read(uint16_t port, unsigned int bytes);
void port_write(uint16_t port, unsigned int bytes, uint32_t value);

#endif
