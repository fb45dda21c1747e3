/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the toolstack asks of every guest through the xenstore: stop (control/shutdown) and change size
 * (memory/target). One thread follows the watches; a second, started with the first request, moves the balloon and
 * tries again while the hypervisor is short of memory. What cannot be granted is said on the console and in
 * data/balloon, with the numbers.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <abi/sched.h>
#include <xenstore.h>
#include <pv/paging.h>
#include <pv/suspend.h>
#include <pv/threads.h>
#include <pv/time.h>
#include "internal.h"

#define STACK_SIZE      (32UL << 10)
#define RETRY_NS        1000000000ULL
#define PAGES_TO_KIB(p) ((p) << (PAGE_SHIFT - 10))
#define KIB_TO_PAGES(k) ((k) >> (PAGE_SHIFT - 10))

#define SHUTDOWN_PATH   "control/shutdown"
#define TARGET_PATH     "memory/target"

static struct xs_handle *xs;
static pv_shutdown_hook_t *shutdown_hook;
static unsigned long wanted_pages;
static unsigned long request_number;
static struct waitq balloon_waitq;
static struct thread *balloon_thread;

void pv_set_shutdown_hook(pv_shutdown_hook_t *hook)
{
    shutdown_hook = hook;
}

static void say(const char *format, unsigned long asked, unsigned long got)
{
    char text[160];
    int length = snprintf(text, sizeof(text), format, PAGES_TO_KIB(asked), PAGES_TO_KIB(got));

    pv_printk("balloon: %s\n", text);
    /* Not every toolstack gives us a place to write to. */
    (void)xs_write(xs, XBT_NULL, "data/balloon", text, (unsigned int)length);
}

/* One move towards the target. Returns true when there is nothing to try again. */
static bool balloon_step(unsigned long target, bool first)
{
    long maximum = balloon_maximum();
    unsigned long goal = target, reached;

    if (maximum > 0 && goal > (unsigned long)maximum) {
        goal = (unsigned long)maximum;
        if (first)
            say("refused: asked for %lu KiB, the maximum is %lu KiB", target, goal);
    }
    reached = balloon_set_target(goal);
    if (reached == goal)
        return true;
    if (first)
        say(reached < goal ? "asked for %lu KiB, the hypervisor is short of memory: now %lu KiB"
                           : "asked for %lu KiB, the rest is in use: now %lu KiB",
            target, reached);
    return false;
}

static void balloon_main(void *unused)
{
    unsigned long handled = 0;

    for (;;) {
        bool first = handled != request_number;
        bool done;

        handled = request_number;
        done = balloon_step(wanted_pages, first);
        wait_event_until(&balloon_waitq, handled != request_number,
                         done ? WAIT_FOREVER : time_monotonic_ns() + RETRY_NS);
    }
}

static void target_changed(void)
{
    unsigned int length;
    char *text = xs_read(xs, XBT_NULL, TARGET_PATH, &length), *end;
    unsigned long long kib;

    if (text == NULL)
        return;
    kib = strtoull(text, &end, 10);
    if (end == text || *end != '\0' || kib == 0 || KIB_TO_PAGES(kib) > ~0UL) {
        pv_printk("balloon: %s is not a size: \"%s\"\n", TARGET_PATH, text);
    } else if (balloon_thread != NULL || KIB_TO_PAGES(kib) != balloon_current()) {
        wanted_pages = (unsigned long)KIB_TO_PAGES(kib);
        request_number++;
        if (balloon_thread == NULL)
            balloon_thread = thread_create_stack("balloon", balloon_main, NULL, STACK_SIZE);
        waitq_wake(&balloon_waitq);
    }
    free(text);
}

static void announce(void)
{
    (void)xs_write(xs, XBT_NULL, "control/feature-poweroff", "1", 1);
    (void)xs_write(xs, XBT_NULL, "control/feature-reboot", "1", 1);
    (void)xs_write(xs, XBT_NULL, "control/feature-suspend", "1", 1);
}

/* The store of a new host knows nothing of us. */
static void suspend_asked(void)
{
    int rc = pv_suspend();

    if (rc < 0)
        pv_printk("control/shutdown: not suspended: error %d\n", -rc);
    else if (rc == SUSPEND_RESTORED)
        announce();
}

static void shutdown_asked(void)
{
    unsigned int length;
    char *request = xs_read(xs, XBT_NULL, SHUTDOWN_PATH, &length);

    if (request == NULL || request[0] == '\0') {
        free(request);
        return;
    }
    /* The emptied node tells the toolstack that we heard. */
    xs_write(xs, XBT_NULL, SHUTDOWN_PATH, "", 0);
    if (shutdown_hook == NULL || !shutdown_hook(request)) {
        fflush(NULL);
        if (strcmp(request, "suspend") == 0) {
            suspend_asked();
            free(request);
            return;
        }
        if (strcmp(request, "poweroff") == 0 || strcmp(request, "halt") == 0)
            pv_shutdown(SHUTDOWN_poweroff);
        if (strcmp(request, "reboot") == 0)
            pv_shutdown(SHUTDOWN_reboot);
        pv_printk("control/shutdown: \"%s\" is not something this kernel can do\n", request);
    }
    free(request);
}

static void follow(void *unused)
{
    for (;;) {
        unsigned int count;
        char **event = xs_read_watch(xs, &count);

        if (event == NULL) {
            pv_printk("xenstore: no more watch events\n");
            return;
        }
        if (strcmp(event[XS_WATCH_TOKEN], "shutdown") == 0)
            shutdown_asked();
        else if (strcmp(event[XS_WATCH_TOKEN], "target") == 0)
            target_changed();
        free(event);
    }
}

/* Both services share one connection and one thread. */
static int service_start(const char *path, const char *token)
{
    static bool following;
    struct thread *thread;

    if (xs == NULL)
        xs = xs_open(0);
    if (xs == NULL || !xs_watch(xs, path, token))
        return -errno;
    if (following)
        return 0;
    thread = thread_create_stack("services", follow, NULL, STACK_SIZE);
    if (thread == NULL)
        return -ENOMEM;
    thread_detach(thread);
    following = true;
    return 0;
}

int pv_control_start(void)
{
    int rc = service_start(SHUTDOWN_PATH, "shutdown");

    if (rc == 0)
        announce();
    return rc;
}

int pv_balloon_start(void)
{
    return service_start(TARGET_PATH, "target");
}

static void start_both(void *unused)
{
    if (pv_control_start() == 0)
        (void)pv_balloon_start();
}

/* In a thread of its own: main() does not wait for the store's answers. */
void services_start(void)
{
    struct thread *thread = thread_create_stack("store", start_both, NULL, STACK_SIZE);

    if (thread != NULL)
        thread_detach(thread);
}
