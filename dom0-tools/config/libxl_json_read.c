/*
 * SPDX-FileCopyrightText: 2026 The Paravane developers
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A domain and its kernel from libxl's JSON, with the limits that domain_config.c has. Checks that involve several keys
 * come at the end.
 */
#include <stdlib.h>
#include <string.h>

#include "libxl_json_members.h"

#define COMMAND_LINE_MAX 1023u

static int read_kib(struct reading *reading, int node, uint64_t *out)
{
    int64_t value;

    if (json_tree_integer(&reading->tree, node, 1, (int64_t)DOMAIN_MEMORY_MAX, &value) != 0)
        return -1;
    *out = (uint64_t)value;
    return 0;
}

static int read_type(struct reading *reading, int node)
{
    char type[16];

    if (members_copy(reading, node, type, sizeof(type)) != 0)
        return -1;
    reading->is_pv = strcmp(type, "pv") == 0;
    return reading->is_pv ? 0
                          : json_tree_fail(&reading->tree, node, "%s guests cannot be restored: only pv ones", type);
}

static int read_name(struct reading *reading, int node)
{
    const char *why;

    if (members_string(reading, node, DOMAIN_NAME_MAX - 1, &reading->out->name) != 0)
        return -1;
    return domain_name_valid(reading->out->name, &why) ? 0 : json_tree_fail(&reading->tree, node, "%s", why);
}

static int read_uuid(struct reading *reading, int node)
{
    char text[37];

    if (members_copy(reading, node, text, sizeof(text)) != 0)
        return -1;
    reading->out->has_uuid = true;
    if (!uuid_parse(text, reading->out->uuid))
        return json_tree_fail(&reading->tree, node, "\"%s\" is no UUID", text);
    return 0;
}

static const struct member create_info[] = {
    {"type", read_type},
    {"hap", NULL},
    {"oos", NULL},
    {"ssidref", NULL},
    {"ssid_label", members_without_effect},
    {"name", read_name},
    {"domid", NULL},
    {"uuid", read_uuid},
    {"xsdata", members_without_effect},
    {"platformdata", members_without_effect},
    {"poolid", NULL},
    {"pool_name", NULL},
    {"run_hotplug_scripts", NULL},
    {"driver_domain", NULL},
    {"passthrough", NULL},
    {"xend_suspend_evtchn_compat", NULL},
};

static int read_create_info(struct reading *reading, int node)
{
    return members_read(reading, node, create_info, COUNT(create_info));
}

static int read_max_vcpus(struct reading *reading, int node)
{
    return members_unsigned(reading, node, 1, DOMAIN_VCPUS_MAX, &reading->out->max_vcpus);
}

static int read_bits(struct reading *reading, int node, unsigned int limit, struct cpu_map *map)
{
    memset(map, 0, sizeof(*map));
    if (members_want(reading, node, JSON_ARRAY) != 0)
        return -1;
    for (int i = json_tree_first(&reading->tree, node); i >= 0; i = json_tree_next(&reading->tree, i)) {
        unsigned int bit;

        if (members_unsigned(reading, i, 0, limit - 1, &bit) != 0)
            return -1;
        map->bits[bit / 8] |= (uint8_t)(1u << (bit % 8));
    }
    return cpu_map_empty(map) ? json_tree_fail(&reading->tree, node, "it must not be empty") : 0;
}

static int read_vcpus(struct reading *reading, int node)
{
    struct cpu_map map;
    unsigned int count = 0;

    if (read_bits(reading, node, DOMAIN_VCPUS_MAX, &map) != 0)
        return -1;
    for (unsigned int i = 0; i < DOMAIN_VCPUS_MAX; i++)
        count += cpu_map_test(&map, i);
    reading->out->vcpus = count;
    return 0;
}

static int read_maps(struct reading *reading, int node, struct cpu_map *maps, size_t *count)
{
    *count = 0;
    if (members_want(reading, node, JSON_ARRAY) != 0)
        return -1;
    for (int i = json_tree_first(&reading->tree, node); i >= 0; i = json_tree_next(&reading->tree, i)) {
        if (*count == DOMAIN_VCPUS_MAX)
            return json_tree_fail(&reading->tree, i, "at most %u vCPUs are possible", DOMAIN_VCPUS_MAX);
        if (read_bits(reading, i, DOMAIN_CPUS_MAX, &maps[(*count)++]) != 0)
            return -1;
    }
    return 0;
}

static int read_hard(struct reading *reading, int node)
{
    return read_maps(reading, node, reading->hard, &reading->hard_count);
}

static int read_soft(struct reading *reading, int node)
{
    return read_maps(reading, node, reading->soft, &reading->soft_count);
}

static int read_max_memory(struct reading *reading, int node)
{
    return read_kib(reading, node, &reading->out->max_memory_kib);
}

static int read_memory(struct reading *reading, int node)
{
    return read_kib(reading, node, &reading->out->memory_kib);
}

static int read_grant_frames(struct reading *reading, int node)
{
    return members_unsigned(reading, node, 1, 65536, &reading->out->max_grant_frames);
}

static int read_maptrack_frames(struct reading *reading, int node)
{
    return members_unsigned(reading, node, 0, 65536, &reading->out->max_maptrack_frames);
}

static int read_grant_version(struct reading *reading, int node)
{
    return members_unsigned(reading, node, 1, 2, &reading->out->max_grant_version);
}

static int read_event_channels(struct reading *reading, int node)
{
    unsigned int highest;

    if (members_unsigned(reading, node, 0, (1 << 17) - 1, &highest) != 0)
        return -1;
    reading->out->max_event_channels = (int)highest;
    return 0;
}

static int read_weight(struct reading *reading, int node)
{
    return members_unsigned(reading, node, 1, 65535, &reading->out->weight);
}

static int read_cap(struct reading *reading, int node)
{
    return members_unsigned(reading, node, 0, 100 * DOMAIN_VCPUS_MAX, &reading->out->cap);
}

static const struct member sched_params[] = {
    {"sched", NULL},     {"weight", read_weight}, {"cap", read_cap}, {"period", NULL},
    {"extratime", NULL}, {"budget", NULL},        {"slice", NULL},   {"latency", NULL},
};

static int read_scheduling(struct reading *reading, int node)
{
    return members_read(reading, node, sched_params, COUNT(sched_params));
}

static int read_kernel(struct reading *reading, int node)
{
    return members_string(reading, node, NAMES_MAX, &reading->out->kernel);
}

static int read_command_line(struct reading *reading, int node)
{
    return members_string(reading, node, COMMAND_LINE_MAX, &reading->out->command_line);
}

static int add_module(struct reading *reading, int node)
{
    struct domain_config *out = reading->out;
    char **longer = realloc(out->modules, (out->module_count + 1) * sizeof(*longer));

    if (longer == NULL)
        return json_tree_fail(&reading->tree, node, "out of memory");
    out->modules = longer;
    longer[out->module_count++] = NULL;
    if (members_string(reading, node, NAMES_MAX, &longer[out->module_count - 1]) != 0)
        return -1;
    return longer[out->module_count - 1][0] != '\0' ? 0 : json_tree_fail(&reading->tree, node, "a file has a name");
}

static int read_ramdisk(struct reading *reading, int node)
{
    if (reading->out->module_count > 0)
        return json_tree_fail(&reading->tree, node, "there can be a ramdisk or modules, not both");
    if (json_tree_is_key(&reading->tree, node, ""))
        return 0;
    return add_module(reading, node);
}

static const struct member pv_info[] = {
    {"kernel", read_kernel},
    {"slack_memkb", NULL},
    {"bootloader", members_without_effect},
    {"bootloader_args", NULL},
    {"cmdline", read_command_line},
    {"ramdisk", read_ramdisk},
    {"features", NULL},
    {"e820_host", NULL},
};

static int read_pv(struct reading *reading, int node)
{
    return members_read(reading, node, pv_info, COUNT(pv_info));
}

static int read_other_type(struct reading *reading, int node)
{
    return json_tree_fail(&reading->tree, node, "only PV guests can be restored");
}

static const struct member build_info[] = {
    {"max_vcpus", read_max_vcpus},
    {"avail_vcpus", read_vcpus},
    {"cpumap", NULL},
    {"nodemap", NULL},
    {"vcpu_hard_affinity", read_hard},
    {"vcpu_soft_affinity", read_soft},
    {"numa_placement", NULL},
    {"tsc_mode", NULL},
    {"max_memkb", read_max_memory},
    {"target_memkb", read_memory},
    {"video_memkb", NULL},
    {"shadow_memkb", NULL},
    {"iommu_memkb", NULL},
    {"rtc_timeoffset", members_without_effect},
    {"exec_ssidref", NULL},
    {"exec_ssid_label", NULL},
    {"localtime", NULL},
    {"disable_migrate", NULL},
    {"cpuid", members_without_effect},
    {"blkdev_start", NULL},
    {"vnuma_nodes", members_without_effect},
    {"max_grant_frames", read_grant_frames},
    {"max_maptrack_frames", read_maptrack_frames},
    {"max_grant_version", read_grant_version},
    {"device_model_version", NULL},
    {"device_model_stubdomain", NULL},
    {"stubdomain_memkb", NULL},
    {"device_model", NULL},
    {"device_model_ssidref", NULL},
    {"device_model_user", NULL},
    {"extra", NULL},
    {"extra_pv", NULL},
    {"extra_hvm", NULL},
    {"sched_params", read_scheduling},
    {"ioports", members_without_effect},
    {"irqs", members_without_effect},
    {"iomem", members_without_effect},
    {"claim_mode", NULL},
    {"event_channels", read_event_channels},
    {"kernel", read_kernel},
    {"cmdline", read_command_line},
    {"ramdisk", read_ramdisk},
    {"acpi", NULL},
    {"bootloader", members_without_effect},
    {"bootloader_args", NULL},
    {"timer_mode", NULL},
    {"nested_hvm", NULL},
    {"apic", NULL},
    {"dm_restrict", NULL},
    {"tee", NULL},
    {"type.pv", read_pv},
    {"type.hvm", read_other_type},
    {"type.pvh", read_other_type},
    {"type.invalid", read_other_type},
    {"arch_arm", NULL},
    {"arch_x86", NULL},
    {"altp2m", NULL},
    {"vmtrace_buf_kb", NULL},
    {"vpmu", members_without_effect},
};

static int read_build_info(struct reading *reading, int node)
{
    return members_read(reading, node, build_info, COUNT(build_info));
}

static int read_action(struct reading *reading, int node, enum domain_action *out)
{
    static const char *const names[] = {
        [ACTION_DESTROY] = "destroy",
        [ACTION_RESTART] = "restart",
        [ACTION_RENAME_RESTART] = "restart_rename",
        [ACTION_PRESERVE] = "preserve",
        [ACTION_COREDUMP_DESTROY] = "coredump_destroy",
        [ACTION_COREDUMP_RESTART] = "coredump_restart",
    };

    if (members_want(reading, node, JSON_STRING) != 0)
        return json_tree_fail(&reading->tree, node, "it must be an action such as \"destroy\"");
    for (unsigned int i = 0; i < COUNT(names); i++) {
        if (json_tree_is_key(&reading->tree, node, names[i])) {
            *out = (enum domain_action)i;
            return 0;
        }
    }
    if (json_tree_is_key(&reading->tree, node, "soft_reset"))
        return members_note_key(reading, node,
                                "is soft_reset, which is not possible here: the domain is destroyed instead");
    return json_tree_fail(&reading->tree, node, "this is no action");
}

static int read_on_poweroff(struct reading *reading, int node)
{
    return read_action(reading, node, &reading->out->on_poweroff);
}

static int read_on_reboot(struct reading *reading, int node)
{
    return read_action(reading, node, &reading->out->on_reboot);
}

static int read_on_watchdog(struct reading *reading, int node)
{
    return read_action(reading, node, &reading->out->on_watchdog);
}

static int read_on_crash(struct reading *reading, int node)
{
    return read_action(reading, node, &reading->out->on_crash);
}

static int read_modules(struct reading *reading, int node)
{
    if (members_want(reading, node, JSON_ARRAY) != 0)
        return -1;
    if (reading->out->module_count > 0)
        return json_tree_fail(&reading->tree, node, "there can be a ramdisk or modules, not both");
    for (int i = json_tree_first(&reading->tree, node); i >= 0; i = json_tree_next(&reading->tree, i))
        if (add_module(reading, i) != 0)
            return -1;
    reading->out->module_package = reading->out->module_count > 0;
    return 0;
}

static int read_shadow(struct reading *reading, int node)
{
    unsigned int wanted = 0;
    int status = members_unsigned(reading, node, 0, 1, &wanted);

    reading->out->shadow = wanted != 0;
    return status;
}

static const struct member own_members[] = {
    {"shadow", read_shadow},
    {"modules", read_modules},
};

static int read_own(struct reading *reading, int node)
{
    return members_read(reading, node, own_members, COUNT(own_members));
}

static const struct member top[] = {
    {"c_info", read_create_info},
    {"b_info", read_build_info},
    {"disks", libxl_json_disks},
    {"nics", libxl_json_vifs},
    {"pcidevs", members_without_effect},
    {"rdms", members_without_effect},
    {"dtdevs", members_without_effect},
    {"vfbs", members_without_effect},
    {"vkbs", members_without_effect},
    {"vtpms", members_without_effect},
    {"p9s", members_without_effect},
    {"pvcallsifs", members_without_effect},
    {"vdispls", members_without_effect},
    {"vsnds", members_without_effect},
    {"channels", members_without_effect},
    {"usbctrls", members_without_effect},
    {"usbdevs", members_without_effect},
    {"on_poweroff", read_on_poweroff},
    {"on_reboot", read_on_reboot},
    {"on_watchdog", read_on_watchdog},
    {"on_crash", read_on_crash},
    {"on_soft_reset", NULL},
    {"paravane", read_own},
};

static bool all_alike(const struct cpu_map *maps, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (memcmp(&maps[0], &maps[i], sizeof(maps[0])) != 0)
            return false;
    return true;
}

static bool is_full(const struct cpu_map *map)
{
    struct cpu_map full;

    cpu_map_fill(&full);
    return memcmp(map, &full, sizeof(full)) == 0;
}

static int take_soft(struct reading *reading)
{
    struct domain_config *out = reading->out;

    if (reading->soft_count == 0)
        return 0;
    out->has_soft = !is_full(&reading->soft[0]);
    out->soft = reading->soft[0];
    if (all_alike(reading->soft, reading->soft_count))
        return 0;
    return members_note(reading, "saved configuration: all vCPUs have the soft affinity of the first");
}

/* One map for all where they are alike; a map of all CPUs is none. */
static int take_hard(struct reading *reading)
{
    struct domain_config *out = reading->out;
    size_t count = reading->hard_count < out->max_vcpus ? reading->hard_count : out->max_vcpus;
    bool alike = all_alike(reading->hard, count);

    if (count == 0 || (alike && is_full(&reading->hard[0])))
        return 0;
    if (alike && count == out->max_vcpus) {
        out->has_hard = true;
        out->hard = reading->hard[0];
        return 0;
    }
    out->pinning = calloc(DOMAIN_VCPUS_MAX, sizeof(*out->pinning));
    if (out->pinning == NULL)
        return config_fail(reading->tree.error, NULL, "out of memory");
    for (size_t i = 0; i < count; i++)
        if (!is_full(&reading->hard[i]))
            out->pinning[i] = (struct vcpu_pinning){.set = true, .hard = reading->hard[i]};
    return 0;
}

static int default_string(struct reading *reading, char **text)
{
    if (*text == NULL)
        *text = strdup("");
    return *text != NULL ? 0 : config_fail(reading->tree.error, NULL, "out of memory");
}

static int check_whole(struct reading *reading)
{
    struct domain_config *out = reading->out;

    if (!reading->is_pv)
        return config_fail(reading->tree.error, NULL, "the configuration has no c_info.type: it must be \"pv\"");
    if (out->name == NULL)
        return config_fail(reading->tree.error, NULL, "the configuration has no c_info.name");
    if (out->memory_kib == 0)
        return config_fail(reading->tree.error, NULL, "the configuration has no b_info.target_memkb");
    if (out->max_memory_kib == 0)
        out->max_memory_kib = out->memory_kib;
    if (out->max_memory_kib < out->memory_kib)
        return config_fail(reading->tree.error, NULL, "b_info.max_memkb (%llu) is less than target_memkb (%llu)",
                           (unsigned long long)out->max_memory_kib, (unsigned long long)out->memory_kib);
    if (out->max_vcpus == 0)
        return config_fail(reading->tree.error, NULL, "the configuration has no b_info.max_vcpus");
    if (out->vcpus == 0)
        out->vcpus = out->max_vcpus;
    if (out->vcpus > out->max_vcpus)
        return config_fail(reading->tree.error, NULL, "b_info.avail_vcpus has %u vCPUs: max_vcpus is %u", out->vcpus,
                           out->max_vcpus);
    if (default_string(reading, &out->kernel) != 0 || default_string(reading, &out->command_line) != 0)
        return -1;
    return take_soft(reading) == 0 ? take_hard(reading) : -1;
}

int config_from_json(const char *text, struct domain_config *out, struct config_error *error)
{
    struct reading reading = {.out = out};
    int status = json_tree_parse(&reading.tree, text, error);

    *out = (struct domain_config){
        .max_grant_frames = 64, .max_maptrack_frames = 1024, .max_grant_version = 2, .max_event_channels = 1023};
    reading.hard = calloc(2 * DOMAIN_VCPUS_MAX, sizeof(*reading.hard));
    if (status == 0 && reading.hard == NULL)
        status = config_fail(error, NULL, "out of memory for the configuration");
    if (status == 0) {
        reading.soft = reading.hard + DOMAIN_VCPUS_MAX;
        status = members_read(&reading, 0, top, COUNT(top));
    }
    if (status == 0)
        status = check_whole(&reading);
    free(reading.hard);
    json_tree_free(&reading.tree);
    return status;
}
