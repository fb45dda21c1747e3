/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Being saved, restored and migrated. The library suspends the kernel when the toolstack writes "suspend" to
 * control/shutdown; a program takes part with hooks.
 *
 * What stays: memory, threads, locks, grants under their references (towards the same domain numbers), watches, the
 * console, front ends that are open. time_monotonic_ns() stands still while the domain is away, so sleeping threads
 * sleep the rest of their time; time_suspended_ns() counts what it left out.
 * What goes, unless the suspension is cancelled: every event channel but those of the library, machine frame numbers
 * (of whatever virt_to_mfn and pfn_to_mfn returned before), timers and ports of secondary vCPUs, open store
 * transactions (they end with EAGAIN), our domain number.
 * Secondary vCPUs wait in smp_safe_point(), or in an event handler, until it is over.
 */
#ifndef PV_SUSPEND_H
#define PV_SUSPEND_H

#include <stdbool.h>
#include <stdint.h>

#define SUSPEND_RESTORED  0
#define SUSPEND_CANCELLED 1

/*
 * Both run in thread context, with everything usable. `before` may wait; a negative errno refuses the suspension, and
 * `after` is then called, cancelled, for those whose `before` had succeeded. Either may be NULL. `before` is called in
 * the order of adding, `after` in the reverse order. A hook must not add or remove hooks.
 */
struct suspend_hook {
    int (*before)(void *own);
    void (*after)(void *own, bool cancelled);
    void *own;
    struct suspend_hook *next, *previous; /* the library's */
};

/* Both wait while a suspension is under way. */
void suspend_hook_add(struct suspend_hook *hook);
void suspend_hook_remove(struct suspend_hook *hook);

/*
 * Suspends now. SUSPEND_RESTORED or SUSPEND_CANCELLED once the domain runs again; a negative errno when it went on
 * running: -EBUSY (frames of other domains are mapped, or a vCPU reaches no safe point: the console says which), -EPERM
 * in dom0, what a hook said. Thread context; the caller's locks stay held.
 */
int pv_suspend(void);

/* The last suspension, in nanoseconds of this host's clock. */
struct suspend_times {
    uint64_t preparing; /* from the request to the moment when threads and vCPUs stood still */
    uint64_t stopping;  /* from there to the hypercall */
    uint64_t away;      /* in the hypercall: between two hosts as far as their wall clocks agree */
    uint64_t starting;  /* from its return to the first thread that runs */
    unsigned int count; /* suspensions so far, cancelled ones included */
};

const struct suspend_times *suspend_times(void);

#endif
