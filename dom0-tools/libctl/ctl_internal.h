/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The handle behind ctl.h: one call handle, and one hypercall-safe buffer for each kind of structure that every
 * operation fills. Not reentrant: one operation at a time.
 */
#ifndef LIBCTL_CTL_INTERNAL_H
#define LIBCTL_CTL_INTERNAL_H

#include <xencall.h>

#include "ctl.h"

struct ctl {
    xencall_handle *call;
    struct xen_domctl *domctl;
    struct xen_sysctl *sysctl;
    uint8_t *bytes; /* CTL_SCRATCH of them */
};

#define CTL_SCRATCH 16384

/* A domctl's structure with everything but its operands filled in, and the call. */
struct xen_domctl *ctl_start(struct ctl *ctl, unsigned int command, domid_t domid);
int ctl_perform(struct ctl *ctl);

#endif
