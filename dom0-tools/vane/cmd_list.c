/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * list, domid, domname, uptime, top. The columns of list and uptime are xl's, byte for byte, since programs parse them.
 */
#include "domains.h"
#include "json.h"
#include "listing.h"
#include "receiving.h"
#include "store.h"
#include "system.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <abi/sched.h>

#define TENTH_NS 100000000u

static void state_letters(const struct xen_domctl_getdomaininfo *info, char text[7])
{
    bool down = (info->flags & XEN_DOMINF_shutdown) != 0;

    text[0] = info->flags & XEN_DOMINF_running ? 'r' : '-';
    text[1] = info->flags & XEN_DOMINF_blocked ? 'b' : '-';
    text[2] = info->flags & XEN_DOMINF_paused ? 'p' : '-';
    text[3] = down ? 's' : '-';
    text[4] = down && shutdown_reason(info) == SHUTDOWN_crash ? 'c' : '-';
    text[5] = info->flags & XEN_DOMINF_dying ? 'd' : '-';
    text[6] = '\0';
}

static uint64_t memory_kib(const struct xen_domctl_getdomaininfo *info)
{
    return (info->tot_pages + info->outstanding_pages) * 4;
}

/* Seconds with one decimal, rounded, as %8.1f would print them. */
static void say_seconds(const struct vane *vane, uint64_t ns)
{
    uint64_t tenths = (ns + TENTH_NS / 2) / TENTH_NS;

    say(vane, "%6llu.%llu", (unsigned long long)(tenths / 10), (unsigned long long)(tenths % 10));
}

static void json_domain(struct json *json, const struct xen_domctl_getdomaininfo *info, const char *name)
{
    char uuid[37], state[7];

    uuid_format(info->handle, uuid);
    state_letters(info, state);
    json_open(json, NULL, '{');
    json_string(json, "name", name);
    json_number(json, "domid", info->domain);
    json_string(json, "uuid", uuid);
    json_number(json, "memory_kib", memory_kib(info));
    json_number(json, "max_memory_kib", info->max_pages * 4);
    json_number(json, "vcpus", info->nr_online_vcpus);
    json_number(json, "max_vcpus", info->max_vcpu_id + 1);
    json_string(json, "state", state);
    if (info->flags & XEN_DOMINF_shutdown)
        json_string(json, "shutdown_reason", shutdown_reason_name(shutdown_reason(info)));
    json_seconds(json, "cpu_seconds", info->cpu_time);
    json_close(json, '}');
}

static void say_domain(const struct vane *vane, const struct xen_domctl_getdomaininfo *info, const char *name,
                       bool verbose)
{
    char state[7], uuid[37];

    state_letters(info, state);
    say(vane, "%-40s %5d %5lu %5d     %s  ", name, info->domain, (unsigned long)(memory_kib(info) / 1024),
        info->nr_online_vcpus, state);
    say_seconds(vane, info->cpu_time);
    if (verbose) {
        uuid_format(info->handle, uuid);
        say(vane, " %s %s", uuid,
            info->flags & XEN_DOMINF_shutdown ? shutdown_reason_name(shutdown_reason(info)) : "-");
    }
    say(vane, "\n");
}

static void say_long(const struct vane *vane, const struct xen_domctl_getdomaininfo *info, const char *name)
{
    const struct domain_record *record = record_find(info->domain);
    char uuid[37], state[7];

    uuid_format(info->handle, uuid);
    state_letters(info, state);
    say(vane, "%s (domain %u)\n", name, info->domain);
    say(vane, "    state         %s%s%s\n", state, info->flags & XEN_DOMINF_shutdown ? ", ended: " : "",
        info->flags & XEN_DOMINF_shutdown ? shutdown_reason_name(shutdown_reason(info)) : "");
    if (receiving_claim(name) != NULL)
        say(vane, "    hand-over     %s\n", receiving_claim(name));
    say(vane, "    uuid          %s\n", uuid);
    say(vane, "    memory        %llu KiB, at most %llu KiB\n", (unsigned long long)memory_kib(info),
        (unsigned long long)info->max_pages * 4);
    say(vane, "    vcpus         %u online, %u in all\n", info->nr_online_vcpus, info->max_vcpu_id + 1);
    say(vane, "    cpu time      %llu.%03llu s\n", (unsigned long long)(info->cpu_time / 1000000000u),
        (unsigned long long)(info->cpu_time / 1000000u % 1000u));
    if (record == NULL)
        return;
    say(vane, "    kernel        %s\n    command line  %s\n", record->config.kernel, record->config.command_line);
    for (size_t i = 0; i < record->config.module_count; i++)
        say(vane, "    module        %s\n", record->config.modules[i]);
    say(vane, "    on_poweroff   %s\n    on_reboot     %s\n    on_crash      %s\n",
        domain_action_name(record->config.on_poweroff), domain_action_name(record->config.on_reboot),
        domain_action_name(record->config.on_crash));
}

static void show_list(struct vane *vane, const struct xen_domctl_getdomaininfo *infos, unsigned int count, bool full,
                      bool verbose)
{
    struct json json;

    if (!full)
        say(vane, "Name                                        ID   Mem VCPUs\tState\tTime(s)%s\n",
            verbose ? "   UUID                            Reason-Code" : "");
    json_begin(&json, vane);
    json_open(&json, NULL, '[');
    for (unsigned int i = 0; i < count; i++) {
        char *name = name_of_domain(vane, infos[i].domain);
        const char *shown = name != NULL ? name : "(null)";

        json_domain(&json, &infos[i], shown);
        if (full)
            say_long(vane, &infos[i], shown);
        else
            say_domain(vane, &infos[i], shown, verbose);
        free(name);
    }
    json_close(&json, ']');
    json_end(&json);
}

int cmd_list(struct vane *vane, int argc, char **argv)
{
    bool full = option(&argc, argv, "-l", "--long"), verbose = option(&argc, argv, "-v", "--verbose");
    bool memory = option(&argc, argv, "-m", "--memory");
    struct xen_domctl_getdomaininfo *infos;
    unsigned int count;

    if (check_arguments(vane, argc, argv, 0, 64) != 0)
        return 1;
    if (memory && (full || verbose))
        return fail_usage(vane, "-m shows columns of its own: it goes with neither -l nor -v");
    infos = named_domains(vane, argc, argv, &count);
    if (infos == NULL)
        return 1;
    if (memory)
        list_memory(vane, infos, count);
    else
        show_list(vane, infos, count, full, verbose);
    free(infos);
    return 0;
}

int cmd_domid(struct vane *vane, int argc, char **argv)
{
    struct json json;
    domid_t domid;

    if (check_arguments(vane, argc, argv, 1, 1) != 0)
        return 1;
    if (!domain_name_taken(vane, argv[1], &domid))
        return fail(vane, "there is no domain \"%s\"", argv[1]);
    say(vane, "%u\n", domid);
    json_begin(&json, vane);
    json_open(&json, NULL, '{');
    json_number(&json, "domid", domid);
    json_close(&json, '}');
    json_end(&json);
    return 0;
}

int cmd_domname(struct vane *vane, int argc, char **argv)
{
    struct xen_domctl_getdomaininfo info;
    uint64_t number;
    char *name;

    if (check_arguments(vane, argc, argv, 1, 1) != 0)
        return 1;
    if (!parse_unsigned(argv[1], &number))
        return fail(vane, "\"%s\" is no domain id; domid NAME gives the id of a name", argv[1]);
    if (find_domain_info(vane, argv[1], &info) != 0)
        return 1;
    name = name_of_domain(vane, info.domain);
    if (name == NULL)
        return fail(vane, "domain %u has no name", info.domain);
    say(vane, "%s\n", name);
    json_single(vane, "name", name);
    free(name);
    return 0;
}

/* Seconds since the domain started; dom0 started with the hypervisor. */
static uint64_t uptime_of(struct vane *vane, const struct xen_domctl_getdomaininfo *info)
{
    const struct domain_record *record = record_find(info->domain);
    uint64_t now = clock_ns();

    if (info->domain == 0)
        return now / 1000000000u;
    return record != NULL && now > record->started_ns ? (now - record->started_ns) / 1000000000u : 0;
}

static void say_uptime(struct vane *vane, struct json *json, const struct xen_domctl_getdomaininfo *info,
                       const void *is_brief)
{
    bool brief = *(const bool *)is_brief;
    uint64_t seconds = uptime_of(vane, info);
    unsigned int days = (unsigned int)(seconds / 86400), rest = (unsigned int)(seconds % 86400);
    char *name = name_of_domain(vane, info->domain);
    char text[48] = "";

    if (days > 0)
        snprintf(text, sizeof(text), "%u day%s, ", days, days > 1 ? "s" : "");
    snprintf(text + strlen(text), sizeof(text) - strlen(text), brief ? "%2u:%02u" : "%2u:%02u:%02u", rest / 3600,
             rest / 60 % 60, rest % 60);
    if (brief)
        say(vane, " %s up %s, %s (%u)\n", "", text, name ? name : "", info->domain);
    else
        say(vane, "%-33s %4d %s\n", name ? name : "", info->domain, text);
    json_open(json, NULL, '{');
    json_string(json, "name", name ? name : "");
    json_number(json, "domid", info->domain);
    json_number(json, "uptime_seconds", seconds);
    json_close(json, '}');
    free(name);
}

int cmd_uptime(struct vane *vane, int argc, char **argv)
{
    bool brief = option(&argc, argv, "-s", "--short");
    char heading[64] = "";

    if (check_arguments(vane, argc, argv, 0, 64) != 0)
        return 1;
    if (!brief)
        snprintf(heading, sizeof(heading), "%-33s %4s %s\n", "Name", "ID", "Uptime");
    return list_each(vane, argc, argv, heading, say_uptime, &brief);
}

struct top_sample {
    struct xen_domctl_getdomaininfo *infos;
    unsigned int count;
    uint64_t at_ns;
};

static bool take_sample(struct vane *vane, struct top_sample *sample)
{
    free(sample->infos);
    sample->infos = list_domains(vane, &sample->count);
    sample->at_ns = clock_ns();
    return sample->infos != NULL;
}

/* Tenths of a percent of one CPU between two samples. */
static unsigned int load_of(const struct xen_domctl_getdomaininfo *info, const struct top_sample *now,
                            const struct top_sample *before)
{
    for (unsigned int i = 0; i < before->count; i++) {
        const struct xen_domctl_getdomaininfo *old = &before->infos[i];

        if (old->domain == info->domain && now->at_ns > before->at_ns && info->cpu_time >= old->cpu_time)
            return (unsigned int)((info->cpu_time - old->cpu_time) * 1000 / (now->at_ns - before->at_ns));
    }
    return 0;
}

static void show_top(struct vane *vane, const struct top_sample *now, const struct top_sample *before)
{
    struct xen_sysctl_physinfo physical;
    struct json json;

    if (ctl_physinfo(vane->ctl, &physical) == 0)
        say(vane, "%u domains; %llu MiB of memory, %llu MiB free; %u CPUs at %u MHz\n", now->count,
            (unsigned long long)physical.total_pages / 256, (unsigned long long)physical.free_pages / 256,
            physical.nr_cpus, physical.cpu_khz / 1000);
    say(vane, "%-24s %5s %-6s %8s %6s %10s %10s %5s\n", "NAME", "ID", "STATE", "CPU(sec)", "CPU(%)", "MEM(k)",
        "MAXMEM(k)", "VCPUS");
    json_begin(&json, vane);
    json_open(&json, NULL, '[');
    for (unsigned int i = 0; i < now->count; i++) {
        const struct xen_domctl_getdomaininfo *info = &now->infos[i];
        unsigned int load = load_of(info, now, before);
        char *name = name_of_domain(vane, info->domain);
        char state[7];

        state_letters(info, state);
        say(vane, "%-24.24s %5u %s %8llu %4u.%u %10llu %10llu %5u\n", name ? name : "(null)", info->domain, state,
            (unsigned long long)(info->cpu_time / 1000000000u), load / 10, load % 10,
            (unsigned long long)memory_kib(info), (unsigned long long)info->max_pages * 4, info->nr_online_vcpus);
        json_open(&json, NULL, '{');
        json_string(&json, "name", name ? name : "(null)");
        json_number(&json, "domid", info->domain);
        json_string(&json, "state", state);
        json_seconds(&json, "cpu_seconds", info->cpu_time);
        json_number(&json, "cpu_permille", load);
        json_number(&json, "memory_kib", memory_kib(info));
        json_number(&json, "vcpus", info->nr_online_vcpus);
        json_close(&json, '}');
        free(name);
    }
    json_close(&json, ']');
    json_end(&json);
}

/* Waits one interval; true when a key was pressed that ends it. */
static bool top_wait(uint64_t interval_ns)
{
    uint64_t deadline = clock_ns() + interval_ns;
    char key;

    while (clock_ns() < deadline)
        if (terminal_read(&key, 1, deadline) == 1 && (key == 'q' || key == 'Q' || key == 3))
            return true;
    return false;
}

int cmd_top(struct vane *vane, int argc, char **argv)
{
    const char *rounds = option_value(&argc, argv, "-i", "--iterations"),
               *delay = option_value(&argc, argv, "-d", "--delay");
    bool batch = option(&argc, argv, "-b", "--batch") || vane->json;
    struct top_sample now = {0}, before = {0};
    uint64_t count = batch ? 1 : UINT64_MAX, seconds = 1;

    if (check_arguments(vane, argc, argv, 0, 0) != 0)
        return 1;
    if ((rounds != NULL && !parse_unsigned(rounds, &count)) ||
        (delay != NULL && (!parse_unsigned(delay, &seconds) || seconds == 0 || seconds > 3600)))
        return fail_usage(vane, "-i and -d take a number (-d at most 3600 seconds)");
    if (!take_sample(vane, &before))
        return 1;
    for (uint64_t i = 0; i < count && !top_wait(seconds * 1000000000u); i++) {
        if (!take_sample(vane, &now))
            break;
        if (!batch)
            say(vane, "\033[H\033[2J");
        show_top(vane, &now, &before);
        if (!batch)
            say(vane, "q ends it\n");
        fflush(stdout);
        free(before.infos);
        before = now;
        memset(&now, 0, sizeof(now));
    }
    free(before.infos);
    free(now.infos);
    return 0;
}
