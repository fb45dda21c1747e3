/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The thread that acts when domains end. Everything here runs in cooperative threads; a record is looked up again after
 * anything that may have let another thread run.
 */
#define _GNU_SOURCE /* asprintf */
#include "lifecycle.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <abi/sched.h>

#include "dom0-tools/console/console.h"
#include "dumping.h"
#include "ends.h"
#include "making.h"
#include "store.h"
#include "system.h"

#define NAME_NS           10000000000ull
#define NAME_POLL_NS      20000000u
#define NOTICES_MAX       32
#define FAST_LIFE_SECONDS 10u
#define FAST_RESTARTS_MAX 5
#define MEMORY_PAUSE_NS   100000000u
#define REST_FACTOR       19
#define REST_MAX_NS       20000000u

static char *notices[NOTICES_MAX];
static unsigned int notice_first, notice_count;
static bool blind;          /* the last look found no memory for the list of domains */
static unsigned int acting; /* threads that deal with an end just now */

void lifecycle_tell(const char *format, ...)
{
    char *text;
    va_list args;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    if (notice_count == NOTICES_MAX)
        free(lifecycle_notice()); /* the oldest makes room */
    notices[(notice_first + notice_count) % NOTICES_MAX] = text;
    notice_count++;
    terminal_wake(); /* the prompt shows it now, not at the next key */
}

char *lifecycle_notice(void)
{
    char *text;

    if (notice_count == 0)
        return NULL;
    text = notices[notice_first];
    notice_first = (notice_first + 1) % NOTICES_MAX;
    notice_count--;
    return text != NULL ? text : strdup("(a message was lost: out of memory)");
}

static enum domain_action action_for(const struct domain_config *config, unsigned int reason)
{
    switch (reason) {
    case SHUTDOWN_poweroff:
        return config->on_poweroff;
    case SHUTDOWN_reboot:
        return config->on_reboot;
    case SHUTDOWN_watchdog:
        return config->on_watchdog;
    case SHUTDOWN_suspend:
        return ACTION_PRESERVE;
    default:
        return config->on_crash;
    }
}

/* Moves the configuration out, so that the record can go and the domain be made again. */
static void take_config(struct domain_record *record, struct domain_config *config)
{
    *config = record->config;
    memset(&record->config, 0, sizeof(record->config));
    record_set_name(record, strdup(config->name));
}

/* A copy of it may be in the making, by a migration that is about to find out that the domain is no more. */
static void wait_for_name(struct vane *vane, const char *name)
{
    uint64_t deadline = clock_ns() + NAME_NS;
    domid_t owner;

    while (domain_name_claimed(vane, name, &owner) && !domain_name_taken(vane, name, &owner) && clock_ns() < deadline)
        sleep_ns(NAME_POLL_NS);
}

static void start_again(struct vane *vane, struct domain_config *config, unsigned int fast_restarts, domid_t ended)
{
    struct build_error error;
    char *name = strdup(config->name);
    struct domain_record *record;

    wait_for_name(vane, config->name);
    record = create_domain(vane, config, false, &error);

    if (record == NULL) {
        lifecycle_tell("%s: restarting failed: %s", name ? name : "?", error.text);
        domain_config_free(config);
    } else {
        record->fast_restarts = fast_restarts;
        end_succeeded(ended, record->domid);
        lifecycle_tell("%s: restarted as domain %u", record->config.name, record->domid);
    }
    free(name);
}

/* The old domain stays, under another name, for whoever wants to look into it; who destroyed it meanwhile did not. */
static bool rename_away(struct vane *vane, struct domain_record *record)
{
    char name[DOMAIN_NAME_MAX + 16];
    uint8_t uuid[sizeof(record->uuid)];
    domid_t domid = record->domid;
    bool written;
    char *copy;

    memcpy(uuid, record->uuid, sizeof(uuid));
    snprintf(name, sizeof(name), "%s-%u", record->config.name, record->domid);
    copy = strdup(name);
    if (copy == NULL)
        return false;
    free(record->config.name);
    record_set_name(record, copy);
    written = store_write(vane->xs, domid, "name", "%s", name);
    if (record_find(domid) == NULL)
        forget_domain(vane, domid, uuid);
    return written;
}

static void restart(struct vane *vane, struct domain_record *record, bool keep_old, const char *why)
{
    bool accident = !record->asked_to_end && clock_ns() - record->started_ns < FAST_LIFE_SECONDS * 1000000000ull;
    unsigned int fast = accident ? record->fast_restarts + 1 : 0;
    domid_t domid = record->domid;
    struct domain_config config;

    if (fast > FAST_RESTARTS_MAX) {
        lifecycle_tell("%s: ended (%s) within %u s of its start %u times in a row: not restarted any more",
                       record->config.name, why, FAST_LIFE_SECONDS, fast);
        (void)destroy_domain(vane, domid);
        return;
    }
    take_config(record, &config);
    if (!keep_old) { /* it is the same domain to whoever knows it by its UUID */
        memcpy(config.uuid, record->uuid, sizeof(config.uuid));
        config.has_uuid = true;
    }
    if (keep_old) {
        if (record->config.name == NULL || !rename_away(vane, record))
            lifecycle_tell("%s: renaming the ended domain %u failed", config.name, domid);
    } else {
        (void)destroy_domain(vane, domid);
    }
    start_again(vane, &config, fast, domid);
}

/* What a domain that crashed said at last, for a notice; empty for one that ended in order. To be freed. */
static char *words_at_end(domid_t domid, unsigned int reason)
{
    char *lines, *text = NULL;

    if (reason != SHUTDOWN_crash && reason != SHUTDOWN_watchdog)
        return strdup("");
    console_catch_up(domid);
    lines = last_words(domid);
    if (lines != NULL && *lines != '\0') {
        lines[strlen(lines) - 1] = '\0'; /* the last newline */
        if (asprintf(&text, "; it last said:\n%s", lines) < 0)
            text = NULL;
    }
    free(lines);
    return text != NULL ? text : strdup("");
}

/*
 * What the user wants to know about an end beyond its reason; one of many in a row is told once. Takes its time: the
 * record may be gone after it.
 */
static char *describe_end(struct vane *vane, domid_t domid, const char *name, enum domain_action action,
                          unsigned int reason, bool again)
{
    bool dumped = action == ACTION_COREDUMP_DESTROY || action == ACTION_COREDUMP_RESTART;
    char *words = again ? NULL : words_at_end(domid, reason), *core = dumped ? dump_crashed(vane, domid, name) : NULL,
         *text;

    if (asprintf(&text, "%s%s", core ? core : "", words ? words : "") < 0)
        text = NULL;
    free(words);
    free(core);
    return text;
}

static void perform(struct vane *vane, struct domain_record *record, enum domain_action action, const char *why,
                    const char *more)
{
    const char *name = record->config.name;
    domid_t domid = record->domid;

    switch (action) {
    case ACTION_DESTROY:
    case ACTION_COREDUMP_DESTROY:
        lifecycle_tell("%s: domain %u ended (%s) and was destroyed; log %s shows what it printed%s", name, domid, why,
                       name, more);
        (void)destroy_domain(vane, domid);
        break;
    case ACTION_PRESERVE:
        lifecycle_tell("%s: domain %u ended (%s) and is preserved; destroy %s removes it%s", name, domid, why, name,
                       more);
        break;
    case ACTION_RESTART:
    case ACTION_COREDUMP_RESTART:
    case ACTION_RENAME_RESTART:
        if (*more != '\0')
            lifecycle_tell("%s: domain %u ended (%s)%s", name, domid, why, more);
        restart(vane, record, action == ACTION_RENAME_RESTART, why);
        break;
    }
}

static void act(struct vane *vane, struct domain_record *record, unsigned int reason)
{
    enum domain_action action = action_for(&record->config, reason);
    domid_t domid = record->domid;
    char *name = strdup(record->config.name), *more;
    bool again = record->fast_restarts > 0 && action != ACTION_PRESERVE && action != ACTION_DESTROY;

    end_add(domid, reason);
    record->handled = true;
    more = describe_end(vane, domid, name ? name : "domain", action, reason, again);
    record = record_find(domid);
    if (record != NULL) /* somebody may have destroyed it meanwhile */
        perform(vane, record, action, shutdown_reason_name(reason), more ? more : "");
    free(name);
    free(more);
}

static bool has_ended(const struct xen_domctl_getdomaininfo *info)
{
    return (info->flags & XEN_DOMINF_shutdown) != 0 && (info->flags & XEN_DOMINF_dying) == 0;
}

/* A domain in the list, which is in the order of their numbers. */
static const struct xen_domctl_getdomaininfo *find_info(const struct xen_domctl_getdomaininfo *infos,
                                                        unsigned int count, domid_t domid)
{
    unsigned int low = 0, high = count;

    while (low < high) {
        unsigned int middle = (low + high) / 2;

        if (infos[middle].domain < domid)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && infos[low].domain == domid ? &infos[low] : NULL;
}

/* Suspended because a command asked for it. */
static bool awaited(const struct domain_record *record, const struct xen_domctl_getdomaininfo *info)
{
    return record->suspending && shutdown_reason(info) == SHUTDOWN_suspend;
}

/* One that ended, or vanished through somebody else's hand; acting on it changes the list, so one at a time. */
static bool act_on_one(struct vane *vane)
{
    struct xen_domctl_getdomaininfo *infos;
    unsigned int count;
    bool acted = false;

    infos = record_first() != NULL ? list_domains(vane, &count) : NULL;
    blind = infos == NULL && record_first() != NULL;
    if (infos == NULL)
        return false;
    for (struct domain_record *record = record_first(); record != NULL && !acted; record = record->next) {
        const struct xen_domctl_getdomaininfo *info = find_info(infos, count, record->domid);

        acted = info == NULL || (has_ended(info) && !record->handled && !awaited(record, info));
        if (info == NULL) {
            forget_domain(vane, record->domid, record->uuid);
        } else if (acted) {
            acting++;
            act(vane, record, shutdown_reason(info));
            acting--;
        }
        if (acted)
            break; /* the record may be gone */
    }
    free(infos);
    return acted;
}

bool lifecycle_check(struct vane *vane)
{
    while (act_on_one(vane))
        ;
    return acting > 0;
}

/* Looking at all domains takes no more than a twentieth of the time, however many end at once. */
static void rest_after(uint64_t spent_ns)
{
    sleep_ns(spent_ns < REST_MAX_NS / REST_FACTOR ? spent_ns * REST_FACTOR : REST_MAX_NS);
}

static void watch_thread(void *arg)
{
    struct vane vane;
    unsigned int count;

    if (!vane_open(&vane) || !xs_watch(vane.xs, "@releaseDomain", "lifecycle")) {
        lifecycle_tell("cannot watch for domains that end: %s", strerror(errno));
        return;
    }
    for (;;) {
        char **event = xs_read_watch(vane.xs, &count);
        uint64_t start;

        if (event == NULL && errno != ENOMEM) {
            lifecycle_tell("the xenstore stopped telling about domains that end: %s", strerror(errno));
            return;
        }
        for (; event != NULL; event = xs_check_watch(vane.xs)) /* one look serves all */
            free(event);
        start = clock_ns();
        for (lifecycle_check(&vane); blind; lifecycle_check(&vane))
            sleep_ns(MEMORY_PAUSE_NS);
        terminal_wake(); /* whoever sits at the console of an ended domain looks again */
        rest_after(clock_ns() - start);
    }
}

int lifecycle_start(void)
{
    return spawn("lifecycle", watch_thread, NULL);
}
