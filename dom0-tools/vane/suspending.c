/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See suspending.h. The request is a node that the guest empties when it has seen it: taking it back succeeds only
 * before that, so it is read and written in one transaction; a guest that has seen it may suspend at any later moment.
 */
#include "suspending.h"

#include <abi/io/xenbus.h>
#include <abi/sched.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dom0-tools/devices/attach.h"
#include "dom0-tools/devices/patience.h"
#include "store.h"
#include "system.h"

#define REQUEST         "suspend"
#define POLL_NS         500000u
#define DEFAULT_NS      60000000000ull
#define GRACE_NS        10000000000ull /* to one that has taken note, before it is given up */
#define CONNECT_POLL_NS 10000000u      /* each look takes the store from the guest that connects */
#define CONNECT_NS      10000000000ull /* to the devices of one that has just arrived */
#define TRIES_MAX       32u

static int refuse(struct suspending *how, const char *reason)
{
    snprintf(how->reason, sizeof(how->reason), "%s", reason);
    return -1;
}

/* True when the guest had not seen the request and will not now. */
static bool take_back(struct vane *vane, domid_t domid)
{
    char path[64];
    bool untouched = false;

    snprintf(path, sizeof(path), "/local/domain/%u/control/shutdown", domid);
    for (unsigned int i = 0; i < TRIES_MAX; i++) {
        xs_transaction_t transaction = xs_transaction_start(vane->xs);
        char *request = xs_read(vane->xs, transaction, path, NULL);

        untouched = request != NULL && strcmp(request, REQUEST) == 0;
        free(request);
        if (untouched)
            untouched = xs_write(vane->xs, transaction, path, "", 0);
        if (xs_transaction_end(vane->xs, transaction, !untouched) || errno != EAGAIN)
            break;
        untouched = false;
    }
    return untouched;
}

static bool has_suspended(const struct xen_domctl_getdomaininfo *info)
{
    return (info->flags & XEN_DOMINF_shutdown) != 0 && shutdown_reason(info) == SHUTDOWN_suspend;
}

static int check(const struct xen_domctl_getdomaininfo *info, struct suspending *how)
{
    if (info->flags & XEN_DOMINF_dying)
        return refuse(how, "is being destroyed");
    if (info->flags & XEN_DOMINF_shutdown) {
        snprintf(how->reason, sizeof(how->reason), "has ended (%s)", shutdown_reason_name(shutdown_reason(info)));
        return -1;
    }
    return 0;
}

enum standing { STILL_RUNS, STANDS, ENDED };

static enum standing look(struct vane *vane, domid_t domid, struct suspending *how)
{
    struct xen_domctl_getdomaininfo info;

    if (ctl_domain_info(vane->ctl, domid, &info) != 0) {
        (void)refuse(how, "is gone");
        return ENDED;
    }
    if (has_suspended(&info))
        return STANDS;
    return check(&info, how) != 0 ? ENDED : STILL_RUNS;
}

/* Until it stands still, time is up or the user has had enough. */
static enum standing wait_for(struct vane *vane, domid_t domid, struct suspending *how, uint64_t deadline_ns)
{
    for (;;) {
        enum standing standing = look(vane, domid, how);

        if (standing != STILL_RUNS)
            return standing;
        if (how->cancelled != NULL && how->cancelled(how->own)) {
            (void)refuse(how, "was not asked any longer: cancelled");
            return STILL_RUNS;
        }
        if (clock_ns() >= deadline_ns) {
            (void)refuse(how, "did not suspend in time; does its kernel listen to control/shutdown?");
            return STILL_RUNS;
        }
        sleep_ns(POLL_NS);
    }
}

/* Its front end has a back end that waits for it. */
static bool connects(struct vane *vane, const struct device_name *name)
{
    int back = device_read_number(vane->xs, name, false, "state");

    return back == XenbusStateInitWait ||
           (back == XenbusStateConnected && device_read_number(vane->xs, name, true, "state") != XenbusStateConnected);
}

static bool is_connected(struct vane *vane, const struct device_name *name)
{
    return device_read_number(vane->xs, name, false, "state") == XenbusStateConnected &&
           device_read_number(vane->xs, name, true, "state") == XenbusStateConnected;
}

static unsigned int count_devices(struct vane *vane, domid_t domid,
                                  bool (*counts)(struct vane *vane, const struct device_name *name))
{
    static const char *const kinds[] = {"vbd", "vif"};
    struct device_name name = {.domid = domid};
    unsigned int found = 0;

    for (size_t kind = 0; kind < sizeof(kinds) / sizeof(kinds[0]); kind++) {
        unsigned int count, *ids = devices_list(vane->xs, domid, kinds[kind], &count);

        name.kind = kinds[kind];
        for (unsigned int i = 0; ids != NULL && i < count; i++) {
            name.id = ids[i];
            found += counts(vane, &name);
        }
        free(ids);
    }
    return found;
}

unsigned int count_connected(struct vane *vane, domid_t domid)
{
    return count_devices(vane, domid, is_connected);
}

static bool runs(struct vane *vane, domid_t domid)
{
    struct xen_domctl_getdomaininfo info;

    return ctl_domain_info(vane->ctl, domid, &info) == 0 &&
           (info.flags & (XEN_DOMINF_shutdown | XEN_DOMINF_dying | XEN_DOMINF_paused)) == 0;
}

void wait_connected(struct vane *vane, domid_t domid, unsigned int count, uint64_t deadline_ns)
{
    while (clock_ns() < deadline_ns && runs(vane, domid) && count_connected(vane, domid) < count)
        sleep_ns(CONNECT_POLL_NS);
}

/*
 * Linux's block front end does not survive a second suspend before it has connected again after the first. One whose
 * driver is not there never connects, so this has an end.
 */
static void let_connect(struct vane *vane, domid_t domid)
{
    struct domain_record *record = record_find(domid);
    uint64_t deadline_ns;

    if (record == NULL || record->arrived_ns == 0)
        return;
    deadline_ns = record->arrived_ns + CONNECT_NS;
    while (clock_ns() < deadline_ns && count_devices(vane, domid, connects) > 0)
        sleep_ns(CONNECT_POLL_NS);
}

/* The word comes from the vCPU that says it; it and the others may still be on their way off their CPUs. */
static void leave_cpus(struct vane *vane, domid_t domid)
{
    if (ctl_domain_pause(vane->ctl, domid) == 0)
        (void)ctl_domain_unpause(vane->ctl, domid);
}

static int ask(struct vane *vane, domid_t domid, struct suspending *how)
{
    uint64_t limit = how->limit_ns != 0 ? how->limit_ns : DEFAULT_NS;
    enum standing standing;
    char reason[SUSPENDING_REASON_SIZE];

    if (!store_write(vane->xs, domid, "control/shutdown", REQUEST)) {
        snprintf(how->reason, sizeof(how->reason), "could not be asked: %s", strerror(errno));
        return -1;
    }
    standing = wait_for(vane, domid, how, clock_ns() + limit);
    if (standing == STILL_RUNS && !take_back(vane, domid)) {
        memcpy(reason, how->reason, sizeof(reason));
        how->cancelled = NULL;
        standing = wait_for(vane, domid, how, clock_ns() + GRACE_NS);
        if (standing == STANDS) {
            (void)resume_domain(vane, domid);
            standing = STILL_RUNS;
        }
        memcpy(how->reason, reason, sizeof(reason));
    }
    if (standing != STANDS)
        return -1;
    leave_cpus(vane, domid);
    return 0;
}

int suspend_domain(struct vane *vane, domid_t domid, struct suspending *how)
{
    struct xen_domctl_getdomaininfo info;
    struct domain_record *record;
    int status;

    if (ctl_domain_info(vane->ctl, domid, &info) != 0)
        return refuse(how, "does not exist");
    if (has_suspended(&info))
        return refuse(how, "is suspended already");
    if (check(&info, how) != 0)
        return -1;
    if (info.flags & XEN_DOMINF_paused)
        return refuse(how, "is paused and cannot hear the request; unpause it first");
    let_connect(vane, domid);
    record = record_find(domid);
    if (record != NULL)
        record->suspending = true;
    status = ask(vane, domid, how);
    record = record_find(domid);
    if (record != NULL && status != 0)
        record->suspending = false;
    return status;
}

/* The store has told once that the domain stopped, and tells of its end only if it hears that it runs again. */
int resume_domain(struct vane *vane, domid_t domid)
{
    unsigned int patience = PATIENCE;
    struct domain_record *record;
    int status;

    do
        status = xs_resume_domain(vane->xs, domid) ? ctl_domain_resume(vane->ctl, domid, true) : -1;
    while (status != 0 && has_patience(&patience));
    record = record_find(domid);
    if (status == 0 && record != NULL)
        record->suspending = record->handled = false;
    return status;
}
