/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Finding domains. Names live in the store; those of domains created here are known without asking it.
 */
#include "domains.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <abi/sched.h>

#define DOMAINS_MAX 4096

#define BUCKETS     256

/* All, the newest first; and by their number, so that going through hundreds of domains stays linear. */
static struct domain_record *records, *buckets[BUCKETS];

bool domains_all_recorded;

/* FNV-1a: a thousand names are told apart without comparing them letter by letter. */
static uint32_t hash_of(const char *name)
{
    uint32_t hash = 2166136261u;

    for (; name != NULL && *name != '\0'; name++)
        hash = (hash ^ (uint8_t)*name) * 16777619u;
    return hash;
}

void record_set_name(struct domain_record *record, char *name)
{
    record->config.name = name;
    record->name_hash = hash_of(name);
}

struct domain_record *record_add(const struct built_domain *built, struct domain_config *config)
{
    struct domain_record *record = calloc(1, sizeof(*record));

    if (record == NULL)
        return NULL;
    record->domid = built->domid;
    memcpy(record->uuid, built->uuid, sizeof(record->uuid));
    record->started_ns = clock_ns();
    record->config = *config;
    record->boot_max_kib = config->max_memory_kib;
    record->name_hash = hash_of(config->name);
    memset(config, 0, sizeof(*config));
    record->next = records;
    records = record;
    record->next_in_bucket = buckets[record->domid % BUCKETS];
    buckets[record->domid % BUCKETS] = record;
    return record;
}

void record_take_out(struct domain_record *record)
{
    struct domain_record **at = &records, **in_bucket = &buckets[record->domid % BUCKETS];

    while (*at != record)
        at = &(*at)->next;
    *at = record->next;
    while (*in_bucket != record)
        in_bucket = &(*in_bucket)->next_in_bucket;
    *in_bucket = record->next_in_bucket;
}

void record_hold(struct domain_record *record)
{
    record->holds++;
}

void record_free(struct domain_record *record)
{
    if (record->holds > 0) {
        record->holds--;
        return;
    }
    domain_config_free(&record->config);
    free(record);
}

struct domain_record *record_find(domid_t domid)
{
    for (struct domain_record *record = buckets[domid % BUCKETS]; record != NULL; record = record->next_in_bucket)
        if (record->domid == domid)
            return record;
    return NULL;
}

struct domain_record *record_first(void)
{
    return records;
}

char *name_of_domain(struct vane *vane, domid_t domid)
{
    struct domain_record *record = record_find(domid);
    char path[48];

    if (record != NULL)
        return record->config.name != NULL ? strdup(record->config.name) : NULL;
    snprintf(path, sizeof(path), "/local/domain/%u/name", domid);
    return xs_read(vane->xs, XBT_NULL, path, NULL);
}

struct xen_domctl_getdomaininfo *list_domains(struct vane *vane, unsigned int *count)
{
    unsigned int room = 64;

    for (;;) {
        struct xen_domctl_getdomaininfo *infos = malloc(room * sizeof(*infos));
        int got;

        if (infos == NULL) {
            fail(vane, "out of memory for a list of %u domains", room);
            return NULL;
        }
        got = ctl_domain_list(vane->ctl, 0, infos, room);
        if (got < 0) {
            free(infos);
            fail(vane, "listing the domains failed: %s", strerror(errno));
            return NULL;
        }
        *count = (unsigned int)got;
        if ((unsigned int)got < room || room >= DOMAINS_MAX)
            return infos;
        free(infos);
        room *= 4;
    }
}

static bool has_name(struct vane *vane, domid_t domid, const char *name)
{
    char *other = record_find(domid) != NULL ? NULL : name_of_domain(vane, domid);
    bool same = other != NULL && strcmp(other, name) == 0;

    free(other);
    return same;
}

static bool taken_outside_records(struct vane *vane, const char *name, domid_t *owner)
{
    struct xen_domctl_getdomaininfo *infos;
    unsigned int count;
    bool found = false;

    *owner = 0;
    if (domains_all_recorded)
        return has_name(vane, 0, name);
    infos = list_domains(vane, &count);
    for (unsigned int i = 0; infos != NULL && i < count && !found; i++) {
        *owner = infos[i].domain;
        found = has_name(vane, *owner, name);
    }
    free(infos);
    return found;
}

static const struct domain_record *record_named(const char *name)
{
    const struct domain_record *record = records;
    uint32_t hash = hash_of(name);

    while (record != NULL &&
           (record->name_hash != hash || record->config.name == NULL || strcmp(record->config.name, name) != 0))
        record = record->next;
    return record;
}

bool domain_name_taken(struct vane *vane, const char *name, domid_t *owner)
{
    const struct domain_record *record = record_named(name);

    if (record == NULL)
        return taken_outside_records(vane, name, owner);
    *owner = record->domid;
    return true;
}

static void name_until_arrived(const char *name, char incoming[DOMAIN_NAME_MAX + sizeof(INCOMING_SUFFIX)])
{
    snprintf(incoming, DOMAIN_NAME_MAX + sizeof(INCOMING_SUFFIX), "%s" INCOMING_SUFFIX, name);
}

bool domain_name_claimed(struct vane *vane, const char *name, domid_t *owner)
{
    char incoming[DOMAIN_NAME_MAX + sizeof(INCOMING_SUFFIX)];

    name_until_arrived(name, incoming);
    return domain_name_taken(vane, name, owner) || domain_name_taken(vane, incoming, owner);
}

bool record_claims(const char *name)
{
    char incoming[DOMAIN_NAME_MAX + sizeof(INCOMING_SUFFIX)];

    name_until_arrived(name, incoming);
    return record_named(name) != NULL || record_named(incoming) != NULL;
}

struct domain_record *record_of_uuid(const uint8_t uuid[16], domid_t other_than)
{
    struct domain_record *record = records;

    while (record != NULL && (record->uuid[0] != uuid[0] || record->domid == other_than ||
                              memcmp(record->uuid, uuid, sizeof(record->uuid)) != 0))
        record = record->next;
    return record;
}

int find_domain_info(struct vane *vane, const char *text, struct xen_domctl_getdomaininfo *info)
{
    uint64_t number;
    domid_t domid;

    if (parse_unsigned(text, &number)) {
        if (number >= DOMID_FIRST_RESERVED)
            return fail(vane, "%s is no domain id: they end at %u", text, DOMID_FIRST_RESERVED - 1);
        domid = (domid_t)number;
    } else if (!domain_name_taken(vane, text, &domid)) {
        return fail(vane, "there is no domain \"%s\"; list shows those that exist", text);
    }
    if (ctl_domain_info(vane->ctl, domid, info) == 0)
        return 0;
    if (errno == ESRCH)
        return fail(vane, "there is no domain %u; list shows those that exist", domid);
    return fail(vane, "asking for domain %u failed: %s", domid, strerror(errno));
}

int find_domain(struct vane *vane, const char *text, domid_t *domid)
{
    struct xen_domctl_getdomaininfo info;

    if (find_domain_info(vane, text, &info) != 0)
        return 1;
    *domid = info.domain;
    return 0;
}

struct xen_domctl_getdomaininfo *named_domains(struct vane *vane, int argc, char **argv, unsigned int *count)
{
    struct xen_domctl_getdomaininfo *infos;

    if (argc == 1)
        return list_domains(vane, count);
    infos = calloc((size_t)argc, sizeof(*infos));
    if (infos == NULL)
        fail(vane, "out of memory");
    *count = 0;
    for (int i = 1; i < argc && infos != NULL; i++) {
        if (find_domain_info(vane, argv[i], &infos[(*count)++]) == 0)
            continue;
        free(infos);
        infos = NULL;
    }
    return infos;
}

const char *shutdown_reason_name(unsigned int reason)
{
    static char other[24];
    static const char *const names[] = {
        [SHUTDOWN_poweroff] = "poweroff", [SHUTDOWN_reboot] = "reboot",     [SHUTDOWN_suspend] = "suspend",
        [SHUTDOWN_crash] = "crash",       [SHUTDOWN_watchdog] = "watchdog", [SHUTDOWN_soft_reset] = "soft-reset",
    };

    if (reason < sizeof(names) / sizeof(names[0]))
        return names[reason];
    snprintf(other, sizeof(other), "reason %u", reason);
    return other;
}

unsigned int shutdown_reason(const struct xen_domctl_getdomaininfo *info)
{
    return info->flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask;
}
