/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * dom0's threads share one heap, and what one of them lacks another gives back in a moment. Who cannot go back for want
 * of memory tries again for a while: with `patience` of his own, so that this has an end.
 */
#ifndef DEVICES_PATIENCE_H
#define DEVICES_PATIENCE_H

#include <errno.h>
#include <stdbool.h>

#include <pv/threads.h>

#define PATIENCE    100u /* tries */
#define PATIENCE_NS 10000000u

/* True when memory lacked (errno), after a pause in which there may be some again. Other threads run meanwhile. */
static inline bool has_patience(unsigned int *patience)
{
    if (errno != ENOMEM || *patience == 0)
        return false;
    --*patience;
    thread_sleep_ns(PATIENCE_NS);
    return true;
}

#endif
