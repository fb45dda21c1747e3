/* SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A simulated machine for the scheduler: CPUs with a timer each, a clock that jumps from event to event, and vCPUs that
 * either always want to run or run and sleep by turns. The scheduler's own files decide everything else.
 */
#ifndef TESTS_UNIT_SCHED_FAKE_H
#define TESTS_UNIT_SCHED_FAKE_H

#include "domain.h"

#define MS           1000000ULL
#define FAKE_DOMAINS 256

extern ns_t fake_now;
extern unsigned fake_switches;
extern u32 fake_ran_on[FAKE_DOMAINS]; /* CPUs that vCPU 0 of a domain was ever put on */
extern void (*fake_check)(void);      /* called whenever all CPUs have settled */
extern void (*fake_relax)(void);      /* called when one CPU waits for another */
extern int fake_events_after; /* so many looks for a deliverable event find none, the next one does; -1: never */
extern char fake_log[4096];   /* what was logged, as far as it fits */

void fake_machine(unsigned cpus);
/* Domain `id`, its vCPUs up and wanting to run all the time. */
struct domain *fake_domain(unsigned id, unsigned vcpus);
/* vCPU 0 runs for `run` ns and then sleeps for `sleep` ns, for ever. */
void fake_sleeper(struct domain *d, ns_t run, ns_t sleep);
ns_t fake_worst_wait(struct domain *d); /* longest time from a wake-up to the CPU since the last call */
void fake_settle(void);
void fake_run(ns_t duration);
/* Share of one CPU that the domain got since the last call, in thousandths. */
unsigned fake_share(struct domain *d, ns_t duration);
void fake_free(void);

#endif
