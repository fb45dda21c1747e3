/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mem-set and mem-max. The target is a request to the guest's balloon driver; the hypervisor's limit is moved with it,
 * so that a guest can neither keep growing nor take more than it was promised.
 */
#include "domains.h"
#include "json.h"
#include "store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SLACK_KIB      1024u
#define DOM0_LEAST_KIB (16u * 1024u)

/* The most a domain may be asked to have: what its configuration said, else what the hypervisor allows. */
static uint64_t static_max(struct vane *vane, const struct xen_domctl_getdomaininfo *info)
{
    uint64_t kib;

    return store_read_number(vane->xs, info->domain, "memory/static-max", &kib) ? kib : info->max_pages * 4;
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
    struct xen_sysctl_physinfo physical;
    uint64_t have = info->tot_pages * 4, free_kib;

    if (kib <= have || ctl_physinfo(vane->ctl, &physical) != 0)
        return 0;
    free_kib = (physical.free_pages - physical.outstanding_pages) * 4;
    if (kib - have <= free_kib)
        return 0;
    return fail(vane, "domain %u has %llu MiB and would need %llu MiB more, but %llu MiB are free", info->domain,
                (unsigned long long)have / 1024, (unsigned long long)(kib - have) / 1024,
                (unsigned long long)free_kib / 1024);
}

int cmd_mem_set(struct vane *vane, int argc, char **argv)
{
    struct xen_domctl_getdomaininfo info;
    uint64_t kib, most;
    struct json json;

    if (find_with_memory(vane, argc, argv, &info, &kib) != 0)
        return 1;
    most = static_max(vane, &info);
    if (kib > most)
        return fail(vane, "%llu MiB is more than the %llu MiB that domain %u may have at most; mem-max raises that",
                    (unsigned long long)kib / 1024, (unsigned long long)most / 1024, info.domain);
    if (info.domain == 0 && kib < DOM0_LEAST_KIB)
        return fail(vane, "domain 0 needs %u MiB at least: all the tools run in it", DOM0_LEAST_KIB / 1024);
    if (check_free(vane, &info, kib) != 0)
        return 1;
    if (ctl_domain_max_mem(vane->ctl, info.domain, kib + SLACK_KIB) != 0)
        return fail(vane, "the hypervisor refused a limit of %llu KiB for domain %u: %s",
                    (unsigned long long)kib + SLACK_KIB, info.domain, strerror(errno));
    if (!store_write(vane->xs, info.domain, "memory/target", "%llu", (unsigned long long)kib))
        return fail(vane, "writing the target of domain %u failed: %s", info.domain, strerror(errno));
    json_begin(&json, vane);
    json_open(&json, NULL, '{');
    json_number(&json, "target_kib", kib);
    json_number(&json, "current_kib", info.tot_pages * 4);
    json_close(&json, '}');
    json_end(&json);
    return 0;
}

int cmd_mem_max(struct vane *vane, int argc, char **argv)
{
    struct xen_domctl_getdomaininfo info;
    struct domain_record *record;
    uint64_t kib, target;

    if (find_with_memory(vane, argc, argv, &info, &kib) != 0)
        return 1;
    if (!store_read_number(vane->xs, info.domain, "memory/target", &target))
        target = info.tot_pages * 4;
    if (kib < target)
        return fail(vane, "%llu MiB is less than the %llu MiB that domain %u is to have now; mem-set lowers that first",
                    (unsigned long long)kib / 1024, (unsigned long long)target / 1024, info.domain);
    if (ctl_domain_max_mem(vane->ctl, info.domain, kib + SLACK_KIB) != 0)
        return fail(vane, "the hypervisor refused a limit of %llu KiB for domain %u: %s",
                    (unsigned long long)kib + SLACK_KIB, info.domain, strerror(errno));
    if (!store_write(vane->xs, info.domain, "memory/static-max", "%llu", (unsigned long long)kib))
        return fail(vane, "writing the maximum of domain %u failed: %s", info.domain, strerror(errno));
    record = record_find(info.domain);
    if (record != NULL)
        record->config.max_memory_kib = kib;
    json_ok(vane);
    return 0;
}
