/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The hypervisor's side of a device interrupt; its number is the machine's pin.
 */
#ifndef MACHINE_PIRQ_H
#define MACHINE_PIRQ_H

/* Makes it ours to bind, level-triggered. 0 or a negative errno. */
int pirq_prepare(unsigned int gsi);

/* The devices were asked: the next interrupt may come. */
void pirq_end(unsigned int gsi);

#endif
