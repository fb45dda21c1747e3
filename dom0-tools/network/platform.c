/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The switch's platform in the embedded dom0. Memory of ours may be anywhere: the page tables tell its frame.
 */
#include "platform.h"

#include <pv/event.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/time.h>

uint64_t network_now_ns(void)
{
    return time_monotonic_ns();
}

void network_copy(struct gnttab_copy *copies, unsigned int count)
{
    if (HYPERVISOR_grant_table_op(GNTTABOP_copy, copies, count) != 0)
        for (unsigned int i = 0; i < count; i++)
            copies[i].status = GNTST_general_error;
}

unsigned long network_frame(const void *data)
{
    return virt_to_mfn(data);
}

void network_notify(unsigned int port)
{
    (void)event_notify(port);
}
