/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The network's platform on the building machine: a clock that stands still, guests whose pages are arrays, and copies
 * that check as the hypervisor does whether a page was granted and whether a copy stays inside it.
 */
#ifndef NETWORK_FAKE_H
#define NETWORK_FAKE_H

#include <stdbool.h>
#include <stdint.h>

#define FAKE_GUESTS 4u
#define FAKE_PAGES  600u

struct fake_page {
    bool granted, writable;
    uint8_t bytes[4096];
};

/* Page `gref` of domain `domid` (from 1 on). */
extern struct fake_page fake_pages[FAKE_GUESTS][FAKE_PAGES];

extern uint64_t fake_now_ns;
extern unsigned int fake_notified[16]; /* by port */
extern unsigned int fake_copy_calls, fake_copies;

void fake_reset(void);

#endif
