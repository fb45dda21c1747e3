/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a domain has beside memory. The clock never goes back, on no vCPU, and sleep lasts; an event sent to ourselves
 * arrives once; a page lent to ourselves stays lent under its reference, whatever frame it is now.
 */
#include <inttypes.h>
#include <string.h>
#include <pv/event.h>
#include <pv/grant.h>
#include <pv/paging.h>
#include <pv/suspend.h>
#include <pv/threads.h>
#include <pv/time.h>
#include "pattern.h"

#define CLOCK_SLACK_NS 1000000ULL /* between two vCPUs */
#define SLEEP_NS       2000000ULL

static uint64_t latest;
static volatile unsigned long events;
static unsigned long events_sent;
static int sender;
static char *lent_page;
static int gref;
static domid_t lent_to;

/* Called by all vCPUs; `latest` is what any of them saw. */
void clock_check(void)
{
    uint64_t seen = __atomic_load_n(&latest, __ATOMIC_SEQ_CST), now = time_monotonic_ns();

    if (now + CLOCK_SLACK_NS < seen)
        broken("clock: it was %" PRIu64 " ns and is %" PRIu64 " ns", seen, now);
    while (now > seen && !__atomic_compare_exchange_n(&latest, &seen, now, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        ;
}

static void event_came(evtchn_port_t port, void *data)
{
    events++;
}

/* Two ports of ours, bound to each other. Those of before a move are gone. */
static void bind_events(void)
{
    int receiver = event_alloc_unbound(pv_domid(), event_came, NULL);

    sender = receiver < 0 ? receiver : event_bind_interdomain(pv_domid(), (evtchn_port_t)receiver, NULL, NULL);
    if (sender < 0)
        broken("event channel: error %d", -sender);
}

static void lend(void)
{
    lent_to = pv_domid();
    gref = grant_access(lent_to, pfn_to_mfn(virt_to_pfn(lent_page)), false);
    if (gref < 0)
        broken("grant: error %d", -gref);
}

/* Nothing that others are told by number is left to chance: the entry names the page's frame of today. */
static void grant_check(void)
{
    const struct grant_entry_v1 *entry = &grant_table(NULL)[gref];

    if (entry->flags != GTF_permit_access || entry->frame != pfn_to_mfn(virt_to_pfn(lent_page)))
        broken("grant %d: flags %x, frame %" PRIx32 ", and the page is frame %lx", gref, (unsigned int)entry->flags,
               entry->frame, pfn_to_mfn(virt_to_pfn(lent_page)));
}

static void grant_use(void)
{
    grant_ref_t ref = (grant_ref_t)gref;
    domid_t self = pv_domid();
    grant_handle_t handle;
    char *mapped = grant_map(&self, &ref, 1, false, &handle);
    static unsigned long stamp;

    if (mapped == NULL)
        broken("grant %d cannot be mapped", gref);
    memcpy(mapped, &(unsigned long){++stamp}, sizeof(stamp));
    if (memcmp(lent_page, &stamp, sizeof(stamp)) != 0)
        broken("grant %d shows another page", gref);
    if (grant_unmap(mapped, &handle, 1) != 0)
        broken("grant %d cannot be unmapped", gref);
}

/* We lend to ourselves, whose number may be another one now. */
static void moved(void *unused, bool cancelled)
{
    grant_check();
    if (cancelled)
        return;
    if (grant_end_access((grant_ref_t)gref) != 0)
        broken("grant %d is in use", gref);
    lend();
    events_sent = events;
    bind_events();
}

void surroundings_start(void)
{
    static struct suspend_hook hook = {.after = moved};

    lent_page = pages_alloc(1);
    if (lent_page == NULL)
        broken("no memory to lend");
    lend();
    bind_events();
    suspend_hook_add(&hook);
}

static void sleep_check(void)
{
    uint64_t before = time_monotonic_ns(), slept;

    thread_sleep_ns(SLEEP_NS);
    slept = time_monotonic_ns() - before;
    if (slept < SLEEP_NS)
        broken("clock: a sleep of %" PRIu64 " ns lasted %" PRIu64 " ns", (uint64_t)SLEEP_NS, slept);
}

/* Another thread's hook may let this one run before ours has lent the page anew. */
void surroundings_check(void)
{
    if (pv_domid() != lent_to)
        return;
    grant_check();
    grant_use();
    if (events != events_sent)
        broken("events: %lu came, %lu were sent", events, events_sent);
    (void)event_notify((evtchn_port_t)sender);
    events_sent++;
    sleep_check();
    clock_check();
}
