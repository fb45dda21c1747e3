/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The domain is suspended, and goes on here or elsewhere. At the hypercall vCPU 0 is alone, with upcalls masked, and
 * the toolstack finds: no page table entry that names a frame which is not ours, no machine frame number in our memory
 * outside page tables, the P2M and its frame lists, and the store's and console's pages in start_info as guest frames.
 * Afterwards every machine frame number may be a different one.
 */
#include <errno.h>
#include <pv/event.h>
#include <pv/grant.h>
#include <pv/hypercall.h>
#include <pv/paging.h>
#include <pv/suspend.h>
#include <pv/threads.h>
#include <pv/time.h>
#include "guest-pv/xenstore/link.h"
#include "internal.h"

#define STORE_PATIENCE_NS   5000000000ULL
#define CONSOLE_PATIENCE_NS 50000000ULL
#define VCPU_PATIENCE_NS    3000000000ULL

static struct suspend_hook *hook_first, *hook_last;
static struct suspend_times times;
static struct mutex one_at_a_time;

/* Not while hooks are being called: they may wait, and other threads then run. */
void suspend_hook_add(struct suspend_hook *hook)
{
    mutex_lock(&one_at_a_time);
    hook->next = NULL;
    hook->previous = hook_last;
    if (hook_last != NULL)
        hook_last->next = hook;
    else
        hook_first = hook;
    hook_last = hook;
    mutex_unlock(&one_at_a_time);
}

void suspend_hook_remove(struct suspend_hook *hook)
{
    mutex_lock(&one_at_a_time);
    if (hook->previous != NULL)
        hook->previous->next = hook->next;
    else
        hook_first = hook->next;
    if (hook->next != NULL)
        hook->next->previous = hook->previous;
    else
        hook_last = hook->previous;
    mutex_unlock(&one_at_a_time);
}

const struct suspend_times *suspend_times(void)
{
    return &times;
}

static void hooks_after(struct suspend_hook *last, bool cancelled)
{
    for (struct suspend_hook *hook = last; hook != NULL; hook = hook->previous)
        if (hook->after != NULL)
            hook->after(hook->own, cancelled);
}

/* On failure those that had agreed hear that nothing came of it. */
static int hooks_before(void)
{
    for (struct suspend_hook *hook = hook_first; hook != NULL; hook = hook->next) {
        int rc = hook->before != NULL ? hook->before(hook->own) : 0;

        if (rc != 0) {
            hooks_after(hook->previous, true);
            return rc;
        }
    }
    return 0;
}

/* Upcalls are masked and nothing else of the kernel runs, from before the hypercall until after it. */
static bool suspend_and_come_back(uint64_t stopped)
{
    unsigned long info_mfn = virt_to_mfn(start_info);
    long rc;

    boot_info_to_pfns();
    grants_unmap();
    console_touch();
    xenbus_ring_touch();
    times.stopping = time_stop() - stopped;
    shared_info_unmap();
    rc = HYPERVISOR_suspend(info_mfn);
    if (rc == 0)
        p2m_find_machine_table();
    boot_info_to_mfns();
    shared_info_map();
    shared_info->vcpu_info[0].evtchn_upcall_mask = 1;
    times.away = time_go_on();
    if (rc < 0)
        pv_printk("suspend: the hypervisor refused: %ld\n", rc);
    return rc == 0;
}

static void come_up(bool restored)
{
    p2m_publish();
    if (restored) {
        traps_init();
        events_forget();
        time_bind();
        pv_domid_forget();
    }
    grants_map(restored);
    console_resume(restored);
    xenbus_ring_resume(restored);
}

/* Waiting is over: between here and the end no other thread runs. */
static bool stand_still(uint64_t asked)
{
    bool enabled = irq_save(), restored;
    uint64_t stopped = time_monotonic_ns();

    times.preparing = stopped - asked;
    restored = suspend_and_come_back(stopped);
    come_up(restored);
    times.starting = time_monotonic_ns() - stopped - times.stopping;
    irq_restore(enabled);
    times.count++;
    return restored;
}

static int with_vcpus_stopped(uint64_t asked, bool *restored)
{
    int rc = smp_stop_others(time_monotonic_ns() + VCPU_PATIENCE_NS);

    if (rc == 0)
        rc = grants_prepare();
    if (rc == 0)
        *restored = stand_still(asked);
    smp_start_others(rc == 0 && *restored);
    grants_settle();
    return rc;
}

static int with_store_quiet(uint64_t asked, bool *restored)
{
    int rc = xs_link_quiesce(time_monotonic_ns() + STORE_PATIENCE_NS);
    bool locked;

    if (rc != 0) {
        pv_printk("suspend: the store does not answer requests under way: %d\n", rc);
        return rc;
    }
    locked = console_hold(time_monotonic_ns() + CONSOLE_PATIENCE_NS);
    rc = with_vcpus_stopped(asked, restored);
    console_release(locked);
    xs_link_release(rc == 0 && *restored);
    return rc;
}

static int check(void)
{
    if (pv_is_dom0())
        return -EPERM;
    if (grants_mapped() != 0) {
        pv_printk("suspend: %u pages of other domains are mapped\n", grants_mapped());
        return -EBUSY;
    }
    return 0;
}

static int suspend(void)
{
    uint64_t asked = time_monotonic_ns();
    bool restored = false;
    int rc = pv_is_dom0() ? -EPERM : hooks_before();

    if (rc != 0)
        return rc;
    rc = check();
    if (rc == 0)
        rc = with_store_quiet(asked, &restored);
    if (restored)
        xs_link_watch_again();
    hooks_after(hook_last, rc != 0 || !restored);
    return rc != 0 ? rc : restored ? SUSPEND_RESTORED : SUSPEND_CANCELLED;
}

int pv_suspend(void)
{
    int rc;

    mutex_lock(&one_at_a_time);
    rc = suspend();
    mutex_unlock(&one_at_a_time);
    return rc;
}
