/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Suspension as the kernel sees it. The toolstack (run.py) suspends the domain and lets it go on three times: called off,
 * restored from a file, called off. What a program holds must outlive each. As dom0 there is nobody who could.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xenstore.h>
#include <pv/event.h>
#include <pv/grant.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/smp.h>
#include <pv/suspend.h>
#include <pv/threads.h>
#include <pv/time.h>
#include "check.h"

#define MS       1000000ULL
#define PER_PAGE (PAGE_SIZE / sizeof(unsigned long))

static void *page_of(unsigned long mfn)
{
    unsigned long pfn = mfn_to_pfn(mfn);

    return pfn != INVALID_P2M ? pfn_to_virt(pfn) : NULL;
}

/* The P2M as tools walk it: how many entries differ from the kernel's own. */
static unsigned long p2m_differences(void)
{
    const unsigned long *lists = page_of(shared_info->arch.pfn_to_mfn_frame_list_list);
    unsigned long differences = lists == NULL || shared_info->arch.max_pfn != pfn_limit();

    for (unsigned long pfn = 0; lists != NULL && pfn < pfn_limit(); pfn++) {
        const unsigned long *list = page_of(lists[pfn / PER_PAGE / PER_PAGE]);
        const unsigned long *table = list != NULL ? page_of(list[pfn / PER_PAGE % PER_PAGE]) : NULL;

        differences += table == NULL || table[pfn % PER_PAGE] != pfn_to_mfn(pfn);
    }
    return differences;
}

static void test_p2m(void)
{
    check_group("P2M for the tools");
    CHECK_EQ(p2m_differences(), 0, "the frame lists lead to every entry of the P2M");
    if (!pv_is_dom0()) {
        CHECK_EQ(balloon_claim(200), 200, "the domain grows");
        CHECK_EQ(p2m_differences(), 0, "the lists follow the P2M to its larger table");
        CHECK_EQ(balloon_release(800), 800, "frames go back");
        CHECK_EQ(p2m_differences(), 0, "their entries are invalid for the tools too");
    }
}

static int refuse_before(void *own)
{
    return -EAGAIN;
}

static void count_after(void *own, bool cancelled)
{
    *(int *)own += cancelled ? 1 : 100;
}

static void spin_masked(void *arg)
{
    while (!__atomic_load_n((volatile bool *)arg, __ATOMIC_SEQ_CST))
        __builtin_ia32_pause();
}

static void test_refusals(void)
{
    int afters = 0;
    struct suspend_hook good = {.after = count_after, .own = &afters}, bad = {.before = refuse_before};
    volatile bool end = false;

    check_group("refusals");
    if (pv_is_dom0()) {
        CHECK_EQ(pv_suspend(), -EPERM, "dom0 cannot be suspended");
        return;
    }
    suspend_hook_add(&good);
    suspend_hook_add(&bad);
    CHECK_EQ(pv_suspend(), -EAGAIN, "a hook can refuse");
    CHECK_EQ(afters, 1, "hooks that had agreed hear that it is called off");
    suspend_hook_remove(&good);
    suspend_hook_remove(&bad);
    if (smp_cpu_count() > 1) {
        CHECK_EQ(smp_start(1, spin_masked, (void *)&end), 0, "a vCPU starts");
        CHECK_EQ(pv_suspend(), -EBUSY, "a vCPU that reaches no safe point cannot be carried away");
        end = true;
        while (smp_is_up(1))
            thread_sleep_ns(MS);
    }
    CHECK_EQ(suspend_times()->count, 0, "none of these counts as a suspension");
}

/* What is held across a suspension. */
static struct held {
    volatile unsigned long ticks, events;
    volatile unsigned long laps[2]; /* of the other vCPU: masked, and taking events */
    volatile bool end;
    int port, peer, gref;
    char *lent;
    struct xs_handle *xs;
    int before, after_cancelled, after_restored;
} held;

static void tick(void *unused)
{
    for (; !held.end; held.ticks++)
        thread_sleep_ns(2 * MS);
}

static void laps_masked(void *unused)
{
    for (; !held.end; held.laps[0]++) {
        time_spin_ns(MS / 10);
        smp_safe_point();
    }
}

static void laps_open(void *unused)
{
    irq_enable();
    for (; !held.end; held.laps[1]++)
        time_spin_ns(MS / 10);
    irq_disable();
}

static void event_came(evtchn_port_t port, void *data)
{
    held.events++;
}

static void bind_pair(void)
{
    held.port = event_alloc_unbound(pv_domid(), event_came, NULL);
    held.peer = event_bind_interdomain(pv_domid(), (evtchn_port_t)held.port, NULL, NULL);
}

static int hook_before(void *own)
{
    held.before++;
    return 0;
}

static void hook_after(void *own, bool cancelled)
{
    if (cancelled) {
        held.after_cancelled++;
    } else {
        held.after_restored++;
        bind_pair();
    }
}

static bool event_on(const char *path, uint64_t patience_ns)
{
    uint64_t end = time_monotonic_ns() + patience_ns;

    while (time_monotonic_ns() < end) {
        char **event = xs_check_watch(held.xs);
        bool found = event != NULL && strcmp(event[XS_WATCH_PATH], path) == 0;

        free(event);
        if (found)
            return true;
        if (event == NULL)
            thread_sleep_ns(MS);
    }
    return false;
}

static bool rises(const volatile unsigned long *counter, unsigned long from)
{
    uint64_t end = time_monotonic_ns() + 5000 * MS;

    while (*counter == from && time_monotonic_ns() < end)
        thread_sleep_ns(MS);
    return *counter > from;
}

static void check_all_goes_on(void)
{
    const struct grant_entry_v1 *entry = &grant_table(NULL)[held.gref];
    unsigned long ticks = held.ticks, events = held.events, laps[2] = {held.laps[0], held.laps[1]};
    unsigned int cpus = smp_cpu_count();

    CHECK_EQ(p2m_differences(), 0, "the P2M is where the tools look");
    CHECK_EQ(entry->flags, GTF_permit_access, "what is lent stays lent");
    CHECK_EQ(entry->frame, pfn_to_mfn(virt_to_pfn(held.lent)), "under its frame of today");
    (void)event_notify((evtchn_port_t)held.peer);
    CHECK_EQ(held.events, events + 1, "an event arrives");
    CHECK(xs_write(held.xs, XBT_NULL, "data/suspend", "x", 1) && event_on("data/suspend", 5000 * MS), "a watch fires");
    CHECK(rises(&held.ticks, ticks), "a sleeping thread wakes up");
    CHECK(cpus < 2 || rises(&held.laps[0], laps[0]), "a vCPU that was at a safe point goes on");
    CHECK(cpus < 3 || rises(&held.laps[1], laps[1]), "a vCPU that was in its handler goes on");
    CHECK(mfn_to_pfn(start_info->store_mfn) != INVALID_P2M && mfn_to_pfn(start_info->console.domU.mfn) != INVALID_P2M,
          "start_info names machine frames again");
}

static bool wait_suspension(unsigned int count)
{
    uint64_t end = time_monotonic_ns() + 20000 * MS;

    while (held.after_cancelled + held.after_restored < (int)count && time_monotonic_ns() < end)
        thread_sleep_ns(MS);
    return suspend_times()->count == count;
}

static void check_clock(uint64_t before, uint64_t suspended_before)
{
    uint64_t passed = time_monotonic_ns() - before, away = time_suspended_ns() - suspended_before;
    struct timespec wall;

    time_wallclock(&wall);
    CHECK(time_monotonic_ns() >= before, "the clock does not go back");
    CHECK(away > 0, "the time away is counted");
    CHECK(wall.tv_sec > 0, "there is a wall clock");
    printf("  clock: %lu us passed, %lu us away; stopping %lu us, starting %lu us\n", (unsigned long)(passed / 1000),
           (unsigned long)(away / 1000), (unsigned long)(suspend_times()->stopping / 1000),
           (unsigned long)(suspend_times()->starting / 1000));
}

static void suspensions(void)
{
    for (unsigned int count = 1; count <= 3; count++) {
        uint64_t before = time_monotonic_ns(), suspended = time_suspended_ns();

        pv_printk("ready for suspension %u\n", count);
        if (!CHECK(wait_suspension(count), "the domain was suspended and goes on"))
            return;
        check_clock(before, suspended);
        check_all_goes_on();
    }
    CHECK_EQ(held.before, 3, "the first half of a hook is called each time");
    CHECK_EQ(held.after_cancelled * 10 + held.after_restored, 21, "the second half knows what happened");
}

static void test_suspension(void)
{
    static struct suspend_hook hook = {.before = hook_before, .after = hook_after};
    unsigned int cpus = smp_cpu_count();

    check_group("suspension");
    if (pv_is_dom0())
        return;
    held.lent = pages_alloc(1);
    held.gref = grant_access(0, pfn_to_mfn(virt_to_pfn(held.lent)), false);
    held.xs = xs_open(0);
    CHECK(held.gref >= 0 && held.xs != NULL && xs_watch(held.xs, "data/suspend", "token"),
          "there is something to lose");
    CHECK(event_on("data/suspend", 5000 * MS), "the watch fires once");
    bind_pair();
    suspend_hook_add(&hook);
    thread_create("tick", tick, NULL);
    if (cpus > 1)
        CHECK_EQ(smp_start(1, laps_masked, NULL), 0, "a vCPU runs");
    if (cpus > 2)
        CHECK_EQ(smp_start(2, laps_open, NULL), 0, "a vCPU that takes events runs");
    suspensions();
    held.end = true;
}

int main(int argc, char **argv)
{
    test_p2m();
    test_refusals();
    test_suspension();
    check_summary("suspend");
    return 0;
}
