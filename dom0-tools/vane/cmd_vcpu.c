/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * vCPUs and their share of the CPUs: vcpu-list, vcpu-pin, vcpu-set, sched-credit2. Columns are xl's.
 */
#include "domains.h"
#include "json.h"
#include "listing.h"
#include "store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(CTL_CPU_BYTES * 8 == DOMAIN_CPUS_MAX, "CPU maps of the configuration and of the calls agree");

static unsigned int cpu_count(struct vane *vane)
{
    struct xen_sysctl_physinfo info;

    return ctl_physinfo(vane->ctl, &info) == 0 ? info.max_cpu_id + 1 : 1;
}

static void say_vcpu(struct vane *vane, const char *name, domid_t domid, const struct xen_domctl_getvcpuinfo *vcpu,
                     const char *hard, const char *soft)
{
    uint64_t tenths = (vcpu->cpu_time + 50000000u) / 100000000u;
    char running = vcpu->running ? 'r' : '-', blocked = vcpu->blocked ? 'b' : '-';

    say(vane, "%-32s %5u %5u ", name, domid, vcpu->vcpu);
    if (vcpu->online)
        say(vane, "%5u %3c%c- ", vcpu->cpu, running, blocked);
    else
        say(vane, "%5c %3c%cp ", '-', running, blocked);
    say(vane, "%7llu.%llu  %s / %s\n", (unsigned long long)(tenths / 10), (unsigned long long)(tenths % 10), hard,
        soft);
}

static void json_vcpu(struct json *json, const char *name, domid_t domid, const struct xen_domctl_getvcpuinfo *vcpu,
                      const char *hard, const char *soft)
{
    json_open(json, NULL, '{');
    json_string(json, "name", name);
    json_number(json, "domid", domid);
    json_number(json, "vcpu", vcpu->vcpu);
    json_bool(json, "online", vcpu->online);
    json_bool(json, "running", vcpu->running);
    json_bool(json, "blocked", vcpu->blocked);
    json_number(json, "cpu", vcpu->cpu);
    json_seconds(json, "cpu_seconds", vcpu->cpu_time);
    json_string(json, "hard_affinity", hard);
    json_string(json, "soft_affinity", soft);
    json_close(json, '}');
}

static void list_domain(struct vane *vane, struct json *json, const struct xen_domctl_getdomaininfo *info,
                        const void *cpu_total)
{
    unsigned int cpus = *(const unsigned int *)cpu_total;
    char *name = name_of_domain(vane, info->domain);
    static char hard_text[1024], soft_text[1024];

    for (unsigned int i = 0; info->max_vcpu_id != XEN_INVALID_MAX_VCPU_ID && i <= info->max_vcpu_id; i++) {
        struct xen_domctl_getvcpuinfo vcpu;
        struct cpu_map hard = {{0}}, soft = {{0}};

        if (ctl_vcpu_info(vane->ctl, info->domain, i, &vcpu) != 0)
            continue;
        vcpu.vcpu = i;
        (void)ctl_vcpu_get_affinity(vane->ctl, info->domain, i, hard.bits, soft.bits);
        cpu_map_format(&hard, cpus, hard_text, sizeof(hard_text));
        cpu_map_format(&soft, cpus, soft_text, sizeof(soft_text));
        say_vcpu(vane, name ? name : "(null)", info->domain, &vcpu, hard_text, soft_text);
        json_vcpu(json, name ? name : "(null)", info->domain, &vcpu, hard_text, soft_text);
    }
    free(name);
}

int cmd_vcpu_list(struct vane *vane, int argc, char **argv)
{
    unsigned int cpus = cpu_count(vane);
    char heading[128];

    if (check_arguments(vane, argc, argv, 0, 64) != 0)
        return 1;
    snprintf(heading, sizeof(heading), "%-32s %5s %5s %5s %5s %9s %s\n", "Name", "ID", "VCPU", "CPU", "State",
             "Time(s)", "Affinity (Hard / Soft)");
    return list_each(vane, argc, argv, heading, list_domain, &cpus);
}

/* "-" leaves that affinity alone: *use false. */
static int read_map(struct vane *vane, const char *text, struct cpu_map *map, bool *use)
{
    const char *why;

    *use = text != NULL && strcmp(text, "-") != 0;
    if (!*use)
        return 0;
    if (cpu_map_parse(text, map, &why) != 0)
        return fail(vane, "\"%s\": %s", text, why);
    if (cpu_map_empty(map))
        return fail(vane, "\"%s\" leaves no CPU to run on", text);
    return 0;
}

int cmd_vcpu_pin(struct vane *vane, int argc, char **argv)
{
    bool force = option(&argc, argv, "-f", "--force"), use_hard, use_soft;
    struct xen_domctl_getdomaininfo info;
    uint64_t first = 0, last;
    struct cpu_map hard, soft;

    (void)option(&argc, argv, NULL, "--ignore-global-affinity-masks");
    if (check_arguments(vane, argc, argv, 3, 4) != 0 || find_domain_info(vane, argv[1], &info) != 0)
        return 1;
    last = info.max_vcpu_id;
    if (strcmp(argv[2], "all") != 0) {
        if (!parse_unsigned(argv[2], &first) || first > info.max_vcpu_id)
            return fail(vane, "\"%s\" is no vCPU of domain %u: they are 0 to %u, or all", argv[2], info.domain,
                        info.max_vcpu_id);
        last = first;
    }
    if (read_map(vane, argv[3], &hard, &use_hard) != 0 ||
        read_map(vane, argc > 4 ? argv[4] : NULL, &soft, &use_soft) != 0)
        return 1;
    for (uint64_t i = first; i <= last; i++) {
        struct cpu_map hard_copy = hard, soft_copy = soft;

        if (ctl_vcpu_set_affinity(vane->ctl, info.domain, (unsigned int)i, use_hard ? hard_copy.bits : NULL,
                                  use_soft ? soft_copy.bits : NULL, force) != 0)
            return fail(vane, "vCPU %llu of domain %u cannot run there: %s (the machine has CPUs 0 to %u)",
                        (unsigned long long)i, info.domain, strerror(errno), cpu_count(vane) - 1);
    }
    json_ok(vane);
    return 0;
}

int cmd_vcpu_set(struct vane *vane, int argc, char **argv)
{
    struct xen_domctl_getdomaininfo info;
    bool ignore_host = option(&argc, argv, "-i", "--ignore-host");
    uint64_t wanted;
    char node[40];

    if (check_arguments(vane, argc, argv, 2, 2) != 0 || find_domain_info(vane, argv[1], &info) != 0)
        return 1;
    if (!parse_unsigned(argv[2], &wanted) || wanted == 0 || wanted > (uint64_t)info.max_vcpu_id + 1)
        return fail(vane, "domain %u can have 1 to %u vCPUs (its maxvcpus), not \"%s\"", info.domain,
                    info.max_vcpu_id + 1, argv[2]);
    if (info.domain == 0 && domains_all_recorded && wanted != 1)
        return fail(vane, "the embedded domain 0 works with one vCPU");
    if (!ignore_host && wanted > cpu_count(vane) && wanted > info.nr_online_vcpus)
        return fail(vane, "the machine has %u CPUs, %llu vCPUs were asked for; -i does it all the same",
                    cpu_count(vane), (unsigned long long)wanted);
    for (unsigned int i = 0; i <= info.max_vcpu_id; i++) {
        snprintf(node, sizeof(node), "cpu/%u/availability", i);
        if (!store_write(vane->xs, info.domain, node, "%s", i < wanted ? "online" : "offline"))
            return fail(vane, "asking domain %u failed: %s", info.domain, strerror(errno));
    }
    json_ok(vane);
    return 0;
}

static void show_params(struct vane *vane, struct json *json, domid_t domid,
                        const struct xen_domctl_sched_credit2 *params)
{
    char *name = name_of_domain(vane, domid);

    say(vane, "%-33s %4d %6d %4d\n", name ? name : "(null)", domid, params->weight, params->cap);
    json_open(json, NULL, '{');
    json_string(json, "name", name ? name : "(null)");
    json_number(json, "domid", domid);
    json_number(json, "weight", params->weight);
    json_number(json, "cap", params->cap);
    json_close(json, '}');
    free(name);
}

static int show_all_params(struct vane *vane, const char *only)
{
    struct xen_domctl_getdomaininfo *infos, one;
    struct xen_domctl_sched_credit2 params;
    unsigned int count, ratelimit;
    struct json json;

    if (only != NULL && find_domain_info(vane, only, &one) != 0)
        return 1;
    infos = list_domains(vane, &count);
    if (infos == NULL)
        return 1;
    if (only == NULL && ctl_sched_ratelimit(vane->ctl, &ratelimit) == 0)
        say(vane, "Cpupool Pool-0: ratelimit=%uus\n", ratelimit);
    say(vane, "%-33s %4s %6s %4s\n", "Name", "ID", "Weight", "Cap");
    json_begin(&json, vane);
    json_open(&json, NULL, '[');
    for (unsigned int i = 0; i < count; i++)
        if ((only == NULL || infos[i].domain == one.domain) && ctl_sched_get(vane->ctl, infos[i].domain, &params) == 0)
            show_params(vane, &json, infos[i].domain, &params);
    json_close(&json, ']');
    json_end(&json);
    free(infos);
    return 0;
}

static int set_params(struct vane *vane, const char *domain, const char *weight, const char *cap)
{
    struct xen_domctl_getdomaininfo info;
    struct xen_domctl_sched_credit2 params;
    uint64_t value;

    if (find_domain_info(vane, domain, &info) != 0)
        return 1;
    if (ctl_sched_get(vane->ctl, info.domain, &params) != 0)
        return fail(vane, "reading the parameters of domain %u failed: %s", info.domain, strerror(errno));
    if (weight != NULL) {
        if (!parse_unsigned(weight, &value) || value < 1 || value > 65535)
            return fail(vane, "weight \"%s\" is out of range: 1 to 65535", weight);
        params.weight = (uint16_t)value;
    }
    if (cap != NULL) {
        if (!parse_unsigned(cap, &value) || value > 100u * (info.max_vcpu_id + 1))
            return fail(vane, "cap \"%s\" is out of range: 0 (none) to %u, in percent of one CPU", cap,
                        100 * (info.max_vcpu_id + 1));
        params.cap = (uint16_t)value;
    }
    if (ctl_sched_set(vane->ctl, info.domain, &params) != 0)
        return fail(vane, "the scheduler refused weight %u, cap %u for domain %u: %s", params.weight, params.cap,
                    info.domain, strerror(errno));
    json_ok(vane);
    return 0;
}

int cmd_sched_credit2(struct vane *vane, int argc, char **argv)
{
    const char *domain = option_value(&argc, argv, "-d", "--domain");
    const char *weight = option_value(&argc, argv, "-w", "--weight"), *cap = option_value(&argc, argv, "-c", "--cap");

    if (check_arguments(vane, argc, argv, 0, 0) != 0)
        return 1;
    if (domain == NULL && (weight != NULL || cap != NULL))
        return fail_usage(vane, "-w and -c need a domain (-d)");
    if (weight != NULL || cap != NULL)
        return set_params(vane, domain, weight, cap);
    return show_all_params(vane, domain);
}
