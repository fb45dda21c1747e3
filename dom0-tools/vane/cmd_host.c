/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The machine and the hypervisor: info (with xl's lines), dmesg, debug-keys, poweroff.
 */
#include "domains.h"
#include "json.h"
#include "vane.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <abi/sched.h>

#include "dom0-tools/xenstored/start.h"

/* One line in both forms. */
static void line(struct vane *vane, struct json *json, const char *key, const char *value)
{
    say(vane, "%-22s : %s\n", key, value);
    json_string(json, key, value);
}

static void number(struct vane *vane, struct json *json, const char *key, uint64_t value)
{
    say(vane, "%-22s : %llu\n", key, (unsigned long long)value);
    json_number(json, key, value);
}

static void show_physical(struct vane *vane, struct json *json, const struct xen_sysctl_physinfo *info)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } capabilities[] = {
        {XEN_SYSCTL_PHYSCAP_pv, " pv"},
        {XEN_SYSCTL_PHYSCAP_hvm, " hvm"},
        {XEN_SYSCTL_PHYSCAP_hap, " hap"},
        {XEN_SYSCTL_PHYSCAP_shadow, " shadow"},
        {XEN_SYSCTL_PHYSCAP_gnttab_v1, " gnttab-v1"},
        {XEN_SYSCTL_PHYSCAP_gnttab_v2, " gnttab-v2"},
    };
    char text[128];
    size_t used = 0;

    number(vane, json, "nr_cpus", info->nr_cpus);
    number(vane, json, "max_cpu_id", info->max_cpu_id);
    number(vane, json, "nr_nodes", info->nr_nodes);
    number(vane, json, "cores_per_socket", info->cores_per_socket);
    number(vane, json, "threads_per_core", info->threads_per_core);
    snprintf(text, sizeof(text), "%u.%03u", info->cpu_khz / 1000, info->cpu_khz % 1000);
    line(vane, json, "cpu_mhz", text);
    for (unsigned int i = 0; i < 8; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%08x", i ? ":" : "", info->hw_cap[i]);
    line(vane, json, "hw_caps", text);
    text[0] = '\0';
    for (size_t i = 0; i < sizeof(capabilities) / sizeof(capabilities[0]); i++)
        if (info->capabilities & capabilities[i].bit)
            strcat(text, capabilities[i].name);
    line(vane, json, "virt_caps", text[0] ? text + 1 : "");
    number(vane, json, "total_memory", info->total_pages / 256);
    number(vane, json, "free_memory", (info->free_pages - info->outstanding_pages) / 256);
    json_number(json, "free_pages", info->free_pages);
    number(vane, json, "sharing_freed_memory", 0);
    number(vane, json, "sharing_used_memory", 0);
    number(vane, json, "outstanding_claims", info->outstanding_pages / 256);
    number(vane, json, "free_cpus", 0);
}

static const char *scheduler_name(unsigned int id)
{
    switch (id) {
    case XEN_SCHEDULER_CREDIT:
        return "credit";
    case XEN_SCHEDULER_CREDIT2:
        return "credit2";
    case XEN_SCHEDULER_RTDS:
        return "rtds";
    case XEN_SCHEDULER_NULL:
        return "null";
    default:
        return "unknown";
    }
}

static void show_version(struct vane *vane, struct json *json)
{
    static char big[1024];
    int version = ctl_version(vane->ctl, XENVER_version, NULL, 0);
    char extra[16] = "", text[64];
    xen_platform_parameters_t parameters = {0};
    unsigned int scheduler = 0;

    (void)ctl_version(vane->ctl, XENVER_extraversion, extra, sizeof(extra));
    extra[sizeof(extra) - 1] = '\0';
    number(vane, json, "xen_major", (uint64_t)version >> 16);
    number(vane, json, "xen_minor", (uint64_t)version & 0xffff);
    line(vane, json, "xen_extra", extra);
    snprintf(text, sizeof(text), "%d.%d%s", version >> 16, version & 0xffff, extra);
    line(vane, json, "xen_version", text);
    (void)ctl_version(vane->ctl, XENVER_capabilities, big, sizeof(big));
    big[sizeof(big) - 1] = '\0';
    line(vane, json, "xen_caps", big);
    (void)ctl_scheduler(vane->ctl, &scheduler);
    line(vane, json, "xen_scheduler", scheduler_name(scheduler));
    number(vane, json, "xen_pagesize", (uint64_t)ctl_version(vane->ctl, XENVER_pagesize, NULL, 0));
    (void)ctl_version(vane->ctl, XENVER_platform_parameters, &parameters, sizeof(parameters));
    snprintf(text, sizeof(text), "virt_start=0x%lx", (unsigned long)parameters.virt_start);
    line(vane, json, "platform_params", text);
}

static void show_build(struct vane *vane, struct json *json)
{
    static char big[1024];
    struct xen_compile_info compile = {.compiler = ""};
    char changeset[65] = "";

    (void)ctl_version(vane->ctl, XENVER_changeset, changeset, sizeof(changeset) - 1);
    line(vane, json, "xen_changeset", changeset);
    (void)ctl_version(vane->ctl, XENVER_commandline, big, sizeof(big));
    big[sizeof(big) - 1] = '\0';
    line(vane, json, "xen_commandline", big);
    (void)ctl_version(vane->ctl, XENVER_compile_info, &compile, sizeof(compile));
    compile.compiler[63] = compile.compile_by[15] = compile.compile_domain[31] = compile.compile_date[31] = '\0';
    line(vane, json, "cc_compiler", compile.compiler);
    line(vane, json, "cc_compile_by", compile.compile_by);
    line(vane, json, "cc_compile_domain", compile.compile_domain);
    line(vane, json, "cc_compile_date", compile.compile_date);
}

int cmd_info(struct vane *vane, int argc, char **argv)
{
    struct xen_sysctl_physinfo info;
    struct json json;

    if (check_arguments(vane, argc, argv, 0, 0) != 0)
        return 1;
    if (ctl_physinfo(vane->ctl, &info) != 0)
        return fail(vane, "asking the hypervisor about the machine failed: %s", strerror(errno));
    json_begin(&json, vane);
    json_open(&json, NULL, '{');
    line(vane, &json, "host", "Domain-0");
    line(vane, &json, "release", "embedded");
    line(vane, &json, "version", "Paravane");
    line(vane, &json, "machine", sizeof(long) == 8 ? "x86_64" : "i686");
    show_physical(vane, &json, &info);
    show_version(vane, &json);
    show_build(vane, &json);
    number(vane, &json, "xend_config_format", 4);
    json_close(&json, '}');
    json_end(&json);
    return 0;
}

/* The hypervisor's ring from its oldest byte; -1 with errno when none of it can be read. */
static long read_hypervisor(struct vane *vane, char *text, size_t room)
{
    uint32_t index = 0;
    size_t size = 0;
    long got = 0;

    while (size < room && (got = ctl_console_read(vane->ctl, text + size, room - size, &index, false)) > 0)
        size += (size_t)got;
    return size == 0 && got < 0 ? -1 : (long)size;
}

/* The hypervisor's lines carry its prefix; dom0's carry ours. */
static void print_daemon_lines(const char *text, size_t size)
{
    const char *end = text + size;

    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));

        if (newline == NULL)
            newline = end - 1;
        printf("(dom0) %.*s\n", (int)(newline - text), text);
        text = newline + 1;
    }
}

static void print_dmesg(struct vane *vane, const char *hypervisor, size_t size, const char *daemons,
                        size_t daemons_size)
{
    struct json json;

    if (!vane->json) {
        fwrite(hypervisor, 1, size, stdout);
        print_daemon_lines(daemons, daemons_size);
        return;
    }
    json_begin(&json, vane);
    json_open(&json, NULL, '{');
    json_text(&json, "log", hypervisor, size);
    json_text(&json, "dom0", daemons, daemons_size);
    json_close(&json, '}');
    json_end(&json);
}

int cmd_dmesg(struct vane *vane, int argc, char **argv)
{
    bool clear = option(&argc, argv, "-c", "--clear");
    size_t room = 1u << 20;
    char *text;
    long size;

    if (check_arguments(vane, argc, argv, 0, 0) != 0)
        return 1;
    text = malloc(room + DAEMON_LOG_SIZE);
    if (text == NULL)
        return fail(vane, "out of memory");
    size = read_hypervisor(vane, text, room);
    if (size < 0) {
        free(text);
        return fail(vane, "reading the hypervisor's messages failed: %s", strerror(errno));
    }
    if (clear)
        (void)ctl_console_read(vane->ctl, text + room, 0, NULL, true);
    print_dmesg(vane, text, (size_t)size, text + room, daemon_log_read(text + room, DAEMON_LOG_SIZE));
    if (clear)
        daemon_log_clear();
    free(text);
    return 0;
}

int cmd_debug_keys(struct vane *vane, int argc, char **argv)
{
    if (check_arguments(vane, argc, argv, 1, 1) != 0)
        return 1;
    if (ctl_debug_keys(vane->ctl, argv[1]) != 0)
        return fail(vane, "the hypervisor refused the keys \"%s\": %s", argv[1], strerror(errno));
    json_ok(vane);
    return 0;
}

int cmd_poweroff(struct vane *vane, int argc, char **argv)
{
    bool restart = option(&argc, argv, "-r", "--reboot");

    if (check_arguments(vane, argc, argv, 0, 0) != 0)
        return 1;
    say(vane, "The machine %s.\n", restart ? "restarts" : "goes off");
    json_ok(vane);
    fflush(stdout);
    (void)ctl_host_shutdown(vane->ctl, restart ? SHUTDOWN_reboot : SHUTDOWN_poweroff);
    return fail(vane, "the hypervisor refused: %s", strerror(errno));
}
