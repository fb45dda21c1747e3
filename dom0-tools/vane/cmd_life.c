/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * pause, unpause, suspend, resume, shutdown, reboot, destroy, rename.
 */
#include "domains.h"
#include "json.h"
#include "making.h"
#include "receiving.h"
#include "dom0-tools/console/console.h"
#include "store.h"
#include "suspending.h"
#include "system.h"

#include <abi/sched.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_STEP_NS 50000000u

typedef int domain_operation(struct ctl *ctl, domid_t domid);

static int simple(struct vane *vane, int argc, char **argv, domain_operation *operation, const char *what)
{
    domid_t domid;

    if (check_arguments(vane, argc, argv, 1, 1) != 0 || find_domain(vane, argv[1], &domid) != 0)
        return 1;
    if (domid == 0)
        return fail(vane, "domain 0 is the one you are talking to; it cannot be %s", what);
    if (operation(vane->ctl, domid) != 0)
        return fail(vane, "domain %u (%s) could not be %s: %s", domid, argv[1], what, strerror(errno));
    json_ok(vane);
    return 0;
}

int cmd_pause(struct vane *vane, int argc, char **argv)
{
    return simple(vane, argc, argv, ctl_domain_pause, "paused");
}

/* A copy of it may run at another host. */
static int refuse_claimed(struct vane *vane, domid_t domid)
{
    char *name = name_of_domain(vane, domid);
    const char *claim = name != NULL ? receiving_claim(name) : NULL;
    int status = 0;

    if (claim != NULL)
        status = fail(vane, "%s: its hand-over to or from another host is %s. migrate-settle says more", name, claim);
    free(name);
    return status;
}

/* xl is silent about these; who types it wants to know why nothing happens. */
int cmd_unpause(struct vane *vane, int argc, char **argv)
{
    struct xen_domctl_getdomaininfo info;

    if (check_arguments(vane, argc, argv, 1, 1) != 0 || find_domain_info(vane, argv[1], &info) != 0)
        return 1;
    if (info.flags & XEN_DOMINF_shutdown)
        return fail(vane, "domain %u has ended (%s); destroy removes it", info.domain,
                    shutdown_reason_name(shutdown_reason(&info)));
    if (info.domain != 0 && (info.flags & XEN_DOMINF_paused) == 0)
        return fail(vane, "domain %u (%s) is not paused%s", info.domain, argv[1],
                    info.flags & XEN_DOMINF_blocked ? ": it waits for something to happen" : "");
    if (refuse_claimed(vane, info.domain) != 0)
        return 1;
    return simple(vane, argc, argv, ctl_domain_unpause, "unpaused");
}

/* The other host would be told to give up its copy for one that is no more. */
static int refuse_doubted(struct vane *vane, domid_t domid)
{
    char *name = name_of_domain(vane, domid);
    int status = 0;

    if (name != NULL && receiving_doubts(name))
        status = fail(vane,
                      "%s: its hand-over is in doubt, and destroying it might leave none; migrate-settle %s discard "
                      "destroys it and leaves it to the other host",
                      name, name);
    free(name);
    return status;
}

int cmd_destroy(struct vane *vane, int argc, char **argv)
{
    domid_t domid;

    (void)option(&argc, argv, "-f", "--force");
    if (check_arguments(vane, argc, argv, 1, 1) != 0 || find_domain(vane, argv[1], &domid) != 0)
        return 1;
    if (domid == 0)
        return fail(vane, "domain 0 is the one you are talking to; poweroff ends the machine");
    if (refuse_doubted(vane, domid) != 0)
        return 1;
    if (destroy_domain(vane, domid) != 0)
        return fail(vane, "domain %u (%s) could not be destroyed: %s", domid, argv[1], strerror(errno));
    json_ok(vane);
    return 0;
}

static bool typed_interrupt(void *own)
{
    return terminal_interrupted(0);
}

int cmd_suspend(struct vane *vane, int argc, char **argv)
{
    struct suspending how = {.cancelled = typed_interrupt};
    domid_t domid;

    if (check_arguments(vane, argc, argv, 1, 1) != 0 || find_domain(vane, argv[1], &domid) != 0)
        return 1;
    if (domid == 0)
        return fail(vane, "domain 0 is the one you are talking to; it cannot be suspended");
    if (suspend_domain(vane, domid, &how) != 0)
        return fail(vane, "domain %u (%s) %s", domid, argv[1], how.reason);
    json_ok(vane);
    return 0;
}

int cmd_resume(struct vane *vane, int argc, char **argv)
{
    struct xen_domctl_getdomaininfo info;

    if (check_arguments(vane, argc, argv, 1, 1) != 0 || find_domain_info(vane, argv[1], &info) != 0)
        return 1;
    if ((info.flags & XEN_DOMINF_shutdown) == 0 || shutdown_reason(&info) != SHUTDOWN_suspend)
        return fail(vane, "domain %u (%s) is not suspended", info.domain, argv[1]);
    if (refuse_claimed(vane, info.domain) != 0)
        return 1;
    if (resume_domain(vane, info.domain) != 0)
        return fail(vane, "domain %u (%s) could not be resumed: %s", info.domain, argv[1], strerror(errno));
    json_ok(vane);
    return 0;
}

static bool is_down(struct vane *vane, domid_t domid)
{
    struct xen_domctl_getdomaininfo info;

    return ctl_domain_info(vane->ctl, domid, &info) != 0 || (info.flags & XEN_DOMINF_shutdown) != 0;
}

/* Kernels that know the request say so; old ones that do not say so may know it, too. */
static bool listens(struct vane *vane, domid_t domid, const char *what)
{
    char node[40], *value;
    bool yes;

    snprintf(node, sizeof(node), "control/feature-%s", what);
    value = store_read(vane->xs, domid, node);
    yes = value != NULL && strcmp(value, "1") == 0;
    free(value);
    return yes;
}

static int request_one(struct vane *vane, domid_t domid, const char *what)
{
    struct xen_domctl_getdomaininfo info;

    if (domid == 0)
        return fail(vane, "domain 0 is the one you are talking to; poweroff ends the machine");
    if (ctl_domain_info(vane->ctl, domid, &info) != 0)
        return fail(vane, "there is no domain %u any more", domid);
    if (info.flags & XEN_DOMINF_shutdown)
        return fail(vane, "domain %u has ended already (%s); destroy removes it", domid,
                    shutdown_reason_name(shutdown_reason(&info)));
    say(vane, "%s domain %u\n", strcmp(what, "reboot") == 0 ? "Rebooting" : "Shutting down", domid);
    if (!store_write(vane->xs, domid, "control/shutdown", "%s", what))
        return fail(vane, "asking domain %u failed: %s", domid, strerror(errno));
    if (record_find(domid) != NULL)
        record_find(domid)->asked_to_end = true;
    if (info.flags & XEN_DOMINF_paused)
        say(vane, "note: it is paused and will act once it is unpaused\n");
    else if (!listens(vane, domid, what))
        say(vane, "note: its kernel has not said that it listens (control/feature-%s); destroy ends it at once\n",
            what);
    return 0;
}

/* Why one may take so long: whoever listens empties the node first. */
static const char *excuse(struct vane *vane, domid_t domid)
{
    char *request = store_read(vane->xs, domid, "control/shutdown");
    bool untouched = request != NULL && *request != '\0';

    free(request);
    return untouched ? "; its kernel has not taken note of the request" : "; it took note of the request";
}

/* Until the domains have ended; a guest that does not listen is never forced. */
static int wait_down(struct vane *vane, const domid_t *domids, unsigned int count, uint64_t seconds)
{
    uint64_t deadline = clock_ns() + seconds * 1000000000u;

    for (unsigned int i = 0; i < count; i++) {
        while (!is_down(vane, domids[i])) {
            if (clock_ns() >= deadline)
                return fail(vane, "domain %u has not ended within %llu s; destroy ends it at once%s", domids[i],
                            (unsigned long long)seconds, excuse(vane, domids[i]));
            if (terminal_interrupted(WAIT_STEP_NS))
                return fail(vane, "interrupted; domain %u has been asked and may still end", domids[i]);
        }
        say(vane, "Domain %u has been shut down\n", domids[i]);
    }
    return 0;
}

static int request_all(struct vane *vane, const char *what, bool wait, uint64_t seconds)
{
    struct xen_domctl_getdomaininfo *infos;
    unsigned int count, asked = 0;
    domid_t *domids;
    int status = 0;

    infos = list_domains(vane, &count);
    domids = infos != NULL ? malloc((count + 1) * sizeof(*domids)) : NULL;
    if (domids == NULL) {
        free(infos);
        return fail(vane, "out of memory");
    }
    for (unsigned int i = 0; i < count; i++) {
        if (infos[i].domain == 0 || (infos[i].flags & (XEN_DOMINF_shutdown | XEN_DOMINF_dying)) != 0)
            continue;
        if (request_one(vane, infos[i].domain, what) == 0)
            domids[asked++] = infos[i].domain;
        else
            status = 1;
    }
    if (wait && wait_down(vane, domids, asked, seconds) != 0)
        status = 1;
    free(domids);
    free(infos);
    return status;
}

static int request(struct vane *vane, int argc, char **argv, const char *what)
{
    bool all = option(&argc, argv, "-a", "--all"), wait = option(&argc, argv, "-w", "--wait");
    const char *limit = option_value(&argc, argv, "-t", "--timeout");
    uint64_t seconds = 60;
    domid_t domid;
    int status;

    (void)option(&argc, argv, "-F", NULL);
    if (limit != NULL && !parse_unsigned(limit, &seconds))
        return fail_usage(vane, "-t takes a number of seconds");
    if (check_arguments(vane, argc, argv, all ? 0 : 1, all ? 0 : 1) != 0)
        return 1;
    if (all) {
        status = request_all(vane, what, wait, seconds);
    } else {
        if (find_domain(vane, argv[1], &domid) != 0)
            return 1;
        status = request_one(vane, domid, what);
        if (status == 0 && wait)
            status = wait_down(vane, &domid, 1, seconds);
    }
    if (status == 0)
        json_ok(vane);
    return status;
}

int cmd_shutdown(struct vane *vane, int argc, char **argv)
{
    return request(vane, argc, argv, "poweroff");
}

int cmd_reboot(struct vane *vane, int argc, char **argv)
{
    return request(vane, argc, argv, "reboot");
}

int cmd_rename(struct vane *vane, int argc, char **argv)
{
    struct xen_domctl_getdomaininfo info;
    char path[64], uuid[37], *copy;
    const char *why;
    domid_t owner;

    if (check_arguments(vane, argc, argv, 2, 2) != 0 || find_domain_info(vane, argv[1], &info) != 0)
        return 1;
    if (!domain_name_valid(argv[2], &why))
        return fail(vane, "\"%s\": %s", argv[2], why);
    if (domain_name_claimed(vane, argv[2], &owner))
        return fail(vane, "the name \"%s\" is taken by domain %u", argv[2], owner);
    if (refuse_claimed(vane, info.domain) != 0) /* which is known by its name */
        return 1;
    copy = strdup(argv[2]);
    if (copy == NULL)
        return fail(vane, "out of memory");
    if (!store_write(vane->xs, info.domain, "name", "%s", argv[2])) {
        free(copy);
        return fail(vane, "renaming domain %u failed: %s", info.domain, strerror(errno));
    }
    console_rename(info.domain, argv[2]);
    uuid_format(info.handle, uuid);
    snprintf(path, sizeof(path), "/vm/%s/name", uuid);
    (void)xs_write(vane->xs, XBT_NULL, path, argv[2], (unsigned int)strlen(argv[2]));
    if (record_find(info.domain) != NULL) {
        struct domain_record *record = record_find(info.domain);

        free(record->config.name);
        record_set_name(record, copy);
    } else {
        free(copy);
        if (ctl_domain_info(vane->ctl, info.domain, &info) != 0) /* destroyed meanwhile, and here again by its name */
            forget_domain(vane, info.domain, info.handle);
    }
    json_ok(vane);
    return 0;
}
