/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the test kernels share that manage domains: each has one domctl and one sysctl, whose fields it fills before.
 */
#ifndef GUESTS_DOM0_CALLS_H
#define GUESTS_DOM0_CALLS_H

#include <stdint.h>
#include <abi/domctl.h>
#include <abi/sysctl.h>

extern struct xen_domctl domctl;
extern struct xen_sysctl sysctl;

long call(unsigned int cmd, unsigned int domid);
long system_call(unsigned int cmd);

/* What the machine has free. */
uint64_t free_bytes(void);

/* The smallest domain that there can be; then XEN_DOMCTL_createdomain. */
void want_domain(unsigned int vcpus);

#endif
