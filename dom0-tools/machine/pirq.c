/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Device interrupts by hypercall.
 */
#include <errno.h>
#include <pv/hypercall.h>
#include <pv/pv.h>

#include "pirq.h"

#define TRIGGER_LEVEL 1
#define POLARITY_LOW  1

/* A pin whose level trigger the firmware's tables do not mention has the one PCI prescribes. */
int pirq_prepare(unsigned int gsi)
{
    struct physdev_map_pirq map = {.domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_GSI, .index = (int)gsi, .pirq = (int)gsi};
    struct physdev_irq_status_query query = {.irq = gsi};
    struct physdev_setup_gsi setup = {.gsi = (int)gsi, .triggering = TRIGGER_LEVEL, .polarity = POLARITY_LOW};
    long rc = pv_error(HYPERVISOR_physdev_op(PHYSDEVOP_map_pirq, &map));

    if (rc != 0)
        return (int)rc;
    rc = pv_error(HYPERVISOR_physdev_op(PHYSDEVOP_irq_status_query, &query));
    if (rc != 0 || (query.flags & XENIRQSTAT_needs_eoi))
        return (int)rc;
    rc = pv_error(HYPERVISOR_physdev_op(PHYSDEVOP_setup_gsi, &setup));
    return rc == -EEXIST ? 0 : (int)rc;
}

void pirq_end(unsigned int gsi)
{
    struct physdev_eoi eoi = {.irq = gsi};

    (void)HYPERVISOR_physdev_op(PHYSDEVOP_eoi, &eoi);
}
