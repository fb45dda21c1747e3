/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A hypervisor with one empty domain, on the building machine: what restoring asks of it. It aborts when it is asked for
 * what no stream may bring about: a frame that never was the domain's, or a mapping left behind.
 */
#ifndef TESTS_FUZZ_FAKE_DOMAIN_H
#define TESTS_FUZZ_FAKE_DOMAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_FRAMES    4096u
#define FAKE_MAX_PAGES 256u
#define FAKE_VCPUS     4u

/* A new domain with nothing in it; what the last one had is gone. */
void fake_domain_reset(void);
/* After a restore, good or bad: nothing is mapped. After a good one: the guest's P2M names its own frames only. */
void fake_domain_check(bool restored);
unsigned int fake_domain_pages(void);
/* How many tables were pinned, and vCPUs set up. */
unsigned int fake_domain_pins(void);
unsigned int fake_domain_vcpus(void);

#endif
