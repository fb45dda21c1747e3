/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Who has which balloon; see ballooning.h. Other threads run whenever the store is asked, so an entry is looked up after
 * the last question, and entries of domains that are gone go without a question in between.
 */
#include "ballooning.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "domains.h"
#include "store.h"
#include "system.h"

struct tracked {
    struct tracked *next;
    domid_t domid;
    uint8_t uuid[16]; /* a number may come again, with another domain */
    struct balloon balloon;
};

static struct tracked *all;
static bool watching;

static struct tracked *find(const struct xen_domctl_getdomaininfo *info)
{
    struct tracked *entry = all;

    while (entry != NULL && entry->domid != info->domain)
        entry = entry->next;
    if (entry == NULL) {
        entry = calloc(1, sizeof(*entry));
        if (entry == NULL)
            return NULL;
        entry->domid = info->domain;
        memcpy(entry->uuid, info->handle, sizeof(entry->uuid));
        entry->next = all;
        all = entry;
    }
    if (memcmp(entry->uuid, info->handle, sizeof(entry->uuid)) != 0) {
        memcpy(entry->uuid, info->handle, sizeof(entry->uuid));
        memset(&entry->balloon, 0, sizeof(entry->balloon));
    }
    return entry;
}

static void drop_dead(const struct xen_domctl_getdomaininfo *infos, unsigned int count)
{
    struct tracked **at = &all;

    while (*at != NULL) {
        struct tracked *entry = *at;
        bool alive = false;

        for (unsigned int i = 0; i < count && !alive; i++)
            alive = infos[i].domain == entry->domid;
        if (alive) {
            at = &entry->next;
        } else {
            *at = entry->next;
            free(entry);
        }
    }
}

bool ballooning_free(struct vane *vane, uint64_t *kib)
{
    struct xen_sysctl_physinfo physical;

    if (ctl_physinfo(vane->ctl, &physical) != 0)
        return false;
    *kib = (physical.free_pages - physical.outstanding_pages) * 4;
    return true;
}

uint64_t ballooning_target(struct vane *vane, const struct xen_domctl_getdomaininfo *info)
{
    uint64_t kib;

    return store_read_number(vane->xs, info->domain, "memory/target", &kib) ? kib : info->tot_pages * 4;
}

uint64_t ballooning_max(struct vane *vane, const struct xen_domctl_getdomaininfo *info)
{
    uint64_t kib;

    return store_read_number(vane->xs, info->domain, "memory/static-max", &kib) ? kib : info->max_pages * 4;
}

/* A store that cannot tell counts as yes: better to wait in vain than to call a driver missing. */
static bool listens(struct vane *vane, domid_t domid)
{
    char question[64], *answer;
    int length;
    bool some;

    if (domid == 0)
        return true;
    length = snprintf(question, sizeof(question), "%u%c/local/domain/%u/memory/target", domid, '\0', domid);
    answer = xs_control_command(vane->xs, "watches", question, (unsigned int)length + 1);
    some = answer == NULL || answer[0] != '\0';
    free(answer);
    return some;
}

static void take_sample(struct vane *vane, const struct xen_domctl_getdomaininfo *info, struct balloon_sample *sample)
{
    const struct domain_record *record;

    *sample = (struct balloon_sample){
        .current = info->tot_pages * 4,
        .target = ballooning_target(vane, info),
        .max = ballooning_max(vane, info),
        .ended = (info->flags & (XEN_DOMINF_shutdown | XEN_DOMINF_dying)) != 0,
        .paused = (info->flags & XEN_DOMINF_paused) != 0,
        .listens = true,
    };
    if (sample->current != sample->target)
        sample->listens = listens(vane, info->domain);
    if (!ballooning_free(vane, &sample->free))
        sample->free = UINT64_MAX;
    record = record_find(info->domain);
    sample->boot_max = record != NULL ? record->boot_max_kib : 0;
    sample->at_ns = clock_ns();
}

/* The entry stays where it is until its caller asks something again. */
static struct balloon *look(struct vane *vane, const struct xen_domctl_getdomaininfo *info)
{
    struct balloon_sample sample;
    struct tracked *entry;

    take_sample(vane, info, &sample);
    entry = find(info);
    if (entry == NULL)
        return NULL;
    balloon_feed(&entry->balloon, &sample);
    return &entry->balloon;
}

bool ballooning_look(struct vane *vane, const struct xen_domctl_getdomaininfo *info, struct balloon *now)
{
    const struct balloon *balloon = look(vane, info);

    if (balloon != NULL)
        *now = *balloon;
    return balloon != NULL;
}

void ballooning_refuse(struct vane *vane, const struct xen_domctl_getdomaininfo *info, enum balloon_reason reason,
                       uint64_t asked, uint64_t limit)
{
    struct balloon *balloon = look(vane, info);

    if (balloon != NULL)
        balloon_refuse(balloon, reason, asked, limit);
}

void ballooning_accept(struct vane *vane, const struct xen_domctl_getdomaininfo *info)
{
    struct balloon *balloon = look(vane, info);

    if (balloon != NULL)
        balloon_accept(balloon);
}

/* One sample of everybody; true when all have settled. */
static bool look_at_all(struct vane *vane)
{
    struct xen_domctl_getdomaininfo *infos;
    unsigned int count;
    bool settled = true;

    infos = list_domains(vane, &count);
    if (infos == NULL)
        return true;
    drop_dead(infos, count);
    for (unsigned int i = 0; i < count; i++) {
        const struct balloon *balloon = look(vane, &infos[i]);

        settled = settled && (balloon == NULL || balloon_settled(balloon));
    }
    free(infos);
    return settled;
}

static void watch_thread(void *unused)
{
    static struct vane vane; /* opened once: the thread comes and goes */
    static bool open;

    open = open || vane_open(&vane);
    while (open && !look_at_all(&vane))
        sleep_ns(BALLOONING_STEP_NS);
    watching = false;
}

void ballooning_watch(void)
{
    if (!watching)
        watching = spawn("balloons", watch_thread, NULL) == 0;
}
