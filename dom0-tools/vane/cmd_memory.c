/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mem-set, mem-max and list -m. The target is a request to the guest's balloon driver; the hypervisor's limit is moved
 * with it, so that a guest can neither keep growing nor take more than it was promised.
 */
#include "ballooning.h"
#include "domains.h"
#include "json.h"
#include "store.h"
#include "system.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLACK_KIB      1024u
#define DOM0_LEAST_KIB (16u * 1024u)
#define REPORT_NS      1000000000ull /* between two lines of progress */
#define NS_PER_S       1000000000ull

static unsigned long long mib(uint64_t kib)
{
    return (unsigned long long)kib / 1024;
}

/* Seconds with one decimal. */
static void say_tenths(char text[24], uint64_t ns)
{
    snprintf(text, 24, "%llu.%llu", (unsigned long long)(ns / NS_PER_S),
             (unsigned long long)(ns % NS_PER_S / (NS_PER_S / 10)));
}

static int find_with_memory(struct vane *vane, int argc, char **argv, struct xen_domctl_getdomaininfo *info,
                            uint64_t *kib)
{
    if (check_arguments(vane, argc, argv, 2, 2) != 0 || find_domain_info(vane, argv[1], info) != 0)
        return 1;
    if (!parse_memory(argv[2], kib) || *kib == 0)
        return fail(vane, "\"%s\" is no amount of memory: a number of MiB, or with a letter b, k, m, g or t", argv[2]);
    return 0;
}

static int check_free(struct vane *vane, const struct xen_domctl_getdomaininfo *info, uint64_t kib)
{
    uint64_t have = info->tot_pages * 4, free_kib;

    if (kib <= have || !ballooning_free(vane, &free_kib) || kib - have <= free_kib)
        return 0;
    ballooning_refuse(vane, info, BALLOON_ABOVE_FREE, kib, have + free_kib);
    return fail(vane, "domain %u has %llu MiB and would need %llu MiB more, but %llu MiB are free", info->domain,
                mib(have), mib(kib - have), mib(free_kib));
}

/* What is asked for must be within all limits; whoever breaks one reads which, and what to do. */
static int check_limits(struct vane *vane, const struct xen_domctl_getdomaininfo *info, uint64_t kib)
{
    uint64_t most = ballooning_max(vane, info);

    if (kib > most) {
        ballooning_refuse(vane, info, BALLOON_ABOVE_MAX, kib, most);
        return fail(vane, "%llu MiB is more than the %llu MiB that domain %u may have at most; mem-max raises that",
                    mib(kib), mib(most), info->domain);
    }
    if (info->domain == 0 && kib < DOM0_LEAST_KIB) {
        ballooning_refuse(vane, info, BALLOON_BELOW_LEAST, kib, DOM0_LEAST_KIB);
        return fail(vane, "domain 0 needs %u MiB at least: all the tools run in it", DOM0_LEAST_KIB / 1024);
    }
    return check_free(vane, info, kib);
}

static int set_limit(struct vane *vane, domid_t domid, uint64_t kib)
{
    if (ctl_domain_max_mem(vane->ctl, domid, kib + SLACK_KIB) == 0)
        return 0;
    return fail(vane, "the hypervisor refused a limit of %llu KiB for domain %u: %s",
                (unsigned long long)kib + SLACK_KIB, domid, strerror(errno));
}

static void json_balloon(struct json *json, const struct balloon *balloon)
{
    char why[BALLOON_TEXT];

    balloon_explain(balloon, why);
    json_number(json, "current_kib", balloon->last.current);
    json_number(json, "target_kib", balloon->last.target);
    json_number(json, "max_kib", balloon->last.max);
    json_string(json, "balloon", balloon_state_name(balloon));
    if (why[0] != '\0')
        json_string(json, "reason", why);
    if (balloon->state == BALLOON_MOVING) {
        json_string(json, "direction", balloon->last.target < balloon->last.current ? "down" : "up");
        json_number(json, "rate_kib_per_s", (uint64_t)(balloon->rate < 0 ? -balloon->rate : balloon->rate));
    }
}

static void json_result(struct vane *vane, domid_t domid, const struct balloon *balloon)
{
    struct json json;

    json_begin(&json, vane);
    json_open(&json, NULL, '{');
    json_number(&json, "domid", domid);
    json_balloon(&json, balloon);
    if (balloon->took_ns != 0)
        json_seconds(&json, "seconds", balloon->took_ns);
    json_close(&json, '}');
    json_end(&json);
}

/* One look at the domain. 0, or 1 with the error. */
static int look(struct vane *vane, domid_t domid, struct balloon *balloon)
{
    struct xen_domctl_getdomaininfo info;

    if (ctl_domain_info(vane->ctl, domid, &info) != 0)
        return fail(vane, errno == ESRCH ? "domain %u is gone" : "asking for domain %u failed", domid);
    if (!ballooning_look(vane, &info, balloon))
        return fail(vane, "out of memory");
    return 0;
}

static void say_done(struct vane *vane, const struct balloon *balloon, uint64_t began)
{
    char seconds[24];

    say_tenths(seconds, balloon->last.at_ns - began);
    say(vane, "%llu MiB reached in %s s\n", mib(balloon->last.current), seconds);
}

/* A kernel that is still starting gets the time to find its driver. */
static bool may_begin(const struct balloon *balloon, uint64_t began)
{
    return balloon->state == BALLOON_STUCK && balloon->reason == BALLOON_NO_DRIVER &&
           balloon->last.at_ns - began < BALLOON_PATIENCE_NS;
}

/* Until it is there or will not get there. The exit status of mem-set -w. */
static int wait_for(struct vane *vane, domid_t domid)
{
    uint64_t began = clock_ns(), said = began;
    struct balloon balloon;
    char text[BALLOON_TEXT];

    for (;;) {
        if (look(vane, domid, &balloon) != 0)
            return 1;
        if (balloon.state != BALLOON_MOVING && !may_begin(&balloon, began))
            break;
        if (balloon.last.at_ns - said >= REPORT_NS) {
            said = balloon.last.at_ns;
            balloon_describe(&balloon, text);
            say(vane, "%llu MiB now, %llu MiB wanted: %s\n", mib(balloon.last.current), mib(balloon.last.target), text);
            fflush(stdout);
        }
        if (terminal_interrupted(BALLOONING_STEP_NS))
            return fail(vane, "no longer waiting: domain %u has %llu MiB and goes on towards %llu MiB", domid,
                        mib(balloon.last.current), mib(balloon.last.target));
    }
    if (balloon.state != BALLOON_IDLE) {
        balloon_describe(&balloon, text);
        return fail(vane, "domain %u has %llu KiB and does not reach %llu MiB; %s", domid,
                    (unsigned long long)balloon.last.current, mib(balloon.last.target), text);
    }
    say_done(vane, &balloon, began);
    json_result(vane, domid, &balloon);
    return 0;
}

/* What there is to say at once. A balloon that cannot follow is no error: the target stays in the store. */
static int report(struct vane *vane, domid_t domid)
{
    char text[BALLOON_TEXT];
    struct balloon balloon;

    if (look(vane, domid, &balloon) != 0)
        return 1;
    balloon_describe(&balloon, text);
    if (balloon.state == BALLOON_MOVING)
        say(vane, "domain %u moves from %llu MiB to %llu MiB; list -m shows how far it is\n", domid,
            mib(balloon.last.current), mib(balloon.last.target));
    else if (balloon.state == BALLOON_STUCK)
        say(vane, "domain %u: the target is %llu MiB now, but the balloon is %s\n", domid, mib(balloon.last.target),
            text);
    json_result(vane, domid, &balloon);
    return 0;
}

int cmd_mem_set(struct vane *vane, int argc, char **argv)
{
    bool wait = option(&argc, argv, "-w", "--wait");
    struct xen_domctl_getdomaininfo info;
    uint64_t kib;

    if (find_with_memory(vane, argc, argv, &info, &kib) != 0 || check_limits(vane, &info, kib) != 0 ||
        set_limit(vane, info.domain, kib) != 0)
        return 1;
    if (!store_write(vane->xs, info.domain, "memory/target", "%llu", (unsigned long long)kib))
        return fail(vane, "writing the target of domain %u failed: %s", info.domain, strerror(errno));
    ballooning_accept(vane, &info);
    ballooning_watch();
    return wait ? wait_for(vane, info.domain) : report(vane, info.domain);
}

int cmd_mem_max(struct vane *vane, int argc, char **argv)
{
    struct xen_domctl_getdomaininfo info;
    struct domain_record *record;
    uint64_t kib, target;

    if (find_with_memory(vane, argc, argv, &info, &kib) != 0)
        return 1;
    target = ballooning_target(vane, &info);
    if (kib < target)
        return fail(vane, "%llu MiB is less than the %llu MiB that domain %u is to have now; mem-set lowers that first",
                    mib(kib), mib(target), info.domain);
    if (set_limit(vane, info.domain, kib) != 0)
        return 1;
    if (!store_write(vane->xs, info.domain, "memory/static-max", "%llu", (unsigned long long)kib))
        return fail(vane, "writing the maximum of domain %u failed: %s", info.domain, strerror(errno));
    record = record_find(info.domain);
    if (record != NULL)
        record->config.max_memory_kib = kib;
    ballooning_accept(vane, &info);
    json_ok(vane);
    return 0;
}

static void show_one(struct vane *vane, struct json *json, const struct xen_domctl_getdomaininfo *info)
{
    char text[BALLOON_TEXT], *name;
    struct balloon balloon;

    if (!ballooning_look(vane, info, &balloon))
        return;
    name = name_of_domain(vane, info->domain);
    balloon_describe(&balloon, text);
    say(vane, "%-40s %5u %6llu %6llu %6llu  %s\n", name != NULL ? name : "(null)", info->domain,
        mib(balloon.last.current), mib(balloon.last.target), mib(balloon.last.max), text);
    json_open(json, NULL, '{');
    json_string(json, "name", name != NULL ? name : "(null)");
    json_number(json, "domid", info->domain);
    json_balloon(json, &balloon);
    json_close(json, '}');
    free(name);
}

void list_memory(struct vane *vane, const struct xen_domctl_getdomaininfo *infos, unsigned int count)
{
    uint64_t free_kib = 0;
    struct json json;

    say(vane, "%-40s %5s %6s %6s %6s  %s\n", "Name", "ID", "Mem", "Target", "Max", "Balloon");
    json_begin(&json, vane);
    json_open(&json, NULL, '[');
    for (unsigned int i = 0; i < count; i++)
        show_one(vane, &json, &infos[i]);
    json_close(&json, ']');
    json_end(&json);
    if (ballooning_free(vane, &free_kib))
        say(vane, "%llu MiB are free\n", mib(free_kib));
    ballooning_watch();
}
