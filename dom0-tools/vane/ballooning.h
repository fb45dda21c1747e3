/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The balloons of all domains: samples from the hypervisor's list and the store, which no guest notices. Looked at on
 * request, and by a thread of its own for as long as some balloon is on its way.
 */
#ifndef VANE_BALLOONING_H
#define VANE_BALLOONING_H

#include "balloon.h"
#include "vane.h"

#define BALLOONING_STEP_NS 250000000ull /* between two samples of one that moves */

/* KiB nobody has or has claimed; false when the hypervisor does not say. */
bool ballooning_free(struct vane *vane, uint64_t *kib);

/* The target in the store, or what the domain has when there is none; the most it may be asked to have. */
uint64_t ballooning_target(struct vane *vane, const struct xen_domctl_getdomaininfo *info);
uint64_t ballooning_max(struct vane *vane, const struct xen_domctl_getdomaininfo *info);

/* Takes a sample of one domain: its balloon is now. False when memory is short. */
bool ballooning_look(struct vane *vane, const struct xen_domctl_getdomaininfo *info, struct balloon *now);

/* A mem-set that was turned down, and one that was not. */
void ballooning_refuse(struct vane *vane, const struct xen_domctl_getdomaininfo *info, enum balloon_reason reason,
                       uint64_t asked, uint64_t limit);
void ballooning_accept(struct vane *vane, const struct xen_domctl_getdomaininfo *info);

/* Watches until everything has settled. */
void ballooning_watch(void);

#endif
